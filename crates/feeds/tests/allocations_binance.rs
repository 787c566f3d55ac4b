//! What reading costs in allocations: none for a quote, the text of its id for a trade.

use feeds::adapter::{Adapter, DeskOptions, Input, Output};
use feeds::venue::Venue;

fn allocations(adapter: &mut dyn Adapter, texts: &[String], out: &mut Output) -> u64 {
    let info = allocation_counter::measure(|| {
        for text in texts {
            adapter.handle(Input::Text(text.as_bytes()), 1_700_000_000_000_000_000, out);
            out.updates.clear();
        }
    });
    info.count_total
}

#[test]
fn trades_and_quotes_allocate_nothing_but_the_id() {
    let symbols = vec!["AAAUSDT".to_owned()];
    let options = DeskOptions { venue: "x".into(), symbols, ..DeskOptions::default() };
    let mut adapter = "binance".parse::<Venue>().unwrap().adapter(options);
    let trade = |id: u32| {
        format!(
            r#"{{"stream":"aaausdt@trade","data":{{"e":"trade","E":1700000000123,"s":"AAAUSDT","t":{id},"p":"61837.63000000","q":"0.02000000","T":1700000000120,"m":true,"M":true}}}}"#
        )
    };
    let quote = |id: u32| {
        format!(
            r#"{{"stream":"aaausdt@bookTicker","data":{{"u":{id},"s":"AAAUSDT","b":"61837.63000000","B":"3.78826000","a":"61837.64000000","A":"1.54698000"}}}}"#
        )
    };
    let mut out = Output::default();
    adapter.handle(Input::Connected, 0, &mut out);
    // The first of each makes its topic.
    let first = [trade(1), quote(1)];
    allocations(&mut *adapter, &first, &mut out);
    let trades: Vec<String> = (2..1_002).map(trade).collect();
    let quotes: Vec<String> = (2..1_002).map(quote).collect();
    assert_eq!(allocations(&mut *adapter, &trades, &mut out), 1_000);
    assert_eq!(allocations(&mut *adapter, &quotes, &mut out), 0);
    let counts = adapter.desk().symbols().next().unwrap().1.counts;
    assert_eq!((counts.trades, counts.quotes), (1_001, 1_001));
}
