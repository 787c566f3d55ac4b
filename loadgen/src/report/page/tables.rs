//! The page's tables: the named figures, the books, percentiles, and every value there is.

use serde_json::Value;

use crate::accounting::Totals;
use crate::books::BooksShown;
use crate::figures::Unit;
use crate::report::chart::escape;
use crate::report::timeline::{ALL, Timeline};
use crate::report::{LatencyShown, Report};
use crate::units::{bytes, nanoseconds, time, whole_bytes};

/// A table: its caption, its head and its rows. All columns but the first hold numbers.
pub(super) fn table(caption: &str, head: &[&str], rows: &[Vec<String>]) -> String {
    let cells = |open: &str, close: &str, texts: &[String]| {
        texts.iter().map(|text| format!("{open}{}{close}", escape(text))).collect::<String>()
    };
    let head: Vec<_> = head.iter().map(|text| (*text).to_owned()).collect();
    let mut html = format!(
        "<div class=\"wide\" tabindex=\"0\"><table><caption>{}</caption><thead><tr>{}</tr></thead>\
         <tbody>\n",
        escape(caption),
        cells("<th scope=\"col\">", "</th>", &head)
    );
    for row in rows {
        let Some((first, rest)) = row.split_first() else { continue };
        html.push_str(&format!(
            "<tr><th scope=\"row\">{}</th>{}</tr>\n",
            escape(first),
            cells("<td>", "</td>", rest)
        ));
    }
    html + "</tbody></table></div>\n"
}

/// Every distribution at the usual percentiles.
pub(super) fn percentiles(report: &Report) -> String {
    let mut rows = Vec::new();
    let mut row = |name: &str, latency: LatencyShown| {
        if latency.count > 0 {
            let LatencyShown { count, p50, p90, p99, p99_9, p99_99, max } = latency;
            let values = [p50, p90, p99, p99_9, p99_99, max].map(nanoseconds);
            let mut cells = vec![name.to_owned(), grouped(count)];
            cells.extend(values);
            rows.push(cells);
        }
    };
    row(ALL, report.latency);
    for (name, latency) in &report.groups {
        row(name, *latency);
    }
    row("spread of each event", report.spread);
    row("connecting", report.connect);
    row("resuming", report.resume);
    let head = ["", "count", "p50", "p90", "p99", "p99.9", "p99.99", "max"];
    table("All distributions", &head, &rows)
}

/// What became of every event that was due.
pub(super) fn books(report: &Report) -> String {
    let totals = &report.totals;
    let Totals { expected, received, merged, announced, lost, .. } = *totals;
    let row = |name: &str, count: u64, meaning: &str| {
        vec![name.to_owned(), grouped(count), share(count, expected), meaning.to_owned()]
    };
    let plain = |name: &str, count: u64, meaning: &str| {
        vec![name.to_owned(), grouped(count), String::new(), meaning.to_owned()]
    };
    let mut rows = vec![
        row("expected", expected, "due to all subscribers together"),
        row("= received", received, "came"),
        row("+ merged", merged, "came inside a later one"),
        row("+ announced", announced, "the server said that they are lost"),
        row("+ lost", lost, "never came, and nobody said so"),
        plain("doubled", totals.doubled, "came again"),
        plain("reordered", totals.reordered, "came after their successors"),
        plain("unasked", totals.unasked, "about topics that were not asked for"),
        plain(
            "missing at the end",
            totals.missing_at_end,
            "of those lost: were they on their way?",
        ),
    ];
    let verified = &report.verified;
    if verified.compared > 0 {
        let merged = verified.compared_merged;
        rows.push(plain("verified", verified.compared, "compared with the truth"));
        rows.push(plain("verified, merged", merged, "of these, messages that stood for several"));
        rows.push(plain("wrong", verified.wrong, "of these, not equal to the truth"));
    }
    let balance = if totals.balance() {
        "<p class=\"good\">✓ The books balance: every event is accounted for, once.</p>"
    } else {
        "<p class=\"bad\">✗ The books do not balance: the parts are not the whole.</p>"
    };
    table("What became of every event", &["", "events", "share", "meaning"], &rows) + balance
}

/// The books of each role, where there are several, and of the worst topics, where there are
/// several.
pub(super) fn detailed_books(report: &Report) -> String {
    let BooksShown { total, balance, roles, topics } = &report.books;
    let head = [
        "",
        "subscriptions",
        "expected",
        "= received",
        "+ merged",
        "+ announced",
        "+ lost",
        "+ never read",
        "doubled",
        "reordered",
        "unasked",
    ];
    let row = |name: String, totals: &Totals| {
        let counts = [
            totals.subscriptions,
            totals.expected,
            totals.received,
            totals.merged,
            totals.announced,
            totals.lost,
            totals.never_read,
            totals.doubled,
            totals.reordered,
            totals.unasked,
        ];
        [name].into_iter().chain(counts.map(grouped)).collect::<Vec<_>>()
    };
    let all = || row("all".into(), total);
    let mut html = String::new();
    if roles.len() > 1 {
        let each = roles.iter().map(|(name, role)| {
            row(format!("{name} ({} subscribers)", grouped(role.subscribers as u64)), &role.totals)
        });
        html.push_str(&table("By role", &head, &each.chain([all()]).collect::<Vec<_>>()));
    }
    if topics.count > 1 {
        let mut rows: Vec<_> =
            topics.worst.iter().map(|books| row(books.topic.clone(), &books.totals)).collect();
        let others = topics.count - topics.worst.len();
        if others > 0 {
            rows.push(row(format!("{others} other topics"), &topics.others));
        }
        rows.push(all());
        html.push_str(&table("By topic, the worst first", &head, &rows));
    }
    if !balance {
        html.push_str("<p class=\"bad\">✗ Not all of these add up.</p>");
    }
    html
}

fn share(part: u64, whole: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "shown with a few digits")]
    let percent = part as f64 * 100.0 / whole.max(1) as f64;
    // Neither a single lost event nor a single missing one may be rounded away.
    match part {
        0 => "0 %".into(),
        _ if part == whole => "100 %".into(),
        _ => format!("{:.4} %", percent.clamp(0.000_1, 99.999_9)),
    }
}

/// `1,234,567`.
pub(super) fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// The figures that an assertion can be about.
pub(super) fn figures(report: &Report) -> String {
    let row = |name: &&str| {
        let value = report.figure(name).map_or_else(
            || "not measured".to_owned(),
            |value| match *name {
                name if Report::is_time(name) => time(value),
                name if Report::unit(name) == Some(Unit::Size) => bytes(value),
                _ => plain_number(value),
            },
        );
        vec![(*name).to_owned(), value]
    };
    let rows: Vec<_> = Report::FIGURES.iter().map(row).collect();
    table("By the names that --assert knows", &["figure", "value"], &rows)
}

fn plain_number(value: f64) -> String {
    if value.fract() == 0.0 { format!("{value:.0}") } else { format!("{value:.2}") }
}

/// Every value of `value`, by its path.
pub(super) fn everything(caption: &str, value: &Value) -> String {
    let mut rows = Vec::new();
    flatten("", value, &mut rows);
    table(caption, &["", "value"], &rows)
}

fn flatten(path: &str, value: &Value, rows: &mut Vec<Vec<String>>) {
    let below = |name: &str| match path {
        "" => name.replace('_', " "),
        path => format!("{path}, {}", name.replace('_', " ")),
    };
    match value {
        Value::Null => {}
        Value::Object(fields) => {
            for (name, field) in fields {
                flatten(&below(name), field, rows);
            }
        }
        Value::Array(items) if items.iter().any(|item| item.is_object() || item.is_array()) => {
            for (index, item) in items.iter().enumerate() {
                flatten(&below(&(index + 1).to_string()), item, rows);
            }
        }
        Value::Array(items) => {
            let items: Vec<_> = items.iter().map(scalar).collect();
            let text = if items.is_empty() { "none".into() } else { items.join(", ") };
            rows.push(vec![path.to_owned(), text]);
        }
        value => rows.push(vec![path.to_owned(), scalar(value)]),
    }
}

fn scalar(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) if number.is_f64() => {
            plain_number(number.as_f64().unwrap_or(f64::NAN))
        }
        value => value.to_string(),
    }
}

/// Every interval, for those who want the numbers behind the charts.
pub(super) fn intervals(timeline: &Timeline) -> String {
    let percent = |value: Option<f64>| value.map_or_else(String::new, |v| format!("{v:.0} %"));
    let row = |sample: &crate::report::timeline::Sample| {
        let warm = if sample.measured { "" } else { " (warm-up)" };
        let LatencyShown { count, p50, p99, p99_9, max, .. } = sample.latency;
        let mut row = vec![format!("{:.2} s{warm}", sample.elapsed.as_secs_f64())];
        let latency = [p50, p99, p99_9, max];
        row.extend(latency.map(|v| if count > 0 { nanoseconds(v) } else { String::new() }));
        row.extend([grouped(sample.delivered), whole_bytes(sample.bytes)]);
        row.push(percent(sample.server_cpu_percent));
        row.push(sample.server_resident.map_or_else(String::new, whole_bytes));
        row.push(percent(Some(sample.busiest_percent)));
        row.push(sample.publisher_lag.map_or_else(String::new, nanoseconds));
        row.push(percent(sample.steal_percent));
        row
    };
    let rows: Vec<_> = timeline.samples.iter().map(row).collect();
    let head = [
        "until",
        "p50",
        "p99",
        "p99.9",
        "max",
        "delivered",
        "bytes",
        "server CPU",
        "server memory",
        "loadgen",
        "lag",
        "stolen",
    ];
    table("Every interval", &head, &rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_rounded_away() {
        assert_eq!(share(1, 1_000_000_000), "0.0001 %");
        assert_eq!(share(999_999_999, 1_000_000_000), "99.9999 %");
        assert_eq!([0, 999, 1_000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!((share(5, 5), share(0, 0)), ("100 %".into(), "0 %".into()));
    }

    #[test]
    fn everything_is_shown_by_its_path() {
        let value = serde_json::json!({"a_b": {"c": 1.5, "none": null}, "list": [1, 2], "<": "&"});
        let html = everything("all", &value);
        assert!(html.contains("<th scope=\"row\">a b, c</th><td>1.50</td>"), "{html}");
        assert!(html.contains("<td>1, 2</td>") && html.contains("&lt;</th><td>&amp;</td>"));
        assert!(!html.contains("none"));
    }
}
