//! The same load for tickwire and for what people would use instead, in one table.
//!
//! `plans` says what is run, `systems` who is measured and how it is started, `rounds` does it,
//! `machine` watches the host meanwhile, and `table` makes figures of it all. `broadcast` is the
//! small Rust server that most people would write.

pub mod broadcast;
pub mod machine;
pub mod plans;
pub mod rounds;
pub mod servers;
pub mod systems;
pub mod table;
