//! Symbols: a venue's own spelling and the one all venues share, `BASE-QUOTE`.

use std::borrow::Cow;

/// How a venue writes its symbols.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spelling {
    /// With this character between base and quote: `BTC/USD`, `BTC-USD`.
    Separated(char),
    /// Without any: `BTCUSDT`. Only a list of quote currencies tells where the base ends; the
    /// longest that fits is taken. Where none fits, the symbol stays as it is.
    Joined(&'static [&'static str]),
    /// As [`Spelling::Joined`], but perpetual contracts, which are not to be taken for the pair
    /// itself: `BTCUSDT` is `BTC-USDT-PERP`.
    Perpetual(&'static [&'static str]),
    /// Symbols are names, not pairs: `AAPL`.
    Plain,
}

impl Spelling {
    /// The symbol as all venues share it, in capitals: `BTC/USD`, `btcusd` and `XBT-USD` are all
    /// `BTC-USD`. Characters that a topic may not have become `_`.
    #[must_use]
    pub fn canonical(self, native: &str) -> String {
        let native = native.to_ascii_uppercase();
        let pair = match self {
            Self::Separated(mark) => native.split_once(mark),
            Self::Joined(quotes) | Self::Perpetual(quotes) => quotes
                .iter()
                .filter(|quote| native.len() > quote.len() && native.ends_with(**quote))
                .max_by_key(|quote| quote.len())
                .map(|quote| native.split_at(native.len() - quote.len())),
            Self::Plain => None,
        };
        let name = match pair {
            Some((base, quote)) => {
                let contract = if matches!(self, Self::Perpetual(_)) { "-PERP" } else { "" };
                format!("{}-{}{contract}", currency(base), currency(quote))
            }
            None => native,
        };
        let allowed = |c: char| c.is_ascii_graphic() && !matches!(c, '*' | '>');
        name.chars().map(|c| if allowed(c) { c } else { '_' }).collect()
    }
}

/// The name that all venues but a few use.
fn currency(name: &str) -> Cow<'_, str> {
    match name {
        "XBT" => "BTC".into(),
        "XDG" => "DOGE".into(),
        _ => name.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_name_for_all_spellings() {
        const QUOTES: &[&str] = &["USD", "USDT", "BTC"];
        for (spelling, native, canonical) in [
            (Spelling::Separated('/'), "XBT/USD", "BTC-USD"),
            (Spelling::Separated('-'), "BTC-USD", "BTC-USD"),
            (Spelling::Separated('-'), "BTC-USDT-SWAP", "BTC-USDT-SWAP"),
            (Spelling::Joined(QUOTES), "btcusdt", "BTC-USDT"),
            (Spelling::Joined(QUOTES), "BTCUSD", "BTC-USD"),
            (Spelling::Joined(QUOTES), "BTC", "BTC"),
            (Spelling::Joined(QUOTES), "ABCXYZ", "ABCXYZ"),
            (Spelling::Perpetual(QUOTES), "BTCUSDT", "BTC-USDT-PERP"),
            (Spelling::Perpetual(QUOTES), "BTC-26MAR27", "BTC-26MAR27"),
            (Spelling::Plain, "BRK.B", "BRK.B"),
            (Spelling::Plain, "A B*", "A_B_"),
        ] {
            assert_eq!(spelling.canonical(native), canonical);
        }
    }
}
