//! A round with all hands: checked constructors, and play.

use rand::Rng;

use crate::action::{Action, ActionSet};
use crate::card::{Card, CardSet, PACK};
use crate::error::RulesError;
use crate::observation::Observation;
use crate::public_state::{Phase, PublicState};
use crate::rng::shuffle_front;
use crate::rules::RoundSpec;
use crate::seat::{BySeat, Seat};

/// A round in progress, all hands in view. It cannot hold an illegal state: it is dealt, built from checked hands, or
/// drawn as a world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Round {
    pub(crate) public: PublicState,
    pub(crate) hands: BySeat<CardSet>,
}

impl Round {
    /// Shuffles and deals; if the rules say so, the next card of the pack is turned up.
    ///
    /// # Errors
    /// If the spec cannot be dealt.
    pub fn deal(spec: &RoundSpec, rng: &mut impl Rng) -> Result<Self, RulesError> {
        spec.check()?;
        let mut pack: [Card; PACK] = std::array::from_fn(|k| Card::from_index(k as u8).expect("below 52"));
        let dealt = spec.players * spec.cards;
        shuffle_front(rng, &mut pack, dealt + usize::from(spec.rules.turn_up));
        let mut hands = BySeat::default();
        for (seat, cards) in Seat::all(spec.players).zip(pack.chunks_exact(spec.cards)) {
            hands[seat] = cards.iter().copied().collect();
        }
        let turned_up = spec.rules.turn_up.then(|| pack[dealt]);
        Ok(Self { public: PublicState::new(spec, turned_up), hands })
    }

    /// A round with given hands before the first bid.
    ///
    /// # Errors
    /// If the spec cannot be dealt, the number or the sizes of the hands differ from it, hands overlap, or a
    /// card is turned up against the rules.
    pub fn from_hands(spec: &RoundSpec, hands: &[CardSet], turned_up: Option<Card>) -> Result<Self, RulesError> {
        spec.check()?;
        if hands.len() != spec.players {
            return Err(RulesError::HandCount { hands: hands.len(), players: spec.players });
        }
        match (spec.rules.turn_up, turned_up) {
            (true, None) => {
                return Err(RulesError::TurnUp { what: "none was given although the rules turn one up".into() });
            }
            (false, Some(card)) => {
                return Err(RulesError::TurnUp { what: format!("{card} was given although the rules turn none up") });
            }
            _ => {}
        }
        let mut taken: CardSet = turned_up.into_iter().collect();
        let mut by_seat = BySeat::default();
        for (seat, &hand) in Seat::all(spec.players).zip(hands) {
            if hand.len() != spec.cards {
                return Err(RulesError::HandSize { seat, size: hand.len(), cards: spec.cards });
            }
            if !hand.is_disjoint(taken) {
                return Err(RulesError::Overlap { seat, shared: hand & taken });
            }
            taken = taken | hand;
            by_seat[seat] = hand;
        }
        Ok(Self { public: PublicState::new(spec, turned_up), hands: by_seat })
    }

    /// What everybody at the table sees.
    #[inline]
    pub const fn public(&self) -> &PublicState {
        &self.public
    }

    /// The hand of a seat.
    #[inline]
    pub fn hand(&self, seat: Seat) -> CardSet {
        self.hands[seat]
    }

    /// All hands.
    #[inline]
    pub const fn hands(&self) -> &BySeat<CardSet> {
        &self.hands
    }

    /// Bidding, playing or done.
    #[inline]
    pub const fn phase(&self) -> Phase {
        self.public.phase()
    }

    /// The seat to act; `None` when done.
    #[inline]
    pub fn to_play(&self) -> Option<Seat> {
        self.public.to_play()
    }

    /// The legal actions of the seat to play; none when done.
    #[inline]
    pub fn legal_actions(&self) -> ActionSet {
        self.public.to_play().map_or(ActionSet::EMPTY, |seat| self.public.legal_actions(self.hands[seat]))
    }

    /// What one seat knows.
    #[inline]
    pub fn observe(&self, seat: Seat) -> Observation {
        Observation::new(seat, self.hands[seat], self.public)
    }

    /// Plays an action for the seat to play.
    ///
    /// # Errors
    /// If it is not legal, or the round is done; the round is then unchanged.
    pub fn play(&mut self, action: Action) -> Result<(), RulesError> {
        if !self.legal_actions().contains(action) {
            return Err(self.refuse(&action.index()));
        }
        self.play_unchecked(action);
        Ok(())
    }

    /// Plays an action that is known to be legal: the search takes its actions from [`Self::legal_actions`].
    ///
    /// After an illegal action the state has no meaning, though memory stays safe; debug builds panic.
    #[inline]
    pub fn play_unchecked(&mut self, action: Action) {
        debug_assert!(self.legal_actions().contains(action), "{action:?} is not legal");
        if self.public.phase() == Phase::Bidding {
            self.public.make_bid(action.as_bid());
        } else {
            let card = action.as_card();
            if let Some(seat) = self.public.to_play() {
                self.hands[seat] = self.hands[seat].without(card);
            }
            self.public.play_card(card);
        }
    }

    /// The only legal action, where there is only one.
    #[inline]
    pub fn forced_action(&self) -> Option<Action> {
        let legal = self.legal_actions();
        legal.first().filter(|_| legal.len() == 1)
    }

    /// Plays every forced action, up to the next decision or the end.
    #[inline]
    pub fn skip_forced(&mut self) {
        while let Some(action) = self.forced_action() {
            self.play_unchecked(action);
        }
    }

    /// The error for an action that cannot be played now, given as a number or as any text.
    pub fn refuse(&self, action: &dyn std::fmt::Display) -> RulesError {
        let Some(seat) = self.to_play() else {
            return RulesError::Done { action: action.to_string(), what: "round" };
        };
        let name = |action: Action| match self.phase() {
            Phase::Playing => format!("{} ({})", action.index(), action.as_card()),
            _ => action.index().to_string(),
        };
        let text = action.to_string();
        let known = text.parse().ok().and_then(Action::from_index);
        let legal: Vec<_> = self.legal_actions().iter().map(name).collect();
        RulesError::IllegalAction {
            seat,
            action: known.map_or(text, name),
            phase: self.phase().name(),
            legal: legal.join(", "),
        }
    }
}
