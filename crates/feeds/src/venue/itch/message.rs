//! The messages of TotalView-ITCH 5.0: which there are, how long each is, and what those say that
//! change a book or tell of an execution or of trading itself.
//!
//! Source: Nasdaq TotalView-ITCH 5.0 specification, revision of April 28, 2023. Integers are
//! unsigned and big-endian, text is ASCII padded with spaces on the right, a price has four
//! digits after the point.

use market::BookSide;

/// What stands at the beginning of every message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// The day's number of the stock; 0 where a message is about none.
    pub locate: u16,
    /// Nasdaq's own number.
    pub tracking: u16,
    /// Nanoseconds since midnight in New York; 48 bits.
    pub timestamp: u64,
}

/// A stock's symbol, padded with spaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stock([u8; 8]);

impl Stock {
    /// Without the padding; `None` when it is empty or no printable ASCII.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        let text = std::str::from_utf8(&self.0).ok()?.trim_end_matches(' ');
        let printable = text.bytes().all(|byte| byte.is_ascii_graphic());
        (printable && !text.is_empty()).then_some(text)
    }
}

/// What a message says. Shares are whole, prices in units of 0.0001.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Message {
    /// `S`: the day's events.
    System {
        /// `O` start of messages, `S` and `E` system hours, `Q` and `M` market hours, `C` end of
        /// messages.
        event: u8,
    },
    /// `R`: a stock and its number for the day.
    Directory {
        /// The stock.
        stock: Stock,
    },
    /// `H`: whether a stock trades.
    Action {
        /// The stock.
        stock: Stock,
        /// `H` halted, `P` paused, `Q` quotation only, `T` trading.
        state: u8,
        /// Why; padded with spaces.
        reason: [u8; 4],
    },
    /// `h`: whether a stock trades on one of the three markets.
    Operational {
        /// The stock.
        stock: Stock,
        /// `Q` Nasdaq, `B` BX, `X` PSX.
        market: u8,
        /// `H` halted, `T` trading again.
        action: u8,
    },
    /// `W`: a market-wide circuit breaker.
    Breaker {
        /// The level that was reached, `1` to `3`.
        level: u8,
    },
    /// `A` and `F`: an order is on the book.
    Add {
        /// Its number, unique within the day.
        reference: u64,
        /// Which side it is on.
        side: BookSide,
        /// How many.
        shares: u32,
        /// The stock.
        stock: Stock,
        /// Its price.
        price: u32,
    },
    /// `E`: an order was executed at its own price.
    Executed {
        /// Which order.
        reference: u64,
        /// How many of it.
        shares: u32,
        /// The number of the execution.
        matched: u64,
    },
    /// `C`: an order was executed at another price.
    ExecutedAt {
        /// Which order.
        reference: u64,
        /// How many of it.
        shares: u32,
        /// The number of the execution.
        matched: u64,
        /// False: these shares are reported again, within a cross.
        printable: bool,
        /// At which price.
        price: u32,
    },
    /// `X`: an order was made smaller.
    Cancel {
        /// Which order.
        reference: u64,
        /// By how many.
        shares: u32,
    },
    /// `D`: an order is gone.
    Delete {
        /// Which order.
        reference: u64,
    },
    /// `U`: an order took another's place, on its side of its stock.
    Replace {
        /// The order that is gone.
        old: u64,
        /// The new one.
        new: u64,
        /// How many.
        shares: u32,
        /// Its price.
        price: u32,
    },
    /// `P`: an order that is not shown was executed.
    Hidden {
        /// The side of the hidden order; `B` of all since July 14, 2014, whatever it was.
        side: BookSide,
        /// How many.
        shares: u32,
        /// The stock.
        stock: Stock,
        /// At which price.
        price: u32,
        /// The number of the execution.
        matched: u64,
    },
    /// `Q`: a cross was executed.
    Cross {
        /// How many; 0 when there was nothing to cross.
        shares: u64,
        /// The stock.
        stock: Stock,
        /// At which price.
        price: u32,
        /// The number of the execution.
        matched: u64,
    },
    /// `B`: an execution counts no more.
    Broken {
        /// The number of the execution.
        matched: u64,
    },
    /// `Y`, `L`, `V`, `K`, `J`, `I`, `N`, `O`: nothing of this is published.
    Other,
}

/// Why bytes are no message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// There are none.
    #[error("no message type")]
    Empty,
    /// A type that ITCH 5.0 does not have.
    #[error("the message type {0:#04x} is not known")]
    Unknown(u8),
    /// Not as long as its type is.
    #[error("a message that is not as long as its type")]
    Length,
    /// A letter that a field cannot have.
    #[error("a field with a letter that it cannot have")]
    Field,
}

/// How long a message of type `kind` is, the type included; `None` for types that are not known.
#[must_use]
pub fn length(kind: u8) -> Option<usize> {
    Some(match kind {
        b'S' | b'W' => 12,
        b'D' | b'B' => 19,
        b'Y' | b'N' => 20,
        b'h' => 21,
        b'X' => 23,
        b'H' => 25,
        b'L' => 26,
        b'K' => 28,
        b'E' => 31,
        b'V' | b'J' | b'U' => 35,
        b'A' | b'C' => 36,
        b'R' => 39,
        b'F' | b'Q' => 40,
        b'P' => 44,
        b'O' => 48,
        b'I' => 50,
        _ => return None,
    })
}

/// Whether messages of this type change books.
#[must_use]
pub fn changes_book(kind: u8) -> bool {
    matches!(kind, b'A' | b'F' | b'E' | b'C' | b'X' | b'D' | b'U')
}

/// Reads one message.
///
/// # Errors
/// What is wrong with it; one that is longer than its type is wrong too, as its framing may be.
#[inline]
pub fn decode(message: &[u8]) -> Result<(Header, Message), DecodeError> {
    let Some(&kind) = message.first() else { return Err(DecodeError::Empty) };
    Ok(match kind {
        b'A' => add(sized::<36>(message)?)?,
        b'F' => {
            let all = sized::<40>(message)?;
            match all.first_chunk() {
                Some(first) => add(first)?,
                None => return Err(DecodeError::Length),
            }
        }
        b'E' => {
            let m = sized::<31>(message)?;
            let (reference, shares, matched) = (u64_at(m, 11), u32_at(m, 19), u64_at(m, 23));
            (header(m), Message::Executed { reference, shares, matched })
        }
        b'C' => {
            let m = sized::<36>(message)?;
            let (reference, shares, matched) = (u64_at(m, 11), u32_at(m, 19), u64_at(m, 23));
            let printable = match m[31] {
                b'Y' => true,
                b'N' => false,
                _ => return Err(DecodeError::Field),
            };
            let price = u32_at(m, 32);
            (header(m), Message::ExecutedAt { reference, shares, matched, printable, price })
        }
        b'X' => {
            let m = sized::<23>(message)?;
            (header(m), Message::Cancel { reference: u64_at(m, 11), shares: u32_at(m, 19) })
        }
        b'D' => {
            let m = sized::<19>(message)?;
            (header(m), Message::Delete { reference: u64_at(m, 11) })
        }
        b'U' => {
            let m = sized::<35>(message)?;
            let (old, new) = (u64_at(m, 11), u64_at(m, 19));
            let (shares, price) = (u32_at(m, 27), u32_at(m, 31));
            (header(m), Message::Replace { old, new, shares, price })
        }
        b'P' => {
            let m = sized::<44>(message)?;
            let (side, stock, matched) = (side(m[19])?, stock(m, 24), u64_at(m, 36));
            let (shares, price) = (u32_at(m, 20), u32_at(m, 32));
            (header(m), Message::Hidden { side, shares, stock, price, matched })
        }
        _ => return rare(kind, message),
    })
}

/// The messages that come a few times a day for each stock.
fn rare(kind: u8, message: &[u8]) -> Result<(Header, Message), DecodeError> {
    Ok(match kind {
        b'S' => {
            let m = sized::<12>(message)?;
            (header(m), Message::System { event: m[11] })
        }
        b'R' => {
            let m = sized::<39>(message)?;
            (header(m), Message::Directory { stock: stock(m, 11) })
        }
        b'H' => {
            let m = sized::<25>(message)?;
            let reason = [m[21], m[22], m[23], m[24]];
            (header(m), Message::Action { stock: stock(m, 11), state: m[19], reason })
        }
        b'h' => {
            let m = sized::<21>(message)?;
            let (market, action) = (m[19], m[20]);
            (header(m), Message::Operational { stock: stock(m, 11), market, action })
        }
        b'W' => {
            let m = sized::<12>(message)?;
            (header(m), Message::Breaker { level: m[11] })
        }
        b'Q' => {
            let m = sized::<40>(message)?;
            let (shares, stock) = (u64_at(m, 11), stock(m, 19));
            let (price, matched) = (u32_at(m, 27), u64_at(m, 31));
            (header(m), Message::Cross { shares, stock, price, matched })
        }
        b'B' => {
            let m = sized::<19>(message)?;
            (header(m), Message::Broken { matched: u64_at(m, 11) })
        }
        _ => {
            let expected = length(kind).ok_or(DecodeError::Unknown(kind))?;
            let first = message.first_chunk::<11>().filter(|_| message.len() == expected);
            (header(first.ok_or(DecodeError::Length)?), Message::Other)
        }
    })
}

#[inline]
fn add(m: &[u8; 36]) -> Result<(Header, Message), DecodeError> {
    let (reference, shares, price) = (u64_at(m, 11), u32_at(m, 20), u32_at(m, 32));
    let (side, stock) = (side(m[19])?, stock(m, 24));
    Ok((header(m), Message::Add { reference, side, shares, stock, price }))
}

#[inline]
fn sized<const N: usize>(message: &[u8]) -> Result<&[u8; N], DecodeError> {
    message.try_into().map_err(|_| DecodeError::Length)
}

#[inline]
fn header<const N: usize>(m: &[u8; N]) -> Header {
    let locate = u16::from_be_bytes([m[1], m[2]]);
    let tracking = u16::from_be_bytes([m[3], m[4]]);
    let timestamp = u64::from_be_bytes([0, 0, m[5], m[6], m[7], m[8], m[9], m[10]]);
    Header { locate, tracking, timestamp }
}

#[inline]
fn side(letter: u8) -> Result<BookSide, DecodeError> {
    match letter {
        b'B' => Ok(BookSide::Bid),
        b'S' => Ok(BookSide::Ask),
        _ => Err(DecodeError::Field),
    }
}

// `at` is a constant wherever these are used, so the bounds are checked when they are compiled.

#[inline]
fn stock<const N: usize>(m: &[u8; N], at: usize) -> Stock {
    Stock(u64_at(m, at).to_be_bytes())
}

#[inline]
fn u32_at<const N: usize>(m: &[u8; N], at: usize) -> u32 {
    u32::from_be_bytes([m[at], m[at + 1], m[at + 2], m[at + 3]])
}

#[inline]
fn u64_at<const N: usize>(m: &[u8; N], at: usize) -> u64 {
    (u64::from(u32_at(m, at)) << 32) | u64::from(u32_at(m, at + 4))
}
