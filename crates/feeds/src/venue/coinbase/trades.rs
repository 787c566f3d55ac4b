//! Executions and quotes of one message: each execution once, however often the venue tells of it.

use market::{Flags, Nanos, Quote, Stamps, Trade};

use super::Coinbase;
use super::read::{self, Head};
use crate::adapter::json::{JsonError, Reader, Result};
use crate::adapter::time::rfc3339;
use crate::adapter::{Output, SymbolId};

/// Which executions of a product were published.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct TradeIds {
    /// The newest; 0 before the first.
    newest: u64,
    /// The newest of the last snapshot: the stream may repeat those up to it.
    repeated: u64,
}

/// What the parts of one message share.
pub(super) struct Context<'a, 'o> {
    pub(super) head: &'a Head<'a>,
    pub(super) message: &'a [u8],
    pub(super) now: Nanos,
    pub(super) out: &'o mut Output,
}

impl Context<'_, '_> {
    pub(super) fn stamps(&self, time: Option<&str>) -> Stamps {
        let event = time.and_then(rfc3339);
        let flags = if event.is_none() { Flags::BAD_TIMESTAMP } else { Flags::none() };
        Stamps { event, received: self.now, sequence: self.head.sequence, flags }
    }
}

impl Coinbase {
    /// One message of `market_trades`. The venue writes the newest first.
    pub(super) fn trades(
        &mut self,
        reader: &mut Reader<'_>,
        context: &mut Context<'_, '_>,
    ) -> Result<()> {
        let mut executions = std::mem::take(&mut self.executions);
        let mut snapshot = false;
        let read = read::members(reader, "trades", &mut snapshot, |reader| {
            let start = reader.clone();
            match read::execution(reader) {
                Ok(execution) => {
                    let Some(id) = self.symbol(execution.product) else { return Ok(()) };
                    let trade = Trade {
                        price: execution.price,
                        size: execution.size,
                        side: execution.side,
                        trade_id: execution.trade_id.into(),
                        stamps: context.stamps(Some(execution.time)),
                    };
                    executions.push((id, execution.trade_id.parse().ok(), trade));
                }
                Err(error) => self.unreadable(error, start, reader, context)?,
            }
            Ok(())
        });
        let age = |(id, number, _): &(SymbolId, Option<u64>, Trade)| (*id, *number);
        if !executions.is_sorted_by_key(age) {
            executions.sort_by_key(age);
        }
        if snapshot {
            self.join(&executions);
        }
        for (id, number, trade) in executions.drain(..) {
            let ids = self.trades.of(id);
            let known = if snapshot { ids.newest } else { ids.repeated };
            if number.is_some_and(|number| number <= known) {
                continue;
            }
            ids.newest = ids.newest.max(number.unwrap_or_default());
            self.desk.trade(id, trade, context.out);
        }
        self.executions = executions;
        read
    }

    /// Takes a snapshot's executions, oldest first. One that reaches back to what was published
    /// fills what was missed since.
    fn join(&mut self, executions: &[(SymbolId, Option<u64>, Trade)]) {
        for &(id, number, _) in executions {
            let Some(number) = number else { continue };
            let ids = self.trades.of(id);
            ids.repeated = ids.repeated.max(number);
            if ids.newest > 0 && number <= ids.newest.saturating_add(1) {
                self.desk.caught_up(id);
            }
        }
    }

    pub(super) fn ticker(
        &mut self,
        reader: &mut Reader<'_>,
        context: &mut Context<'_, '_>,
    ) -> Result<()> {
        let start = reader.clone();
        match read::ticker(reader) {
            Ok(ticker) => {
                let Some(id) = self.symbol(ticker.product) else { return Ok(()) };
                let stamps = context.stamps(context.head.timestamp);
                let quote = Quote { bid: ticker.bid, ask: ticker.ask, stamps };
                self.desk.quote(id, quote, context.out);
                Ok(())
            }
            Err(error) => self.unreadable(error, start, reader, context),
        }
    }

    /// Passes over a trade or a ticker that cannot be read.
    fn unreadable<'a>(
        &mut self,
        error: JsonError,
        start: Reader<'a>,
        reader: &mut Reader<'a>,
        context: &mut Context<'_, '_>,
    ) -> Result<()> {
        *reader = start;
        let product = read::product(reader)?;
        self.desk.malformed(error, context.message, context.now, context.out);
        let trades = context.head.channel == Some("market_trades");
        match product.and_then(|product| self.symbol(product)) {
            Some(id) => {
                self.desk.counts_of(id).malformed += 1;
                if trades {
                    self.desk.missed_trades(id);
                }
            }
            None if trades && product.is_none() => self.missed_trades(),
            None => {}
        }
        Ok(())
    }
}
