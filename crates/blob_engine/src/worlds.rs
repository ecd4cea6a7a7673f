//! Determinization: full deals drawn exactly uniformly from all deals that are consistent with an observation.
//!
//! The recursive method: count, then choose with the counts as weights (Nijenhuis & Wilf 1978, "Combinatorial
//! algorithms"). Hidden hands with the same voids form a group. Groups are served one after the other, most voids
//! first; hands without a void come last, and the cards left after them were not dealt.
//!
//! Let `r_c` be the unseen cards of class `c` that are left. A group takes `x_c` of each class in
//! `prod_c C(r_c, x_c) * W(r - x)` ways, where `W` is the number of ways to serve the groups after it. A table of `W`,
//! filled from the last group to the first, gives a draw its exact integer weights. Nothing is rejected. Within a group
//! every split of its cards into hands is equally likely.
//!
//! A class is a set of suits that a group and all groups after it treat alike. Counting by class rather than by suit
//! keeps the table small: the last group has a single choice, even with seven different sets of voids.

use std::cmp::Reverse;
use std::ops::Range;

use rand::Rng;

use crate::card::{Card, CardSet, PACK, SUITS, Suit};
use crate::observation::Observation;
use crate::public_state::Voids;
use crate::rng::{below_u128, shuffle_front};
use crate::round::Round;
use crate::seat::{BySeat, Seat};

/// Number of cards of each suit, or of each class of suits in the place of its first suit.
type Counts = [u8; SUITS];

/// `C(n, k)`, at most C(52, 26) < 2^49.
static BINOMIAL: [[u64; PACK + 1]; PACK + 1] = {
    let mut table = [[0; PACK + 1]; PACK + 1];
    let mut n = 0;
    while n <= PACK {
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

/// Ways to take `taken` cards of each class out of `left`; at most C(sum of left, sum of taken).
#[inline]
fn ways_to_take(left: Counts, taken: Counts) -> u128 {
    let ways: u64 = std::iter::zip(left, taken).map(|(n, k)| BINOMIAL[n as usize][k as usize]).product();
    ways.into()
}

/// A hand that is hidden from the observer.
#[derive(Clone, Copy, Debug)]
struct HiddenHand {
    seat: Seat,
    size: usize,
    voids: Voids,
}

/// Hidden hands with the same voids.
#[derive(Clone, Debug)]
struct Group {
    voids: Voids,
    /// Its hands: a range of [`WorldSampler::hidden`].
    hands: Range<usize>,
    /// Sum of the sizes of its hands.
    size: usize,
    /// The class of each suit, named by its first suit.
    class: [usize; SUITS],
    /// Ways to serve this group and all groups after it, for each state that can reach it; sorted by state.
    ways: Vec<(Counts, u128)>,
}

impl Group {
    /// Counts by this group's classes, from counts by suit or by the finer classes of an earlier group.
    fn merge(&self, counts: Counts) -> Counts {
        let mut merged = [0; SUITS];
        for (class, count) in std::iter::zip(self.class, counts) {
            merged[class] += count;
        }
        merged
    }

    /// Every number of cards of each class that the group can take from `left`.
    fn choices(&self, left: Counts) -> impl Iterator<Item = Counts> + use<> {
        let size = self.size as u8;
        let most: Counts = std::array::from_fn(|s| if self.voids.contains(Suit::ALL[s]) { 0 } else { left[s] });
        // A class takes at least the cards that the classes after it cannot supply.
        let range = move |class: usize, size: u8| {
            let after: u8 = most[class + 1..].iter().sum();
            size.saturating_sub(after)..=most[class].min(size)
        };
        range(0, size).flat_map(move |a| {
            range(1, size - a).flat_map(move |b| range(2, size - a - b).map(move |c| [a, b, c, size - a - b - c]))
        })
    }

    /// Ways to serve this group and all groups after it; 0 for a state that is not in the table.
    fn ways(&self, left: Counts) -> u128 {
        self.ways.binary_search_by_key(&left, |&(state, _)| state).map_or(0, |k| self.ways[k].1)
    }
}

fn minus(left: Counts, taken: Counts) -> Counts {
    std::array::from_fn(|s| left[s] - taken[s])
}

/// Ways to serve the groups from `next` on, with cards counted by the classes of the group before it.
fn ways_after(next: Option<&Group>, left: Counts) -> u128 {
    next.map_or(1, |next| next.ways(next.merge(left)))
}

/// Draws worlds of one observation. Set-up takes up to a few microseconds, a draw less than one.
#[derive(Clone, Debug)]
pub struct WorldSampler {
    observation: Observation,
    /// Sorted by voids, so that each group is a range; hands without a void are last.
    hidden: Vec<HiddenHand>,
    /// Groups with voids, in the order in which they are served.
    groups: Vec<Group>,
    /// Hands without a void, served last.
    free: Range<usize>,
    unseen: CardSet,
}

impl WorldSampler {
    /// Counts the worlds of an observation.
    pub fn new(observation: &Observation) -> Self {
        let public = observation.public();
        let mut hidden: Vec<_> = observation
            .others()
            .map(|seat| HiddenHand { seat, size: public.hand_size(seat), voids: public.voids(seat) })
            .filter(|hand| hand.size > 0)
            .collect();
        // Most voids first: the later groups, with more choices, then tell fewer suits apart.
        hidden.sort_by_key(|hand| (Reverse(hand.voids.bits().count_ones()), hand.voids));
        let mut groups = groups_of(&hidden);
        let free = groups.last().map_or(0, |group| group.hands.end)..hidden.len();
        let unseen = observation.unseen();
        find_classes(&mut groups);
        fill_ways(&mut groups, suit_counts(unseen));
        Self { observation: *observation, hidden, groups, free, unseen }
    }

    /// Number of worlds, all equally likely in a draw.
    ///
    /// At most 46! / (6!^7 4!) < 2^121: eight players with six cards, before the first card is played.
    pub fn number_of_worlds(&self) -> u128 {
        let mut left = self.unseen.len();
        let mut worlds = ways_after(self.groups.first(), suit_counts(self.unseen));
        for group in &self.groups {
            worlds *= self.splits(&group.hands, group.size);
            left -= group.size;
        }
        worlds * self.splits(&self.free, left)
    }

    /// Ways to deal these hands from `cards` cards.
    fn splits(&self, hands: &Range<usize>, cards: usize) -> u128 {
        let mut left = cards;
        let mut ways = 1;
        for hand in &self.hidden[hands.clone()] {
            ways *= u128::from(BINOMIAL[left][hand.size]);
            left -= hand.size;
        }
        ways
    }

    /// Draws the hands of a world, with the observer's own.
    pub fn sample_hands(&self, rng: &mut impl Rng) -> BySeat<CardSet> {
        let mut hands = BySeat::default();
        hands[self.observation.seat()] = self.observation.hand();
        let mut left = self.unseen;
        for (k, group) in self.groups.iter().enumerate() {
            let taken = self.choose(k, group.merge(suit_counts(left)), rng);
            let mut cards = Cards::new();
            for (class, count) in taken.into_iter().enumerate().filter(|&(_, count)| count > 0) {
                cards.push_some_of(left & suits_of(class, group.class), count.into(), rng);
            }
            left = left - cards.as_mut_slice().iter().copied().collect();
            self.deal(&group.hands, cards.as_mut_slice(), &mut hands, rng);
        }
        let mut cards = Cards::new();
        cards.push_all_of(left);
        self.deal(&self.free, cards.as_mut_slice(), &mut hands, rng);
        hands
    }

    /// Draws a world: a round in the observed state with all hands.
    pub fn sample(&self, rng: &mut impl Rng) -> Round {
        self.observation.world_unchecked(&self.sample_hands(rng))
    }

    /// Draws the number of cards of each class for group `k`.
    fn choose(&self, k: usize, left: Counts, rng: &mut impl Rng) -> Counts {
        let (group, next) = (&self.groups[k], self.groups.get(k + 1));
        let ways = group.ways(left);
        debug_assert!(ways > 0, "no world fits an observation of a legal round");
        let mut draw = below_u128(rng, ways);
        for taken in group.choices(left) {
            let weight = ways_to_take(left, taken) * ways_after(next, minus(left, taken));
            if draw < weight {
                return taken;
            }
            draw -= weight;
        }
        unreachable!("the weights of the choices sum to the ways of the group")
    }

    /// Deals cards at random to a range of hidden hands; cards may be left over.
    fn deal(&self, range: &Range<usize>, mut cards: &mut [Card], hands: &mut BySeat<CardSet>, rng: &mut impl Rng) {
        let hidden = &self.hidden[range.clone()];
        let dealt: usize = hidden.iter().map(|hand| hand.size).sum();
        // A single hand that takes all the cards needs no order.
        if hidden.len() > 1 || dealt < cards.len() {
            shuffle_front(rng, cards, dealt);
        }
        for hand in hidden {
            let (own, rest) = cards.split_at_mut(hand.size);
            hands[hand.seat] = own.iter().copied().collect();
            cards = rest;
        }
    }
}

/// The groups with voids of hidden hands that are sorted by voids, still without classes and tables.
fn groups_of(hidden: &[HiddenHand]) -> Vec<Group> {
    let mut groups = Vec::new();
    let mut start = 0;
    for hands in hidden.chunk_by(|a, b| a.voids == b.voids).filter(|hands| !hands[0].voids.is_empty()) {
        let range = start..start + hands.len();
        start = range.end;
        let size = hands.iter().map(|hand| hand.size).sum();
        groups.push(Group { voids: hands[0].voids, hands: range, size, class: [0; SUITS], ways: Vec::new() });
    }
    groups
}

fn suit_counts(cards: CardSet) -> Counts {
    Suit::ALL.map(|suit| cards.in_suit(suit).len() as u8)
}

/// All cards of the suits of a class.
fn suits_of(class: usize, class_of: [usize; SUITS]) -> CardSet {
    let suits = Suit::ALL.into_iter().filter(|suit| class_of[suit.index()] == class);
    suits.fold(CardSet::EMPTY, |set, suit| set | CardSet::of_suit(suit))
}

/// Finds the classes of each group: suits that it and all groups after it treat alike.
fn find_classes(groups: &mut [Group]) {
    // For each suit, a bit for each group from the last one back: whether the group is void in it.
    let mut barred = [0u8; SUITS];
    for group in groups.iter_mut().rev() {
        for suit in Suit::ALL {
            barred[suit.index()] = barred[suit.index()] << 1 | u8::from(group.voids.contains(suit));
        }
        group.class = barred.map(|same| barred.iter().position(|&other| other == same).expect("finds itself at least"));
    }
}

/// Fills each group's table, for the states that can reach the group.
fn fill_ways(groups: &mut [Group], unseen: Counts) {
    let mut states = vec![unseen];
    for group in groups.iter_mut() {
        states.iter_mut().for_each(|state| *state = group.merge(*state));
        states.sort_unstable();
        states.dedup();
        group.ways = states.iter().map(|&state| (state, 0)).collect();
        states = states.iter().flat_map(|&left| group.choices(left).map(move |taken| minus(left, taken))).collect();
    }
    for k in (0..groups.len()).rev() {
        let (head, tail) = groups.split_at_mut(k + 1);
        let group = &mut head[k];
        let mut ways = std::mem::take(&mut group.ways);
        for (left, count) in &mut ways {
            *count = group
                .choices(*left)
                .map(|taken| ways_to_take(*left, taken) * ways_after(tail.first(), minus(*left, taken)))
                .sum();
        }
        group.ways = ways;
    }
}

/// A list of cards on the stack.
struct Cards {
    cards: [Card; PACK],
    len: usize,
}

impl Cards {
    const fn new() -> Self {
        Self { cards: [Card::new(Suit::Spades, 0); PACK], len: 0 }
    }

    fn push_all_of(&mut self, cards: CardSet) {
        for card in cards {
            self.cards[self.len] = card;
            self.len += 1;
        }
    }

    /// Adds a uniformly random choice of `count` of the cards.
    fn push_some_of(&mut self, cards: CardSet, count: usize, rng: &mut impl Rng) {
        let start = self.len;
        self.push_all_of(cards);
        if count < cards.len() {
            shuffle_front(rng, &mut self.cards[start..self.len], count);
        }
        self.len = start + count;
    }

    fn as_mut_slice(&mut self) -> &mut [Card] {
        &mut self.cards[..self.len]
    }
}
