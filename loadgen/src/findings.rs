//! What a run found beside latency and books, in rows for a person: hops, returns, truth.

use crate::report::Report;
use crate::units::{nanoseconds, time};

impl Report {
    /// A name and a text for each finding that there is.
    #[must_use]
    pub fn findings(&self) -> Vec<(&'static str, String)> {
        let mut rows = Vec::new();
        if let Some(sum) = self.hop_sum {
            let hops: Vec<_> =
                self.hops.iter().map(|hop| format!("{} {}", hop.name, time(hop.mean))).collect();
            rows.push((
                "hops",
                format!(
                    "{}: on average {} of {}, {:.2} % apart",
                    hops.join(", "),
                    time(sum.sum),
                    time(sum.whole),
                    sum.error_percent
                ),
            ));
        }
        let connect = &self.connect;
        if connect.count > 0 {
            let [p50, p99, max] = [connect.p50, connect.p99, connect.max].map(nanoseconds);
            rows.push(("connect", format!("p50 {p50}  p99 {p99}  max {max}, until subscribed")));
        }
        if self.reconnects > 0 {
            let resume = &self.resume;
            let [p50, p99, max] = [resume.p50, resume.p99, resume.max].map(nanoseconds);
            rows.push((
                "resume",
                format!(
                    "{} of {} cut came back: p50 {p50}  p99 {p99}  max {max}, until caught up; {} \
                     attempts failed",
                    resume.count, self.reconnects, self.reconnect_failures
                ),
            ));
        }
        let verified = &self.verified;
        if verified.subscribers > 0 {
            rows.push((
                "truth",
                format!(
                    "{} of {} subscribers compared {} messages, {} of them merged, {} of them \
                     books: {} wrong",
                    verified.subscribers,
                    self.plan.subscribers,
                    verified.compared,
                    verified.compared_merged,
                    verified.compared_books,
                    verified.wrong
                ),
            ));
        }
        rows
    }
}
