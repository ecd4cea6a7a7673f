//! The public state of a round: what everybody at the table sees.

use std::hint::select_unpredictable;

use crate::action::{Action, ActionSet};
use crate::card::{Card, CardSet, SUITS, Suit};
use crate::game_value::game_values;
use crate::rules::{GameContext, RoundRules, RoundSpec, Scoring, score_value};
use crate::seat::{BySeat, MAX_PLAYERS, Seat};
use crate::trick::Trick;

/// The phase of a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    /// The seats bid in turn.
    Bidding,
    /// The seats play cards.
    Playing,
    /// All cards are played.
    Done,
}

impl Phase {
    /// `bidding`, `playing` or `done`: the phase in messages and in Python.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bidding => "bidding",
            Self::Playing => "playing",
            Self::Done => "done",
        }
    }
}

/// The suits in which a seat has shown that it is void.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Voids(u8);

impl Voids {
    /// Whether the seat is known to hold no card of the suit.
    #[inline]
    pub const fn contains(self, suit: Suit) -> bool {
        self.0 >> suit.index() & 1 == 1
    }

    /// Whether no void was shown.
    #[inline]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Bit `i` is suit `i`.
    #[inline]
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// The cards that a hand with these voids may hold.
    pub fn allowed(self) -> CardSet {
        Suit::ALL
            .into_iter()
            .filter(|&suit| !self.contains(suit))
            .fold(CardSet::EMPTY, |set, suit| set | CardSet::of_suit(suit))
    }

    #[inline]
    const fn insert_if(&mut self, suit: Suit, shown: bool) {
        self.0 |= (shown as u8) << suit.index();
    }
}

const _: () = assert!(SUITS <= 8, "a set of suits fits a byte");

/// What everybody at the table sees. It holds no hand, so nothing made from it can leak one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PublicState {
    gone: CardSet,
    context: GameContext,
    bids: BySeat<u8>,
    won: BySeat<u8>,
    voids: BySeat<Voids>,
    trick: Trick,
    to_play: Seat,
    dealer: Seat,
    players: u8,
    cards: u8,
    bids_made: u8,
    tricks_played: u8,
    trump: Option<Suit>,
    turned_up: Option<Card>,
    rules: RoundRules,
}

impl PublicState {
    /// The state of a checked spec before the first bid.
    pub(crate) fn new(spec: &RoundSpec, turned_up: Option<Card>) -> Self {
        let first = spec.dealer.after(1, spec.players);
        Self {
            gone: turned_up.into_iter().collect(),
            context: spec.context,
            bids: BySeat::default(),
            won: BySeat::default(),
            voids: BySeat::default(),
            trick: Trick::new(first),
            to_play: first,
            dealer: spec.dealer,
            players: spec.players as u8,
            cards: spec.cards as u8,
            bids_made: 0,
            tricks_played: 0,
            trump: turned_up.map_or(spec.trump, |card| Some(card.suit())),
            turned_up,
            rules: spec.rules,
        }
    }

    /// 3 … 8.
    #[inline]
    pub const fn players(&self) -> usize {
        self.players as usize
    }

    /// Cards dealt to each, 1 … 13.
    #[inline]
    pub const fn cards(&self) -> usize {
        self.cards as usize
    }

    /// The trump suit; `None` for no trump.
    #[inline]
    pub const fn trump(&self) -> Option<Suit> {
        self.trump
    }

    /// The card turned up for trump, where the rules turn one up.
    #[inline]
    pub const fn turned_up(&self) -> Option<Card> {
        self.turned_up
    }

    /// The seat that deals and bids last.
    #[inline]
    pub const fn dealer(&self) -> Seat {
        self.dealer
    }

    /// The variants in force.
    #[inline]
    pub const fn rules(&self) -> RoundRules {
        self.rules
    }

    /// The game around the round.
    #[inline]
    pub const fn context(&self) -> &GameContext {
        &self.context
    }

    /// Every card that was seen: the cards played, in the running trick too, and the card turned up.
    #[inline]
    pub const fn gone(&self) -> CardSet {
        self.gone
    }

    /// The running trick.
    #[inline]
    pub const fn trick(&self) -> &Trick {
        &self.trick
    }

    /// Number of complete tricks.
    #[inline]
    pub const fn tricks_played(&self) -> usize {
        self.tricks_played as usize
    }

    /// Tricks each seat has won.
    #[inline]
    pub const fn won(&self) -> &BySeat<u8> {
        &self.won
    }

    /// The bid of a seat, once made.
    #[inline]
    pub fn bid(&self, seat: Seat) -> Option<u8> {
        self.has_bid(seat).then(|| self.bids[seat])
    }

    /// The voids that a seat has shown.
    #[inline]
    pub fn voids(&self, seat: Seat) -> Voids {
        self.voids[seat]
    }

    /// Bidding, playing or done.
    #[inline]
    pub const fn phase(&self) -> Phase {
        if self.bids_made < self.players {
            Phase::Bidding
        } else if self.tricks_played < self.cards {
            Phase::Playing
        } else {
            Phase::Done
        }
    }

    /// The seat to act; `None` when done.
    #[inline]
    pub fn to_play(&self) -> Option<Seat> {
        (self.phase() != Phase::Done).then_some(self.to_play)
    }

    /// Number of cards in the hand of a seat.
    #[inline]
    pub fn hand_size(&self, seat: Seat) -> usize {
        let played = self.trick.card_of(seat, self.players()).is_some();
        self.cards() - self.tricks_played() - usize::from(played)
    }

    /// The bid that the hook forbids to the seat to play, if it forbids one.
    #[inline]
    pub fn forbidden_bid(&self) -> Option<u8> {
        if self.phase() != Phase::Bidding || self.to_play != self.dealer || !self.rules.hook {
            return None;
        }
        // The dealer's own entry is still 0, so this is the sum of the others.
        let others: u8 = self.bids.0.iter().sum();
        self.cards.checked_sub(others)
    }

    /// The legal actions of the seat to play, given its hand; none when done.
    #[inline]
    pub fn legal_actions(&self, hand: CardSet) -> ActionSet {
        match self.phase() {
            Phase::Bidding => {
                let all = ActionSet::bids(self.cards());
                match self.forbidden_bid().map(Action::bid) {
                    Some(forbidden) => all.without(forbidden),
                    None => all,
                }
            }
            Phase::Playing => {
                let following = self.trick.suit_led().map_or(CardSet::EMPTY, |led| hand.in_suit(led));
                ActionSet::cards(select_unpredictable(following.is_empty(), hand, following))
            }
            Phase::Done => ActionSet::EMPTY,
        }
    }

    /// Points of each seat, when done.
    #[inline]
    pub fn scores(&self) -> Option<BySeat<u8>> {
        (self.phase() == Phase::Done).then(|| {
            let mut scores = BySeat::default();
            for seat in Seat::all(self.players()) {
                scores[seat] = self.rules.scoring.score(self.bids[seat], self.won[seat]);
            }
            scores
        })
    }

    /// The value in [-1, 1] of the finished round to each seat, 0 past the players; `None` before the end.
    ///
    /// `(1 - m) * score_value + m * expected result of the game`, with m the share of the game's result in the context.
    #[inline]
    pub fn values(&self) -> Option<BySeat<f32>> {
        let scores = self.scores()?;
        if self.context.result_share > 0 {
            return self.values_with(&game_values(&self.totals_after()?, self.players(), self.context.rounds_left));
        }
        let mut values = BySeat::default();
        for seat in Seat::all(self.players()) {
            values[seat] = score_value(scores[seat], self.cards());
        }
        Some(values)
    }

    /// The value of the round to a seat as soon as no play can change it: at the end, or where it can no longer make its
    /// bid and only a bid made scores.
    #[inline]
    pub fn settled_value(&self, seat: Seat) -> Option<f32> {
        match self.phase() {
            Phase::Bidding => None,
            Phase::Playing => {
                let (bid, won) = (self.bids[seat], self.won[seat]);
                let missed = won > bid || won + (self.cards - self.tricks_played) < bid;
                let bid_is_all = self.rules.scoring == Scoring::Exact && self.context.result_share == 0;
                (missed && bid_is_all).then(|| score_value(0, self.cards()))
            }
            Phase::Done => self.values().map(|values| values[seat]),
        }
    }

    /// [`Self::values`] with a known result of the game, as [`game_values`] gives it.
    ///
    /// With a share of 0 the result has no influence.
    pub fn values_with(&self, results: &BySeat<f32>) -> Option<BySeat<f32>> {
        let scores = self.scores()?;
        let share = f32::from(self.context.result_share) / 100.0;
        let mut values = BySeat::default();
        for seat in Seat::all(self.players()) {
            values[seat] = (1.0 - share) * score_value(scores[seat], self.cards()) + share * results[seat];
        }
        Some(values)
    }

    /// Points of each seat in the game, this round included; `None` before its end.
    pub fn totals_after(&self) -> Option<BySeat<u16>> {
        let scores = self.scores()?;
        let mut totals = self.context.totals;
        for (total, score) in totals.0.iter_mut().zip(scores.0) {
            *total += u16::from(score);
        }
        Some(totals)
    }

    /// Bids made and cards played so far.
    pub fn turns(&self) -> usize {
        usize::from(self.bids_made) + self.tricks_played() * self.players() + self.trick.len()
    }

    #[inline]
    fn has_bid(&self, seat: Seat) -> bool {
        let place = seat.relative_to(self.dealer.after(1, self.players()), self.players());
        place < self.bids_made as usize
    }

    /// Makes a legal bid for the seat to bid.
    #[inline]
    pub(crate) fn make_bid(&mut self, bid: u8) {
        self.bids[self.to_play] = bid;
        self.bids_made += 1;
        // After the dealer's bid this is the seat after the dealer, who leads.
        self.to_play = self.to_play.after(1, self.players());
    }

    /// Plays a legal card for the seat to play; a card off the suit led shows a void.
    #[inline]
    pub(crate) fn play_card(&mut self, card: Card) {
        let led = self.trick.suit_led().unwrap_or(card.suit());
        self.voids[self.to_play].insert_if(led, card.suit() != led);
        self.gone = self.gone.with(card);
        self.trick.push(card, self.trump);
        let players = self.players();
        self.to_play = self.to_play.after(1, players);
        if self.trick.len() == players
            && let Some(winner) = self.trick.winner(players)
        {
            self.won[winner] += 1;
            self.tricks_played += 1;
            self.trick = Trick::new(winner);
            self.to_play = winner;
        }
    }
}

const _: () = assert!(MAX_PLAYERS * 13 < 256, "the sum of all bids fits a byte");
