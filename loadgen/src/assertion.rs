//! Conditions on a report, for other people's CI: `p99.9<20ms`, `lost==0`.

use std::str::FromStr;

use crate::figures::Unit;
use crate::report::Report;

/// A figure, a comparison and a value.
#[derive(Debug, Clone, PartialEq)]
pub struct Assertion {
    text: String,
    figure: String,
    comparison: Comparison,
    value: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Equal,
    NotEqual,
}

/// How an assertion came out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Whether it holds. A figure that was not measured holds nothing.
    pub holds: bool,
    /// For a person.
    pub words: String,
}

/// Longer signs first, so that `<=` is not read as `<`.
const SIGNS: [(&str, Comparison); 6] = [
    ("<=", Comparison::LessOrEqual),
    (">=", Comparison::GreaterOrEqual),
    ("==", Comparison::Equal),
    ("!=", Comparison::NotEqual),
    ("<", Comparison::Less),
    (">", Comparison::Greater),
];

impl FromStr for Assertion {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let usage = || {
            format!(
                "\"{text}\": write a figure, one of < <= > >= == !=, and a value, as in \
                 p99.9<20ms; the figures are {}",
                Report::figure_names()
            )
        };
        let at = text.find(['<', '>', '=', '!']).ok_or_else(usage)?;
        let (sign, comparison) =
            SIGNS.into_iter().find(|(sign, _)| text[at..].starts_with(sign)).ok_or_else(usage)?;
        let figure = text[..at].trim();
        let unit = Report::unit(figure).ok_or_else(usage)?;
        let value = parse_value(text[at + sign.len()..].trim(), unit).ok_or_else(|| {
            let example = match unit {
                Unit::Time => "a time such as 20ms or 1.5s",
                Unit::Size => "a size such as 4KiB or 1.5MB",
                Unit::Plain => "a plain number",
            };
            format!("\"{text}\": {figure} is compared with {example}")
        })?;
        Ok(Self { text: text.into(), figure: figure.into(), comparison, value })
    }
}

/// A number; times in nanoseconds and sizes in bytes.
fn parse_value(text: &str, unit: Unit) -> Option<f64> {
    let split = text.find(|c: char| c.is_alphabetic()).unwrap_or(text.len());
    let (number, word) = text.split_at(split);
    let scale = match (unit, word) {
        (Unit::Time, "us" | "µs") | (Unit::Size, "kB" | "KB") => 1e3,
        (Unit::Time, "ms") | (Unit::Size, "MB") => 1e6,
        (Unit::Time, "s") | (Unit::Size, "GB") => 1e9,
        (Unit::Size, "KiB") => 1024.0,
        (Unit::Size, "MiB") => 1024.0 * 1024.0,
        (Unit::Size, "GiB") => 1024.0 * 1024.0 * 1024.0,
        (Unit::Time, "ns") | (Unit::Size, "B" | "") | (Unit::Plain, "") => 1.0,
        _ => return None,
    };
    let number: f64 = number.trim().parse().ok()?;
    number.is_finite().then_some(number * scale)
}

impl Assertion {
    /// Compares `report` with it.
    #[must_use]
    pub fn check(&self, report: &Report) -> Outcome {
        let Some(found) = report.figure(&self.figure) else {
            let words = format!("FAILED  {}: {} was not measured", self.text, self.figure);
            return Outcome { holds: false, words };
        };
        let holds = self.holds(found);
        let shown = match Report::unit(&self.figure) {
            Some(Unit::Time) => crate::units::time(found),
            Some(Unit::Size) => crate::units::bytes(found),
            _ => format!("{found}"),
        };
        let verdict = if holds { "holds " } else { "FAILED" };
        Outcome { holds, words: format!("{verdict}  {}: {shown}", self.text) }
    }

    #[expect(clippy::float_cmp, reason = "counts, exact below 2^53")]
    fn holds(&self, found: f64) -> bool {
        match self.comparison {
            Comparison::Less => found < self.value,
            Comparison::LessOrEqual => found <= self.value,
            Comparison::Greater => found > self.value,
            Comparison::GreaterOrEqual => found >= self.value,
            Comparison::Equal => found == self.value,
            Comparison::NotEqual => found != self.value,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_are_read() {
        for (text, found, holds) in [
            ("p99.9<20ms", 19_999_999.0, true),
            ("p99.9<20ms", 20_000_000.0, false),
            ("max <= 1.5s", 1.5e9, true),
            ("p50>=250us", 1e5, false),
            ("lost==0", 0.0, true),
            ("doubled!=0", 0.0, false),
            ("delivered_per_second>1000", 1e4, true),
            ("healthy.p99.9<5ms", 4e6, true),
            ("spread.p99<1ms", 1e6, false),
            ("cpu_us<2", 1.9, true),
            ("rss_per_connection<4KiB", 4_095.0, true),
            ("rss_per_connection<4KB", 4_095.0, false),
        ] {
            let assertion: Assertion = text.parse().unwrap();
            assert_eq!(assertion.holds(found), holds, "{text}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_explained() {
        for (text, words) in [
            ("p99.9", "write a figure"),
            ("p42<1ms", "the figures are p50"),
            ("p99<20", "a time such as"),
            ("lost==0ms", "a plain number"),
            ("lost=0", "write a figure"),
            ("p50<NaNms", "a time such as"),
            ("rss_per_connection<4ms", "a size such as"),
        ] {
            let said = text.parse::<Assertion>().unwrap_err();
            assert!(said.contains(words), "{text}: {said}");
        }
    }
}
