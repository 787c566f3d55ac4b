//! Digests of what a subscriber holds, by value: `1.50` and `1.5` are the same.

use std::hash::{DefaultHasher, Hasher as _};

use market::{Book, BookSide};

/// Of several texts, decimals among them.
#[must_use]
pub fn texts<'t>(texts: impl IntoIterator<Item = &'t str>) -> u64 {
    let mut hasher = DefaultHasher::new();
    for text in texts {
        write(&mut hasher, text);
    }
    hasher.finish()
}

/// Of a whole book, best level first.
#[must_use]
pub fn book(book: &Book) -> u64 {
    let mut hasher = DefaultHasher::new();
    for side in [BookSide::Bid, BookSide::Ask] {
        for level in book.levels(side) {
            write(&mut hasher, &level.price.to_string());
            write(&mut hasher, &level.size.to_string());
        }
        hasher.write_u8(1);
    }
    hasher.finish()
}

fn write(hasher: &mut DefaultHasher, text: &str) {
    let plain =
        if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { text };
    hasher.write(plain.as_bytes());
    // What no text contains, so that "1","23" is not "12","3".
    hasher.write_u8(0xff);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_count_not_how_they_are_written() {
        assert_eq!(texts(["1.50", "20"]), texts(["1.5", "20.0"]));
        assert_ne!(texts(["1", "23"]), texts(["12", "3"]));
        assert_ne!(texts(["20"]), texts(["2"]));
        assert_eq!(book(&Book::default()), book(&Book::default()));
    }
}
