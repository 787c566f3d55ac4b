//! Every target over some seeded inputs, and over all that ever failed.

use std::fs;
use std::path::Path;

use fuzz::{TARGETS, seeds};

/// Inputs for each target, and for each that plays whole sessions.
const INPUTS: u64 = 4_000;
const SESSIONS: u64 = 300;

fn none(problems: &[String]) {
    assert!(problems.is_empty(), "\n{}\n", problems.join("\n"));
}

#[test]
fn no_seeded_input_breaks_a_rule() {
    let mut problems = Vec::new();
    for (name, _) in TARGETS {
        let count = if name.ends_with("_session") { SESSIONS } else { INPUTS };
        let inputs = (0..count).map(|number| seeds::input(name, 1, number));
        problems.extend(inputs.filter_map(|input| seeds::check(name, &input).err()).take(1));
    }
    none(&problems);
}

#[test]
fn nothing_that_failed_once_fails_again() -> std::io::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("regressions");
    let (mut problems, mut inputs) = (Vec::new(), 0);
    for target in fs::read_dir(folder)? {
        let target = target?.path();
        let name = target.file_name().unwrap_or_default().to_string_lossy().into_owned();
        for input in fs::read_dir(&target)? {
            problems.extend(seeds::check(&name, &fs::read(input?.path())?).err());
            inputs += 1;
        }
    }
    assert!(inputs > 0, "there are no inputs");
    none(&problems);
    Ok(())
}

#[test]
fn without_any_byte_all_goes_well() {
    none(&TARGETS.iter().filter_map(|(name, _)| seeds::check(name, &[]).err()).collect::<Vec<_>>());
}

#[test]
fn every_target_has_its_file() {
    for (name, _) in TARGETS {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("fuzz_targets/{name}.rs"));
        let text = fs::read_to_string(&file).unwrap_or_default();
        assert!(text.contains(&format!("target(\"{name}\")")), "{file:?} does not run {name}");
    }
}
