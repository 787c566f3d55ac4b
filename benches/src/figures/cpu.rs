//! CPU time for each delivered message, beside that of the bare send loop in the same minute.

use anyhow::{Result, ensure};

use super::Setup;
use crate::publisher::{Publisher, Timetable, drive, publish_command, subscribe_command};
use crate::report::{Figure, Spread};
use crate::server::Server;
use crate::swarm::Swarm;
use crate::system::{self, CpuBooks};

const SUBSCRIBERS: usize = 1_000;
const TOPIC: &str = "bench.cpu";
const DATA_BYTES: usize = 128;

/// Beyond this a repetition says more about the host than about the server.
const STEAL_TRUSTED: f64 = 2.0;

/// One event at a time, 50 a second.
pub(super) fn steady(setup: &Setup) -> Result<Vec<Figure>> {
    let timetable = Timetable::new(setup.seconds, 1, 50);
    let name = "CPU a message, 50 events/s one at a time, against the send loop";
    Ok(vec![compare(setup, 'a', name, 1.15, timetable, false)?])
}

/// Sixteen events at a time, 800 a second.
pub(super) fn bursts(setup: &Setup) -> Result<Vec<Figure>> {
    let timetable = Timetable::new(setup.seconds, 16, 800);
    let name = "CPU a message, 800 events/s in bursts of 16, against the coalescing send loop";
    Ok(vec![compare(setup, 'b', name, 1.5, timetable, true)?])
}

/// A server with its subscribers and its publisher.
struct Side {
    server: Server,
    swarm: Swarm,
    publisher: Option<Publisher>,
}

/// One repetition of one side.
struct Sample {
    micros_each: f64,
    bytes_each: f64,
    stolen: f64,
}

impl Side {
    fn of(server: Server) -> Result<Self> {
        let mut swarm = Swarm::new()?;
        swarm.join(server.address(), SUBSCRIBERS, |_| subscribe_command(&[TOPIC]))?;
        let publisher = Some(Publisher::connect(server.address())?);
        Ok(Self { server, swarm, publisher })
    }

    fn run(&mut self, timetable: Timetable) -> Result<Sample> {
        let expected = timetable.events * SUBSCRIBERS as u64;
        let books = CpuBooks::read()?;
        let before = system::cpu_nanos(self.server.id())?;
        let publisher = self.publisher.take().expect("it came back from the last run");
        let (publisher, delivered) = drive(
            &mut self.swarm,
            publisher,
            (timetable, expected),
            |_| publish_command(TOPIC, DATA_BYTES),
            |_, _| {},
            || Ok(()),
        )?;
        self.publisher = Some(publisher);
        let spent = system::cpu_nanos(self.server.id())? - before;
        let messages = delivered.messages;
        ensure!(messages == expected, "{messages} of {expected} messages came");
        Ok(Sample {
            micros_each: spent as f64 / 1000.0 / messages as f64,
            bytes_each: delivered.bytes as f64 / messages as f64,
            stolen: books.stolen_percent_since()?,
        })
    }
}

fn compare(
    setup: &Setup,
    key: char,
    name: &str,
    bound: f64,
    timetable: Timetable,
    coalesce: bool,
) -> Result<Figure> {
    let mut broker = Side::of(Server::broker(&setup.tickwire, setup.shards)?)?;
    // Warms the broker up, and tells how large its frames are.
    let warm = Timetable { events: timetable.events.min(timetable.per_second), ..timetable };
    let frame_bytes = broker.run(warm)?.bytes_each.round() as usize;
    let mut floor = Side::of(Server::floor(frame_bytes, coalesce)?)?;
    floor.run(warm)?;

    let (mut ratios, mut ours, mut theirs, mut stolen) = (vec![], vec![], vec![], vec![]);
    for round in 0..setup.rounds {
        // Who goes first changes, so that a drift of the host favours neither.
        let (a, b) = if round % 2 == 0 {
            let a = broker.run(timetable)?;
            (a, floor.run(timetable)?)
        } else {
            let b = floor.run(timetable)?;
            (broker.run(timetable)?, b)
        };
        ratios.push(a.micros_each / b.micros_each);
        ours.push(a.micros_each);
        theirs.push(b.micros_each);
        stolen.push(a.stolen.max(b.stolen));
    }
    let ratio = Spread::of(ratios);
    let stolen = Spread::of(stolen);
    let mut figure = Figure::at_most(key, name, bound, ratio.median, "×")
        .note(format!("ratio, min / median / max of {} rounds: {ratio}", setup.rounds))
        .note(format!("broker, CPU-µs a message: {}", Spread::of(ours)))
        .note(format!("floor, CPU-µs a message: {}", Spread::of(theirs)))
        .note(format!("frames of {frame_bytes} bytes; stolen by the host, percent: {stolen}"));
    figure.shown = format!("{:.2} × ({:.2}–{:.2})", ratio.median, ratio.min, ratio.max);
    if stolen.max > STEAL_TRUSTED {
        figure = figure.note("the host stole too much for these times to be trusted: repeat");
    }
    Ok(figure)
}
