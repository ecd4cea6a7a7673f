//! The tree of one world.
//!
//! A node is a decision: forced actions are walked through on the way to it. An edge keeps the value to the seat that
//! chooses there, so a multi-player result is backed up as one number an edge, each edge its own seat's.
//!
//! Thousands of trees are in progress at once and each is touched only now and then, so what a simulation costs is
//! mostly the cache lines that it misses. Nodes therefore keep no position: a walk follows edges, and a new leaf's
//! position is played out from the root, which needs no memory. Only leaves that wait keep theirs.

use blob_engine::{Action, BySeat, Round, Seat};

use crate::config::SearchConfig;
use crate::error::EvaluationError;
use crate::evaluate::Evaluation;
use crate::puct::{self, Arm};

/// Index of a node in its tree; the root is 0.
pub(crate) type NodeId = u32;

const ROOT: NodeId = 0;
const NO_NODE: NodeId = NodeId::MAX;

#[derive(Clone, Copy, Debug)]
enum State {
    /// Waits for its evaluation.
    Pending,
    /// Has edges.
    Expanded,
    /// The round ends here, in `Tree::terminal` at this index.
    Terminal(u32),
}

#[derive(Clone, Debug)]
struct Node {
    state: State,
    /// The seat to move; of no meaning in a terminal node.
    mover: Seat,
    parent: NodeId,
    parent_edge: u32,
    first_edge: u32,
    edge_count: u32,
    /// Finished simulations that ended at or below the node, its own evaluation included.
    visits: u32,
    /// Simulations below the node that wait.
    in_flight: u32,
    /// Sum of the values of these visits to the mover.
    value_sum: f32,
    /// Sum of the priors of edges that were visited or wait.
    visited_prior: f32,
}

#[derive(Clone, Debug)]
struct Edge {
    child: NodeId,
    prior: f32,
    visits: u32,
    value_sum: f32,
    in_flight: u16,
    action: Action,
}

impl Edge {
    const fn arm(&self) -> Arm {
        Arm { prior: self.prior, visits: self.visits, in_flight: self.in_flight as u32, value_sum: self.value_sum }
    }
}

/// What a walk from the root met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Walk {
    /// A new node that wants an evaluation.
    Leaf(NodeId),
    /// The end of the round, backed up at once.
    Ended,
    /// A node that already waits for its evaluation; nothing was changed.
    Collision,
}

/// A search tree in one world.
#[derive(Clone, Debug)]
pub(crate) struct Tree {
    world: Round,
    nodes: Vec<Node>,
    edges: Vec<Edge>,
    terminal: Vec<BySeat<f32>>,
    /// Sum of the values of all finished simulations, by seat.
    values: BySeat<f32>,
    /// Finished simulations.
    simulations: u32,
    /// Leaves that wait, with their positions.
    waiting: Vec<(NodeId, Round)>,
    /// Actions of the walk in progress.
    path: Vec<Action>,
}

impl Tree {
    /// A tree with a world at its root, which waits.
    pub(crate) fn new(world: Round, mover: Seat) -> Self {
        Self {
            world,
            nodes: vec![Node::new(mover, NO_NODE, 0)],
            edges: Vec::new(),
            terminal: Vec::new(),
            values: BySeat::default(),
            simulations: 0,
            waiting: Vec::new(),
            path: Vec::new(),
        }
    }

    /// Empties the tree and plants another world at its root; keeps its memory.
    pub(crate) fn plant(&mut self, world: Round, mover: Seat) {
        self.world = world;
        self.nodes.clear();
        self.edges.clear();
        self.terminal.clear();
        self.values = BySeat::default();
        self.simulations = 0;
        self.waiting.clear();
        self.nodes.push(Node::new(mover, NO_NODE, 0));
    }

    /// Simulations finished and waiting.
    pub(crate) const fn started(&self) -> u32 {
        self.simulations + self.waiting.len() as u32
    }

    pub(crate) const fn finished(&self) -> u32 {
        self.simulations
    }

    pub(crate) const fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Sum over finished simulations of the values by seat.
    pub(crate) const fn values(&self) -> &BySeat<f32> {
        &self.values
    }

    /// The position of a leaf that waits.
    pub(crate) fn position(&self, leaf: NodeId) -> &Round {
        self.waiting.iter().find(|(node, _)| *node == leaf).map_or(&self.world, |(_, position)| position)
    }

    /// Each action of the root with its visits.
    pub(crate) fn root_visits(&self) -> impl Iterator<Item = (Action, u32)> {
        self.root_edges().iter().map(|edge| (edge.action, edge.visits))
    }

    fn root_edges(&self) -> &[Edge] {
        let root = &self.nodes[ROOT as usize];
        &self.edges[root.first_edge as usize..(root.first_edge + root.edge_count) as usize]
    }

    /// Replaces the priors of the root by a mixture with noise, one number for each legal action in ascending order.
    pub(crate) fn mix_root_priors(&mut self, noise: &[f32], fraction: f32) {
        let root = &self.nodes[ROOT as usize];
        let edges = &mut self.edges[root.first_edge as usize..(root.first_edge + root.edge_count) as usize];
        for (edge, noise) in edges.iter_mut().zip(noise) {
            edge.prior += fraction * (noise - edge.prior);
        }
    }

    /// Walks from the expanded root to a leaf, along the best edge of each mover.
    pub(crate) fn walk(&mut self, config: &SearchConfig) -> Walk {
        let mut at = ROOT;
        self.path.clear();
        loop {
            let node = &self.nodes[at as usize];
            match node.state {
                State::Pending => return Walk::Collision,
                State::Terminal(k) => {
                    let values = self.terminal[k as usize];
                    self.back_up(at, &values, false);
                    return Walk::Ended;
                }
                State::Expanded => {
                    let edge = self.best_edge(node, config);
                    let Edge { child, action, .. } = self.edges[edge as usize];
                    self.path.push(action);
                    if child == NO_NODE {
                        return self.grow(at, edge);
                    }
                    at = child;
                }
            }
        }
    }

    fn best_edge(&self, node: &Node, config: &SearchConfig) -> u32 {
        let visits = (node.visits + node.in_flight).saturating_sub(1).max(1) as f32;
        let context = puct::Context {
            exploration: config.c_puct * visits.sqrt(),
            unvisited_value: node.value_sum / node.visits as f32 - config.fpu_reduction * node.visited_prior.sqrt(),
            virtual_loss: config.virtual_loss,
        };
        let edges = &self.edges[node.first_edge as usize..(node.first_edge + node.edge_count) as usize];
        let mut best = 0;
        let mut best_score = f32::NEG_INFINITY;
        for (k, edge) in edges.iter().enumerate() {
            let score = puct::score(edge.arm(), context);
            if score > best_score {
                (best, best_score) = (k as u32, score);
            }
        }
        node.first_edge + best
    }

    /// Adds the node behind the last edge of the path: the next decision, or the end of the round.
    fn grow(&mut self, parent: NodeId, edge: u32) -> Walk {
        let mut position = self.world;
        for &action in &self.path {
            position.play_unchecked(action);
            position.skip_forced();
        }
        let id = self.nodes.len() as NodeId;
        self.edges[edge as usize].child = id;
        let above = &mut self.nodes[parent as usize];
        above.visited_prior += self.edges[edge as usize].prior;
        let mover = position.to_play().unwrap_or(above.mover);
        self.nodes.push(Node::new(mover, parent, edge));
        if let Some(values) = position.table().values() {
            self.nodes[id as usize].state = State::Terminal(self.terminal.len() as u32);
            self.terminal.push(values);
            self.back_up(id, &values, false);
            return Walk::Ended;
        }
        self.waiting.push((id, position));
        let mut at = id;
        while at != ROOT {
            let node = &self.nodes[at as usize];
            self.edges[node.parent_edge as usize].in_flight += 1;
            at = node.parent;
            self.nodes[at as usize].in_flight += 1;
        }
        Walk::Leaf(id)
    }

    /// Gives a waiting leaf its edges and backs its values up.
    ///
    /// # Errors
    /// If the evaluation breaks the contract; the tree is then unchanged.
    pub(crate) fn expand(&mut self, id: NodeId, evaluation: &Evaluation<'_>) -> Result<(), EvaluationError> {
        let mover = self.nodes[id as usize].mover;
        let position = self.position(id);
        let legal = position.legal_actions();
        let standing = position.table().standing();
        let mass = evaluation.legal_mass(standing.actions(legal))?;
        let values = evaluation.absolute_values(mover, position.table().players())?;
        let first_edge = self.edges.len() as u32;
        self.edges.extend(legal.iter().map(|action| Edge {
            child: NO_NODE,
            prior: evaluation.policy[standing.action(action).index()] / mass,
            visits: 0,
            value_sum: 0.0,
            in_flight: 0,
            action,
        }));
        let node = &mut self.nodes[id as usize];
        node.state = State::Expanded;
        node.first_edge = first_edge;
        node.edge_count = legal.len() as u32;
        if id == ROOT {
            // The root's own evaluation is no simulation: it counts for its value alone.
            node.visits = 1;
            node.value_sum = values[mover];
        } else {
            self.waiting.retain(|(leaf, _)| *leaf != id);
            self.back_up(id, &values, true);
        }
        Ok(())
    }

    /// Adds the values of a finished simulation to every node and edge of its path, to each the value of its mover.
    fn back_up(&mut self, leaf: NodeId, values: &BySeat<f32>, waited: bool) {
        self.simulations += 1;
        for (sum, value) in self.values.0.iter_mut().zip(values.0) {
            *sum += value;
        }
        let node = &mut self.nodes[leaf as usize];
        node.visits += 1;
        node.value_sum += values[node.mover];
        let mut at = leaf;
        while at != ROOT {
            let Node { parent, parent_edge, .. } = self.nodes[at as usize];
            let node = &mut self.nodes[parent as usize];
            let value = values[node.mover];
            node.visits += 1;
            node.value_sum += value;
            let edge = &mut self.edges[parent_edge as usize];
            edge.visits += 1;
            edge.value_sum += value;
            if waited {
                edge.in_flight -= 1;
                node.in_flight -= 1;
            }
            at = parent;
        }
    }
}

impl Node {
    const fn new(mover: Seat, parent: NodeId, parent_edge: u32) -> Self {
        Self {
            state: State::Pending,
            mover,
            parent,
            parent_edge,
            first_edge: 0,
            edge_count: 0,
            visits: 0,
            in_flight: 0,
            value_sum: 0.0,
            visited_prior: 0.0,
        }
    }
}
