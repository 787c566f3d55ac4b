//! The report as one HTML page that needs nothing else: no network, no font, no script to be read.

mod charts;
mod tables;

use serde_json::Value;

use crate::assertion::Outcome;
use crate::report::Report;
use crate::report::chart::bar::{self, Part};
use crate::report::chart::escape;
use crate::report::timeline::Hop;
use crate::units::{bytes, nanoseconds, time, whole_bytes};
use charts::Figure;

/// Colours, dashes, light and dark, narrow and wide, and print.
const STYLE: &str = include_str!("page/style.css");
/// Tooltips; without it the charts' own titles serve.
const SCRIPT: &str = include_str!("page/script.js");
/// Nothing may be loaded, even if a name in the page should try.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; \
                      img-src data:";

/// The page of `report` and of the assertions on it.
#[must_use]
pub fn page(report: &Report, assertions: &[Outcome]) -> String {
    let plan = report.plan_in_words();
    let sections = [
        head(report, &plan),
        verdict(report, assertions),
        tiles(report),
        latency(report),
        over_time(report),
        hops(report),
        format!(
            "<h2>Accounting</h2>\n<div class=\"meaning\">{}</div>\n{}",
            tables::books(report),
            tables::detailed_books(report)
        ),
        format!("<h2>Figures</h2>\n<div class=\"newspaper\">{}</div>\n", tables::figures(report)),
        surroundings(report),
        details(report),
    ];
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <link rel=\"icon\" href=\"data:,\">\n<title>loadgen: {}</title>\n\
         <style>\n{STYLE}</style>\n</head>\n<body>\n{}\n<script>\n{SCRIPT}</script>\n</body>\n</html>\n",
        escape(&plan),
        sections.concat()
    )
}

fn head(report: &Report, plan: &str) -> String {
    let here = &report.environment;
    let server = here.server.as_ref().map(|server| format!(" · server {server}"));
    format!(
        "<header><h1>Load test of {}</h1>\n<p>{}</p>\n<p class=\"quiet-text\">{} · {:.1} s measured \
         · loadgen {}{}</p></header>\n<main>\n",
        escape(&report.plan.target),
        escape(plan),
        escape(&here.started),
        report.measured_seconds,
        escape(&here.loadgen),
        escape(&server.unwrap_or_default())
    )
}

fn verdict(report: &Report, assertions: &[Outcome]) -> String {
    let mut html = if report.usable {
        "<section id=\"verdict\" class=\"verdict good\"><strong>✓ Usable</strong>\n<p>The load was \
         what was planned, and neither loadgen nor its host was the bottleneck.</p>\n"
            .to_owned()
    } else {
        let why: String =
            report.objections.iter().map(|why| format!("<li>{}</li>\n", escape(why))).collect();
        format!(
            "<section id=\"verdict\" class=\"verdict bad\"><strong>✗ Not usable</strong>\n<p>These \
             figures are not the server's alone, or not of the load that was planned:</p>\n\
             <ul>{why}</ul>\n"
        )
    };
    if !assertions.is_empty() {
        let item = |outcome: &Outcome| {
            let (class, mark) = if outcome.holds { ("good", "✓") } else { ("bad", "✗") };
            let words = escape(&outcome.words);
            format!("<li><span class=\"{class}\">{mark}</span> {words}</li>\n")
        };
        let items: String = assertions.iter().map(item).collect();
        html.push_str(&format!("<ul class=\"asserts\" id=\"asserts\">{items}</ul>\n"));
    }
    for (reason, count) in &report.ended {
        html.push_str(&format!("<p>{count} sockets ended early: {}</p>\n", escape(reason)));
    }
    html + "</section>\n"
}

/// What most readers look for, large.
fn tiles(report: &Report) -> String {
    let latency = |value: u64| match report.latency.count {
        0 => "–".to_owned(),
        _ => nanoseconds(value),
    };
    let mut tiles = vec![
        ("p50", latency(report.latency.p50)),
        ("p99", latency(report.latency.p99)),
        ("p99.9", latency(report.latency.p99_9)),
        ("max", latency(report.latency.max)),
        ("delivered", format!("{:.0}/s", report.delivered_per_second)),
        ("lost", report.totals.lost.to_string()),
    ];
    if let Some(server) = &report.server {
        tiles.push(("CPU per event", format!("{:.2} µs", server.cpu_microseconds_per_delivered)));
        tiles.push(("memory per socket", bytes(server.resident_per_connection)));
    }
    let tile = |(name, value): (&str, String)| {
        format!("<div><dt>{}</dt><dd>{}</dd></div>\n", escape(name), escape(&value))
    };
    let tiles: String = tiles.into_iter().map(tile).collect();
    format!("<dl class=\"tiles\">\n{tiles}</dl>\n")
}

fn latency(report: &Report) -> String {
    let curves =
        [charts::percentile_curve(&report.recording), charts::spread_curve(&report.recording)];
    let curves: Vec<_> = curves.into_iter().flatten().collect();
    format!("<h2>Latency</h2>\n{}{}", tables::percentiles(report), figures(&curves))
}

fn over_time(report: &Report) -> String {
    let drawn = charts::over_time(&report.recording.timeline);
    if drawn.is_empty() {
        return String::new();
    }
    let unseen = match report.server {
        Some(_) => "",
        None => {
            "<p class=\"quiet-text\">The server's process could not be seen from here, so its \
                 processor time and memory are missing.</p>\n"
        }
    };
    format!("<h2>Over time</h2>\n{}{unseen}", figures(&drawn))
}

fn figures(figures: &[Figure]) -> String {
    if figures.is_empty() {
        return String::new();
    }
    let alone = if figures.len() == 1 { " class=\"whole\"" } else { "" };
    let figure = |figure: &Figure| {
        format!(
            "<figure{alone}><figcaption><h3>{}</h3><p>{}</p></figcaption>\n{}\n</figure>\n",
            escape(figure.heading),
            escape(&figure.note),
            figure.chart.svg()
        )
    };
    let figures: String = figures.iter().map(figure).collect();
    format!("<div class=\"charts\">\n{figures}</div>\n")
}

/// Where the time of an event goes, on average.
fn hops(report: &Report) -> String {
    let hops = &report.hops;
    if hops.is_empty() {
        return String::new();
    }
    let part =
        |hop: &Hop| Part { name: hop.name.clone(), value: hop.mean, written: time(hop.mean) };
    // A part below 0 cannot be drawn: then the two that the server's account splits are one.
    let below = hops.iter().any(|hop| hop.mean < 0.0);
    let (drawn, whole) = match &report.published_to_arrived {
        Some(whole) if below => (hops.len().saturating_sub(2), Some(whole)),
        _ => (hops.len(), None),
    };
    let parts: Vec<_> = hops[..drawn].iter().chain(whole).map(part).collect();
    let mut rows: Vec<_> = hops
        .iter()
        .enumerate()
        .map(|(index, hop)| {
            let name = format!("{}. {}", index + 1, hop.name);
            vec![name, time(hop.mean), hop.p50.to_string(), hop.p99.to_string()]
        })
        .collect();
    let whole = hops.iter().map(|hop| hop.mean).sum();
    rows.push(vec!["all hops".into(), time(whole), String::new(), String::new()]);
    if let Some(sum) = &report.hop_sum {
        rows.push(vec![
            "measured as a whole".into(),
            time(sum.whole),
            String::new(),
            String::new(),
        ]);
    }
    let mut notes = String::new();
    if let (Some(written), Some(together)) = (&report.written, &report.published_to_arrived) {
        let count = hops.len();
        rows.push(vec![
            format!("{} + {count}. {}", count - 1, together.name),
            time(together.mean),
            together.p50.to_string(),
            together.p99.to_string(),
        ]);
        notes.push_str(&format!(
            "<p class=\"quiet-text\">When it had written is the server's own account of {} events \
             (once for each of its threads): to the end of the turn, percentiles as bounds of \
             buckets. From written to arrived is what is left of the mean.</p>\n",
            tables::grouped(written.count)
        ));
    }
    if below {
        notes.push_str(
            "<p class=\"quiet-text\">Below 0: the average subscriber had an event before the turn \
             that wrote it to all of them had ended.</p>\n",
        );
    }
    format!(
        "<h2>Where the time goes</h2>\n<div class=\"charts beside\"><figure><figcaption><h3>An event's way, \
         on average</h3><p>The numbers are those of the table.</p></figcaption>\n{}\n</figure>\
         <div>{}{notes}</div></div>\n",
        bar::svg("hops", "An event's way in parts", &parts),
        tables::table("Hops", &["", "mean", "p50", "p99"], &rows)
    )
}

/// The plan and the machine, for whoever wants to repeat the run.
fn surroundings(report: &Report) -> String {
    let plan = serde_json::to_value(&report.plan).unwrap_or_default();
    let here = &report.environment;
    let unknown = || "unknown".to_owned();
    let rows = [
        ("started", here.started.clone()),
        ("measured", format!("{:.1} s", report.measured_seconds)),
        ("loadgen", here.loadgen.clone()),
        ("server", here.server.clone().unwrap_or_else(unknown)),
        ("processor", here.processor.clone().unwrap_or_else(unknown)),
        ("processors", here.processors.to_string()),
        ("memory", here.memory.map_or_else(unknown, whole_bytes)),
        ("system", here.system.clone().unwrap_or_else(unknown)),
    ];
    let rows = rows.map(|(name, value)| vec![name.to_owned(), value]);
    format!(
        "<h2>What was run, and where</h2>\n<div class=\"columns words\"><div>{}</div><div>{}</div>\
         </div>\n",
        tables::everything("Plan", &plan),
        tables::table("Surroundings", &["", "value"], &rows)
    )
}

fn details(report: &Report) -> String {
    let mut all = serde_json::to_value(report).unwrap_or_default();
    // It has a table of its own.
    all["timeline"] = Value::Null;
    let intervals = match report.recording.timeline.samples.len() {
        0 => String::new(),
        count => format!(
            "<details><summary>All {count} intervals</summary>{}</details>\n",
            tables::intervals(&report.recording.timeline)
        ),
    };
    format!(
        "<h2>Everything</h2>\n{intervals}<details><summary>Every value of result.json</summary>{}\
         </details>\n<p class=\"quiet-text\">Latency is receive time minus due time: an event that \
         waits, here or in the server, is counted with its waiting. Times in result.json are in \
         nanoseconds. latency.hlog (interval log) and the .hdr files (compressed V2 histograms) are \
         for the tools of the HdrHistogram family.</p>\n</main>",
        tables::everything("result.json", &all)
    )
}
