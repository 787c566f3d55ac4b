//! What the broker says of itself, in the text format of Prometheus.

mod feeds;

use fanout::Ledger;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::{Registry as Metrics, Unit};
use topics::Registry;

use self::feeds::FeedSnapshot;
use crate::feed::VenueFigures;
use crate::shard::{LATENCY_BOUNDS, Report};

/// All figures at one moment.
#[derive(Debug)]
struct Snapshot {
    total: Report,
    topics: u64,
    history_bytes: u64,
}

/// The text of `GET /metrics`. The reports are those of all shards, each taken between two turns,
/// so that the sums of their ledgers balance.
pub(crate) fn render(reports: &[Report], registry: &Registry, venues: Vec<VenueFigures>) -> String {
    let mut total = Report::default();
    for report in reports {
        add(&mut total, report);
    }
    let snapshot = Snapshot {
        total,
        topics: registry.len() as u64,
        history_bytes: registry.history_bytes() as u64,
    };
    let mut metrics = Metrics::with_prefix("tickwire");
    metrics.register_collector(Box::new(snapshot));
    metrics.register_collector(Box::new(FeedSnapshot(venues)));
    let mut text = String::new();
    match encode(&mut text, &metrics) {
        Ok(()) => text,
        Err(error) => format!("# metrics could not be written: {error}\n"),
    }
}

fn add(total: &mut Report, report: &Report) {
    let Report {
        ledger,
        connections,
        subscriptions,
        blocked,
        writes,
        bytes,
        turns,
        messages,
        errors,
        ref latency,
    } = *report;
    total.ledger += ledger;
    total.connections += connections;
    total.subscriptions += subscriptions;
    total.blocked += blocked;
    total.writes += writes;
    total.bytes += bytes;
    total.turns += turns;
    total.messages += messages;
    total.errors += errors;
    total.latency.add(latency);
}

impl Collector for Snapshot {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let Report { ledger, .. } = self.total;
        let Ledger { published, delivered, merged, dropped, pending } = ledger;
        let counters = [
            ("ledger_published", "Events due to subscriptions, once for each", published),
            (
                "ledger_delivered",
                "Events handed to sockets, alone or as the last merged",
                delivered,
            ),
            ("ledger_merged", "Events covered by a merged event or a snapshot", merged),
            ("ledger_dropped", "Events announced as lost, or whose subscription ended", dropped),
            ("socket_writes", "Writes to sockets", self.total.writes),
            ("turns", "Turns in which something was written", self.total.turns),
            ("messages_received", "Messages taken in from clients", self.total.messages),
            ("errors_answered", "Errors that clients were told of", self.total.errors),
        ];
        for (name, help, value) in counters {
            let counter = ConstCounter::new(value);
            let metric = encoder.encode_descriptor(name, help, None, counter.metric_type())?;
            counter.encode(metric)?;
        }
        let bytes = ConstCounter::new(self.total.bytes);
        let metric = encoder.encode_descriptor(
            "socket_written",
            "Bytes written to sockets",
            Some(&Unit::Bytes),
            bytes.metric_type(),
        )?;
        bytes.encode(metric)?;
        let latency = &self.total.latency;
        let seconds = |nanos: u64| nanos as f64 / 1e9;
        let mut before = 0;
        let mut buckets: Vec<_> = LATENCY_BOUNDS
            .iter()
            .zip(latency.within)
            .map(|(&bound, within)| {
                (seconds(bound), within - std::mem::replace(&mut before, within))
            })
            .collect();
        buckets.push((f64::INFINITY, latency.count - before));
        let mut metric = encoder.encode_descriptor(
            "write_latency",
            "From publishing an event to the end of the turn that wrote it, once for each shard",
            Some(&Unit::Seconds),
            MetricType::Histogram,
        )?;
        metric.encode_histogram::<NoLabelSet>(
            seconds(latency.sum),
            latency.count,
            &buckets,
            None,
        )?;
        let gauges = [
            ("ledger_pending", "Events that subscriptions still have coming", pending),
            ("connections", "WebSocket connections", self.total.connections),
            (
                "connections_blocked",
                "Connections that take less than they are offered",
                self.total.blocked,
            ),
            ("subscriptions", "Subscriptions of all connections", self.total.subscriptions),
            ("topics", "Topics that exist", self.topics),
            ("history_bytes", "Bytes of all topics' histories", self.history_bytes),
        ];
        for (name, help, value) in gauges {
            let gauge = ConstGauge::new(value);
            let metric = encoder.encode_descriptor(name, help, None, gauge.metric_type())?;
            gauge.encode(metric)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use topics::RegistryLimits;

    #[test]
    fn the_ledger_stands_under_its_names() {
        let ledger = Ledger { published: 10, delivered: 4, merged: 3, dropped: 2, pending: 1 };
        let report = Report { ledger, connections: 7, ..Report::default() };
        let registry = Registry::new(RegistryLimits::default(), 1, Vec::new());
        let text = render(&[report, report], &registry, Vec::new());
        for line in [
            "tickwire_ledger_published_total 20",
            "tickwire_ledger_delivered_total 8",
            "tickwire_ledger_merged_total 6",
            "tickwire_ledger_dropped_total 4",
            "tickwire_ledger_pending 2",
            "tickwire_connections 14",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
    }
}
