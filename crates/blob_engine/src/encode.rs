//! Encoding v3: an observation as 256 numbers, all relative to the observer, cards and suits by
//! their [`CardNames`].
//! `docs/observation.md` has the table of all features.
//!
//! Each feature is stored as a byte; its value is the byte times [`FEATURE_SCALE`] of its index. Bytes keep records and
//! batches four times smaller than floats, and are exact in half precision.

use std::ops::Range;

use crate::card::{Card, CardSet, PACK, RANKS, SUITS, Suit};
use crate::card_names::CardNames;
use crate::observation::Observation;
use crate::public_state::Phase;
use crate::round::Round;
use crate::rules::Scoring;
use crate::seat::{MAX_PLAYERS, Seat};

/// The version of the encoding. It changes whenever the meaning of a feature does.
pub const ENCODING_VERSION: u32 = 3;
/// Numbers in an encoded observation.
pub const FEATURES: usize = 256;
/// An encoded observation.
pub type Features = [u8; FEATURES];

const fn after(range: &Range<usize>, len: usize) -> Range<usize> {
    range.end..range.end + len
}

/// Own hand, one flag for each card.
pub const HAND: Range<usize> = 0..PACK;
/// Cards out of play and the card that wins the running trick, one flag for each card.
pub const GONE: Range<usize> = after(&HAND, PACK);
/// Rank + 1 of the card that wins the running trick so far, at its seat; 0 for the others.
pub const TRICK_RANK: Range<usize> = after(&GONE, MAX_PLAYERS);
/// Suit of the card of each relative seat in the running trick, four flags each.
pub const TRICK_SUIT: Range<usize> = after(&TRICK_RANK, MAX_PLAYERS * SUITS);
/// Voids shown, four flags for each relative seat.
pub const VOIDS: Range<usize> = after(&TRICK_SUIT, MAX_PLAYERS * SUITS);
/// Trump: four suits, then no trump.
pub const TRUMP: Range<usize> = after(&VOIDS, SUITS + 1);
/// The suit led in the running trick.
pub const SUIT_LED: Range<usize> = after(&TRUMP, SUITS);
/// Bid + 1 of each relative seat; 0 for none yet.
pub const BID: Range<usize> = after(&SUIT_LED, MAX_PLAYERS);
/// Tricks won by each relative seat.
pub const WON: Range<usize> = after(&BID, MAX_PLAYERS);
/// Tricks each relative seat still needs to make its bid.
pub const NEEDED: Range<usize> = after(&WON, MAX_PLAYERS);
/// Whether each relative seat has won more than its bid.
pub const OVER: Range<usize> = after(&NEEDED, MAX_PLAYERS);
/// The dealer's relative seat.
pub const DEALER: Range<usize> = after(&OVER, MAX_PLAYERS);
/// Bidding, playing; neither when done.
pub const PHASE: Range<usize> = after(&DEALER, 2);
/// Bid + 1 that the hook forbids to the observer, if the observer is to bid and a bid is forbidden; else 0.
pub const FORBIDDEN: usize = PHASE.end;
/// Number of players.
pub const PLAYERS: usize = FORBIDDEN + 1;
/// Cards dealt to each.
pub const CARDS: usize = PLAYERS + 1;
/// The relative seat to play; 0 for the observer, and when done.
pub const TO_PLAY: usize = CARDS + 1;
/// The relative seat that wins the running trick so far.
pub const WINNING: Range<usize> = TO_PLAY + 1..TO_PLAY + 1 + MAX_PLAYERS;
/// Points by which relative seats 1 … 7 are ahead of the observer in the game; at most 255.
pub const AHEAD: Range<usize> = after(&WINNING, MAX_PLAYERS - 1);
/// Points by which relative seats 1 … 7 are behind the observer in the game; at most 255.
pub const BEHIND: Range<usize> = after(&AHEAD, MAX_PLAYERS - 1);
/// Rounds still to come in the game.
pub const ROUNDS_LEFT: usize = BEHIND.end;
/// Rule: no hook.
pub const NO_HOOK: usize = ROUNDS_LEFT + 1;
/// Rule: a point for every trick.
pub const TRICK_POINTS: usize = NO_HOOK + 1;

const _: () = assert!(TRICK_POINTS + 1 == FEATURES, "the table fills 256 numbers");

/// The factor from the byte of a feature to its value.
pub const FEATURE_SCALE: [f32; FEATURES] = {
    let mut scale = [1.0; FEATURES];
    let mut k = 0;
    while k < FEATURES {
        scale[k] = if TRICK_RANK.start <= k && k < TRICK_RANK.end || WON.start <= k && k < NEEDED.end || k == CARDS {
            1.0 / RANKS as f32
        } else if BID.start <= k && k < BID.end || k == FORBIDDEN {
            1.0 / (RANKS + 1) as f32
        } else if k == PLAYERS || k == TO_PLAY {
            1.0 / MAX_PLAYERS as f32
        } else if AHEAD.start <= k && k < BEHIND.end {
            0.01
        } else if k == ROUNDS_LEFT {
            1.0 / 32.0
        } else {
            1.0
        };
        k += 1;
    }
    scale
};

/// Writes the encoding of an observation. It names actions by [`EncodedAction`](crate::EncodedAction).
pub fn encode(observation: &Observation, out: &mut Features) {
    encode_named(observation, observation.card_names(), out);
}

/// [`encode`] with the observation's own names, which a caller that needed them before has at hand.
pub fn encode_named(observation: &Observation, names: CardNames, out: &mut Features) {
    // The cards fill their parts whole.
    out[GONE.end..].fill(0);
    encode_cards(observation, names, out);
    encode_trick(observation, names, out);
    encode_seats(observation, names, out);
    encode_turn(observation, out);
    encode_rules(observation, names, out);
}

/// Flags of the other seats' hands: 52 cards of each of 7 seats.
const OTHER_HANDS: usize = (MAX_PLAYERS - 1) * PACK;

/// Numbers of [`encode_open`].
pub const OPEN_FEATURES: usize = FEATURES + OTHER_HANDS;

/// Writes what a seat would know with all hands open: its encoded observation, then the hands of the other seats, one
/// flag for each card of relative seats 1 … 7, in the observer's names.
pub fn encode_open(round: &Round, observer: Seat, out: &mut [u8; OPEN_FEATURES]) {
    let (observation, players) = (round.observe(observer), round.public().players());
    let names = observation.card_names();
    let (features, hands) = out.split_first_chunk_mut().expect("the observation comes first");
    encode_named(&observation, names, features);
    hands.fill(0);
    for (k, flags) in hands.chunks_exact_mut(PACK).enumerate().take(players - 1) {
        names.cards(round.hand(observer.after(k + 1, players))).write_flags(flags);
    }
}

fn encode_cards(observation: &Observation, names: CardNames, out: &mut Features) {
    let public = observation.public();
    let winning: CardSet = public.trick().winning_card().map(|card| names.card(card)).into_iter().collect();
    names.cards(observation.hand()).write_flags(&mut out[HAND]);
    (names.out_of_play() | winning).write_flags(&mut out[GONE]);
}

fn encode_trick(observation: &Observation, names: CardNames, out: &mut Features) {
    let (observer, public) = (observation.seat(), observation.public());
    let (players, trick) = (public.players(), public.trick());
    for (seat, card) in trick.plays(players) {
        out[TRICK_SUIT.start + SUITS * seat.relative_to(observer, players) + names.suit(card.suit()).index()] = 1;
    }
    if let (Some(led), Some(winner), Some(card)) = (trick.suit_led(), trick.winner(players), trick.winning_card()) {
        let k = winner.relative_to(observer, players);
        out[SUIT_LED.start + names.suit(led).index()] = 1;
        out[WINNING.start + k] = 1;
        out[TRICK_RANK.start + k] = names.card(card).rank() + 1;
    }
}

fn encode_seats(observation: &Observation, names: CardNames, out: &mut Features) {
    let (observer, public) = (observation.seat(), observation.public());
    let (players, totals) = (public.players(), &public.context().totals);
    for k in 0..players {
        let seat = observer.after(k, players);
        let voids = public.voids(seat);
        for suit in Suit::ALL {
            out[VOIDS.start + SUITS * k + names.suit(suit).index()] = u8::from(voids.contains(suit));
        }
        let won = public.won()[seat];
        out[WON.start + k] = won;
        if let Some(bid) = public.bid(seat) {
            out[BID.start + k] = bid + 1;
            out[NEEDED.start + k] = bid.saturating_sub(won);
            out[OVER.start + k] = u8::from(won > bid);
        }
        if k > 0 {
            let saturate = |points: u16| points.min(u8::MAX.into()) as u8;
            out[AHEAD.start + k - 1] = saturate(totals[seat].saturating_sub(totals[observer]));
            out[BEHIND.start + k - 1] = saturate(totals[observer].saturating_sub(totals[seat]));
        }
    }
    out[DEALER.start + public.dealer().relative_to(observer, players)] = 1;
}

fn encode_turn(observation: &Observation, out: &mut Features) {
    let (observer, public) = (observation.seat(), observation.public());
    match public.phase() {
        Phase::Bidding => out[PHASE.start] = 1,
        Phase::Playing => out[PHASE.start + 1] = 1,
        Phase::Done => {}
    }
    let to_play = public.to_play();
    out[TO_PLAY] = to_play.map_or(0, |seat| seat.relative_to(observer, public.players()) as u8);
    if to_play == Some(observer)
        && let Some(bid) = public.forbidden_bid()
    {
        out[FORBIDDEN] = bid + 1;
    }
}

fn encode_rules(observation: &Observation, names: CardNames, out: &mut Features) {
    let public = observation.public();
    out[TRUMP.start + public.trump().map_or(SUITS, |trump| names.suit(trump).index())] = 1;
    out[PLAYERS] = public.players() as u8;
    out[CARDS] = public.cards() as u8;
    out[ROUNDS_LEFT] = public.context().rounds_left;
    out[NO_HOOK] = u8::from(!public.rules().hook);
    out[TRICK_POINTS] = u8::from(public.rules().scoring == Scoring::ExactPlusTricks);
}

/// The facts that an encoding holds, by relative seat and the names of cards and suits: what [`decode`] reads back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)] // Each field is the feature of the same name.
pub struct Decoded {
    pub hand: CardSet,
    pub gone: CardSet,
    /// The suit that each seat has played to the running trick.
    pub trick: Vec<Option<Suit>>,
    pub winning_card: Option<Card>,
    pub voids: Vec<u8>,
    pub trump: Option<Suit>,
    pub suit_led: Option<Suit>,
    pub bids: Vec<Option<u8>>,
    pub won: Vec<u8>,
    pub needed: Vec<u8>,
    pub over: Vec<bool>,
    pub dealer: usize,
    pub bidding: bool,
    pub playing: bool,
    pub forbidden: Option<u8>,
    pub players: usize,
    pub cards: usize,
    pub to_play: usize,
    pub winning: Option<usize>,
    /// Points ahead of the observer, negative when behind, for relative seats 1 and up.
    pub ahead: Vec<i16>,
    pub rounds_left: u8,
    pub hook: bool,
    pub trick_points: bool,
}

/// Reads an encoding back: the inverse of [`encode`], up to the saturation of points.
///
/// Returns `None` where players, trump or dealer cannot be read; it does not check that the facts fit each other.
pub fn decode(features: &Features) -> Option<Decoded> {
    let players = usize::from(features[PLAYERS]);
    if !(3..=MAX_PLAYERS).contains(&players) {
        return None;
    }
    let cards = |range: Range<usize>| {
        features[range]
            .iter()
            .enumerate()
            .filter(|&(_, &flag)| flag == 1)
            .filter_map(|(k, _)| Card::from_index(k as u8))
            .collect()
    };
    let one_hot = |range: Range<usize>| {
        let mut set = features[range].iter().enumerate().filter(|&(_, &flag)| flag != 0).map(|(k, _)| k);
        set.next().filter(|_| set.next().is_none())
    };
    let seats = |range: Range<usize>| features[range][..players].to_vec();
    let less_one = |byte: u8| byte.checked_sub(1);
    let suit_played = |k: usize| {
        let start = TRICK_SUIT.start + SUITS * k;
        one_hot(start..start + SUITS).map(|suit| Suit::ALL[suit])
    };
    let winning = one_hot(WINNING);
    let winning_card = winning.and_then(|k| {
        let rank = features[TRICK_RANK.start + k].checked_sub(1).filter(|&rank| usize::from(rank) < RANKS)?;
        Some(Card::new(suit_played(k)?, rank))
    });
    let voids = (0..players)
        .map(|k| (0..SUITS).fold(0, |bits, suit| bits | features[VOIDS.start + SUITS * k + suit] << suit))
        .collect();
    let point = |range: &Range<usize>, k: usize| i16::from(features[range.start + k]);
    Some(Decoded {
        hand: cards(HAND),
        gone: cards(GONE),
        trick: (0..players).map(suit_played).collect(),
        winning_card,
        voids,
        trump: Suit::ALL.get(one_hot(TRUMP)?).copied(),
        suit_led: one_hot(SUIT_LED).map(|k| Suit::ALL[k]),
        bids: seats(BID).into_iter().map(less_one).collect(),
        won: seats(WON),
        needed: seats(NEEDED),
        over: seats(OVER).into_iter().map(|flag| flag == 1).collect(),
        dealer: one_hot(DEALER)?,
        bidding: features[PHASE.start] == 1,
        playing: features[PHASE.start + 1] == 1,
        forbidden: less_one(features[FORBIDDEN]),
        players,
        cards: features[CARDS].into(),
        to_play: features[TO_PLAY].into(),
        winning,
        ahead: (0..players - 1).map(|k| point(&AHEAD, k) - point(&BEHIND, k)).collect(),
        rounds_left: features[ROUNDS_LEFT],
        hook: features[NO_HOOK] == 0,
        trick_points: features[TRICK_POINTS] == 1,
    })
}
