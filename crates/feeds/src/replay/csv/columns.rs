//! The columns of a mapping, found in a file.

use super::mapping::{Cell, Mapping, Shape, TimeColumn, TimeFormat};

/// Levels that a row of a snapshot may have.
const DEPTH_MAX: usize = 10_000;

/// Where everything stands.
#[derive(Debug)]
pub(super) struct Columns {
    /// The column, or the text that stands in its place.
    pub(super) symbol: Result<usize, String>,
    pub(super) event_time: Option<(usize, TimeFormat)>,
    pub(super) received_time: Option<(usize, TimeFormat)>,
    pub(super) sequence: Option<usize>,
    pub(super) plan: Plan,
}

/// [`Shape`] with places in place of names.
#[derive(Debug)]
pub(super) enum Plan {
    Trades {
        price: usize,
        size: usize,
        side: Option<usize>,
        id: Option<usize>,
    },
    Quotes {
        bid: (usize, Option<usize>),
        ask: (usize, Option<usize>),
    },
    /// Of each level price and size of the bid, then of the offer.
    Snapshots(Vec<[(usize, usize); 2]>),
    Levels {
        side: usize,
        price: usize,
        size: usize,
        snapshot: Option<(usize, String)>,
        message: usize,
    },
}

impl Columns {
    /// Finds the columns of `mapping` among `names`.
    ///
    /// # Errors
    /// Which is missing, and which there are.
    pub(super) fn find(mapping: &Mapping, names: &[String]) -> Result<Self, String> {
        let column = |wanted: &String| {
            names.iter().position(|name| name == wanted).ok_or_else(|| {
                let there: Vec<&str> = names.iter().map(String::as_str).take(60).collect();
                format!("there is no column \"{wanted}\"; there are {}", there.join(", "))
            })
        };
        let optional = |wanted: &Option<String>| wanted.as_ref().map(column).transpose();
        let time = |wanted: &Option<TimeColumn>| {
            let Some(time) = wanted else { return Ok(None) };
            Ok::<_, String>(Some((column(&time.column)?, time.format)))
        };
        if mapping.event_time.is_none() && mapping.received_time.is_none() {
            return Err("the mapping names no column of times".into());
        }
        let plan = match &mapping.shape {
            Shape::Trades { price, size, side, id } => Plan::Trades {
                price: column(price)?,
                size: column(size)?,
                side: optional(side)?,
                id: optional(id)?,
            },
            Shape::Quotes { bid_price, bid_size, ask_price, ask_size } => Plan::Quotes {
                bid: (column(bid_price)?, optional(bid_size)?),
                ask: (column(ask_price)?, optional(ask_size)?),
            },
            Shape::Snapshots { bid_price, bid_size, ask_price, ask_size } => {
                let level = |number: usize| {
                    let column = |name: &String| column(&name.replace('#', &number.to_string()));
                    let bid = (column(bid_price)?, column(bid_size)?);
                    Ok::<_, String>([bid, (column(ask_price)?, column(ask_size)?)])
                };
                // The first must be there; the rest are as many as there are.
                let mut levels = vec![level(0)?];
                let numbered = bid_price.contains('#');
                levels.extend((1..DEPTH_MAX).filter(|_| numbered).map_while(|n| level(n).ok()));
                Plan::Snapshots(levels)
            }
            Shape::Levels { side, price, size, snapshot, message } => Plan::Levels {
                side: column(side)?,
                price: column(price)?,
                size: column(size)?,
                snapshot: match snapshot {
                    Some((name, word)) => Some((column(name)?, word.clone())),
                    None => None,
                },
                message: column(message)?,
            },
        };
        Ok(Self {
            symbol: match &mapping.symbol {
                Cell::Column(name) => Ok(column(name)?),
                Cell::Fixed(symbol) => Err(symbol.clone()),
            },
            event_time: time(&mapping.event_time)?,
            received_time: time(&mapping.received_time)?,
            sequence: optional(&mapping.sequence)?,
            plan,
        })
    }
}
