//! A signal ends the driver and everything that it started.
#![expect(clippy::unwrap_used, reason = "in a test it is the failure")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

/// Tells who it is and which server it was given, and then runs far too long.
const LOADGEN: &str = "#!/bin/sh\nfor last; do if [ \"$previous\" = --server-pid ]; then \
                       server=$last; fi; previous=$last; done\n\
                       echo $$ $server > \"$(dirname \"$0\")/begun\"\nexec sleep 600\n";

fn a_signal_ends_all(signal: Signal, code: i32) {
    let name = format!("compare-signal-{code}-{}", std::process::id());
    let folder = std::env::temp_dir().join(name);
    fs::create_dir_all(&folder).unwrap();
    let program = |name: &str, text: &str| {
        fs::write(folder.join(name), text).unwrap();
        fs::set_permissions(folder.join(name), fs::Permissions::from_mode(0o755)).unwrap();
    };
    program("loadgen", LOADGEN);
    program("tickwire", "#!/bin/sh\n");
    let server = env!("CARGO_BIN_EXE_broadcast-server");
    std::os::unix::fs::symlink(server, folder.join("broadcast-server")).unwrap();
    // Reading it waits until somebody has written.
    let begun = folder.join("begun");
    assert!(Command::new("mkfifo").arg(&begun).status().unwrap().success());
    let driver = Command::new(env!("CARGO_BIN_EXE_compare"))
        .args(["--plans", "steady", "--systems", "tokio-broadcast", "--programs"])
        .arg(&folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let pids = fs::read_to_string(&begun).unwrap();
    let pids: Vec<&str> = pids.split_whitespace().collect();
    assert_eq!(pids.len(), 2, "{pids:?}");
    let runs = |pid: &&str| Path::new("/proc").join(pid).exists();
    assert!(pids.iter().all(runs), "{pids:?}");
    let pid = Pid::from_raw(i32::try_from(driver.id()).unwrap()).unwrap();
    kill_process(pid, signal).unwrap();
    let output = driver.wait_with_output().unwrap();
    fs::remove_dir_all(&folder).unwrap();
    assert_eq!(output.status.code(), Some(code));
    assert!(!pids.iter().any(runs), "{pids:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("**Not complete: 3 of 3 runs were not made.**"), "{text}");
}

#[test]
fn sigterm_ends_the_server_and_loadgen() {
    a_signal_ends_all(Signal::TERM, 143);
}

#[test]
fn ctrl_c_ends_the_server_and_loadgen() {
    a_signal_ends_all(Signal::INT, 130);
}
