//! Rounds played to their end by the rule bot in every seat, fast: for searches that judge positions so.
//!
//! It takes the same actions as [`rule_action`](crate::rule_action), to the last rounding, with three savings. Powers of the
//! chances depend on the cards played so far alone, so a round computes them once. Within a suit the higher card is
//! always worth more, so one card of each suit is judged, and none where all are of one suit. A suit's chance to be ruffed is
//! computed once for all cards of a hand.

use crate::action::{Action, ActionSet};
use crate::card::{Card, CardSet, PACK, RANKS, SUITS, Suit};
use crate::public_state::{Phase, PublicState};
use crate::round::Round;
use crate::rule_bot::{HIGHER_CARD_WINS, RUFF, led_chance, power};
use crate::seat::Seat;

/// `powers[k]` is the chance that all of `k` independent things come about.
type Powers = [f64; RANKS + 1];

/// The powers that the bot needs at one turn.
#[derive(Clone, Debug)]
struct Turn {
    /// That none of `k` higher cards beats a card.
    stands: Powers,
    /// That none of `k` cards is in a hand that has not played to the trick yet.
    not_in_full_hand: Powers,
    /// That none of `k` cards is in a hand that has.
    not_in_played_hand: Powers,
}

/// The rule bot in every seat of rounds of one shape.
#[derive(Clone, Debug)]
pub struct RuleRollout {
    players: usize,
    /// By the number of cards played; the bidding is turn 0.
    turns: Vec<Turn>,
}

impl RuleRollout {
    /// The bot for rounds with the players, cards and rules of a public.
    pub fn new(public: &PublicState) -> Self {
        let (players, cards, turned_up) = (public.players(), public.cards(), public.turned_up().is_some());
        let turn = |played: usize| {
            let (tricks, in_trick) = (played / players, played % players);
            let own = cards - tricks;
            let unseen = (PACK - usize::from(turned_up) - played - own) as f64;
            let hidden = (players - 1) * own - in_trick;
            let dealt = hidden as f64 / unseen;
            Turn {
                stands: powers(1.0 - dealt * HIGHER_CARD_WINS),
                not_in_full_hand: powers(1.0 - own as f64 / unseen),
                not_in_played_hand: powers(1.0 - (own - 1) as f64 / unseen),
            }
        };
        Self { players, turns: (0..players * cards).map(turn).collect() }
    }

    /// Plays a round of its shape to the end.
    #[inline]
    pub fn play_out(&self, round: &mut Round) {
        while let Some(action) = self.action(round) {
            round.play_unchecked(action);
        }
    }

    /// The action of the seat to play; `None` when done. Of the hands it looks at that seat's alone.
    #[inline]
    pub fn action(&self, round: &Round) -> Option<Action> {
        let public = round.public();
        let seat = public.to_play()?;
        let hand = round.hand(seat);
        let legal = public.legal_actions(hand);
        if legal.len() <= 1 {
            return legal.first();
        }
        let view = View::new(self, public, seat, hand);
        Some(match public.phase() {
            Phase::Bidding => view.bid(legal),
            _ => Action::play(view.card(CardSet::from_bits(legal.bits()).unwrap_or_default())),
        })
    }
}

/// `1`, `chance`, `chance * chance` and so on, multiplied in this order.
fn powers(chance: f64) -> Powers {
    let mut powers = [1.0; RANKS + 1];
    for k in 1..powers.len() {
        powers[k] = powers[k - 1] * chance;
    }
    powers
}

/// A decision of the bot.
struct View<'a> {
    turn: &'a Turn,
    public: &'a PublicState,
    seat: Seat,
    hand: CardSet,
    unseen: CardSet,
}

impl<'a> View<'a> {
    #[inline]
    fn new(rollout: &'a RuleRollout, public: &'a PublicState, seat: Seat, hand: CardSet) -> Self {
        let played = public.tricks_played() * rollout.players + public.trick().len();
        Self { turn: &rollout.turns[played], public, seat, hand, unseen: !(hand | public.gone()) }
    }

    /// The legal bid next to the tricks that the hand is worth; of two at the same distance the lower one.
    fn bid(&self, legal: ActionSet) -> Action {
        let mut safe = [None; SUITS];
        let mut estimate = 0.0;
        for card in self.hand {
            let suit = card.suit();
            let safe = *safe[suit.index()].get_or_insert_with(|| self.safe(suit));
            estimate += self.worth(card, safe);
        }
        let mut best = (f64::INFINITY, Action::play(Card::new(Suit::Spades, 0)));
        for bid in legal.iter() {
            let off = (f64::from(bid.as_bid()) - estimate).abs();
            if off < best.0 {
                best = (off, bid);
            }
        }
        best.1
    }

    fn card(&self, legal: CardSet) -> Card {
        let public = self.public;
        let wants = public.bid(self.seat).is_some_and(|bid| bid > public.won()[self.seat]);
        let last = public.trick().len() + 1 == public.players();
        let winners = public.trick().winning_card().map_or(legal, |best| legal & beating(best, public.trump()));
        let losers = legal - winners;
        match (wants, winners.is_empty(), losers.is_empty()) {
            (true, true, _) => self.pick(losers, false),
            (true, false, _) => self.pick(winners, !last),
            (false, _, false) => self.pick(losers, true),
            (false, _, true) => self.pick(winners, last),
        }
    }

    /// The card with the most or the least worth; ties by strength in the trick, then by index.
    #[inline]
    fn pick(&self, cards: CardSet, most: bool) -> Card {
        let (Some(lowest), Some(highest)) = (cards.first(), cards.last()) else {
            unreachable!("one of winners and losers holds the legal cards")
        };
        if lowest.suit() == highest.suit() {
            return if most { highest } else { lowest };
        }
        let trump = self.public.trump();
        let mut best: Option<(f64, u8, Card)> = None;
        for suit in Suit::ALL {
            let own = cards.in_suit(suit);
            let Some(card) = (if most { own.last() } else { own.first() }) else { continue };
            let key = (self.worth(card, self.safe(suit)), power(trump, card), card);
            // Worths are never NaN.
            if best.is_none_or(|best| (key > best) == most) {
                best = Some(key);
            }
        }
        best.expect("the cards are of two suits at least").2
    }

    /// The chance that a card of the hand wins a trick, given that of its suit to be [safe](Self::safe).
    #[inline]
    fn worth(&self, card: Card, safe: f64) -> f64 {
        let suit = card.suit();
        let higher = (self.unseen & above(card)).len();
        let highest = self.turn.stands[higher];
        match self.public.trump() {
            None => highest * led_chance(self.hand, suit),
            Some(trump) if trump == suit => highest + (1.0 - highest) * RUFF,
            Some(_) => highest * safe,
        }
    }

    /// The chance that nobody ruffs a suit other than trump; 1 where it has no meaning.
    #[inline]
    fn safe(&self, suit: Suit) -> f64 {
        let public = self.public;
        let Some(trump) = public.trump().filter(|&trump| trump != suit) else { return 1.0 };
        let suit_cards = self.unseen.in_suit(suit).len();
        let trumps = self.unseen.in_suit(trump).len();
        let players = public.players();
        let still_to_play = players - 1 - public.trick().len();
        let mut safe = 1.0;
        for places in 1..players {
            let other = self.seat.after(places, players);
            let turn = self.turn;
            let not_held = if places <= still_to_play { &turn.not_in_full_hand } else { &turn.not_in_played_hand };
            let voids = public.voids(other);
            let out_of_suit = if voids.contains(suit) { 1.0 } else { not_held[suit_cards] };
            let holds_trump = if voids.contains(trump) { 0.0 } else { 1.0 - not_held[trumps] };
            safe *= 1.0 - out_of_suit * holds_trump;
        }
        safe
    }
}

/// The higher cards of a card's suit.
#[inline]
fn above(card: Card) -> CardSet {
    let up_to = CardSet::from_bits((2 << card.index()) - 1).unwrap_or_default();
    CardSet::of_suit(card.suit()) - up_to
}

/// The cards that beat the one that wins so far.
#[inline]
fn beating(best: Card, trump: Option<Suit>) -> CardSet {
    match trump {
        Some(trump) if trump != best.suit() => above(best) | CardSet::of_suit(trump),
        _ => above(best),
    }
}
