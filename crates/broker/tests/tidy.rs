//! The shape of this house, checked: who may know whom, what the lower floors must not touch,
//! how long files grow, and that the documents speak of what is there.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The most lines of one source file.
const LINES_MAX: usize = 500;

/// Which of our packages each package may depend on. Development dependencies are looser, but
/// nobody below the broker may know it even there.
const FLOORS: [(&str, &[&str]); 12] = [
    ("market", &[]),
    ("wire", &["market"]),
    ("topics", &["market", "wire"]),
    ("fanout", &["market", "topics", "wire"]),
    ("feeds", &["market"]),
    ("exchange", &["market", "feeds"]),
    ("client", &[]),
    ("broker", &["market", "wire", "topics", "fanout", "feeds", "exchange", "client"]),
    ("loadgen", &["client", "feeds", "market"]),
    ("benches", &["market", "wire", "topics", "fanout", "feeds", "client", "broker", "loadgen"]),
    ("compare", &["loadgen"]),
    ("fuzz", &["exchange", "feeds", "market"]),
];

/// Packages that decide and never act: no socket, file, environment, clock, thread or runtime.
const PURE: [&str; 6] = ["market", "wire", "topics", "fanout", "feeds", "exchange"];

/// What the source of a pure package must not name.
const WORLD: [&str; 8] = [
    "std::net",
    "std::fs",
    "std::env",
    "std::thread",
    "std::process",
    "Instant",
    "SystemTime",
    // All of these could hide in a group.
    "use std::{",
];

/// Packages that a pure one must not depend on, not even for its tests.
const RUNTIMES: [&str; 6] = ["tokio", "mio", "hyper", "hyper-util", "socket2", "fastwebsockets"];

/// The top of the workspace.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the workspace")
}

/// All files below the root with one of these endings, as paths relative to it, sorted.
fn files(endings: &[&str]) -> Vec<PathBuf> {
    fn walk(directory: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(directory).expect("a directory of the workspace") {
            let path = entry.expect("an entry of a directory").path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if path.is_dir() {
                // Build output, and what tools keep for themselves.
                if !["target", "node_modules"].contains(&name.as_str())
                    && (!name.starts_with('.') || name == ".github")
                {
                    walk(&path, found);
                }
            } else {
                found.push(path);
            }
        }
    }
    let (root, mut found) = (root(), Vec::new());
    walk(&root, &mut found);
    let mut found: Vec<PathBuf> = found
        .into_iter()
        .filter(|path| {
            let ending = path.extension().unwrap_or_default().to_string_lossy();
            endings.contains(&&*ending)
        })
        .map(|path| path.strip_prefix(&root).expect("below the root").to_owned())
        .collect();
    found.sort();
    assert!(!found.is_empty(), "no file with one of {endings:?} was found");
    found
}

fn read(path: &Path) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path:?}: {error}"))
}

fn package_folder(package: &str) -> PathBuf {
    match package {
        "loadgen" | "benches" | "fuzz" => package.into(),
        "compare" => "benches/compare".into(),
        _ => Path::new("crates").join(package),
    }
}

/// Fails with all problems at once, if there are any.
fn none(problems: &[String]) {
    assert!(problems.is_empty(), "\n{}\n", problems.join("\n"));
}

/// The keys of each section of a manifest whose name ends with `section`.
fn manifest_keys(manifest: &str, wanted: impl Fn(&str) -> bool) -> BTreeSet<String> {
    let mut keys = BTreeSet::new();
    let mut inside = false;
    for line in manifest.lines().map(str::trim) {
        if let Some(header) = line.strip_prefix('[') {
            inside = wanted(header.trim_end_matches(']'));
        } else if inside && !line.starts_with('#') && line.contains('=') {
            let end = line.find(['.', '=', ' ']).unwrap_or(line.len());
            keys.insert(line[..end].trim_matches('"').to_owned());
        }
    }
    keys
}

#[test]
fn every_source_file_says_what_it_is() {
    let problems: Vec<String> = files(&["rs"])
        .iter()
        .filter(|path| !read(path).starts_with("//!"))
        .map(|path| format!("{}: the first line must be a //! sentence", path.display()))
        .collect();
    none(&problems);
}

#[test]
fn no_source_file_runs_away() {
    let mut problems = Vec::new();
    for path in files(&["rs"]) {
        let lines = read(&path).lines().count();
        if lines > LINES_MAX {
            problems.push(format!("{}: {lines} lines; at most {LINES_MAX}", path.display()));
        }
    }
    none(&problems);
}

#[test]
fn nothing_is_left_for_later() {
    // Put together here, or this file would find itself.
    let marks = ["TO", "FIX", "X"].into_iter().zip(["DO", "ME", "XX"]);
    let marks: Vec<String> = marks
        .map(|(a, b)| format!("{a}{b}"))
        .chain([format!("#[{}", "ignore"), format!("{}!(", "todo")])
        .collect();
    let mut problems = Vec::new();
    for path in files(&["rs", "md", "toml", "html", "yml"]) {
        for (index, line) in read(&path).lines().enumerate() {
            if let Some(mark) = marks.iter().find(|mark| line.contains(mark.as_str())) {
                problems.push(format!("{}:{}: {mark}", path.display(), index + 1));
            }
        }
    }
    none(&problems);
}

#[test]
fn every_package_stands_on_its_floor() {
    let manifests: Vec<PathBuf> =
        files(&["toml"]).into_iter().filter(|path| path.ends_with("Cargo.toml")).collect();
    let packages: BTreeSet<&str> = FLOORS.iter().map(|(package, _)| *package).collect();
    let mut problems = Vec::new();
    for manifest in &manifests {
        let folder = manifest.parent().unwrap_or(Path::new(""));
        let package = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if !package.is_empty() && !packages.contains(package.as_str()) {
            problems.push(format!("{}: not in the table of this test", manifest.display()));
        }
    }
    for (package, allowed) in FLOORS {
        let manifest = read(&package_folder(package).join("Cargo.toml"));
        let ours = |keys: BTreeSet<String>| {
            keys.into_iter().filter(|key| packages.contains(key.as_str())).collect::<Vec<_>>()
        };
        let plain = |header: &str| {
            header.ends_with("dependencies") && !header.ends_with("dev-dependencies")
        };
        for known in ours(manifest_keys(&manifest, plain)) {
            if !allowed.contains(&known.as_str()) {
                problems.push(format!("{package} must not depend on {known}"));
            }
        }
        let for_tests = |header: &str| header.ends_with("dev-dependencies");
        for known in ours(manifest_keys(&manifest, for_tests)) {
            if known == "broker" && package != "benches" {
                problems.push(format!("{package} must not know the broker, not even in tests"));
            }
        }
        if PURE.contains(&package) {
            let all = manifest_keys(&manifest, |header| header.ends_with("dependencies"));
            for runtime in RUNTIMES.into_iter().filter(|runtime| all.contains(*runtime)) {
                problems.push(format!("{package} must not depend on {runtime}"));
            }
        }
        if !manifest.contains("[lints]\nworkspace = true") {
            problems.push(format!("{package} must inherit the lints of the workspace"));
        }
    }
    none(&problems);
}

/// The source without comments, up to its tests, each line with its number.
fn code(source: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = source.lines().enumerate().map(|(index, line)| (index + 1, line));
    lines
        .take_while(|(_, line)| line.trim() != "#[cfg(test)]")
        .filter(|(_, line)| !line.trim_start().starts_with("//"))
}

/// Each line of code of the files that `wanted` picks that holds one of `words`.
fn lines_with(words: &[&str], wanted: impl Fn(&Path) -> bool) -> Vec<String> {
    let mut found = Vec::new();
    for path in files(&["rs"]).into_iter().filter(|path| wanted(path)) {
        for (number, line) in code(&read(&path)) {
            if let Some(word) = words.iter().find(|word| line.contains(**word)) {
                found.push(format!("{}:{number}: {word}", path.display()));
            }
        }
    }
    found
}

#[test]
fn what_decides_touches_nothing() {
    none(&lines_with(&WORLD, |path| {
        PURE.iter().any(|package| path.starts_with(package_folder(package).join("src")))
    }));
}

#[test]
fn the_fan_out_has_no_lock() {
    let words = ["Mutex", "RwLock", "Atomic", "Cell<", "Condvar", "mpsc"];
    none(&lines_with(&words, |path| path.starts_with("crates/fanout/src")));
}

#[test]
fn prices_never_pass_through_a_float() {
    let places = [
        "crates/market/src",
        "crates/topics/src",
        "crates/fanout/src",
        "crates/feeds/src",
        "crates/exchange/src",
        "crates/wire/src/data_in.rs",
        "crates/wire/src/data_out.rs",
    ];
    let words = ["f64", "f32"];
    none(&lines_with(&words, |path| places.iter().any(|place| path.starts_with(place))));
}

#[test]
fn time_and_environment_enter_the_broker_at_one_place() {
    let source = Path::new("crates/broker/src");
    let rules = [
        (["Instant::now", "SystemTime::now"].as_slice(), "clock.rs"),
        (["std::env::var", "env::vars"].as_slice(), "serve.rs"),
    ];
    let mut problems = Vec::new();
    for path in files(&["rs"]) {
        let Ok(inside) = path.strip_prefix(source) else { continue };
        // Tests may do as they like, and the commands are programs of their own.
        if inside.starts_with("commands") || inside.to_string_lossy().contains("tests") {
            continue;
        }
        for (number, line) in code(&read(&path)) {
            for (words, place) in &rules {
                let found = words.iter().find(|word| line.contains(**word));
                if let Some(word) = found.filter(|_| inside != Path::new(place)) {
                    problems.push(format!("{}:{number}: {word}", path.display()));
                }
            }
        }
    }
    none(&problems);
}

/// The settings of a file of the configuration, by section.
fn settings(file: &str) -> BTreeMap<String, Vec<String>> {
    let mut sections: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut section = String::new();
    for line in file.lines() {
        if let Some(header) = line.strip_prefix('[') {
            section = header.trim_matches(['[', ']']).to_owned();
        } else if let Some((key, _)) = line.split_once(" = ").filter(|_| !line.starts_with('#')) {
            sections.entry(section.clone()).or_default().push(key.to_owned());
        }
    }
    sections
}

#[test]
fn every_setting_is_documented() {
    let document = read(Path::new("docs/configuration.md"));
    let sections = settings(&read(Path::new("config/tickwire.toml")));
    assert!(sections.len() > 5, "only {} sections were found", sections.len());
    let mut problems = Vec::new();
    for (section, keys) in sections {
        let heads = [format!("### `[{section}]`"), format!("### `[[{section}]]`")];
        let Some((_, rest)) = heads.iter().find_map(|head| document.split_once(head.as_str()))
        else {
            problems.push(format!("docs/configuration.md has no section [{section}]"));
            continue;
        };
        let table = rest.split("\n### ").next().unwrap_or_default();
        for key in keys.iter().filter(|key| !table.contains(&format!("| `{key}` |"))) {
            problems.push(format!("docs/configuration.md does not have {section}.{key}"));
        }
    }
    none(&problems);
}

#[test]
fn what_the_documents_name_is_there() {
    let mut problems = Vec::new();
    for document in files(&["md"]) {
        for (index, line) in read(&document).lines().enumerate() {
            for quoted in line.split('`').skip(1).step_by(2) {
                let top = quoted.split('/').next().unwrap_or_default();
                let ours =
                    ["crates", "docs", "config", "benches", "loadgen", "fuzz", ".ci", ".github"];
                let is_path = quoted.contains('/') && !quoted.contains([' ', '*', '<', '…', '{']);
                if is_path && ours.contains(&top) && !root().join(quoted).exists() {
                    let place = document.display();
                    problems.push(format!("{place}:{}: there is no {quoted}", index + 1));
                }
            }
        }
    }
    none(&problems);
}

#[test]
fn the_map_shows_every_package_and_module() {
    let map = read(Path::new("docs/architecture.md"));
    let mut problems = Vec::new();
    for (package, _) in FLOORS {
        let folder = package_folder(package);
        if !map.contains(&format!("`{}`", folder.display())) {
            problems.push(format!("docs/architecture.md does not show {package}"));
        }
        // The modules that others see, of those packages that are no tools.
        let library = folder.join("src/lib.rs");
        if !folder.starts_with("crates") {
            continue;
        }
        for line in read(&library).lines() {
            let module = line.strip_prefix("pub mod ").and_then(|rest| rest.strip_suffix(';'));
            if let Some(module) = module.filter(|module| !map.contains(&format!("`{module}`"))) {
                problems.push(format!("docs/architecture.md does not show {package}::{module}"));
            }
        }
    }
    none(&problems);
}

/// The anchors of a document's headings, as renderers make them.
fn anchors(document: &str) -> BTreeSet<String> {
    let mut fenced = false;
    let mut anchors = BTreeSet::new();
    for line in document.lines() {
        fenced ^= line.starts_with("```");
        if fenced || !line.starts_with('#') {
            continue;
        }
        let heading = line.trim_start_matches('#').trim().to_lowercase();
        let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        anchors.insert(kept.map(|c| if c == ' ' { '-' } else { c }).collect());
    }
    anchors
}

#[test]
fn links_between_documents_lead_somewhere() {
    let mut problems = Vec::new();
    for document in files(&["md"]) {
        let text = read(&document);
        let folder = document.parent().unwrap_or(Path::new(""));
        for (index, line) in text.lines().enumerate() {
            for target in line.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
                if target.contains("://") {
                    continue;
                }
                let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
                let file = if path.is_empty() { document.clone() } else { folder.join(path) };
                let good = root().join(&file).exists()
                    && (anchor.is_empty() || anchors(&read(&file)).contains(anchor));
                if !good {
                    let place = document.display();
                    problems.push(format!("{place}:{}: {target} leads nowhere", index + 1));
                }
            }
        }
    }
    none(&problems);
}

#[test]
fn the_tests_that_hold_the_invariants_are_there() {
    let map = read(Path::new("docs/architecture.md"));
    let sources: Vec<String> = files(&["rs"]).iter().map(|path| read(path)).collect();
    let is_test = |name: &&str| {
        name.matches('_').count() >= 3 && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
    };
    let mut count = 0;
    let mut problems = Vec::new();
    for line in map.lines().filter(|line| line.starts_with('|')) {
        for name in line.split('`').skip(1).step_by(2).filter(is_test) {
            count += 1;
            let head = format!("fn {name}(");
            if !sources.iter().any(|source| source.contains(&head)) {
                problems.push(format!("docs/architecture.md names {name}, which is no test"));
            }
        }
    }
    assert!(count > 10, "only {count} tests were found");
    none(&problems);
}
