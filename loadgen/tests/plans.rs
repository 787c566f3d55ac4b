//! Plan files: the named scenarios are plans, mistakes are explained with their line.
#![expect(clippy::unwrap_used, reason = "in a test it is the failure")]

use std::fs;
use std::path::{Path, PathBuf};

use clap::Parser as _;
use loadgen::arguments::Arguments;
use loadgen::plan::{Plan, Role};

fn arguments(rest: &[&str]) -> Arguments {
    Arguments::try_parse_from(["loadgen"].iter().chain(rest)).unwrap()
}

fn plan(rest: &[&str]) -> anyhow::Result<Plan> {
    arguments(rest).run.plan()
}

fn config() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../config")
}

fn scenario(name: &str) -> Plan {
    plan(&["--plan", config().join(name).to_str().unwrap()])
        .unwrap_or_else(|error| panic!("{name}: {error:#}"))
}

/// A plan file of its own for each test.
fn written(name: &str, text: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::write(&path, text).unwrap();
    path
}

#[test]
fn every_named_scenario_is_a_plan() {
    let names = fs::read_dir(config()).unwrap().map(|entry| entry.unwrap().file_name());
    let names: Vec<_> = names
        .map(|name| name.into_string().unwrap())
        .filter(|name| name.starts_with("load-"))
        .collect();
    for name in &names {
        scenario(name);
    }
    for expected in ["small", "wide", "burst", "slow", "storm", "dashboard"] {
        assert!(names.contains(&format!("load-{expected}.toml")), "{expected}: {names:?}");
    }
}

#[test]
fn scenarios_are_what_their_names_say() {
    let wide = scenario("load-wide.toml");
    assert_eq!((wide.subscribers, wide.topics, wide.topics_per_subscriber), (5_000, 500, 5));
    assert_eq!(scenario("load-slow.toml").count(Role::Stalled), 50);
    assert_eq!(scenario("load-storm.toml").count(Role::Storm), 4_500);
    let dashboard = scenario("load-dashboard.toml");
    assert!(dashboard.crew.iter().all(|member| member.wildcard && member.limited));
    assert!(dashboard.ticks && dashboard.own_rhythm && dashboard.events() > 10_000);
}

#[test]
fn a_mistake_is_explained_with_its_line() {
    for (name, text, expected) in [
        ("unknown.toml", "rate = 5\nsubscibers = 10\n", ["line 2", "subscibers", "subscribers"]),
        ("type.toml", "\nrate = \"fast\"\n", ["line 2", "rate", "f64"]),
        ("word.toml", "rhythm = \"waltz\"\n", ["line 1", "waltz", "steady"]),
        ("codec.toml", "codec = \"xml\"\n", ["line 1", "xml", "msgpack"]),
        ("assert.toml", "assert = [\"p42<1ms\"]\n", ["line 1", "p42", "p99.9"]),
        ("broken.toml", "rate = \n", ["line 1", "rate", "broken.toml"]),
    ] {
        let path = written(name, text);
        let said = format!("{:#}", plan(&["--plan", path.to_str().unwrap()]).unwrap_err());
        for word in expected {
            assert!(said.contains(word), "{name}: {word} is not in: {said}");
        }
    }
    let said = format!("{:#}", plan(&["--plan", "nowhere.toml"]).unwrap_err());
    assert!(said.contains("cannot read nowhere.toml"), "{said}");
}

#[test]
fn the_command_line_comes_first_and_assertions_add_up() {
    let text = "subscribers = 10\nrate = 7\nassert = [\"lost==0\"]\n";
    let path = written("first.toml", text);
    let line = ["--plan", path.to_str().unwrap(), "--rate", "9", "--assert", "p99<1s"];
    let plan = plan(&line).unwrap();
    assert_eq!((plan.subscribers, plan.schedule.rate), (10, 9.0));
    let merged = arguments(&line).run.with_plan_file().unwrap();
    assert_eq!(merged.assertions.len(), 2);
}

#[test]
fn every_flag_is_a_key() {
    let command = <Arguments as clap::CommandFactory>::command();
    for argument in command.get_arguments() {
        let Some(flag) = argument.get_long() else { continue };
        if ["help", "version", "plan"].contains(&flag) {
            continue;
        }
        let key = flag.replace('-', "_");
        // A value of no type that any key has: the complaint must not be about the key.
        let path = written(&format!("key-{flag}.toml"), &format!("{key} = {{ x = 1 }}\n"));
        let said = format!("{:#}", plan(&["--plan", path.to_str().unwrap()]).unwrap_err());
        assert!(!said.contains("unknown field"), "{key}: {said}");
    }
}

#[test]
fn what_does_not_go_together_is_said() {
    for (line, words) in [
        (&["--data", "ticks", "--topics", "4"][..], "3 for each"),
        (&["--data", "ticks", "--zipf", "1"], "their own popularity"),
        (&["--rhythm", "sim", "--burst", "4"], "its own bursts"),
        (&["--rhythm", "recorded"], "of which --recording?"),
        (&["--recording", "day.jsonl"], "--recording is for --rhythm recorded"),
        (&["--rhythm", "recorded", "--recording", "x", "--rate-to", "4"], "its own bursts"),
        (&["--rhythm", "recorded", "--recording", "nowhere.jsonl"], "cannot read nowhere.jsonl"),
        (&["--max-rate-percent", "4"], "of which --max-rate"),
        (&["--codec", "json", "--msgpack-percent", "4"], "not both"),
        (&["--slow-percent", "60", "--storm-percent", "60"], "120 of a hundred"),
        (&["--storm-percent", "60", "--storm-at", "60"], "--storm-at"),
        (&["--trickle-percent", "-1"], "--trickle-percent: from 0 to 100"),
        (&["--data", "ticks", "--prefix", "Venue"], "lowercase"),
        (&["--data", "ticks", "--rate", "900000", "--seconds", "60"], "made ahead"),
        (&["--rate-to", "0"], "--rate-to"),
    ] {
        // A value may begin with a dash only behind an equals sign.
        let glued: Vec<_> = line.chunks(2).map(|pair| pair.join("=")).collect();
        let glued: Vec<_> = glued.iter().map(String::as_str).collect();
        let said = format!("{:#}", plan(&glued).unwrap_err());
        assert!(said.contains(words), "{glued:?}: {said}");
    }
}
