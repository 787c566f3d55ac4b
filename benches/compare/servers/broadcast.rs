//! The broadcast server as a program: `broadcast-server <port>`.

use anyhow::Context as _;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let port = std::env::args().nth(1).context("usage: broadcast-server <port>")?;
    let port: u16 = port.parse().context("the port must be a number")?;
    // Each socket is a file, and thousands of them are the point.
    rlimit::increase_nofile_limit(u64::MAX).context("cannot raise the limit of open files")?;
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await?;
    compare::broadcast::serve(listener).await
}
