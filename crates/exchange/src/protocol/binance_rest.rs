//! Binance spot's REST interface, as far as market data needs it.

use market::{BookSide, Decimal};

use super::binance::{DIGITS, level};
use super::{Scene, millis};
use crate::board::Listed;
use crate::connection::Reply;
use crate::history::Moment;
use crate::writing::{Padded, list};

/// How many states back an outdated snapshot is, or the oldest that is kept: older than what a
/// client holds that has waited some seconds for its turn to ask.
const STALE_STEPS: u64 = 2048;
/// Most levels of a snapshot, and how many come unless more are asked for.
const LEVELS: (usize, usize) = (5000, 100);

/// A parameter of a query.
fn parameter<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    query.split('&').find_map(|part| part.strip_prefix(name)?.strip_prefix('='))
}

/// The state of a book that an outdated snapshot is of.
fn older(listed: &Listed) -> Option<Moment> {
    listed.before(listed.live.number, STALE_STEPS)
}

/// Whether a request is for a book that was another before.
pub(super) fn has_older(target: &str, scene: &Scene<'_>) -> bool {
    let query = target.strip_prefix("/api/v3/depth?");
    let symbol = query.and_then(|query| scene.board.find(parameter(query, "symbol")?));
    symbol.is_some_and(|symbol| older(scene.board.at(symbol)).is_some())
}

/// Answers a request, path and query.
pub(super) fn answer(target: &str, stale: bool, scene: &Scene<'_>) -> Reply {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let parameter = |name: &str| parameter(query, name);
    match path {
        "/api/v3/ping" => Reply::new(200, "{}"),
        "/api/v3/time" => Reply::new(200, format!(r#"{{"serverTime":{}}}"#, millis(scene.now))),
        "/api/v3/depth" => {
            let Some(symbol) = parameter("symbol").filter(|symbol| !symbol.is_empty()) else {
                let said =
                    "Mandatory parameter 'symbol' was not sent, was empty/null, or malformed.";
                return refusal(-1102, said);
            };
            let limit = match parameter("limit").map(str::parse::<usize>) {
                None => LEVELS.1,
                Some(Ok(limit)) => limit.clamp(1, LEVELS.0),
                Some(Err(_)) => {
                    return refusal(-1100, "Illegal characters found in parameter 'limit'.");
                }
            };
            let Some(symbol) = scene.board.find(symbol) else {
                return refusal(-1121, "Invalid symbol.");
            };
            let listed = scene.board.at(symbol);
            let older = if stale { older(listed) } else { None };
            Reply::new(200, depth(older.as_ref().unwrap_or(&listed.live), limit))
        }
        "/api/v3/exchangeInfo" => {
            let wanted = |listed: &&Listed| {
                let quoted = format!("%22{}%22", listed.native);
                parameter("symbol").is_none_or(|symbol| symbol == listed.native)
                    && parameter("symbols").is_none_or(|symbols| {
                        symbols.contains(&quoted) || symbols.contains(&quoted.replace("%22", "\""))
                    })
            };
            let found: Vec<&Listed> = scene.board.symbols().iter().filter(wanted).collect();
            if found.is_empty() {
                return refusal(-1121, "Invalid symbol.");
            }
            let body = format!(
                r#"{{"timezone":"UTC","serverTime":{},"rateLimits":[{{"rateLimitType":"REQUEST_WEIGHT","interval":"MINUTE","intervalNum":1,"limit":6000}}],"exchangeFilters":[],"symbols":{}}}"#,
                millis(scene.now),
                list(found, symbol)
            );
            Reply::new(200, body)
        }
        _ => Reply::new(404, r#"{"code":-1,"msg":"Not Found"}"#),
    }
}

fn refusal(code: i32, said: &str) -> Reply {
    Reply::new(400, format!(r#"{{"code":{code},"msg":"{said}"}}"#))
}

/// A book with its number.
pub(super) fn depth(moment: &Moment, limit: usize) -> String {
    let side = |side| list(moment.book.levels(side).take(limit), level);
    let (bids, asks) = (side(BookSide::Bid), side(BookSide::Ask));
    format!(r#"{{"lastUpdateId":{},"bids":{bids},"asks":{asks}}}"#, moment.number)
}

fn symbol(listed: &Listed) -> String {
    let unit = |scale| Padded(Decimal::new(1, scale).unwrap_or(Decimal::ZERO), DIGITS);
    let (tick, lot) = (unit(listed.scales.0), unit(listed.scales.1));
    format!(
        concat!(
            r#"{{"symbol":"{}","status":"TRADING","baseAsset":"{}","baseAssetPrecision":8,"#,
            r#""quoteAsset":"{}","quotePrecision":8,"quoteAssetPrecision":8,"#,
            r#""orderTypes":["LIMIT","MARKET"],"isSpotTradingAllowed":true,"#,
            r#""filters":[{{"filterType":"PRICE_FILTER","minPrice":"{}","maxPrice":"9000000.00000000","tickSize":"{}"}},"#,
            r#"{{"filterType":"LOT_SIZE","minQty":"{}","maxQty":"90000000000.00000000","stepSize":"{}"}}],"#,
            r#""permissions":["SPOT"]}}"#,
        ),
        listed.native,
        listed.base_currency(),
        listed.quote_currency,
        tick,
        tick,
        lot,
        lot
    )
}
