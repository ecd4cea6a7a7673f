//! The value of a game to each seat, at its end and before.

use crate::seat::{BySeat, Seat};

/// Variance that one round adds to the difference of two seats' points.
///
/// Each seat makes its bid in about half of the rounds, for about 11 points: `2 * (11 / 2)^2`.
const ROUND_VARIANCE: f32 = 60.5;

/// `logistic(1.702 x)` differs by less than 0.01 from the normal distribution function (Camilli 1994, "Origin of the
/// scaling constant d = 1.7 in item response theory").
const NORMAL_BY_LOGISTIC: f32 = 1.702;

/// The result of a game as a value in [-1, 1] for each seat, 0 past the players.
///
/// 1 for the first place, -1 for the last, the others at even distances; seats with equal points share the mean of
/// their places. So the value of a seat is the mean, over the other seats, of 1 for a seat behind it, -1 for a seat
/// ahead and 0 for equal points, and the values of all seats sum to 0.
///
/// With rounds left it is the expected result: each of these terms becomes `2 * P(ends ahead) - 1`, where the
/// difference of two seats' points grows by a normal variable of variance [`ROUND_VARIANCE`] in each round. With the
/// logistic function in place of the normal one, that is `tanh(1.702 * lead / (2 * sqrt(ROUND_VARIANCE *
/// rounds_left)))`.
pub fn game_values(totals: &BySeat<u16>, players: usize, rounds_left: u8) -> BySeat<f32> {
    let mut values = BySeat::default();
    let pair = 1.0 / (players - 1) as f32;
    let scale = NORMAL_BY_LOGISTIC / (ROUND_VARIANCE * f32::from(rounds_left)).sqrt();
    for seat in Seat::all(players) {
        for places in 1..players - seat.index() {
            let other = seat.after(places, players);
            let lead = f32::from(totals[seat]) - f32::from(totals[other]);
            // 2 * logistic(x) - 1 = tanh(x / 2)
            let ahead = match rounds_left {
                0 if lead == 0.0 => 0.0,
                0 => lead.signum(),
                _ => libm::tanhf(0.5 * scale * lead),
            };
            values[seat] += pair * ahead;
            values[other] -= pair * ahead;
        }
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Game, GameSpec,
        rng::{Purpose, stream},
        rule_action,
    };

    fn of(totals: [u16; 4], rounds_left: u8) -> [f32; 4] {
        let mut seats = BySeat::default();
        seats.0[..4].copy_from_slice(&totals);
        let values = game_values(&seats, 4, rounds_left);
        assert!(values.0.iter().sum::<f32>().abs() < 1e-6);
        assert_eq!(values.0[4..], [0.0; 4]);
        std::array::from_fn(|seat| values.0[seat])
    }

    #[test]
    fn at_the_end_places_count_and_equal_points_share_them() {
        let close = |have: [f32; 4], want: [f32; 4]| {
            assert!(have.iter().zip(want).all(|(have, want)| (have - want).abs() < 1e-6), "{have:?}");
        };
        close(of([40, 10, 30, 20], 0), [1.0, -1.0, 1.0 / 3.0, -1.0 / 3.0]);
        close(of([30, 30, 10, 0], 0), [2.0 / 3.0, 2.0 / 3.0, -1.0 / 3.0, -1.0]);
        close(of([7; 4], 0), [0.0; 4]);
        close(of([7; 4], 5), [0.0; 4]);
    }

    #[test]
    fn a_lead_is_worth_more_the_fewer_rounds_are_left() {
        let leader = |rounds_left| of([30, 20, 20, 20], rounds_left)[0];
        assert!(0.2 < leader(16) && leader(16) < leader(4) && leader(4) < leader(1) && leader(1) < leader(0));
        assert_eq!(leader(0), 1.0);
    }

    /// The expectation is one: seats that it values at v end with v on average, in games of equal players.
    #[test]
    fn rule_bots_end_where_their_value_says() {
        // By value: below -0.3, between, above 0.3. Sums of the expected and of the actual result, and their number.
        let mut bins = [[0.0_f32; 3]; 3];
        for seed in 0..600 {
            let mut game = Game::deal(&GameSpec::new(4, 4, Seat::FIRST), seed).expect("a legal game");
            let mut expected = None;
            let mut rng = stream(seed, Purpose::Test, &[1]);
            while !game.is_done() {
                if game.finished().len() == 5 && expected.is_none() {
                    expected = Some(game_values(&game.totals(), 4, 5));
                }
                let round = game.round();
                let seat = round.to_play().expect("a round in progress");
                let action = rule_action(&round.observe(seat)).or_else(|| round.legal_actions().choose(&mut rng));
                game.play(action.expect("a legal action")).expect("legal");
            }
            let (expected, result) = (expected.expect("ten rounds"), game_values(&game.totals(), 4, 0));
            for (expected, result) in expected.0.into_iter().zip(result.0).take(4) {
                let bin = &mut bins[1 + usize::from(expected > 0.3) - usize::from(expected < -0.3)];
                *bin = [bin[0] + expected, bin[1] + result, bin[2] + 1.0];
            }
        }
        for [expected, result, count] in bins {
            // A result has a standard deviation below 0.75, so the mean of 400 has one below 0.04.
            assert!(count > 400.0, "{bins:?}");
            assert!((expected - result).abs() / count < 0.12, "{bins:?}");
        }
        assert!(bins[2][1] / bins[2][2] > 0.3, "{bins:?}");
    }
}
