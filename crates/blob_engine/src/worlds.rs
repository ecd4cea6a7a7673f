//! Determinization: full deals drawn exactly uniformly from those consistent with an observation.
//!
//! Hidden hands that may hold the same suits form a group; hands without a void and the undealt cards are the free
//! group, which takes what the others leave. The groups are served one after the other, those with most voids first.
//! How many deals give a group `x_c` of the `r_c` unseen cards left in each class `c` is `prod_c C(r_c, x_c)` times the
//! number of ways to serve the groups after it, so a table of those numbers, filled from the last group to the first,
//! lets each draw walk the groups forward and choose with exact integer weights. Nothing is rejected. Within a group
//! every split of its cards into hands is equally likely.
//!
//! A class is the suits that a group and all groups after it treat alike. Counting by class rather than by suit keeps the
//! table small (a last group has one choice, whatever it takes) even with seven different void sets.

use std::cmp::Reverse;
use std::ops::Range;

use rand::Rng;

use crate::card::{Card, CardSet, PACK, SUITS, Suit};
use crate::observation::Observation;
use crate::public_state::Voids;
use crate::rng::{below_u128, shuffle_front};
use crate::round::Round;
use crate::seat::{BySeat, Seat};

/// Unseen cards of each suit; or of each class of suits, in the place of its first suit.
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

/// The number of ways to take `taken` cards of each class out of `left`: at most C(sum of left, sum of taken).
#[inline]
fn ways_to_take(left: Counts, taken: Counts) -> u128 {
    let ways: u64 = std::iter::zip(left, taken).map(|(n, k)| BINOMIAL[n as usize][k as usize]).product();
    ways.into()
}

/// A hand that the observer does not see.
#[derive(Clone, Copy, Debug)]
struct HiddenHand {
    seat: Seat,
    size: usize,
    voids: Voids,
}

/// Hidden hands with one set of voids.
#[derive(Clone, Debug)]
struct Group {
    voids: Voids,
    /// Its hands in the sampler's list.
    hands: Range<usize>,
    /// Cards of all its hands.
    size: usize,
    /// For each suit the first suit of its class.
    class: [usize; SUITS],
    /// For each state of classes that can reach this group, in order: the ways to serve it and every group after it.
    ways: Vec<(Counts, u128)>,
}

impl Group {
    /// Counts by class, from counts by suit or by the finer classes of a group before this one.
    fn merge(&self, counts: Counts) -> Counts {
        let mut merged = [0; SUITS];
        for (class, count) in std::iter::zip(self.class, counts) {
            merged[class] += count;
        }
        merged
    }

    /// Every choice of `size` cards by class that the voids and `left` allow.
    fn choices(&self, left: Counts) -> impl Iterator<Item = Counts> + use<> {
        let size = self.size as u8;
        let most: Counts = std::array::from_fn(|s| if self.voids.contains(Suit::ALL[s]) { 0 } else { left[s] });
        // Each class takes at least what those after it cannot.
        let range = move |class: usize, size: u8| {
            let after: u8 = most[class + 1..].iter().sum();
            size.saturating_sub(after)..=most[class].min(size)
        };
        range(0, size).flat_map(move |a| {
            range(1, size - a).flat_map(move |b| range(2, size - a - b).map(move |c| [a, b, c, size - a - b - c]))
        })
    }

    /// The ways to serve this group and every group after it; a state that is not in the table can be served in none.
    fn ways(&self, left: Counts) -> u128 {
        self.ways.binary_search_by_key(&left, |&(state, _)| state).map_or(0, |k| self.ways[k].1)
    }
}

fn minus(left: Counts, taken: Counts) -> Counts {
    std::array::from_fn(|s| left[s] - taken[s])
}

/// The ways to serve the groups from `next` on, of cards counted by the classes of the group before it.
fn ways_after(next: Option<&Group>, left: Counts) -> u128 {
    next.map_or(1, |next| next.ways(next.merge(left)))
}

/// Draws worlds of one observation: set up once, then about a microsecond a draw.
#[derive(Clone, Debug)]
pub struct WorldSampler {
    observation: Observation,
    /// By voids, so that each group is a run of it; the hands without a void are last.
    hidden: Vec<HiddenHand>,
    /// Groups with voids, in the order in which a draw serves them.
    groups: Vec<Group>,
    /// Hands without a void; what is left after them is undealt.
    free: Range<usize>,
    unseen: CardSet,
}

impl WorldSampler {
    /// Prepares the counting table of an observation.
    pub fn new(observation: &Observation) -> Self {
        let public = observation.public();
        let mut hidden: Vec<_> = observation
            .others()
            .map(|seat| HiddenHand { seat, size: public.hand_size(seat), voids: public.voids(seat) })
            .filter(|hand| hand.size > 0)
            .collect();
        // Groups with few choices first: the suits they tell apart are then merged for the groups with many.
        hidden.sort_by_key(|hand| (Reverse(hand.voids.bits().count_ones()), hand.voids));
        let mut groups: Vec<Group> = Vec::new();
        let mut start = 0;
        for hands in hidden.chunk_by(|a, b| a.voids == b.voids) {
            let range = start..start + hands.len();
            start = range.end;
            if !hands[0].voids.is_empty() {
                let size = hands.iter().map(|hand| hand.size).sum();
                groups.push(Group { voids: hands[0].voids, hands: range, size, class: [0; SUITS], ways: Vec::new() });
            }
        }
        let free = groups.last().map_or(0, |group| group.hands.end)..hidden.len();
        let unseen = observation.unseen();
        find_classes(&mut groups);
        fill_ways(&mut groups, suit_counts(unseen));
        Self { observation: *observation, hidden, groups, free, unseen }
    }

    /// The number of worlds, each of which a draw gives with the same chance.
    ///
    /// At most 46! / (6!^7 4!) < 2^121, before the first card of eight players with six cards.
    pub fn number_of_worlds(&self) -> u128 {
        let mut left = self.unseen.len();
        let mut worlds = ways_after(self.groups.first(), suit_counts(self.unseen));
        for group in &self.groups {
            worlds *= self.splits(&group.hands, group.size);
            left -= group.size;
        }
        worlds * self.splits(&self.free, left)
    }

    /// The number of ways to deal hands from so many cards.
    fn splits(&self, hands: &Range<usize>, cards: usize) -> u128 {
        let mut left = cards;
        let mut ways = 1;
        for hand in &self.hidden[hands.clone()] {
            ways *= u128::from(BINOMIAL[left][hand.size]);
            left -= hand.size;
        }
        ways
    }

    /// Draws the hands of a world, the observer's own included.
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

    /// Draws a world.
    pub fn sample(&self, rng: &mut impl Rng) -> Round {
        self.observation.world_unchecked(&self.sample_hands(rng))
    }

    /// Chooses how many cards of each class group `k` takes.
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

    /// Deals a random choice of the cards to some of the hidden hands.
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

fn suit_counts(cards: CardSet) -> Counts {
    Suit::ALL.map(|suit| cards.in_suit(suit).len() as u8)
}

/// All cards of the suits of a class.
fn suits_of(class: usize, class_of: [usize; SUITS]) -> CardSet {
    let suits = Suit::ALL.into_iter().filter(|suit| class_of[suit.index()] == class);
    suits.fold(CardSet::EMPTY, |set, suit| set | CardSet::of_suit(suit))
}

/// Puts suits into one class that a group and all groups after it treat alike.
fn find_classes(groups: &mut [Group]) {
    // For each suit one bit for each group, from the last one back, that may not hold it.
    let mut barred = [0u8; SUITS];
    for group in groups.iter_mut().rev() {
        for suit in Suit::ALL {
            barred[suit.index()] = barred[suit.index()] << 1 | u8::from(group.voids.contains(suit));
        }
        group.class = barred.map(|same| barred.iter().position(|&other| other == same).expect("finds itself at least"));
    }
}

/// Fills each group's table for the states that can reach it.
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

/// Up to a pack of cards on the stack.
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
