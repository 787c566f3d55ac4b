//! An event as one line of JSON, in the form in which `POST /publish` takes it.

use crate::Payload;
use crate::data_out;
use crate::writer::{Json, Writer};

/// Appends `{"topic":…,"data":…}` without a line break; `data` is as in a message to a client.
pub fn append_publication(out: &mut Vec<u8>, topic: &str, payload: &Payload) {
    let mut out = Json(out);
    out.map(2);
    out.key("topic");
    out.text(topic);
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
        append_publication(&mut line, "status.x.A\"B", &Payload::Market(event.clone()));
        assert!(line.starts_with(br#"{"topic":"status.x.A\"B","data":{"state":"resync""#));
        CommandReader::new(1).read_publication(&line, |publication| {
            let (topic, data) = publication.unwrap();
            assert_eq!(topic, "status.x.A\"B");
            assert_eq!(data.market(Kind::Status, 0).unwrap(), event);
        });
    }
}
