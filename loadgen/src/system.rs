//! What the server and the host did meanwhile, from /proc.

use std::collections::HashSet;
use std::fs;
use std::net::SocketAddr;

/// Clock ticks a second in /proc/PID/stat: 100 on every Linux that is not built by hand.
const TICKS_PER_SECOND: u64 = 100;

/// A process, looked at from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Process {
    /// Its id.
    pub pid: u32,
}

/// Time that a process has spent on processors, in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Cpu {
    /// All of it, from the scheduler's own account where there is one.
    pub total: u64,
    /// In user space, by ticks.
    pub user: u64,
    /// In the kernel, by ticks.
    pub system: u64,
}

/// The host's processors since it started, in ticks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Host {
    /// Everything.
    pub total: u64,
    /// What other guests got while this one wanted to run.
    pub steal: u64,
}

impl Process {
    /// Who listens at `address`; `None` when it cannot be seen, on another host for example.
    #[must_use]
    pub fn listening_at(address: SocketAddr) -> Option<Self> {
        if !address.ip().is_loopback() {
            return None;
        }
        let inodes: HashSet<String> = ["/proc/net/tcp", "/proc/net/tcp6"]
            .iter()
            .filter_map(|path| fs::read_to_string(path).ok())
            .flat_map(|table| listening_inodes(&table, address.port()))
            .map(|inode| format!("socket:[{inode}]"))
            .collect();
        let pids = fs::read_dir("/proc").ok()?.flatten();
        let mut pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
        let pid = pids.find(|pid| {
            let files = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
            let mut links = files.filter_map(|file| fs::read_link(file.path()).ok());
            links.any(|link| link.to_str().is_some_and(|link| inodes.contains(link)))
        })?;
        Some(Self { pid })
    }

    /// Its processor time so far.
    #[must_use]
    pub fn cpu(self) -> Option<Cpu> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid)).ok()?;
        let (user, system) = stat_times(&stat)?;
        let total = self.scheduler_time().unwrap_or(user + system);
        Some(Cpu { total, user, system })
    }

    /// The sum over its threads, exact to the nanosecond. What threads that ended have used is
    /// missing; servers keep theirs.
    fn scheduler_time(self) -> Option<u64> {
        let mut sum = 0;
        for task in fs::read_dir(format!("/proc/{}/task", self.pid)).ok()?.flatten() {
            let text = fs::read_to_string(task.path().join("schedstat")).ok()?;
            sum += text.split_whitespace().next()?.parse::<u64>().ok()?;
        }
        Some(sum)
    }

    /// Its resident memory in bytes.
    #[must_use]
    pub fn resident(self) -> Option<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid)).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        Some(line.split_whitespace().next()?.parse::<u64>().ok()? * 1024)
    }
}

impl Cpu {
    /// What was used since `before`.
    #[must_use]
    pub fn since(self, before: Self) -> Self {
        Self {
            total: self.total.saturating_sub(before.total),
            user: self.user.saturating_sub(before.user),
            system: self.system.saturating_sub(before.system),
        }
    }
}

impl Host {
    /// The host now.
    #[must_use]
    pub fn now() -> Option<Self> {
        parse_host(&fs::read_to_string("/proc/stat").ok()?)
    }

    /// How much of the time since `before` was stolen, in percent.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "ticks of a run")]
    pub fn steal_percent_since(self, before: Self) -> f64 {
        let total = self.total.saturating_sub(before.total).max(1);
        self.steal.saturating_sub(before.steal) as f64 * 100.0 / total as f64
    }
}

/// Inodes of the sockets that listen at `port`, from /proc/net/tcp.
fn listening_inodes(table: &str, port: u16) -> Vec<String> {
    const LISTEN: &str = "0A";
    let suffix = format!(":{port:04X}");
    let inode = |line: &str| {
        let mut fields = line.split_whitespace();
        let (local, state) = (fields.nth(1)?, fields.nth(1)?);
        let inode = fields.nth(5)?;
        (local.ends_with(&suffix) && state == LISTEN).then(|| inode.to_owned())
    };
    table.lines().skip(1).filter_map(inode).collect()
}

/// User and system time in nanoseconds from /proc/PID/stat, whose second field may hold anything.
fn stat_times(stat: &str) -> Option<(u64, u64)> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(11);
    let mut time =
        || Some(fields.next()?.parse::<u64>().ok()? * (1_000_000_000 / TICKS_PER_SECOND));
    Some((time()?, time()?))
}

fn parse_host(stat: &str) -> Option<Host> {
    let fields = stat.lines().next()?.strip_prefix("cpu ")?.split_whitespace();
    let ticks: Vec<u64> = fields.map_while(|field| field.parse().ok()).collect();
    // Guest time, behind steal, is contained in user time already.
    Some(Host { total: ticks.iter().take(8).sum(), steal: ticks.get(7).copied().unwrap_or(0) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_of_proc_are_read() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
            \x20  0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 4711 1 0 100 0 0 10 0\n\
            \x20  1: 0100007F:1F90 0100007F:8000 01 00000000:00000000 00:00000000 00000000  1000        0 4712 1 0 20 4 0 10 -1\n";
        assert_eq!(listening_inodes(table, 8080), ["4711"]);
        assert!(listening_inodes(table, 8081).is_empty());
        let stat = "77 (a) b) S 1 77 77 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 5 0 1 1 1";
        assert_eq!(stat_times(stat), Some((2_500_000_000, 500_000_000)));
        let host = parse_host("cpu  10 1 5 80 2 0 1 4 3 0\ncpu0 1 1\n");
        assert_eq!(host, Some(Host { total: 103, steal: 4 }));
    }

    #[test]
    fn this_process_finds_itself() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let process = Process::listening_at(listener.local_addr().unwrap()).unwrap();
        assert_eq!(process.pid, std::process::id());
        assert!(process.resident().unwrap() > 0);
        assert!(process.cpu().is_some());
    }
}
