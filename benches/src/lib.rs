//! What the benchmarks are made of: events and registries for the micro-benchmarks, and servers,
//! sockets and figures for the table.
//!
//! - [`fixtures`]: events, books, registries and hubs; no socket.
//! - [`venues`]: messages in the venues' shapes.
//! - [`server`], [`floor`]: the broker and the bare send loop it is compared with, as processes.
//! - [`swarm`], [`publisher`], [`frames`]: thousands of subscribers that count, and one timetable.
//! - [`system`]: what the kernel says of a process and of this machine.
//! - [`figures`], [`report`]: the figures one by one, and how they are told.

pub mod figures;
pub mod fixtures;
pub mod floor;
pub mod frames;
pub mod publisher;
pub mod report;
pub mod server;
pub mod swarm;
pub mod system;
pub mod venues;
