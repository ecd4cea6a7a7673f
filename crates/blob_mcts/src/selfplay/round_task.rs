//! One round in progress: a state machine that runs until its leaves are out or it is finished.

use blob_engine::rng::{Purpose, stream};
use blob_engine::{ACTIONS, Action, Observation, encode, rule_action};
use half::f16;

use crate::error::EvaluationError;
use crate::evaluation::requests::{PendingLeaf, RequestingSearch, Requests};
use crate::search::config::Temperature;
use crate::search::determinized::Outcome;
use crate::search::evaluate::{Evaluation, Rollout, Uniform};
use crate::search::exploration::choose;
use crate::search::flat::flat_search;
use crate::search::interrupt::Interrupt;
use crate::selfplay::agent::{Agent, LeafEvaluator, Plan};
use crate::selfplay::carry_over::{RoundSoFar, pause_turn};
use crate::selfplay::episode::Episode;
use crate::selfplay::policy_play;
use crate::selfplay::record::{DecisionRecord, RoundRecord, relative_to};
use crate::selfplay::run_context::RunContext;

/// Why a task stopped running.
#[derive(Debug)]
pub(crate) enum Pause {
    /// Its leaves, added to the caller's requests, wait.
    Waiting,
    /// The round is finished, or the game with all of its rounds.
    Finished(Vec<RoundRecord>),
    /// The round stops here, for a later run to go on with.
    CarriedOver(RoundSoFar),
    /// The run was stopped.
    Stopped,
}

/// What a task did, for progress.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) decisions: u64,
    pub(crate) simulations: u64,
    /// Evaluations that searches asked for, by the queue or at once.
    pub(crate) evaluations: u64,
    /// Leaves that shared an evaluation with an equal one before them.
    pub(crate) repeats: u64,
}

/// A round in progress, or a whole game.
#[derive(Debug)]
pub(crate) struct RoundTask {
    /// Its number, and the decisions taken so far by any agent.
    so_far: RoundSoFar,
    episode: Episode,
    seats: blob_engine::BySeat<u8>,
    /// Names the randomness of its decisions.
    stream_number: u64,
    /// The turn from which it pauses.
    pause_turn: Option<u64>,
    /// One search for each agent that searches, kept for its memory.
    searches: Vec<Option<RequestingSearch>>,
    searching: bool,
    /// The action that a policy chose for the decision in progress.
    chosen: Option<Action>,
}

impl RoundTask {
    /// Goes on with a round of a checked plan from where it stands.
    pub(crate) fn new(plan: &Plan, start: RoundSoFar) -> Result<Self, blob_engine::RulesError> {
        Ok(Self {
            episode: start.replay(plan)?,
            seats: plan.seats(start.index),
            stream_number: plan.stream_number(start.index),
            pause_turn: pause_turn(plan, start.index),
            searches: (0..plan.agents.len()).map(|_| None).collect(),
            searching: false,
            chosen: None,
            so_far: start,
        })
    }

    /// Goes on with another round, keeping the memory of the last one.
    pub(crate) fn restart(&mut self, plan: &Plan, start: RoundSoFar) -> Result<(), blob_engine::RulesError> {
        self.episode = start.replay(plan)?;
        self.seats = plan.seats(start.index);
        self.stream_number = plan.stream_number(start.index);
        self.pause_turn = pause_turn(plan, start.index);
        self.searching = false;
        self.chosen = None;
        self.so_far = start;
        self.searches.iter_mut().flatten().for_each(RequestingSearch::clear_cache);
        Ok(())
    }

    /// Runs until leaves are out, which it adds to the questions to their model, or the round is finished.
    pub(crate) fn run(
        &mut self,
        id: usize,
        context: &RunContext,
        requests: &mut [Requests],
        counts: &mut Counts,
    ) -> Result<Pause, EvaluationError> {
        let plan = &context.plan;
        let interrupt = &mut Interrupt::new(|| !context.is_stopped());
        loop {
            if context.is_stopped() {
                return Ok(Pause::Stopped);
            }
            let Some(seat) = self.episode.to_decide() else {
                let decisions = std::mem::take(&mut self.so_far.decisions);
                return Ok(Pause::Finished(self.episode.records(self.so_far.index, decisions)));
            };
            if self.pause_turn.is_some_and(|turn| self.episode.turns_done() >= turn) {
                let index = self.so_far.index;
                return Ok(Pause::CarriedOver(std::mem::replace(&mut self.so_far, RoundSoFar::new(index))));
            }
            let agent = usize::from(self.seats[seat]);
            let decision = self.decision();
            let action = match plan.agents[agent] {
                Agent::Random => {
                    self.episode.round().legal_actions().choose(&mut stream(plan.seed, Purpose::Choice, &decision))
                }
                Agent::Rule => rule_action(&self.episode.round().observe(seat)),
                Agent::Policy { model, .. } => match self.chosen.take() {
                    Some(action) => Some(action),
                    None => {
                        policy_play::request(id, &self.episode.round().observe(seat), &mut requests[model]);
                        counts.evaluations += 1;
                        return Ok(Pause::Waiting);
                    }
                },
                Agent::Search { config, evaluator, temperature } => {
                    let observation = self.episode.round().observe(seat);
                    let search = match &mut self.searches[agent] {
                        Some(search) if self.searching => search,
                        Some(search) => {
                            search.begin(&observation, stream(plan.seed, Purpose::Search, &decision));
                            search
                        }
                        slot => slot.insert(RequestingSearch::new(
                            &observation,
                            config,
                            stream(plan.seed, Purpose::Search, &decision),
                            context.cache_entries,
                        )),
                    };
                    self.searching = true;
                    match evaluator {
                        LeafEvaluator::Model(model) => {
                            if search.request(id, &mut requests[model], interrupt)? {
                                return Ok(Pause::Waiting);
                            }
                        }
                        LeafEvaluator::Uniform => {
                            search.search.run_while(&mut Uniform, interrupt)?;
                        }
                        LeafEvaluator::Rollout => {
                            let [round, decision] = decision;
                            let stream = |world| stream(plan.seed, Purpose::Playout, &[round, decision, world as u64]);
                            search.search.run_while(&mut Rollout::new(stream), interrupt)?;
                        }
                    }
                    if context.is_stopped() {
                        return Ok(Pause::Stopped);
                    }
                    self.searching = false;
                    let search = self.searches[agent].as_ref().expect("just searched");
                    counts.repeats += search.repeats();
                    let outcome = search.outcome();
                    Some(self.choose(context, &outcome, &observation, temperature, counts))
                }
                Agent::Ismcts { simulations } => {
                    let observation = self.episode.round().observe(seat);
                    let rng = &mut stream(plan.seed, Purpose::Ismcts, &decision);
                    match context.with_tree(|tree| tree.search(&observation, simulations, rng, interrupt)) {
                        Some(outcome) => {
                            Some(self.choose(context, &outcome, &observation, Temperature::GREEDY, counts))
                        }
                        None => return Ok(Pause::Stopped),
                    }
                }
                Agent::Flat { worlds } => {
                    let observation = self.episode.round().observe(seat);
                    let rng = &mut stream(plan.seed, Purpose::Flat, &decision);
                    match flat_search(&observation, worlds, rng, interrupt) {
                        Some(action) => {
                            counts.evaluations += (worlds * observation.legal_actions().len()) as u64;
                            Some(action)
                        }
                        None => return Ok(Pause::Stopped),
                    }
                }
            };
            let action = action.expect("the seat to play has a legal action");
            counts.decisions += 1;
            self.so_far.actions.push(action);
            if self.episode.decide(action) {
                // Positions of the last round do not come again.
                self.searches.iter_mut().flatten().for_each(RequestingSearch::clear_cache);
            }
        }
    }

    /// Takes the evaluation of a leaf that is out.
    pub(crate) fn receive(&mut self, leaf: &PendingLeaf, row: &Evaluation<'_>) -> Result<(), EvaluationError> {
        let agent = self.episode.round().to_play().map_or(0, |seat| usize::from(self.seats[seat]));
        match &mut self.searches[agent] {
            Some(search) => search.receive(leaf, row),
            None => unreachable!("a leaf is out, so its search exists"),
        }
    }

    /// Takes the evaluation of the decision in progress, whose agent plays by its policy.
    pub(crate) fn decide_by(&mut self, plan: &Plan, row: &Evaluation<'_>) -> Result<(), EvaluationError> {
        let seat = self.episode.to_decide().expect("a decision is out, so a seat is to play");
        let Agent::Policy { exploration, .. } = plan.agents[usize::from(self.seats[seat])] else {
            unreachable!("a decision is out, so a policy plays")
        };
        let mut rng = stream(plan.seed, Purpose::Choice, &self.decision());
        let action = policy_play::choose(&self.episode.round().observe(seat), row, exploration, &mut rng)?;
        self.chosen = Some(action);
        Ok(())
    }

    /// The numbers of this decision's random streams: the round, and the decisions before this one.
    const fn decision(&self) -> [u64; 2] {
        [self.stream_number, self.so_far.actions.len() as u64]
    }

    /// Chooses an action from the finished search, and records the decision.
    fn choose(
        &mut self,
        context: &RunContext,
        outcome: &Outcome,
        observation: &Observation,
        temperature: Temperature,
        counts: &mut Counts,
    ) -> Action {
        let plan = &context.plan;
        counts.simulations += outcome.simulations;
        counts.evaluations += outcome.evaluations;
        if context.record {
            let mut features = [0; blob_engine::FEATURES];
            encode(observation, &mut features);
            let names = observation.card_names();
            let shares = outcome.policy();
            let mut policy = [f16::ZERO; ACTIONS];
            for action in outcome.legal.iter() {
                policy[names.action(action).index()] = f16::from_f32(shares[action.index()]);
            }
            self.so_far.decisions.push(DecisionRecord {
                features,
                legal: names.actions(outcome.legal),
                policy,
                root_values: relative_to(observation.seat(), observation.public().players(), &outcome.values),
                seat: observation.seat(),
                game_round: self.episode.game_round() as u8,
            });
        }
        let mut rng = stream(plan.seed, Purpose::Choice, &self.decision());
        choose(&outcome.visits, outcome.legal, temperature.at(self.episode.decisions()), &mut rng)
    }
}
