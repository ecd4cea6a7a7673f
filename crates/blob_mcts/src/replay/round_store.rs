//! The newest rounds of a run, and any of their decisions as a row.

use std::collections::VecDeque;

use blob_engine::{BySeat, RulesError};

use crate::replay::played_round::{Decision, PlayedRound};

/// Whether rows are learned from or only ever measured on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Rows to learn from.
    Training,
    /// Rows of held-out rounds.
    HeldOut,
}

/// Numbers of decisions of each part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counts([u64; 2]);

impl Counts {
    const fn of(self, part: Part) -> u64 {
        self.0[part as usize]
    }

    const fn all(self) -> u64 {
        self.0[0] + self.0[1]
    }

    const fn plus(mut self, part: Part, decisions: u64) -> Self {
        self.0[part as usize] += decisions;
        self
    }
}

/// A stored round, with what its decisions share.
#[derive(Debug)]
struct Stored {
    round: PlayedRound,
    /// Tricks that each seat won.
    tricks: BySeat<u8>,
    /// Decisions ever added up to the end of this round.
    end: Counts,
}

/// The newest rounds, up to a number of decisions. Rows are rebuilt from the rounds when they are asked for, so a
/// decision takes some 15 to 150 bytes by the size of its round, and each row can be encoded as the learner likes.
#[derive(Debug)]
pub struct RoundStore {
    rounds: VecDeque<Stored>,
    capacity: u64,
    held_out_every: u64,
    /// Decisions ever added and dropped again.
    dropped: Counts,
}

impl RoundStore {
    /// A store of at most `capacity` decisions, at least 1, in which each round whose number is the last of
    /// `held_out_every`, at least 1, is held out.
    pub const fn new(capacity: u64, held_out_every: u64) -> Self {
        Self { rounds: VecDeque::new(), capacity, held_out_every, dropped: Counts([0; 2]) }
    }

    /// Adds a round, and drops the oldest ones until the decisions fit the capacity. A round is kept whole or not at all.
    ///
    /// # Errors
    /// If the actions are not those of a finished round; the store stays as it is.
    pub fn push(&mut self, round: PlayedRound) -> Result<(), RulesError> {
        let tricks = *round.replay()?.public().won();
        let end = self.end().plus(self.part(&round), round.actions.len() as u64);
        self.rounds.push_back(Stored { round, tricks, end });
        while self.end().all() - self.dropped.all() > self.capacity {
            let Some(oldest) = self.rounds.pop_front() else { break };
            self.dropped = oldest.end;
        }
        Ok(())
    }

    /// Number of decisions of a part.
    pub fn decisions(&self, part: Part) -> u64 {
        self.end().of(part) - self.dropped.of(part)
    }

    /// The rounds, oldest first.
    pub fn rounds(&self) -> impl ExactSizeIterator<Item = &PlayedRound> {
        self.rounds.iter().map(|stored| &stored.round)
    }

    /// Decision `row` of a part, 0 for the oldest; `None` past the last.
    pub fn decision(&self, part: Part, row: u64) -> Option<Decision> {
        let (stored, k) = self.place(part, row)?;
        let round = stored.round.position(k);
        Some(Decision {
            round,
            observation: round.observe(round.to_play()?),
            action: stored.round.actions[k],
            tricks: stored.tricks,
            values: stored.round.values,
        })
    }

    /// For each decision of a part from `first` on, which is the first of a round, the place of its seat's next decision
    /// in the round, counted from `first`; `None` if there is none.
    pub fn next_decisions(&self, part: Part, first: u64) -> Vec<Option<u64>> {
        let mut next = vec![None; self.decisions(part).saturating_sub(first) as usize];
        let first = self.dropped.of(part) + first;
        for stored in self.rounds.iter().filter(|stored| self.part(&stored.round) == part) {
            let (end, count) = (stored.end.of(part), stored.round.actions.len() as u64);
            let Some(start) = (end - count).checked_sub(first) else { continue };
            let mut last: BySeat<Option<u64>> = BySeat::default();
            for (place, seat) in (start..).zip(stored.round.deciders()) {
                if let Some(before) = last[seat].replace(place) {
                    next[before as usize] = Some(place);
                }
            }
        }
        next
    }

    /// The round of decision `row` of a part, and the decision's number in it.
    fn place(&self, part: Part, row: u64) -> Option<(&Stored, usize)> {
        let place = self.dropped.of(part).checked_add(row)?;
        let stored = self.rounds.get(self.rounds.partition_point(|stored| stored.end.of(part) <= place))?;
        Some((stored, stored.round.actions.len() - (stored.end.of(part) - place) as usize))
    }

    fn part(&self, round: &PlayedRound) -> Part {
        if round.number % self.held_out_every == self.held_out_every - 1 { Part::HeldOut } else { Part::Training }
    }

    fn end(&self) -> Counts {
        self.rounds.back().map_or(self.dropped, |last| last.end)
    }
}

#[cfg(test)]
mod tests {
    use blob_engine::rng::{Purpose, below, stream};
    use blob_engine::{Round, RoundSpec, Seat, trump_of_round};

    use super::*;

    /// A round played at random.
    fn played(number: u64, players: usize, cards: usize) -> PlayedRound {
        let mut rng = stream(number, Purpose::Test, &[]);
        let spec = RoundSpec::new(players, cards, trump_of_round(below(&mut rng, 5) as usize), Seat::FIRST);
        let deal = Round::deal(&spec, &mut rng).expect("a shape that can be dealt");
        let (mut round, mut actions) = (deal, Vec::new());
        loop {
            round.skip_forced();
            let Some(action) = round.legal_actions().choose(&mut rng) else { break };
            actions.push(action);
            round.play_unchecked(action);
        }
        PlayedRound { number, game_round: 0, deal, actions, values: round.public().values().unwrap_or_default() }
    }

    #[test]
    fn decisions_are_those_of_the_rounds_in_order() {
        let mut store = RoundStore::new(u64::MAX, 7);
        let rounds: Vec<_> =
            (0..20).map(|number| played(number, 3 + number as usize % 6, 1 + number as usize % 6)).collect();
        for round in &rounds {
            store.push(round.clone()).expect("a finished round");
        }
        let mut rows = [0, 0];
        for played in &rounds {
            let part = if played.number % 7 == 6 { Part::HeldOut } else { Part::Training };
            let row = &mut rows[part as usize];
            let mut round = played.deal;
            let tricks = *played.replay().expect("legal").public().won();
            for &action in &played.actions {
                round.skip_forced();
                let decision = store.decision(part, *row).expect("a decision");
                assert_eq!((decision.round, decision.action, decision.tricks), (round, action, tricks));
                assert_eq!(Some(decision.seat()), round.to_play());
                round.play_unchecked(action);
                *row += 1;
            }
        }
        for part in [Part::Training, Part::HeldOut] {
            let count = rows[part as usize];
            assert_eq!((store.decisions(part), store.decision(part, count).is_none()), (count, true));
        }
    }

    #[test]
    fn a_seat_decides_next_where_it_moves_again() {
        let mut store = RoundStore::new(200, 5);
        let mut starts = Vec::new();
        for number in 0..40 {
            let round = played(number, 3 + number as usize % 6, 1 + number as usize % 6);
            starts.push((number % 5 != 4).then_some(round.actions.len() as u64));
            store.push(round).expect("a finished round");
        }
        for part in [Part::Training, Part::HeldOut] {
            let all = store.next_decisions(part, 0);
            assert_eq!(all.len() as u64, store.decisions(part));
            assert!(all.iter().any(Option::is_some) && all.iter().any(Option::is_none));
            let at = |row| store.decision(part, row).expect("a decision");
            for (row, &next) in (0..).zip(&all) {
                let number = |row| store.place(part, row).expect("a decision").0.round.number;
                let expected = (row + 1..store.decisions(part))
                    .take_while(|&later| number(later) == number(row))
                    .find(|&later| at(later).seat() == at(row).seat());
                assert_eq!(next, expected);
            }
        }
        let newest = starts.iter().rev().flatten().next().expect("a training round");
        let first = store.decisions(Part::Training) - newest;
        let (all, some) = (store.next_decisions(Part::Training, 0), store.next_decisions(Part::Training, first));
        let moved: Vec<_> = all[first as usize..].iter().map(|next| next.map(|place| place - first)).collect();
        assert_eq!(some, moved);
    }

    #[test]
    fn the_oldest_rounds_make_room() {
        let mut store = RoundStore::new(60, 5);
        let mut sizes = Vec::new();
        for number in 0..30 {
            let round = played(number, 4, 5);
            sizes.push(round.actions.len() as u64);
            store.push(round).expect("a finished round");
            let kept: Vec<u64> = store.rounds().map(|round| round.number).collect();
            assert_eq!(kept.last(), Some(&number));
            let decisions: u64 = kept.iter().map(|&number| sizes[number as usize]).sum();
            assert_eq!(store.decisions(Part::Training) + store.decisions(Part::HeldOut), decisions);
            let with_one_more = decisions + kept[0].checked_sub(1).map_or(60, |number| sizes[number as usize]);
            assert!(decisions <= 60 && with_one_more > 60 || kept[0] == 0, "{decisions} of {kept:?}");
            let oldest = store.rounds().find(|round| round.number % 5 != 4).expect("one");
            assert_eq!(store.decision(Part::Training, 0).expect("not empty").round, oldest.position(0));
        }
    }

    #[test]
    fn unfinished_and_illegal_rounds_are_refused() {
        let mut store = RoundStore::new(100, 5);
        let mut round = played(1, 4, 3);
        let last = round.actions.pop().expect("decisions");
        assert!(matches!(store.push(round.clone()), Err(RulesError::NotDone { .. })));
        round.actions.extend([last, last]);
        assert!(matches!(store.push(round), Err(RulesError::Done { .. } | RulesError::IllegalAction { .. })));
        assert_eq!(store.rounds().len(), 0);
    }
}
