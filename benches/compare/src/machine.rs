//! What the host did during a run, from /proc: stolen time, and work that was not ours.

use std::fs;

/// The processors' time since the host started, in ticks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ticks {
    /// Everything.
    pub total: u64,
    /// Spent working, for whomever.
    pub busy: u64,
    /// What other guests got while this one wanted to run.
    pub steal: u64,
}

/// The host now.
#[must_use]
pub fn now() -> Ticks {
    fs::read_to_string("/proc/stat").ok().and_then(|text| parse(&text)).unwrap_or_default()
}

fn parse(stat: &str) -> Option<Ticks> {
    let fields = stat.lines().next()?.strip_prefix("cpu ")?.split_whitespace();
    let ticks: Vec<u64> = fields.map_while(|field| field.parse().ok()).collect();
    let [user, nice, system, idle, wait, irq, softirq, steal, ..] = ticks[..] else { return None };
    let busy = user + nice + system + irq + softirq;
    Some(Ticks { total: busy + idle + wait + steal, busy, steal })
}

/// The ticks that a process has used, and those of its children that have ended.
#[must_use]
pub fn used(pid: u32) -> (u64, u64) {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields);
    let mut times = fields.split_whitespace().skip(11).map_while(|field| field.parse::<u64>().ok());
    let mut pair = || times.next().unwrap_or(0) + times.next().unwrap_or(0);
    (pair(), pair())
}

/// Percent of all processors that were stolen, and that worked for others than us, between two
/// looks of which `ours` ticks were ours.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "ticks of a run")]
pub fn between(before: Ticks, after: Ticks, ours: u64) -> (f64, f64) {
    let total = after.total.saturating_sub(before.total).max(1) as f64;
    let steal = after.steal.saturating_sub(before.steal) as f64;
    let others = after.busy.saturating_sub(before.busy).saturating_sub(ours) as f64;
    (steal * 100.0 / total, others * 100.0 / total)
}

/// Processors, their kind, memory and kernel: what figures depend on. No names of hosts.
#[must_use]
pub fn description() -> String {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let processors = std::thread::available_parallelism().map_or(0, usize::from);
    let info = read("/proc/cpuinfo");
    let field = |text: &str, name: &str| {
        let line = text.lines().find(|line| line.starts_with(name));
        line.and_then(|line| line.split_once(':')).map(|(_, value)| value.trim().to_owned())
    };
    let kind = field(&info, "model name").unwrap_or_else(|| "unknown kind".into());
    let memory = field(&read("/proc/meminfo"), "MemTotal").unwrap_or_default();
    let kilobytes = memory.split(' ').next().and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
    let release = read("/proc/sys/kernel/osrelease");
    let kernel: Vec<&str> = release.trim().split(['.', '-']).take(2).collect();
    format!("{processors} cores ({kind}), {} GiB, Linux {}", kilobytes >> 20, kernel.join("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stolen_and_others_work_are_told_apart() {
        let before = parse("cpu  10 1 5 80 2 0 1 4 3 0\ncpu0 1 1\n").unwrap();
        assert_eq!(before, Ticks { total: 103, busy: 17, steal: 4 });
        let after = Ticks { total: 203, busy: 77, steal: 14 };
        assert_eq!(between(before, after, 40), (10.0, 20.0));
        assert!(used(std::process::id()).0 < 1_000_000);
        assert!(parse("").is_none());
    }
}
