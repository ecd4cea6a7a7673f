//! One round in progress: a state machine that runs until it waits for evaluations or is finished.

use blob_engine::rng::{Purpose, stream};
use blob_engine::{
    ACTIONS, Action, BySeat, EncodedActionSet, FEATURES, Observation, RulesError, Seat, encode, rule_action,
};
use half::f16;

use crate::error::EvaluationError;
use crate::evaluation::requests::{BadRow, PendingLeaf, RequestingSearch, Requests};
use crate::search::config::{SearchConfig, Temperature};
use crate::search::determinized::Outcome;
use crate::search::evaluate::{Evaluation, Rollout, Uniform};
use crate::search::exploration::choose;
use crate::search::flat::flat_search;
use crate::search::interrupt::Interrupt;
use crate::search::look_ahead::{LookAhead, LookAheadConfig, Waiting};
use crate::selfplay::agent::{Agent, LeafEvaluator, Plan};
use crate::selfplay::carry_over::{RoundSoFar, pause_turn};
use crate::selfplay::episode::Episode;
use crate::selfplay::policy_play;
use crate::selfplay::record::{DecisionRecord, RoundRecord, relative_to};
use crate::selfplay::run_context::RunContext;

/// Why a task stopped running.
#[derive(Debug)]
pub(crate) enum Pause {
    /// It waits for the evaluations that it requested.
    Waiting,
    /// The round is finished, or the game with all of its rounds.
    Finished(Vec<RoundRecord>),
    /// The round pauses here, for a later run to continue.
    CarriedOver(RoundSoFar),
    /// The run was stopped.
    Stopped,
}

/// A task's run: its number in the group, and what it shares with the group's other tasks.
pub(crate) struct TaskRun<'a> {
    pub(crate) task: usize,
    pub(crate) context: &'a RunContext,
    /// Requests to each model.
    pub(crate) requests: &'a mut [Requests],
    pub(crate) counts: &'a mut Counts,
}

/// What tasks did, for progress.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) decisions: u64,
    pub(crate) simulations: u64,
    /// Requested evaluations, by the queue or at once.
    pub(crate) evaluations: u64,
    /// Evaluations that an equal row before them had already.
    pub(crate) repeats: u64,
}

/// A round in progress, or a whole game.
#[derive(Debug)]
pub(crate) struct RoundTask {
    /// Its number, and the decisions taken so far by any agent.
    so_far: RoundSoFar,
    episode: Episode,
    seats: BySeat<u8>,
    /// Names the randomness of its decisions.
    stream_number: u64,
    /// The turn from which it pauses.
    pause_turn: Option<u64>,
    /// One search for each agent that searches, kept for its memory.
    searches: Vec<Option<RequestingSearch>>,
    searching: bool,
    /// The action that a policy chose for the decision in progress.
    chosen: Option<Action>,
    /// The look-ahead of the decision in progress.
    look_ahead: Option<LookAhead>,
}

impl RoundTask {
    /// Continues a round of a checked plan.
    pub(crate) fn new(plan: &Plan, start: RoundSoFar) -> Result<Self, RulesError> {
        Ok(Self {
            episode: start.replay(plan)?,
            seats: plan.seats(start.index),
            stream_number: plan.stream_number(start.index),
            pause_turn: pause_turn(plan, start.index),
            searches: (0..plan.agents.len()).map(|_| None).collect(),
            searching: false,
            chosen: None,
            look_ahead: None,
            so_far: start,
        })
    }

    /// Continues another round; keeps the memory of the last one.
    pub(crate) fn restart(&mut self, plan: &Plan, start: RoundSoFar) -> Result<(), RulesError> {
        self.episode = start.replay(plan)?;
        self.seats = plan.seats(start.index);
        self.stream_number = plan.stream_number(start.index);
        self.pause_turn = pause_turn(plan, start.index);
        self.searching = false;
        self.chosen = None;
        self.look_ahead = None;
        self.so_far = start;
        self.searches.iter_mut().flatten().for_each(RequestingSearch::clear_cache);
        Ok(())
    }

    /// Runs until an evaluation is requested, or the round is finished or stops.
    pub(crate) fn run(&mut self, run: &mut TaskRun<'_>) -> Result<Pause, EvaluationError> {
        loop {
            if run.context.is_stopped() {
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
            let Some(action) = self.action_of(seat, run)? else {
                return Ok(if run.context.is_stopped() { Pause::Stopped } else { Pause::Waiting });
            };
            run.counts.decisions += 1;
            self.so_far.actions.push(action);
            if self.episode.decide(action) {
                // Positions of the last round do not come again.
                self.searches.iter_mut().flatten().for_each(RequestingSearch::clear_cache);
            }
        }
    }

    /// The action of the seat that decides; `None` if evaluations are requested first, or the run was stopped.
    fn action_of(&mut self, seat: Seat, run: &mut TaskRun<'_>) -> Result<Option<Action>, EvaluationError> {
        let plan = &run.context.plan;
        let agent = usize::from(self.seats[seat]);
        Ok(match plan.agents[agent] {
            Agent::Random => {
                let rng = &mut stream(plan.seed, Purpose::Choice, &self.decision());
                self.episode.round().legal_actions().choose(rng)
            }
            Agent::Rule => rule_action(&self.episode.round().observe(seat)),
            Agent::Policy { model, .. } => {
                if self.chosen.is_none() {
                    policy_play::request(run.task, None, &self.episode.round().observe(seat), &mut run.requests[model]);
                    run.counts.evaluations += 1;
                }
                self.chosen.take()
            }
            Agent::LookAhead { model, config } => self.look_ahead(seat, model, config, run),
            Agent::Search { config, evaluator, temperature } => {
                let observation = self.episode.round().observe(seat);
                let is_done = self.search(agent, &observation, config, evaluator, run)?;
                is_done.then(|| {
                    let search = self.searches[agent].as_ref().expect("just searched");
                    run.counts.repeats += search.repeats();
                    let outcome = search.outcome();
                    self.choose(&outcome, &observation, temperature, run)
                })
            }
            Agent::Ismcts { simulations } => {
                let observation = self.episode.round().observe(seat);
                let rng = &mut stream(plan.seed, Purpose::Ismcts, &self.decision());
                let context = run.context;
                let interrupt = &mut Interrupt::new(|| !context.is_stopped());
                let outcome = context.with_tree(|tree| tree.search(&observation, simulations, rng, interrupt));
                outcome.map(|outcome| self.choose(&outcome, &observation, Temperature::GREEDY, run))
            }
            Agent::Flat { worlds } => {
                let observation = self.episode.round().observe(seat);
                let rng = &mut stream(plan.seed, Purpose::Flat, &self.decision());
                let context = run.context;
                let action = flat_search(&observation, worlds, rng, &mut Interrupt::new(|| !context.is_stopped()));
                if action.is_some() {
                    run.counts.evaluations += (worlds * observation.legal_actions().len()) as u64;
                }
                action
            }
        })
    }

    /// Starts the look-ahead of the decision or goes on with it; returns its action once it is done.
    fn look_ahead(
        &mut self,
        seat: Seat,
        model: usize,
        config: LookAheadConfig,
        run: &mut TaskRun<'_>,
    ) -> Option<Action> {
        let decision = self.decision();
        let search = self.look_ahead.get_or_insert_with(|| {
            let rng = stream(run.context.plan.seed, Purpose::Search, &decision);
            let past = (config.belief > 0.0).then(|| self.episode.past());
            LookAhead::new(&self.episode.round().observe(seat), past, config, rng)
        });
        let requests = &mut run.requests[model];
        let ask = |waiting, observation: &Observation| {
            policy_play::request(run.task, Some(waiting), observation, requests);
        };
        if search.each_waiting(ask) {
            return None;
        }
        let outcome = search.outcome();
        run.counts.evaluations += outcome.evaluations;
        self.look_ahead = None;
        Some(outcome.action)
    }

    /// Starts the search of the decision or goes on with it; returns whether it is done.
    fn search(
        &mut self,
        agent: usize,
        observation: &Observation,
        config: SearchConfig,
        evaluator: LeafEvaluator,
        run: &mut TaskRun<'_>,
    ) -> Result<bool, EvaluationError> {
        let [round, decision] = self.decision();
        let context = run.context;
        let seed = context.plan.seed;
        let rng = || stream(seed, Purpose::Search, &[round, decision]);
        let search = match &mut self.searches[agent] {
            Some(search) if self.searching => search,
            Some(search) => {
                search.begin(observation, rng());
                search
            }
            slot => slot.insert(RequestingSearch::new(observation, config, rng(), context.cache_entries)),
        };
        let interrupt = &mut Interrupt::new(|| !context.is_stopped());
        let is_done = match evaluator {
            LeafEvaluator::Model(model) => !search.request(run.task, &mut run.requests[model], interrupt)?,
            LeafEvaluator::Uniform => search.search.run_while(&mut Uniform, interrupt)?,
            LeafEvaluator::Rollout => {
                let stream = |world| stream(seed, Purpose::Playout, &[round, decision, world as u64]);
                search.search.run_while(&mut Rollout::new(stream), interrupt)?
            }
        };
        // A search that was interrupted has no result.
        self.searching = !is_done || context.is_stopped();
        Ok(!self.searching)
    }

    /// Takes the evaluation of a leaf in flight; `rows` are the requested rows by number.
    pub(crate) fn receive<'a>(
        &mut self,
        leaf: &PendingLeaf,
        rows: impl Fn(u32) -> Evaluation<'a>,
    ) -> Result<(), BadRow> {
        let agent = self.episode.round().to_play().map_or(0, |seat| usize::from(self.seats[seat]));
        match &mut self.searches[agent] {
            Some(search) => search.receive(leaf, rows),
            None => unreachable!("a leaf is in flight, so its search exists"),
        }
    }

    /// Takes the evaluation of the decision in progress, whose agent plays by its policy, or of one in its look-ahead.
    pub(crate) fn decide_by(
        &mut self,
        plan: &Plan,
        waiting: Option<Waiting>,
        row: &Evaluation<'_>,
    ) -> Result<(), EvaluationError> {
        if let Some(waiting) = waiting {
            return self
                .look_ahead
                .as_mut()
                .expect("a position is out, so its look-ahead exists")
                .receive(waiting, row);
        }
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

    /// Records what a seat knows at the decision in progress; `legal` is empty where another seat decides.
    fn record(
        &mut self,
        observation: &Observation,
        legal: EncodedActionSet,
        policy: [f16; ACTIONS],
        outcome: &Outcome,
    ) {
        let (seat, players) = (observation.seat(), observation.public().players());
        let mut features = [0; FEATURES];
        encode(observation, &mut features);
        self.so_far.decisions.push(DecisionRecord {
            features,
            legal,
            policy,
            root_values: relative_to(seat, players, &outcome.values),
            seat,
            game_round: self.episode.game_round() as u8,
        });
    }

    /// Chooses an action by the finished search, and records the decision.
    fn choose(
        &mut self,
        outcome: &Outcome,
        observation: &Observation,
        temperature: Temperature,
        run: &mut TaskRun<'_>,
    ) -> Action {
        run.counts.simulations += outcome.simulations;
        run.counts.evaluations += outcome.evaluations;
        if run.context.record {
            let names = observation.card_names();
            let shares = outcome.policy();
            let mut policy = [f16::ZERO; ACTIONS];
            for action in outcome.legal.iter() {
                policy[names.action(action).index()] = f16::from_f32(shares[action.index()]);
            }
            self.record(observation, names.actions(outcome.legal), policy, outcome);
            if run.context.plan.agents.iter().any(Agent::has_own_view) {
                let round = self.episode.round();
                // Another seat each time, and over the rounds every other seat at each decision.
                let players = round.public().players() as u64;
                let others = 1 + (self.stream_number + self.so_far.actions.len() as u64) % (players - 1);
                let viewer = observation.seat().after(others as usize, players as usize);
                self.record(&round.observe(viewer), EncodedActionSet::EMPTY, [f16::ZERO; ACTIONS], outcome);
            }
        }
        let mut rng = stream(run.context.plan.seed, Purpose::Choice, &self.decision());
        choose(&outcome.visits, outcome.legal, temperature.at(self.episode.decisions()), &mut rng)
    }
}
