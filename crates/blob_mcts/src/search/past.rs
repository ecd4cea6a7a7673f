//! What everybody saw of a round so far, and what it says of a hand that a seat may hold.

use blob_engine::{Action, BySeat, CardSet, Observation, Phase, PublicState, Round, Seat};

/// The turns of a round so far, forced ones included.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Past {
    turns: Vec<Turn>,
    /// Cards that each seat has played.
    played: BySeat<CardSet>,
}

/// A turn as everybody saw it.
#[derive(Clone, Debug, PartialEq)]
struct Turn {
    seat: Seat,
    action: Action,
    /// What everybody saw before it.
    before: PublicState,
}

impl Past {
    /// The past of a round that was dealt so, after the actions of these decisions and all that they force.
    ///
    /// Only what everybody saw is kept, so a look-ahead that is given a past learns nothing of hidden hands.
    pub fn new(deal: &Round, actions: &[Action]) -> Self {
        let mut past = Self::default();
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

    /// Adds a legal action, from the round as it stood; its hands are not looked at.
    pub fn turn(&mut self, before: &Round, action: Action) {
        let Some(seat) = before.to_play() else { return };
        self.turns.push(Turn { seat, action, before: *before.public() });
        if before.phase() == Phase::Playing {
            self.played[seat] = self.played[seat].with(action.as_card());
        }
    }

    /// Turns of other seats than the observer, forced ones included.
    pub fn turns_of_others(&self, observer: Seat) -> usize {
        self.turns.iter().filter(|turn| turn.seat != observer).count()
    }

    /// What each decision of a seat was made from if this is the hand it holds now, and the action taken. Turns that the
    /// hand forced are no decisions. What a seat does depends on no hand but its own.
    pub fn decisions_of(&self, seat: Seat, hand: CardSet) -> impl Iterator<Item = (Observation, Action)> {
        let mut hand = hand | self.played[seat];
        self.turns.iter().filter(move |turn| turn.seat == seat).filter_map(move |turn| {
            let seen = Observation::new(seat, hand, turn.before);
            if turn.before.phase() == Phase::Playing {
                hand = hand.without(turn.action.as_card());
            }
            (seen.legal_actions().len() > 1).then_some((seen, turn.action))
        })
    }
}

#[cfg(test)]
mod tests {
    use blob_engine::rng::{Purpose, stream};
    use blob_engine::{MAX_PLAYERS, RoundSpec, WorldSampler, trump_of_round};

    use super::*;

    #[test]
    fn a_past_holds_the_decisions_that_were_made() {
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
                let others = || Seat::all(players).filter(|&other| other != seat);
                let seen: usize = others().map(|other| past.decisions_of(other, round.hand(other)).count()).sum();
                // In the true hands these are the decisions that were made.
                let (mut replayed, mut of) = (deal, BySeat([0; MAX_PLAYERS]));
                replayed.skip_forced();
                let mut made = 0;
                for &action in &actions {
                    let mover = replayed.to_play().expect("a decision");
                    if mover != seat {
                        let decision = past.decisions_of(mover, round.hand(mover)).nth(of[mover]);
                        assert_eq!(decision, Some((replayed.observe(mover), action)));
                        made += 1;
                    }
                    of[mover] += 1;
                    replayed.play_unchecked(action);
                    replayed.skip_forced();
                }
                assert_eq!(seen, made);
                let world = WorldSampler::new(&round.observe(seat)).sample(&mut rng);
                for (observation, action) in others().flat_map(|other| past.decisions_of(other, world.hand(other))) {
                    assert!(observation.legal_actions().contains(action), "every world explains what was seen");
                }
                let action = round.legal_actions().choose(&mut rng).expect("a decision");
                actions.push(action);
                round.play_unchecked(action);
                round.skip_forced();
            }
        }
    }
}
