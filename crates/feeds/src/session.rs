//! Recorded sessions: their lines, and playing them to adapters as if they were live.
//!
//! A line is one JSON object: `ts_ns` (receive time, nanoseconds since 1970, or null), `dir`
//! (`connect`, `send`, `recv`, `http`), `conn` (which connection), `url`, `raw` (the text that was
//! on the wire).

mod escapes;
mod forms;
mod records;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use market::Nanos;
use serde::Deserialize;

use crate::adapter::{Action, Adapter, DeskOptions, Input, Output, SECOND};
use crate::venue::Venue;

pub use self::records::{Records, RecordsError};

/// MiB of lines that are held back to bring them into order, unless somebody knows better. See
/// [`Records`].
pub const WINDOW_MIB: usize = 128;

/// What a line of a session tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// A connection was opened.
    Connect,
    /// We sent a message.
    Send,
    /// A message came.
    Recv,
    /// A REST request was answered.
    Http,
}

/// One line of a session.
#[derive(Debug, Clone, Deserialize)]
pub struct Record {
    /// When it came, where the recorder kept that.
    #[serde(default)]
    pub ts_ns: Option<Nanos>,
    /// What it tells of.
    pub dir: Direction,
    /// Which connection.
    #[serde(default)]
    pub conn: String,
    /// Where to.
    #[serde(default)]
    pub url: String,
    /// The text on the wire, unchanged.
    #[serde(default)]
    pub raw: String,
}

impl Record {
    /// Reads one line, of our form or of another that can be told: `{"ts":…,"raw":"…"}`,
    /// `[time,"message"]`, or what the venue sent and nothing else.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(line: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(line).or_else(|error| forms::parse(line, error))
    }

    /// Reads all lines that are not empty, and brings them into the order in which they happened:
    /// recorders write one connection after the other. Lines without a time stay behind the one
    /// before them.
    ///
    /// # Errors
    /// The number of the first bad line, from 1 on, and what is wrong with it.
    pub fn parse_all(text: &str) -> Result<Vec<Self>, (usize, serde_json::Error)> {
        let mut records = Vec::new();
        let mut last = 0;
        for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let record = Self::parse(line).map_err(|error| (number + 1, error))?;
            last = record.ts_ns.unwrap_or(last);
            records.push((last, record));
        }
        records.sort_by_key(|(time, _)| *time);
        Ok(records.into_iter().map(|(_, record)| record).collect())
    }
}

/// A connection that the last file ended with goes on in the next one if it speaks again within so
/// long: recorders begin another file every hour, and slow venues say something every minute.
const GOES_ON_WITHIN: Nanos = 60 * SECOND;

/// Plays a session to adapters, one for each connection in it, which take every symbol they meet.
#[derive(Debug)]
pub struct Player {
    venue: Venue,
    options: DeskOptions,
    connections: BTreeMap<String, Connection>,
    /// Those that did not go on.
    ended: Vec<Connection>,
    records: u64,
    /// REST answers that nobody has asked for yet.
    answers: Vec<(String, String)>,
    clock: Nanos,
}

#[derive(Debug)]
struct Connection {
    adapter: Box<dyn Adapter>,
    /// REST requests not answered yet.
    asked: Vec<(u32, String)>,
    /// When it wants to be woken.
    wake_at: Option<Nanos>,
    /// The record that it last had a message in, counted.
    heard: u64,
    /// When that was, if the recorder kept it.
    heard_at: Option<Nanos>,
    /// Nothing came of it in this file yet.
    of_former_file: bool,
}

impl Player {
    /// A player for recordings of `venue`; of `options`, `open` and `recorded` are always true.
    #[must_use]
    pub fn new(venue: Venue, options: DeskOptions) -> Self {
        let options = DeskOptions { open: true, recorded: true, ..options };
        Self {
            venue,
            options,
            connections: BTreeMap::new(),
            ended: Vec::new(),
            records: 0,
            answers: Vec::new(),
            clock: 0,
        }
    }

    /// What is played from now on is of another file. A connection goes on in it if its name comes
    /// again, not opened anew and at most a minute after it was last heard; else one of its name
    /// is another. What has ended before this file began is given back: its adapters, with when
    /// they were last heard.
    pub fn next_file(&mut self) -> Vec<(u64, Box<dyn Adapter>)> {
        let gone: Vec<_> = std::mem::take(&mut self.connections).into_iter().collect();
        for (name, connection) in gone {
            if connection.of_former_file {
                self.ended.push(connection);
            } else {
                self.connections.insert(name, Connection { of_former_file: true, ..connection });
            }
        }
        self.answers.clear();
        let ended = std::mem::take(&mut self.ended);
        ended.into_iter().map(|connection| (connection.heard, connection.adapter)).collect()
    }

    /// Every adapter that [`Player::next_file`] has not given back, with when it was last heard.
    pub fn heard(&self) -> impl Iterator<Item = (u64, &dyn Adapter)> {
        let all = self.ended.iter().chain(self.connections.values());
        all.map(|connection| (connection.heard, &*connection.adapter))
    }

    /// A connection of the file before goes on, or another has its name.
    fn go_on_or_end(&mut self, record: &Record) {
        let Some(connection) = self.connections.get_mut(&record.conn) else { return };
        if !connection.of_former_file {
            return;
        }
        let after = connection.heard_at.zip(record.ts_ns);
        let goes_on = record.dir == Direction::Recv
            && after.is_some_and(|(last, now)| last <= now && now - last <= GOES_ON_WITHIN);
        if goes_on {
            connection.of_former_file = false;
        } else {
            self.ended.extend(self.connections.remove(&record.conn));
        }
    }

    /// Plays one record; `event` is given each connection's adapter with what came of it.
    pub fn play(&mut self, record: &Record, mut event: impl FnMut(&dyn Adapter, &mut Output)) {
        self.records += 1;
        if matches!(record.dir, Direction::Connect | Direction::Recv) {
            self.go_on_or_end(record);
        }
        let now = record.ts_ns.unwrap_or(self.clock);
        self.pass_time(now, &mut event);
        match record.dir {
            Direction::Send => {}
            Direction::Http => {
                let key = request_key(&record.url);
                self.answers.retain(|(known, _)| *known != key);
                self.answers.push((key, record.raw.clone()));
            }
            Direction::Connect => {
                if self.connections.contains_key(&record.conn) {
                    let reason = "the connection was opened anew";
                    self.input(&record.conn, Input::Disconnected { reason }, now, &mut event);
                }
                self.input(&record.conn, Input::Connected, now, &mut event);
            }
            Direction::Recv => {
                let text = escapes::unescaped(&record.raw);
                self.input(&record.conn, Input::Text(text.as_bytes()), now, &mut event);
                if let Some(connection) = self.connections.get_mut(&record.conn) {
                    (connection.heard, connection.heard_at) = (self.records, record.ts_ns);
                }
            }
        }
        self.answer(now, &mut event);
    }

    /// Plays one packet, or one binary message, of a recording that is no text: `conn` says which
    /// stream it is of. The first of a stream opens it.
    pub fn packet(
        &mut self,
        conn: &str,
        bytes: &[u8],
        now: Nanos,
        mut event: impl FnMut(&dyn Adapter, &mut Output),
    ) {
        self.pass_time(now, &mut event);
        self.input(conn, Input::Binary(bytes), now, &mut event);
    }

    /// It is `now`: those who wanted to be woken before are.
    fn pass_time(&mut self, now: Nanos, event: &mut impl FnMut(&dyn Adapter, &mut Output)) {
        self.clock = now;
        for connection in self.connections.values_mut() {
            if connection.wake_at.is_some_and(|at| at <= now) {
                connection.wake_at = None;
                connection.input(Input::Timer, now, event);
            }
        }
    }

    /// The adapters, by connection.
    pub fn adapters(&self) -> impl Iterator<Item = (&str, &dyn Adapter)> {
        self.connections.iter().map(|(name, connection)| (name.as_str(), &*connection.adapter))
    }

    fn input(
        &mut self,
        conn: &str,
        input: Input<'_>,
        now: Nanos,
        event: &mut impl FnMut(&dyn Adapter, &mut Output),
    ) {
        if !self.connections.contains_key(conn) {
            let adapter = self.venue.adapter(self.options.clone());
            let connection = Connection {
                adapter,
                asked: Vec::new(),
                wake_at: None,
                heard: 0,
                heard_at: None,
                of_former_file: false,
            };
            self.connections.insert(conn.to_owned(), connection);
            if !matches!(input, Input::Connected) {
                // Cut out of a longer recording.
                self.input(conn, Input::Connected, now, event);
            }
        }
        if let Some(connection) = self.connections.get_mut(conn) {
            connection.input(input, now, event);
        }
    }

    /// Gives answers to whoever asked for them.
    fn answer(&mut self, now: Nanos, event: &mut impl FnMut(&dyn Adapter, &mut Output)) {
        for connection in self.connections.values_mut() {
            let mut at = 0;
            while at < connection.asked.len() {
                let key = request_key(&connection.asked[at].1);
                let Some(found) = self.answers.iter().position(|(known, _)| *known == key) else {
                    at += 1;
                    continue;
                };
                let (_, body) = self.answers.remove(found);
                let (request, _) = connection.asked.remove(at);
                let input = Input::Answer {
                    request,
                    status: 200,
                    retry_after: None,
                    body: body.as_bytes(),
                };
                connection.input(input, now, event);
                // It may have asked anew.
                at = 0;
            }
        }
    }
}

impl Connection {
    fn input(
        &mut self,
        input: Input<'_>,
        now: Nanos,
        event: &mut impl FnMut(&dyn Adapter, &mut Output),
    ) {
        let mut out = Output::default();
        self.adapter.handle(input, now, &mut out);
        for action in &out.actions {
            match action {
                Action::Fetch { request, path } => self.asked.push((*request, path.clone())),
                // Nobody answers: the recording goes on as it did.
                Action::Reconnect { .. }
                | Action::Send(_)
                | Action::SendBinary(_)
                | Action::Report(_) => {}
            }
        }
        self.wake_at = [self.wake_at, out.wake_at].into_iter().flatten().min();
        event(&*self.adapter, &mut out);
    }
}

/// What a request asks for: its path, and of its query only the symbol. A recorder may have asked
/// for another depth than we do.
fn request_key(url: &str) -> String {
    let rest = url
        .split_once("://")
        .map_or(url, |(_, rest)| rest.find('/').map_or("", |slash| &rest[slash..]));
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    let symbol = query.split('&').find(|part| {
        part.split_once('=').is_some_and(|(name, _)| matches!(name, "symbol" | "instId"))
    });
    let symbol = percent_decoded(symbol.unwrap_or_default());
    format!("{}?{symbol}", percent_decoded(path.trim_end_matches('/')))
}

/// A part of a URL without percent signs: recorders write letters that are not Latin either way.
fn percent_decoded(part: &str) -> String {
    let mut bytes = Vec::with_capacity(part.len());
    let mut rest = part.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let digits = after.get(..2).filter(|digits| digits.iter().all(u8::is_ascii_hexdigit));
        let coded = digits.and_then(|digits| std::str::from_utf8(digits).ok());
        let coded = coded.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        let (byte, after) = match coded.filter(|_| byte == b'%') {
            Some(coded) => (coded, &after[2..]),
            None => (byte, after),
        };
        bytes.push(byte);
        rest = after;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
