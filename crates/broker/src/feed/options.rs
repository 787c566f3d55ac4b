//! What a venue's feed is set up with, and the plan that is made of it: its addresses, and which
//! symbols share a connection.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use feeds::adapter::{Adapter, DeskOptions, Rules};
use feeds::derive::DeriveOptions;
use feeds::venue::Venue;
use topics::TopicName;

use super::address::{Endpoint, Scheme};
use super::dial::Dialler;

/// Makes an adapter for each connection of a feed.
pub type AdapterMaker = Arc<dyn Fn(DeskOptions) -> Box<dyn Adapter> + Send + Sync>;

/// A feed that speaks a venue's own protocol.
#[derive(Clone)]
pub struct VenueFeed {
    /// What speaks it.
    pub adapter: AdapterMaker,
    /// Symbols, streams, and the venue's segment in topics.
    pub desk: DeskOptions,
    /// What is made of its events besides.
    pub derive: DeriveOptions,
    /// The venue's WebSocket, where it is not the adapter's own. Without a path it takes the
    /// adapter's.
    pub url: Option<String>,
    /// The venue's REST interface, where it is neither the adapter's own nor on the host of
    /// [`VenueFeed::url`].
    pub rest_url: Option<String>,
    /// How long a stream stays open after its last subscriber, where upstream follows demand.
    pub linger: Duration,
    /// Seed of the jitter in waits; without one nobody knows them before.
    pub seed: Option<u64>,
}

impl VenueFeed {
    /// A feed of `venue` where it really is.
    #[must_use]
    pub fn new(venue: Venue, desk: DeskOptions) -> Self {
        let quotes = desk.streams.quotes && !venue.gives_quotes();
        let symbols_max = desk.symbols_max;
        let derive = DeriveOptions { quotes, symbols_max, ..DeriveOptions::default() };
        let mut feed = Self::with(Arc::new(move |desk| venue.adapter(desk)), desk);
        // They are made of the book.
        feed.desk.streams.book |= quotes;
        Self { derive, ..feed }
    }

    /// A feed of what `adapter` makes.
    #[must_use]
    pub fn with(adapter: AdapterMaker, desk: DeskOptions) -> Self {
        let linger = Duration::from_secs(30);
        let derive = DeriveOptions::default();
        Self { adapter, desk, derive, url: None, rest_url: None, linger, seed: None }
    }
}

impl fmt::Debug for VenueFeed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VenueFeed")
            .field("desk", &self.desk)
            .field("url", &self.url)
            .field("rest_url", &self.rest_url)
            .finish_non_exhaustive()
    }
}

/// A checked feed, ready to run.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(super) venue: String,
    pub(super) rules: &'static Rules,
    pub(super) websocket: Endpoint,
    pub(super) rest: Option<Endpoint>,
    pub(super) dialler: Dialler,
    /// One for each connection.
    pub(super) adapters: Vec<Box<dyn Adapter>>,
    pub(super) derive: DeriveOptions,
    pub(super) on_demand: bool,
    pub(super) linger: Duration,
    pub(super) seed: Option<u64>,
}

impl Plan {
    /// Checks `feed`.
    ///
    /// # Errors
    /// What is wrong with it: no symbols, two with one name, a bad URL, no certificates.
    pub(crate) fn new(feed: &VenueFeed) -> anyhow::Result<Self> {
        let rules =
            (feed.adapter)(DeskOptions { symbols: Vec::new(), ..feed.desk.clone() }).rules();
        if rules.websocket.is_empty() {
            bail!("it is not spoken over a WebSocket, so it cannot be a live feed here");
        }
        let (websocket, rest) = addresses(feed, rules)?;
        let dialler = Dialler::new([&websocket].into_iter().chain(&rest))?;
        let each = [feed.desk.streams.trades, feed.desk.streams.quotes, feed.desk.streams.book];
        let each = each.into_iter().filter(|wanted| *wanted).count();
        if feed.desk.symbols.is_empty() || each == 0 {
            bail!("no symbols or no streams: nothing to ask for");
        }
        if feed.desk.symbols.len() > feed.desk.symbols_max {
            let (many, max) = (feed.desk.symbols.len(), feed.desk.symbols_max);
            bail!("{many} symbols are more than symbols_max, {max}");
        }
        let share = (rules.streams / each).max(1);
        let adapters: Vec<_> = feed
            .desk
            .symbols
            .chunks(share)
            .map(|symbols| {
                (feed.adapter)(DeskOptions { symbols: symbols.to_vec(), ..feed.desk.clone() })
            })
            .collect();
        check_names(&adapters)?;
        Ok(Self {
            venue: feed.desk.venue.clone(),
            rules,
            websocket,
            rest,
            dialler,
            adapters,
            derive: feed.derive.clone(),
            on_demand: feed.desk.on_demand,
            linger: feed.linger,
            seed: feed.seed,
        })
    }

    /// How many connections it takes.
    pub(crate) fn connections(&self) -> usize {
        self.adapters.len()
    }

    /// Host and port that it speaks with.
    pub(crate) fn authority(&self) -> &str {
        &self.websocket.authority
    }
}

fn addresses(
    feed: &VenueFeed,
    rules: &'static Rules,
) -> anyhow::Result<(Endpoint, Option<Endpoint>)> {
    let read = |url: &str, scheme| {
        Endpoint::parse(url, scheme).map_err(|problem| anyhow!("\"{url}\": {problem}"))
    };
    let own = read(rules.websocket, Scheme::Socket).context("the adapter's own address")?;
    let websocket = match &feed.url {
        Some(url) => read(url, Scheme::Socket)?.with_path_of(&own),
        None => own,
    };
    let own = match rules.rest {
        "" => None,
        rest => Some(read(rest, Scheme::Http).context("the adapter's own REST address")?),
    };
    let rest = match (&feed.rest_url, &feed.url, own) {
        (Some(url), _, Some(own)) => Some(read(url, Scheme::Http)?.with_path_of(&own)),
        (Some(url), _, None) => Some(read(url, Scheme::Http)?),
        // Books of one host and snapshots of another would not fit together.
        (None, Some(_), Some(own)) => Some(Endpoint { path: own.path, ..websocket.clone() }),
        (None, _, own) => own,
    };
    Ok((websocket, rest))
}

/// Every topic must be one, and no two symbols may share theirs.
fn check_names(adapters: &[Box<dyn Adapter>]) -> anyhow::Result<()> {
    let mut known: HashMap<&str, &str> = HashMap::new();
    for adapter in adapters {
        let desk = adapter.desk();
        for (_, symbol) in desk.symbols() {
            let topic = format!("trade.{}.{}", desk.options().venue, symbol.canonical);
            TopicName::parse(&topic).with_context(|| format!("symbol \"{}\"", symbol.native))?;
            if let Some(other) = known.insert(&symbol.canonical, &symbol.native) {
                bail!(
                    "symbols \"{other}\" and \"{}\" are both {}: leave one out, or name it, as in \
                     \"NAME={}\"",
                    symbol.native,
                    symbol.canonical,
                    symbol.native
                );
            }
        }
    }
    Ok(())
}
