//! The same load for tickwire and for what people would use instead, in one table.
//!
//! `plans` says what is run, `systems` who is measured and how it is started, `agenda` in which
//! order and for how long. `rounds` makes one run, `machine` watches the host meanwhile,
//! `interrupt` hears of signals, and `servers` ends what was started. `select` says which runs
//! count, `table` and `pairs` make figures of them, `judge` compares them with what was asked for,
//! and `report` writes it all. `programs` finds our own programs; `broadcast` is the small Rust
//! server that most people would write.

pub mod agenda;
pub mod broadcast;
pub mod interrupt;
pub mod judge;
pub mod machine;
pub mod pairs;
pub mod plans;
pub mod programs;
pub mod report;
pub mod rounds;
pub mod select;
pub mod servers;
pub mod systems;
pub mod table;
