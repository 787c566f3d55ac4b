//! The promises of the fan-out core, each told as a story: one hub, a few clients, no socket.

mod beginning;
mod ending;
mod replies;
mod resuming;
mod rig;
mod slow;
#[path = "../support/mod.rs"]
mod support;
