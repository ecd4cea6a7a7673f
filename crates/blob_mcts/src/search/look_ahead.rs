//! One step ahead by a network that plays well without search.
//!
//! Each promising action is tried in the same sampled worlds, which are drawn by the chance that the policy would have
//! done in them what the other seats did so far. All seats then play the round out by the policy, each from what it
//! knows in that world, so every evaluation is of a position as its own mover sees it, which is what the network has
//! learned. This is one step of policy iteration by rollouts (Tesauro and Galperin 1996, "On-line policy improvement
//! using Monte-Carlo search").

use blob_engine::rng::Xoshiro;
use blob_engine::{Action, CardNames, Observation, Round, Seat, WorldSampler};
use rand::{Rng, SeedableRng};

use crate::error::{ConfigError, EvaluationError};
use crate::search::evaluate::Evaluation;
use crate::search::exploration::choose_by;
use crate::search::past::Past;
use crate::search::weighing::Weighing;

/// Settings of a look-ahead.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LookAheadConfig {
    /// Worlds in which each promising action is tried, 1 to 65536. Where playing all actions out in a world may cost more
    /// than 120 evaluations, as many fewer that the look-ahead costs the same. What the others did costs up to 40 more
    /// for each world.
    pub worlds: usize,
    /// Weight of the policy's own judgement beside the results in the worlds, in [0, 1].
    pub own_share: f32,
    /// Points that an action counts for being e times as likely in the policy, above 0.
    pub policy_temperature: f32,
    /// How far worlds are drawn by what the others did so far, in [0, 1]: the power of the chance that they would have
    /// done so by the policy. 0 takes all worlds as equally likely.
    pub belief: f32,
}

/// Most worlds of a decision.
const MAX_WORLDS: usize = 1 << 16;

/// Evaluations that a world may cost without being tried less: 6 bids of 4 players with 5 cards, each played out.
const FULL_COST: usize = 120;

/// Actions whose probability is below this share of the likeliest one's are not tried.
const PROMISING: f64 = 1e-4;

impl LookAheadConfig {
    /// # Errors
    /// The first setting out of its range.
    pub fn check(&self) -> Result<(), ConfigError> {
        ConfigError::check(
            (1..=MAX_WORLDS).contains(&self.worlds),
            "worlds",
            self.worlds,
            "a look-ahead has 1 to 65536 worlds",
        )?;
        ConfigError::check((0.0..=1.0).contains(&self.own_share), "own_share", self.own_share, "it is 0 to 1")?;
        ConfigError::check((0.0..=1.0).contains(&self.belief), "belief", self.belief, "it is 0 to 1")?;
        let temperature = self.policy_temperature;
        ConfigError::check(
            temperature.is_finite() && temperature > 0.0,
            "policy_temperature",
            temperature,
            "it is a finite number above 0",
        )
    }
}

/// A position of a look-ahead that waits for its evaluation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// Of the playout, or of the action seen.
    place: u32,
    names: CardNames,
}

impl Waiting {
    /// The place of the decision itself.
    const ROOT: u32 = u32::MAX;

    /// The encoding's names there, found once for each position.
    #[inline]
    pub const fn names(self) -> CardNames {
        self.names
    }
}

/// One action in one world.
#[derive(Clone, Debug)]
struct Playout {
    round: Round,
    /// The action's place among the promising ones.
    place: usize,
    rng: Xoshiro,
}

/// What a look-ahead found.
#[derive(Clone, Debug, PartialEq)]
pub struct LookAheadOutcome {
    /// The best action, the lowest of several.
    pub action: Action,
    /// The promising actions with their values in [-1, 1] to the searcher, up to a constant that they share where
    /// `own_share` is above 0. One alone is not tried.
    pub values: Vec<(Action, f64)>,
    /// Evaluations requested.
    pub evaluations: u64,
    /// Effective number of different worlds in which the actions were tried (Kish's sample size), at most their number,
    /// which it is where nothing is known of the past; 0 where nothing was tried.
    pub effective_worlds: f64,
}

/// A look-ahead in progress, as a state machine that knows no thread and no evaluator.
///
/// [`Self::each_waiting`] hands out the positions to evaluate now. When each has gone through [`Self::receive`], call it
/// again, until it hands out none.
#[derive(Debug)]
pub struct LookAhead {
    observation: Observation,
    /// What everybody saw so far; without it all worlds are equally likely.
    past: Option<Past>,
    config: LookAheadConfig,
    /// Worlds in which each promising action is tried; see [`LookAheadConfig::worlds`].
    worlds: usize,
    rng: Xoshiro,
    /// The promising actions, with the logarithm of their probability.
    actions: Vec<(Action, f64)>,
    /// Sum over worlds of the searcher's value, for each of them.
    sums: Vec<f64>,
    /// While hands of the others are judged.
    weighing: Option<Weighing>,
    playouts: Vec<Playout>,
    waiting: Vec<Waiting>,
    evaluations: u64,
    effective_worlds: f64,
}

impl LookAhead {
    /// Starts a look-ahead of the observer's decision. With the round's past, worlds are drawn by it.
    pub fn new(observation: &Observation, past: Option<Past>, config: LookAheadConfig, rng: Xoshiro) -> Self {
        Self {
            observation: *observation,
            worlds: config.worlds,
            past: past.filter(|_| config.belief > 0.0),
            config,
            weighing: None,
            rng,
            actions: Vec::new(),
            sums: Vec::new(),
            playouts: Vec::new(),
            waiting: vec![Waiting { place: Waiting::ROOT, names: observation.card_names() }],
            evaluations: 0,
            effective_worlds: 0.0,
        }
    }

    /// Hands out the positions that wait; returns whether there are any. If there are none, the look-ahead is done.
    pub fn each_waiting(&mut self, mut ask: impl FnMut(Waiting, &Observation)) -> bool {
        if let Some(weighing) = &mut self.weighing {
            let asked = weighing.ask(|place, names, observation| ask(Waiting { place, names }, observation));
            self.evaluations += asked as u64;
            return asked > 0;
        }
        self.evaluations += self.waiting.len() as u64;
        for &waiting in &self.waiting {
            if waiting.place == Waiting::ROOT {
                ask(waiting, &self.observation);
            } else {
                let round = &self.playouts[waiting.place as usize].round;
                ask(waiting, &round.observe(round.to_play().expect("a playout that waits is not done")));
            }
        }
        !std::mem::take(&mut self.waiting).is_empty()
    }

    /// Takes an evaluation. The order among those handed out together is the caller's, and the same gives the same
    /// bytes.
    ///
    /// # Errors
    /// If the evaluation breaks the contract.
    pub fn receive(&mut self, waiting: Waiting, evaluation: &Evaluation<'_>) -> Result<(), EvaluationError> {
        let Waiting { place, names } = waiting;
        if place == Waiting::ROOT {
            return self.begin(names, evaluation);
        }
        if let Some(weighing) = &mut self.weighing {
            weighing.receive(place, evaluation)?;
            self.try_drawn_worlds();
            return Ok(());
        }
        let playout = &mut self.playouts[place as usize];
        let legal = playout.round.legal_actions();
        evaluation.legal_mass(names.actions(legal))?;
        let probability = |action| f64::from(evaluation.policy[names.action(action).index()]);
        let action = choose_by(probability, legal, 1.0, &mut playout.rng);
        playout.round.play_unchecked(action);
        self.go_on(place);
        Ok(())
    }

    /// What was found, once nothing waits.
    ///
    /// # Panics
    /// If the decision itself was not evaluated.
    pub fn outcome(&self) -> LookAheadOutcome {
        let points = f64::from(10 + self.observation.public().cards() as u8);
        // A value of 1 more is half of the points of the highest score.
        let of_policy = f64::from(self.config.policy_temperature) * 2.0 / points;
        let own = f64::from(self.config.own_share);
        let values: Vec<(Action, f64)> = self
            .actions
            .iter()
            .zip(&self.sums)
            .map(|(&(action, log), sum)| (action, own * of_policy * log + (1.0 - own) * sum / self.worlds as f64))
            .collect();
        let mut best = values[0];
        for &(action, value) in &values {
            if value > best.1 {
                best = (action, value);
            }
        }
        LookAheadOutcome {
            action: best.0,
            values,
            evaluations: self.evaluations,
            effective_worlds: self.effective_worlds,
        }
    }

    /// Finds the promising actions by the policy, and starts each of them in each world.
    fn begin(&mut self, names: CardNames, evaluation: &Evaluation<'_>) -> Result<(), EvaluationError> {
        let legal = self.observation.legal_actions();
        let mass = f64::from(evaluation.legal_mass(names.actions(legal))?);
        let probability = |action: Action| f64::from(evaluation.policy[names.action(action).index()]) / mass;
        let most = legal.iter().map(probability).fold(0.0, f64::max);
        self.actions = legal
            .iter()
            .filter(|&action| probability(action) >= PROMISING * most)
            .map(|action| (action, libm::log(probability(action))))
            .collect();
        self.sums = vec![0.0; self.actions.len()];
        if self.actions.len() == 1 {
            return Ok(());
        }
        let public = self.observation.public();
        let cards: usize = Seat::all(public.players()).map(|seat| public.hand_size(seat)).sum();
        self.worlds = (self.config.worlds * FULL_COST / (self.actions.len() * cards).max(FULL_COST)).max(1);
        let sampler = WorldSampler::new(&self.observation);
        if let Some(past) = self.past.take().filter(|past| past.turns_of_others(self.observation.seat()) > 0) {
            let candidates = Weighing::candidates(&past, self.observation.seat(), self.worlds);
            let hands = (0..candidates).map(|_| sampler.sample_hands(&mut self.rng));
            self.weighing = Some(Weighing::new(&self.observation, &past, hands));
            self.try_drawn_worlds();
        } else {
            let worlds: Vec<Round> = (0..self.worlds).map(|_| sampler.sample(&mut self.rng)).collect();
            self.effective_worlds = self.worlds as f64;
            self.try_in(&worlds);
        }
        Ok(())
    }

    /// Tries the promising actions once no hand's judgement is missing.
    fn try_drawn_worlds(&mut self) {
        if let Some(weighing) = self.weighing.take_if(|weighing| !weighing.waits()) {
            let (worlds, effective) = weighing.draw(self.worlds, f64::from(self.config.belief), &mut self.rng);
            self.effective_worlds = effective;
            self.try_in(&worlds);
        }
    }

    /// Starts each promising action in each of these worlds.
    fn try_in(&mut self, worlds: &[Round]) {
        for world in worlds {
            // The same luck for every action, so that their difference varies less.
            let luck = Xoshiro::seed_from_u64(self.rng.next_u64());
            for (place, &(action, _)) in self.actions.iter().enumerate() {
                let mut round = *world;
                round.play_unchecked(action);
                self.playouts.push(Playout { round, place, rng: luck.clone() });
            }
        }
        (0..self.playouts.len() as u32).for_each(|place| self.go_on(place));
    }

    /// Plays forced actions of a playout; it then waits, or the searcher's value is settled.
    fn go_on(&mut self, place: u32) {
        let playout = &mut self.playouts[place as usize];
        let round = &mut playout.round;
        round.skip_forced();
        if let Some(value) = round.public().settled_value(self.observation.seat()) {
            self.sums[playout.place] += f64::from(value);
        } else {
            let mover = round.to_play().expect("a round that is done is settled");
            self.waiting.push(Waiting { place, names: CardNames::new(round.public(), mover, round.hand(mover)) });
        }
    }
}

#[cfg(test)]
mod tests {
    use blob_engine::rng::{Purpose, stream};
    use blob_engine::{ACTIONS, CardSet, MAX_PLAYERS, Phase, RoundRules, RoundSpec, Scoring, Seat};

    use super::*;
    use crate::search::weighing::WEIGHING_COST;

    const CONFIG: LookAheadConfig =
        LookAheadConfig { worlds: 20, own_share: 0.0, policy_temperature: 0.12, belief: 0.0 };

    fn hand(text: &str) -> CardSet {
        text.split(' ').map(|card| card.parse().expect("a card")).collect()
    }

    /// Runs a look-ahead with equal policies and values of 0, counting what is asked for by seat.
    fn run(observation: &Observation, config: LookAheadConfig, seed: u64) -> (LookAheadOutcome, Vec<Seat>) {
        run_on(&mut LookAhead::new(observation, None, config, stream(seed, Purpose::Search, &[])))
    }

    fn run_on(search: &mut LookAhead) -> (LookAheadOutcome, Vec<Seat>) {
        let (policy, values) = ([1.0; ACTIONS], [0.0; MAX_PLAYERS]);
        let mut movers = Vec::new();
        loop {
            let mut asked = Vec::new();
            if !search.each_waiting(|waiting, observation| asked.push((waiting, observation.seat()))) {
                return (search.outcome(), movers);
            }
            for (waiting, seat) in asked {
                movers.push(seat);
                search.receive(waiting, &Evaluation { policy: &policy, values: &values }).expect("a sound evaluation");
            }
        }
    }

    #[test]
    fn a_forced_decision_is_not_tried() {
        // The others have bid 0 of one trick, so the hook leaves the dealer a bid of 0.
        let spec = RoundSpec::new(3, 1, Some(blob_engine::Suit::ALL[0]), Seat::FIRST);
        let mut round = Round::from_hands(&spec, &[hand("AS"), hand("2H"), hand("3C")], None).expect("a legal deal");
        for _ in 0..2 {
            round.play(Action::bid(0)).expect("a legal bid");
        }
        let seat = round.to_play().expect("the dealer bids");
        let (outcome, movers) = run(&round.observe(seat), CONFIG, 1);
        assert_eq!(outcome.values.len(), 1);
        assert_eq!(outcome.evaluations, movers.len() as u64);
        assert_eq!(movers, [seat]);
    }

    #[test]
    fn a_trick_too_many_is_avoided() {
        let spec = RoundSpec::new(3, 2, Some(blob_engine::Suit::ALL[0]), Seat::FIRST);
        let hands = [hand("AS 2D"), hand("KH 4C"), hand("3C 5C")];
        let mut round = Round::from_hands(&spec, &hands, None).expect("a legal deal");
        let leader = round.to_play().expect("the bidding");
        for _ in 0..3 {
            round.play(Action::bid(1)).expect("a legal bid");
        }
        assert_eq!(round.to_play(), Some(leader));
        let seat = Seat::FIRST;
        while round.to_play() != Some(seat) {
            let action = round.legal_actions().first().expect("a card");
            round.play(action).expect("legal");
        }
        // One trick is bid. After the ace of trumps the deuce would be led, and most worlds let it win as well; the
        // ace takes the last trick in all of them.
        let (outcome, _) = run(&round.observe(seat), CONFIG, 3);
        assert_eq!(outcome.action, Action::play("2D".parse().expect("a card")));
        assert_eq!(outcome.values.len(), 2);
    }

    #[test]
    fn all_seats_play_the_round_out() {
        let mut rng = stream(5, Purpose::Test, &[]);
        let round = Round::deal(&RoundSpec::new(4, 5, None, Seat::FIRST), &mut rng).expect("a deal");
        let seat = round.to_play().expect("the bidding");
        let (outcome, movers) = run(&round.observe(seat), CONFIG, 7);
        let playouts = CONFIG.worlds * outcome.values.len();
        assert_eq!(outcome.values.len(), 6);
        // In a playout a seat chooses at most four cards, since the last one is forced, and fewer where it has to follow
        // suit, or where the searcher's bid is out of reach. The searcher's bid is made before.
        let decisions = |of: Seat| movers.iter().filter(|&&mover| mover == of).count();
        assert!((playouts..=1 + 4 * playouts).contains(&decisions(seat)));
        for other in Seat::all(4).filter(|&other| other != seat) {
            assert!((playouts..=5 * playouts).contains(&decisions(other)), "a bid and up to four cards");
        }
        assert!(outcome.values.iter().all(|(_, value)| (-1.0..=1.0).contains(value)));
        assert_eq!(outcome.evaluations, movers.len() as u64);
        assert_eq!(outcome, run(&round.observe(seat), CONFIG, 7).0, "the same seed finds the same");
        assert_ne!(outcome, run(&round.observe(seat), LookAheadConfig { worlds: 21, ..CONFIG }, 7).0);
    }

    #[test]
    fn a_playout_ends_where_its_value_is_settled() {
        let spec = RoundSpec::new(3, 5, None, Seat::FIRST);
        let mut round = Round::deal(&spec, &mut stream(5, Purpose::Test, &[])).expect("a deal");
        for bid in [0, 0, 1] {
            round.play(Action::bid(bid)).expect("a legal bid");
        }
        let plus = RoundRules { scoring: Scoring::ExactPlusTricks, ..RoundRules::default() };
        let hands: Vec<CardSet> = Seat::all(3).map(|seat| round.hand(seat)).collect();
        let mut other = Round::from_hands(&RoundSpec { rules: plus, ..spec }, &hands, None).expect("a deal");
        for bid in [0, 0, 1] {
            other.play(Action::bid(bid)).expect("a legal bid");
        }
        let leader = round.to_play().expect("a card to lead");
        let (bid_is_all, tricks_count) =
            (run(&round.observe(leader), CONFIG, 7), run(&other.observe(leader), CONFIG, 7));
        assert!(bid_is_all.1.len() < tricks_count.1.len());
    }

    #[test]
    fn a_long_round_costs_no_more_than_a_short_one() {
        for (players, cards) in [(4, 5), (4, 13), (8, 6)] {
            let mut rng = stream(5, Purpose::Test, &[]);
            let deal = Round::deal(&RoundSpec::new(players, cards, None, Seat::FIRST), &mut rng).expect("a deal");
            let (mut round, mut past) = (deal, Past::default());
            while let Some(seat) = round.to_play() {
                let config = LookAheadConfig { belief: 1.0, ..CONFIG };
                let mut search =
                    LookAhead::new(&round.observe(seat), Some(past.clone()), config, stream(7, Purpose::Search, &[]));
                let (outcome, _) = run_on(&mut search);
                // Beside cards, the bids that are still to be made are evaluated.
                let bids = if round.public().phase() == Phase::Bidding { players * outcome.values.len() } else { 0 };
                let most = 1 + CONFIG.worlds * (FULL_COST + WEIGHING_COST + bids);
                assert!(outcome.evaluations as usize <= most, "{players} x {cards}: {}", outcome.evaluations);
                if round.public().turns() == 0 {
                    assert!(outcome.evaluations as usize > most / 4, "{players} x {cards}: {}", outcome.evaluations);
                }
                let action = round.legal_actions().first().expect("a decision");
                past.turn(&round, action);
                round.play_unchecked(action);
            }
        }
    }

    #[test]
    fn settings_have_ranges() {
        assert!(CONFIG.check().is_ok());
        assert!(LookAheadConfig { worlds: 0, ..CONFIG }.check().is_err());
        assert!(LookAheadConfig { own_share: 1.5, ..CONFIG }.check().is_err());
        assert!(LookAheadConfig { policy_temperature: 0.0, ..CONFIG }.check().is_err());
    }
}
