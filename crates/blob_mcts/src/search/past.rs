//! What everybody saw of a round so far, and what it says of a world.

use blob_engine::{Action, BySeat, CardSet, Observation, Phase, Round, Seat};

/// The turns of a round so far, forced ones included.
#[derive(Clone, Debug, PartialEq)]
pub struct Past {
    /// The round before its first bid; its hands are not looked at.
    start: Round,
    turns: Vec<(Seat, Action)>,
    /// Cards that each seat has played.
    played: BySeat<CardSet>,
}

impl Past {
    /// The past of a round that was dealt so, after the actions of these decisions and all that they force.
    ///
    /// Only what everybody saw is kept, so a look-ahead that is given a past learns nothing of hidden hands.
    pub fn new(deal: &Round, actions: &[Action]) -> Self {
        let mut past = Self::begin(deal);
        let mut round = *deal;
        let mut actions = actions.iter();
        loop {
            let legal = round.legal_actions();
            let next = if legal.len() == 1 { legal.iter().next() } else { actions.next().copied() };
            let Some(action) = next else { return past };
            past.turn(&round, action);
            round.play_unchecked(action);
        }
    }

    /// The past of a round before its first bid.
    pub fn begin(deal: &Round) -> Self {
        Self { start: deal.with_hands(BySeat::default()), turns: Vec::new(), played: BySeat::default() }
    }

    /// Adds a legal action, from the round as it stood.
    pub fn turn(&mut self, before: &Round, action: Action) {
        let Some(seat) = before.to_play() else { return };
        self.turns.push((seat, action));
        if before.phase() == Phase::Playing {
            self.played[seat] = self.played[seat] | CardSet::from_iter([action.as_card()]);
        }
    }

    /// Turns of other seats than the observer, forced ones included.
    pub fn turns_of_others(&self, observer: Seat) -> usize {
        self.turns.iter().filter(|&&(seat, _)| seat != observer).count()
    }

    /// Calls `each` with what each decision of another seat than the observer would have been made from in a world, and
    /// with the action taken. Turns that the world forces are no decisions.
    pub fn decisions_of_others(&self, world: &Round, observer: Seat, mut each: impl FnMut(&Observation, Action)) {
        let mut hands = *world.hands();
        for seat in Seat::all(world.public().players()) {
            hands[seat] = hands[seat] | self.played[seat];
        }
        let mut round = self.start.with_hands(hands);
        for &(seat, action) in &self.turns {
            if seat != observer && round.legal_actions().len() > 1 {
                each(&round.observe(seat), action);
            }
            round.play_unchecked(action);
        }
    }
}

#[cfg(test)]
mod tests {
    use blob_engine::rng::{Purpose, stream};
    use blob_engine::{RoundSpec, WorldSampler, trump_of_round};

    use super::*;

    #[test]
    fn a_world_is_replayed_to_where_the_round_stands() {
        for number in 0..80 {
            let mut rng = stream(number, Purpose::Test, &[]);
            let players = 3 + number as usize % 6;
            let spec = RoundSpec::new(players, 1 + number as usize % 6, trump_of_round(number as usize), Seat::FIRST);
            let deal = Round::deal(&spec, &mut rng).expect("a shape that can be dealt");
            let (mut round, mut actions) = (deal, Vec::new());
            round.skip_forced();
            while let Some(seat) = round.to_play() {
                let past = Past::new(&deal, &actions);
                assert_eq!(past.turns.len(), round.public().turns());
                let mut seen = 0;
                past.decisions_of_others(&round, seat, |observation, action| {
                    assert_ne!(observation.seat(), seat);
                    assert!(observation.legal_actions().contains(action));
                    seen += 1;
                });
                // In the true hands these are the decisions that were made.
                let mut replayed = deal;
                replayed.skip_forced();
                let mut others = 0;
                for &action in &actions {
                    others += usize::from(replayed.to_play() != Some(seat));
                    replayed.play_unchecked(action);
                    replayed.skip_forced();
                }
                assert_eq!(seen, others);
                let world = WorldSampler::new(&round.observe(seat)).sample(&mut rng);
                past.decisions_of_others(&world, seat, |observation, action| {
                    assert!(observation.legal_actions().contains(action), "every world explains what was seen");
                });
                let action = round.legal_actions().choose(&mut rng).expect("a decision");
                actions.push(action);
                round.play_unchecked(action);
                round.skip_forced();
            }
        }
    }
}
