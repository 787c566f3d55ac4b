//! Where the server is, from its URL.

use std::net::{SocketAddr, ToSocketAddrs as _};

use anyhow::{Context as _, bail, ensure};

use crate::protocol::{self, Dialect};

/// Where the server is.
#[derive(Debug, Clone)]
pub struct Target {
    /// The address that sockets connect to.
    pub address: SocketAddr,
    /// Host and port as in the URL.
    pub authority: String,
    /// Path and query.
    pub path: String,
    /// How it is spoken to; `None`: in tickwire's own protocol.
    pub dialect: Option<&'static dyn Dialect>,
}

impl Target {
    /// The server of `url`, such as `ws://127.0.0.1:8080/ws`; `nats+ws://…` and the like say that
    /// it is another one ([`protocol`]).
    ///
    /// # Errors
    /// When it is no such URL, or its host has no address.
    pub fn parse(url: &str) -> anyhow::Result<Self> {
        let (dialect, plain) = match protocol::of_url(url) {
            Some((dialect, plain)) => (Some(dialect), plain),
            None => (None, url),
        };
        let Some(rest) = plain.strip_prefix("ws://") else {
            if url.starts_with("wss://") {
                bail!("--url {url}: TLS is not supported yet, only ws://");
            }
            bail!("--url {url}: it must begin with ws://, as in ws://127.0.0.1:8080/ws");
        };
        let (authority, path) = match rest.find('/') {
            Some(at) => rest.split_at(at),
            None => (rest, "/"),
        };
        ensure!(!authority.is_empty(), "--url {url}: it names no host");
        let clean = path.bytes().all(|byte| byte.is_ascii_graphic());
        ensure!(clean, "--url {url}: a space or a special character in the path");
        let with_port = match authority.rsplit_once(':') {
            Some((_, port)) if !port.ends_with(']') => authority.to_owned(),
            _ => format!("{authority}:80"),
        };
        let address = with_port
            .to_socket_addrs()
            .with_context(|| format!("--url {url}: {authority} is no host and port"))?
            .next()
            .with_context(|| format!("--url {url}: {authority} has no address"))?;
        Ok(Self { address, authority: authority.into(), path: path.into(), dialect })
    }
}
