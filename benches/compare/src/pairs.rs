//! What pairs of plans show: each pair's figures side by side, and who came back from a storm.

use crate::plans::{ALL as PLANS, Cut};
use crate::rounds::Run;
use crate::select::{Ratios, chosen, pairs};
use crate::systems::ALL as SYSTEMS;

/// What pairs show, in Markdown; nothing where there are none.
#[must_use]
pub fn markdown(runs: &[Run]) -> String {
    let mut text = String::new();
    for plan in &PLANS {
        // The one of the two that has no trouble.
        let calm = plan.slow_percent == 0.0 && plan.cut != Cut::Midway;
        let Some(with) = plan.partner.filter(|_| calm) else { continue };
        let rows: Vec<String> = SYSTEMS
            .iter()
            .filter_map(|system| pair_row(runs, plan.name, with, system.name))
            .collect();
        if with == "storm" {
            text.push_str(&storm_table(runs));
        }
        if rows.is_empty() {
            continue;
        }
        text.push_str(&format!(
            "\n### {with} against {}, pair by pair\n\n| system | p99.9 ms, {} → {with} | ratio of \
             each | median ({with} / {}) | notes |\n|---|---|---|---|---|\n{}",
            plan.name,
            plan.name,
            plan.name,
            rows.concat()
        ));
    }
    text
}

fn pair_row(runs: &[Run], without: &str, with: &str, system: &str) -> Option<String> {
    let ratios = Ratios::between(runs, (with, system), (without, system), |run| run.p99_9)?;
    let (_, pairs) = pairs(runs, (with, system), (without, system));
    let milliseconds =
        |run: &Run| run.p99_9.map_or_else(|| "–".into(), |v| format!("{:.1}", v / 1e6));
    let each: Vec<String> = pairs
        .iter()
        .map(|(with, without)| format!("{} → {}", milliseconds(without), milliseconds(with)))
        .collect();
    let values: Vec<String> = ratios.values.iter().map(|value| format!("{value:.2}")).collect();
    Some(format!(
        "| {system} | {} | {} | {} | {} |\n",
        each.join(", "),
        values.join(", "),
        ratios.words(),
        ratios.grade.words().unwrap_or_default()
    ))
}

/// Who came back from a storm, and with what.
fn storm_table(runs: &[Run]) -> String {
    let mut rows = String::new();
    for system in &SYSTEMS {
        for run in chosen(runs, ("storm", system.name)) {
            let count =
                |figure: Option<f64>| figure.map_or_else(|| "–".into(), |v| format!("{v:.0}"));
            let lost = run.lost.zip(run.missing).map(|(lost, missing)| lost + missing);
            let back = run.back_p99.map_or_else(|| "–".into(), |v| format!("{:.0}", v / 1e6));
            rows.push_str(&format!(
                "| {} | {} | {} | {} | {back} | {} | {} | {} | {} |\n",
                system.name,
                run.round + 1,
                count(run.cut),
                count(run.back),
                count(run.announced),
                count(lost),
                count(run.disorder),
                if run.resumed_all() && run.lost_nothing() { "yes" } else { "no" },
            ));
        }
    }
    if rows.is_empty() {
        return rows;
    }
    format!(
        "\n### storm: who came back\n\n| system | round | cut | back | caught up after, p99 ms | \
         announced as gone | lost | doubled or out of order | all resumed gap-free |\n\
         |---|---|---|---|---|---|---|---|---|\n{rows}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(plan: &str, round: u32, tail: f64) -> Run {
        let (plan, system) = (plan.into(), "tickwire".into());
        Run { plan, system, round, p99_9: Some(tail), ..Run::default() }
    }

    #[test]
    fn each_pair_is_shown_and_the_median_of_all() {
        assert_eq!(markdown(&[]), "");
        let runs = [
            run("brisk", 0, 1e6),
            run("slow", 0, 1.4e6),
            run("brisk", 1, 2e6),
            run("slow", 1, 2e6),
            // Of this round there is no other half.
            run("slow", 2, 9e6),
        ];
        let text = markdown(&runs);
        let row = "| tickwire | 1.0 → 1.4, 2.0 → 2.0 | 1.40, 1.00 | 1.20 × (1.00–1.40, 2 rounds) |";
        assert!(text.contains(row), "{text}");
        assert!(!text.contains("storm"), "{text}");
    }

    #[test]
    fn a_storm_tells_who_came_back() {
        let (cut, back) = (Some(10.0), Some(9.0));
        let runs = [Run { cut, back, lost: Some(2.0), missing: Some(1.0), ..run("storm", 0, 1.0) }];
        let text = markdown(&runs);
        assert!(text.contains("| tickwire | 1 | 10 | 9 | – | – | 3 | – | no |"), "{text}");
    }
}
