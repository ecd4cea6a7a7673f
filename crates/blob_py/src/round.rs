//! `Round` and `RoundRules`.

use blob_engine::rng::{Purpose, stream};
use blob_engine::{ACTIONS, Action, Card, CardSet, RoundSpec, RulesError, Scoring, Seat, Suit};
use blob_mcts::Past;
use numpy::PyArray1;
use pyo3::exceptions::PyOverflowError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use crate::error::{config, int, number, optional_int, rules, seat, size};
use crate::observation::Observation;

/// The rule variants: hook, scoring "exact" or "exact_plus_tricks", and whether a card is turned up for trump.
#[pyclass(frozen, eq, from_py_object, module = "blob_zero")]
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct RoundRules(pub(crate) blob_engine::RoundRules);

#[pymethods]
impl RoundRules {
    #[new]
    #[pyo3(signature = (*, hook = true, scoring = "exact", turn_up = false))]
    fn new(hook: bool, scoring: &str, turn_up: bool) -> PyResult<Self> {
        let scoring = match scoring {
            "exact" => Scoring::Exact,
            "exact_plus_tricks" => Scoring::ExactPlusTricks,
            _ => {
                return Err(config(format!(
                    "unknown scoring {scoring:?}; scoring is \"exact\" or \"exact_plus_tricks\""
                )));
            }
        };
        Ok(Self(blob_engine::RoundRules { hook, scoring, turn_up }))
    }

    /// Whether the dealer may not make the bids sum to the number of cards dealt.
    #[getter]
    fn hook(&self) -> bool {
        self.0.hook
    }

    /// "exact" (10 + bid for a bid made exactly, else 0) or "exact_plus_tricks" (one point a trick, and 10 more for a bid
    /// made exactly).
    #[getter]
    fn scoring(&self) -> &'static str {
        match self.0.scoring {
            Scoring::Exact => "exact",
            Scoring::ExactPlusTricks => "exact_plus_tricks",
        }
    }

    /// Whether trump is the suit of a card turned up after the deal.
    #[getter]
    fn turn_up(&self) -> bool {
        self.0.turn_up
    }

    /// For `copy` and `pickle`: the keyword arguments of the constructor.
    fn __getnewargs_ex__<'py>(&self, py: Python<'py>) -> PyResult<(Bound<'py, PyTuple>, Bound<'py, PyDict>)> {
        let named = PyDict::new(py);
        named.set_item("hook", self.hook())?;
        named.set_item("scoring", self.scoring())?;
        named.set_item("turn_up", self.turn_up())?;
        Ok((PyTuple::empty(py), named))
    }

    fn __repr__(&self) -> String {
        let flag = |value| if value { "True" } else { "False" };
        format!(
            "RoundRules(hook={}, scoring={:?}, turn_up={})",
            flag(self.0.hook),
            self.scoring(),
            flag(self.0.turn_up)
        )
    }
}

/// The given rules; the rules of Blob by default.
pub(crate) fn rules_or_default(rules: Option<RoundRules>) -> blob_engine::RoundRules {
    rules.map_or_else(Default::default, |rules| rules.0)
}

pub(crate) fn trump_text(trump: Option<Suit>) -> Option<char> {
    trump.map(Suit::letter)
}

fn read_trump(trump: Option<&str>) -> PyResult<Option<Suit>> {
    let Some(text) = trump else { return Ok(None) };
    let mut letters = text.chars();
    match (letters.next().and_then(Suit::from_letter), letters.next()) {
        (Some(suit), None) => Ok(Some(suit)),
        _ => Err(rules(RulesError::UnknownTrump { text: text.into() })),
    }
}

fn read_hand(seat: usize, texts: &[String]) -> PyResult<CardSet> {
    let mut hand = CardSet::EMPTY;
    for text in texts {
        let card: Card = text.parse().map_err(rules)?;
        if hand.contains(card) {
            return Err(rules(RulesError::RepeatedCard { seat, card }));
        }
        hand = hand.with(card);
    }
    Ok(hand)
}

pub(crate) fn card_texts(cards: CardSet) -> Vec<String> {
    cards.iter().map(|card| card.to_string()).collect()
}

/// A round: bidding, then tricks, then scores.
///
/// Rounds are equal if they stand alike, however they came there.
#[pyclass(eq, from_py_object, module = "blob_zero")]
#[derive(Clone)]
pub(crate) struct Round(pub(crate) blob_engine::Round, Option<Past>);

impl PartialEq for Round {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl Eq for Round {}

impl Round {
    /// A round that stands so. Its past is known if there is none yet.
    pub(crate) fn standing(round: blob_engine::Round) -> Self {
        let past = (round.public().turns() == 0).then(Past::default);
        Self(round, past)
    }

    /// What everybody saw of it so far, where that is known.
    pub(crate) const fn past(&self) -> Option<&Past> {
        self.1.as_ref()
    }
}

#[pymethods]
impl Round {
    #[new]
    #[pyo3(signature = (*, players, cards = None, trump = None, dealer = 0, seed = None, hands = None, rules = None, turned_up = None))]
    #[allow(clippy::too_many_arguments)] // Keyword arguments of a Python constructor.
    fn new(
        #[pyo3(from_py_with = int)] players: i64,
        #[pyo3(from_py_with = optional_int)] cards: Option<i64>,
        trump: Option<&str>,
        #[pyo3(from_py_with = int)] dealer: i64,
        #[pyo3(from_py_with = optional_int)] seed: Option<i64>,
        hands: Option<Vec<Vec<String>>>,
        rules: Option<RoundRules>,
        turned_up: Option<&str>,
    ) -> PyResult<Self> {
        let setup = Setup { players, trump: read_trump(trump)?, dealer, rules: rules_or_default(rules) };
        match hands {
            None => dealt(&setup, cards, seed, turned_up),
            Some(hands) => given(&setup, cards, seed, &hands, turned_up),
        }
        .map(Self::standing)
    }

    /// Number of players, 3 to 8.
    #[getter]
    fn players(&self) -> usize {
        self.0.public().players()
    }

    /// Cards dealt to each, 1 to 13.
    #[getter]
    fn cards(&self) -> usize {
        self.0.public().cards()
    }

    /// "S" "H" "C" "D", or None for no trump.
    #[getter]
    fn trump(&self) -> Option<char> {
        trump_text(self.0.public().trump())
    }

    /// The card turned up for trump, where the rules turn one up.
    #[getter]
    fn turned_up(&self) -> Option<String> {
        self.0.public().turned_up().map(|card| card.to_string())
    }

    /// The seat that deals and bids last.
    #[getter]
    fn dealer(&self) -> usize {
        self.0.public().dealer().index()
    }

    /// The variants in force.
    #[getter]
    fn rules(&self) -> RoundRules {
        RoundRules(self.0.public().rules())
    }

    /// "bidding", "playing" or "done".
    #[getter]
    fn phase(&self) -> &'static str {
        self.0.phase().name()
    }

    /// The seat to act; None when the round is done.
    #[getter]
    fn to_play(&self) -> Option<usize> {
        self.0.to_play().map(Seat::index)
    }

    /// The bid of each seat; None before it is made.
    #[getter]
    fn bids(&self) -> Vec<Option<u8>> {
        Seat::all(self.players()).map(|seat| self.0.public().bid(seat)).collect()
    }

    /// Tricks won by each seat.
    #[getter]
    fn tricks_won(&self) -> Vec<usize> {
        self.0.public().won().first(self.players()).iter().map(|&won| won.into()).collect()
    }

    /// The running trick: seat and card, in the order played.
    #[getter]
    fn trick(&self) -> Vec<(usize, String)> {
        let players = self.players();
        self.0.public().trick().plays(players).map(|(seat, card)| (seat.index(), card.to_string())).collect()
    }

    /// The hand of a seat, in ascending card index.
    fn hand(&self, #[pyo3(from_py_with = int)] seat: i64) -> PyResult<Vec<String>> {
        Ok(card_texts(self.0.hand(crate::error::seat(seat, self.players())?)))
    }

    /// The legal actions of the seat to play, ascending; empty when the round is done.
    fn legal_actions(&self) -> Vec<usize> {
        self.0.legal_actions().iter().map(|action| action.index()).collect()
    }

    /// The legal actions as bool[52].
    fn legal_mask<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray1<bool>> {
        legal_mask(py, self.0.legal_actions())
    }

    /// Plays an action for the seat to play: a bid by its number, a card by its index.
    ///
    /// Raises IllegalActionError, and leaves the round as it is, if the action is not legal.
    fn play(&mut self, action: &Bound<'_, PyAny>) -> PyResult<()> {
        match read_action(action)? {
            Some(action) => {
                let before = self.0;
                self.0.play(action).map_err(rules)?;
                if let Some(past) = &mut self.1 {
                    past.turn(&before, action);
                }
                Ok(())
            }
            None => Err(rules(self.0.refuse(action))),
        }
    }

    /// An independent copy.
    fn copy(&self) -> Self {
        self.clone()
    }

    fn __copy__(&self) -> Self {
        self.clone()
    }

    fn __deepcopy__(&self, _memo: &Bound<'_, PyAny>) -> Self {
        self.clone()
    }

    /// Points of each seat. Raises BlobError before the round is done.
    fn scores(&self) -> PyResult<Vec<usize>> {
        match self.0.public().scores() {
            Some(scores) => Ok(scores.first(self.players()).iter().map(|&score| score.into()).collect()),
            None => Err(rules(RulesError::NotDone { phase: self.phase() })),
        }
    }

    /// What a seat knows; by default the seat to play.
    #[pyo3(signature = (seat = None))]
    fn observe(&self, #[pyo3(from_py_with = optional_int)] seat: Option<i64>) -> PyResult<Observation> {
        let seat = match (seat, self.0.to_play()) {
            (Some(seat), _) => crate::error::seat(seat, self.players())?,
            (None, Some(seat)) => seat,
            (None, None) => {
                return Err(config("no seat is to play in a round that is done; name the seat to observe".into()));
            }
        };
        Ok(Observation::new(self.0.observe(seat), self.1.clone()))
    }

    fn __repr__(&self) -> String {
        let public = self.0.public();
        let trump = public.trump().map_or_else(|| "no trump".into(), |suit| format!("trump {suit}"));
        let to_play = public.to_play().map_or_else(String::new, |seat| format!(", seat {seat} to play"));
        let phase = self.phase();
        format!(
            "<Round {}x{}, {trump}, dealer {}, {phase}{to_play}>",
            public.players(),
            public.cards(),
            public.dealer()
        )
    }
}

/// What a dealt and a given round have in common, as Python gives it.
struct Setup {
    players: i64,
    trump: Option<Suit>,
    dealer: i64,
    rules: blob_engine::RoundRules,
}

impl Setup {
    fn spec(&self, cards: i64) -> PyResult<RoundSpec> {
        let (players, cards) = size(self.players, cards, self.rules)?;
        let dealer = seat(self.dealer, players)?;
        Ok(RoundSpec { rules: self.rules, ..RoundSpec::new(players, cards, self.trump, dealer) })
    }
}

/// A round dealt from a seed.
fn dealt(
    setup: &Setup,
    cards: Option<i64>,
    seed: Option<i64>,
    turned_up: Option<&str>,
) -> PyResult<blob_engine::Round> {
    let (Some(cards), Some(seed)) = (cards, seed) else {
        return Err(config("a round is dealt from cards and seed, or given by hands; neither is complete".into()));
    };
    if let Some(card) = turned_up {
        return Err(config(format!("turned_up {card:?} with a dealt round; it goes with hands")));
    }
    let spec = setup.spec(cards)?;
    let mut rng = stream(number("seed", seed)?, Purpose::Round, &[]);
    blob_engine::Round::deal(&spec, &mut rng).map_err(rules)
}

/// A round with given hands.
fn given(
    setup: &Setup,
    cards: Option<i64>,
    seed: Option<i64>,
    hands: &[Vec<String>],
    turned_up: Option<&str>,
) -> PyResult<blob_engine::Round> {
    if let Some(seed) = seed {
        return Err(config(format!("seed {seed} together with hands; a round is dealt or given, not both")));
    }
    let hands = hands.iter().enumerate().map(|(seat, hand)| read_hand(seat, hand)).collect::<PyResult<Vec<_>>>()?;
    let first = hands.first().map_or(0, |hand| hand.len()) as i64;
    if let Some(cards) = cards.filter(|&cards| cards != first) {
        return Err(config(format!(
            "cards is {cards} and the hand of seat 0 has {first}; leave cards out or make them equal"
        )));
    }
    let spec = setup.spec(first)?;
    let turned_up = turned_up.map(str::parse).transpose().map_err(rules)?;
    blob_engine::Round::from_hands(&spec, &hands, turned_up).map_err(rules)
}

/// An action by its number; `None` for an integer that is not 0 to 51.
pub(crate) fn read_action(action: &Bound<'_, PyAny>) -> PyResult<Option<Action>> {
    match action.extract::<i64>() {
        Ok(number) => Ok(usize::try_from(number).ok().and_then(Action::from_index)),
        Err(error) if error.is_instance_of::<PyOverflowError>(action.py()) => Ok(None),
        Err(error) => Err(error),
    }
}

pub(crate) fn legal_mask(py: Python<'_>, legal: blob_engine::ActionSet) -> Bound<'_, PyArray1<bool>> {
    let flags: [bool; ACTIONS] = std::array::from_fn(|k| legal.bits() >> k & 1 == 1);
    PyArray1::from_slice(py, &flags)
}
