//! Decisions of stored rounds as the rows of a minibatch.

use blob_engine::{ACTIONS, Action, CardNames, FEATURES, Features, OPEN_FEATURES, encode_named, encode_open};
use rayon::prelude::*;

use crate::replay::played_round::Decision;
use crate::replay::round_store::{Part, RoundStore};

/// Rows that a thread builds at a time: some 2 milliseconds of work. Minibatches of a CPU, which learns from one while
/// another is built, and judges parts on all threads, are on the caller's thread alone; more threads would take the
/// cores from those that learn.
const ROWS_AT_A_TIME: usize = 2048;

/// N decisions, by column. What is by seat goes by relative seat from the one that decided, 0 past the players.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rows {
    /// [N, 256]: what the seat knew, encoded.
    pub features: Vec<u8>,
    /// [N, 52]: the legal actions, in the encoding's names.
    pub legal: Vec<bool>,
    /// [N]: the action taken, in the encoding's names.
    pub action: Vec<u8>,
    /// [N]: the bid of the seat that decided; of a bid, the bid itself.
    pub bid: Vec<u8>,
    /// [N, 8]: tricks won in the end.
    pub tricks: Vec<u8>,
    /// [N, 8]: values in the end, in [-1, 1].
    pub values: Vec<f32>,
}

/// What may follow N decisions: M positions after an action and all that it forces, by column.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AfterRows {
    /// [M, 620]: what the seat that decided then knows, with all hands open; all 0 where its value is settled.
    pub features: Vec<u8>,
    /// [M]: the decision, as its place among those asked for.
    pub decision: Vec<u32>,
    /// [M]: the action, in the names of the decision's encoding.
    pub action: Vec<u8>,
    /// [M]: the value of the round to the seat where nothing can change it any more, else NaN.
    pub settled: Vec<f32>,
}

impl RoundStore {
    /// The rows of these decisions of a part; `None` if one is past the last.
    pub fn rows(&self, part: Part, decisions: &[u64]) -> Option<Rows> {
        self.build(part, decisions, |rows: &mut Rows, decision, _| rows.push(decision), Rows::append)
    }

    /// The positions after the actions taken in these decisions of a part; `None` if one is past the last.
    pub fn after_taken(&self, part: Part, decisions: &[u64]) -> Option<AfterRows> {
        let push = |rows: &mut AfterRows, decision: &Decision, place| {
            rows.push(decision, decision.action, decision.observation.card_names(), place);
        };
        self.build(part, decisions, push, AfterRows::append)
    }

    /// The positions after each legal action of these decisions of a part; `None` if one is past the last.
    pub fn after_each(&self, part: Part, decisions: &[u64]) -> Option<AfterRows> {
        let push = |rows: &mut AfterRows, decision: &Decision, place| {
            let names = decision.observation.card_names();
            decision.round.legal_actions().iter().for_each(|action| rows.push(decision, action, names, place));
        };
        self.build(part, decisions, push, AfterRows::append)
    }

    /// Rows that `push` makes of each decision and its place among them.
    fn build<T: Default + Send>(
        &self,
        part: Part,
        decisions: &[u64],
        push: impl Fn(&mut T, &Decision, u32) + Sync,
        append: impl Fn(&mut T, T),
    ) -> Option<T> {
        let chunks: Option<Vec<T>> = decisions
            .par_chunks(ROWS_AT_A_TIME)
            .enumerate()
            .map(|(chunk, decisions)| {
                let mut rows = T::default();
                for (place, &row) in ((chunk * ROWS_AT_A_TIME) as u32..).zip(decisions) {
                    push(&mut rows, &self.decision(part, row)?, place);
                }
                Some(rows)
            })
            .collect();
        let mut chunks = chunks?.into_iter();
        let mut all = chunks.next().unwrap_or_default();
        chunks.for_each(|chunk| append(&mut all, chunk));
        Some(all)
    }
}

impl AfterRows {
    fn push(&mut self, decision: &Decision, action: Action, before: CardNames, place: u32) {
        let (seat, mut round) = (decision.seat(), decision.round);
        round.play_unchecked(action);
        round.skip_forced();
        let settled = round.public().settled_value(seat);
        let mut features = [0; OPEN_FEATURES];
        if settled.is_none() {
            encode_open(&round, seat, &mut features);
        }
        self.features.extend_from_slice(&features);
        self.decision.push(place);
        self.action.push(before.action(action).index() as u8);
        self.settled.push(settled.unwrap_or(f32::NAN));
    }

    fn append(&mut self, mut other: Self) {
        self.features.append(&mut other.features);
        self.decision.append(&mut other.decision);
        self.action.append(&mut other.action);
        self.settled.append(&mut other.settled);
    }
}

impl Rows {
    fn push(&mut self, decision: &Decision) {
        let names = decision.observation.card_names();
        let mut features: Features = [0; FEATURES];
        encode_named(&decision.observation, names, &mut features);
        self.features.extend_from_slice(&features);
        let legal = names.actions(decision.observation.legal_actions());
        self.legal.extend((0..ACTIONS).map(|action| legal.bits() >> action & 1 == 1));
        self.action.push(names.action(decision.action).index() as u8);
        self.bid.push(decision.bid());
        self.tricks.extend(decision.relative(&decision.tricks));
        self.values.extend(decision.relative(&decision.values));
    }

    fn append(&mut self, mut other: Self) {
        self.features.append(&mut other.features);
        self.legal.append(&mut other.legal);
        self.action.append(&mut other.action);
        self.bid.append(&mut other.bid);
        self.tricks.append(&mut other.tricks);
        self.values.append(&mut other.values);
    }
}

#[cfg(test)]
mod tests {
    use blob_engine::rng::{Purpose, stream};
    use blob_engine::{CardSet, MAX_PLAYERS, Round, RoundSpec, Seat, encode, trump_of_round};

    use super::*;
    use crate::replay::PlayedRound;

    fn store() -> RoundStore {
        let mut store = RoundStore::new(u64::MAX, 5);
        for number in 0..60 {
            let mut rng = stream(number, Purpose::Test, &[]);
            let players = 3 + number as usize % 6;
            let spec = RoundSpec::new(players, 1 + number as usize % 6, trump_of_round(number as usize), Seat::FIRST);
            let deal = Round::deal(&spec, &mut rng).expect("a shape that can be dealt");
            let (mut round, mut actions) = (deal, Vec::new());
            round.skip_forced();
            while let Some(action) = round.legal_actions().choose(&mut rng) {
                actions.push(action);
                round.play_unchecked(action);
                round.skip_forced();
            }
            let values = round.public().values().unwrap_or_default();
            store.push(PlayedRound { number, game_round: 0, deal, actions, values }).expect("a finished round");
        }
        store
    }

    #[test]
    fn rows_hold_their_decisions() {
        let store = store();
        for part in [Part::Training, Part::HeldOut] {
            // More than a thread builds at a time, so some of them again.
            let wanted: Vec<u64> = (0..store.decisions(part)).rev().cycle().take(ROWS_AT_A_TIME + 700).collect();
            let rows = store.rows(part, &wanted).expect("all are there");
            for (k, &row) in wanted.iter().enumerate() {
                let decision = store.decision(part, row).expect("a decision");
                let mut features = [0; FEATURES];
                decision.encode(&mut features);
                assert_eq!(rows.features[k * FEATURES..][..FEATURES], features);
                assert!(rows.legal[k * ACTIONS + usize::from(rows.action[k])], "the action taken is legal");
                let players = decision.observation.public().players();
                assert_eq!(rows.tricks[k * MAX_PLAYERS], decision.tricks[decision.seat()]);
                assert_eq!(rows.tricks[k * MAX_PLAYERS + 1], decision.tricks[decision.seat().after(1, players)]);
                assert_eq!(rows.values[k * MAX_PLAYERS], decision.values[decision.seat()]);
                assert_eq!(rows.bid[k], decision.bid());
            }
            assert_eq!(store.rows(part, &[store.decisions(part)]), None);
        }
    }

    #[test]
    fn positions_after_an_action_are_as_its_seat_sees_them_and_as_all_hands_are() {
        let store = store();
        for part in [Part::Training, Part::HeldOut] {
            // More than a thread builds at a time, so some of them again.
            let wanted: Vec<u64> = (0..store.decisions(part)).rev().cycle().take(ROWS_AT_A_TIME + 700).collect();
            let (taken, each) = (store.after_taken(part, &wanted), store.after_each(part, &wanted));
            let (taken, each) = (taken.expect("all are there"), each.expect("all are there"));
            let (mut rows, mut settled) = (0, 0);
            for (k, &row) in wanted.iter().enumerate() {
                let decision = store.decision(part, row).expect("a decision");
                let (seat, names) = (decision.seat(), decision.observation.card_names());
                for action in decision.round.legal_actions().iter() {
                    let mut after = decision.round;
                    after.play(action).expect("legal");
                    after.skip_forced();
                    let value = after.public().settled_value(seat);
                    let name = names.action(action).index() as u8;
                    let mut check = |found: &AfterRows, at: usize| {
                        assert_eq!((found.decision[at], found.action[at]), (k as u32, name));
                        assert_eq!((!found.settled[at].is_nan()).then_some(found.settled[at]), value);
                        let mut features = [0; OPEN_FEATURES];
                        if value.is_none() {
                            encode_open(&after, seat, &mut features);
                        }
                        assert_eq!(found.features[at * OPEN_FEATURES..][..OPEN_FEATURES], features);
                        settled += usize::from(value.is_some());
                    };
                    check(&each, rows);
                    if action == decision.action {
                        check(&taken, k);
                    }
                    rows += 1;
                }
            }
            assert_eq!((taken.settled.len(), each.settled.len()), (wanted.len(), rows));
            assert!(0 < settled && settled < rows);
            assert_eq!(store.after_each(part, &[store.decisions(part)]), None);
        }
    }

    #[test]
    fn names_of_other_hands_are_the_encodings() {
        // The observer's own ace and another seat's king of the same suit: neighbours in the encoding's names.
        let hand = |text: &str| -> CardSet { text.split(' ').map(|card| card.parse().expect("a card")).collect() };
        let spec = RoundSpec::new(3, 2, None, Seat::FIRST);
        let hands = [hand("2S 3S"), hand("AH 2C"), hand("KH 3D")];
        let deal = Round::from_hands(&spec, &hands, None).expect("a legal deal");
        let observer = deal.to_play().expect("the bidding");
        assert_eq!(deal.hand(observer), hands[1]);
        let (mut features, mut open) = ([0; FEATURES], [0; OPEN_FEATURES]);
        encode(&deal.observe(observer), &mut features);
        encode_open(&deal, observer, &mut open);
        let (own, others) = open.split_at(FEATURES);
        assert_eq!(own, features);
        let ace = (0..52).rev().find(|&card| features[card] == 1 && card % 13 == 12).expect("the ace");
        assert_eq!((others[ace - 1], others[52 + ace - 1]), (1, 0), "the next seat holds the king below it");
    }
}
