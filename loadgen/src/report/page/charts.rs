//! Which charts a page has, and what of the run each of them shows.

use std::ops::Range;
use std::time::Duration;

use crate::report::LatencyShown;
use crate::report::chart::axis::{Axis, Unit, percent_of};
use crate::report::chart::lines::{Line, LineChart};
use crate::report::timeline::{Recording, Sample, Timeline};
use crate::shared::Latencies;
use crate::verdict;

/// A chart with its heading and a sentence on how to read it.
pub(super) struct Figure {
    pub(super) heading: &'static str,
    pub(super) note: String,
    pub(super) chart: LineChart,
}

/// How many styles the page has for lines.
const STYLES: usize = 5;
/// Points of a percentile curve for each nine.
const STEPS_PER_NINE: u32 = 20;
/// Beyond these, a time axis counts in minutes and in hours.
const MINUTES_FROM: f64 = 300.0;
const HOURS_FROM: f64 = 3.0 * 3_600.0;

/// Latency by percentile, for each distribution that has any.
pub(super) fn percentile_curve(recording: &Recording) -> Option<Figure> {
    let series = recording.series.iter().map(|series| (series.name.as_str(), &series.latencies));
    Some(Figure {
        heading: "Latency by percentile",
        note: "How long after it was due an event arrived. The further right, the rarer: one in \
               ten, one in a hundred, and so on."
            .into(),
        chart: curve("percentiles", "Latency by percentile", "latency", series)?,
    })
}

/// From the first to the last subscriber of each event, by percentile.
pub(super) fn spread_curve(recording: &Recording) -> Option<Figure> {
    let spread = recording.spread.as_ref()?;
    Some(Figure {
        heading: "Spread of each event",
        note: "From the first subscriber that had an event to the last.".into(),
        chart: curve("spread", "Spread by percentile", "spread", [("spread", spread)])?,
    })
}

fn curve<'a>(
    id: &'static str,
    title: &str,
    what: &str,
    series: impl IntoIterator<Item = (&'a str, &'a Latencies)>,
) -> Option<LineChart> {
    let series: Vec<_> = series.into_iter().filter(|(_, of)| !of.is_empty()).collect();
    let most = series.iter().map(|(_, of)| of.len()).max()?;
    let low = series.iter().map(|(_, of)| of.min()).min()?;
    let high = series.iter().map(|(_, of)| of.max()).max()?;
    let lines = series.iter().enumerate().map(|(index, (name, of))| Line {
        name: (*name).to_owned(),
        style: index % STYLES + 1,
        points: curve_points(of, most),
    });
    Some(LineChart {
        id,
        title: title.into(),
        x: Axis::percentiles(most),
        y: Axis::logarithmic(float(low), float(high), Unit::Time, &format!("{what}, logarithmic")),
        lines: lines.collect(),
        shaded: None,
        mark: None,
        x_in_words: percentile_in_words,
    })
}

/// Values at even steps of the axis, as long as this distribution has that many of the `most`
/// values that the longest has; the last point is its maximum.
fn curve_points(latencies: &Latencies, most: u64) -> Vec<(f64, Option<f64>)> {
    let nines = |count: u64| float(count).max(10.0).log10();
    let steps = (0..).map(|step| f64::from(step) / f64::from(STEPS_PER_NINE));
    let own = nines(latencies.len());
    let mut points: Vec<_> = steps
        .take_while(|at| *at < nines(most))
        .map(|at| {
            let percentile = 1.0 - 10_f64.powf(-at);
            let value = latencies.value_at_quantile(percentile);
            (percentile, (at <= own).then(|| float(value)))
        })
        .collect();
    points.push((1.0, (latencies.len() == most).then(|| float(latencies.max()))));
    points
}

fn percentile_in_words(percentile: f64) -> String {
    if percentile >= 1.0 {
        return "maximum".into();
    }
    let text = percent_of(-(1.0 - percentile).log10());
    format!("{text} %")
}

/// How the time of a run is counted.
struct Time {
    divisor: f64,
    label: &'static str,
    end: f64,
    in_words: fn(f64) -> String,
}

impl Time {
    fn of(timeline: &Timeline) -> Self {
        let end = timeline.samples.last().map_or(1.0, |last| last.elapsed.as_secs_f64());
        match end {
            e if e > HOURS_FROM => {
                Self { divisor: 3_600.0, label: "hours", end, in_words: |x| format!("{x:.2} h") }
            }
            e if e > MINUTES_FROM => {
                Self { divisor: 60.0, label: "minutes", end, in_words: |x| format!("{x:.2} min") }
            }
            _ => Self { divisor: 1.0, label: "seconds", end, in_words: |x| format!("{x:.2} s") },
        }
    }

    fn axis(&self) -> Axis {
        let label = format!("{} since the first event", self.label);
        Axis::exactly(0.0, self.end / self.divisor, Unit::Number, &label)
    }

    fn line(
        &self,
        timeline: &Timeline,
        name: &str,
        style: usize,
        value: impl Fn(&Sample) -> Option<f64>,
    ) -> Line {
        let at = |sample: &Sample| sample.elapsed.as_secs_f64() / self.divisor;
        let points = timeline.samples.iter().map(|sample| (at(sample), value(sample)));
        Line { name: name.into(), style, points: points.collect() }
    }

    /// The part before the measurement.
    fn warmup(&self, timeline: &Timeline) -> Option<(Range<f64>, &'static str)> {
        let warm = timeline.samples.iter().take_while(|sample| !sample.measured).last()?;
        Some((0.0..warm.elapsed.as_secs_f64() / self.divisor, "warm-up"))
    }
}

/// Everything that goes over time; a chart whose values were not seen is left out.
pub(super) fn over_time(timeline: &Timeline) -> Vec<Figure> {
    if timeline.samples.len() < 2 {
        return Vec::new();
    }
    let mut figures = latency_and_load(timeline);
    figures.extend(server(timeline));
    figures.extend(believable(timeline));
    figures
}

fn latency_and_load(timeline: &Timeline) -> Vec<Figure> {
    let time = Time::of(timeline);
    let lines = latencies(timeline, &time, |sample| Some(sample.latency));
    let healthy = latencies(timeline, &time, |sample| sample.healthy);
    let note = match time.warmup(timeline) {
        Some(_) => "Of each interval alone. What is shaded is the warm-up, which does not count.",
        None => "Of each interval alone.",
    };
    // One scale for both, so that they can be compared.
    let low = lowest(&lines[..1]).min(lowest(&healthy[..1]));
    let high = highest(&lines).max(highest(&healthy));
    let percentiles = || Axis::logarithmic(low, high, Unit::Time, "latency, logarithmic");
    let others = !values(&healthy[0]).is_empty();
    let events = time.line(timeline, "events/s", 1, |sample| rate(sample.delivered, sample.length));
    let bytes = time.line(timeline, "bytes/s", 2, |sample| rate(sample.bytes, sample.length));
    let heading = if others { "Latency over time, all" } else { "Latency over time" };
    let mut figures =
        vec![draw(timeline, &time, "latency", heading, percentiles(), lines).with_note(note)];
    if others {
        let heading = "Latency over time, the healthy";
        figures.push(
            draw(timeline, &time, "latency-healthy", heading, percentiles(), healthy).with_note(
                "Of those alone that read all the time and stay. The scale is the same.",
            ),
        );
    }
    figures.extend([
        single(timeline, &time, "events", "Delivered events", Unit::Number, events)
            .with_note("Over all subscribers, by second."),
        single(timeline, &time, "bytes", "Delivered bytes", Unit::Bytes, bytes)
            .with_note("Over all subscribers, by second, framing included."),
    ]);
    figures
}

/// One figure of a distribution.
type Percentile = fn(LatencyShown) -> u64;

/// The percentiles of a latency; nothing where none was measured.
fn latencies(
    timeline: &Timeline,
    time: &Time,
    of: fn(&Sample) -> Option<LatencyShown>,
) -> Vec<Line> {
    let percentiles: [(&str, Percentile); 4] = [
        ("p50", |latency| latency.p50),
        ("p99", |latency| latency.p99),
        ("p99.9", |latency| latency.p99_9),
        ("max", |latency| latency.max),
    ];
    let line = |(index, (name, value)): (usize, (&str, Percentile))| {
        let there = |sample: &Sample| of(sample).filter(|latency| latency.count > 0);
        time.line(timeline, name, index + 1, |sample| there(sample).map(|of| float(value(of))))
    };
    percentiles.into_iter().enumerate().map(line).collect()
}

fn server(timeline: &Timeline) -> Vec<Figure> {
    let time = Time::of(timeline);
    let cpu = time.line(timeline, "processor", 3, |sample| sample.server_cpu_percent);
    let memory =
        time.line(timeline, "resident memory", 4, |sample| sample.server_resident.map(float));
    let mut figures = Vec::new();
    if !values(&cpu).is_empty() {
        let figure =
            single(timeline, &time, "cpu", "The server's processor time", Unit::Percent, cpu);
        figures.push(figure.with_note("100 % is one processor."));
    }
    if !values(&memory).is_empty() {
        let figure = single(timeline, &time, "memory", "The server's memory", Unit::Bytes, memory);
        figures.push(figure.with_note("Resident, as the operating system counts it."));
    }
    figures
}

/// What decides whether the run measured the server, or itself.
fn believable(timeline: &Timeline) -> Vec<Figure> {
    let time = Time::of(timeline);
    let mut lines = vec![time.line(timeline, "loadgen", 1, |sample| Some(sample.busiest_percent))];
    let steal = time.line(timeline, "stolen", 3, |sample| sample.steal_percent);
    if !values(&steal).is_empty() {
        lines.push(steal);
    }
    let busy = Axis::from_zero(highest(&lines).max(100.0), Unit::Percent, "percent");
    let mut busy = draw(timeline, &time, "generator", "Was it loadgen?", busy, lines).with_note(
        "The busiest thread of subscribers, and the processor time that the host took away.",
    );
    let limit = verdict::BUSY_PERCENT_MAX;
    busy.chart.mark = Some((limit, format!("above {limit:.0} % loadgen measures itself")));
    let lag = time.line(timeline, "lag", 5, |sample| sample.publisher_lag.map(float));
    let mut figures = vec![busy];
    if !values(&lag).is_empty() {
        let lines = vec![lag];
        let low = lowest(&lines);
        let axis = Axis::logarithmic(low, highest(&lines), Unit::Time, "lag, logarithmic");
        let figure = draw(timeline, &time, "lag", "How late was the publisher?", axis, lines);
        figures.push(figure.with_note(
            "The latest event of each interval: from due to being handed to the kernel. It is \
             part of the latency.",
        ));
    }
    figures
}

fn single(
    timeline: &Timeline,
    time: &Time,
    id: &'static str,
    heading: &'static str,
    unit: Unit,
    line: Line,
) -> Figure {
    let lines = vec![line];
    let axis = Axis::from_zero(highest(&lines), unit, &lines[0].name);
    draw(timeline, time, id, heading, axis, lines)
}

fn draw(
    timeline: &Timeline,
    time: &Time,
    id: &'static str,
    heading: &'static str,
    y: Axis,
    lines: Vec<Line>,
) -> Figure {
    Figure {
        heading,
        note: String::new(),
        chart: LineChart {
            id,
            title: heading.into(),
            x: time.axis(),
            y,
            lines,
            shaded: time.warmup(timeline),
            mark: None,
            x_in_words: time.in_words,
        },
    }
}

impl Figure {
    fn with_note(mut self, note: &str) -> Self {
        self.note = note.into();
        self
    }
}

fn values(line: &Line) -> Vec<f64> {
    line.points.iter().filter_map(|(_, value)| *value).collect()
}

fn highest(lines: &[Line]) -> f64 {
    lines.iter().flat_map(values).fold(0.0, f64::max)
}

fn lowest(lines: &[Line]) -> f64 {
    lines.iter().flat_map(values).fold(f64::INFINITY, f64::min)
}

fn rate(count: u64, length: Duration) -> Option<f64> {
    let seconds = length.as_secs_f64();
    (seconds > 0.0).then(|| float(count) / seconds)
}

#[expect(clippy::cast_precision_loss, reason = "drawn with three digits")]
fn float(value: u64) -> f64 {
    value as f64
}
