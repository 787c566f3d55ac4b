//! Who the subscribers are: what each one does, asks for and speaks.

use client::Codec;
use serde::{Deserialize, Serialize};

/// How a subscriber behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Reads what comes, all the time.
    Healthy,
    /// Reads so many bytes a second.
    Slow,
    /// Stops reading once it is subscribed.
    Stalled,
    /// Goes away now and then, and comes back with resume.
    Resuming,
    /// Is cut off with many others at one moment, and comes back with resume.
    Storm,
}

impl Role {
    /// All of them; a role's place here is its number.
    pub const ALL: [Self; 5] =
        [Self::Healthy, Self::Slow, Self::Stalled, Self::Resuming, Self::Storm];

    /// A short name, for tables.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Slow => "slow",
            Self::Stalled => "stalled",
            Self::Resuming => "resuming",
            Self::Storm => "storm",
        }
    }
}

/// One subscriber.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member {
    /// How it behaves.
    pub role: Role,
    /// How it gets its events.
    pub codec: Codec,
    /// It subscribes to a pattern, not to topics by name.
    pub wildcard: bool,
    /// It asks for `max_rate`.
    pub limited: bool,
    /// It reads every message in full and compares it with the truth.
    pub verifies: bool,
}

/// How many subscribers of a hundred are what.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Shares {
    /// See [`Role::Slow`].
    pub slow: f64,
    /// See [`Role::Stalled`].
    pub stalled: f64,
    /// See [`Role::Resuming`].
    pub resuming: f64,
    /// See [`Role::Storm`].
    pub storm: f64,
    /// Those that speak MessagePack.
    pub msgpack: f64,
    /// Those that subscribe to a pattern.
    pub wildcard: f64,
    /// Those that ask for `max_rate`, where the plan has one.
    pub limited: f64,
}

/// All subscribers, each kind spread evenly over the whole.
#[must_use]
pub fn crew(count: usize, shares: &Shares, verify_every: usize) -> Vec<Member> {
    let plain = Member {
        role: Role::Healthy,
        codec: Codec::Json,
        wildcard: false,
        limited: false,
        verifies: false,
    };
    let mut crew = vec![plain; count];
    let roles = [
        (Role::Stalled, shares.stalled),
        (Role::Slow, shares.slow),
        (Role::Resuming, shares.resuming),
        (Role::Storm, shares.storm),
    ];
    for (role, percent) in roles {
        let free: Vec<_> = (0..count).filter(|&i| crew[i].role == Role::Healthy).collect();
        for i in picks(free.len(), share(count, percent)) {
            crew[free[i]].role = role;
        }
    }
    // Within each role, so that no kind is left out of what is mixed.
    for role in Role::ALL {
        let mut members: Vec<_> = crew.iter_mut().filter(|member| member.role == role).collect();
        let size = members.len();
        picks(size, share(size, shares.wildcard)).for_each(|i| members[i].wildcard = true);
        for wildcard in [false, true] {
            let mut alike: Vec<_> =
                members.iter_mut().filter(|member| member.wildcard == wildcard).collect();
            let size = alike.len();
            picks(size, share(size, shares.msgpack))
                .for_each(|i| alike[i].codec = Codec::MessagePack);
            picks(size, share(size, shares.limited)).for_each(|i| alike[i].limited = true);
            // Who reads slowly has the most merged, and costs little.
            let every = if role == Role::Slow { 1 } else { verify_every.max(1) };
            for (i, member) in alike.iter_mut().enumerate() {
                member.verifies = i % every == offset(i / every) % every;
            }
        }
    }
    crew
}

/// Somewhere in each block, so that no other pattern (every second has books) keeps step; in the
/// first, which may be short, its beginning.
fn offset(block: usize) -> usize {
    match block {
        0 => 0,
        _ => usize::try_from(super::mixed(block as u64) >> 33).expect("31 bits"),
    }
}

/// So many of `count` indices, evenly spread.
fn picks(count: usize, wanted: usize) -> impl Iterator<Item = usize> {
    let reached = move |upto: usize| upto * wanted.min(count) / count.max(1);
    (0..count).filter(move |&i| reached(i + 1) > reached(i))
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a share of a number of sockets"
)]
fn share(count: usize, percent: f64) -> usize {
    (count as f64 * percent / 100.0).round() as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_its_share_and_none_is_left_out_of_the_mix() {
        let shares = Shares {
            slow: 10.0,
            stalled: 5.0,
            resuming: 10.0,
            storm: 25.0,
            msgpack: 50.0,
            wildcard: 20.0,
            limited: 100.0,
        };
        let crew = crew(1_000, &shares, 10);
        let count = |wanted: &dyn Fn(&Member) -> bool| crew.iter().filter(|m| wanted(m)).count();
        for (role, expected) in Role::ALL.into_iter().zip([500, 100, 50, 100, 250]) {
            assert_eq!(count(&|m| m.role == role), expected, "{role:?}");
            assert_eq!(count(&|m| m.role == role && m.wildcard), expected / 5, "{role:?}");
            assert!(count(&|m| m.role == role && m.verifies && m.wildcard) > 0, "{role:?}");
            assert!(count(&|m| m.role == role && m.verifies && !m.wildcard) > 0, "{role:?}");
        }
        for every in [4, 5, 16] {
            let crew = super::crew(1_000, &Shares::default(), every);
            for step in [2, 3, 4] {
                let mut seen = vec![0; step];
                let verify = crew.iter().enumerate().filter(|(_, member)| member.verifies);
                verify.for_each(|(i, _)| seen[i % step] += 1);
                let fair = 1_000 / every / step;
                assert!(seen.iter().all(|count| *count > fair / 3), "{every} {step}: {seen:?}");
            }
        }
        assert_eq!(count(&|m| m.codec == Codec::MessagePack), 500);
        assert_eq!(count(&|m| m.limited), 1_000);
        // Spread, not in a row.
        assert!(crew.windows(5).all(|five| five.iter().any(|m| m.role != Role::Stalled)));
    }
}
