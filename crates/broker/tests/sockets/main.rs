//! The broker over real sockets: each promise, each rule of the fine print, each kind of bad input.
//!
//! Nothing in here sleeps in order to be in step: tests wait for what the broker says. Deadlines
//! are there only so that a failure does not hang.
#![expect(clippy::unwrap_used, reason = "in a test it is the failure")]

mod harness;

mod bad_input;
mod best_of_all;
mod connections;
mod feeds;
mod http;
mod limits;
mod load;
mod process;
mod recordings;
mod replays;
mod resume;
mod sizes;
mod slow_clients;
mod snapshot_and_live;
mod soup;
mod subscriptions;
mod venues;
mod violations;
