//! A stacked bar: parts of a whole, numbered, so that colour is not all that tells them apart.

use super::{WIDTH, escape, text_width};

/// Height of the drawing, and of the bar in it.
const HEIGHT: f64 = 74.0;
const BAR: f64 = 40.0;
/// How many styles the page has for parts; then they begin again.
pub const STYLES: usize = 5;

/// A part of the whole.
#[derive(Debug, Clone)]
pub struct Part {
    /// What it is.
    pub name: String,
    /// How much of the whole.
    pub value: f64,
    /// The same for people.
    pub written: String,
}

/// The drawing. A part's number is its place in `parts`, from 1; the page lists them below.
#[must_use]
pub fn svg(id: &str, title: &str, parts: &[Part]) -> String {
    let whole: f64 = parts.iter().map(|part| part.value.max(0.0)).sum();
    let words: Vec<_> =
        parts.iter().map(|part| format!("{}: {}", part.name, part.written)).collect();
    let mut svg = super::open(id, HEIGHT, title, &words.join("; "));
    let mut left = 0.0;
    for (index, part) in parts.iter().enumerate() {
        let share = if whole > 0.0 { part.value.max(0.0) / whole } else { 0.0 };
        let (width, number) = (share * WIDTH, index + 1);
        svg.push_str(&format!(
            "<rect class=\"part p{}\" x=\"{left:.1}\" y=\"14\" width=\"{width:.1}\" \
             height=\"{BAR}\"/>\n",
            index % STYLES + 1,
        ));
        let middle = left + width / 2.0;
        if width > text_width(&number.to_string()) + 4.0 {
            svg.push_str(&format!(
                "<text class=\"middle inside\" x=\"{middle:.1}\" y=\"{:.1}\">{number}</text>\n",
                14.0 + BAR / 2.0 + 4.0
            ));
        }
        let percent = format!("{:.0} %", share * 100.0);
        if width > text_width(&percent) {
            svg.push_str(&format!(
                "<text class=\"middle quiet\" x=\"{middle:.1}\" y=\"{:.1}\">{percent}</text>\n",
                HEIGHT - 4.0
            ));
        }
        svg.push_str(&format!(
            "<rect class=\"hot\" data-x=\"{middle:.1}\" x=\"{left:.1}\" y=\"14\" \
             width=\"{width:.1}\" height=\"{BAR}\"><title>{number}: {}\n{}, {percent}</title></rect>\n",
            escape(&part.name),
            escape(&part.written)
        ));
        left += width;
    }
    svg.push_str("</svg>");
    svg
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_fill_the_whole() {
        let part = |name: &str, value: f64| Part {
            name: name.into(),
            value,
            written: format!("{value} µs"),
        };
        let svg = svg("hops", "The way", &[part("a", 30.0), part("b", 10.0), part("c", 0.0)]);
        assert!(svg.contains("x=\"0.0\" y=\"14\" width=\"360.0\""), "{svg}");
        assert!(svg.contains("x=\"360.0\" y=\"14\" width=\"120.0\""), "{svg}");
        assert!(svg.contains("75 %") && svg.contains("2: b\n10 µs, 25 %"), "{svg}");
        assert!(!self::svg("none", "", &[part("a", 0.0)]).contains("NaN"));
    }
}
