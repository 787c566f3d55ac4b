//! Escapes that JSON does not need: a recorder that parses messages and writes them anew may write
//! `\/` and `\u5e01` where the venue wrote the letters.

use std::borrow::Cow;

/// `message` with the letters themselves, but for what a JSON text must have escaped: quotes,
/// backslashes and control characters.
pub(super) fn unescaped(message: &str) -> Cow<'_, str> {
    if !message.contains('\\') {
        return message.into();
    }
    let mut plain = String::with_capacity(message.len());
    let mut rest = message;
    while let Some(at) = rest.find('\\') {
        plain.push_str(&rest[..at]);
        rest = &rest[at..];
        let (letter, length) = match rest.as_bytes().get(1) {
            Some(b'/') => (Some('/'), 2),
            Some(b'u') => letter(rest),
            // It stays as it is, and what follows it belongs to it.
            Some(byte) if byte.is_ascii() => (None, 2),
            _ => (None, 1),
        };
        match letter {
            Some(letter) => plain.push(letter),
            None => plain.push_str(&rest[..length]),
        }
        rest = &rest[length..];
    }
    plain.push_str(rest);
    plain.into()
}

/// What the escape at the beginning of `text` stands for, if it may stand there itself, and how
/// long it is.
fn letter(text: &str) -> (Option<char>, usize) {
    let unit = |at: usize| {
        let digits = text.get(at..at + 6)?.strip_prefix("\\u")?;
        let hexadecimal = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        if hexadecimal { u16::from_str_radix(digits, 16).ok() } else { None }
    };
    let units = [unit(0), unit(6)].into_iter().map_while(|unit| unit);
    match char::decode_utf16(units).next() {
        Some(Ok(letter)) if !matches!(letter, '"' | '\\') && !letter.is_control() => {
            (Some(letter), 6 * letter.len_utf16())
        }
        _ => (None, 2),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_what_may_stand_there_itself_is_unescaped() {
        for (written, plain) in [
            (r#"{"s":"A"}"#, r#"{"s":"A"}"#),
            (r#""\u5e01\u5b89USDT""#, r#""币安USDT""#),
            (r#""BTC\/USD""#, r#""BTC/USD""#),
            (r#""\ud83d\ude00""#, r#""😀""#),
            (r#""a\"b\\/c\nd""#, r#""a\"b\\/c\nd""#),
            (r#""\u0022\u005c\u0007""#, r#""\u0022\u005c\u0007""#),
            (r#""\ud83dx\u12""#, r#""\ud83dx\u12""#),
            ("\\", "\\"),
            ("\\\u{5e01}\\u\u{5e01}", "\\\u{5e01}\\u\u{5e01}"),
        ] {
            assert_eq!(unescaped(written), plain);
        }
    }

    proptest! {
        #[test]
        fn it_means_the_same(text in any::<String>(), cut in ".*\\\\u?.*") {
            let escaped: String = text
                .encode_utf16()
                .map(|unit| format!("\\u{unit:04x}"))
                .collect();
            let written = format!("\"{escaped}\"");
            let read: String = serde_json::from_str(&unescaped(&written)).unwrap_or_default();
            prop_assert_eq!(read, text);
            // Whatever it is, nothing panics.
            unescaped(&cut);
        }
    }
}
