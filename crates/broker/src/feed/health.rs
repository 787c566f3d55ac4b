//! The state of a venue that is heard over several connections: the worst of them.

use market::VenueState;

/// What each connection of a feed said last, and what was made of it.
#[derive(Debug)]
pub(super) struct Health {
    /// `None` for a connection that nobody needs.
    connections: Vec<Option<(VenueState, String)>>,
    said: Option<(VenueState, String)>,
}

impl Health {
    pub(super) fn new(connections: usize) -> Self {
        let connecting = Some((VenueState::Down, "connecting".to_owned()));
        Self { connections: vec![connecting; connections], said: None }
    }

    /// Notes what connection `index` says; returns what the venue is to say, if that is news. What
    /// a connection says without a change of its state is a notice, which is always told: where
    /// others are worse, beside what is said of them.
    pub(super) fn set(
        &mut self,
        index: usize,
        state: Option<(VenueState, &str)>,
    ) -> Option<(VenueState, String)> {
        let state = state.map(|(state, reason)| (state, reason.to_owned()));
        let before = std::mem::replace(&mut self.connections[index], state);
        let now = self.combined();
        if self.said.as_ref() != Some(&now) {
            self.said = Some(now.clone());
            return Some(now);
        }
        let (state, reason) = self.connections[index].as_ref()?;
        let (state_before, reason_before) = before?;
        if *state != state_before || *reason == reason_before {
            return None;
        }
        let notice = format!("connection {} of {}: {reason}", index + 1, self.connections.len());
        Some(match now {
            (VenueState::Up, _) => (VenueState::Up, notice),
            (worse, why) => (worse, format!("{why}; {notice}")),
        })
    }

    fn combined(&self) -> (VenueState, String) {
        let severity = |state: VenueState| VenueState::ALL.iter().position(|known| *known == state);
        let several = self.connections.len();
        // The first of the worst; `max_by_key` alone would give the last.
        let states = self.connections.iter().enumerate().rev();
        let worst = states
            .filter_map(|(index, state)| state.as_ref().map(|state| (index, state)))
            .max_by_key(|(_, (state, _))| severity(*state));
        match worst {
            None => (VenueState::Down, "nobody subscribes".to_owned()),
            Some((_, (VenueState::Up, _))) if several > 1 => {
                (VenueState::Up, format!("all of {several} connections are up"))
            }
            Some((index, (state, reason))) if several > 1 => {
                (*state, format!("connection {} of {several}: {reason}", index + 1))
            }
            Some((_, said)) => said.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_connection_speaks_for_itself() {
        let mut health = Health::new(1);
        let down = Some((VenueState::Down, "no route"));
        assert_eq!(health.set(0, down), Some((VenueState::Down, "no route".to_owned())));
        assert_eq!(health.set(0, down), None, "no news");
        let up = health.set(0, Some((VenueState::Up, "messages come")));
        assert_eq!(up, Some((VenueState::Up, "messages come".to_owned())));
        let idle = health.set(0, None);
        assert_eq!(idle, Some((VenueState::Down, "nobody subscribes".to_owned())));
    }

    #[test]
    fn the_worst_of_several_is_what_the_venue_says() {
        let mut health = Health::new(3);
        let first = health.set(0, Some((VenueState::Up, "messages come")));
        assert_eq!(first, Some((VenueState::Down, "connection 2 of 3: connecting".to_owned())));
        let second = health.set(1, Some((VenueState::Up, "messages come")));
        assert_eq!(second, Some((VenueState::Down, "connection 3 of 3: connecting".to_owned())));
        let all = health.set(2, None);
        assert_eq!(all, Some((VenueState::Up, "all of 3 connections are up".to_owned())));
        let stale = health.set(1, Some((VenueState::Stale, "silent")));
        assert_eq!(stale, Some((VenueState::Stale, "connection 2 of 3: silent".to_owned())));
        let worse = health.set(0, Some((VenueState::Down, "cut")));
        assert_eq!(worse, Some((VenueState::Down, "connection 1 of 3: cut".to_owned())));
    }

    #[test]
    fn what_is_said_without_a_change_of_state_is_told_too() {
        let mut health = Health::new(2);
        health.set(0, Some((VenueState::Up, "messages come")));
        health.set(1, Some((VenueState::Up, "messages come")));
        let odd = Some((VenueState::Up, "an unreadable message"));
        let told = "connection 1 of 2: an unreadable message".to_owned();
        assert_eq!(health.set(0, odd), Some((VenueState::Up, told.clone())));
        assert_eq!(health.set(0, odd), None, "no news");
        health.set(1, Some((VenueState::Down, "cut")));
        let beside = format!("connection 2 of 2: cut; {told} (2 so far)");
        let odd = Some((VenueState::Up, "an unreadable message (2 so far)"));
        assert_eq!(health.set(0, odd), Some((VenueState::Down, beside)));
        // It is up again: what was said of it is over.
        let up = health.set(1, Some((VenueState::Up, "messages come")));
        assert_eq!(up, Some((VenueState::Up, "all of 2 connections are up".to_owned())));
    }
}
