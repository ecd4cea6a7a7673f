//! A round's cache of evaluations.
//!
//! Rows repeat within a round. Cards with the same job stand for each other, since the encoding names them by their
//! part in the round, and the worlds of a search share much of their trees. Between rounds rows hardly repeat: a cache
//! for all rounds found nothing more (docs/LOG.md). So each round has its own cache, which no other thread touches. It
//! needs no lock, and its content does not depend on timing. It lives while the round is in progress in one run, whose
//! weights do not change.

use blob_engine::{ACTIONS, EncodedActionSet, Features, MAX_PLAYERS};
use xxhash_rust::xxh3::xxh3_128;

use crate::search::evaluate::Evaluation;

/// The name of a row: 128 bits, so that two different rows never share one in practice (odds of 2^-64 in 2^32 rows).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key(u128);

impl Key {
    pub(crate) fn of(features: &Features) -> Self {
        Self(xxh3_128(features))
    }
}

/// Number of an entry, valid until the next [`EvaluationCache::trim`].
pub(crate) type EntryId = u16;

const EMPTY: u16 = u16::MAX;

/// Most entries of a cache.
pub(crate) const MAX_ENTRIES: usize = 1 << 15;

#[derive(Clone, Debug)]
struct Entry {
    key: Key,
    /// The names of the legal actions.
    legal: EncodedActionSet,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Its evaluation was requested, in this row of the run.
    Requested { row: u32 },
    /// Its numbers start here.
    Known { start: u32 },
}

/// What the cache holds of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// Its evaluation.
    Known(EntryId),
    /// It was requested already, in this row of the run.
    Requested { row: u32 },
    /// Nothing. The new entry notes that it is requested; `None` if there is no room.
    New(Option<EntryId>),
}

/// Policy and values of one row, as the evaluator returned them.
pub(crate) struct Known {
    policy: [f32; ACTIONS],
    values: [f32; MAX_PLAYERS],
}

impl Known {
    pub(crate) const fn evaluation(&self) -> Evaluation<'_> {
        Evaluation { policy: &self.policy, values: &self.values }
    }
}

/// A bounded table of evaluations by row.
#[derive(Clone, Debug)]
pub(crate) struct EvaluationCache {
    capacity: usize,
    /// Open addressing with linear probing, at most half full.
    slots: Vec<u16>,
    entries: Vec<Entry>,
    /// The policy of the legal actions, then the values, of each entry.
    numbers: Vec<f32>,
}

impl EvaluationCache {
    /// A cache of at most `capacity` evaluations.
    pub(crate) fn new(capacity: usize) -> Self {
        let capacity = capacity.min(MAX_ENTRIES);
        let slots = if capacity == 0 { 0 } else { (2 * capacity).next_power_of_two() };
        Self { capacity, slots: vec![EMPTY; slots], entries: Vec::new(), numbers: Vec::new() }
    }

    /// Whether its capacity is 0.
    pub(crate) const fn is_off(&self) -> bool {
        self.capacity == 0
    }

    /// Looks a row up. If it is new, notes that it is requested in row `row` of the run.
    pub(crate) fn find(&mut self, key: Key, legal: EncodedActionSet, row: u32) -> Found {
        let mask = self.slots.len() - 1;
        let mut slot = key.0 as usize & mask;
        while self.slots[slot] != EMPTY {
            let id = self.slots[slot];
            let entry = &self.entries[usize::from(id)];
            if entry.key == key {
                return match entry.state {
                    State::Requested { row } => Found::Requested { row },
                    State::Known { .. } => Found::Known(id),
                };
            }
            slot = (slot + 1) & mask;
        }
        if self.entries.len() >= self.capacity {
            return Found::New(None);
        }
        let id = self.entries.len() as EntryId;
        self.slots[slot] = id;
        self.entries.push(Entry { key, legal, state: State::Requested { row } });
        Found::New(Some(id))
    }

    /// Stores the evaluation of a requested entry; a known one keeps its own.
    pub(crate) fn learn(&mut self, id: EntryId, evaluation: &Evaluation<'_>) {
        let entry = &mut self.entries[usize::from(id)];
        if let State::Requested { .. } = entry.state {
            entry.state = State::Known { start: self.numbers.len() as u32 };
            self.numbers.extend(entry.legal.iter().map(|action| evaluation.policy[action.index()]));
            self.numbers.extend(evaluation.values);
        }
    }

    /// The evaluation of a known entry.
    pub(crate) fn known(&self, id: EntryId) -> Known {
        let entry = &self.entries[usize::from(id)];
        let State::Known { start } = entry.state else { unreachable!("only known entries are found as known") };
        let (policy, values) = self.numbers[start as usize..].split_at(entry.legal.len());
        let mut known = Known { policy: [0.0; ACTIONS], values: [0.0; MAX_PLAYERS] };
        for (action, &share) in entry.legal.iter().zip(policy) {
            known.policy[action.index()] = share;
        }
        known.values.copy_from_slice(&values[..MAX_PLAYERS]);
        known
    }

    /// Clears the cache if less than half is free. No entry may be requested.
    pub(crate) fn trim(&mut self) {
        if 2 * self.entries.len() > self.capacity {
            self.clear();
        }
    }

    /// Removes all entries. None may be requested.
    pub(crate) fn clear(&mut self) {
        if !self.entries.is_empty() {
            self.slots.fill(EMPTY);
            self.entries.clear();
            self.numbers.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(k: u64) -> Key {
        // Low bits alike, so that slots collide.
        Key(u128::from(k) << 64 | u128::from(k % 3))
    }

    #[test]
    fn rows_are_found_until_there_is_no_room() {
        let mut cache = EvaluationCache::new(40);
        let legal = |k: u64| EncodedActionSet::bids(1 + k as usize % 5);
        let policy: [f32; ACTIONS] = std::array::from_fn(|k| 1.0 + k as f32);
        for k in 0..40 {
            let Found::New(Some(id)) = cache.find(key(k), legal(k), k as u32) else { panic!("room for 40") };
            assert_eq!(cache.find(key(k), legal(k), 99), Found::Requested { row: k as u32 });
            if k % 2 == 0 {
                cache.learn(id, &Evaluation { policy: &policy, values: &[k as f32; MAX_PLAYERS] });
            }
        }
        assert_eq!(cache.find(key(40), legal(0), 99), Found::New(None));
        for k in 0..40 {
            match cache.find(key(k), legal(k), 99) {
                Found::Known(id) => {
                    assert_eq!(k % 2, 0);
                    let known = cache.known(id);
                    let expected = std::array::from_fn(|a| if a < 2 + k as usize % 5 { policy[a] } else { 0.0 });
                    assert_eq!(known.policy, expected);
                    assert_eq!(known.values, [k as f32; MAX_PLAYERS]);
                }
                other => assert_eq!(other, Found::Requested { row: k as u32 }),
            }
        }
        cache.trim();
        assert_eq!(cache.find(key(0), legal(0), 5), Found::New(Some(0)));
    }
}
