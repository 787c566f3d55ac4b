//! A venue's feed as a whole: all its connections, run side by side until it is stopped.

use std::collections::HashMap;
use std::sync::Arc;

use feeds::Channel;
use feeds::adapter::Rules;
use market::{Event, Kind, Stamps, Status, VenueState};
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::demand::Demand;
use super::figures::Figures;
use super::health::Health;
use super::options::Plan;
use super::pace::{Chance, Window};
use super::rest::Rest;
use super::session::{Session, Shared};
use super::sink::Sink;
use crate::clock::{Clock, millis};

/// The limits that all feeds of one host share: it counts connections by our address.
#[derive(Debug, Clone, Default)]
pub(crate) struct Gates(Arc<Mutex<HashMap<String, Arc<Mutex<Window>>>>>);

impl Gates {
    fn of(&self, host: &str, rules: &Rules) -> Arc<Mutex<Window>> {
        let mut gates = self.0.lock();
        let gate = gates.entry(host.to_owned()).or_insert_with(|| {
            let window = std::time::Duration::from_nanos(rules.connections_window);
            Arc::new(Mutex::new(Window::new(rules.connections, millis(window))))
        });
        Arc::clone(gate)
    }
}

/// Runs `plan` until the sender of `stopped` is gone.
pub(crate) async fn run<S: Sink>(
    plan: Plan,
    mut sink: S,
    gates: Gates,
    figures: Figures,
    clock: Clock,
    stopped: watch::Receiver<()>,
) {
    let connections = plan.connections();
    let mut chance = Chance::new(plan.seed);
    let message_bytes = plan.rules.message_bytes;
    let shared = Arc::new(Shared {
        connects: gates.of(plan.authority(), plan.rules),
        rest: plan.rest.map(|rest| Rest::new(rest, plan.dialler.clone(), clock, message_bytes)),
        derive: plan.derive,
        venue: plan.venue,
        rules: plan.rules,
        endpoint: plan.endpoint,
        dialler: plan.dialler,
        health: Mutex::new(Health::new(connections)),
        figures,
        clock,
    });
    let mut sessions = JoinSet::new();
    for (index, adapter) in plan.adapters.into_iter().enumerate() {
        let demand = plan
            .on_demand
            .then(|| Demand::new(adapter.desk(), &shared.derive, millis(plan.linger)));
        let chance = Chance::new(Some(chance.between(0, u64::MAX - 1)));
        let (shared, sink, stopped) = (Arc::clone(&shared), sink.another(), stopped.clone());
        let session = Session::new(index, shared, adapter, demand, sink, chance, stopped);
        sessions.spawn(session.run());
    }
    while let Some(ended) = sessions.join_next().await {
        let Err(error) = ended else { continue };
        tracing::error!(venue = shared.venue, %error, "a connection's session broke off");
        let stamps = Stamps { received: clock.wall(), ..Stamps::default() };
        let reason = "a session broke off; the log has more".into();
        let status = Status { state: VenueState::Down, reason, stamps };
        let channel = Channel::new(Kind::Status, format!("status.{}", shared.venue));
        sink.publish(0, &channel, Event::Status(status));
        sink.flush();
    }
    tracing::debug!(venue = shared.venue, "feed stopped");
}
