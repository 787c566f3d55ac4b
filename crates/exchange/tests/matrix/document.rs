//! The matrix in the documents: what the test found, and nothing else.

use std::path::Path;

/// How the table begins in the document.
const BEGIN: &str = "| fault | ";

/// Compares the table in the document with this one, or writes it there when asked to.
pub(crate) fn hold(table: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/feeds.md");
    let present = std::fs::read_to_string(&path).unwrap();
    let begin = present.find(BEGIN).expect("the document has a table of faults");
    let length = present[begin..].find("\n\n").map_or(present.len() - begin, |end| end + 1);
    let generated = format!("{}{table}{}", &present[..begin], &present[begin + length..]);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &generated).unwrap();
    } else {
        assert!(
            present == generated,
            "docs/feeds.md does not have the matrix that the test found. Write it anew with\n\n    \
             UPDATE_DOCS=1 cargo test -p exchange --test matrix\n\nand look at the difference."
        );
    }
}
