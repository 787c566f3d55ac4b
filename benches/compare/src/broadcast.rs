//! tokio-tungstenite with tokio's broadcast channel, a task for each connection: what most people
//! write in Rust.
//!
//! Subscribers connect to `/sub/<topic>,<topic>`, publishers to `/pub`; what a publisher sends is
//! a topic, a space and a text, and the text goes to all who connected for the topic.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::stream::select_all;
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::broadcast;
use tokio_stream::wrappers::BroadcastStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};

/// Events that a subscriber may be behind before it loses some: generous for a burst.
const BEHIND_MAX: usize = 4096;

type Topics = Arc<Mutex<HashMap<String, broadcast::Sender<Utf8Bytes>>>>;

/// What a connection is for, by its path.
enum Role {
    Publisher,
    Subscriber(Vec<broadcast::Receiver<Utf8Bytes>>),
}

/// Accepts until the listener fails.
///
/// # Errors
/// When accepting fails.
pub async fn serve(listener: TcpListener) -> anyhow::Result<()> {
    let topics = Topics::default();
    loop {
        let (stream, _) = listener.accept().await?;
        let topics = Arc::clone(&topics);
        // A connection that fails ends, and concerns nobody else.
        drop(tokio::spawn(async move { connection(stream, topics).await }));
    }
}

// The type of the refusal is tungstenite's.
#[expect(clippy::result_large_err, reason = "tungstenite's callback returns a whole response")]
async fn connection(stream: TcpStream, topics: Topics) -> anyhow::Result<()> {
    stream.set_nodelay(true)?;
    let mut role = Role::Publisher;
    let look = |request: &Request, response: Response| -> Result<Response, ErrorResponse> {
        // Before the answer, so that nothing is missed once it is out.
        if let Some(names) = request.uri().path().strip_prefix("/sub/") {
            let names = names.split(',');
            role = Role::Subscriber(names.map(|name| channel(&topics, name).subscribe()).collect());
        }
        Ok(response)
    };
    let socket = tokio_tungstenite::accept_hdr_async(stream, look).await?;
    match role {
        Role::Publisher => publisher(socket, &topics).await,
        Role::Subscriber(events) => subscriber(socket, events).await,
    }
}

fn channel(topics: &Topics, name: &str) -> broadcast::Sender<Utf8Bytes> {
    let mut topics = topics.lock().unwrap_or_else(PoisonError::into_inner);
    topics.entry(name.to_owned()).or_insert_with(|| broadcast::channel(BEHIND_MAX).0).clone()
}

async fn publisher(mut socket: WebSocketStream<TcpStream>, topics: &Topics) -> anyhow::Result<()> {
    while let Some(message) = socket.next().await {
        if let Message::Text(text) = message?
            && let Some((topic, body)) = text.as_str().split_once(' ')
        {
            // Nobody there is no error.
            drop(channel(topics, topic).send(body.into()));
        }
    }
    Ok(())
}

async fn subscriber(
    socket: WebSocketStream<TcpStream>,
    events: Vec<broadcast::Receiver<Utf8Bytes>>,
) -> anyhow::Result<()> {
    let (mut sink, mut inbound) = socket.split();
    let mut events = select_all(events.into_iter().map(BroadcastStream::new));
    loop {
        tokio::select! {
            event = events.next() => match event {
                Some(Ok(text)) => sink.send(Message::Text(text)).await?,
                // Fell behind: what was missed is gone.
                Some(Err(_)) => {}
                None => return Ok(()),
            },
            message = inbound.next() => match message {
                Some(message) => drop(message?),
                None => return Ok(()),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio_tungstenite::connect_async;

    #[tokio::test]
    async fn a_text_goes_to_all_who_connected_for_its_topic() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("ws://{}", listener.local_addr().unwrap());
        let server = tokio::spawn(serve(listener));
        let connect = |path: &str| {
            let url = format!("{base}{path}");
            async move { connect_async(url).await.unwrap().0 }
        };
        let (mut both, mut one) = (connect("/sub/a,b").await, connect("/sub/b").await);
        let mut publisher = connect("/pub").await;
        for text in ["a first", "b second", "c nobody"] {
            publisher.send(Message::text(text)).await.unwrap();
        }
        let mut heard = Vec::new();
        for socket in [&mut both, &mut one] {
            heard.push(socket.next().await.unwrap().unwrap().into_text().unwrap());
        }
        heard.push(both.next().await.unwrap().unwrap().into_text().unwrap());
        // Two channels of one socket have no common order.
        heard[..].sort();
        assert_eq!(heard, ["first", "second", "second"]);
        server.abort();
    }
}
