//! The table that ends a run on the terminal.

use crate::accounting::Totals;
use crate::books::RoleBooks;
use crate::plan::Schedule;
use crate::recorded::RecordedShown;
use crate::report::timeline::ALL;
use crate::report::{CpuShown, LatencyShown, PlanShown, PublisherShown, Report};
use crate::units::{bytes, nanoseconds, whole_bytes};

impl Report {
    /// For a person.
    #[must_use]
    pub fn table(&self) -> String {
        let mut lines = Vec::new();
        let mut row = |name: &str, text: String| lines.push(format!("{name:<12} {text}"));
        row("plan", self.plan_in_words());
        for (index, line) in self.latency_rows().into_iter().enumerate() {
            row(if index == 0 { "latency" } else { "" }, line);
        }
        row(
            "delivered",
            format!(
                "{} in {:.1} s: {:.0}/s, {}/s",
                self.delivered,
                self.measured_seconds,
                self.delivered_per_second,
                bytes(self.bytes_per_second)
            ),
        );
        row("books", self.books());
        for line in self.books_by_role() {
            row("", line);
        }
        for (name, text) in self.findings() {
            row(name, text);
        }
        self.rest_of_table(&mut row);
        lines.join("\n") + "\n"
    }

    /// Who gets what, how often, in one sentence.
    #[must_use]
    pub fn plan_in_words(&self) -> String {
        let PlanShown { target, subscribers, stalled, topics, topics_per_subscriber, .. } =
            &self.plan;
        let Schedule { rate, burst, .. } = self.plan.schedule;
        // What a recording had is seldom a round number.
        let rate = (rate * 1e3).round() / 1e3;
        let mut plan = format!(
            "{target}: {subscribers} subscribers × {topics_per_subscriber} of {topics} topics, \
             {rate} events/s",
        );
        if burst > 1 {
            plan = format!("{plan} in bursts of {burst}");
        }
        if let Some(to) = self.plan.schedule.rate_to {
            plan = format!("{plan} to {to}");
        }
        if self.plan.own_rhythm {
            plan = format!("{plan} in an exchange's rhythm");
        }
        if let Some(RecordedShown { name, speed, messages, seconds, .. }) = &self.plan.recorded {
            plan = format!(
                "{plan} in the rhythm of {name} ({messages} messages in {seconds:.1} s, {speed:.3} \
                 × as fast)"
            );
        }
        if *stalled > 0 {
            plan = format!("{plan}, {stalled} never read");
        }
        let shares = self.plan.shares;
        for (share, words) in [
            (shares.slow, "read slowly"),
            (shares.resuming, "come and go"),
            (shares.storm, "in a storm"),
            (shares.wildcard, "with a pattern"),
        ] {
            if share > 0.0 {
                plan = format!("{plan}, {share} % {words}");
            }
        }
        if let Some(rate) = self.plan.max_rate {
            plan = format!("{plan}, {} % at most {rate}/s a topic", shares.limited);
        }
        let data =
            if self.plan.ticks { "ticks".into() } else { format!("{} B", self.plan.payload) };
        format!("{plan}, {data}, {}", self.plan.codec)
    }

    /// A head and a line for each distribution, in columns.
    fn latency_rows(&self) -> Vec<String> {
        if self.latency.count == 0 {
            return vec!["none was measured".into()];
        }
        let head = ["p50", "p90", "p99", "p99.9", "p99.99", "max"];
        let line = |name: &str, columns: [String; 6], count: String| {
            let columns: Vec<_> = columns.iter().map(|text| format!("{text:>9}")).collect();
            format!("{name:<10}{} {count:>12}", columns.join(" "))
        };
        let shown = |name: &str, latency: LatencyShown| {
            let LatencyShown { count, p50, p90, p99, p99_9, p99_99, max } = latency;
            line(name, [p50, p90, p99, p99_9, p99_99, max].map(nanoseconds), count.to_string())
        };
        let mut rows = vec![line("", head.map(String::from), "count".into())];
        rows.push(shown(ALL, self.latency));
        let others = self.recording.series.iter().filter(|series| series.name != ALL);
        for series in others.filter(|series| !series.latencies.is_empty()) {
            rows.push(shown(&series.name, LatencyShown::from(&series.latencies)));
        }
        if let Some(spread) = self.recording.spread.as_ref().filter(|spread| !spread.is_empty()) {
            rows.push(shown("spread", LatencyShown::from(spread)));
        }
        rows
    }

    fn books(&self) -> String {
        let Totals { expected, received, merged, announced, lost, doubled, reordered, .. } =
            self.totals;
        let books = format!(
            "expected {expected} = received {received} + merged {merged} + announced gaps \
             {announced} + lost {lost}; doubled {doubled}, reordered {reordered}",
        );
        match self.totals.missing_at_end {
            0 => books,
            missing => format!(
                "{books}; {missing} of the lost were missing when waiting ended (--drain): was the \
                 server behind?"
            ),
        }
    }

    /// A line for each role, where there are several.
    fn books_by_role(&self) -> Vec<String> {
        let roles = &self.books.roles;
        let line = |(name, role): (&String, &RoleBooks)| {
            let Totals { expected, received, merged, announced, lost, never_read, .. } =
                role.totals;
            format!(
                "{name:<9} expected {expected} = received {received} + merged {merged} + announced \
                 {announced} + lost {lost} + never read {never_read}"
            )
        };
        if roles.len() > 1 { roles.iter().map(line).collect() } else { Vec::new() }
    }

    fn rest_of_table(&self, row: &mut impl FnMut(&str, String)) {
        let PublisherShown { planned, published, refused, problem, .. } = &self.publisher;
        let PublisherShown { lag_p50, lag_p99, send_p50, send_p99, .. } = self.publisher;
        let [lag_p50, lag_p99, send_p50, send_p99] =
            [lag_p50, lag_p99, send_p50, send_p99].map(nanoseconds);
        let mut publisher = format!(
            "{published} of {planned} events, lag p50 {lag_p50} p99 {lag_p99}, to send p50 {send_p50} \
             p99 {send_p99}"
        );
        if *refused > 0 {
            publisher = format!("{publisher}, {refused} refused");
        }
        if let Some(problem) = problem {
            publisher = format!("{publisher}: {problem}");
        }
        row("publisher", publisher);
        if let Some(server) = &self.server {
            let CpuShown { user, system, .. } = server.cpu;
            row(
                "server",
                format!(
                    "pid {}: {:.2} CPU-µs a delivered message (by ticks {} user, {} system), {} a \
                     connection, resident {}",
                    server.pid,
                    server.cpu_microseconds_per_delivered,
                    nanoseconds(user),
                    nanoseconds(system),
                    bytes(server.resident_per_connection),
                    [server.resident_before, server.resident_connected, server.resident_end]
                        .map(whole_bytes)
                        .join(" → "),
                ),
            );
        }
        let busy: Vec<_> = self.busy_percent.iter().map(|busy| format!("{busy:.0} %")).collect();
        let busy = busy.join(" ");
        let steal = self.steal_percent.map_or_else(|| "unknown".into(), |s| format!("{s:.1} %"));
        row("loadgen", format!("threads busy {busy}, stolen by the host {steal}"));
        for (reason, count) in &self.ended {
            row("ended early", format!("{count} sockets: {reason}"));
        }
        if self.usable {
            row("result", "usable".into());
        }
        for objection in &self.objections {
            row("NOT USABLE", objection.clone());
        }
    }
}
