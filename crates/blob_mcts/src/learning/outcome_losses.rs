//! The losses of a policy that learns from its own rounds, and their gradients. `blob_zero/learning/actor_losses.py`
//! says what each is, and computes the same by PyTorch for GPUs.

use blob_engine::{ACTIONS, MAX_CARDS, MAX_PLAYERS};

use crate::learning::softmax::{Softmax, sigmoid};

/// Possible numbers of tricks, 0 to 13.
pub const TRICKS: usize = MAX_CARDS + 1;

/// The losses: replicator, weighted entropy, entropy, divergence, values, made, missed, tricks.
pub const LOSSES: usize = 8;

/// The first of the losses of rows in detail.
const DETAILED: usize = 6;

/// How far a logit is moved from the mean over the legal actions.
const LOGIT_LIMIT: f32 = 5.0;

/// How far the logarithm of a probability counts as moved.
const MOST_MOVED: f32 = 10.0;

/// What a network predicts for B decisions, and for the first D of them in detail; row by row.
#[derive(Clone, Copy, Debug)]
pub struct Outcomes<'a> {
    /// [B, 52]: logits of the policy.
    pub policy: &'a [f32],
    /// [B, 8]: values by relative seat.
    pub values: &'a [f32],
    /// [B, 52]: logits of the chance to make the bid.
    pub make: &'a [f32],
    /// [D, 14]: logits of the own tricks where the bid is missed.
    pub missed: &'a [f32],
    /// [D, 52]: by action, added to `missed` for each trick more.
    pub lean: &'a [f32],
    /// [D, 8, 14]: logits of the tricks of each relative seat.
    pub tricks: &'a [f32],
}

/// What came of B decisions; row by row, what is by seat by relative seat.
#[derive(Clone, Copy, Debug)]
pub struct Targets<'a> {
    /// [B, 52]: the legal actions, one at least.
    pub legal: &'a [bool],
    /// [B]: the action taken, below 52.
    pub action: &'a [i64],
    /// [B]: the own bid.
    pub bid: &'a [i64],
    /// [B, 8]: tricks in the end, below 14.
    pub tricks: &'a [i64],
    /// [B, 8]: values in the end.
    pub values: &'a [f32],
    /// [B]: seats in play.
    pub players: &'a [u8],
    /// [B]: of the action taken, before the learning.
    pub log_probability: &'a [f32],
    /// [B, 52]: of each legal action.
    pub advantage: &'a [f32],
    /// [B]: what the own value is learned from.
    pub expected: &'a [f32],
    /// [B]: weight of the policy's entropy.
    pub entropy_weight: &'a [f32],
    /// [B]: of the row in means over rows.
    pub weight: &'a [f32],
}

/// The gradient of a weighted sum of the losses, by what the network predicts: the shapes of [`Outcomes`].
#[derive(Clone, Debug, Default, PartialEq)]
#[allow(missing_docs)] // Those of `Outcomes`.
pub struct OutcomeGradients {
    pub policy: Vec<f32>,
    pub values: Vec<f32>,
    pub make: Vec<f32>,
    pub missed: Vec<f32>,
    pub lean: Vec<f32>,
    pub tricks: Vec<f32>,
}

/// The losses, each a weighted mean over its rows.
pub fn outcome_losses(outcomes: &Outcomes<'_>, targets: &Targets<'_>) -> [f64; LOSSES] {
    let rows = targets.action.len();
    let detailed = outcomes.missed.len() / TRICKS;
    let mut sums = [0.0; LOSSES];
    for row in 0..rows {
        let one = Row::new(outcomes, targets, row);
        let of_policy = one.policy_losses(&one.policy());
        let judged = [one.value_loss(), one.make_loss()];
        for (sum, loss) in sums.iter_mut().zip(of_policy.into_iter().chain(judged)) {
            *sum += f64::from(one.weight() * loss);
        }
        if row < detailed {
            sums[6] += f64::from(one.weight() * one.missed_loss());
            sums[7] += f64::from(one.weight() * one.tricks_loss());
        }
    }
    std::array::from_fn(|loss| sums[loss] / if loss < DETAILED { rows } else { detailed } as f64)
}

/// The gradient of the losses' sum, each times its entry of `of_losses`.
pub fn outcome_gradients(outcomes: &Outcomes<'_>, targets: &Targets<'_>, of_losses: [f32; LOSSES]) -> OutcomeGradients {
    let zeros = |like: &[f32]| vec![0.0; like.len()];
    let mut found = OutcomeGradients {
        policy: zeros(outcomes.policy),
        values: zeros(outcomes.values),
        make: zeros(outcomes.make),
        missed: zeros(outcomes.missed),
        lean: zeros(outcomes.lean),
        tricks: zeros(outcomes.tricks),
    };
    let rows = targets.action.len();
    let detailed = outcomes.missed.len() / TRICKS;
    for row in 0..rows {
        let one = Row::new(outcomes, targets, row);
        let share = |loss: usize| of_losses[loss] * one.weight() / if loss < DETAILED { rows } else { detailed } as f32;
        let of_policy = [share(0), share(1), share(2), share(3)];
        one.policy_gradient(&one.policy(), of_policy, part_mut(&mut found.policy, row, ACTIONS));
        one.value_gradient(share(4), part_mut(&mut found.values, row, MAX_PLAYERS));
        found.make[row * ACTIONS + one.action()] = share(5) * one.make_slope();
        if row < detailed {
            let (missed, lean) = (part_mut(&mut found.missed, row, TRICKS), part_mut(&mut found.lean, row, ACTIONS));
            one.missed_gradient(share(6), missed, &mut lean[one.action()]);
            one.tricks_gradient(share(7), part_mut(&mut found.tricks, row, MAX_PLAYERS * TRICKS));
        }
    }
    found
}

/// One decision of a minibatch.
struct Row<'a> {
    outcomes: &'a Outcomes<'a>,
    targets: &'a Targets<'a>,
    row: usize,
}

impl<'a> Row<'a> {
    const fn new(outcomes: &'a Outcomes<'a>, targets: &'a Targets<'a>, row: usize) -> Self {
        Self { outcomes, targets, row }
    }

    const fn action(&self) -> usize {
        self.targets.action[self.row] as usize
    }

    const fn weight(&self) -> f32 {
        self.targets.weight[self.row]
    }

    fn own_tricks(&self) -> usize {
        self.tricks()[0] as usize
    }

    const fn bid(&self) -> usize {
        self.targets.bid[self.row] as usize
    }

    fn tricks(&self) -> &'a [i64] {
        part(self.targets.tricks, self.row, MAX_PLAYERS)
    }

    fn players(&self) -> usize {
        usize::from(self.targets.players[self.row])
    }

    fn policy(&self) -> Softmax {
        let logits = part(self.outcomes.policy, self.row, ACTIONS).iter();
        let legal = part(self.targets.legal, self.row, ACTIONS);
        Softmax::of(logits.zip(legal).enumerate().filter_map(|(k, (&logit, &is_legal))| is_legal.then_some((k, logit))))
    }

    fn entropy(policy: &Softmax) -> f32 {
        // The logarithm of what has no chance at all is finite.
        -policy.chances().map(|(_, chance, logarithm)| chance * logarithm).sum::<f32>()
    }

    /// How far the logarithm of the taken action's probability has moved.
    fn moved(&self, policy: &Softmax) -> f32 {
        policy.logarithm(self.action()) - self.targets.log_probability[self.row]
    }

    /// By legal action, ascending: how much neural replicator dynamics moves its logit.
    fn moves<'b>(&'b self, policy: &'b Softmax) -> impl Iterator<Item = (usize, f32)> + 'b {
        let advantage = part(self.targets.advantage, self.row, ACTIONS);
        let legal = policy.count() as f32;
        let mean = policy.logits().map(|(_, logit)| logit).sum::<f32>() / legal;
        let within = move |(action, logit): (usize, f32)| {
            let (advantage, centred) = (advantage[action], logit - mean);
            let moves = if advantage > 0.0 { centred < LOGIT_LIMIT } else { centred > -LOGIT_LIMIT };
            (action, if moves { advantage } else { 0.0 })
        };
        let mean_move = policy.logits().map(|one| within(one).1).sum::<f32>() / legal;
        policy.logits().map(move |one| (one.0, within(one).1 - mean_move))
    }

    fn policy_losses(&self, policy: &Softmax) -> [f32; 4] {
        let entropy = Self::entropy(policy);
        let moved = match self.moved(policy) {
            moved if moved > MOST_MOVED => MOST_MOVED,
            moved => moved, // also what is not a number
        };
        let replicator: f32 =
            self.moves(policy).zip(policy.logits()).map(|((_, moves), (_, logit))| moves * logit).sum();
        let divergence = libm::expf(moved) - 1.0 - moved;
        [-replicator, -self.targets.entropy_weight[self.row] * entropy, entropy, divergence]
    }

    fn policy_gradient(&self, policy: &Softmax, of_losses: [f32; 4], out: &mut [f32]) {
        let [of_replicator, of_weighted, of_entropy, of_divergence] = of_losses;
        let entropy = Self::entropy(policy);
        let of_entropy = of_entropy - self.targets.entropy_weight[self.row] * of_weighted;
        let moved = self.moved(policy);
        let slope = if moved < MOST_MOVED { of_divergence * (libm::expf(moved) - 1.0) } else { 0.0 };
        for ((action, moves), (_, chance, logarithm)) in self.moves(policy).zip(policy.chances()) {
            let taken = f32::from(action == self.action());
            out[action] =
                slope * (taken - chance) - of_replicator * moves - of_entropy * chance * (logarithm + entropy);
        }
    }

    /// By seat in play: how far its value is from its target.
    fn value_errors(&self) -> impl Iterator<Item = f32> {
        let values = part(self.outcomes.values, self.row, MAX_PLAYERS);
        let ends = part(self.targets.values, self.row, MAX_PLAYERS);
        let own = self.targets.expected[self.row];
        (0..self.players()).map(move |seat| values[seat] - if seat == 0 { own } else { ends[seat] })
    }

    fn value_loss(&self) -> f32 {
        self.value_errors().map(|error| error * error).sum::<f32>() / self.players() as f32
    }

    fn value_gradient(&self, of_loss: f32, out: &mut [f32]) {
        let scale = 2.0 * of_loss / self.players() as f32;
        for (slope, error) in out.iter_mut().zip(self.value_errors()) {
            *slope = scale * error;
        }
    }

    fn make_logit(&self) -> f32 {
        part(self.outcomes.make, self.row, ACTIONS)[self.action()]
    }

    fn made(&self) -> bool {
        self.own_tricks() == self.bid()
    }

    fn make_loss(&self) -> f32 {
        let logit = self.make_logit();
        let of_made = if self.made() { logit } else { 0.0 };
        logit.max(0.0) - of_made + libm::log1pf(libm::expf(-logit.abs()))
    }

    fn make_slope(&self) -> f32 {
        sigmoid(self.make_logit()) - f32::from(self.made())
    }

    /// The own tricks where the bid is missed.
    fn missed(&self) -> Softmax {
        let logits = part(self.outcomes.missed, self.row, TRICKS);
        let lean = part(self.outcomes.lean, self.row, ACTIONS)[self.action()];
        let others = (0..TRICKS).filter(|&count| count != self.bid());
        Softmax::of(others.map(|count| (count, logits[count] + lean * count as f32)))
    }

    fn missed_loss(&self) -> f32 {
        if self.made() { 0.0 } else { -self.missed().logarithm(self.own_tricks()) }
    }

    fn missed_gradient(&self, of_loss: f32, out: &mut [f32], of_lean: &mut f32) {
        if self.made() {
            return;
        }
        for (count, chance, _) in self.missed().chances() {
            out[count] = of_loss * (chance - f32::from(count == self.own_tricks()));
            *of_lean += out[count] * count as f32;
        }
    }

    /// The tricks of a seat.
    fn tricks_of(&self, seat: usize) -> Softmax {
        let logits = part(self.outcomes.tricks, self.row * MAX_PLAYERS + seat, TRICKS);
        Softmax::of(logits.iter().copied().enumerate())
    }

    fn tricks_loss(&self) -> f32 {
        let tricks = self.tricks();
        let of_seat = |seat| -self.tricks_of(seat).logarithm(tricks[seat] as usize);
        (0..self.players()).map(of_seat).sum::<f32>() / self.players() as f32
    }

    fn tricks_gradient(&self, of_loss: f32, out: &mut [f32]) {
        let scale = of_loss / self.players() as f32;
        for (seat, out) in out.chunks_exact_mut(TRICKS).enumerate().take(self.players()) {
            let won = self.tricks()[seat] as usize;
            for (count, chance, _) in self.tricks_of(seat).chances() {
                out[count] = scale * (chance - f32::from(count == won));
            }
        }
    }
}

fn part<T>(of: &[T], row: usize, columns: usize) -> &[T] {
    &of[row * columns..][..columns]
}

fn part_mut<T>(of: &mut [T], row: usize, columns: usize) -> &mut [T] {
    &mut of[row * columns..][..columns]
}

#[cfg(test)]
mod tests {
    use blob_engine::rng::{Purpose, below, stream};
    use rand::Rng;

    use super::*;

    const ROWS: usize = 12;
    const IN_DETAIL: usize = 5;

    /// By column, in the order of [`Outcomes`].
    type Predicted = [Vec<f32>; 6];

    fn outcomes(predicted: &Predicted) -> Outcomes<'_> {
        let [policy, values, make, missed, lean, tricks] = predicted;
        Outcomes { policy, values, make, missed, lean, tricks }
    }

    fn numbers(rng: &mut impl Rng, count: usize) -> Vec<f32> {
        (0..count).map(|_| below(rng, 4001) as f32 / 1000.0 - 2.0).collect()
    }

    #[test]
    fn gradients_are_the_slopes_of_the_losses() {
        let rng = &mut stream(1, Purpose::Test, &[]);
        let mut legal = vec![false; ROWS * ACTIONS];
        let (mut action, mut players) = (Vec::new(), Vec::new());
        for row in 0..ROWS {
            let taken = below(rng, ACTIONS as u32) as usize;
            for other in [taken, 7, 20, 51] {
                legal[row * ACTIONS + other] = true;
            }
            action.push(taken as i64);
            players.push(3 + below(rng, 6) as u8);
        }
        let tricks: Vec<i64> = (0..ROWS * MAX_PLAYERS).map(|_| i64::from(below(rng, 3))).collect();
        let bid: Vec<i64> = (0..ROWS).map(|_| i64::from(below(rng, 3))).collect();
        let (values, advantage, expected) =
            (numbers(rng, ROWS * MAX_PLAYERS), numbers(rng, ROWS * ACTIONS), numbers(rng, ROWS));
        let (log_probability, weight) = (numbers(rng, ROWS), numbers(rng, ROWS));
        let targets = Targets {
            legal: &legal,
            action: &action,
            bid: &bid,
            tricks: &tricks,
            values: &values,
            players: &players,
            log_probability: &log_probability,
            advantage: &advantage,
            expected: &expected,
            entropy_weight: &[0.3; ROWS],
            weight: &weight,
        };
        let sizes = [ROWS * ACTIONS, ROWS * MAX_PLAYERS, ROWS * ACTIONS];
        let in_detail = [IN_DETAIL * TRICKS, IN_DETAIL * ACTIONS, IN_DETAIL * MAX_PLAYERS * TRICKS];
        let mut predicted: Predicted = [sizes, in_detail]
            .concat()
            .into_iter()
            .map(|count| numbers(rng, count))
            .collect::<Vec<_>>()
            .try_into()
            .expect("6");
        // The moves of the replicator are no function of the logits, so its slope is told apart by their mean of 0.
        for only in 1..LOSSES {
            let of_losses = std::array::from_fn(|loss| f32::from(loss == only));
            let found = outcome_gradients(&outcomes(&predicted), &targets, of_losses);
            let found = [found.policy, found.values, found.make, found.missed, found.lean, found.tricks];
            for column in 0..6 {
                for place in (0..predicted[column].len()).step_by(3) {
                    let mut at = |step: f32| {
                        let before = predicted[column][place];
                        predicted[column][place] = before + step;
                        let loss = outcome_losses(&outcomes(&predicted), &targets)[only];
                        predicted[column][place] = before;
                        loss
                    };
                    let slope = (at(0.01) - at(-0.01)) / 0.02;
                    let error = (slope - f64::from(found[column][place])).abs();
                    assert!(error < 1e-3, "loss {only}, column {column}, place {place}: {slope}");
                }
            }
        }
    }

    #[test]
    fn the_replicator_moves_logits_by_their_advantages_until_they_are_far_out() {
        let mut legal = [false; ACTIONS];
        let (mut policy, mut advantage) = ([0.0; ACTIONS], [0.0; ACTIONS]);
        for (action, (logit, own)) in [(6.0, 1.0), (-6.0, -2.0), (0.0, 0.6)].into_iter().enumerate() {
            (legal[action], policy[action], advantage[action]) = (true, logit, own);
        }
        let outcomes =
            Outcomes { policy: &policy, values: &[0.0; 8], make: &[0.0; ACTIONS], missed: &[], lean: &[], tricks: &[] };
        let targets = Targets {
            legal: &legal,
            action: &[0],
            bid: &[0],
            tricks: &[0; 8],
            values: &[0.0; 8],
            players: &[3],
            log_probability: &[0.0],
            advantage: &advantage,
            expected: &[0.0],
            entropy_weight: &[0.0],
            weight: &[1.0],
        };
        let mut of_losses = [0.0; LOSSES];
        of_losses[0] = 1.0;
        let found = outcome_gradients(&outcomes, &targets, of_losses).policy;
        // Two are at their limits; the third moves up by 0.6, less the mean of the moves.
        for (slope, expected) in found.iter().zip([0.2, 0.2, -0.4, 0.0]) {
            assert!((slope - expected).abs() < 1e-6, "{slope}");
        }
    }
}
