//! Where a venue's feed goes to, and whether that is where the venue can be.

use feeds::adapter::Transport;
use feeds::venue::Venue;

use super::feed::Wrong;
use crate::config::settings::Feed;
use crate::feed::Scheme;

/// What is wrong with the address of a feed of `venue`.
pub(super) fn wrong(feed: &Feed, venue: Venue) -> Option<Wrong> {
    let (carrier, scheme) = match venue.transport() {
        Transport::WebSocket => ("a WebSocket", Scheme::Socket),
        Transport::Stream => ("TCP", Scheme::Stream),
        // Refused as a whole.
        Transport::Files => return None,
    };
    let (plain, secure) = scheme.pair();
    let message = if !feed.url.is_empty() {
        if scheme.begins(&feed.url) {
            return None;
        }
        let why = format!("{} is spoken over {carrier}", venue.name());
        format!("feed.url = \"{}\": {why}; allowed: {plain}:// or {secure}://", feed.url)
    } else if venue.transport() == Transport::Stream {
        let why = "missing: it comes with the subscription to the venue";
        format!("feed.url: {why}; allowed: {plain}://HOST:PORT")
    } else {
        return None;
    };
    Some(("url", message))
}
