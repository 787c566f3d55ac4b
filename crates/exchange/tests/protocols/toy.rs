//! A small adapter for Bybit's books, for tests of the link: careful, or careless as many are.

use feeds::adapter::symbol::Spelling;
use feeds::adapter::{
    Adapter, Desk, DeskOptions, Fault, Input, Output, Proof, Rules, Streams, SymbolId, Transport,
};
use market::{BookDiff, Decimal, Level, Nanos, Stamps};
use serde_json::Value;

const RULES: Rules = Rules {
    transport: Transport::WebSocket,
    websocket: "wss://stream.example/v5/public/linear",
    rest: "",
    message_bytes: 1 << 20,
    messages_per_second: 20,
    connections: 100,
    connections_window: 1_000_000_000,
    streams: 100,
    lifetime: None,
    stale_after: 2_000_000_000,
    dead_after: 5_000_000_000,
};

/// Subscribes to books, and to nothing else.
#[derive(Debug)]
pub(crate) struct Toy {
    desk: Desk,
    last: Vec<Option<u64>>,
    /// Looks at the numbers.
    careful: bool,
}

impl Toy {
    pub(crate) fn new(symbols: &[&str], careful: bool) -> Box<Self> {
        let options = DeskOptions {
            venue: "toy".into(),
            symbols: symbols.iter().map(|symbol| (*symbol).to_owned()).collect(),
            streams: Streams { book: true, ..Streams::NONE },
            ..DeskOptions::default()
        };
        let desk = Desk::new(options, Spelling::Joined(&["USDT"]));
        Box::new(Self { desk, last: vec![None; symbols.len()], careful })
    }

    fn again(&mut self, id: SymbolId, fault: Fault, now: Nanos, out: &mut Output) {
        self.last[id.0 as usize] = None;
        self.desk.resync(id, fault, now, out);
        let topic = format!("orderbook.50.{}", self.desk.symbol(id).native);
        for operation in ["unsubscribe", "subscribe"] {
            out.send(format!(r#"{{"op":"{operation}","args":["{topic}"]}}"#));
        }
    }

    fn everything_again(&mut self, now: Nanos, out: &mut Output) {
        let all: Vec<SymbolId> = self.desk.symbols().map(|(id, _)| id).collect();
        for id in all {
            self.again(id, Fault::Malformed, now, out);
        }
    }

    fn book(&mut self, message: &Value, now: Nanos, out: &mut Output) -> Option<()> {
        let data = &message["data"];
        let id = self.desk.find(data["s"].as_str()?)?;
        let number = data["u"].as_u64()?;
        let side = |key: &str| -> Option<Vec<Level>> {
            let level = |level: &Value| {
                let number = |at: usize| Decimal::parse(level[at].as_str()?).ok();
                Some(Level { price: number(0)?, size: number(1)? })
            };
            data[key].as_array()?.iter().map(level).collect()
        };
        let (bids, asks) = (side("b")?, side("a")?);
        let reset = message["type"] == "snapshot";
        let last = &mut self.last[id.0 as usize];
        if self.careful && !reset {
            match *last {
                None => return Some(()),
                Some(last) if number <= last => return Some(()),
                Some(last) if number > last + 1 => {
                    self.again(id, Fault::Gap, now, out);
                    return Some(());
                }
                Some(_) => {}
            }
        }
        *last = Some(number);
        let stamps = Stamps { received: now, sequence: Some(number), ..Stamps::default() };
        let diff = BookDiff { reset, bids, asks, stamps };
        match self.desk.book(id, diff, None, |_| Proof::Sequence, out) {
            Ok(()) | Err(Fault::NoSnapshot) => {}
            Err(fault) => self.again(id, fault, now, out),
        }
        Some(())
    }
}

impl Adapter for Toy {
    fn handle(&mut self, input: Input<'_>, now: Nanos, out: &mut Output) {
        match input {
            Input::Connected => {
                self.last.fill(None);
                for (_, symbol) in self.desk.symbols() {
                    out.send(format!(
                        r#"{{"op":"subscribe","args":["orderbook.50.{}"]}}"#,
                        symbol.native
                    ));
                }
            }
            Input::Text(text) => {
                self.desk.heard(now, out);
                let message = serde_json::from_slice::<Value>(text).unwrap_or_default();
                if message.get("op").is_none() && self.book(&message, now, out).is_none() {
                    self.desk.counts.malformed += 1;
                    self.everything_again(now, out);
                }
            }
            Input::Disconnected { reason } => self.desk.disconnected(reason, now, out),
            _ => {}
        }
    }

    fn desk(&self) -> &Desk {
        &self.desk
    }

    fn rules(&self) -> &'static Rules {
        &RULES
    }
}
