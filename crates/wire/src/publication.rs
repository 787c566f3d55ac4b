//! An event as one line of JSON, in the form in which `POST /publish` takes it.

use crate::Payload;
use crate::data_out;
use crate::writer::{Json, Writer};

/// What a symbol is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SymbolNames<'a> {
    /// As the venue spells it.
    pub native: &'a str,
    /// As topics spell it.
    pub canonical: &'a str,
}

/// Appends `{"topic":…,"data":…}` without a line break; `data` is as in a message to a client.
/// Where a symbol is named, `"symbol"` (the venue's own spelling) and `"canonical"` stand between
/// the two; whoever publishes the line need not take them out.
pub fn append_publication(
    out: &mut Vec<u8>,
    topic: &str,
    symbol: Option<SymbolNames<'_>>,
    payload: &Payload,
) {
    let mut out = Json(out);
    out.map(if symbol.is_some() { 4 } else { 2 });
    out.key("topic");
    out.text(topic);
    if let Some(SymbolNames { native, canonical }) = symbol {
        out.key("symbol");
        out.text(native);
        out.key("canonical");
        out.text(canonical);
    }
    out.key("data");
    data_out::payload(&mut out, payload);
    out.end_map();
}

#[cfg(test)]
mod tests {
    use market::{Event, Kind, Stamps, Status, VenueState};

    use super::*;
    use crate::CommandReader;

    #[test]
    fn what_is_written_can_be_published() {
        let stamps = Stamps { event: Some(3), received: 4, ..Stamps::default() };
        let reason = "a \"quoted\" one\n".into();
        let event = Event::Status(Status { state: VenueState::Resync, reason, stamps });
        let mut line = Vec::new();
        let symbol = SymbolNames { native: "a\"b", canonical: "A\"B" };
        for (symbol, beginning) in [
            (None, r#"{"topic":"status.x.A\"B","data":{"state":"resync""#),
            (
                Some(symbol),
                r#"{"topic":"status.x.A\"B","symbol":"a\"b","canonical":"A\"B","data":{"#,
            ),
        ] {
            line.clear();
            let payload = Payload::Market(event.clone());
            append_publication(&mut line, "status.x.A\"B", symbol, &payload);
            assert!(line.starts_with(beginning.as_bytes()));
            CommandReader::new(1).read_publication(&line, |publication| {
                let (topic, data) = publication.unwrap();
                assert_eq!(topic, "status.x.A\"B");
                assert_eq!(data.market(Kind::Status, 0).unwrap(), event);
            });
        }
    }
}
