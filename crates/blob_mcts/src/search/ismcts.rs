//! One tree over the information states of the searching seat, with rollouts by the rule bot: the yardstick `ismcts:N`.
//!
//! This is SO-ISMCTS of Cowling, Powley and Whitehouse 2012, "Information Set Monte Carlo Tree Search", for several players:
//! each simulation draws a world, walks from the root along actions that are legal in it, adds one action that it has not
//! tried there, plays the round out and adds to each action on its way the value of the seat that took it. A node is a
//! sequence of actions, which all seats see, so worlds that agree on it share it. An action competes only in the worlds where
//! it is legal: UCB counts how often it was available, not how often its node was visited.
//!
//! It is a fixed opponent. Golden decisions in `tests/yardsticks.rs` hold it to [`YARDSTICK_VERSION`](super::YARDSTICK_VERSION).

use std::sync::LazyLock;

use blob_engine::{
    ACTIONS, Action, ActionSet, BySeat, MAX_PLAYERS, Observation, Round, RuleRollout, Seat, WorldSampler,
};
use rand::Rng;

use crate::search::determinized::Outcome;
use crate::search::interrupt::Interrupt;

/// Weight of the exploration in UCB, for values in [-1, 1]: the paper's 0.7 for values in [0, 1]. Between 0.5 and 2 no
/// difference was found on 4 x 5 (docs/LOG.md).
const EXPLORATION: f32 = 1.4;

/// Index of a node; the root is 0.
type NodeId = u32;

const ROOT: NodeId = 0;

/// A sequence of actions after which some action was tried.
#[derive(Clone, Copy, Debug)]
struct Node {
    /// The actions that were tried here, in any world.
    tried: ActionSet,
    /// The edges of the tried actions in ascending order begin here.
    first_edge: u32,
    /// Room for this many edges.
    room: u32,
}

/// An action that was tried.
#[derive(Clone, Copy, Debug)]
struct Edge {
    /// Sum over its visits of the value to the seat that takes the action.
    value_sum: f64,
    visits: u32,
    /// Visits of the node above in worlds where the action was legal.
    available: u32,
    /// The node behind the action; the root, which is behind none, until an action is tried there.
    child: NodeId,
}

const NEW_EDGE: Edge = Edge { value_sum: 0.0, visits: 0, available: 0, child: ROOT };

/// The memory of searches, which each search uses anew.
#[derive(Debug, Default)]
pub struct Ismcts {
    nodes: Vec<Node>,
    edges: Vec<Edge>,
    /// The edges of the simulation in progress, each with the seat that acted.
    path: Vec<(u32, Seat)>,
}

impl Ismcts {
    /// Searches the decision of an observation; `None` if it is interrupted.
    ///
    /// # Panics
    /// If it is not the observer's turn.
    pub fn search(
        &mut self,
        observation: &Observation,
        simulations: usize,
        rng: &mut impl Rng,
        interrupt: &mut Interrupt<impl FnMut() -> bool>,
    ) -> Option<Outcome> {
        let legal = observation.legal_actions();
        assert!(!legal.is_empty(), "seat {} is not to play", observation.seat());
        self.nodes.clear();
        self.edges.clear();
        self.add_node(legal.len());
        let rollout = RuleRollout::new(observation.public());
        let sampler = WorldSampler::new(observation);
        let mut values = [0.0; MAX_PLAYERS];
        for _ in 0..simulations {
            if !interrupt.goes_on() {
                return None;
            }
            let end = self.simulate(sampler.sample(rng), &rollout, rng);
            for (sum, value) in values.iter_mut().zip(end.0) {
                *sum += f64::from(value);
            }
        }
        let mut visits = [0; ACTIONS];
        for (action, edge) in self.nodes[ROOT as usize].tried.iter().zip(&self.edges) {
            visits[action.index()] = edge.visits;
        }
        let simulations = simulations as u64;
        let mean = |sum: f64| (sum / simulations.max(1) as f64) as f32;
        Some(Outcome { visits, values: BySeat(values.map(mean)), legal, evaluations: simulations, simulations })
    }

    /// One simulation in a world; returns the value of its end to each seat.
    fn simulate(&mut self, mut world: Round, rollout: &RuleRollout, rng: &mut impl Rng) -> BySeat<f32> {
        self.path.clear();
        let mut at = ROOT;
        while let Some(seat) = world.to_play() {
            let legal = world.legal_actions();
            if let Some(&(edge, _)) = self.path.last() {
                at = self.behind(edge, legal.len());
            }
            let untried = legal - self.nodes[at as usize].tried;
            let (action, edge) = match untried.choose(rng) {
                Some(action) => (action, self.add_edge(at, action, legal)),
                None => self.best_edge(at, legal),
            };
            self.path.push((edge, seat));
            world.play_unchecked(action);
            // A forced action is no decision: the walk goes on behind it.
            if !untried.is_empty() && legal.len() > 1 {
                break;
            }
        }
        rollout.play_out(&mut world);
        let values = world.public().values().expect("the round is played out");
        for &(edge, seat) in &self.path {
            let edge = &mut self.edges[edge as usize];
            edge.visits += 1;
            edge.value_sum += f64::from(values[seat]);
        }
        values
    }

    /// The legal action with the best upper confidence bound; all were tried. Counts them as available.
    fn best_edge(&mut self, node: NodeId, legal: ActionSet) -> (Action, u32) {
        let Node { tried, first_edge, .. } = self.nodes[node as usize];
        let mut best = (f32::NEG_INFINITY, legal.first().expect("a seat to play has a legal action"), first_edge);
        for action in legal.iter() {
            let index = first_edge + tried.rank(action);
            let edge = &mut self.edges[index as usize];
            edge.available += 1;
            let visits = edge.visits as f32;
            let score = edge.value_sum as f32 / visits + EXPLORATION * (ln(edge.available) / visits).sqrt();
            if score > best.0 {
                best = (score, action, index);
            }
        }
        (best.1, best.2)
    }

    /// Adds an action that is tried for the first time, and counts all legal ones as available. Returns its edge.
    fn add_edge(&mut self, node: NodeId, action: Action, legal: ActionSet) -> u32 {
        let Node { tried, first_edge, room } = self.nodes[node as usize];
        let (count, rank) = (tried.len() as u32, tried.rank(action));
        let mut first = first_edge as usize;
        if count == room {
            // Worlds differ in the cards of other seats, so a node can outgrow its room. It moves; the old room is lost.
            let moved = self.edges.len();
            self.edges.resize(moved + 2 * room as usize, NEW_EDGE);
            self.edges.copy_within(first..first + count as usize, moved);
            first = moved;
        }
        let (at, end) = (first + rank as usize, first + count as usize);
        self.edges.copy_within(at..end, at + 1);
        self.edges[at] = NEW_EDGE;
        let tried = tried.with(action);
        self.nodes[node as usize] =
            Node { tried, first_edge: first as u32, room: if count == room { 2 * room } else { room } };
        for action in (legal & tried).iter() {
            self.edges[first + tried.rank(action) as usize].available += 1;
        }
        at as u32
    }

    /// The node behind an edge, made where there is none yet.
    fn behind(&mut self, edge: u32, legal: usize) -> NodeId {
        let child = self.edges[edge as usize].child;
        if child != ROOT {
            return child;
        }
        let child = self.add_node(legal);
        self.edges[edge as usize].child = child;
        child
    }

    fn add_node(&mut self, room: usize) -> NodeId {
        let room = room.max(1);
        let id = self.nodes.len() as NodeId;
        let first_edge = self.edges.len();
        self.edges.resize(first_edge + room, NEW_EDGE);
        self.nodes.push(Node { tried: ActionSet::EMPTY, first_edge: first_edge as u32, room: room as u32 });
        id
    }
}

/// The natural logarithm of a count of at least 1.
#[inline]
fn ln(count: u32) -> f32 {
    /// Most counts of a tree are small.
    static SMALL: LazyLock<[f32; 1024]> =
        LazyLock::new(|| std::array::from_fn(|count| libm::logf(count.max(1) as f32)));
    match SMALL.get(count as usize) {
        Some(&ln) => ln,
        None => libm::logf(count as f32),
    }
}
