//! What a bad configuration is told, word for word.

use super::*;

fn bad_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/config/tests/bad")
}

/// Each `bad/NAME.toml` with the whole error in `bad/NAME.txt`.
#[test]
fn bad_files_are_told_what_is_wrong() {
    let folder = bad_folder();
    let mut files: Vec<PathBuf> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .collect();
    files.sort();
    assert!(files.len() >= 5, "{files:?}");
    for path in files {
        let name = path.file_name().unwrap().to_str().unwrap();
        let mut loader = Loader::new();
        loader.file(name, &std::fs::read(&path).unwrap());
        let error = loader.finish().map(|effective| effective.config).unwrap_err();
        assert_file(&path.with_extension("txt"), &format!("{error}\n"));
    }
}

#[test]
fn a_bad_variable_is_named() {
    let mut loader = Loader::new();
    loader.environment([
        variable("TICKWIRE__HTTP__BODY_BYTES", "8MB"),
        variable("TICKWIRE__SERVER__SHARDS", "many"),
        variable("TICKWIRE__SERVER__FEEDS", "no"),
        variable("TICKWIRE__SERVER__LISTN", "127.0.0.1:1"),
        variable("TICKWIRE__LISTEN", "127.0.0.1:1"),
        variable("TICKWIRE__LOG__LEVEL", "info"),
        variable("tickwire__log__level", "warn"),
        variable("TICKWIRE__FEED__VENUE", "x"),
        variable("TICKWIRE__SERVERS__LISTEN", "x"),
    ]);
    let error = loader.finish().map(|effective| effective.config).unwrap_err();
    assert_file(&bad_folder().join("environment.txt"), &format!("{error}\n"));
}

#[test]
fn a_bad_flag_is_named_and_comes_last() {
    let mut loader = Loader::new();
    loader.set("server.listen", "0.0.0.0:80", Origin::Flag("--listen"));
    loader.set("server.shards", "65", Origin::Flag("--shards"));
    loader.file("a.toml", b"[server]\nconnections_max = 0\n");
    let error = loader.finish().map(|effective| effective.config).unwrap_err();
    let places: Vec<_> =
        error.problems().iter().map(|p| (p.origin.to_string(), p.key.as_str())).collect();
    assert_eq!(
        places,
        [
            ("a.toml:2:19".to_owned(), "server.connections_max"),
            ("flag --shards".to_owned(), "server.shards"),
            ("flag --listen".to_owned(), "server.listen"),
        ]
    );
}

#[test]
fn a_refused_value_causes_no_further_alarm() {
    let told = complaints("[websocket]\nidle_timeout = \"15s\"\nping_interval = \"soon\"\n");
    assert_eq!(told.lines().count(), 1, "{told}");
    let told = complaints("[[feed]]\nvenue = \"a.b\"\n[[feed]]\n");
    assert_eq!(told.lines().count(), 1, "{told}");
}

#[test]
fn the_layer_that_spoils_a_pair_is_blamed() {
    let mut loader = Loader::new();
    loader.file("a.toml", b"[websocket]\nidle_timeout = \"30s\"\n");
    loader.environment([variable("TICKWIRE__WEBSOCKET__PING_INTERVAL", "30s")]);
    let error = loader.finish().map(|effective| effective.config).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the configuration has a problem:\n  environment TICKWIRE__WEBSOCKET__PING_INTERVAL: \
         websocket.ping_interval = \"30s\": not shorter than websocket.idle_timeout, \"30s\" \
         (a.toml:2:16); a live peer would be closed between two pings; allowed: less than \"30s\""
    );
}

#[test]
fn bytes_that_are_not_text_are_refused_with_their_line() {
    let mut loader = Loader::new();
    loader.file("a.toml", b"[server]\nlisten = \"\xff\"\n");
    let error = loader.finish().map(|effective| effective.config).unwrap_err();
    assert_eq!(error.problems()[0].to_string(), "a.toml:2:11: not UTF-8; allowed: text in UTF-8");
}

#[test]
fn no_file_is_too_wild() {
    let many: String = (0..300).map(|index| format!("key{index} = 20s\n")).collect();
    assert!(complaints(&many).ends_with("and 50 more\n"));
    let long = format!("[server]\nlisten = \"{}\"", "x".repeat(100_000));
    assert!(complaints(&long).len() < 400);
    let deep = format!("server = {}{}", "[".repeat(10_000), "]".repeat(10_000));
    assert!(complaints(&deep).len() < 400);
    for text in ["=", "[", "[server", "\"", "server = \"\"\"\n", "\r", "\0", "[server]]", "[[]]"] {
        complaints(text);
    }
}
