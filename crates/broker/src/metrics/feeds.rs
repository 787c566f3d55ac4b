//! The figures of the feeds in `/metrics`: for each venue, never for each symbol.

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

use crate::feed::{FIGURES, FigureKind, VenueFigures};

/// All feeds at one moment.
#[derive(Debug)]
pub(super) struct FeedSnapshot(pub(super) Vec<VenueFigures>);

/// The name of the only figure that is not summed.
const AGE: &str = "feed_message_age_seconds";

impl Collector for FeedSnapshot {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        if self.0.is_empty() {
            return Ok(());
        }
        let mut from = 0;
        for rows in FIGURES.chunk_by(|one, next| one.name == next.name) {
            let kind = match rows[0].is {
                FigureKind::Counter => MetricType::Counter,
                FigureKind::Gauge | FigureKind::Books(_) => MetricType::Gauge,
            };
            let (name, help) = (rows[0].name, rows[0].help);
            let mut metric = encoder.encode_descriptor(name, help, None, kind)?;
            for VenueFigures { venue, values, .. } in &self.0 {
                for (row, &value) in rows.iter().zip(&values[from..]) {
                    let venue = ("venue", venue.as_str());
                    match row.is {
                        FigureKind::Counter => {
                            ConstCounter::new(value).encode(metric.encode_family(&[venue])?)?;
                        }
                        FigureKind::Gauge => {
                            ConstGauge::new(value).encode(metric.encode_family(&[venue])?)?;
                        }
                        FigureKind::Books(state) => {
                            let labels = [venue, ("state", state.as_str())];
                            ConstGauge::new(value).encode(metric.encode_family(&labels)?)?;
                        }
                    }
                }
            }
            from += rows.len();
        }
        let help = "How long ago the venue's last message came, on its most silent connection";
        let mut metric = encoder.encode_descriptor(AGE, help, None, MetricType::Gauge)?;
        for VenueFigures { venue, silent_for, .. } in &self.0 {
            let Some(silent_for) = silent_for else { continue };
            let age = ConstGauge::new(*silent_for as f64 / 1e3);
            age.encode(metric.encode_family(&[("venue", venue.as_str())])?)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_figure_is_in_the_manual() {
        let manual = include_str!("../../../../docs/operating.md");
        for figure in &FIGURES {
            let suffix = if figure.is == FigureKind::Counter { "_total" } else { "" };
            let name = format!("`tickwire_{}{suffix}`", figure.name);
            assert!(manual.contains(&name), "{name} is not in docs/operating.md");
        }
        assert!(manual.contains(&format!("`tickwire_{AGE}`")));
    }
}
