//! The information state of a seat.

use crate::action::ActionSet;
use crate::card::CardSet;
use crate::error::RulesError;
use crate::public_state::PublicState;
use crate::round::Round;
use crate::seat::{BySeat, Seat};

/// What one seat knows: its own hand and the public state. It holds no other hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Observation {
    seat: Seat,
    hand: CardSet,
    public: PublicState,
}

impl Observation {
    /// What a seat knows that holds this hand, of as many cards as the public state gives it.
    #[inline]
    pub const fn new(seat: Seat, hand: CardSet, public: PublicState) -> Self {
        Self { seat, hand, public }
    }

    /// The observer.
    #[inline]
    pub const fn seat(&self) -> Seat {
        self.seat
    }

    /// The observer's hand.
    #[inline]
    pub const fn hand(&self) -> CardSet {
        self.hand
    }

    /// What everybody at the table sees.
    #[inline]
    pub const fn public(&self) -> &PublicState {
        &self.public
    }

    /// The observer's legal actions; none when another seat is to play.
    #[inline]
    pub fn legal_actions(&self) -> ActionSet {
        if self.public.to_play() == Some(self.seat) { self.public.legal_actions(self.hand) } else { ActionSet::EMPTY }
    }

    /// Cards that the observer has not seen: they lie in hidden hands, or were not dealt.
    #[inline]
    pub fn unseen(&self) -> CardSet {
        !(self.hand | self.public.gone())
    }

    /// The seats other than the observer's, clockwise from it.
    #[inline]
    pub fn others(&self) -> impl Iterator<Item = Seat> + use<> {
        let (seat, players) = (self.seat, self.public.players());
        (1..players).map(move |places| seat.after(places, players))
    }

    /// The world with these hands.
    ///
    /// # Errors
    /// If the hands contradict the observation: own hand, hand sizes, cards seen, voids shown.
    pub fn world(&self, hands: &BySeat<CardSet>) -> Result<Round, RulesError> {
        let fail = |what: String| Err(RulesError::Inconsistent { observer: self.seat, what });
        if hands[self.seat] != self.hand {
            return fail(format!("own hand is {}, not {}", self.hand, hands[self.seat]));
        }
        let mut taken = self.public.gone() | self.hand;
        for seat in self.others() {
            let hand = hands[seat];
            let size = self.public.hand_size(seat);
            if hand.len() != size {
                return fail(format!("seat {seat} has {size} cards, not {}", hand.len()));
            }
            if !hand.is_disjoint(taken) {
                return fail(format!("{} of seat {seat} seen elsewhere", hand & taken));
            }
            let voided = hand - self.public.voids(seat).allowed();
            if !voided.is_empty() {
                return fail(format!("seat {seat} has shown a void and cannot hold {voided}"));
            }
            taken = taken | hand;
        }
        if let Some(stray) = hands.0[self.public.players()..].iter().find(|hand| !hand.is_empty()) {
            return fail(format!("{stray} in the hand of a seat that is not at the table"));
        }
        Ok(self.world_unchecked(hands))
    }

    /// The world with hands that are known to be consistent: [`crate::WorldSampler`] draws them so.
    #[inline]
    pub(crate) const fn world_unchecked(&self, hands: &BySeat<CardSet>) -> Round {
        Round { public: self.public, hands: *hands }
    }
}
