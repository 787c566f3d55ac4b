//! What a venue's feed is set up with, and the plan that is made of it: its addresses, and which
//! symbols share a connection.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use feeds::adapter::{Adapter, DeskOptions, Rules, Transport};
use feeds::derive::DeriveOptions;
use feeds::venue::Venue;
use feeds::venue::itch::{DateSource, Framing, Itch, ItchOptions, Login, TradeDate};
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
    /// Where the venue is, where that is not the adapter's own address. A WebSocket without a path
    /// takes the adapter's.
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
        Self::of(venue, Arc::new(move |desk| venue.adapter(desk)), desk)
    }

    /// A feed of ITCH over SoupBinTCP, which logs in as `login` says. Its messages are of `date`;
    /// without one, of today. Where `desk` names no symbols it has all that come.
    #[must_use]
    pub fn soup(login: Login, date: Option<TradeDate>, desk: DeskOptions) -> Self {
        let adapter = move |desk| -> Box<dyn Adapter> {
            let mut options = ItchOptions::new(Framing::Soup, desk);
            options.date = date.map_or(options.date, DateSource::Given);
            options.login = login.clone();
            Box::new(Itch::new(options))
        };
        Self::of(Venue::Itch(Framing::Soup), Arc::new(adapter), desk)
    }

    fn of(venue: Venue, adapter: AdapterMaker, mut desk: DeskOptions) -> Self {
        let quotes = desk.streams.quotes && !venue.gives_quotes();
        let symbols_max = desk.symbols_max;
        let derive = DeriveOptions { quotes, symbols_max, ..DeriveOptions::default() };
        desk.open |= desk.symbols.is_empty() && venue.gives_all_symbols();
        let mut feed = Self::with(adapter, desk);
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
    pub(super) endpoint: Endpoint,
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
        if rules.transport == Transport::Files {
            bail!("it is read from files and captured packets only: it cannot be a live feed here");
        }
        let (endpoint, rest) = addresses(feed, rules)?;
        let dialler = Dialler::new([&endpoint].into_iter().chain(&rest))?;
        let each = [feed.desk.streams.trades, feed.desk.streams.quotes, feed.desk.streams.book];
        let each = each.into_iter().filter(|wanted| *wanted).count();
        if (feed.desk.symbols.is_empty() && !feed.desk.open) || each == 0 {
            bail!("no symbols or no streams: nothing to ask for");
        }
        if feed.desk.open && feed.desk.on_demand {
            bail!("only named symbols can follow demand: name them, or leave on_demand off");
        }
        if feed.desk.symbols.len() > feed.desk.symbols_max {
            let (many, max) = (feed.desk.symbols.len(), feed.desk.symbols_max);
            bail!("{many} symbols are more than symbols_max, {max}");
        }
        let share = (rules.streams / each).max(1);
        let shares: Vec<&[String]> = match feed.desk.open {
            true => vec![&feed.desk.symbols],
            false => feed.desk.symbols.chunks(share).collect(),
        };
        let adapter = |symbols: &&[String]| {
            (feed.adapter)(DeskOptions { symbols: symbols.to_vec(), ..feed.desk.clone() })
        };
        let adapters: Vec<_> = shares.iter().map(adapter).collect();
        check_names(&adapters)?;
        Ok(Self {
            venue: feed.desk.venue.clone(),
            rules,
            endpoint,
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
        &self.endpoint.authority
    }
}

fn addresses(
    feed: &VenueFeed,
    rules: &'static Rules,
) -> anyhow::Result<(Endpoint, Option<Endpoint>)> {
    let read = |url: &str, scheme| {
        Endpoint::parse(url, scheme).map_err(|problem| anyhow!("\"{url}\": {problem}"))
    };
    let own = match rules.websocket {
        "" => None,
        own => Some(read(own, Scheme::Socket).context("the adapter's own address")?),
    };
    let scheme = match rules.transport {
        Transport::WebSocket => Scheme::Socket,
        Transport::Stream | Transport::Files => Scheme::Stream,
    };
    let endpoint = match (&feed.url, own) {
        (Some(url), Some(own)) => read(url, scheme)?.with_path_of(&own),
        (Some(url), None) => read(url, scheme)?,
        (None, Some(own)) => own,
        (None, None) => bail!(
            "its address comes with the subscription to the venue: say it as url, such as \
             \"tcp://127.0.0.1:9100\""
        ),
    };
    let own = match rules.rest {
        "" => None,
        rest => Some(read(rest, Scheme::Http).context("the adapter's own REST address")?),
    };
    let rest = match (&feed.rest_url, &feed.url, own) {
        (Some(url), _, Some(own)) => Some(read(url, Scheme::Http)?.with_path_of(&own)),
        (Some(url), _, None) => Some(read(url, Scheme::Http)?),
        // Books of one host and snapshots of another would not fit together.
        (None, Some(_), Some(own)) => Some(Endpoint { path: own.path, ..endpoint.clone() }),
        (None, _, own) => own,
    };
    Ok((endpoint, rest))
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
