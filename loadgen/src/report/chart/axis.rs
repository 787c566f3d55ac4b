//! Axes: from values to places, and round ticks between.

/// How values are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Nanoseconds, written in the unit that suits them.
    Time,
    /// Bytes, in thousands.
    Bytes,
    /// Anything that is counted.
    Number,
    /// Percent.
    Percent,
}

/// How values are spread over an axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scale {
    Linear,
    Logarithmic,
    /// Each further nine of a percentile takes the same room.
    Percentile,
}

/// A range of values with its scale.
#[derive(Debug, Clone)]
pub struct Axis {
    scale: Scale,
    low: f64,
    high: f64,
    unit: Unit,
    /// Its ends need not be round.
    exactly: bool,
    /// What is shown.
    pub label: String,
}

/// Ticks that people find round, within a decade.
const ROUND: [f64; 4] = [1.0, 2.0, 5.0, 10.0];
/// Ticks of a linear axis, about.
const TICKS: f64 = 5.0;
/// Ticks of an axis that is given exactly, about.
const TICKS_EXACTLY: f64 = 9.0;
/// Most decades that a percentile axis shows, for a count that no run reaches.
const NINES_MAX: f64 = 12.0;

impl Unit {
    /// A value with at most three digits, as short as it can be.
    #[must_use]
    pub fn short(self, value: f64) -> String {
        let steps: &[(f64, &str)] = match self {
            Self::Time => &[(1e9, " s"), (1e6, " ms"), (1e3, " µs"), (1.0, " ns")],
            Self::Bytes => &[(1e9, " GB"), (1e6, " MB"), (1e3, " KB"), (1.0, " B")],
            Self::Number => &[(1e9, " G"), (1e6, " M"), (1e3, " k"), (1.0, "")],
            Self::Percent => &[(1.0, " %")],
        };
        let fits = |(size, _): &&(f64, &str)| value.abs() >= *size;
        let (size, name) = steps.iter().find(fits).or(steps.last()).copied().unwrap_or((1.0, ""));
        let scaled = value / size;
        let decimals = match scaled.abs() {
            s if s >= 100.0 => 0,
            s if s >= 10.0 => 1,
            _ => 2,
        };
        let text = format!("{scaled:.decimals$}");
        let text = match text.contains('.') {
            true => text.trim_end_matches('0').trim_end_matches('.'),
            false => &text,
        };
        format!("{text}{name}")
    }
}

impl Axis {
    /// From zero to a round number at or above `high`.
    #[must_use]
    pub fn from_zero(high: f64, unit: Unit, label: &str) -> Self {
        let high = if high > 0.0 && high.is_finite() { high } else { 1.0 };
        let step = round_step(high / TICKS);
        let high = (high / step).ceil() * step;
        Self { scale: Scale::Linear, low: 0.0, high, unit, exactly: false, label: label.into() }
    }

    /// From `low` to `high` as they are.
    #[must_use]
    pub fn exactly(low: f64, high: f64, unit: Unit, label: &str) -> Self {
        let high = if high > low { high } else { low + 1.0 };
        Self { scale: Scale::Linear, low, high, unit, exactly: true, label: label.into() }
    }

    /// Logarithmic, between round numbers around `low` and `high`, at least a decade.
    #[must_use]
    pub fn logarithmic(low: f64, high: f64, unit: Unit, label: &str) -> Self {
        let low = if low.is_finite() { low.max(1.0) } else { 1.0 };
        let down = ROUND.iter().rev().map(|r| r * decade(low)).find(|r| *r <= low);
        let low = down.unwrap_or(low);
        let high = high.max(low * 10.0);
        let up = ROUND.iter().map(|r| r * decade(high)).find(|r| *r >= high);
        let high = up.unwrap_or(high);
        Self { scale: Scale::Logarithmic, low, high, unit, exactly: false, label: label.into() }
    }

    /// Percentiles (0 to 1) of `count` values: as many nines as they can tell apart.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "its logarithm is what counts")]
    pub fn percentiles(count: u64) -> Self {
        let nines = (count as f64).max(10.0).log10().min(NINES_MAX);
        let label = "percentile in %, each nine as wide as the one before".into();
        Self {
            scale: Scale::Percentile,
            low: 0.0,
            high: nines,
            unit: Unit::Number,
            exactly: false,
            label,
        }
    }

    /// Where a value lies: 0 at the low end, 1 at the high end, never beyond.
    #[must_use]
    pub fn fraction(&self, value: f64) -> f64 {
        let fraction = match self.scale {
            Scale::Linear => (value - self.low) / (self.high - self.low),
            Scale::Logarithmic => {
                (value.max(self.low) / self.low).log10() / (self.high / self.low).log10()
            }
            Scale::Percentile => nines(value).min(self.high) / self.high,
        };
        fraction.clamp(0.0, 1.0)
    }

    /// Round values and how they are written.
    #[must_use]
    pub fn ticks(&self) -> Vec<(f64, String)> {
        match self.scale {
            Scale::Linear => {
                let wanted = if self.exactly { TICKS_EXACTLY } else { TICKS };
                let step = round_step((self.high - self.low) / wanted);
                let first = (self.low / step).ceil() * step;
                let values = count_from_zero().map(|n| first + n * step);
                let values = values.take_while(|value| *value <= self.high + step * 1e-6);
                values.map(|value| (value, self.unit.short(value))).collect()
            }
            Scale::Logarithmic => {
                let wide = (self.high / self.low).log10() > 2.0;
                let within: &[f64] = if wide { &ROUND[..1] } else { &ROUND[..3] };
                let decades = count_from_zero().map(|n| decade(self.low) * 10_f64.powf(n));
                let decades = decades.take_while(|decade| *decade <= self.high * 1.000_001);
                let values = decades.flat_map(|decade| within.iter().map(move |r| r * decade));
                let inside = self.low * 0.999_999..=self.high * 1.000_001;
                let values = values.filter(|value| inside.contains(value));
                values.map(|value| (value, self.unit.short(value))).collect()
            }
            Scale::Percentile => {
                let steps = count_from_zero().take_while(|nines| *nines <= self.high);
                steps.map(|nines| (1.0 - 10_f64.powf(-nines), percent_of(nines))).collect()
            }
        }
    }

    /// A value in the axis's unit.
    #[must_use]
    pub fn written(&self, value: f64) -> String {
        self.unit.short(value)
    }
}

/// 0, 1, 2, …
fn count_from_zero() -> impl Iterator<Item = f64> {
    (0..1_000_u32).map(f64::from)
}

/// The power of ten at or below `value`.
fn decade(value: f64) -> f64 {
    10_f64.powf((value.log10() + 1e-9).floor())
}

/// A round number at or above `step`.
fn round_step(step: f64) -> f64 {
    let below = decade(step);
    ROUND.iter().map(|r| r * below).find(|r| *r >= step * 0.999_999).unwrap_or(step)
}

/// How many nines a percentile from 0 to 1 has; 0.99 has two.
fn nines(percentile: f64) -> f64 {
    if percentile >= 1.0 { f64::INFINITY } else { -(1.0 - percentile).log10() }
}

/// `99.9` for three nines.
#[must_use]
pub fn percent_of(nines: f64) -> String {
    let percent = 100.0 - 10_f64.powf(2.0 - nines);
    // Enough decimals to show the last nine.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "from 0 to 12 nines"
    )]
    let decimals = (nines - 2.0 - 1e-6).max(0.0).ceil() as usize;
    format!("{percent:.decimals$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(axis: &Axis) -> Vec<String> {
        axis.ticks().into_iter().map(|(_, label)| label).collect()
    }

    #[test]
    fn ticks_are_round() {
        let axis = Axis::from_zero(47.0, Unit::Percent, "");
        assert_eq!(labels(&axis), ["0 %", "10 %", "20 %", "30 %", "40 %", "50 %"]);
        let axis = Axis::from_zero(52_300.0, Unit::Number, "");
        assert_eq!(labels(&axis), ["0", "20 k", "40 k", "60 k"]);
        let axis = Axis::logarithmic(130e3, 900e3, Unit::Time, "");
        assert_eq!(labels(&axis), ["100 µs", "200 µs", "500 µs", "1 ms"]);
        let axis = Axis::logarithmic(3e4, 4e8, Unit::Time, "");
        assert_eq!(labels(&axis), ["100 µs", "1 ms", "10 ms", "100 ms"]);
        assert_eq!(labels(&Axis::exactly(0.0, 0.4, Unit::Number, "")).len(), 9);
    }

    #[test]
    fn each_nine_takes_the_same_room() {
        let axis = Axis::percentiles(100_000);
        assert_eq!(labels(&axis), ["0", "90", "99", "99.9", "99.99", "99.999"]);
        // A hair more than five nines is still written as five.
        assert_eq!(percent_of(5.000_000_001), "99.999");
        for (percentile, fraction) in [(0.0, 0.0), (0.9, 0.2), (0.999, 0.6), (1.0, 1.0)] {
            assert!((axis.fraction(percentile) - fraction).abs() < 1e-9, "{percentile}");
        }
    }

    #[test]
    fn values_without_sense_break_nothing() {
        for high in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(!Axis::from_zero(high, Unit::Bytes, "").ticks().is_empty());
        }
        for (low, high) in [(0.0, 0.0), (f64::INFINITY, 0.0), (5.0, 5.0)] {
            assert!(!Axis::logarithmic(low, high, Unit::Time, "").ticks().is_empty());
        }
        assert_eq!(Unit::Time.short(0.0), "0 ns");
        assert_eq!(Unit::Number.short(1_234.0), "1.23 k");
    }
}
