//! Five thousand subscribers of three topics each: every event once, in order, to all of them.

use anyhow::Result;

use super::Setup;
use crate::frames::{Frame, topic_and_seq};
use crate::publisher::{Publisher, Timetable, drive, publish_command, subscribe_command};
use crate::report::Figure;
use crate::server::Server;
use crate::swarm::Swarm;

const SUBSCRIBERS: usize = 5_000;
const TOPICS: usize = 60;
const EACH: usize = 3;
/// Topics of one subscriber lie this far apart.
const STRIDE: usize = TOPICS / EACH;
const SECONDS: u64 = 10;
const PER_SECOND: u64 = 600;

/// What came to the subscribers, checked as it came.
struct Books {
    /// The last event of each of a subscriber's topics.
    last: Vec<[u64; EACH]>,
    skipped: u64,
    again: u64,
    foreign: u64,
}

impl Books {
    fn note(&mut self, subscriber: usize, frame: Frame<'_>) {
        let event = topic_and_seq(frame.payload);
        let known = event.and_then(|(topic, seq)| Some((number_of(topic)?, seq)));
        let Some((topic, seq)) = known.filter(|(topic, _)| topic % STRIDE == subscriber % STRIDE)
        else {
            self.foreign += 1;
            return;
        };
        let last = &mut self.last[subscriber][topic / STRIDE];
        if seq <= *last {
            self.again += 1;
        } else {
            self.skipped += seq - *last - 1;
            *last = seq;
        }
    }

    fn missing_at_end(&self, events: u64) -> u64 {
        self.last.iter().flatten().map(|last| events - last).sum()
    }
}

fn topic(number: usize) -> String {
    format!("bench.t{number:02}")
}

fn number_of(topic: &[u8]) -> Option<usize> {
    let digits = topic.strip_prefix(b"bench.t")?;
    std::str::from_utf8(digits).ok()?.parse().ok().filter(|number| *number < TOPICS)
}

/// Everything together; a message that tells of lost events counts as what it is not: an event.
pub(super) fn integrity(setup: &Setup) -> Result<Vec<Figure>> {
    let server = Server::broker(&setup.tickwire, setup.shards)?;
    let mut swarm = Swarm::new()?;
    swarm.join(server.address(), SUBSCRIBERS, |index| {
        let topics: Vec<_> = (0..EACH).map(|k| topic(index % STRIDE + k * STRIDE)).collect();
        subscribe_command(&topics)
    })?;
    let publisher = Publisher::connect(server.address())?;
    let timetable = Timetable::new(SECONDS, 1, PER_SECOND);
    let each_topic = timetable.events / TOPICS as u64;
    let expected = each_topic * (SUBSCRIBERS * EACH) as u64;
    let mut books = Books { last: vec![[0; EACH]; SUBSCRIBERS], skipped: 0, again: 0, foreign: 0 };
    let (_publisher, delivered) = drive(
        &mut swarm,
        publisher,
        (timetable, expected),
        |number| publish_command(&topic(number as usize % TOPICS), 128),
        |index, frame| books.note(index, frame),
        || Ok(()),
    )?;
    let missing = books.missing_at_end(each_topic);
    let wrong = books.skipped + books.again + books.foreign + missing;
    let name = "lost, doubled or reordered, 5,000 × 3 of 60 topics, 600 events/s";
    let Books { skipped, again, foreign, .. } = books;
    Ok(vec![
        Figure::at_most('f', name, 0.0, wrong as f64, "")
            .note(format!("{} of {expected} messages came", delivered.messages))
            .note(format!(
                "skipped {skipped}, again or late {again}, no event {foreign}, missing {missing}"
            )),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_counts() {
        let mut books = Books { last: vec![[0; EACH]; 1], skipped: 0, again: 0, foreign: 0 };
        let mut note = |topic: usize, seq: u64| {
            let text =
                format!("{{\"op\":\"event\",\"topic\":\"bench.t{topic:02}\",\"seq\":{seq}}}");
            books.note(0, Frame { opcode: 1, payload: text.as_bytes(), length: text.len() });
        };
        note(0, 1);
        note(20, 1);
        note(0, 3);
        note(0, 2);
        note(1, 1);
        assert_eq!(books.last, [[3, 1, 0]]);
        assert_eq!((books.skipped, books.again, books.foreign), (1, 1, 1));
        assert_eq!(books.missing_at_end(3), 5);
    }
}
