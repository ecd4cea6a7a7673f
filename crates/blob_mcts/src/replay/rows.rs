//! Decisions of stored rounds as the rows of a minibatch.

use blob_engine::{ACTIONS, FEATURES, Features, OTHER_HANDS, Observation, encode, encode_other_hands};
use rayon::prelude::*;

use crate::replay::played_round::Decision;
use crate::replay::round_store::{Part, RoundStore};

/// Rows that a thread builds at a time: some 100 microseconds of work.
const ROWS_AT_A_TIME: usize = 128;

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
    /// [N, 364]: the hands of the other relative seats, in the encoding's names; empty if not asked for.
    pub other_hands: Vec<u8>,
}

impl RoundStore {
    /// The rows of these decisions of a part, with the other hands on request; `None` if one is past the last.
    pub fn rows(&self, part: Part, decisions: &[u64], other_hands: bool) -> Option<Rows> {
        let chunks: Option<Vec<Rows>> = decisions
            .par_chunks(ROWS_AT_A_TIME)
            .map(|chunk| {
                let mut rows = Rows::default();
                for &row in chunk {
                    let decision = self.decision(part, row)?;
                    rows.push(&decision, other_hands);
                }
                Some(rows)
            })
            .collect();
        let mut all = Rows::default();
        chunks?.into_iter().for_each(|chunk| all.append(chunk));
        Some(all)
    }
}

impl Rows {
    fn push(&mut self, decision: &Decision, other_hands: bool) {
        push_encoded(&decision.observation, &mut self.features, &mut self.legal);
        let names = decision.observation.card_names();
        self.action.push(names.action(decision.action).index() as u8);
        self.bid.push(decision.bid());
        self.tricks.extend(decision.relative(&decision.tricks));
        self.values.extend(decision.relative(&decision.values));
        if other_hands {
            let mut hands = [0; OTHER_HANDS];
            encode_other_hands(&decision.round, decision.seat(), &mut hands);
            self.other_hands.extend(hands);
        }
    }

    fn append(&mut self, mut other: Self) {
        self.features.append(&mut other.features);
        self.legal.append(&mut other.legal);
        self.action.append(&mut other.action);
        self.bid.append(&mut other.bid);
        self.tricks.append(&mut other.tricks);
        self.values.append(&mut other.values);
        self.other_hands.append(&mut other.other_hands);
    }
}

fn push_encoded(observation: &Observation, features: &mut Vec<u8>, legal: &mut Vec<bool>) {
    let mut encoded: Features = [0; FEATURES];
    encode(observation, &mut encoded);
    features.extend(encoded);
    let allowed = observation.card_names().actions(observation.legal_actions());
    legal.extend((0..ACTIONS).map(|action| allowed.bits() >> action & 1 == 1));
}

#[cfg(test)]
mod tests {
    use blob_engine::rng::{Purpose, stream};
    use blob_engine::{CardSet, MAX_PLAYERS, Round, RoundSpec, Seat, trump_of_round};

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
            let wanted: Vec<u64> = (0..store.decisions(part)).rev().collect();
            let rows = store.rows(part, &wanted, true).expect("all are there");
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
                let held: usize = Seat::all(players)
                    .filter(|&seat| seat != decision.seat())
                    .map(|seat| decision.round.hand(seat).len())
                    .sum();
                let shown = &rows.other_hands[k * OTHER_HANDS..][..OTHER_HANDS];
                assert_eq!(shown.iter().map(|&flag| usize::from(flag)).sum::<usize>(), held);
            }
            let without = store.rows(part, &wanted, false).expect("all are there");
            assert_eq!(without, Rows { other_hands: Vec::new(), ..rows });
            assert_eq!(store.rows(part, &[wanted.len() as u64], false), None);
        }
    }

    #[test]
    fn names_of_other_hands_are_the_encodings() {
        // The observer's own ace and another seat's king of the same suit: neighbours in the encoding's names.
        let hand = |text: &str| -> CardSet { text.split(' ').map(|card| card.parse().expect("a card")).collect() };
        let spec = RoundSpec::new(3, 2, None, Seat::FIRST);
        let hands = [hand("2S 3S"), hand("AH 2C"), hand("KH 3D")];
        let deal = Round::from_hands(&spec, &hands, None).expect("a legal deal");
        let mut others = [0; OTHER_HANDS];
        encode_other_hands(&deal, deal.to_play().expect("the bidding"), &mut others);
        let mut features = [0; FEATURES];
        encode(&deal.observe(deal.to_play().expect("the bidding")), &mut features);
        let observer = deal.to_play().expect("the bidding");
        assert_eq!(deal.hand(observer), hands[1]);
        let ace = (0..52).rev().find(|&card| features[card] == 1 && card % 13 == 12).expect("the ace");
        assert_eq!((others[ace - 1], others[52 + ace - 1]), (1, 0), "the next seat holds the king below it");
    }
}
