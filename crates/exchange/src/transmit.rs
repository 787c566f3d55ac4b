//! From what an exchange says to what reaches the client: where faults strike.

use crate::connection::{Body, ConnectionId, Effect, Outgoing};
use crate::engine::Exchange;
use crate::fault::{Class, Fault, GAP_MESSAGES, Strike};
use crate::history::Moment;
use crate::writing::member;

/// How many states before the last one an outdated snapshot is.
const STALE_STEPS: u64 = 5;
/// Most random bytes that come in place of a message.
const GARBAGE_MAX: usize = 200;

impl Exchange {
    /// Sends a message to one client, or does with it what a fault wants.
    pub(crate) fn transmit(&mut self, id: ConnectionId, outgoing: Outgoing) {
        let Outgoing { class, symbol, body } = outgoing;
        if self.connections.get(&id).is_none_or(|held| held.silent) {
            return;
        }
        match body {
            Body::Ping => self.deliver(id, Effect::Ping(self.clock.to_string().into_bytes())),
            Body::Text(text) if class == Class::Answer => {
                self.deliver(id, Effect::Text(text.into_bytes()));
            }
            Body::Text(text) => self.transmit_data(id, class, symbol, &Said::Text(text)),
            Body::Snapshot(subscription) => {
                let listed = self.board.at(subscription.symbol);
                let Some(connection) = self.connections.get_mut(&id) else { return };
                let (protocol, now) = (self.protocol, self.clock);
                let mut write = |moment: &Moment| {
                    protocol.snapshot(connection, &subscription, listed, moment, now)
                };
                let text = write(&listed.told);
                let older = listed.before(listed.told.number, STALE_STEPS).as_ref().map(write);
                self.transmit_data(id, class, symbol, &Said::Snapshot { text, older });
            }
        }
    }

    fn transmit_data(
        &mut self,
        id: ConnectionId,
        class: Class,
        symbol: Option<usize>,
        said: &Said,
    ) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        connection.last_sent = self.clock;
        if let Some(symbol) = symbol {
            match class {
                // A new beginning: what the gap would still have swallowed is of no use.
                Class::Snapshot => connection.swallowing.retain(|(held, _)| *held != symbol),
                Class::Book => {
                    let found = connection.swallowing.iter().position(|(held, _)| *held == symbol);
                    if let Some(at) = found {
                        let left = &mut connection.swallowing[at].1;
                        *left -= 1;
                        if *left == 0 {
                            connection.swallowing.remove(at);
                        }
                        return;
                    }
                }
                _ => {}
            }
        }
        self.mischief.messages += 1;
        let number = self.mischief.messages;
        let (venue, fields) = (self.venue, self.protocol.fields());
        let text = said.text();
        let field = fields.iter().find_map(|field| member(text, field));
        let checksum = member(text, "checksum");
        let waits = !connection.held.is_empty();
        let spared = self.mischief.plan.spares(class);
        let fault = self.mischief.plan.strike(number, &mut self.mischief.chance, |fault| {
            !spared
                && fault.hits(class, venue)
                && match fault {
                    Fault::FieldType => field.is_some(),
                    Fault::WrongChecksum => checksum.is_some(),
                    Fault::StaleSnapshot => said.older().is_some(),
                    Fault::Swap => !waits,
                    _ => true,
                }
        });
        let Some(fault) = fault else {
            self.deliver(id, Effect::Text(text.as_bytes().to_vec()));
            return self.release(id, class, symbol);
        };
        let symbol_name = symbol.map(|symbol| self.board.at(symbol).native.clone());
        self.mischief.struck(Strike {
            fault,
            at: self.clock,
            connection: Some(id),
            number,
            class: Some(class),
            symbol: symbol_name,
        });
        self.strike(id, fault, symbol, said, (field, checksum));
        if fault != Fault::Swap {
            self.release(id, class, symbol);
        }
    }

    fn strike(
        &mut self,
        id: ConnectionId,
        fault: Fault,
        symbol: Option<usize>,
        said: &Said,
        (field, checksum): (Option<Place>, Option<Place>),
    ) {
        let text = said.text();
        let bytes = text.as_bytes().to_vec();
        match fault {
            Fault::Drop => {}
            Fault::Gap => {
                let swallowing = self.connections.get_mut(&id).map(|held| &mut held.swallowing);
                if let (Some(swallowing), Some(symbol)) = (swallowing, symbol) {
                    swallowing.push((symbol, GAP_MESSAGES - 1));
                }
            }
            Fault::Double => {
                self.deliver(id, Effect::Text(bytes.clone()));
                self.deliver(id, Effect::Text(bytes));
            }
            Fault::Swap => {
                if let Some(connection) = self.connections.get_mut(&id) {
                    connection.held.push((symbol, bytes));
                }
            }
            Fault::Silence => {
                if let Some(connection) = self.connections.get_mut(&id) {
                    connection.silent = true;
                    connection.held.clear();
                }
                self.deliver(id, Effect::Silence);
            }
            Fault::CutMidFrame => {
                self.connections.remove(&id);
                let sent = self.mischief.chance.below(bytes.len() as u64) as usize;
                self.deliver(id, Effect::CutMidFrame { message: bytes, sent });
            }
            Fault::Cut => self.close(id, 1001, "going away"),
            Fault::Garbage => {
                let length = bytes.len().clamp(1, GARBAGE_MAX);
                let random = (0..length).map(|_| self.mischief.chance.below(256) as u8).collect();
                self.deliver(id, Effect::Text(random));
            }
            Fault::FieldType => {
                let other = ["true", r#"{"was":"moved"}"#];
                let other = other[self.mischief.chance.below(2) as usize];
                self.deliver(id, Effect::Text(replaced(text, field, other)));
            }
            Fault::WrongChecksum => {
                let wrong = checksum.and_then(|(from, to)| text[from..to].parse::<u32>().ok());
                let flipped = 1 + self.mischief.chance.below(u64::from(u32::MAX)) as u32;
                let wrong = wrong.map_or(0, |right| right ^ flipped).to_string();
                self.deliver(id, Effect::Text(replaced(text, checksum, &wrong)));
            }
            Fault::StaleSnapshot => {
                let older = said.older().unwrap_or(text).as_bytes().to_vec();
                self.deliver(id, Effect::Text(older));
            }
            // They strike requests, see `Exchange::request`.
            Fault::Rest429 | Fault::Rest5xx | Fault::RestSlow => {}
        }
    }

    /// Sends what waited for the message that was just dealt with. Where only books are hit, a
    /// message of a book waits for the next one of the same book.
    fn release(&mut self, id: ConnectionId, class: Class, symbol: Option<usize>) {
        let books_only = self.mischief.plan.spares(Class::Beat);
        let spared = self.mischief.plan.spares(class);
        let Some(connection) = self.connections.get_mut(&id) else { return };
        let ripe =
            |(of, _): &mut (Option<usize>, Vec<u8>)| !books_only || (!spared && *of == symbol);
        let ripe: Vec<_> = connection.held.extract_if(.., ripe).collect();
        for (_, message) in ripe {
            self.deliver(id, Effect::Text(message));
        }
    }
}

/// Where a value begins and ends in a message.
type Place = (usize, usize);

/// What would be sent if nothing went wrong.
enum Said {
    Text(String),
    Snapshot {
        text: String,
        /// The same of an earlier moment.
        older: Option<String>,
    },
}

impl Said {
    fn text(&self) -> &str {
        match self {
            Self::Text(text) | Self::Snapshot { text, .. } => text,
        }
    }

    fn older(&self) -> Option<&str> {
        match self {
            Self::Text(_) => None,
            Self::Snapshot { older, .. } => older.as_deref(),
        }
    }
}

fn replaced(text: &str, place: Option<Place>, other: &str) -> Vec<u8> {
    match place {
        Some((from, to)) => format!("{}{other}{}", &text[..from], &text[to..]).into_bytes(),
        None => text.as_bytes().to_vec(),
    }
}
