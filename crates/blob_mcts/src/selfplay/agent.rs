//! Agents, and the plan that fixes every round of a run by its number.

use blob_engine::rng::{Purpose, below, stream};
use blob_engine::{BySeat, Game, GameSpec, Round, RoundRules, RoundSpec, RulesError, Seat, trump_of_round};
use rand::Rng;

use crate::error::ConfigError;
use crate::search::config::{SearchConfig, Temperature};
use crate::search::look_ahead::LookAheadConfig;
use crate::selfplay::policy_play::Exploration;
use crate::selfplay::round_mix::{RoundMix, RoundShape};

/// The most rounds in progress at once.
const MAX_CARRY_OVER: u64 = 1 << 20;

/// Who evaluates the leaves of a search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeafEvaluator {
    /// Equal priors and values of 0, at once on the worker.
    Uniform,
    /// Equal priors and a random playout, at once on the worker.
    Rollout,
    /// The model with this number, through the batch queue.
    Model(usize),
}

/// A way to choose actions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Agent {
    /// Uniformly over the legal actions.
    Random,
    /// The rule bot.
    Rule,
    /// The policy of a model, without search.
    Policy {
        /// The model with this number, through the batch queue.
        model: usize,
        /// How its policy becomes an action.
        exploration: Exploration,
    },
    /// One step ahead by the policy and the values of a model.
    LookAhead {
        /// The model with this number, through the batch queue.
        model: usize,
        /// Its settings.
        config: LookAheadConfig,
    },
    /// The visits of a search.
    Search {
        /// Its settings.
        config: SearchConfig,
        /// Who evaluates its leaves.
        evaluator: LeafEvaluator,
        /// How its visits become an action.
        temperature: Temperature,
    },
    /// The yardstick `ismcts:N`: the most visited action of one tree over information states.
    Ismcts {
        /// Simulations of a decision, 1 to 4194304.
        simulations: usize,
    },
    /// The yardstick `flat:W`: the best action by rollouts of the rule bot.
    Flat {
        /// Worlds in which each action is tried, 1 to 4194304.
        worlds: usize,
    },
}

/// Most simulations of a yardstick's decision: a tree of that size takes about a gigabyte.
const MAX_YARDSTICK: usize = 1 << 22;

impl Agent {
    /// Whether it judges leaves by what the searcher knows there, so that records say what other seats know.
    pub(crate) const fn has_own_view(&self) -> bool {
        matches!(self, Self::Search { config: SearchConfig { own_view: true, .. }, .. })
    }

    /// # Errors
    /// The first setting out of its range.
    pub fn check(&self) -> Result<(), ConfigError> {
        match self {
            Self::Random | Self::Rule => Ok(()),
            Self::Search { config, temperature, .. } => {
                config.check()?;
                temperature.check()
            }
            Self::Policy { exploration, .. } => exploration.check(),
            Self::LookAhead { config, .. } => config.check(),
            &Self::Ismcts { simulations } => ConfigError::check(
                (1..=MAX_YARDSTICK).contains(&simulations),
                "simulations",
                simulations,
                "ismcts has 1 to 4194304 simulations",
            ),
            &Self::Flat { worlds } => ConfigError::check(
                (1..=MAX_YARDSTICK).contains(&worlds),
                "worlds",
                worlds,
                "flat has 1 to 4194304 worlds",
            ),
        }
    }
}

/// Which agent sits where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seating {
    /// Agent 0 in every seat; each round is a deal of its own.
    One,
    /// Each deal is played once for every seat: agent 0 in that seat, agent 1 in the others.
    Rotate,
    /// As [`Self::Rotate`], for comparison with agent 1 in every seat: round `i` of a [`Self::One`] run is deal `i`, and its
    /// decisions draw the same randomness in all rounds of the deal. Rounds then differ only from where the agents do.
    Field,
}

/// The rounds of a run. Each follows from its number alone, so that no result depends on timing.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Players and cards of the rounds.
    pub mix: RoundMix,
    /// The variants in force.
    pub rules: RoundRules,
    /// Seed of every deal and every search.
    pub seed: u64,
    /// Number of the first round. Where whole games are played, a round here is a game.
    pub first_round: u64,
    /// Number of rounds.
    pub rounds: u64,
    /// The last `carry_over - 1` rounds of the range pause part way, for a later run to continue; 0 or 1 for none.
    pub carry_over: u64,
    /// The number after the last round of the range that this plan is a part of; `None` where the plan is all of it.
    pub range_end: Option<u64>,
    /// The agents that [`Seating`] names by number.
    pub agents: Vec<Agent>,
    /// Which agent sits where.
    pub seating: Seating,
}

impl Plan {
    /// # Errors
    /// If the rounds cannot be dealt, or the agents do not fit the seating or have settings out of range.
    pub fn check(&self) -> Result<(), crate::SchedulerError> {
        self.mix.check(self.rules)?;
        let (count, allowed) = match self.seating {
            Seating::One => (1, "one agent sits in every seat"),
            Seating::Rotate | Seating::Field => (2, "two agents meet"),
        };
        ConfigError::check(self.agents.len() == count, "agents", self.agents.len(), allowed)?;
        ConfigError::check(
            self.seating == Seating::One || self.mix.only().is_some(),
            "shapes",
            "several",
            "rounds in which seats rotate have one shape",
        )?;
        ConfigError::check(self.rounds > 0, "rounds", self.rounds, "a run has at least 1 round")?;
        ConfigError::check(
            self.first_round.checked_add(self.rounds).is_some(),
            "first_round",
            self.first_round,
            "first_round + rounds stays below 2^64",
        )?;
        let end = self.first_round + self.rounds;
        ConfigError::check(
            self.range_end.is_none_or(|range_end| range_end >= end),
            "range_end",
            self.range_end.unwrap_or(end),
            "the range ends at or after first_round + rounds",
        )?;
        // A part does not know where its range begins.
        let most = self.range_end.unwrap_or(self.rounds);
        ConfigError::check(
            self.carry_over <= most && self.carry_over <= MAX_CARRY_OVER,
            "carry_over",
            self.carry_over,
            "it is 0 to the number of rounds, and at most 1048576",
        )?;
        for agent in &self.agents {
            agent.check()?;
        }
        Ok(())
    }

    /// Number of models that the agents use.
    pub fn models(&self) -> usize {
        let model = |agent: &Agent| match agent {
            Agent::Policy { model, .. }
            | Agent::LookAhead { model, .. }
            | Agent::Search { evaluator: LeafEvaluator::Model(model), .. } => model + 1,
            _ => 0,
        };
        self.agents.iter().map(model).max().unwrap_or(0)
    }

    /// The shape of round `index` of a checked plan.
    pub fn shape(&self, index: u64) -> RoundShape {
        self.mix.of_round(self.seed, index)
    }

    /// The number of the deal that round `index` plays.
    fn deal_number(&self, index: u64) -> u64 {
        match self.seating {
            Seating::One => index,
            Seating::Rotate | Seating::Field => index / self.shape(index).players as u64,
        }
    }

    /// The number that names the randomness of round `index`'s decisions.
    pub(crate) fn stream_number(&self, index: u64) -> u64 {
        if self.seating == Seating::Field { self.deal_number(index) } else { index }
    }

    /// Deals round or game `index` of a checked plan.
    ///
    /// The dealer is drawn uniformly, and so is the trump of a round that stands alone; both follow from seed and deal.
    ///
    /// # Errors
    /// If the plan cannot be dealt.
    pub fn deal(&self, index: u64) -> Result<Game, RulesError> {
        let RoundShape { players, cards } = self.shape(index);
        let rules = self.rules;
        let mut rng = stream(self.seed, Purpose::Deal, &[self.deal_number(index)]);
        if let Some(result_share) = self.mix.result_share() {
            let spec = GameSpec { rules, result_share, ..GameSpec::new(players, cards, any_seat(players, &mut rng)) };
            return Game::deal(&spec, rng.next_u64());
        }
        let trump = if rules.turn_up { None } else { trump_of_round(below(&mut rng, 5) as usize) };
        let spec = RoundSpec { rules, ..RoundSpec::new(players, cards, trump, any_seat(players, &mut rng)) };
        Ok(Game::of_one_round(Round::deal(&spec, &mut rng)?))
    }

    /// The agent of each seat in round `index`, as a number into `agents`.
    pub fn seats(&self, index: u64) -> BySeat<u8> {
        let mut seats = BySeat::default();
        if self.seating != Seating::One {
            let players = self.shape(index).players;
            let first = index % players as u64;
            for seat in Seat::all(players) {
                seats[seat] = u8::from(seat.index() as u64 != first);
            }
        }
        seats
    }
}

fn any_seat(players: usize, rng: &mut impl Rng) -> Seat {
    Seat::FIRST.after(below(rng, players as u32) as usize, players)
}
