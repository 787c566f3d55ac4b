//! The tests of the configuration.

use std::path::{Path, PathBuf};

use super::{Config, ConfigError, Effective, Loader, Origin};

mod errors;
mod layers;
mod quantities;
mod reference;

/// The whole of a file, checked.
fn load(text: &str) -> Result<Effective, ConfigError> {
    let mut loader = Loader::new();
    loader.file("tickwire.toml", text.as_bytes());
    loader.finish()
}

/// What a file is told, without the first line, which only counts.
fn complaints(text: &str) -> String {
    let error = load(text).map(|effective| effective.config).unwrap_err().to_string();
    error
        .split_once('\n')
        .unwrap()
        .1
        .lines()
        .map(|line| format!("{}\n", line.trim_start()))
        .collect()
}

/// A variable of the environment.
fn variable(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Compares a generated file with the one in the project, or writes it when asked to.
fn assert_file(path: &Path, generated: &str) {
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(path, generated).unwrap();
    }
    let present = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        present == generated,
        "{} is not what the code says. Generate it anew with\n\n    UPDATE_DOCS=1 cargo test -p \
         broker --lib config\n\nand look at the difference. It should be:\n\n{generated}",
        path.display()
    );
}
