//! The reference file and the manual say what the table of settings says.

use super::*;
use crate::config::settings::{FEED, SECTIONS};
use crate::config::{reference_tables, reference_toml};

const BEGIN: &str = "<!-- generated: begin -->\n";
const END: &str = "\n<!-- generated: end -->";

#[test]
fn the_reference_file_is_the_one_of_the_table() {
    assert_file(&project().join("config/tickwire.toml"), &reference_toml());
}

#[test]
fn the_reference_file_equals_the_defaults() {
    assert_eq!(load(&reference_toml()).unwrap().config, Config::default());
}

#[test]
fn the_reference_file_names_every_setting_with_its_documentation() {
    let file = reference_toml();
    let prose = file.replace("\n# ", " ");
    let rows = SECTIONS.iter().flat_map(|section| {
        section.settings.iter().map(|setting| (section.name, setting.key, setting.doc))
    });
    for (section, key, doc) in
        rows.chain(FEED.settings.iter().map(|row| (FEED.name, row.key, row.doc)))
    {
        let stands = ["\n", "\n#"].iter().any(|mark| file.contains(&format!("{mark}{key} = ")));
        assert!(stands, "{section}.{key} is missing");
        assert!(prose.contains(doc), "{section}.{key} is not explained");
    }
}

#[test]
fn the_manual_has_the_tables_and_true_examples() {
    let path = project().join("docs/configuration.md");
    let present = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = present.split_once(BEGIN).expect("the begin marker");
    let (_, after) = rest.split_once(END).expect("the end marker");
    assert_file(&path, &format!("{before}{BEGIN}{}{END}{after}", reference_tables()));

    let mut loader = Loader::new();
    loader.file("my.toml", b"[websocket]\nping_interval = \"5s\"\n");
    loader.environment([variable("TICKWIRE__WEBSOCKET__ERRORS_PER_MINUTE", "20")]);
    loader.set("server.shards", "2", Origin::Flag("--shards"));
    let shown = loader.finish().unwrap().to_toml();
    let example = shown.split("\n\n").take(2).collect::<Vec<_>>().join("\n\n");
    assert!(present.contains(&example), "the example should be:\n\n{example}");
    let example = include_str!("bad/manual.txt");
    assert!(present.contains(example), "the example should be:\n\n{example}");
}

#[test]
fn every_sentence_is_one() {
    let docs = SECTIONS.iter().flat_map(|section| section.settings.iter().map(|row| row.doc));
    for doc in docs.chain(FEED.settings.iter().map(|row| row.doc)) {
        assert!(doc.ends_with('.') && !doc.starts_with(char::is_lowercase), "{doc}");
        assert!(!doc.contains("  ") && !doc.contains('\n'), "{doc}");
    }
}
