//! The nodes and edges of a tree, packed: two nodes or four edges fill a cache line.

use blob_engine::{Action, EncodedActionSet, Seat};

use crate::search::puct::Arm;

/// Index of a node in its tree; the root is 0.
pub(crate) type NodeId = u32;

pub(crate) const ROOT: NodeId = 0;

/// How far a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Waits for its evaluation; its edges have no priors yet.
    Waiting,
    /// Has edges with priors.
    Expanded,
    /// The round ends here; `first_edge` is the index of its values in the tree's `terminal`.
    Terminal,
}

/// A decision, or the end of the round.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    /// The names of its actions in the encoding, in the order of its edges.
    pub(crate) names: EncodedActionSet,
    pub(crate) parent: NodeId,
    pub(crate) parent_edge: u32,
    pub(crate) first_edge: u32,
    /// Sum over its visits, its own evaluation included, of the values to the mover.
    pub(crate) value_sum: f32,
    /// Sum of the priors of the edges that were visited or wait.
    pub(crate) visited_prior: f32,
    pub(crate) edge_count: u8,
    pub(crate) state: State,
    /// The seat to move; of no meaning in a terminal node.
    pub(crate) mover: Seat,
}

/// An action and the node behind it in one number.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Link(u32);

impl Link {
    const ACTION_BITS: u32 = 6;

    /// Leads nowhere yet.
    pub(crate) const fn new(action: Action) -> Self {
        Self(action.index() as u32)
    }

    /// A tree has at most one node for each of its 65,536 simulations and the root, so its number fits in 26 bits.
    pub(crate) const fn to(self, child: NodeId) -> Self {
        Self(child << Self::ACTION_BITS | self.0 & ((1 << Self::ACTION_BITS) - 1))
    }

    /// The node behind the action, once there is one; the root is behind no action.
    pub(crate) const fn child(self) -> Option<NodeId> {
        let child = self.0 >> Self::ACTION_BITS;
        if child == ROOT { None } else { Some(child) }
    }

    pub(crate) const fn action(self) -> Action {
        Action::from_index((self.0 & ((1 << Self::ACTION_BITS) - 1)) as usize).expect("a link is made of an action")
    }
}

/// An action of a node, with the statistics of its simulations.
#[derive(Clone, Debug)]
pub(crate) struct Edge {
    pub(crate) link: Link,
    pub(crate) prior: f32,
    /// Finished simulations through the edge: the visits of the node behind it.
    pub(crate) visits: u32,
    /// Sum of their values to the seat that chooses.
    pub(crate) value_sum: f32,
}

const _: () = assert!(size_of::<Node>() == 32 && size_of::<Edge>() == 16, "two nodes or four edges fill a cache line");

impl Node {
    pub(crate) const fn edges(&self) -> std::ops::Range<usize> {
        self.first_edge as usize..self.first_edge as usize + self.edge_count as usize
    }
}

impl Edge {
    pub(crate) const fn arm(&self, in_flight: u16) -> Arm {
        Arm { prior: self.prior, visits: self.visits, in_flight: in_flight as u32, value_sum: self.value_sum }
    }
}
