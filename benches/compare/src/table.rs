//! The table: of each plan and system the median of its runs, and its ratio to tickwire with the
//! spread over the rounds.

use crate::plans::Plan;
use crate::rounds::Run;
use crate::systems::ALL;

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

/// The runs of one plan and system that have figures; only quiet ones, if there are any.
fn chosen<'r>(runs: &'r [Run], plan: &str, system: &str) -> Vec<&'r Run> {
    let good = |run: &&Run| run.plan == plan && run.system == system && run.failed.is_none();
    let all: Vec<&Run> = runs.iter().filter(good).collect();
    let quiet: Vec<&Run> = all.iter().copied().filter(|run| run.is_quiet()).collect();
    if quiet.is_empty() { all } else { quiet }
}

/// A system's figure as a multiple of tickwire's in the same round, for each round.
fn ratios(runs: &[Run], plan: &str, system: &str, figure: fn(&Run) -> Option<f64>) -> Vec<f64> {
    let ours = chosen(runs, plan, ALL[0].name);
    let of = |run: &Run| {
        let mut same = ours.iter().filter(|ours| ours.round == run.round);
        let ours = same.find_map(|ours| figure(ours)).filter(|ours| *ours > 0.0)?;
        Some(figure(run)? / ours)
    };
    chosen(runs, plan, system).into_iter().filter_map(of).collect()
}

fn ratio_words(system: &str, mut ratios: Vec<f64>) -> String {
    if system == ALL[0].name {
        return "1".into();
    }
    ratios.sort_by(f64::total_cmp);
    match (ratios.first(), ratios.last()) {
        (Some(least), Some(most)) if ratios.len() > 1 => format!("{least:.2}–{most:.2}"),
        (Some(only), _) => format!("{only:.2}"),
        _ => "–".into(),
    }
}

fn milliseconds(value: Option<f64>) -> String {
    value.map_or_else(
        || "–".into(),
        |value| {
            let value = value / 1e6;
            if value < 100.0 { format!("{value:.2}") } else { format!("{value:.0}") }
        },
    )
}

fn row(runs: &[Run], plan: &Plan, system: &str) -> Option<String> {
    let all: Vec<&Run> =
        runs.iter().filter(|run| run.plan == plan.name && run.system == system).collect();
    let chosen = chosen(runs, plan.name, system);
    if chosen.is_empty() {
        let why = all.iter().find_map(|run| run.failed.as_deref())?;
        let why = why.replace('|', "/");
        return Some(format!("| {system} | failed: {why} | | | | | | | | | | |\n"));
    }
    let middle = |figure: fn(&Run) -> Option<f64>| {
        median(chosen.iter().filter_map(|run| figure(run)).collect())
    };
    let cpu = middle(|run| run.cpu_microseconds).map_or_else(|| "–".into(), |v| format!("{v:.2}"));
    let delivered = middle(|run| run.delivered).map_or_else(
        || "–".into(),
        |value| format!("{value:.0} ({:.0} %)", value * 100.0 / plan.offered()),
    );
    let memory = middle(|run| run.memory)
        .map_or_else(|| "–".into(), |value| format!("{:.1}", value / 1024.0));
    let grown = middle(|run| run.grown)
        .map_or_else(|| "–".into(), |value| format!("{:.1}", value / f64::from(1 << 20)));
    let lost = chosen.iter().filter_map(|run| run.lost).sum::<f64>();
    let mut notes = Vec::new();
    let quiet = chosen.iter().filter(|run| run.is_quiet()).count();
    if quiet == 0 {
        notes.push("host busy".to_owned());
    }
    let missing = chosen.iter().filter_map(|run| run.missing).sum::<f64>();
    if missing > 0.0 {
        // What is slowest is not in the latencies.
        notes.push(format!("behind: {missing:.0} not there 3 s after the end"));
    }
    if chosen.iter().any(|run| run.objections.iter().any(|o| o.contains("publisher was late"))) {
        notes.push("publisher late".to_owned());
    }
    if chosen.iter().any(|run| run.objections.iter().any(|o| o.contains("thread was busy"))) {
        notes.push("loadgen busy".to_owned());
    }
    Some(format!(
        "| {system} | {cpu} | {} | {delivered} | {} | {} | {} | {} | {memory} | {grown} | {lost:.0} | {} |\n",
        ratio_words(system, ratios(runs, plan.name, system, |run| run.cpu_microseconds)),
        milliseconds(middle(|run| run.p50)),
        milliseconds(middle(|run| run.p99)),
        milliseconds(middle(|run| run.p99_9)),
        milliseconds(middle(|run| run.spread)),
        notes.join(", "),
    ))
}

/// Everything as Markdown.
#[must_use]
pub fn markdown(runs: &[Run], plans: &[&Plan]) -> String {
    let mut text = String::new();
    for plan in plans {
        let head = "| system | CPU-µs a delivery | × tickwire | delivered/s (of offered) | p50 ms \
            | p99 ms | p99.9 ms | first to last ms | KiB a connection | grew MiB | lost | notes |\n\
            |---|---|---|---|---|---|---|---|---|---|---|---|\n";
        text.push_str(&format!("\n### {}: {}\n\n{head}", plan.name, plan.words));
        ALL.iter().filter_map(|s| row(runs, plan, s.name)).for_each(|row| text.push_str(&row));
    }
    text
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
            lost: Some(0.0),
            ..Run::default()
        }
    }

    #[test]
    fn ratios_are_of_the_same_round_and_loud_runs_are_left_out() {
        let runs = [
            run("tickwire", 0, 2.0, 0.0),
            run("ws", 0, 4.0, 0.0),
            run("tickwire", 1, 4.0, 0.0),
            run("ws", 1, 12.0, 0.0),
            run("ws", 2, 100.0, 50.0),
            Run { failed: Some("no | nats".into()), ..run("nats", 0, 0.0, 0.0) },
        ];
        let steady = Plan::named("steady").unwrap();
        let text = markdown(&runs, &[steady]);
        assert!(text.contains("| ws | 8.00 | 2.00–3.00 |"), "{text}");
        assert!(text.contains("| nats | failed: no / nats |"), "{text}");
        let alone = row(&runs[4..5], steady, "ws").unwrap();
        assert!(alone.contains("host busy"), "{alone}");
        assert_eq!(median(vec![3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(Vec::new()), None);
    }
}
