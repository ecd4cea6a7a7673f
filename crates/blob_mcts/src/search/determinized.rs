//! One search: worlds drawn from an observation, a tree in each, visits summed over the worlds.
//!
//! This is determinization, or perfect-information Monte Carlo (Ginsberg 2001, "GIB"; Long et al. 2010, "Understanding
//! the success of perfect information Monte Carlo sampling in game tree search"), with a PUCT search in place of a
//! solver.

use blob_engine::rng::Xoshiro;
use blob_engine::{ACTIONS, ActionSet, BySeat, Observation, Round, Seat, WorldSampler};

use crate::error::EvaluationError;
use crate::search::config::SearchConfig;
use crate::search::dirichlet::dirichlet;
use crate::search::evaluate::{Evaluation, playout};
use crate::search::interrupt::Interrupt;
use crate::search::node::NodeId;
use crate::search::tree::{LeafNames, Tree, Walk};

/// A position that waits for its evaluation: handed out by [`Search::select`], taken back by [`Search::receive`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Leaf {
    tree: u32,
    node: NodeId,
}

impl Leaf {
    /// The root of every tree is one information state, so it is one leaf.
    const ROOT: Self = Self { tree: 0, node: 0 };

    /// The number of its world.
    pub(crate) const fn world(self) -> usize {
        self.tree as usize
    }
}

/// What a search found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outcome {
    /// Visits of each action at the root, summed over worlds: `worlds * simulations` in all, or 0 if nothing was
    /// searched.
    pub visits: [u32; ACTIONS],
    /// Mean value in [-1, 1] of the simulations by absolute seat; 0 past the players.
    pub values: BySeat<f32>,
    /// The legal actions.
    pub legal: ActionSet,
    /// Evaluations requested.
    pub evaluations: u64,
    /// Simulations finished.
    pub simulations: u64,
}

impl Outcome {
    /// The visits scaled to 1; where nothing was searched, all on the one legal action.
    pub fn policy(&self) -> [f32; ACTIONS] {
        let total: u32 = self.visits.iter().sum();
        if total == 0 {
            let mut policy = [0.0; ACTIONS];
            if let Some(action) = self.legal.first() {
                policy[action.index()] = 1.0;
            }
            return policy;
        }
        self.visits.map(|visits| visits as f32 / total as f32)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// The root has not been handed out.
    New,
    /// The root waits for its evaluation.
    RootOut,
    /// Simulations run.
    Running,
}

/// A search in progress, as a state machine that knows no thread and no evaluator.
///
/// [`Self::select`] hands out the leaves that can be evaluated now. When each has gone through [`Self::receive`], call
/// it again, until it hands out none. Leaves may be received in any order. With one leaf in flight for each tree
/// results do not depend on that order; with several, the same order gives the same bytes.
#[derive(Clone, Debug)]
pub struct Search {
    config: SearchConfig,
    observation: Observation,
    mover: Seat,
    legal: ActionSet,
    trees: Vec<Tree>,
    rng: Xoshiro,
    stage: Stage,
    evaluations: u64,
}

impl Search {
    /// Draws the worlds of a search for the seat to play. The caller has checked the settings.
    ///
    /// With one legal action nothing is searched: [`Self::select`] hands out no leaf.
    ///
    /// # Panics
    /// If it is not the observer's turn.
    pub fn new(observation: &Observation, config: SearchConfig, rng: Xoshiro) -> Self {
        let mut search = Self {
            config,
            observation: *observation,
            mover: observation.seat(),
            legal: ActionSet::EMPTY,
            trees: Vec::new(),
            rng,
            stage: Stage::New,
            evaluations: 0,
        };
        search.begin(observation, search.rng.clone());
        search
    }

    /// Begins another search with the same settings, in the memory of the last one.
    ///
    /// # Panics
    /// If it is not the observer's turn.
    pub fn begin(&mut self, observation: &Observation, rng: Xoshiro) {
        self.observation = *observation;
        self.mover = observation.seat();
        self.legal = observation.legal_actions();
        self.rng = rng;
        self.stage = Stage::New;
        self.evaluations = 0;
        assert!(!self.legal.is_empty(), "seat {} is not to play", self.mover);
        if self.is_forced() {
            self.trees.clear();
            return;
        }
        let sampler = WorldSampler::new(observation);
        for k in 0..self.config.worlds {
            let world = sampler.sample(&mut self.rng);
            match self.trees.get_mut(k) {
                Some(tree) => tree.plant(world, self.mover),
                None => self.trees.push(Tree::new(world, self.mover, &self.config)),
            }
        }
    }

    /// The settings.
    pub const fn config(&self) -> &SearchConfig {
        &self.config
    }

    /// The seat that searches, where leaves are to be seen by it too.
    pub(crate) fn viewer(&self) -> Option<Seat> {
        self.config.own_view.then_some(self.mover)
    }

    /// Counts evaluations of leaves as the searcher sees them, which are requested beside those of the leaves.
    pub(crate) const fn count_views(&mut self, views: u64) {
        self.evaluations += views;
    }

    /// Whether there is one legal action, so that nothing is searched.
    pub const fn is_forced(&self) -> bool {
        self.legal.len() == 1
    }

    /// Appends every leaf that can be evaluated now; appends none when the search is done or all its leaves are out.
    pub fn select(&mut self, leaves: &mut Vec<Leaf>) {
        self.select_each(|leaf, _, _| leaves.push(leaf), &mut Interrupt::new(|| true));
    }

    /// [`Self::select`] that passes each leaf with its position and the names there, which are at hand then.
    ///
    /// Returns false if it was interrupted; the search cannot go on then.
    pub(crate) fn select_each(
        &mut self,
        mut found: impl FnMut(Leaf, &Round, LeafNames),
        interrupt: &mut Interrupt<impl FnMut() -> bool>,
    ) -> bool {
        match self.stage {
            _ if self.is_forced() => true,
            Stage::New => {
                self.stage = Stage::RootOut;
                self.evaluations += 1;
                let (world, names) = self.trees[0].root();
                found(Leaf::ROOT, world, names);
                true
            }
            Stage::RootOut => true,
            Stage::Running => self.walk_each(found, interrupt),
        }
    }

    /// Walks through every tree that grows now until its leaves are out.
    fn walk_each(
        &mut self,
        mut found: impl FnMut(Leaf, &Round, LeafNames),
        interrupt: &mut Interrupt<impl FnMut() -> bool>,
    ) -> bool {
        let mut free = self.config.worlds_in_flight.unwrap_or(usize::MAX);
        for (k, tree) in self.trees.iter_mut().enumerate() {
            while (tree.started() as usize) < self.config.simulations && tree.waiting() < self.config.leaves_in_flight {
                if !interrupt.goes_on() {
                    return false;
                }
                match tree.walk(&self.config) {
                    Walk::Leaf(node, position, names) => {
                        self.evaluations += 1;
                        found(Leaf { tree: k as u32, node }, &position, names);
                    }
                    Walk::Ended => {}
                    Walk::Collision => break,
                }
            }
            free -= usize::from(tree.waiting() > 0);
            if free == 0 {
                break;
            }
        }
        true
    }

    /// The position of a leaf in its world. Evaluate it from the mover's observation.
    pub fn position(&self, leaf: Leaf) -> Round {
        self.trees[leaf.tree as usize].position(leaf.node)
    }

    /// Takes the evaluation of a leaf.
    ///
    /// # Errors
    /// If the evaluation breaks the contract; the leaf then still waits.
    ///
    /// # Panics
    /// If the leaf was received already.
    pub fn receive(&mut self, leaf: Leaf, evaluation: &Evaluation<'_>) -> Result<(), EvaluationError> {
        if leaf != Leaf::ROOT {
            return self.trees[leaf.tree as usize].expand(leaf.node, evaluation);
        }
        for tree in &mut self.trees {
            tree.expand(leaf.node, evaluation)?;
        }
        if let Some(noise) = self.config.root_noise {
            let mut draw = [0.0; ACTIONS];
            let draw = &mut draw[..self.legal.len()];
            dirichlet(noise.alpha, draw, &mut self.rng);
            self.trees.iter_mut().for_each(|tree| tree.mix_root_priors(draw, noise.fraction));
        }
        self.stage = Stage::Running;
        Ok(())
    }

    /// Whether every simulation is finished.
    pub fn is_done(&self) -> bool {
        self.is_forced()
            || self.stage == Stage::Running
                && self.trees.iter().all(|tree| tree.finished() as usize >= self.config.simulations)
    }

    /// What the search has found so far.
    pub fn outcome(&self) -> Outcome {
        let mut visits = [0; ACTIONS];
        let mut values = BySeat::default();
        let mut simulations = 0;
        for tree in &self.trees {
            if self.stage == Stage::Running {
                for (action, count) in tree.root_visits() {
                    visits[action.index()] += count;
                }
            }
            for (sum, value) in values.0.iter_mut().zip(tree.values().0) {
                *sum += value;
            }
            simulations += u64::from(tree.finished());
        }
        if simulations > 0 {
            values.0.iter_mut().for_each(|value| *value /= simulations as f32);
        }
        Outcome { visits, values, legal: self.legal, evaluations: self.evaluations, simulations }
    }

    /// The mean value by seat of one random playout in each world: an estimate for a forced decision.
    pub fn playout_values(&mut self) -> BySeat<f32> {
        let sampler = WorldSampler::new(&self.observation);
        let mut values = BySeat::default();
        for _ in 0..self.config.worlds {
            let world = sampler.sample(&mut self.rng);
            let end = playout(world, &mut self.rng).public().values().unwrap_or_default();
            for (sum, value) in values.0.iter_mut().zip(end.0) {
                *sum += value / self.config.worlds as f32;
            }
        }
        values
    }
}
