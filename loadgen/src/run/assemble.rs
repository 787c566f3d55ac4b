//! From what the threads of a run found to its report.

use std::collections::BTreeMap;

use super::Edge;
use crate::books::Books;
use crate::hops::Hops;
use crate::plan::{Plan, Role};
use crate::report::environment::Environment;
use crate::report::timeline::{ALL, Recording, Series};
use crate::report::{LatencyShown, PlanShown, PublisherShown, Report};
use crate::shared::{Latencies, latencies};
use crate::spread::Spread;
use crate::ticks::verify::Verified;
use crate::written::Written;
use crate::{publisher, subscribers};

/// Sums over the threads of subscribers.
struct Sums {
    all: Latencies,
    groups: Vec<Latencies>,
    hops: Hops,
    spread: Spread,
    connect: Latencies,
    resume: Latencies,
    reconnects: (u64, u64),
    books: Books,
    verified: Verified,
    ended: BTreeMap<String, usize>,
}

impl Sums {
    fn of(plan: &Plan, outcomes: &[subscribers::Outcome]) -> Self {
        let mut sums = Self {
            all: latencies(),
            groups: Role::ALL.iter().map(|_| latencies()).collect(),
            hops: Hops::default(),
            spread: Spread::new(plan),
            connect: latencies(),
            resume: latencies(),
            reconnects: (0, 0),
            books: Books::new(plan.topics),
            verified: Verified::default(),
            ended: BTreeMap::new(),
        };
        for outcome in outcomes {
            for (sum, group) in sums.groups.iter_mut().zip(&outcome.groups) {
                add(sum, group);
                add(&mut sums.all, group);
            }
            sums.hops.add(&outcome.hops);
            sums.spread.add(&outcome.spread);
            add(&mut sums.connect, &outcome.connect);
            add(&mut sums.resume, &outcome.resume);
            sums.reconnects.0 += outcome.reconnects.0;
            sums.reconnects.1 += outcome.reconnects.1;
            sums.books.add(&outcome.books);
            sums.verified.add(&outcome.verified);
            super::merge(&mut sums.ended, outcome.ended.clone());
        }
        sums
    }

    /// All together first, then each role that was measured, when there is more than one.
    fn series(&self) -> Vec<Series> {
        let named = |name: &str, latencies: &Latencies| Series {
            name: name.into(),
            latencies: latencies.clone(),
        };
        let measured: Vec<_> =
            Role::ALL.iter().zip(&self.groups).filter(|(_, group)| !group.is_empty()).collect();
        let mut series = vec![named(ALL, &self.all)];
        if measured.len() > 1 {
            series.extend(measured.iter().map(|(role, group)| named(role.name(), group)));
        }
        series
    }
}

/// The report, but for what was measured of the server.
pub(super) fn report(
    plan: &Plan,
    (first, last): (&Edge, &Edge),
    mut recording: Recording,
    written: Option<&Written>,
    published: &[publisher::Outcome],
    outcomes: &[subscribers::Outcome],
) -> Report {
    let sums = Sums::of(plan, outcomes);
    let mut lag = latencies();
    let mut send = latencies();
    for outcome in published {
        add(&mut lag, &outcome.lag);
        add(&mut send, &outcome.send);
    }
    let seconds = last.at.duration_since(first.at).as_secs_f64();
    let delivered = last.reading.delivered - first.reading.delivered;
    let idle = first.reading.idle.iter().zip(&last.reading.idle);
    let busy = idle.map(|(first, last)| 100.0 - super::per_second(last - first, seconds) / 1e7);
    let spread = sums.spread.distribution();
    recording.series = sums.series();
    let groups = Role::ALL.iter().zip(&sums.groups).filter(|(_, group)| !group.is_empty());
    Report {
        plan: PlanShown::from(plan),
        usable: false,
        objections: Vec::new(),
        latency: LatencyShown::from(&sums.all),
        groups: groups.map(|(role, group)| (role.name().into(), group.into())).collect(),
        spread: LatencyShown::from(&spread),
        hops: sums.hops.ledger(written),
        hop_sum: sums.hops.sum(&sums.groups[Role::Healthy as usize], written),
        published_to_arrived: sums.hops.published_to_arrived(),
        written: written.map(Written::shown),
        connect: LatencyShown::from(&sums.connect),
        resume: LatencyShown::from(&sums.resume),
        reconnects: sums.reconnects.0,
        reconnect_failures: sums.reconnects.1,
        verified: sums.verified,
        delivered,
        delivered_per_second: super::per_second(delivered, seconds),
        bytes_per_second: super::per_second(last.reading.bytes - first.reading.bytes, seconds),
        totals: sums.books.of_readers(),
        books: sums.books.shown(plan),
        publisher: PublisherShown {
            planned: plan.events(),
            published: published.iter().flat_map(|outcome| &outcome.published).sum(),
            refused: published.iter().map(|outcome| outcome.refused).sum(),
            problem: published.iter().find_map(|outcome| outcome.problem.clone()),
            lag_p50: lag.value_at_quantile(0.5),
            lag_p99: lag.value_at_quantile(0.99),
            send_p50: send.value_at_quantile(0.5),
            send_p99: send.value_at_quantile(0.99),
        },
        server: None,
        busy_percent: busy.map(|busy| busy.clamp(0.0, 100.0)).collect(),
        steal_percent: first
            .host
            .zip(last.host)
            .map(|(first, last)| last.steal_percent_since(first)),
        ended: sums.ended,
        connect_seconds: 0.0,
        measured_seconds: seconds,
        environment: Environment::of(recording.started),
        recording: Recording { spread: Some(spread), ..recording },
    }
}

fn add(sum: &mut Latencies, more: &Latencies) {
    sum.add(more).expect("all histograms of a run have the same bounds");
}
