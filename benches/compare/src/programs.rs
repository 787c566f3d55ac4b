//! Our own programs: built when cargo runs this, otherwise where they are said to be.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde_json::Value;

use crate::servers::Ours;
use crate::systems::Places;

/// The broker, the load generator and the small server; the order of [`Places`].
const PROGRAMS: [&str; 3] = ["tickwire", "loadgen", "broadcast-server"];
/// How they are made.
const HINT: &str = "build them with `cargo build --release -p broker -p loadgen -p compare`, and \
                    name their folder with --programs";
/// The servers for Node.js, below this package.
const NODE: &str = "servers/node";
/// Longer than any build.
const BUILD: Duration = Duration::from_secs(3600);

/// Finds everything of ours: in `programs`, or what cargo builds now, or beside this program.
///
/// # Errors
/// When something cannot be built or is not there.
pub fn places(
    programs: Option<&Path>,
    node: Option<&Path>,
    scratch: &Path,
) -> anyhow::Result<Places> {
    let [tickwire, loadgen, broadcast] = match (programs, std::env::var_os("CARGO")) {
        (Some(folder), _) => within(folder)?,
        (None, Some(cargo)) => built(&PathBuf::from(cargo), scratch)?,
        (None, None) => {
            let own = std::env::current_exe().context("cannot find this program")?;
            within(own.parent().context("this program is in no folder")?)?
        }
    };
    Ok(Places { tickwire, loadgen, broadcast, node: self::node(node), scratch: scratch.to_owned() })
}

fn within(folder: &Path) -> anyhow::Result<[PathBuf; 3]> {
    let folder = folder
        .canonicalize()
        .with_context(|| format!("no folder {} with the programs; {HINT}", folder.display()))?;
    let all = PROGRAMS.map(|name| folder.join(name));
    let missing: Vec<_> = all
        .iter()
        .zip(PROGRAMS)
        .filter(|(path, _)| !path.is_file())
        .map(|(_, name)| name)
        .collect();
    ensure!(missing.is_empty(), "no {} in {}; {HINT}", missing.join(", "), folder.display());
    Ok(all)
}

/// Builds them, and takes them from where cargo says it put them.
fn built(cargo: &Path, scratch: &Path) -> anyhow::Result<[PathBuf; 3]> {
    eprintln!("building the programs to be measured");
    let words = scratch.join("build.json");
    let mut command = Command::new(cargo);
    command.args(["build", "--release", "--message-format", "json-render-diagnostics"]);
    command.args(["-p", "broker", "-p", "loadgen", "-p", "compare"]);
    command.args(PROGRAMS.iter().flat_map(|name| ["--bin", *name]));
    // Below the workspace, wherever this was called.
    if let Some(package) = std::env::var_os("CARGO_MANIFEST_DIR") {
        command.current_dir(package);
    }
    // A relative one is relative to where this was called.
    if let Some(target) = std::env::var_os("CARGO_TARGET_DIR") {
        command.env("CARGO_TARGET_DIR", std::path::absolute(target)?);
    }
    command.stdin(Stdio::null()).stdout(fs::File::create(&words)?);
    // Cargo that is ended leaves its compilers to themselves.
    let mut cargo = Ours::spawn_group(&mut command).context("cargo")?;
    let status = cargo.finish(BUILD).context("cargo build")?;
    ensure!(status.success(), "the programs to be measured cannot be built; {HINT}");
    let words = fs::read_to_string(&words).context("what cargo said")?;
    let found = PROGRAMS.map(|name| executable(&words, name));
    let [Some(tickwire), Some(loadgen), Some(broadcast)] = found else {
        anyhow::bail!("cargo does not say where it put the programs to be measured; {HINT}");
    };
    Ok([tickwire, loadgen, broadcast])
}

/// Where cargo put a program, by its messages.
fn executable(messages: &str, name: &str) -> Option<PathBuf> {
    let artifacts = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut ours = artifacts.filter(|message| message["target"]["name"] == name);
    ours.find_map(|message| message["executable"].as_str().map(PathBuf::from))
}

/// The folder with the servers for Node.js: as said, or of this package, or of the workspace
/// that this is called in.
fn node(wanted: Option<&Path>) -> PathBuf {
    let named = wanted.map(Path::to_owned).or_else(|| {
        let folder = std::env::var_os("COMPARE_NODE").filter(|folder| !folder.is_empty());
        folder.map(PathBuf::from)
    });
    let folder = named.unwrap_or_else(|| match std::env::var_os("CARGO_MANIFEST_DIR") {
        Some(package) => Path::new(&package).join(NODE),
        None => Path::new("benches/compare").join(NODE),
    });
    folder.canonicalize().unwrap_or(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_named_with_how_to_get_it() {
        let folder = std::env::temp_dir().join(format!("compare-programs-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("loadgen"), "").unwrap();
        let why = within(&folder).unwrap_err().to_string();
        fs::remove_dir_all(&folder).unwrap();
        assert!(why.starts_with("no tickwire, broadcast-server in "), "{why}");
        assert!(why.contains("--programs"), "{why}");
        assert!(within(&folder).unwrap_err().to_string().starts_with("no folder "));
    }

    #[test]
    fn cargo_says_where_a_program_is() {
        let words = "{\"reason\":\"compiler-artifact\",\"target\":{\"name\":\"loadgen\"},\"executable\":null}\n\
                     no json\n{\"target\":{\"name\":\"loadgen\"},\"executable\":\"/x/loadgen\"}\n";
        assert_eq!(executable(words, "loadgen"), Some(PathBuf::from("/x/loadgen")));
        assert_eq!(executable(words, "tickwire"), None);
    }
}
