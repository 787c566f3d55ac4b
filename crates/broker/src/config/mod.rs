//! The configuration: one table of settings, and the layers that set them.
//!
//! `settings` is the single source of truth: each setting has its section, key, type, default,
//! rule and one sentence of documentation there. The checked [`Config`], the defaults, the
//! reading of a file, of the environment and of flags, the output of `tickwire check-config`,
//! `config/tickwire.toml` and the tables in `docs/configuration.md` all come from it.
//!
//! A later layer wins over an earlier one: defaults, file, environment, flags. No layer stops
//! at its first mistake; [`Loader::finish`] reports all of them together:
//!
//! ```
//! use broker::config::{Loader, Origin};
//!
//! let mut loader = Loader::new();
//! loader.file("tickwire.toml", b"[websocket]\nping_interval = \"5s\"\n");
//! loader.environment([("TICKWIRE__LOG__LEVEL".to_owned(), "debug".to_owned())]);
//! loader.set("server.shards", "2", Origin::Flag("--shards"));
//! let effective = loader.finish()?;
//! assert_eq!(effective.config.server.shards, 2);
//! print!("{}", effective.to_toml());
//! # Ok::<(), broker::config::ConfigError>(())
//! ```
//!
//! Nothing here reads a file or the environment: the caller passes their contents in.

mod adapter;
mod check;
mod feed_keys;
mod file;
mod loader;
mod lookup;
mod problem;
mod quantity;
mod raw;
mod reference;
mod render;
mod rule;
mod settings;
mod syntax;
mod table;

#[cfg(test)]
mod tests;

pub use adapter::{FeedAdapter, Format};
pub use loader::{Effective, Loader};
pub use problem::{ConfigError, Origin, Problem};
pub use reference::{reference_tables, reference_toml};
pub use rule::{Secret, Symbols};
pub(crate) use rule::{parse_streams, parse_venue_segment};
pub use settings::{
    Config, Feed, History, Http, Log, LogFormat, LogLevel, Server, Shutdown, Subscriptions, Topics,
    WebSocket,
};
