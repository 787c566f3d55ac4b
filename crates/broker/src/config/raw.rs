//! A value as it was written, before a rule has judged it.

use toml_edit::{Item, TableLike, Value};

/// A value of a file, of a variable or of a flag.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Raw {
    /// `true` or `false` in a file.
    Switch(bool),
    /// A whole number in a file.
    Integer(i64),
    /// A quoted string in a file.
    Text(String),
    /// A list in a file.
    List(Vec<Self>),
    /// A number with a fraction in a file.
    Fraction(f64),
    /// A table in a file, in one line or below a header of its own.
    Table(Vec<(String, Self)>),
    /// Something in a file that no setting takes, named.
    Other(&'static str),
    /// The text of a variable or flag, whose type only the rule knows.
    Bare(String),
}

impl Raw {
    /// What a file holds at a key.
    pub(super) fn from_item(item: &Item) -> Self {
        match item {
            Item::Value(value) => Self::from_value(value),
            Item::None => Self::Other("nothing"),
            Item::Table(table) => Self::from_table(table),
            Item::ArrayOfTables(_) => Self::Other("a list of tables"),
        }
    }

    fn from_value(value: &Value) -> Self {
        match value {
            Value::Boolean(switch) => Self::Switch(*switch.value()),
            Value::Integer(integer) => Self::Integer(*integer.value()),
            Value::String(text) => Self::Text(text.value().clone()),
            Value::Array(list) => Self::List(list.iter().map(Self::from_value).collect()),
            Value::Float(number) => Self::Fraction(*number.value()),
            Value::Datetime(_) => Self::Other("a date or time of day"),
            Value::InlineTable(table) => Self::from_table(table),
        }
    }

    fn from_table(table: &dyn TableLike) -> Self {
        let entry = |(key, item): (&str, &Item)| (key.to_owned(), Self::from_item(item));
        Self::Table(table.iter().map(entry).collect())
    }

    /// The characters, where there are any.
    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) | Self::Bare(text) => Some(text),
            _ => None,
        }
    }

    /// What to say when this is not even of the `expected` type.
    pub(super) fn mismatch(&self, expected: &str) -> String {
        let found = match self {
            Self::Bare(_) => return format!("not {expected}"),
            Self::Switch(_) => "true or false",
            Self::Integer(_) => "a number",
            Self::Text(_) => "a string",
            Self::List(_) => "a list",
            Self::Fraction(_) => "a number with a fraction",
            Self::Table(_) => "a table",
            Self::Other(name) => name,
        };
        format!("{found} where {expected} belongs")
    }
}
