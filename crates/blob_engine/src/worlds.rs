//! Determinization: full deals drawn exactly uniformly from those consistent with an observation.
//!
//! Hidden hands that may hold the same suits form a group; hands without a void and the undealt cards are the free
//! group, which takes what the others leave. How many deals give a group `x_s` of the `r_s` unseen cards of each suit
//! left to it is `prod_s C(r_s, x_s)` times the number of ways to serve the groups after it, so a table of those
//! numbers, filled from the last group to the first, lets each draw walk the groups forward and choose with exact
//! integer weights. Nothing is rejected. Within a group every split of its cards into hands is equally likely.
//!
//! Groups of the table are few (none until a void is shown), and their state is the vector of unseen cards left in each
//! suit, so the table stays small even with seven different void sets.

use rand::Rng;

use crate::card::{Card, CardSet, PACK, RANKS, SUITS, Suit};
use crate::observation::Observation;
use crate::rng::{below_u128, shuffle_front};
use crate::round::Round;
use crate::seat::{BySeat, Seat};
use crate::table::Voids;

/// Unseen cards of each suit.
type SuitCounts = [u8; SUITS];

/// `C(n, k)` for n, k up to 13.
const BINOMIAL: [[u64; RANKS + 1]; RANKS + 1] = {
    let mut table = [[0; RANKS + 1]; RANKS + 1];
    let mut n = 0;
    while n <= RANKS {
        table[n][0] = 1;
        let mut k = 1;
        while k <= n {
            table[n][k] = table[n - 1][k - 1] + table[n - 1][k];
            k += 1;
        }
        n += 1;
    }
    table
};

/// The number of ways to take `taken` cards of each suit out of `left`.
#[inline]
fn ways_to_take(left: SuitCounts, taken: SuitCounts) -> u128 {
    (0..SUITS).map(|s| u128::from(BINOMIAL[left[s] as usize][taken[s] as usize])).product()
}

/// Hidden hands with one set of voids.
#[derive(Clone, Debug)]
struct Group {
    voids: Voids,
    /// Members and their hand sizes.
    members: Vec<(Seat, usize)>,
    /// Cards of all members.
    size: usize,
    /// For each state of suits left that can reach this group: the ways to serve it and every group after it.
    ways: Vec<(SuitCounts, u128)>,
}

impl Group {
    /// Every choice of `size` cards by suit that the voids and `left` allow.
    fn choices(&self, left: SuitCounts) -> impl Iterator<Item = SuitCounts> + use<> {
        let (voids, size) = (self.voids, self.size as u8);
        let most =
            std::array::from_fn::<u8, SUITS, _>(|s| if voids.contains(Suit::ALL[s]) { 0 } else { left[s].min(size) });
        (0..=most[0]).flat_map(move |a| {
            (0..=most[1].min(size - a)).flat_map(move |b| {
                (0..=most[2].min(size - a - b)).filter_map(move |c| {
                    let d = size - a - b - c;
                    (d <= most[3]).then_some([a, b, c, d])
                })
            })
        })
    }
}

fn minus(left: SuitCounts, taken: SuitCounts) -> SuitCounts {
    std::array::from_fn(|s| left[s] - taken[s])
}

/// Looks a state up in a table sorted by state; a state that is not there can be served in no way.
fn lookup(ways: &[(SuitCounts, u128)], left: SuitCounts) -> u128 {
    ways.binary_search_by_key(&left, |&(state, _)| state).map_or(0, |k| ways[k].1)
}

/// Draws worlds of one observation: set up once, then about a microsecond a draw.
#[derive(Clone, Debug)]
pub struct WorldSampler {
    observation: Observation,
    /// Groups with voids, in the order in which a draw serves them.
    groups: Vec<Group>,
    /// Hidden hands without a void; what is left after them is undealt.
    free: Vec<(Seat, usize)>,
    unseen: CardSet,
}

impl WorldSampler {
    /// Prepares the counting table of an observation.
    pub fn new(observation: &Observation) -> Self {
        let table = observation.table();
        let mut groups: Vec<Group> = Vec::new();
        let mut free = Vec::new();
        for seat in observation.others() {
            let (voids, size) = (table.voids(seat), table.hand_size(seat));
            if size == 0 {
                continue;
            }
            if voids.is_empty() {
                free.push((seat, size));
            } else if let Some(group) = groups.iter_mut().find(|group| group.voids == voids) {
                group.members.push((seat, size));
                group.size += size;
            } else {
                groups.push(Group { voids, members: vec![(seat, size)], size, ways: Vec::new() });
            }
        }
        let unseen = observation.unseen();
        fill_ways(&mut groups, suit_counts(unseen));
        Self { observation: *observation, groups, free, unseen }
    }

    /// The number of ways to share the unseen cards among the groups of equal voids: a lower bound of the number of worlds.
    fn ways(&self) -> u128 {
        self.groups.first().map_or(1, |group| lookup(&group.ways, suit_counts(self.unseen)))
    }

    /// Draws the hands of a world, the observer's own included.
    pub fn sample_hands(&self, rng: &mut impl Rng) -> BySeat<CardSet> {
        let mut hands = BySeat::default();
        hands[self.observation.seat()] = self.observation.hand();
        let mut left = Pile::new(self.unseen);
        let mut ways = self.ways();
        for (k, group) in self.groups.iter().enumerate() {
            let (taken, rest) = self.choose(k, group, left.counts, ways, rng);
            ways = rest;
            let mut cards = left.take(taken, rng);
            deal(&group.members, cards.as_mut_slice(), &mut hands, rng);
        }
        let mut cards = left.rest();
        deal(&self.free, cards.as_mut_slice(), &mut hands, rng);
        hands
    }

    /// Draws a world.
    pub fn sample(&self, rng: &mut impl Rng) -> Round {
        self.observation.world_unchecked(&self.sample_hands(rng))
    }

    /// Chooses how many cards of each suit group `k` takes; returns them with the ways to serve the groups after it.
    fn choose(&self, k: usize, group: &Group, left: SuitCounts, ways: u128, rng: &mut impl Rng) -> (SuitCounts, u128) {
        debug_assert!(ways > 0, "no world fits an observation of a legal round");
        let mut draw = below_u128(rng, ways);
        for taken in group.choices(left) {
            let rest = self.groups.get(k + 1).map_or(1, |next| lookup(&next.ways, minus(left, taken)));
            let weight = ways_to_take(left, taken) * rest;
            if draw < weight {
                return (taken, rest);
            }
            draw -= weight;
        }
        unreachable!("the weights of the choices sum to the ways of the group")
    }
}

fn suit_counts(cards: CardSet) -> SuitCounts {
    Suit::ALL.map(|suit| cards.in_suit(suit).len() as u8)
}

/// Fills each group's table for the states that can reach it.
fn fill_ways(groups: &mut [Group], unseen: SuitCounts) {
    let mut states = vec![unseen];
    for group in groups.iter_mut() {
        group.ways = states.iter().map(|&state| (state, 0)).collect();
        let mut next: Vec<_> =
            states.iter().flat_map(|&left| group.choices(left).map(move |taken| minus(left, taken))).collect();
        next.sort_unstable();
        next.dedup();
        states = next;
    }
    for k in (0..groups.len()).rev() {
        let (head, tail) = groups.split_at_mut(k + 1);
        let group = &mut head[k];
        let mut ways = std::mem::take(&mut group.ways);
        for (left, count) in &mut ways {
            *count = group
                .choices(*left)
                .map(|taken| {
                    let rest = tail.first().map_or(1, |next| lookup(&next.ways, minus(*left, taken)));
                    ways_to_take(*left, taken) * rest
                })
                .sum();
        }
        group.ways = ways;
    }
}

/// Up to a pack of cards on the stack.
struct Cards {
    cards: [Card; PACK],
    len: usize,
}

impl Cards {
    const fn new() -> Self {
        Self { cards: [Card::new(Suit::Spades, 0); PACK], len: 0 }
    }

    fn push(&mut self, card: Card) {
        self.cards[self.len] = card;
        self.len += 1;
    }

    fn as_mut_slice(&mut self) -> &mut [Card] {
        &mut self.cards[..self.len]
    }
}

/// Unseen cards not yet given out, by suit.
struct Pile {
    suits: [[Card; RANKS]; SUITS],
    counts: SuitCounts,
}

impl Pile {
    fn new(cards: CardSet) -> Self {
        let mut pile = Self { suits: [[Card::new(Suit::Spades, 0); RANKS]; SUITS], counts: [0; SUITS] };
        for card in cards {
            let s = card.suit().index();
            pile.suits[s][pile.counts[s] as usize] = card;
            pile.counts[s] += 1;
        }
        pile
    }

    /// Takes uniformly chosen cards, so many of each suit.
    fn take(&mut self, taken: SuitCounts, rng: &mut impl Rng) -> Cards {
        let mut cards = Cards::new();
        for (s, &count) in taken.iter().enumerate() {
            for _ in 0..count {
                let left = &mut self.suits[s][..self.counts[s] as usize];
                // Moves a random card to the end and takes it off.
                shuffle_front(rng, left, 1);
                let last = left.len() - 1;
                left.swap(0, last);
                cards.push(left[last]);
                self.counts[s] -= 1;
            }
        }
        cards
    }

    fn rest(self) -> Cards {
        let mut cards = Cards::new();
        for s in 0..SUITS {
            self.suits[s][..self.counts[s] as usize].iter().for_each(|&card| cards.push(card));
        }
        cards
    }
}

/// Deals a random choice of the cards to the members, each its hand size.
fn deal(members: &[(Seat, usize)], cards: &mut [Card], hands: &mut BySeat<CardSet>, rng: &mut impl Rng) {
    let mut cards = cards;
    let last = members.len().saturating_sub(1);
    for (k, &(seat, size)) in members.iter().enumerate() {
        // The last member of a group with voids takes exactly what is left.
        if !(k == last && size == cards.len()) {
            shuffle_front(rng, cards, size);
        }
        let (hand, rest) = cards.split_at_mut(size);
        hands[seat] = hand.iter().copied().collect();
        cards = rest;
    }
}
