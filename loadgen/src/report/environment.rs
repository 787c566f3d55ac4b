//! Where and when a run took place: without it a figure cannot be compared with another.

use std::fs;
use std::time::SystemTime;

use serde::Serialize;

/// The surroundings of a run.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Environment {
    /// When the run began, by the calendar, in UTC.
    pub started: String,
    /// The version of this program.
    pub loadgen: String,
    /// The server and its version, where it tells.
    pub server: Option<String>,
    /// The processors by the name their maker gave them.
    pub processor: Option<String>,
    /// How many of them this program may use.
    pub processors: usize,
    /// Memory of the machine in bytes.
    pub memory: Option<u64>,
    /// The operating system and its version.
    pub system: Option<String>,
}

impl Environment {
    /// Here, of a run that began then; the server is not asked yet.
    #[must_use]
    pub fn of(started: SystemTime) -> Self {
        let read = |path: &str| fs::read_to_string(path).ok();
        let system = read("/proc/sys/kernel/ostype").zip(read("/proc/sys/kernel/osrelease"));
        Self {
            started: humantime::format_rfc3339_seconds(started).to_string(),
            loadgen: env!("CARGO_PKG_VERSION").into(),
            server: None,
            processor: read("/proc/cpuinfo").as_deref().and_then(processor_name),
            processors: std::thread::available_parallelism().map_or(1, usize::from),
            memory: read("/proc/meminfo").as_deref().and_then(memory_size),
            system: system.map(|(name, version)| format!("{} {}", name.trim(), version.trim())),
        }
    }
}

/// The model from /proc/cpuinfo; not every architecture has one there.
fn processor_name(table: &str) -> Option<String> {
    let line = table.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

/// The size of the memory in bytes from /proc/meminfo.
fn memory_size(table: &str) -> Option<u64> {
    let line = table.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    Some(line.split_whitespace().next()?.parse::<u64>().ok()? * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machine_is_read() {
        let table = "processor\t: 0\nvendor_id\t: Some\nmodel name\t: Fast 9000: CPU @ 3 GHz\n";
        assert_eq!(processor_name(table).as_deref(), Some("Fast 9000: CPU @ 3 GHz"));
        assert_eq!(memory_size("MemTotal:       2048 kB\nMemFree: 1 kB\n"), Some(2_097_152));
        assert_eq!((processor_name(""), memory_size("")), (None, None));
        let here = Environment::of(SystemTime::UNIX_EPOCH);
        assert_eq!(here.started, "1970-01-01T00:00:00Z");
        assert!(here.processors > 0, "{here:?}");
    }
}
