//! A chart of lines: over time, or over percentiles.

use std::ops::Range;

use super::axis::Axis;
use super::{WIDTH, escape, text_width};

/// Height of the chart in its own units.
const HEIGHT: f64 = 294.0;
/// Above the plot is the label of its y axis.
const TOP: f64 = 30.0;
/// Below it are the ticks and the label of its x axis.
const BOTTOM: f64 = 46.0;
/// Room beside the plot when no line has a name there.
const MARGIN: f64 = 14.0;
/// Least distance between two names.
const NAME_HEIGHT: f64 = 15.0;

/// A line, or several where values are missing between.
#[derive(Debug, Clone)]
pub struct Line {
    /// Short; it stands at the line's end.
    pub name: String,
    /// Which of the page's colours and dashes, from 1.
    pub style: usize,
    /// By x. `None`: nothing was measured there.
    pub points: Vec<(f64, Option<f64>)>,
}

/// What a chart shows.
#[derive(Debug, Clone)]
pub struct LineChart {
    /// Unique in the page.
    pub id: &'static str,
    /// For those who do not see it.
    pub title: String,
    /// From left to right.
    pub x: Axis,
    /// From the bottom up.
    pub y: Axis,
    /// One to five.
    pub lines: Vec<Line>,
    /// A part of the x axis that does not count, and why.
    pub shaded: Option<(Range<f64>, &'static str)>,
    /// A value that matters, and why.
    pub mark: Option<(f64, String)>,
    /// How an x value is called where the reader points.
    pub x_in_words: fn(f64) -> String,
}

/// Where the plot lies.
struct Frame {
    left: f64,
    right: f64,
}

impl Frame {
    fn x(&self, fraction: f64) -> f64 {
        self.left + fraction * (self.right - self.left)
    }

    fn y(fraction: f64) -> f64 {
        let bottom = HEIGHT - BOTTOM;
        bottom - fraction * (bottom - TOP)
    }
}

impl LineChart {
    /// The drawing.
    #[must_use]
    pub fn svg(&self) -> String {
        let widest =
            |texts: &mut dyn Iterator<Item = &str>| texts.map(text_width).fold(0.0, f64::max);
        let y_ticks = self.y.ticks();
        let left = widest(&mut y_ticks.iter().map(|(_, label)| label.as_str())) + 10.0;
        let names = match self.lines.len() {
            0 | 1 => 0.0,
            _ => widest(&mut self.lines.iter().map(|line| line.name.as_str())) + 12.0,
        };
        let frame = Frame { left, right: WIDTH - MARGIN - names };
        let mut svg = super::open(self.id, HEIGHT, &self.title, &self.in_words());
        self.shade(&frame, &mut svg);
        self.axes(&frame, &y_ticks, &mut svg);
        self.draw_mark(&frame, &mut svg);
        // Dashes tell lines apart; a line alone needs none.
        let alone = if self.lines.len() == 1 { " alone" } else { "" };
        for line in &self.lines {
            svg.push_str(&format!(
                "<path class=\"line s{}{alone}\" d=\"{}\"/>\n",
                line.style,
                self.path(&frame, line)
            ));
        }
        if self.lines.len() > 1 {
            self.names(&frame, &mut svg);
        }
        self.hot_spots(&frame, &mut svg);
        svg.push_str("</svg>");
        svg
    }

    /// What the lines do, for those who do not see them.
    fn in_words(&self) -> String {
        let words = |line: &Line| {
            let values = || line.points.iter().filter_map(|(_, value)| *value);
            let low = values().fold(f64::INFINITY, f64::min);
            let high = values().fold(f64::NEG_INFINITY, f64::max);
            let last = values().next_back()?;
            let [low, high, last] = [low, high, last].map(|value| self.y.written(value));
            Some(format!("{}: from {low} to {high}, at the end {last}", line.name))
        };
        let lines: Vec<_> = self.lines.iter().filter_map(words).collect();
        format!("{} by {}. {}.", self.y.label, self.x.label, lines.join("; "))
    }

    fn shade(&self, frame: &Frame, svg: &mut String) {
        let Some((range, why)) = &self.shaded else { return };
        let (from, to) = (self.x.fraction(range.start), self.x.fraction(range.end));
        let (left, right) = (frame.x(from), frame.x(to));
        svg.push_str(&format!(
            "<rect class=\"shade\" x=\"{left:.1}\" y=\"{TOP}\" width=\"{:.1}\" height=\"{:.1}\"/>\n",
            right - left,
            HEIGHT - BOTTOM - TOP
        ));
        if right - left > text_width(why) {
            svg.push_str(&format!(
                "<text class=\"quiet\" x=\"{:.1}\" y=\"{:.1}\">{}</text>\n",
                left + 4.0,
                HEIGHT - BOTTOM - 6.0,
                escape(why)
            ));
        }
    }

    fn axes(&self, frame: &Frame, y_ticks: &[(f64, String)], svg: &mut String) {
        let Frame { left, right } = frame;
        for (value, label) in y_ticks {
            let y = Frame::y(self.y.fraction(*value));
            svg.push_str(&format!(
                "<path class=\"grid\" d=\"M{left:.1} {y:.1}H{right:.1}\"/><text class=\"end\" \
                 x=\"{:.1}\" y=\"{:.1}\">{}</text>\n",
                left - 6.0,
                y + 4.0,
                escape(label)
            ));
        }
        let bottom = HEIGHT - BOTTOM;
        let mut free_from = f64::NEG_INFINITY;
        for (value, label) in self.x.ticks() {
            let x = frame.x(self.x.fraction(value));
            svg.push_str(&format!(
                "<path class=\"grid\" d=\"M{x:.1} {TOP}V{:.1}\"/>\n",
                bottom + 4.0
            ));
            // A label that would touch the one before is left out; its tick stays.
            let half = text_width(&label) / 2.0;
            if x - half > free_from {
                free_from = x + half;
                svg.push_str(&format!(
                    "<text class=\"middle\" x=\"{x:.1}\" y=\"{:.1}\">{}</text>\n",
                    bottom + 18.0,
                    escape(&label)
                ));
            }
        }
        svg.push_str(&format!(
            "<path class=\"axis\" d=\"M{left:.1} {bottom}H{right:.1}\"/>\n\
             <text class=\"quiet\" x=\"0\" y=\"13\">{}</text>\n\
             <text class=\"quiet end\" x=\"{right:.1}\" y=\"{:.1}\">{}</text>\n",
            escape(&self.y.label),
            HEIGHT - 8.0,
            escape(&self.x.label)
        ));
    }

    fn draw_mark(&self, frame: &Frame, svg: &mut String) {
        let Some((value, why)) = &self.mark else { return };
        let y = Frame::y(self.y.fraction(*value));
        svg.push_str(&format!(
            "<path class=\"mark\" d=\"M{:.1} {y:.1}H{:.1}\"/><text class=\"quiet end\" \
             x=\"{:.1}\" y=\"{:.1}\">{}</text>\n",
            frame.left,
            frame.right,
            frame.right - 4.0,
            y - 5.0,
            escape(why)
        ));
    }

    fn path(&self, frame: &Frame, line: &Line) -> String {
        let mut path = String::new();
        let mut pen_down = false;
        for (index, (x, y)) in line.points.iter().enumerate() {
            let Some(y) = y else {
                pen_down = false;
                continue;
            };
            let (x, y) = (frame.x(self.x.fraction(*x)), Frame::y(self.y.fraction(*y)));
            path.push_str(&format!("{}{x:.1} {y:.1}", if pen_down { 'L' } else { 'M' }));
            // A value alone between missing ones is a dot.
            if !pen_down && line.points.get(index + 1).is_none_or(|(_, next)| next.is_none()) {
                path.push_str("h.1");
            }
            pen_down = true;
        }
        path
    }

    /// Each name at the end of its line, moved until none covers another.
    fn names(&self, frame: &Frame, svg: &mut String) {
        let end = |line: &Line| {
            let (x, y) = line.points.iter().rev().find_map(|(x, y)| Some((*x, (*y)?)))?;
            Some((frame.x(self.x.fraction(x)), Frame::y(self.y.fraction(y))))
        };
        let mut ends: Vec<_> =
            self.lines.iter().filter_map(|line| Some((line, end(line)?))).collect();
        ends.sort_by(|(_, (_, a)), (_, (_, b))| a.total_cmp(b));
        let mut places: Vec<f64> = ends.iter().map(|(_, (_, y))| *y).collect();
        for index in 1..places.len() {
            places[index] = places[index].max(places[index - 1] + NAME_HEIGHT);
        }
        let mut lowest = HEIGHT - BOTTOM;
        for place in places.iter_mut().rev() {
            *place = place.min(lowest);
            lowest = *place - NAME_HEIGHT;
        }
        for ((line, (x, y)), place) in ends.into_iter().zip(places) {
            svg.push_str(&format!(
                "<path class=\"lead s{}\" d=\"M{x:.1} {y:.1}L{:.1} {place:.1}\"/>\
                 <text class=\"name s{}\" x=\"{:.1}\" y=\"{:.1}\">{}</text>\n",
                line.style,
                frame.right + 7.0,
                line.style,
                frame.right + 10.0,
                place + 4.0,
                escape(&line.name)
            ));
        }
    }

    /// Columns that say their values where the reader points; the page's script makes more of it.
    fn hot_spots(&self, frame: &Frame, svg: &mut String) {
        let Some(longest) = self.lines.iter().max_by_key(|line| line.points.len()) else { return };
        let xs: Vec<f64> =
            longest.points.iter().map(|(x, _)| frame.x(self.x.fraction(*x))).collect();
        for (index, (value, _)) in longest.points.iter().enumerate() {
            let x = xs[index];
            let before = index.checked_sub(1).map_or(frame.left, |i| f64::midpoint(xs[i], x));
            let after = xs.get(index + 1).map_or(frame.right, |next| f64::midpoint(x, *next));
            let mut words = vec![(self.x_in_words)(*value)];
            for line in &self.lines {
                if let Some((_, Some(y))) = line.points.get(index) {
                    words.push(format!("{} {}", line.name, self.y.written(*y)));
                }
            }
            svg.push_str(&format!(
                "<rect class=\"hot\" data-x=\"{x:.1}\" x=\"{before:.1}\" y=\"{TOP}\" \
                 width=\"{:.1}\" height=\"{:.1}\"><title>{}</title></rect>\n",
                (after - before).max(0.1),
                HEIGHT - BOTTOM - TOP,
                escape(&words.join("\n"))
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::axis::Unit;
    use super::*;

    fn chart(lines: Vec<Line>) -> LineChart {
        LineChart {
            id: "test",
            title: "A <test>".into(),
            x: Axis::exactly(0.0, 10.0, Unit::Number, "seconds"),
            y: Axis::from_zero(100.0, Unit::Percent, "busy"),
            lines,
            shaded: Some((0.0..5.0, "warm-up")),
            mark: Some((90.0, "too much".into())),
            x_in_words: |x| format!("{x} s"),
        }
    }

    #[test]
    fn missing_values_break_the_line() {
        let points = vec![(0.0, Some(0.0)), (2.0, Some(10.0)), (4.0, None), (6.0, Some(50.0))];
        let svg = chart(vec![Line { name: "a".into(), style: 1, points }]).svg();
        let path =
            svg.split("class=\"line s1 alone\" d=\"").nth(1).unwrap().split('"').next().unwrap();
        assert_eq!((path.matches('M').count(), path.matches('L').count()), (2, 1), "{path}");
        assert!(path.ends_with("h.1"), "{path}");
        assert!(
            svg.contains("A &lt;test&gt;") && svg.contains("from 0 % to 50 %, at the end 50 %")
        );
        assert!(svg.contains("6 s\na 50 %") && svg.contains("warm-up") && svg.contains("too much"));
    }

    #[test]
    fn names_do_not_cover_each_other() {
        let line = |name: &str| Line {
            name: name.into(),
            style: 1,
            points: vec![(0.0, Some(3.0)), (10.0, Some(2.0))],
        };
        let svg = chart(vec![line("a"), line("b"), line("c")]).svg();
        let mut places: Vec<f64> = svg
            .split("class=\"name")
            .skip(1)
            .map(|text| text.split("y=\"").nth(1).unwrap().split('"').next().unwrap())
            .map(|y| y.parse().unwrap())
            .collect();
        places.sort_by(f64::total_cmp);
        assert!(places.windows(2).all(|two| two[1] - two[0] >= NAME_HEIGHT - 0.1), "{places:?}");
    }

    #[test]
    fn an_empty_chart_is_still_one() {
        let svg = chart(Vec::new()).svg();
        assert!(svg.starts_with("<svg") && svg.ends_with("</svg>"));
        assert!(
            !chart(vec![Line { name: "a".into(), style: 1, points: vec![] }]).svg().contains("NaN")
        );
    }
}
