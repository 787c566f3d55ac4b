//! Values that are good each on its own and do not go together.

mod address;
mod feed;

use std::collections::HashMap;

use super::loader::{Loader, Origins};
use super::problem::Origin;
use super::quantity::show_time;

/// Adds a problem for each pair of values that do not go together.
pub(super) fn together(loader: &mut Loader) {
    remote_listener(loader);
    idle_before_ping(loader);
    same_venue(loader);
    feed::each(loader);
}

/// Without rights, an open port means that anyone may publish prices.
fn remote_listener(loader: &mut Loader) {
    let server = &loader.config.server;
    let loopback = server.listen.ip().to_canonical().is_loopback();
    if loopback || server.allow_remote || refused(loader, &["server.listen", "server.allow_remote"])
    {
        return;
    }
    let message = format!(
        "server.listen = \"{}\": other machines reach this address, and whoever reaches the \
         listener may publish to any topic, for there are no rights yet; to open it nevertheless, \
         set server.allow_remote = true (or TICKWIRE__SERVER__ALLOW_REMOTE=true); allowed without \
         it: loopback addresses, such as \"127.0.0.1:{port}\" or \"[::1]:{port}\"",
        server.listen,
        port = server.listen.port(),
    );
    let origin = loader.origins.get("server.listen");
    loader.problem(origin, "server.listen", message);
}

/// A peer that only answers pings must not be taken for dead between two of them.
fn idle_before_ping(loader: &mut Loader) {
    const IDLE: &str = "websocket.idle_timeout";
    const PING: &str = "websocket.ping_interval";
    let websocket = &loader.config.websocket;
    let (idle, ping) = (websocket.idle_timeout, websocket.ping_interval);
    if idle > ping || refused(loader, &[IDLE, PING]) {
        return;
    }
    let (of_idle, of_ping) = (loader.origins.get(IDLE), loader.origins.get(PING));
    // The one that was set last is to blame, above all if the other is a default.
    let blame_ping = of_ping.rank() > of_idle.rank();
    let (idle, ping) = (show_time(idle), show_time(ping));
    let (key, origin, message) = if blame_ping {
        let why = format!(
            "{PING} = \"{ping}\": not shorter than {IDLE}, \"{idle}\" ({of_idle}); a live peer \
             would be closed between two pings; allowed: less than \"{idle}\""
        );
        (PING, of_ping, why)
    } else {
        let why = format!(
            "{IDLE} = \"{idle}\": not longer than {PING}, \"{ping}\" ({of_ping}); a live peer \
             would be closed between two pings; allowed: more than \"{ping}\""
        );
        (IDLE, of_idle, why)
    };
    loader.problem(origin, key, message);
}

/// Two feeds of one venue would publish into the same topics.
fn same_venue(loader: &mut Loader) {
    let mut first: HashMap<String, Origin> = HashMap::new();
    let mut doubles = Vec::new();
    for (index, feed) in loader.config.feeds.iter().enumerate() {
        let origin = match loader.origins.get(&Origins::feed_path(index, "venue")) {
            // A feed that names no venue is at least in a place of the file.
            Origin::Default => loader.origins.get(&Origins::feed_path(index, "")),
            set => set,
        };
        match first.get(&feed.venue) {
            Some(other) => doubles.push((feed.venue.clone(), origin, other.clone())),
            None => {
                first.insert(feed.venue.clone(), origin);
            }
        }
    }
    for (venue, origin, other) in doubles {
        let message = format!(
            "feed.venue = \"{venue}\": the venue of another feed already ({other}); allowed: a \
             venue of its own for each feed"
        );
        loader.problem(origin, "feed.venue", message);
    }
}

/// Whether one of the keys was refused, so that its value here is not the one that was written.
pub(super) fn refused(loader: &Loader, keys: &[&str]) -> bool {
    loader.problems.iter().any(|problem| keys.contains(&problem.key.as_str()))
}
