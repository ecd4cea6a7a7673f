//! A fixed opponent: bids the tricks its cards are worth, then plays for exactly that many.
//!
//! It sees an observation only and uses no randomness. It never changes, so that points against it mean the same in
//! every run.

use crate::action::Action;
use crate::card::{Card, CardSet, Suit};
use crate::observation::Observation;
use crate::public_state::Phase;
use crate::trick::beats;

/// The action of the rule bot for the seat to play; `None` if the observer is not to play.
pub fn rule_action(observation: &Observation) -> Option<Action> {
    let legal = observation.legal_actions();
    if legal.len() <= 1 {
        return legal.first();
    }
    match observation.public().phase() {
        Phase::Bidding => {
            let estimate: f64 = observation.hand().iter().map(|card| worth(observation, card)).sum();
            // The nearest legal bid; of two at the same distance the lower one.
            legal.iter().min_by(|a, b| {
                let off = |bid: &Action| (f64::from(bid.as_bid()) - estimate).abs();
                off(a).total_cmp(&off(b))
            })
        }
        Phase::Playing => Some(Action::play(card_to_play(observation))),
        Phase::Done => None,
    }
}

/// The estimated chance, 0 … 1, that a card of the observer's hand wins a trick.
fn worth(observation: &Observation, card: Card) -> f64 {
    let public = observation.public();
    let unseen = observation.unseen();
    if unseen.is_empty() {
        return 0.5;
    }
    let hidden: usize = observation.others().map(|seat| public.hand_size(seat)).sum();
    // Chance that a given unseen card is in one of the hidden hands rather than undealt.
    let dealt = hidden as f64 / unseen.len() as f64;
    let higher = above(unseen.in_suit(card.suit()), card);
    let highest = every(1.0 - dealt * HIGHER_CARD_WINS, higher);
    let Some(trump) = public.trump() else {
        return highest * led_chance(observation.hand(), card.suit());
    };
    if card.suit() == trump {
        // A trump that is not high can still ruff a suit that has run out.
        return highest + (1.0 - highest) * RUFF;
    }
    highest * not_ruffed(observation, card, trump)
}

/// The chance that no other seat trumps the card: none is out of its suit and holds a trump.
fn not_ruffed(observation: &Observation, card: Card, trump: Suit) -> f64 {
    let (public, unseen) = (observation.public(), observation.unseen());
    let (suit_cards, trumps) = (unseen.in_suit(card.suit()).len(), unseen.in_suit(trump).len());
    let chance = |seat| {
        let share = public.hand_size(seat) as f64 / unseen.len() as f64;
        let voids = public.voids(seat);
        let out_of_suit = if voids.contains(card.suit()) { 1.0 } else { every(1.0 - share, suit_cards) };
        let holds_trump = if voids.contains(trump) { 0.0 } else { 1.0 - every(1.0 - share, trumps) };
        1.0 - out_of_suit * holds_trump
    };
    observation.others().map(chance).product()
}

/// Number of cards with a higher rank.
fn above(cards: CardSet, card: Card) -> usize {
    cards.iter().filter(|other| other.rank() > card.rank()).count()
}

/// The chance that `count` independent events with this chance all happen.
///
/// A plain product, since `powi` may round differently on another machine.
fn every(chance: f64, count: usize) -> f64 {
    (0..count).fold(1.0, |product, _| product * chance)
}

/// Chance that a hidden higher card beats the card; its holder may be unable or unwilling to play it.
pub(crate) const HIGHER_CARD_WINS: f64 = 0.8;
/// Chance that a trump wins a trick although it is not the highest.
pub(crate) const RUFF: f64 = 0.3;

/// The chance that the suit is led, which a card of it needs to win without trump; it grows with the length of the
/// suit.
pub(crate) fn led_chance(hand: CardSet, suit: Suit) -> f64 {
    let length = hand.in_suit(suit).len() as f64;
    (0.55 + 0.15 * length).min(1.0)
}

/// The card to play: towards the bid while tricks are missing, away from further tricks afterwards.
fn card_to_play(observation: &Observation) -> Card {
    let public = observation.public();
    let seat = observation.seat();
    let legal = observation.legal_actions().as_cards();
    let wants = public.bid(seat).is_some_and(|bid| bid > public.won()[seat]);
    let last = public.trick().len() + 1 == public.players();
    let winners = match public.trick().winning_card() {
        Some(best) => legal.iter().filter(|&card| beats(card, best, public.trump())).collect(),
        None => legal,
    };
    let losers = legal - winners;
    let strongest = |cards: CardSet| pick(observation, cards, true);
    let weakest = |cards: CardSet| pick(observation, cards, false);
    if wants {
        if winners.is_empty() {
            weakest(losers)
        } else if last {
            weakest(winners)
        } else {
            strongest(winners)
        }
    } else if !losers.is_empty() {
        // Throw off the card that is most likely to win later.
        strongest(losers)
    } else if last {
        strongest(winners)
    } else {
        weakest(winners)
    }
}

/// The card with the most or the least worth; ties go by power, then by index.
fn pick(observation: &Observation, cards: CardSet, most: bool) -> Card {
    let keyed = cards.iter().map(|card| (worth(observation, card), power(observation.public().trump(), card), card));
    let order = |a: &(f64, u8, Card), b: &(f64, u8, Card)| a.0.total_cmp(&b.0).then((a.1, a.2).cmp(&(b.1, b.2)));
    let chosen = if most { keyed.max_by(order) } else { keyed.min_by(order) };
    chosen.expect("one of winners and losers holds the legal cards").2
}

/// A rank across suits: any trump is above all other cards.
pub(crate) fn power(trump: Option<Suit>, card: Card) -> u8 {
    card.rank() + if trump == Some(card.suit()) { Suit::ALL.len() as u8 * 13 } else { 0 }
}
