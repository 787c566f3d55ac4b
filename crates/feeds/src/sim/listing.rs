//! The symbols of the exchange: names, start prices, ticks and lots.

use super::chance::Chance;

/// A symbol and the units it trades in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Listing {
    /// Such as `BTC-USD`.
    pub(super) name: String,
    /// Price the run starts at, in ticks: 1 200 to 1 000 000, so that a price step is fine
    /// enough to look real and a full book finds room below the price.
    pub(super) start_ticks: i64,
    /// Digits of a price after the point: a tick is `10^-price_scale`.
    pub(super) price_scale: u32,
    /// Digits of a size after the point: a lot is `10^-size_scale`.
    pub(super) size_scale: u32,
}

/// Name, start price in ticks, price scale, size scale; the most popular first.
const NAMED: [(&str, i64, u32, u32); 40] = [
    ("BTC-USD", 974_120, 1, 8),
    ("ETH-USD", 335_418, 2, 8),
    ("SOL-USD", 18_247, 2, 6),
    ("XRP-USD", 218_430, 5, 4),
    ("DOGE-USD", 183_420, 6, 2),
    ("BNB-USD", 64_015, 2, 6),
    ("SHIB-USD", 1_234, 8, 0),
    ("ADA-USD", 742_160, 6, 4),
    ("LINK-USD", 168_240, 4, 5),
    ("AVAX-USD", 24_318, 3, 5),
    ("LTC-USD", 10_135, 2, 6),
    ("DOT-USD", 51_240, 4, 5),
    ("TRX-USD", 241_530, 6, 3),
    ("SUI-USD", 32_145, 4, 4),
    ("BCH-USD", 39_842, 2, 6),
    ("XLM-USD", 312_850, 6, 4),
    ("UNI-USD", 8_412, 3, 5),
    ("AAVE-USD", 21_473, 2, 6),
    ("NEAR-USD", 34_152, 4, 4),
    ("PEPE-USD", 9_871, 9, 0),
    ("ATOM-USD", 52_143, 4, 5),
    ("ETC-USD", 21_486, 3, 5),
    ("FIL-USD", 38_127, 4, 4),
    ("APT-USD", 71_235, 4, 4),
    ("ARB-USD", 42_158, 5, 3),
    ("OP-USD", 98_740, 5, 3),
    ("INJ-USD", 13_642, 3, 5),
    ("HBAR-USD", 18_453, 5, 2),
    ("ICP-USD", 7_842, 3, 5),
    ("ALGO-USD", 26_147, 5, 3),
    ("SEI-USD", 28_416, 5, 2),
    ("TIA-USD", 41_873, 4, 4),
    ("MKR-USD", 15_206, 1, 7),
    ("CRV-USD", 51_248, 5, 3),
    ("GRT-USD", 12_483, 5, 2),
    ("LDO-USD", 11_437, 4, 4),
    ("COMP-USD", 5_842, 2, 6),
    ("IMX-USD", 72_145, 5, 3),
    ("FET-USD", 84_126, 5, 3),
    ("BONK-USD", 2_145, 8, 0),
];

/// What usually lies at one price, in whole units of the quote currency.
const TYPICAL_VALUE: i64 = 8_000;

impl Listing {
    /// The symbol at `index`: a well-known pair, or beyond them `SYM0041-USD` and so on at a
    /// price drawn from `chance`.
    pub(super) fn at(index: usize, chance: &mut Chance) -> Self {
        if let Some(&(name, start_ticks, price_scale, size_scale)) = NAMED.get(index) {
            return Self { name: name.to_owned(), start_ticks, price_scale, size_scale };
        }
        Self {
            name: format!("SYM{:04}-USD", index + 1),
            start_ticks: 2_000 + chance.below(700_000).cast_signed(),
            price_scale: 2 + chance.below(4) as u32,
            size_scale: 4,
        }
    }

    /// Typical size of one price level, in lots.
    pub(super) fn typical_lots(&self) -> i64 {
        let scale = 10_i64.pow(self.price_scale + self.size_scale);
        (TYPICAL_VALUE * scale / self.start_ticks).max(20)
    }

    /// Typical distance of two neighbouring levels, in ticks.
    pub(super) fn spacing(&self) -> i64 {
        (self.start_ticks / 100_000).max(1)
    }
}

/// The share of the exchange's activity that the symbol at `index` has, compared with others.
pub(super) fn popularity(index: usize) -> u64 {
    1_000_000 / (10 + index as u64)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use market::Decimal;

    use super::super::SimOptions;
    use super::*;

    fn all() -> Vec<Listing> {
        let mut chance = Chance::new(1, "sim", 0);
        (0..SimOptions::SYMBOLS_MAX).map(|index| Listing::at(index, &mut chance)).collect()
    }

    #[test]
    fn names_are_unique_and_go_on_beyond_the_list() {
        let all = all();
        let names: HashSet<&str> = all.iter().map(|listing| listing.name.as_str()).collect();
        assert_eq!(names.len(), all.len());
        assert_eq!((all[0].name.as_str(), all[39].name.as_str()), ("BTC-USD", "BONK-USD"));
        assert_eq!((all[40].name.as_str(), all[499].name.as_str()), ("SYM0041-USD", "SYM0500-USD"));
    }

    #[test]
    fn prices_are_what_people_write() {
        let price = |index: usize| {
            let listing = &all()[index];
            Decimal::new(listing.start_ticks, listing.price_scale).unwrap().to_string()
        };
        assert_eq!([price(0), price(1), price(6)], ["97412.0", "3354.18", "0.00001234"]);
    }

    #[test]
    fn every_price_leaves_room_for_the_deepest_book() {
        for listing in all() {
            assert!((1_200..=1_000_000).contains(&listing.start_ticks), "{listing:?}");
            let widest = SimOptions::DEPTH_MAX as i64 * (2 * listing.spacing() - 1);
            assert!(listing.start_ticks / 2 - widest > 50, "{listing:?}");
            assert!(listing.typical_lots() < 1 << 40, "{listing:?}");
        }
    }
}
