//! Whether a result can be believed: was it the server that was measured, or this program?

use crate::report::Report;

/// A thread of subscribers busier than this adds its own waiting to the latency.
pub const BUSY_PERCENT_MAX: f64 = 90.0;
/// A publisher later than this does not publish what was planned.
const LAG_P99_MAX: u64 = 1_000_000;
/// More stolen time than this, and the host was measured.
const STEAL_PERCENT_MAX: f64 = 2.0;

/// Hops that do not add up better than this were not measured right.
const HOPS_ERROR_PERCENT_MAX: f64 = 1.0;

/// Why `report` is not usable; nothing when it is.
#[must_use]
pub fn objections(report: &Report) -> Vec<String> {
    let mut found = Vec::new();
    let busiest = report.busy_percent.iter().copied().fold(0.0, f64::max);
    if busiest > BUSY_PERCENT_MAX {
        found.push(format!(
            "a subscriber thread was busy {busiest:.0} % of the time (more --threads?)"
        ));
    }
    if report.publisher.lag_p99 > LAG_P99_MAX {
        let lag = crate::units::nanoseconds(report.publisher.lag_p99);
        found.push(format!("the publisher was late, p99 {lag}"));
    }
    if let Some(steal) = report.steal_percent.filter(|&steal| steal > STEAL_PERCENT_MAX) {
        found.push(format!("the host took {steal:.1} % of the processors away"));
    }
    if report.publisher.published < report.publisher.planned {
        let (sent, planned) = (report.publisher.published, report.publisher.planned);
        found.push(format!(
            "only {sent} of {planned} events were published: interrupted, or the server took no more"
        ));
    }
    if report.publisher.refused > 0 {
        found.push(format!("{} events were refused", report.publisher.refused));
    }
    if let Some(sum) = report.hop_sum.filter(|sum| sum.error_percent > HOPS_ERROR_PERCENT_MAX) {
        found.push(format!(
            "the hops add up to {}, but the whole is {}: do the clocks agree?",
            crate::units::time(sum.sum),
            crate::units::time(sum.whole)
        ));
    }
    if report.verified.wrong > 0 {
        let first = report.verified.first_wrong.as_deref().unwrap_or_default();
        found.push(format!(
            "{} of {} compared messages were not the truth: {first}",
            report.verified.wrong, report.verified.compared
        ));
    }
    if report.latency.count == 0 {
        found.push("no latency was measured".into());
    }
    if !report.totals.balance() || !report.books.balance {
        found.push("the books do not balance (does somebody else publish to these topics?)".into());
    }
    found
}
