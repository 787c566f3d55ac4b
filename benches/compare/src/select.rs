//! Which runs count: those that can be used where there are some, and of two systems or two plans
//! only those of the same round.

use serde::Serialize;

use crate::rounds::Run;

/// A figure of a run.
pub type Figure = fn(&Run) -> Option<f64>;

/// How far runs can be believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Grade {
    /// The host was busy with something else.
    HostBusy,
    /// The load generator was at its limit.
    AtTheLimit,
    /// Nothing to be said against it.
    Usable,
}

impl Grade {
    /// The grade of a run that has figures.
    #[must_use]
    pub fn of(run: &Run) -> Self {
        match (run.is_usable(), run.is_quiet()) {
            (true, _) => Self::Usable,
            (false, true) => Self::AtTheLimit,
            (false, false) => Self::HostBusy,
        }
    }

    /// What has to be said of figures of this grade.
    #[must_use]
    pub fn words(self) -> Option<&'static str> {
        match self {
            Self::Usable => None,
            Self::AtTheLimit => Some("loadgen at its limit"),
            Self::HostBusy => Some("host busy"),
        }
    }
}

/// The median; of two the mean.
#[must_use]
pub fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => None,
        odd if odd % 2 == 1 => Some(values[middle]),
        _ => Some(f64::midpoint(values[middle - 1], values[middle])),
    }
}

/// Those of the best grade that at least two have, or all there are.
fn best<T>(all: Vec<(Grade, T)>) -> (Grade, Vec<T>) {
    let least = [Grade::Usable, Grade::AtTheLimit].into_iter().find(|least| {
        let count = all.iter().filter(|(grade, _)| grade >= least).count();
        count >= 2 || (count > 0 && count == all.len())
    });
    let kept: Vec<_> =
        all.into_iter().filter(|(grade, _)| least.is_none_or(|least| *grade >= least)).collect();
    let grade = kept.iter().map(|(grade, _)| *grade).min().unwrap_or(Grade::HostBusy);
    (grade, kept.into_iter().map(|(_, value)| value).collect())
}

/// A plan and a system.
pub type Of<'n> = (&'n str, &'n str);

/// The runs with figures of one plan and system.
fn runs_of<'r>(runs: &'r [Run], (plan, system): Of<'_>) -> impl Iterator<Item = &'r Run> {
    runs.iter().filter(move |run| run.plan == plan && run.system == system && run.failed.is_none())
}

/// The runs of one plan and system that count.
#[must_use]
pub fn chosen<'r>(runs: &'r [Run], of: Of<'_>) -> Vec<&'r Run> {
    best(runs_of(runs, of).map(|run| (Grade::of(run), run)).collect()).1
}

/// The pairs of runs of the same round that count, and how far they can be believed.
#[must_use]
pub fn pairs<'r>(runs: &'r [Run], one: Of<'_>, base: Of<'_>) -> (Grade, Vec<(&'r Run, &'r Run)>) {
    let partner = |run: &'r Run| {
        let base = runs_of(runs, base).find(|base| base.round == run.round)?;
        Some((Grade::of(run).min(Grade::of(base)), (run, base)))
    };
    best(runs_of(runs, one).filter_map(partner).collect())
}

/// One figure as a multiple of another, round by round.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Ratios {
    /// By round.
    pub values: Vec<f64>,
    /// Of the runs behind them.
    pub grade: Grade,
}

impl Ratios {
    /// `figure` of `one` as a multiple of that of `base`; none where nothing can be compared.
    #[must_use]
    pub fn between(runs: &[Run], one: Of<'_>, base: Of<'_>, figure: Figure) -> Option<Self> {
        let (grade, pairs) = pairs(runs, one, base);
        let ratio = |(one, base): (&Run, &Run)| {
            Some(figure(one)? / figure(base).filter(|base| *base > 0.0)?)
        };
        let values: Vec<f64> = pairs.into_iter().filter_map(ratio).collect();
        (!values.is_empty()).then_some(Self { values, grade })
    }

    /// The middle one.
    #[must_use]
    pub fn median(&self) -> f64 {
        median(self.values.clone()).unwrap_or(f64::NAN)
    }

    /// The least and the greatest.
    #[must_use]
    pub fn spread(&self) -> (f64, f64) {
        let fold = |pick: fn(f64, f64) -> f64| self.values.iter().copied().reduce(pick);
        (fold(f64::min).unwrap_or(f64::NAN), fold(f64::max).unwrap_or(f64::NAN))
    }

    /// The median and the spread.
    #[must_use]
    pub fn words(&self) -> String {
        let (least, most) = self.spread();
        match self.values.len() {
            1 => format!("{:.2} ×, one round", self.median()),
            count => format!("{:.2} × ({least:.2}–{most:.2}, {count} rounds)", self.median()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(system: &str, round: u32, cpu: f64, others: f64) -> Run {
        Run {
            plan: "steady".into(),
            system: system.into(),
            round,
            cpu_microseconds: Some(cpu),
            others_percent: others,
            ..Run::default()
        }
    }

    #[test]
    fn only_rounds_that_both_have_are_compared_and_the_best_count() {
        let mut runs = vec![
            run("a", 0, 2.0, 0.0),
            run("b", 0, 1.0, 0.0),
            run("a", 1, 9.0, 0.0),
            run("a", 2, 6.0, 0.0),
            run("b", 2, 2.0, 0.0),
            run("a", 3, 80.0, 50.0),
            run("b", 3, 1.0, 0.0),
        ];
        let between = |runs: &[Run]| {
            Ratios::between(runs, ("steady", "a"), ("steady", "b"), |run| run.cpu_microseconds)
        };
        let ratios = between(&runs).unwrap();
        assert_eq!((ratios.values.as_slice(), ratios.grade), (&[2.0, 3.0][..], Grade::Usable));
        assert_eq!(ratios.words(), "2.50 × (2.00–3.00, 2 rounds)");
        // One good round alone proves little: then all of them count, and it is said.
        runs.drain(3..5);
        let ratios = between(&runs).unwrap();
        assert_eq!((ratios.values.as_slice(), ratios.grade), (&[2.0, 80.0][..], Grade::HostBusy));
        runs.truncate(1);
        assert!(between(&runs).is_none());
        assert_eq!(chosen(&runs, ("steady", "a")).len(), 1);
        assert_eq!((median(vec![3.0, 1.0, 2.0]), median(Vec::new())), (Some(2.0), None));
    }
}
