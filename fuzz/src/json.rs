//! Where the values of a JSON text stand, so that one can be damaged on purpose.

use std::ops::Range;

/// What a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A text.
    Text,
    /// A number, or `true`, `false`, `null`.
    Bare,
    /// A list.
    List,
    /// An object.
    Object,
}

/// One value.
#[derive(Debug, Clone)]
pub(crate) struct Value {
    /// Where it stands, its quotes included.
    pub(crate) at: Range<usize>,
    pub(crate) kind: Kind,
    /// Where its key begins, if it is a member of an object.
    pub(crate) member: Option<usize>,
    /// Its key, or that of the list it is in.
    pub(crate) key: Range<usize>,
    /// A list that holds lists or objects, or is empty: without some of them it is still sound.
    pub(crate) many: bool,
    /// An element of a list that holds lists or objects.
    pub(crate) one_of_many: bool,
}

impl Value {
    pub(crate) fn is_scalar(&self) -> bool {
        matches!(self.kind, Kind::Text | Kind::Bare)
    }
}

/// Deepest nesting that is looked into.
const DEPTH_MAX: usize = 40;

/// All values of a text, the outermost first; `None` if it is no JSON as venues write it.
pub(crate) fn values(text: &[u8]) -> Option<Vec<Value>> {
    let mut found = Vec::new();
    let end = value(text, 0, (None, 0..0), 0, &mut found)?;
    (end == text.len()).then_some(found)
}

fn value(
    text: &[u8],
    start: usize,
    (member, key): (Option<usize>, Range<usize>),
    depth: usize,
    found: &mut Vec<Value>,
) -> Option<usize> {
    if depth > DEPTH_MAX {
        return None;
    }
    let place = found.len();
    let first = *text.get(start)?;
    let kind = match first {
        b'"' => Kind::Text,
        b'[' => Kind::List,
        b'{' => Kind::Object,
        _ => Kind::Bare,
    };
    found.push(Value {
        at: start..start,
        kind,
        member,
        key: key.clone(),
        many: false,
        one_of_many: false,
    });
    let end = match kind {
        Kind::Text => string(text, start)?,
        Kind::Bare => {
            let rest = &text[start..];
            let ends = |byte: &u8| matches!(byte, b',' | b']' | b'}' | b' ' | b'\n');
            let length = rest.iter().position(ends).unwrap_or(rest.len());
            (length > 0).then_some(start + length)?
        }
        Kind::List => {
            let mut at = blank(text, start + 1);
            let mut many = true;
            let mut elements = Vec::new();
            while *text.get(at)? != b']' {
                elements.push(found.len());
                at = blank(text, value(text, at, (None, key.clone()), depth + 1, found)?);
                if text.get(at) == Some(&b',') {
                    at = blank(text, at + 1);
                }
            }
            for &element in &elements {
                many &= !found[element].is_scalar();
            }
            for element in elements {
                found[element].one_of_many = many;
            }
            found[place].many = many;
            at + 1
        }
        Kind::Object => {
            let mut at = blank(text, start + 1);
            while *text.get(at)? != b'}' {
                let key_end = string(text, at)?;
                let colon = blank(text, key_end);
                if text.get(colon) != Some(&b':') {
                    return None;
                }
                let key = at + 1..key_end - 1;
                let begin = blank(text, colon + 1);
                at = blank(text, value(text, begin, (Some(at), key), depth + 1, found)?);
                if text.get(at) == Some(&b',') {
                    at = blank(text, at + 1);
                }
            }
            at + 1
        }
    };
    found[place].at.end = end;
    Some(end)
}

fn blank(text: &[u8], at: usize) -> usize {
    let rest = text.get(at..).unwrap_or_default();
    at + rest.iter().take_while(|byte| matches!(byte, b' ' | b'\n')).count()
}

/// Where the text that begins here ends; none that matters has escapes.
fn string(text: &[u8], start: usize) -> Option<usize> {
    if text.get(start) != Some(&b'"') {
        return None;
    }
    let length = text[start + 1..].iter().position(|byte| *byte == b'"')?;
    Some(start + length + 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_found_with_their_keys() {
        let text = br#"{"a":1,"b":[["x","y"],[]], "c":{"d":null}}"#;
        let found = values(text).unwrap_or_default();
        let shown: Vec<_> = found
            .iter()
            .map(|value| {
                let text = |range: &Range<usize>| {
                    String::from_utf8_lossy(&text[range.clone()]).into_owned()
                };
                (text(&value.key), text(&value.at), value.many, value.one_of_many)
            })
            .skip(1)
            .collect();
        let row = |key: &str, at: &str, many, one| (key.to_owned(), at.to_owned(), many, one);
        assert_eq!(
            shown,
            [
                row("a", "1", false, false),
                row("b", r#"[["x","y"],[]]"#, true, false),
                row("b", r#"["x","y"]"#, false, true),
                row("b", r#""x""#, false, false),
                row("b", r#""y""#, false, false),
                row("b", "[]", true, true),
                row("c", r#"{"d":null}"#, false, false),
                row("d", "null", false, false),
            ]
        );
        assert!(values(b"{\"a\":").is_none());
        assert!(values(b"1 2").is_none());
    }
}
