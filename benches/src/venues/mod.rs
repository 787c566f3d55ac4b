//! Messages in the venues' shapes, with numbers of our own: one file for each venue.
//!
//! Where a venue numbers its messages, the number has [`NUMBER_DIGITS`] digits, so that
//! [`Numbered`] can give one message another number without writing it anew.

pub mod binance;
pub mod bitstamp;
pub mod bybit;
pub mod coinbase;
pub mod kraken;
pub mod okx;

use std::fmt::Write as _;

/// Digits of a message's number.
pub const NUMBER_DIGITS: usize = 10;

/// The first number of that length.
pub const FIRST_NUMBER: u64 = 1_000_000_000;

/// A message whose number counts up.
#[derive(Debug, Clone)]
pub struct Numbered {
    bytes: Vec<u8>,
    /// Where the number stands, and by how much less each time.
    at: Vec<(usize, u64)>,
}

impl Numbered {
    /// A message in which each `~` stands for the number, and each `^` for the one before it.
    #[must_use]
    pub fn new(template: &str) -> Self {
        let (mut bytes, mut at) = (Vec::new(), Vec::new());
        for byte in template.bytes() {
            match byte {
                b'~' | b'^' => {
                    at.push((bytes.len(), u64::from(byte == b'^')));
                    bytes.extend([b'0'; NUMBER_DIGITS]);
                }
                other => bytes.push(other),
            }
        }
        Self { bytes, at }
    }

    /// The message with this number, which is brought to [`NUMBER_DIGITS`] digits.
    pub fn with(&mut self, number: u64) -> &[u8] {
        for &(at, less) in &self.at {
            let mut rest = FIRST_NUMBER + number - less;
            for digit in self.bytes[at..at + NUMBER_DIGITS].iter_mut().rev() {
                *digit = b'0' + (rest % 10) as u8;
                rest /= 10;
            }
        }
        &self.bytes
    }

    /// Its length in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether it has no bytes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }
}

/// Messages of which each changes what the ones before it said.
pub const VARIANTS: u64 = 16;

/// A size that differs from message to message: of five one is zero where `removals` says so.
fn size(variant: u64, level: u64, removals: bool) -> String {
    let seed = (variant * 31 + level * 17) % 101;
    if removals && (variant + level).is_multiple_of(5) {
        "0".to_owned()
    } else {
        format!("{}.{:08}", seed % 3, (seed * 7_654_321) % 100_000_000)
    }
}

fn cents(ticks: u64) -> String {
    format!("{}.{:02}", ticks / 100, ticks % 100)
}

/// The best bid of all books here, in ticks of 0.01; the best offer is one above.
const BEST_BID: u64 = 6_400_000;

/// The price of a level of one side, in ticks.
fn price(bid: bool, depth: u64) -> u64 {
    if bid { BEST_BID - depth } else { BEST_BID + 1 + depth }
}

/// Changes of `levels` levels, half of them bids: some at the top, more further down.
fn changes(variant: u64, levels: u64) -> impl Iterator<Item = (bool, u64, String)> {
    (0..levels).map(move |level| {
        let bid = level < levels / 2;
        let nth = if bid { level } else { level - levels / 2 };
        let depth = nth * nth * 3 + (variant * 7 + nth) % 3;
        (bid, price(bid, depth), size(variant, level, nth > 0))
    })
}

/// The levels of both sides as lists of pairs of texts, bids first; `zeros` stand behind each price
/// and `tail` behind each pair.
fn pairs(
    levels: impl Iterator<Item = (bool, u64, String)>,
    zeros: &str,
    tail: &str,
) -> [String; 2] {
    let mut sides = [String::new(), String::new()];
    for (bid, ticks, size) in levels {
        let side = &mut sides[usize::from(!bid)];
        let comma = if side.is_empty() { "" } else { "," };
        write!(side, r#"{comma}["{}{zeros}","{size}"{tail}]"#, cents(ticks)).expect("memory");
    }
    sides
}

/// The book that a change of `levels` levels leads to.
fn whole(levels: u64) -> impl Iterator<Item = (bool, u64, String)> {
    changes(0, levels).filter(|(.., size)| size != "0")
}

fn trimmed(number: &str) -> &str {
    if number.contains('.') { number.trim_end_matches('0').trim_end_matches('.') } else { number }
}
