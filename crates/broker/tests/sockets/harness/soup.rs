//! SoupBinTCP and ITCH from the venue's side, written from their specifications: nothing of the
//! adapter's is in here.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::within;

/// A venue that the test plays.
pub(crate) struct SoupVenue(TcpListener);

impl SoupVenue {
    pub(crate) async fn start() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").await.unwrap())
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.0.local_addr().unwrap()
    }

    pub(crate) fn url(&self) -> String {
        format!("tcp://{}", self.address())
    }

    /// The next connection that a feed opens, and how it logs in.
    pub(crate) async fn accept(&self) -> (SoupSocket, Login) {
        let (stream, _) = within("connection of the feed", self.0.accept()).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let mut socket = SoupSocket(stream);
        let packet = socket.heard(b'L').await;
        let field = |from: usize, to: usize| {
            String::from_utf8(packet[from..to].to_vec()).unwrap().trim().to_owned()
        };
        assert_eq!(packet.len(), 46);
        let (user, password) = (field(0, 6), field(6, 16));
        let (session, sequence) = (field(16, 26), field(26, 46));
        (socket, Login { user, password, session, sequence })
    }

    /// The same, let in to `session` where the message `next` comes next.
    pub(crate) async fn let_in(&self, session: &str, next: u64) -> (SoupSocket, Login) {
        let (mut socket, login) = self.accept().await;
        socket.send(&accepted(session, next)).await;
        (socket, login)
    }
}

/// What a feed wants to be let in with.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Login {
    pub(crate) user: String,
    pub(crate) password: String,
    pub(crate) session: String,
    pub(crate) sequence: String,
}

impl Login {
    /// The session and the number that it asks for.
    pub(crate) fn place(&self) -> (&str, &str) {
        (&self.session, &self.sequence)
    }
}

/// One connection, from the venue's side.
pub(crate) struct SoupSocket(TcpStream);

impl SoupSocket {
    /// The payload of the feed's next packet of that kind, past its heartbeats.
    pub(crate) async fn heard(&mut self, kind: u8) -> Vec<u8> {
        loop {
            let length = within("packet of the feed", self.0.read_u16()).await.unwrap();
            let mut packet = vec![0; length.into()];
            within("end of a packet", self.0.read_exact(&mut packet)).await.unwrap();
            match packet[0] {
                found if found == kind => return packet.split_off(1),
                b'R' => {}
                other => panic!("{:?} instead of {:?}", char::from(other), char::from(kind)),
            }
        }
    }

    /// The feed ends the connection.
    pub(crate) async fn ended(&mut self) {
        let mut rest = Vec::new();
        // A reset is an end as well.
        drop(within("end of the feed's connection", self.0.read_to_end(&mut rest)).await);
    }

    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        within("room for bytes", self.0.write_all(bytes)).await.unwrap();
    }

    /// Messages of the session, one packet each.
    pub(crate) async fn say(&mut self, messages: &[Vec<u8>]) {
        for message in messages {
            self.send(&packet(b'S', message)).await;
        }
    }

    /// Ends without a word.
    pub(crate) fn cut(self) {
        drop(self);
    }
}

pub(crate) fn packet(kind: u8, payload: &[u8]) -> Vec<u8> {
    let length = 1 + payload.len() as u16;
    [&length.to_be_bytes()[..], &[kind], payload].concat()
}

pub(crate) fn accepted(session: &str, next: u64) -> Vec<u8> {
    packet(b'A', format!("{session:>10}{next:>20}").as_bytes())
}

/// The head of a message of one hour after midnight.
fn head(kind: u8, locate: u16) -> Vec<u8> {
    let time = 3_600_000_000_000_u64.to_be_bytes();
    [&[kind][..], &locate.to_be_bytes(), &[0, 0], &time[2..]].concat()
}

/// The first message of a day.
pub(crate) fn start_of_messages() -> Vec<u8> {
    [head(b'S', 0), b"O".to_vec()].concat()
}

pub(crate) fn directory(locate: u16, stock: &str) -> Vec<u8> {
    [head(b'R', locate), format!("{stock:<8}").into_bytes(), vec![b' '; 20]].concat()
}

/// An order; the price is in units of 0.0001.
pub(crate) fn add(
    locate: u16,
    stock: &str,
    order: u64,
    side: u8,
    shares: u32,
    price: u32,
) -> Vec<u8> {
    [
        &head(b'A', locate)[..],
        &order.to_be_bytes(),
        &[side],
        &shares.to_be_bytes(),
        format!("{stock:<8}").as_bytes(),
        &price.to_be_bytes(),
    ]
    .concat()
}

pub(crate) fn execute(locate: u16, order: u64, shares: u32, matched: u64) -> Vec<u8> {
    let head = head(b'E', locate);
    [&head[..], &order.to_be_bytes(), &shares.to_be_bytes(), &matched.to_be_bytes()].concat()
}
