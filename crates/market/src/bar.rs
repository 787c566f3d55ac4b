//! Bars: open, high, low, close and volume of an interval, built from trades.

use crate::{Decimal, Nanos, Stamps, Trade};

/// One finished interval.
#[derive(Debug, Clone, PartialEq)]
pub struct Bar {
    /// First nanosecond of the interval, a multiple of its length.
    pub start: Nanos,
    /// Price of the first trade.
    pub open: Decimal,
    /// Highest price.
    pub high: Decimal,
    /// Lowest price.
    pub low: Decimal,
    /// Price of the last trade.
    pub close: Decimal,
    /// Sum of the sizes.
    pub volume: Decimal,
    /// How many trades.
    pub trades: u64,
    /// When the bar was finished.
    pub stamps: Stamps,
}

/// Builds bars of one symbol from its trades. An interval without a trade has no bar.
#[derive(Debug, Clone)]
pub struct BarBuilder {
    interval: Nanos,
    open: Option<Bar>,
    /// End of the last interval that was finished.
    over: Nanos,
}

impl BarBuilder {
    /// Bars of `interval` nanoseconds, aligned to the epoch.
    ///
    /// # Panics
    /// When `interval` is 0.
    #[must_use]
    pub fn new(interval: Nanos) -> Self {
        assert!(interval > 0, "a bar needs a length");
        Self { interval, open: None, over: 0 }
    }

    /// Adds a trade at the venue's time of it, or else ours; see [`BarBuilder::add_at`].
    pub fn add(&mut self, trade: &Trade) -> Option<Bar> {
        self.add_at(trade.stamps.event.unwrap_or(trade.stamps.received), trade)
    }

    /// Adds a trade that happened at `time`; returns the bar it finished, if `time` lies in a
    /// later interval. A trade from an interval already finished counts into the open one, or if
    /// there is none, into the one after the last: bars are never reopened. A volume too large to
    /// keep exactly stays at the largest exact sum. The bar has the flags of all its trades.
    pub fn add_at(&mut self, time: Nanos, trade: &Trade) -> Option<Bar> {
        let finished = self.finish(time, trade.stamps.received);
        match &mut self.open {
            Some(bar) => {
                bar.high = bar.high.max(trade.price);
                bar.low = bar.low.min(trade.price);
                bar.close = trade.price;
                bar.volume = bar.volume.checked_add(trade.size).unwrap_or(bar.volume);
                bar.trades += 1;
                bar.stamps.flags = bar.stamps.flags.with(trade.stamps.flags);
            }
            None => {
                let time = time.max(self.over);
                self.open = Some(Bar {
                    start: time - time % self.interval,
                    open: trade.price,
                    high: trade.price,
                    low: trade.price,
                    close: trade.price,
                    volume: trade.size,
                    trades: 1,
                    stamps: Stamps { flags: trade.stamps.flags, ..Stamps::default() },
                });
            }
        }
        finished
    }

    /// Finishes the open bar if its interval is over at `time`; `received` becomes its stamp.
    pub fn finish(&mut self, time: Nanos, received: Nanos) -> Option<Bar> {
        let end = self.open_until().filter(|end| *end <= time)?;
        let mut bar = self.open.take()?;
        self.over = end;
        bar.stamps = Stamps { event: Some(end), received, ..bar.stamps };
        Some(bar)
    }

    /// When the interval of the open bar ends; `None` while there is none.
    #[must_use]
    pub fn open_until(&self) -> Option<Nanos> {
        Some(self.open.as_ref()?.start.saturating_add(self.interval))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Aggressor, Flags};

    fn trade(price: &str, size: &str, event: Nanos) -> Trade {
        Trade {
            price: Decimal::parse(price).unwrap(),
            size: Decimal::parse(size).unwrap(),
            side: Aggressor::Buy,
            trade_id: "1".into(),
            stamps: Stamps { event: Some(event), received: event, ..Stamps::default() },
        }
    }

    #[test]
    fn a_bar_ends_with_the_first_trade_after_it() {
        let mut builder = BarBuilder::new(1_000);
        assert_eq!(builder.add(&trade("10.0", "1", 1_100)), None);
        assert_eq!(builder.add(&trade("12.0", "2", 1_200)), None);
        assert_eq!(builder.add(&trade("9.0", "0.5", 1_999)), None);
        let bar = builder.add(&trade("11.0", "1", 3_000)).unwrap();
        assert_eq!((bar.start, bar.trades, bar.stamps.event), (1_000, 3, Some(2_000)));
        let texts = [bar.open, bar.high, bar.low, bar.close, bar.volume].map(|d| d.to_string());
        assert_eq!(texts, ["10.0", "12.0", "9.0", "9.0", "3.5"]);
    }

    #[test]
    fn silence_ends_a_bar_too_and_makes_none() {
        let mut builder = BarBuilder::new(1_000);
        assert_eq!(builder.finish(5_000, 5_000), None);
        assert_eq!(builder.add(&trade("10.0", "1", 1_100)), None);
        assert_eq!(builder.finish(1_999, 1_999), None);
        assert_eq!(builder.open_until(), Some(2_000));
        assert!(builder.finish(2_000, 2_000).is_some());
        assert_eq!(builder.finish(3_000, 3_000), None);
        assert_eq!(builder.open_until(), None);
    }

    #[test]
    fn a_late_trade_opens_no_bar_a_second_time() {
        let mut builder = BarBuilder::new(1_000);
        assert_eq!(builder.add(&trade("10.0", "1", 1_100)), None);
        assert!(builder.finish(2_000, 2_500).is_some());
        assert_eq!(builder.add(&trade("11.0", "1", 1_900)), None);
        let bar = builder.add(&trade("12.0", "1", 3_000)).unwrap();
        assert_eq!((bar.start, bar.trades), (2_000, 1));
    }

    #[test]
    fn a_bar_has_the_flags_of_its_trades() {
        let mut builder = BarBuilder::new(1_000);
        let mut missed = trade("10.0", "1", 1_100);
        missed.stamps.flags = Flags::GAP_BEFORE;
        assert_eq!(builder.add(&trade("10.0", "1", 1_050)), None);
        assert_eq!(builder.add(&missed), None);
        assert_eq!(
            builder.add(&trade("10.0", "1", 2_050)).unwrap().stamps.flags,
            Flags::GAP_BEFORE
        );
        assert_eq!(builder.finish(3_000, 3_000).unwrap().stamps.flags, Flags::none());
    }
}
