//! How figures are told: one table for people, the same as JSON for programs.

use serde::Serialize;

/// Whether a figure is what it must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// It is.
    Reached,
    /// It is not.
    Missed,
    /// Nothing is asked of it.
    Told,
}

/// One line of the table.
#[derive(Debug, Clone, Serialize)]
pub struct Figure {
    /// The letter under which it is asked for.
    pub key: char,
    /// What was measured.
    pub name: String,
    /// What it must be at most, as text.
    pub must: String,
    /// The value.
    pub measured: f64,
    /// The value as text, with its unit and spread.
    pub shown: String,
    /// How it stands.
    pub verdict: Verdict,
    /// What else there is to say of it.
    pub notes: Vec<String>,
}

impl Figure {
    /// A figure that may be `bound` at most; `unit` stands behind both numbers.
    #[must_use]
    pub fn at_most(key: char, name: &str, bound: f64, measured: f64, unit: &str) -> Self {
        Self {
            key,
            name: name.into(),
            must: format!("≤ {} {unit}", short(bound)),
            measured,
            shown: format!("{} {unit}", short(measured)),
            verdict: if measured <= bound { Verdict::Reached } else { Verdict::Missed },
            notes: Vec::new(),
        }
    }

    /// A figure that is only told.
    #[must_use]
    pub fn told(key: char, name: &str, measured: f64, unit: &str) -> Self {
        let mut figure = Self::at_most(key, name, f64::INFINITY, measured, unit);
        figure.must = "–".into();
        figure.verdict = Verdict::Told;
        figure
    }

    /// Adds a remark.
    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }
}

/// A number with as many digits as matter.
#[must_use]
pub fn short(value: f64) -> String {
    match value.abs() {
        0.0 => "0".into(),
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

/// Smallest, middle and largest of some values.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Spread {
    /// The smallest.
    pub min: f64,
    /// The one in the middle.
    pub median: f64,
    /// The largest.
    pub max: f64,
}

impl Spread {
    /// Of `values`, which must not be empty.
    ///
    /// # Panics
    /// When it is.
    #[must_use]
    pub fn of(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        let (&min, &max) =
            values.first().zip(values.last()).expect("a spread is of one value at least");
        let upper = values[values.len() / 2];
        let lower = values[(values.len() - 1) / 2];
        Self { min, median: f64::midpoint(lower, upper), max }
    }
}

impl std::fmt::Display for Spread {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} / {} / {}", short(self.min), short(self.median), short(self.max))
    }
}

/// All figures of one run, and what they were measured on.
#[derive(Debug, Serialize)]
pub struct Report {
    /// CPU, cores, kernel.
    pub machine: String,
    /// Shards of the broker.
    pub shards: usize,
    /// Percent of CPU time that the host gave to others meanwhile.
    pub stolen_percent: f64,
    /// The lines of the table.
    pub figures: Vec<Figure>,
}

impl Report {
    /// True when nothing was missed.
    #[must_use]
    pub fn all_reached(&self) -> bool {
        self.figures.iter().all(|figure| figure.verdict != Verdict::Missed)
    }
}

impl std::fmt::Display for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{}; broker with {} shard(s)", self.machine, self.shards)?;
        writeln!(f, "stolen by the host over the whole run: {:.1} %", self.stolen_percent)?;
        let rows: Vec<[&str; 4]> = std::iter::once(["figure", "must reach", "measured", "verdict"])
            .chain(self.figures.iter().map(|figure| {
                let verdict = match figure.verdict {
                    Verdict::Reached => "reached",
                    Verdict::Missed => "MISSED",
                    Verdict::Told => "–",
                };
                [&*figure.name, &*figure.must, &*figure.shown, verdict]
            }))
            .collect();
        let width = |column: usize| {
            rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default()
        };
        let widths = [width(0), width(1), width(2), width(3)];
        let keys = std::iter::once(' ').chain(self.figures.iter().map(|figure| figure.key));
        for (row, key) in rows.iter().zip(keys) {
            write!(f, "{key} ")?;
            for (cell, width) in row.iter().zip(widths) {
                write!(f, " {cell:width$} ")?;
            }
            writeln!(f)?;
        }
        for figure in self.figures.iter().filter(|figure| !figure.notes.is_empty()) {
            writeln!(f, "{}  {}:", figure.key, figure.name)?;
            for note in &figure.notes {
                writeln!(f, "     {note}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missed_figure_shows() {
        let missed = Figure::at_most('a', "x", 1.15, 1.2, "×");
        assert_eq!((missed.verdict, &*missed.shown), (Verdict::Missed, "1.20 ×"));
        let figures = vec![Figure::told('b', "y", 3.0, "B"), missed];
        let report = Report { machine: String::new(), shards: 1, stolen_percent: 0.0, figures };
        assert!(!report.all_reached());
        assert!(report.to_string().contains("MISSED"));
    }

    #[test]
    fn the_middle_of_an_even_number_lies_between() {
        let spread = Spread::of(vec![4.0, 1.0, 2.0, 3.0]);
        assert_eq!(spread, Spread { min: 1.0, median: 2.5, max: 4.0 });
    }
}
