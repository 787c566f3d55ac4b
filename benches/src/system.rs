//! What the kernel says: CPU time and memory of a process, socket memory, stolen time, the machine.
//!
//! All of it read from /proc, so this works on Linux alone; elsewhere every reading is an error.

use std::fs;

use anyhow::{Context, Result};

/// Nanoseconds that all threads of process `id` have spent on a CPU.
///
/// # Errors
/// When there is no such process, or no scheduler statistics.
pub fn cpu_nanos(id: u32) -> Result<u64> {
    let mut sum = 0;
    for task in fs::read_dir(format!("/proc/{id}/task")).context("the server has gone")? {
        let path = task?.path().join("schedstat");
        let text = fs::read_to_string(path).context("no scheduler statistics")?;
        sum += number(text.split_ascii_whitespace().next())?;
    }
    Ok(sum)
}

/// Resident bytes of process `id`. From the page tables: `VmRSS` lags behind by some hundred KB.
///
/// # Errors
/// When there is no such process.
pub fn resident_bytes(id: u32) -> Result<u64> {
    let rollup = fs::read_to_string(format!("/proc/{id}/smaps_rollup"))
        .context("cannot read the server's memory map")?;
    let line = rollup.lines().find_map(|line| line.strip_prefix("Rss:"));
    Ok(number(line.and_then(|rest| rest.split_ascii_whitespace().next()))? * 1024)
}

/// Bytes of kernel memory held by all TCP sockets of this machine.
///
/// # Errors
/// When the kernel does not say.
pub fn tcp_memory_bytes() -> Result<u64> {
    let text = fs::read_to_string("/proc/net/sockstat").context("no socket statistics")?;
    let line = text.lines().find(|line| line.starts_with("TCP:"));
    let pages = line.and_then(|line| line.split_once(" mem ")).map(|(_, pages)| pages.trim());
    Ok(number(pages)? * 4096)
}

fn number(text: Option<&str>) -> Result<u64> {
    text.context("a number is missing")?.parse().context("no number")
}

/// A moment in the machine's own books, to tell what the host stole since.
#[derive(Debug, Clone, Copy)]
pub struct CpuBooks {
    stolen: u64,
    total: u64,
}

impl CpuBooks {
    /// The books as they stand.
    ///
    /// # Errors
    /// When the kernel does not say.
    pub fn read() -> Result<Self> {
        let text = fs::read_to_string("/proc/stat").context("no CPU statistics")?;
        let line = text.lines().next().unwrap_or_default();
        let fields: Vec<u64> = line
            .split_ascii_whitespace()
            .skip(1)
            .take(8)
            .map(str::parse)
            .collect::<Result<_, _>>()?;
        Ok(Self { stolen: *fields.get(7).unwrap_or(&0), total: fields.iter().sum() })
    }

    /// Percent of all CPU time since then that the host gave to others.
    ///
    /// # Errors
    /// When the kernel does not say.
    pub fn stolen_percent_since(&self) -> Result<f64> {
        let now = Self::read()?;
        let total = (now.total - self.total).max(1);
        Ok((now.stolen - self.stolen) as f64 * 100.0 / total as f64)
    }
}

/// CPU model, cores and kernel, in one line.
#[must_use]
pub fn machine() -> String {
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    let cpus = read("/proc/cpuinfo");
    let model = cpus
        .lines()
        .find(|line| line.starts_with("model name"))
        .and_then(|line| line.split_once(':'))
        .map_or("unknown CPU", |(_, model)| model.trim());
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let kernel = read("/proc/sys/kernel/osrelease");
    let version: Vec<&str> = kernel.split(['.', '-']).take(2).collect();
    format!("{model}, {cores} cores, Linux {}", version.join("."))
}
