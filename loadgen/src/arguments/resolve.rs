//! From arguments to a checked plan: defaults, names, and what is made ahead.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::ensure;
use client::Codec;

use super::{DataKind, Rhythm, RunArguments};
use crate::plan::crew::crew;
use crate::plan::{Plan, Schedule, Shares, Target, zipf};
use crate::recorded::Recorded;
use crate::ticks::{Length, Script, TickKind, TickOptions};

/// Where to, when nothing is said.
const URL: &str = "ws://127.0.0.1:8080/ws";
/// Subscribers that verify, when nothing is said: reading in full costs.
const VERIFYING: usize = 32;
/// Symbols that the simulated exchange has at most.
const SYMBOLS_MAX: usize = 500;

impl RunArguments {
    /// The checked plan.
    ///
    /// # Errors
    /// A plan file that is not understood; the first thing that makes no sense.
    pub fn plan(&self) -> anyhow::Result<Plan> {
        self.with_plan_file()?.resolve()
    }

    fn resolve(&self) -> anyhow::Result<Plan> {
        let prefix = self.prefix.as_deref().unwrap_or("load");
        let letter = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        let whole = !prefix.is_empty() && prefix.bytes().all(letter);
        ensure!(whole, "--prefix: one segment of letters, digits, - and _");
        self.check_rhythm()?;
        let recorded = self.recorded()?.map(Arc::new);
        let played = recorded.as_ref().map_or(50.0, |recorded| recorded.shown.rate);
        let schedule = Schedule {
            rate: self.rate.unwrap_or(played),
            rate_to: self.rate_to,
            burst: self.burst.unwrap_or(1),
            warmup: self.warmup.unwrap_or(2.0),
            seconds: self.seconds.unwrap_or(10.0),
        };
        schedule.check()?;
        let ticks = self.data == Some(DataKind::Ticks);
        let kinds = self.kinds()?;
        let topics = self.topics.unwrap_or(if ticks { kinds.len() } else { 1 });
        self.check_combinations(ticks, topics, kinds.len())?;
        let run = run_name();
        let prefix = if ticks { format!("{prefix}{run}") } else { format!("{prefix}.{run}.") };
        let script = self
            .script(&schedule, recorded.as_deref(), ticks, topics, kinds, &prefix)?
            .map(Arc::new);
        let names = match &script {
            Some(script) if ticks => script.topics.clone(),
            _ => (0..topics).map(|topic| format!("{prefix}{topic}")).collect(),
        };
        let subscribers = self.subscribers.unwrap_or(1000);
        let shares = self.shares()?;
        let verify_every = self.verify_every.unwrap_or(subscribers.div_ceil(VERIFYING));
        ensure!(verify_every > 0, "--verify-every: at least 1");
        let processors = std::thread::available_parallelism().map_or(2, usize::from);
        let plan = Plan {
            target: Target::parse(self.url.as_deref().unwrap_or(URL))?,
            subscribers,
            crew: crew(subscribers, &shares, verify_every).into(),
            shares,
            topics,
            topics_per_subscriber: self.topics_per_subscriber.unwrap_or(1),
            prefix,
            names: names.into(),
            schedule,
            script,
            recorded,
            ticks,
            own_rhythm: self.rhythm == Some(Rhythm::Sim),
            popularity: zipf(topics, self.zipf.unwrap_or(0.0)),
            seed: self.seed.unwrap_or(1),
            payload: self.payload.unwrap_or(128),
            codec: if shares.msgpack > 50.0 { Codec::MessagePack } else { Codec::Json },
            max_rate: self.max_rate,
            on_slow: self.on_slow,
            slow_bytes: self.trickle_bytes.unwrap_or(20_000),
            resume_every: self.resume_every.unwrap_or(2.0),
            storm_at: self.storm_at.unwrap_or(schedule.seconds / 2.0),
            threads: self.threads.unwrap_or((processors / 2).clamp(1, 4)),
            publishers: self.publishers.unwrap_or(1),
            connect: Duration::from_secs(self.connect_timeout.unwrap_or(60)),
            drain: Duration::from_secs(self.drain.unwrap_or(5)),
        };
        plan.check()?;
        Ok(plan)
    }

    fn kinds(&self) -> anyhow::Result<Vec<TickKind>> {
        let all = vec![TickKind::Quote, TickKind::Book, TickKind::Trade];
        let mut kinds = self.kinds.clone().unwrap_or(all);
        ensure!(!kinds.is_empty(), "--kinds: at least one of quote, book and trade");
        kinds.sort_by_key(|kind| kind.name());
        kinds.dedup();
        Ok(kinds)
    }

    /// Says which arguments do not go together.
    fn check_combinations(&self, ticks: bool, topics: usize, kinds: usize) -> anyhow::Result<()> {
        ensure!(
            !ticks || (topics > 0 && topics.is_multiple_of(kinds) && topics / kinds <= SYMBOLS_MAX),
            "--topics: of ticks, {kinds} for each of at most {SYMBOLS_MAX} symbols"
        );
        let zipf = self.zipf.unwrap_or(0.0);
        ensure!((0.0..=10.0).contains(&zipf), "--zipf: from 0 to 10");
        let sim = self.rhythm == Some(Rhythm::Sim);
        ensure!(
            !(ticks || sim) || zipf == 0.0,
            "--zipf: ticks and the rhythm sim bring their own popularity of topics"
        );
        ensure!(
            self.max_rate_percent.is_none() || self.max_rate.is_some(),
            "--max-rate-percent: of which --max-rate?"
        );
        ensure!(self.max_rate.is_none_or(|rate| rate > 0.0), "--max-rate: above 0 events a second");
        ensure!(
            self.codec.is_none() || self.msgpack_percent.is_none(),
            "--codec or --msgpack-percent, not both"
        );
        Ok(())
    }

    /// Says what a rhythm does not go with.
    fn check_rhythm(&self) -> anyhow::Result<()> {
        let name = match self.rhythm {
            Some(Rhythm::Sim) => "sim",
            Some(Rhythm::Recorded) => "recorded",
            Some(Rhythm::Steady) | None => "",
        };
        ensure!(
            name.is_empty()
                || (self.rate_to.is_none() && self.burst.is_none_or(|burst| burst == 1)),
            "--rhythm {name} has its own bursts: without --rate-to and --burst"
        );
        ensure!(
            self.recording.is_none() || name == "recorded",
            "--recording is for --rhythm recorded"
        );
        ensure!(
            self.recording.is_some() || name != "recorded",
            "--rhythm recorded: of which --recording?"
        );
        let rate = self.rate.unwrap_or(1.0);
        ensure!(
            rate > 0.0 && rate.is_finite(),
            "--rate: above 0 and at most 1000000 events a second"
        );
        Ok(())
    }

    /// The rhythm of a session, where one is asked for.
    fn recorded(&self) -> anyhow::Result<Option<Recorded>> {
        self.recording.as_deref().map(|path| Recorded::read(path, self.rate)).transpose()
    }

    fn script(
        &self,
        schedule: &Schedule,
        recorded: Option<&Recorded>,
        ticks: bool,
        topics: usize,
        kinds: Vec<TickKind>,
        venue: &str,
    ) -> anyhow::Result<Option<Script>> {
        let sim = self.rhythm == Some(Rhythm::Sim);
        if !ticks && !sim {
            return Ok(None);
        }
        let options = TickOptions {
            venue: if ticks { venue.to_owned() } else { "rhythm".to_owned() },
            symbols: if ticks { topics / kinds.len() } else { topics.clamp(1, SYMBOLS_MAX) },
            kinds,
            rate: schedule.rate,
            depth: self.depth.unwrap_or(10),
            seed: self.seed.unwrap_or(1),
        };
        let length = if sim {
            Length::Nanoseconds(schedule.measured().end)
        } else {
            let span = schedule.measured().end;
            Length::Events(recorded.map_or(schedule.events(), |recorded| recorded.events(span)))
        };
        Script::play(&options, length).map(Some)
    }

    fn shares(&self) -> anyhow::Result<Shares> {
        let percent = |name: &str, value: Option<f64>| {
            let value = value.unwrap_or(0.0);
            ensure!((0.0..=100.0).contains(&value), "--{name}: from 0 to 100");
            Ok(value)
        };
        let msgpack = match self.codec {
            Some(Codec::MessagePack) => 100.0,
            _ => percent("msgpack-percent", self.msgpack_percent)?,
        };
        let limited = match self.max_rate {
            Some(_) => percent("max-rate-percent", self.max_rate_percent.or(Some(100.0)))?,
            None => 0.0,
        };
        let shares = Shares {
            slow: percent("trickle-percent", self.trickle_percent)?,
            stalled: percent("slow-percent", self.slow_percent)?,
            resuming: percent("resume-percent", self.resume_percent)?,
            storm: percent("storm-percent", self.storm_percent)?,
            msgpack,
            wildcard: percent("wildcard-percent", self.wildcard_percent)?,
            limited,
        };
        ensure!(shares.stalled <= 99.9, "--slow-percent: from 0 to 99.9, for somebody has to read");
        let all = shares.slow + shares.stalled + shares.resuming + shares.storm;
        ensure!(
            all <= 100.0,
            "--slow-, --trickle-, --resume- and --storm-percent are {all} of a hundred together"
        );
        Ok(shares)
    }
}

/// A segment that no other run has: topics of this run begin without history. Short enough for
/// a venue.
fn run_name() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    format!("r{:x}-{:x}", now.as_millis(), std::process::id())
}
