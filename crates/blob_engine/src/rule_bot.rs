//! A fixed opponent: bids the tricks its cards are worth, then plays for exactly that many.
//!
//! It sees an observation only, uses no randomness, and stays as it is, so that points against it mean the same in every run.

use crate::action::Action;
use crate::card::{Card, CardSet, Suit};
use crate::observation::Observation;
use crate::public_state::{Phase, PublicState};
use crate::trick::beats;

/// The action of the rule bot, for the seat to play; `None` if the observer is not to play.
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

/// The chance, estimated card by card, that a card of the observer's hand wins a trick.
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
        return highest * led_chance(observation, card);
    };
    if card.suit() == trump {
        // A trump that is not high can still ruff a suit that has run out.
        return highest + (1.0 - highest) * RUFF;
    }
    let suit_cards = unseen.in_suit(card.suit()).len();
    let trumps = unseen.in_suit(trump).len();
    let safe: f64 = observation
        .others()
        .map(|seat| {
            let share = public.hand_size(seat) as f64 / unseen.len() as f64;
            let out_of_suit =
                if public.voids(seat).contains(card.suit()) { 1.0 } else { every(1.0 - share, suit_cards) };
            let holds_trump = if public.voids(seat).contains(trump) { 0.0 } else { 1.0 - every(1.0 - share, trumps) };
            1.0 - out_of_suit * holds_trump
        })
        .product();
    highest * safe
}

/// The chance that all of `count` independent things of this chance come about.
///
/// A plain product: the library's `powi` may round differently on another machine, and the bot must not.
fn every(chance: f64, count: usize) -> f64 {
    (0..count).fold(1.0, |product, _| product * chance)
}

/// How often a higher card that is out is there to beat the card; a holder may be unable or unwilling to spend it.
const HIGHER_CARD_WINS: f64 = 0.8;
/// Chance that a trump which is not high wins a trick all the same.
const RUFF: f64 = 0.3;

/// Without trump a card wins only if its suit is led: sure for the leader's own strong suits, less so for short ones.
fn led_chance(observation: &Observation, card: Card) -> f64 {
    let length = observation.hand().in_suit(card.suit()).len() as f64;
    (0.55 + 0.15 * length).min(1.0)
}

fn above(cards: CardSet, card: Card) -> usize {
    cards.iter().filter(|other| other.rank() > card.rank()).count()
}

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
        // Get rid of the card most likely to win later.
        strongest(losers)
    } else if last {
        strongest(winners)
    } else {
        weakest(winners)
    }
}

/// The card with the most or the least worth; ties by strength in the trick, then by index.
fn pick(observation: &Observation, cards: CardSet, most: bool) -> Card {
    let keyed = cards.iter().map(|card| (worth(observation, card), power(observation.public(), card), card));
    let order = |a: &(f64, u8, Card), b: &(f64, u8, Card)| a.0.total_cmp(&b.0).then((a.1, a.2).cmp(&(b.1, b.2)));
    let chosen = if most { keyed.max_by(order) } else { keyed.min_by(order) };
    chosen.expect("one of winners and losers holds the legal cards").2
}

fn power(public: &PublicState, card: Card) -> u8 {
    card.rank() + if public.trump() == Some(card.suit()) { Suit::ALL.len() as u8 * 13 } else { 0 }
}
