//! The tree of one world.
//!
//! A node is a decision: forced actions are walked through on the way to it. An edge keeps the value to the seat that
//! chooses there, so a multi-player result is backed up as one number an edge, each edge its own seat's.
//!
//! Thousands of trees are in progress at once, each touched only now and then, so the cost of a simulation is mostly
//! the cache lines that it misses. Nodes therefore keep no position, not even while they wait: a new leaf's position is
//! played out from the root, which needs no memory, and its edges are made at once. A node's visits stand in the edge
//! to it alone, which the walk has just read.

use blob_engine::{Action, BySeat, CardNames, EncodedActionSet, MAX_PLAYERS, PACK, Round, Seat};

use crate::error::EvaluationError;
use crate::search::config::SearchConfig;
use crate::search::evaluate::Evaluation;
use crate::search::node::{Edge, Link, Node, NodeId, ROOT, State};
use crate::search::puct;

/// Most decisions of a round: a bid of each seat and every card of the pack.
const MAX_DEPTH: usize = MAX_PLAYERS + PACK;

/// The actions from the root to a node.
struct Path {
    actions: [Action; MAX_DEPTH],
    len: usize,
}

impl Path {
    const fn new() -> Self {
        const ANY: Action = Action::from_index(0).expect("0 is an action");
        Self { actions: [ANY; MAX_DEPTH], len: 0 }
    }

    fn push(&mut self, action: Action) {
        self.actions[self.len] = action;
        self.len += 1;
    }

    fn actions(&self) -> &[Action] {
        &self.actions[..self.len]
    }
}

/// What the encoding calls cards and legal actions at a leaf, for the seat to move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LeafNames {
    pub(crate) cards: CardNames,
    pub(crate) legal: EncodedActionSet,
}

/// What a walk from the root met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Walk {
    /// A new node that wants an evaluation, its position, and the names there.
    Leaf(NodeId, Round, LeafNames),
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
    /// Waiting simulations through each edge. Empty where one leaf waits at a time: walks then never meet it.
    in_flight: Vec<u16>,
    several_wait: bool,
    terminal: Vec<BySeat<f32>>,
    /// Sum of the values of all finished simulations, by seat.
    values: BySeat<f32>,
    /// Finished simulations.
    simulations: u32,
    /// Waiting leaves, without the root.
    waiting: u32,
}

impl Tree {
    /// A tree with a world at its root, which waits.
    pub(crate) fn new(world: Round, mover: Seat, config: &SearchConfig) -> Self {
        // Room for the usual tree, so that it does not move while it grows; a node has 3.5 edges on average at 4 x 5.
        let nodes = config.simulations.min(256) + 1;
        let mut tree = Self {
            world,
            nodes: Vec::with_capacity(nodes),
            edges: Vec::with_capacity(4 * nodes),
            in_flight: Vec::new(),
            several_wait: config.leaves_in_flight > 1,
            terminal: Vec::new(),
            values: BySeat::default(),
            simulations: 0,
            waiting: 0,
        };
        tree.plant(world, mover);
        tree
    }

    /// Empties the tree and plants another world at its root; keeps its memory.
    pub(crate) fn plant(&mut self, world: Round, mover: Seat) {
        self.world = world;
        self.nodes.clear();
        self.edges.clear();
        self.in_flight.clear();
        self.terminal.clear();
        self.values = BySeat::default();
        self.simulations = 0;
        self.waiting = 0;
        self.add_node(&world, mover, ROOT, 0);
    }

    /// Simulations finished and waiting.
    pub(crate) const fn started(&self) -> u32 {
        self.simulations + self.waiting
    }

    pub(crate) const fn finished(&self) -> u32 {
        self.simulations
    }

    pub(crate) const fn waiting(&self) -> usize {
        self.waiting as usize
    }

    /// Sum over finished simulations of the values by seat.
    pub(crate) const fn values(&self) -> &BySeat<f32> {
        &self.values
    }

    /// The world at the root, and the names there.
    pub(crate) fn root(&self) -> (&Round, LeafNames) {
        let Node { mover, names: legal, .. } = self.nodes[ROOT as usize];
        let cards = CardNames::new(self.world.public(), mover, self.world.hand(mover));
        (&self.world, LeafNames { cards, legal })
    }

    /// The position of a node, played out from the root.
    pub(crate) fn position(&self, mut node: NodeId) -> Round {
        let mut path = Path::new();
        while node != ROOT {
            let Node { parent, parent_edge, .. } = self.nodes[node as usize];
            path.push(self.edges[parent_edge as usize].link.action());
            node = parent;
        }
        play_out(self.world, path.actions().iter().rev())
    }

    /// Each action of the root with its visits.
    pub(crate) fn root_visits(&self) -> impl Iterator<Item = (Action, u32)> {
        self.root_edges().iter().map(|edge| (edge.link.action(), edge.visits))
    }

    fn root_edges(&self) -> &[Edge] {
        &self.edges[self.nodes[ROOT as usize].edges()]
    }

    /// Replaces the priors of the root by a mixture with noise, one number for each legal action in the order of
    /// its encoded name.
    pub(crate) fn mix_root_priors(&mut self, noise: &[f32], fraction: f32) {
        let edges = self.nodes[ROOT as usize].edges();
        for (edge, noise) in self.edges[edges].iter_mut().zip(noise) {
            edge.prior += fraction * (noise - edge.prior);
        }
    }

    /// Walks from the expanded root to a leaf, along the best edge of each mover.
    pub(crate) fn walk(&mut self, config: &SearchConfig) -> Walk {
        let mut path = Path::new();
        // The root's own evaluation counts as a visit, though it is no simulation.
        let (mut at, mut visits) = (ROOT, self.simulations + 1);
        loop {
            let node = &self.nodes[at as usize];
            match node.state {
                State::Waiting => return Walk::Collision,
                State::Terminal => {
                    let values = self.terminal[node.first_edge as usize];
                    self.back_up(at, &values, false);
                    return Walk::Ended;
                }
                State::Expanded => {
                    let best = self.best_edge(node, visits, config);
                    let edge = &self.edges[best as usize];
                    path.push(edge.link.action());
                    match edge.link.child() {
                        Some(child) => (at, visits) = (child, edge.visits),
                        None => return self.grow(at, best, &path),
                    }
                }
            }
        }
    }

    /// The edge with the best PUCT score.
    ///
    /// An unvisited action is taken to be worth the node's mean value less a share of the root of the prior visited so
    /// far: first-play urgency (Gelly & Wang 2006), reduced by the visited policy as in KataGo (Wu 2019,
    /// arXiv:1902.10565).
    fn best_edge(&self, node: &Node, visits: u32, config: &SearchConfig) -> u32 {
        let unvisited_value = node.value_sum / visits as f32 - config.fpu_reduction * node.visited_prior.sqrt();
        let edges = node.edges();
        let in_flight = self.in_flight.get(edges.clone()).unwrap_or_default();
        let started = visits + in_flight.iter().copied().map(u32::from).sum::<u32>();
        let context = puct::Context {
            exploration: config.c_puct * ((started - 1).max(1) as f32).sqrt(),
            unvisited_value,
            virtual_loss: config.virtual_loss,
        };
        let mut best = 0;
        let mut best_score = f32::NEG_INFINITY;
        for (k, edge) in self.edges[edges].iter().enumerate() {
            let score = puct::score(edge.arm(in_flight.get(k).copied().unwrap_or(0)), context);
            if score > best_score {
                (best, best_score) = (k as u32, score);
            }
        }
        node.first_edge + best
    }

    /// Adds the node behind the last edge of the path: the next decision, or the end of the round.
    fn grow(&mut self, parent: NodeId, edge: u32, path: &Path) -> Walk {
        let position = play_out(self.world, path.actions());
        let id = self.nodes.len() as NodeId;
        let Edge { link, prior, .. } = &mut self.edges[edge as usize];
        *link = link.to(id);
        let above = &mut self.nodes[parent as usize];
        above.visited_prior += *prior;
        let mover = position.to_play().unwrap_or(above.mover);
        if let Some(values) = position.public().values() {
            self.nodes.push(Node {
                names: EncodedActionSet::EMPTY,
                parent,
                parent_edge: edge,
                first_edge: self.terminal.len() as u32,
                value_sum: 0.0,
                visited_prior: 0.0,
                edge_count: 0,
                state: State::Terminal,
                mover,
            });
            self.terminal.push(values);
            self.back_up(id, &values, false);
            return Walk::Ended;
        }
        let names = self.add_node(&position, mover, parent, edge);
        self.waiting += 1;
        if self.several_wait {
            let mut at = id;
            while at != ROOT {
                let node = &self.nodes[at as usize];
                self.in_flight[node.parent_edge as usize] += 1;
                at = node.parent;
            }
        }
        Walk::Leaf(id, position, names)
    }

    /// Adds a node that waits, with its edges; returns the names there.
    fn add_node(&mut self, position: &Round, mover: Seat, parent: NodeId, parent_edge: u32) -> LeafNames {
        let legal = position.legal_actions();
        let cards = CardNames::new(position.public(), mover, position.hand(mover));
        let names = cards.actions(legal);
        self.nodes.push(Node {
            names,
            parent,
            parent_edge,
            first_edge: self.edges.len() as u32,
            value_sum: 0.0,
            visited_prior: 0.0,
            edge_count: legal.len() as u8,
            state: State::Waiting,
            mover,
        });
        let edge = |action| Edge { link: Link::new(action), prior: 0.0, visits: 0, value_sum: 0.0 };
        self.edges.extend(cards.in_order(legal).map(edge));
        if self.several_wait {
            self.in_flight.resize(self.edges.len(), 0);
        }
        LeafNames { cards, legal: names }
    }

    /// Gives a waiting leaf its priors and backs its values up.
    ///
    /// # Errors
    /// If the evaluation breaks the contract; the tree is then unchanged.
    ///
    /// # Panics
    /// If the leaf does not wait.
    pub(crate) fn expand(&mut self, id: NodeId, evaluation: &Evaluation<'_>) -> Result<(), EvaluationError> {
        let node = &mut self.nodes[id as usize];
        assert!(node.state == State::Waiting, "leaf {id} was received already");
        let mass = evaluation.legal_mass(node.names)?;
        let values = evaluation.absolute_values(node.mover, self.world.public().players())?;
        node.state = State::Expanded;
        for (edge, name) in self.edges[node.edges()].iter_mut().zip(node.names.iter()) {
            edge.prior = evaluation.policy[name.index()] / mass;
        }
        if id == ROOT {
            node.value_sum = values[node.mover];
        } else {
            self.waiting -= 1;
            self.back_up(id, &values, self.several_wait);
        }
        Ok(())
    }

    /// Adds the values of a finished simulation to every node and edge of its path, to each the value of its mover.
    fn back_up(&mut self, leaf: NodeId, values: &BySeat<f32>, was_in_flight: bool) {
        self.simulations += 1;
        for (sum, value) in self.values.0.iter_mut().zip(values.0) {
            *sum += value;
        }
        let node = &mut self.nodes[leaf as usize];
        node.value_sum += values[node.mover];
        let (mut at, mut through) = (node.parent, node.parent_edge);
        loop {
            let node = &mut self.nodes[at as usize];
            let value = values[node.mover];
            node.value_sum += value;
            let edge = &mut self.edges[through as usize];
            edge.visits += 1;
            edge.value_sum += value;
            if was_in_flight {
                self.in_flight[through as usize] -= 1;
            }
            if at == ROOT {
                return;
            }
            (at, through) = (node.parent, node.parent_edge);
        }
    }
}

/// Plays a world on by the decisions on a path; forced actions are played too.
fn play_out<'a>(world: Round, path: impl IntoIterator<Item = &'a Action>) -> Round {
    let mut position = world;
    for &action in path {
        position.play_unchecked(action);
        position.skip_forced();
    }
    position
}
