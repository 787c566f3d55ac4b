//! Inbound MessagePack, turned into JSON text: what JSON cannot say is refused on the way.

use std::fmt;

use serde::de::{self, Deserialize, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use crate::rejection::{Code, Rejection};

/// Appends the one value that `bytes` hold to `json`.
///
/// # Errors
/// What is not MessagePack, holds more than one value, or cannot be said in JSON: NaN and
/// infinities, `bin`, `ext`, and map keys that are no strings.
pub(crate) fn to_json(bytes: &[u8], json: &mut Vec<u8>) -> Result<(), Rejection> {
    let bad = |why: &dyn fmt::Display| {
        Rejection::new(Code::BadMsgpack, format_args!("not a MessagePack message we take: {why}"))
    };
    let mut source = rmp_serde::Deserializer::new(bytes);
    Writer { json }.deserialize(&mut source).map_err(|error| bad(&error))?;
    let left = source.into_inner().len();
    if left > 0 {
        return Err(bad(&format_args!("{left} bytes follow the first value")));
    }
    Ok(())
}

/// Writes whatever it is given as JSON text.
struct Writer<'a> {
    json: &'a mut Vec<u8>,
}

impl<'a> Writer<'a> {
    fn write<T: serde::Serialize, E: de::Error>(self, value: T) -> Result<(), E> {
        serde_json::to_writer(self.json, &value).map_err(E::custom)
    }
}

impl<'de> DeserializeSeed<'de> for Writer<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Writer<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value that JSON can say (no bin, no ext)")
    }

    fn visit_unit<E: de::Error>(self) -> Result<(), E> {
        self.write(())
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<(), E> {
        self.write(value)
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<(), E> {
        self.write(value)
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<(), E> {
        self.write(value)
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<(), E> {
        if !value.is_finite() {
            return Err(E::custom("NaN and infinity are no JSON numbers"));
        }
        self.write(value)
    }

    fn visit_f32<E: de::Error>(self, value: f32) -> Result<(), E> {
        if !value.is_finite() {
            return Err(E::custom("NaN and infinity are no JSON numbers"));
        }
        self.write(value)
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<(), E> {
        self.write(value)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        self.json.push(b'[');
        let start = self.json.len();
        loop {
            let mark = self.json.len();
            if mark > start {
                self.json.push(b',');
            }
            if seq.next_element_seed(Writer { json: self.json })?.is_none() {
                self.json.truncate(mark);
                break;
            }
        }
        self.json.push(b']');
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        self.json.push(b'{');
        let start = self.json.len();
        while let Some(key) = map.next_key::<Key>()? {
            if self.json.len() > start {
                self.json.push(b',');
            }
            serde_json::to_writer(&mut *self.json, &key.0).map_err(de::Error::custom)?;
            self.json.push(b':');
            map.next_value_seed(Writer { json: self.json })?;
        }
        self.json.push(b'}');
        Ok(())
    }
}

/// A map key: a string or nothing.
struct Key(String);

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct KeyVisitor;
        impl Visitor<'_> for KeyVisitor {
            type Value = Key;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map key that is a string")
            }
            fn visit_str<E: de::Error>(self, value: &str) -> Result<Key, E> {
                Ok(Key(value.to_owned()))
            }
        }
        deserializer.deserialize_any(KeyVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(bytes: &[u8]) -> Result<String, String> {
        let mut out = Vec::new();
        to_json(bytes, &mut out).map_err(|rejection| rejection.message)?;
        Ok(String::from_utf8(out).unwrap())
    }

    #[test]
    fn values_come_out_as_json() {
        assert_eq!(json(&[0x93, 0x01, 0xC0, 0xA1, b'"']).unwrap(), r#"[1,null,"\""]"#);
        assert_eq!(
            json(&[0x82, 0xA1, b'a', 0x90, 0xA1, b'b', 0x80]).unwrap(),
            r#"{"a":[],"b":{}}"#
        );
        let biggest = [0xCF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF];
        assert_eq!(json(&biggest).unwrap(), u64::MAX.to_string());
        let smallest = [0xD3, 0x80, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(json(&smallest).unwrap(), i64::MIN.to_string());
    }

    #[test]
    fn what_json_cannot_say_is_refused() {
        let nan = [0xCB, 0x7F, 0xF8, 0, 0, 0, 0, 0, 0];
        let bin = [0xC4, 0x01, 0x00];
        let ext = [0xD4, 0x01, 0x00];
        let number_key = [0x81, 0x01, 0x02];
        let two_values = [0x01, 0x02];
        for bytes in [&nan[..], &bin, &ext, &number_key, &two_values, &[], &[0xC1], &[0xDC, 0xFF]] {
            assert!(json(bytes).is_err(), "{bytes:02x?}");
        }
        let deep = [vec![0x91; 100_000], vec![0xC0]].concat();
        assert!(json(&deep).is_err());
    }
}
