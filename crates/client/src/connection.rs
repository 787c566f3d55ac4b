//! One connection: a task that reads, a task that writes, and the two handles that talk to them.
//!
//! Reading a frame must never be cancelled half-way, for the rest would be taken for another
//! frame; writing neither. So each direction has a task of its own that is never cancelled while
//! the connection lives, and the handles only wait on queues, which may be cancelled at any time.
//! Both queues are bounded: a receiver that is not read makes the server wait, and find it slow.

use bytes::Bytes;
use fastwebsockets::OpCode;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use crate::address::Address;
use crate::error::{ConnectError, ReceiveError, SendError};
use crate::handshake;
use crate::{Codec, Command, Message, RawMessage};

mod reader;
mod writer;

/// Messages read ahead of the receiver.
const INBOUND_MAX: usize = 256;
/// Frames queued ahead of the socket.
const OUTBOUND_MAX: usize = 256;

/// A frame on its way out.
#[derive(Debug)]
pub(crate) struct Outgoing {
    opcode: OpCode,
    payload: Vec<u8>,
}

/// An open connection; [`split`](Self::split) it to use it.
#[derive(Debug)]
pub struct Connection {
    sender: Sender,
    receiver: Receiver,
}

/// The sending half. Clones share the connection and its order.
#[derive(Debug, Clone)]
pub struct Sender {
    codec: Codec,
    outbound: mpsc::Sender<Outgoing>,
}

/// The receiving half. Pings are answered by the way; one that stays unread for more than 256
/// messages stops taking bytes, and the server finds it slow. Dropping it ends the reading.
#[derive(Debug)]
pub struct Receiver {
    codec: Codec,
    inbound: mpsc::Receiver<Result<Bytes, ReceiveError>>,
    end: Option<ReceiveError>,
    reader: AbortHandle,
}

impl Connection {
    /// Connects to `url`, such as `ws://127.0.0.1:8080/ws`, and agrees on `codec`.
    ///
    /// # Errors
    /// A bad URL, nobody there, something other than a tickwire broker, or no answer within 10 s.
    pub async fn connect(url: &str, codec: Codec) -> Result<Self, ConnectError> {
        let address = Address::parse(url, "ws")?;
        let late = ConnectError::TimedOut {
            authority: address.authority.clone(),
            seconds: handshake::DEADLINE.as_secs(),
        };
        let opening = async {
            let stream = handshake::dial(&address).await?;
            handshake::upgrade(&address, stream, codec).await
        };
        let (stream, ahead) =
            tokio::time::timeout(handshake::DEADLINE, opening).await.unwrap_or(Err(late))?;
        let (read, write) = stream.into_split();
        let (outbound, outgoing) = mpsc::channel(OUTBOUND_MAX);
        let (incoming, inbound) = mpsc::channel(INBOUND_MAX);
        tokio::spawn(writer::run(write, outgoing));
        let reader = tokio::spawn(reader::run(ahead, read, codec, incoming, outbound.clone()));
        Ok(Self {
            sender: Sender { codec, outbound },
            receiver: Receiver { codec, inbound, end: None, reader: reader.abort_handle() },
        })
    }

    /// The two halves, which work at the same time.
    #[must_use]
    pub fn split(self) -> (Sender, Receiver) {
        (self.sender, self.receiver)
    }
}

impl Sender {
    /// Queues `command`; waits while the queue is full. Cancelling it sends all or nothing.
    ///
    /// # Errors
    /// When the connection is over (the receiver knows why), or the command cannot be encoded.
    pub async fn send(&self, command: &Command) -> Result<(), SendError> {
        let payload = self.codec.encode(command)?;
        let opcode = match self.codec {
            Codec::Json => OpCode::Text,
            Codec::MessagePack => OpCode::Binary,
        };
        self.queue(Outgoing { opcode, payload }).await
    }

    /// Starts the closing handshake: the server answers, and the receiver ends with its answer.
    ///
    /// # Errors
    /// When the connection is over already.
    pub async fn close(&self) -> Result<(), SendError> {
        let payload = reader::NORMAL_CLOSE.to_be_bytes().to_vec();
        self.queue(Outgoing { opcode: OpCode::Close, payload }).await
    }

    async fn queue(&self, outgoing: Outgoing) -> Result<(), SendError> {
        self.outbound.send(outgoing).await.map_err(|_| SendError::Closed)
    }
}

impl Receiver {
    /// The next message. May be cancelled: nothing is lost by it.
    ///
    /// # Errors
    /// [`ReceiveError::Undecodable`] for one message, after which the next may be asked for; any
    /// other is the end, and comes again when asked again.
    pub async fn receive(&mut self) -> Result<Message, ReceiveError> {
        Ok(self.receive_raw().await?.decode()?)
    }

    /// The next message as it came. May be cancelled: nothing is lost by it.
    ///
    /// # Errors
    /// The end of the connection, again and again.
    pub async fn receive_raw(&mut self) -> Result<RawMessage, ReceiveError> {
        let next = self.inbound.recv().await;
        self.take(next)
    }

    /// A message that is there already, without waiting; `None` when there is none yet.
    ///
    /// # Errors
    /// As [`receive_raw`](Self::receive_raw).
    pub fn try_receive_raw(&mut self) -> Result<Option<RawMessage>, ReceiveError> {
        match self.inbound.try_recv() {
            Err(mpsc::error::TryRecvError::Empty) => Ok(None),
            Ok(next) => self.take(Some(next)).map(Some),
            Err(mpsc::error::TryRecvError::Disconnected) => self.take(None).map(Some),
        }
    }

    fn take(
        &mut self,
        next: Option<Result<Bytes, ReceiveError>>,
    ) -> Result<RawMessage, ReceiveError> {
        match next {
            Some(Ok(bytes)) => Ok(RawMessage { codec: self.codec, bytes }),
            Some(Err(end)) => {
                self.end = Some(end.clone());
                Err(end)
            }
            None => Err(self
                .end
                .clone()
                .unwrap_or_else(|| ReceiveError::Lost("the reading task has ended".into()))),
        }
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        // Cut wherever it is: nothing is read from this socket any more.
        self.reader.abort();
    }
}
