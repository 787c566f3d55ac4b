//! The table: of each plan and system the median of its runs, and its ratio to tickwire with the
//! spread over the rounds.

use crate::plans::Plan;
use crate::rounds::Run;
use crate::select::{Grade, Ratios, chosen, median};
use crate::systems::ALL;

fn ratio_words(runs: &[Run], plan: &str, system: &str) -> String {
    if system == ALL[0].name {
        return "1".into();
    }
    let ratios =
        Ratios::between(runs, (plan, system), (plan, ALL[0].name), |run| run.cpu_microseconds);
    let Some(ratios) = ratios else { return "–".into() };
    let (least, most) = ratios.spread();
    if ratios.values.len() > 1 { format!("{least:.2}–{most:.2}") } else { format!("{least:.2}") }
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
    let chosen = chosen(runs, (plan.name, system));
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
    if chosen.iter().any(|run| Grade::of(run) == Grade::HostBusy) {
        notes.push("host busy".to_owned());
    }
    let missing = chosen.iter().filter_map(|run| run.missing).sum::<f64>();
    if missing > 0.0 {
        // What is slowest is not in the latencies.
        notes.push(format!("behind: {missing:.0} not there {} s after the end", plan.drain));
    }
    if chosen.iter().any(|run| run.was_late()) {
        notes.push("publisher late".to_owned());
    }
    if chosen.iter().any(|run| run.was_busy()) {
        notes.push("loadgen busy".to_owned());
    }
    Some(format!(
        "| {system} | {cpu} | {} | {delivered} | {} | {} | {} | {} | {memory} | {grown} | {lost:.0} | {} |\n",
        ratio_words(runs, plan.name, system),
        milliseconds(middle(|run| run.p50)),
        milliseconds(middle(|run| run.p99)),
        milliseconds(middle(|run| run.p99_9)),
        milliseconds(middle(|run| run.spread)),
        notes.join(", "),
    ))
}

/// Everything as Markdown.
#[must_use]
pub fn markdown(runs: &[Run], plans: &[Plan]) -> String {
    let mut text = String::new();
    for plan in plans {
        let head = "| system | CPU-µs a delivery | × tickwire | delivered/s (of offered) | p50 ms \
            | p99 ms | p99.9 ms | first to last ms | KiB a connection | grew MiB | lost | notes |\n\
            |---|---|---|---|---|---|---|---|---|---|---|---|\n";
        let rows: String = ALL.iter().filter_map(|s| row(runs, plan, s.name)).collect();
        if rows.is_empty() {
            continue;
        }
        text.push_str(&format!("\n### {}: {}\n\n", plan.name, plan.words));
        let wanted = Plan::named(plan.name).map_or(0, |whole| whole.subscribers);
        if plan.subscribers < wanted {
            let few = plan.subscribers;
            text.push_str(&format!("Only {few} subscribers: no more files may be open here.\n\n"));
        }
        text.push_str(head);
        text.push_str(&rows);
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
        let text = markdown(&runs, &[*steady]);
        assert!(text.contains("| ws | 8.00 | 2.00–3.00 |"), "{text}");
        assert!(text.contains("| nats | failed: no / nats |"), "{text}");
        let alone = row(&runs[4..5], steady, "ws").unwrap();
        assert!(alone.contains("host busy"), "{alone}");
        let few = markdown(&runs, &[steady.within(700)]);
        assert!(few.contains("Only 500 subscribers"), "{few}");
    }
}
