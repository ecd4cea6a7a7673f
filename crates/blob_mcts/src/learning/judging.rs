//! What the networks of a learner make of decisions, before they learn from them.

use blob_engine::ACTIONS;
use half::f16;

use crate::learning::softmax::{Softmax, sigmoid};

/// B decisions and what the actor makes of them, row by row.
#[derive(Clone, Copy, Debug)]
pub struct Taken<'a> {
    /// [B, 52]: logits of the policy.
    pub policy: &'a [f32],
    /// [B, 52]: logits of the chance to make the bid.
    pub make: &'a [f32],
    /// [B, 52]: the legal actions, one at least.
    pub legal: &'a [bool],
    /// [B]: the action taken, a legal one.
    pub action: &'a [u8],
    /// [B]: whether the bid was made in the end.
    pub made: &'a [bool],
}

/// M legal actions of the decisions, with their values.
#[derive(Clone, Copy, Debug)]
pub struct ActionValues<'a> {
    /// [M]: the decision.
    pub decision: &'a [i64],
    /// [M]: the action.
    pub action: &'a [u8],
    /// [M]: the value of the round to the seat where nothing can change it any more, else NaN.
    pub settled: &'a [f32],
    /// [M]: by the critic, where it is not settled.
    pub value: &'a [f32],
}

/// What the networks make of B decisions.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Judged {
    /// [B]: of the action taken, by the policy.
    pub log_probability: Vec<f32>,
    /// [B]: the critic's value of the seat, expected over the policy's actions.
    pub value: Vec<f32>,
    /// [B]: of the action taken.
    pub taken_value: Vec<f32>,
    /// [B]: how far the chance to make the bid was from what came of it.
    pub make_error: Vec<f32>,
    /// [B, 52]: the critic's value of each legal action less `value`; 0 of others.
    pub advantage: Vec<f16>,
    /// [B]: the sum of the squared advantages, before they were rounded.
    pub squares: Vec<f64>,
}

/// Judges decisions by a policy and the values of all their legal actions.
pub fn judge(taken: &Taken<'_>, after: &ActionValues<'_>) -> Judged {
    let rows = taken.action.len();
    let mut values = vec![0.0; rows * ACTIONS];
    for k in 0..after.decision.len() {
        let settled = after.settled[k];
        let value = if settled.is_nan() { after.value[k] } else { settled };
        values[after.decision[k] as usize * ACTIONS + usize::from(after.action[k])] = value;
    }
    let mut found = Judged { advantage: vec![f16::ZERO; rows * ACTIONS], ..Judged::default() };
    for row in 0..rows {
        let part = row * ACTIONS..(row + 1) * ACTIONS;
        let (logits, legal) = (&taken.policy[part.clone()], &taken.legal[part.clone()]);
        let (values, advantage) = (&values[part.clone()], &mut found.advantage[part.clone()]);
        let policy = Softmax::of((0..ACTIONS).filter(|&action| legal[action]).map(|action| (action, logits[action])));
        let expected: f32 = policy.chances().map(|(action, chance, _)| chance * values[action]).sum();
        let mut squares = 0.0;
        for (action, _) in policy.logits() {
            let own = values[action] - expected;
            advantage[action] = f16::from_f32(own);
            squares += f64::from(own) * f64::from(own);
        }
        let action = usize::from(taken.action[row]);
        found.log_probability.push(policy.logarithm(action));
        found.value.push(expected);
        found.taken_value.push(values[action]);
        found.make_error.push((sigmoid(taken.make[part][action]) - f32::from(taken.made[row])).abs());
        found.squares.push(squares);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decision_is_judged_by_its_legal_actions_alone() {
        let (mut policy, mut make, mut legal) = ([9.0; ACTIONS], [0.0; ACTIONS], [false; ACTIONS]);
        for (action, chance, wins) in [(2, 0.25f32, 0.0f32), (40, 0.75, 1.0)] {
            (policy[action], make[action], legal[action]) = (chance.ln(), wins, true);
        }
        let taken = Taken { policy: &policy, make: &make, legal: &legal, action: &[40], made: &[false] };
        let after =
            ActionValues { decision: &[0, 0], action: &[2, 40], settled: &[0.5, f32::NAN], value: &[7.0, -0.5] };
        let found = judge(&taken, &after);
        assert!((found.value[0] + 0.25).abs() < 1e-6 && (found.log_probability[0] - 0.75f32.ln()).abs() < 1e-6);
        assert_eq!(found.taken_value, [-0.5]);
        assert!((found.make_error[0] - 1.0 / (1.0 + (-1.0f32).exp())).abs() < 1e-6);
        assert!((found.squares[0] - (0.75f64.powi(2) + 0.25f64.powi(2))).abs() < 1e-6);
        let expected: Vec<f16> = (0..ACTIONS)
            .map(|action| {
                f16::from_f32(match action {
                    2 => 0.75,
                    40 => -0.25,
                    _ => 0.0,
                })
            })
            .collect();
        assert_eq!(found.advantage, expected);
    }
}
