//! The selection rule: PUCT (Rosin 2011, "Multi-armed bandits with episode context"; Silver et al. 2017, "Mastering the
//! game of Go without human knowledge"), with virtual loss (Chaslot et al. 2008, "Parallel Monte-Carlo tree search").

/// The statistics of one action.
#[derive(Clone, Copy, Debug)]
pub struct Arm {
    /// The network's prior, in [0, 1].
    pub prior: f32,
    /// Finished visits.
    pub visits: u32,
    /// Visits that wait for an evaluation, each counted as `virtual_loss` lost visits.
    pub in_flight: u32,
    /// Sum over finished visits of the value, in [-1, 1], to the seat that chooses.
    pub value_sum: f32,
}

/// The constants of a node for one selection.
#[derive(Clone, Copy, Debug)]
pub struct Context {
    /// `c_puct * sqrt(max(1, visits of all actions))`.
    pub exploration: f32,
    /// The value assumed for an unvisited action.
    pub unvisited_value: f32,
    /// Lost visits that each waiting visit counts as.
    pub virtual_loss: u32,
}

/// `Q(a) + c_puct * P(a) * sqrt(N) / (1 + n(a))`. A virtual loss is a visit with value -1.
#[inline]
pub fn score(arm: Arm, context: Context) -> f32 {
    let lost = arm.in_flight * context.virtual_loss;
    let visits = (arm.visits + lost) as f32;
    let value = if visits > 0.0 { (arm.value_sum - lost as f32) / visits } else { context.unvisited_value };
    value + context.exploration * arm.prior / (1.0 + visits)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONTEXT: Context = Context { exploration: 3.0, unvisited_value: 0.2, virtual_loss: 2 };

    #[test]
    fn the_formula() {
        let arm = Arm { prior: 0.5, visits: 2, in_flight: 0, value_sum: 1.0 };
        assert_eq!(score(arm, CONTEXT), 0.5 + 3.0 * 0.5 / 3.0);
        let unvisited = Arm { visits: 0, value_sum: 0.0, ..arm };
        assert_eq!(score(unvisited, CONTEXT), 0.2 + 3.0 * 0.5);
        let waiting = Arm { in_flight: 1, ..arm };
        assert_eq!(score(waiting, CONTEXT), (1.0 - 2.0) / 4.0 + 3.0 * 0.5 / 5.0);
    }
}
