//! What each venue's protocol promises, checked by a small reader that knows nothing of how it is
//! written, and what each fault breaks.

#![expect(clippy::unwrap_used, reason = "a test that cannot read a message has failed")]

mod binance;
mod bybit;
mod client;
mod coinbase;
mod determinism;
mod faults;
mod hostile;
mod kraken;
mod link;
mod okx;
mod toy;
