//! Who stands between an exchange and its client, and does with the messages what an input says.

use std::collections::VecDeque;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;

use exchange::{Between, Reply};

use crate::damage::{self, Protocol};
use crate::dice::Dice;

/// Whether what is done to messages is written to stderr.
pub static SHOWN: AtomicBool = AtomicBool::new(false);

/// Messages that may come once more.
const PAST_MAX: usize = 16;

/// Messages that no venue sends, or that mean nothing.
const STRANGE: [&[u8]; 12] = [
    b"",
    b"{}",
    b"[]",
    b"null",
    b"pong",
    b"\"text\"",
    b"{\"channel\":\"nothing\",\"data\":[{}]}",
    b"{\"event\":\"error\",\"code\":\"1\",\"msg\":\"no\"}",
    b"{\"type\":\"error\",\"message\":\"no\"}",
    b"{\"error\":{\"code\":3,\"msg\":\"no\"},\"id\":1}",
    b"[1,2,3]",
    b"\xff\x00\xfe",
];

/// Damages messages, drops them, doubles them, and changes their order.
#[derive(Debug)]
pub struct Tamper {
    dice: Dice,
    protocol: Protocol,
    /// Only what a client must see, or is not harmed by.
    visible: bool,
    past: VecDeque<Vec<u8>>,
    late: Vec<(usize, Vec<u8>)>,
}

impl Tamper {
    /// Does what `dice` says, and nothing once all its bytes are taken.
    #[must_use]
    pub fn new(dice: Dice, protocol: Protocol, visible: bool) -> Self {
        Self { dice, protocol, visible, past: VecDeque::new(), late: Vec::new() }
    }

    fn damaged(&mut self, mut text: Vec<u8>) -> Vec<u8> {
        if self.visible {
            damage::visible(&mut text, &self.protocol, &mut self.dice);
        } else {
            damage::anything(&mut text, &mut self.dice);
        }
        text
    }
}

impl Between for Tamper {
    fn message(&mut self, text: Vec<u8>) -> Vec<Vec<u8>> {
        let mut out = Vec::new();
        for (wait, late) in std::mem::take(&mut self.late) {
            if wait == 0 {
                out.push(late);
            } else {
                self.late.push((wait - 1, late));
            }
        }
        if self.dice.is_empty() {
            out.extend(self.late.drain(..).map(|(_, late)| late));
        }
        if self.past.len() == PAST_MAX {
            self.past.pop_front();
        }
        self.past.push_back(text.clone());
        let before = text.clone();
        match self.dice.byte() {
            0..=199 => out.push(text),
            200..=228 => out.push(self.damaged(text)),
            229..=233 => {}
            234..=237 => out.extend([text.clone(), text]),
            238..=241 => {
                let wait = self.dice.below(6);
                self.late.push((wait, text));
            }
            242..=246 => {
                let again = self.dice.below(self.past.len());
                out.push(text);
                out.extend(self.past.get(again).cloned());
            }
            247..=250 => {
                out.extend(self.dice.pick(&STRANGE).map(<[u8]>::to_vec));
                out.push(text);
            }
            251 | 252 => {
                let length = self.dice.below(200);
                out.push(self.dice.bytes(length).to_vec());
                out.push(text);
            }
            _ => {
                let damaged = self.damaged(text.clone());
                out.extend([damaged, text]);
            }
        }
        if SHOWN.load(Relaxed) && out != [before.clone()] {
            eprintln!("in place of {}", String::from_utf8_lossy(&before));
            for text in &out {
                eprintln!("  {}", String::from_utf8_lossy(text));
            }
        }
        out
    }

    fn answer(&mut self, mut reply: Reply) -> Option<Reply> {
        match self.dice.byte() {
            0..=159 => Some(reply),
            160..=199 => {
                let damaged = self.damaged(reply.body.into_bytes());
                reply.body = String::from_utf8_lossy(&damaged).into_owned();
                if SHOWN.load(Relaxed) {
                    eprintln!("answered {}", reply.body);
                }
                Some(reply)
            }
            200..=229 => None,
            230..=239 => {
                // These two say that there is no such symbol, and are believed for good.
                let status = 100 + self.dice.below(500) as u16;
                reply.status = if matches!(status, 400 | 404) { 500 } else { status };
                Some(reply)
            }
            _ => {
                reply.delay += u64::from(self.dice.word()) * 1_000_000;
                Some(reply)
            }
        }
    }
}
