//! What is played: rounds of one shape, or of several by weight, or whole games.

use blob_engine::rng::{Purpose, stream, unit};
use blob_engine::{MAX_CARDS, RoundRules, RoundSpec, Seat, schedule};

use crate::error::{ConfigError, SchedulerError};

/// Number of players and of cards each; for a game, of its largest rounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RoundShape {
    /// 3 … 8.
    pub players: usize,
    /// 1 … 13, `players * cards <= 52`.
    pub cards: usize,
}

impl RoundShape {
    /// Bids and cards of a round.
    pub const fn turns(self) -> usize {
        self.players * (self.cards + 1)
    }

    /// Estimated decisions of a round: turns with more than one legal action.
    ///
    /// Each of P seats bids. With k > 1 cards in hand the leader decides. Another seat does not if it holds exactly one
    /// card of the suit led, which has probability `k/4 * (3/4)^(k-1)` for k cards from equal suits. The last card is
    /// forced:
    ///
    /// `P + sum over k = 2 … n of (1 + (P - 1) * (1 - k/4 * (3/4)^(k-1)))`
    ///
    /// Random play is within a tenth of it, with one card within a quarter, since the hook forces most dealers.
    pub fn expected_decisions(self) -> f64 {
        let players = self.players as f64;
        let mut decisions = players;
        let mut others_lack = 1.0;
        for held in 2..=self.cards.min(MAX_CARDS) {
            others_lack *= 0.75;
            decisions += 1.0 + (players - 1.0) * (1.0 - held as f64 / 4.0 * others_lack);
        }
        decisions
    }
}

/// The shapes of a plan's rounds.
///
/// A weight is a share of decisions, so that long rounds do not crowd out short ones: a round has a shape with
/// probability in proportion to `weight / expected_decisions`, drawn from (seed, round).
#[derive(Clone, Debug, PartialEq)]
pub struct RoundMix {
    /// Weight of the game's result in the value of a round, in hundredths; `None` where rounds stand alone.
    result_share: Option<u8>,
    /// Each shape with its weight, and the sum of `weight / expected_decisions` up to it.
    entries: Vec<(RoundShape, f64, f64)>,
}

impl RoundMix {
    /// Rounds of one shape.
    pub fn one(players: usize, cards: usize) -> Self {
        Self::weighted([(RoundShape { players, cards }, 1.0)])
    }

    /// Rounds of several shapes with their weights.
    pub fn weighted(shapes: impl IntoIterator<Item = (RoundShape, f64)>) -> Self {
        Self::of(shapes, None)
    }

    /// Whole games instead of rounds that stand alone, from `cards` of a shape down and up again. `result_share` is the
    /// weight of the game's result in the value of a round, in hundredths; the rest is the round's score.
    pub fn whole_games(shapes: impl IntoIterator<Item = (RoundShape, f64)>, result_share: u8) -> Self {
        Self::of(shapes, Some(result_share))
    }

    fn of(shapes: impl IntoIterator<Item = (RoundShape, f64)>, result_share: Option<u8>) -> Self {
        let mut sum = 0.0;
        let entry = |(shape, weight): (RoundShape, f64)| {
            sum += weight / rounds(shape, result_share.is_some()).map(RoundShape::expected_decisions).sum::<f64>();
            (shape, weight, sum)
        };
        Self { entries: shapes.into_iter().map(entry).collect(), result_share }
    }

    /// Weight of the game's result in the value of a round, in hundredths; `None` where rounds stand alone.
    pub const fn result_share(&self) -> Option<u8> {
        self.result_share
    }

    /// Bids and cards of a round of this shape, or of a whole game.
    pub fn turns(&self, shape: RoundShape) -> u64 {
        rounds(shape, self.result_share.is_some()).map(|shape| shape.turns() as u64).sum()
    }

    /// # Errors
    /// If there is no shape, one cannot be dealt, or a weight is not a finite number above 0.
    pub fn check(&self, rules: RoundRules) -> Result<(), SchedulerError> {
        ConfigError::check(!self.entries.is_empty(), "shapes", "empty", "there is at least one shape of rounds")?;
        let share = self.result_share.unwrap_or_default();
        ConfigError::check(share <= 100, "result_share", share, "it is 0 to 100 hundredths")?;
        for &(shape, weight, sum) in &self.entries {
            RoundSpec { rules, ..RoundSpec::new(shape.players, shape.cards, None, Seat::FIRST) }.check()?;
            ConfigError::check(
                weight.is_finite() && weight > 0.0 && sum.is_finite(),
                "weight",
                weight,
                "the weight of a shape is a finite number above 0",
            )?;
        }
        Ok(())
    }

    /// The one shape of all rounds, where there is one.
    pub fn only(&self) -> Option<RoundShape> {
        let (first, ..) = *self.entries.first()?;
        self.entries.iter().all(|&(shape, ..)| shape == first).then_some(first)
    }

    /// The shape of a round.
    ///
    /// # Panics
    /// If there is no shape.
    pub fn of_round(&self, seed: u64, index: u64) -> RoundShape {
        let &(last, _, total) = self.entries.last().expect("checked");
        if self.entries.len() == 1 {
            return last;
        }
        let draw = unit(&mut stream(seed, Purpose::Shape, &[index])) * total;
        let drawn = self.entries.iter().find(|&&(_, _, sum)| draw < sum);
        drawn.map_or(last, |&(shape, ..)| shape)
    }
}

/// The rounds of a game from this shape, or this one.
fn rounds(shape: RoundShape, whole_game: bool) -> impl Iterator<Item = RoundShape> {
    let RoundShape { players, cards } = shape;
    let sizes = if whole_game { schedule(players, cards) } else { vec![cards] };
    sizes.into_iter().map(move |cards| RoundShape { players, cards })
}

#[cfg(test)]
mod tests {
    use blob_engine::{Round, RoundSpec, rng::below};

    use super::*;

    /// Decisions of random rounds, mean.
    fn played_decisions(shape: RoundShape, rounds: u64) -> f64 {
        let mut decisions = 0;
        for index in 0..rounds {
            let mut rng = stream(9, Purpose::Test, &[index]);
            let trump = blob_engine::trump_of_round(below(&mut rng, 5) as usize);
            let spec = RoundSpec::new(shape.players, shape.cards, trump, Seat::FIRST);
            let mut round = Round::deal(&spec, &mut rng).expect("a shape that can be dealt");
            loop {
                round.skip_forced();
                let Some(action) = round.legal_actions().choose(&mut rng) else { break };
                decisions += 1;
                round.play_unchecked(action);
            }
        }
        decisions as f64 / rounds as f64
    }

    #[test]
    fn expected_decisions_are_about_those_of_random_play() {
        for (players, most) in [(3, 13), (4, 13), (5, 10), (6, 8), (7, 7), (8, 6)] {
            for cards in 1..=most {
                let shape = RoundShape { players, cards };
                let ratio = played_decisions(shape, 2000) / shape.expected_decisions();
                let within = if cards == 1 { 0.7..=1.0 } else { 0.9..=1.1 };
                assert!(within.contains(&ratio), "{shape:?}: {ratio}");
            }
        }
    }

    #[test]
    fn a_game_has_at_most_848_turns() {
        let sizes = (3..=8).flat_map(|players| (1..=MAX_CARDS.min(52 / players)).map(move |cards| (players, cards)));
        let turns = sizes.map(|(players, cards)| {
            let shape = RoundShape { players, cards };
            (RoundMix::whole_games([(shape, 1.0)], 0).turns(shape), players, cards)
        });
        assert_eq!(turns.max(), Some((848, 4, 13)));
    }

    #[test]
    fn weights_are_shares_of_decisions() {
        let (short, long) = (RoundShape { players: 3, cards: 2 }, RoundShape { players: 4, cards: 13 });
        let shapes = RoundMix::weighted([(short, 3.0), (long, 1.0)]);
        let mut decisions = [0.0; 2];
        for index in 0..20_000 {
            let shape = shapes.of_round(5, index);
            decisions[usize::from(shape == long)] += shape.expected_decisions();
        }
        let share = decisions[0] / (decisions[0] + decisions[1]);
        // A long round is drawn with p = 0.036 in 20,000; its share has a standard error of 0.007.
        assert!((share - 0.75).abs() < 0.03, "{share}");
        assert_ne!(
            (0..64).map(|index| shapes.of_round(5, index)).collect::<Vec<_>>(),
            (0..64).map(|index| shapes.of_round(6, index)).collect::<Vec<_>>()
        );
    }

    #[test]
    fn shapes_that_cannot_be_played_are_refused() {
        let refuse = |shapes: &[(RoundShape, f64)]| {
            let shapes = RoundMix::weighted(shapes.iter().copied());
            shapes.check(RoundRules::default()).expect_err("refused").to_string()
        };
        assert!(refuse(&[]).contains("at least one shape"));
        assert!(refuse(&[(RoundShape { players: 9, cards: 1 }, 1.0)]).contains("9 players"));
        assert!(refuse(&[(RoundShape { players: 8, cards: 7 }, 1.0)]).contains("7 cards"));
        for weight in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(refuse(&[(RoundShape { players: 4, cards: 5 }, weight)]).contains("weight is"));
        }
        assert_eq!(RoundMix::one(4, 5).only(), Some(RoundShape { players: 4, cards: 5 }));
    }
}
