//! The folder of `--report`: the page, the figures, and the histograms for other tools.

use std::fs;
use std::path::Path;

use anyhow::Context as _;

use crate::assertion::Outcome;
use crate::report::timeline::ALL;
use crate::report::{Report, histograms, page};

/// The page.
pub const PAGE: &str = "index.html";
/// The figures, the same as `--json` writes.
pub const FIGURES: &str = "result.json";
/// The intervals' histograms.
pub const LOG: &str = "latency.hlog";
/// The histogram of the whole measured part; `latency-NAME.hdr` is that of a part of the
/// subscribers.
pub const HISTOGRAM: &str = "latency.hdr";

/// Makes sure, before a run, that its report can be written after it.
///
/// # Errors
/// When the folder cannot be made, or nothing can be written to it.
pub fn prepare(folder: &Path) -> anyhow::Result<()> {
    let failed = || format!("--report: cannot write to {}", folder.display());
    fs::create_dir_all(folder).with_context(failed)?;
    // Opened and not changed: what is there stays until there is something better.
    fs::OpenOptions::new()
        .append(true)
        .create(true)
        .open(folder.join(FIGURES))
        .map(drop)
        .with_context(failed)
}

/// Writes everything to `folder`.
///
/// # Errors
/// When a file cannot be written.
pub fn write(folder: &Path, report: &Report, assertions: &[Outcome]) -> anyhow::Result<()> {
    let put = |name: &str, content: &[u8]| {
        let path = folder.join(name);
        fs::write(&path, content).with_context(|| format!("cannot write {}", path.display()))
    };
    fs::create_dir_all(folder)
        .with_context(|| format!("cannot create the folder {}", folder.display()))?;
    put(FIGURES, json(report)?.as_bytes())?;
    put(PAGE, page::page(report, assertions).as_bytes())?;
    let recording = &report.recording;
    let about = format!("loadgen {}: {}", report.environment.loadgen, report.plan_in_words());
    put(LOG, &recording.log.finish(recording.started, &about))?;
    for series in &recording.series {
        let name = match series.name.as_str() {
            ALL => HISTOGRAM.to_owned(),
            name => format!("latency-{}.hdr", histograms::name_of_file(name)),
        };
        put(&name, &histograms::compressed(&series.latencies))?;
    }
    match &recording.spread {
        Some(spread) => put("spread.hdr", &histograms::compressed(spread)),
        None => Ok(()),
    }
}

/// The figures for programs.
///
/// # Errors
/// Never for a report that a run made.
pub fn json(report: &Report) -> anyhow::Result<String> {
    Ok(serde_json::to_string_pretty(report)? + "\n")
}
