//! The rules for a venue's feed: its symbols, its streams, its addresses.

use feeds::adapter::Streams;
use toml_edit::Value;

use super::Rule;
use crate::config::quantity;
use crate::config::raw::Raw;
use crate::feed::{Endpoint, Scheme};

/// The longest name of a symbol, in bytes.
const SYMBOL_BYTES_MAX: usize = 64;
/// Symbols of the simulated exchange.
const SIMULATED_MAX: u64 = 500;

/// Which symbols a feed has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Symbols {
    /// So many, of the simulated exchange's own.
    Count(usize),
    /// These, as the venue spells them, or `CANONICAL=NATIVE`.
    Listed(Vec<String>),
}

impl Symbols {
    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        match self {
            Self::Count(count) => *count,
            Self::Listed(list) => list.len(),
        }
    }

    /// Those that are named.
    #[must_use]
    pub fn listed(&self) -> &[String] {
        match self {
            Self::Count(_) => &[],
            Self::Listed(list) => list,
        }
    }
}

/// A number of symbols, or a list of them.
pub(in crate::config) struct SymbolsRule;

/// The symbols of a feed.
pub(in crate::config) fn symbols() -> SymbolsRule {
    SymbolsRule
}

impl Rule for SymbolsRule {
    type Value = Symbols;

    fn read(&self, raw: &Raw) -> Result<Symbols, String> {
        match raw {
            Raw::Integer(number) => match u64::try_from(*number) {
                Err(_) | Ok(0) => Err("too small".to_owned()),
                Ok(number) if number > SIMULATED_MAX => Err("too large".to_owned()),
                Ok(number) => Ok(Symbols::Count(number as usize)),
            },
            Raw::List(list) if list.is_empty() => Err("empty".to_owned()),
            Raw::List(list) => {
                let symbols = list.iter().map(|item| match item {
                    Raw::Text(text) => symbol(text),
                    other => Err(other.mismatch("a string with a symbol")),
                });
                symbols.collect::<Result<_, _>>().map(Symbols::Listed)
            }
            _ => Err(raw.mismatch("a number or a list")),
        }
    }

    fn show(&self, value: &Symbols) -> String {
        match value {
            Symbols::Count(count) => quantity::show_number(&count.to_string()),
            Symbols::Listed(list) => {
                let shown: Vec<String> =
                    list.iter().map(|symbol| Value::from(symbol.as_str()).to_string()).collect();
                format!("[{}]", shown.join(", "))
            }
        }
    }

    fn allowed(&self) -> String {
        format!(
            "for sim a whole number from 1 to {SIMULATED_MAX}; for a venue a list of its own \
             names, such as [\"BTC/USD\", \"ETH/USD\"], or with the name in topics before it, \
             such as [\"BTC-USD=btcusd\"]"
        )
    }
}

fn symbol(text: &str) -> Result<String, String> {
    let parts: Vec<&str> = text.splitn(2, '=').collect();
    let bad = |part: &&str| {
        part.is_empty() || part.len() > SYMBOL_BYTES_MAX || part.contains(char::is_whitespace)
    };
    if parts.iter().any(bad) {
        return Err(format!("{text:?} is no symbol"));
    }
    Ok(text.to_owned())
}

/// Some of the three streams.
pub(in crate::config) struct StreamsRule;

/// The streams of a feed.
pub(in crate::config) fn streams() -> StreamsRule {
    StreamsRule
}

/// Reads `trades,quotes,book`, or some of them.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn parse_streams(text: &str) -> Result<Streams, String> {
    gather(text.split(',').map(str::trim))
}

fn gather<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Streams, String> {
    let mut streams = Streams::NONE;
    for name in names {
        let stream = match name {
            "trades" => &mut streams.trades,
            "quotes" => &mut streams.quotes,
            "book" => &mut streams.book,
            other => return Err(format!("{other:?} is none of trades, quotes and book")),
        };
        *stream = true;
    }
    if streams == Streams::NONE { Err("empty".to_owned()) } else { Ok(streams) }
}

impl Rule for StreamsRule {
    type Value = Streams;

    fn read(&self, raw: &Raw) -> Result<Streams, String> {
        let Raw::List(list) = raw else { return Err(raw.mismatch("a list of strings")) };
        let names: Result<Vec<&str>, String> =
            list.iter().map(|item| item.text().ok_or_else(|| item.mismatch("a string"))).collect();
        gather(names?)
    }

    fn show(&self, value: &Streams) -> String {
        let all = [("trades", value.trades), ("quotes", value.quotes), ("book", value.book)];
        let shown = all.iter().filter(|(_, wanted)| *wanted).map(|(name, _)| format!("\"{name}\""));
        format!("[{}]", shown.collect::<Vec<_>>().join(", "))
    }

    fn allowed(&self) -> String {
        "a list of one or more of \"trades\", \"quotes\" and \"book\"".to_owned()
    }
}

/// An address, or nothing.
pub(in crate::config) struct Url(&'static [Scheme]);

/// A URL of one of `schemes`, encrypted or not; empty for the one that is taken without.
pub(in crate::config) fn url(schemes: &'static [Scheme]) -> Url {
    Url(schemes)
}

impl Rule for Url {
    type Value = String;

    fn read(&self, raw: &Raw) -> Result<String, String> {
        let text = raw.text().ok_or_else(|| raw.mismatch("a string with a URL"))?;
        if !text.is_empty() {
            let begins = |scheme: &&Scheme| scheme.begins(text);
            let scheme = self.0.iter().find(begins).ok_or_else(|| {
                let all: Vec<_> =
                    self.0.iter().flat_map(|scheme| <[_; 2]>::from(scheme.pair())).collect();
                format!("does not begin with {}://", all.join(":// or "))
            })?;
            Endpoint::parse(text, *scheme)?;
        }
        Ok(text.to_owned())
    }

    fn show(&self, value: &String) -> String {
        Value::from(value).to_string()
    }

    fn allowed(&self) -> String {
        let examples = self.0.iter().map(|scheme| match scheme {
            Scheme::Socket => "\"ws://127.0.0.1:9000\" or \"wss://example.org/path\"",
            Scheme::Http => "\"http://127.0.0.1:9000\" or \"https://example.org\"",
            Scheme::Stream => "\"tcp://127.0.0.1:9000\"",
        });
        format!("a URL such as {}, or \"\"", examples.collect::<Vec<_>>().join(", "))
    }
}
