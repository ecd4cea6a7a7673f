//! The rules once more, slow and plain: cards as texts in vectors, every fact worked out anew from the history of
//! actions.
//!
//! It shares no code and no representation with the engine, so that a mistake would have to be made twice.

#![allow(dead_code)] // Each test takes the part it needs.

const RANKS: &str = "23456789TJQKA";
const SUITS: &str = "SHCD";

/// A round as its deal and the actions so far.
#[derive(Clone, Debug)]
pub struct NaiveRound {
    pub hands: Vec<Vec<String>>,
    /// `S`, `H`, `C` or `D`.
    pub trump: Option<char>,
    pub dealer: usize,
    pub hook: bool,
    pub trick_points: bool,
    pub bids: Vec<usize>,
    pub played: Vec<String>,
}

/// A trick that is under way or complete: who played what, in order.
type NaiveTrick = Vec<(usize, String)>;

impl NaiveRound {
    pub fn players(&self) -> usize {
        self.hands.len()
    }

    pub fn cards(&self) -> usize {
        self.hands[0].len()
    }

    pub fn phase(&self) -> &'static str {
        if self.bids.len() < self.players() {
            "bidding"
        } else if self.played.len() < self.players() * self.cards() {
            "playing"
        } else {
            "done"
        }
    }

    /// All tricks so far; the last one may be incomplete or have no card yet.
    pub fn tricks(&self) -> Vec<NaiveTrick> {
        let mut tricks = vec![Vec::new()];
        let mut seat = (self.dealer + 1) % self.players();
        for card in &self.played {
            let trick: &mut NaiveTrick = tricks.last_mut().expect("one at least");
            trick.push((seat, card.clone()));
            if trick.len() == self.players() {
                seat = self.winner(trick);
                tricks.push(Vec::new());
            } else {
                seat = (seat + 1) % self.players();
            }
        }
        tricks
    }

    /// The highest trump wins, else the highest card of the suit led.
    pub fn winner(&self, trick: &NaiveTrick) -> usize {
        let led = suit(&trick[0].1);
        let trumped = trick.iter().any(|(_, card)| Some(suit(card)) == self.trump);
        let deciding = if trumped { self.trump.expect("there are trumps") } else { led };
        let mut candidates: Vec<_> = trick.iter().filter(|(_, card)| suit(card) == deciding).collect();
        candidates.sort_by_key(|(_, card)| rank(card));
        candidates.last().expect("the first card is of the suit led").0
    }

    pub fn to_play(&self) -> Option<usize> {
        match self.phase() {
            "bidding" => Some((self.dealer + 1 + self.bids.len()) % self.players()),
            "playing" => {
                let tricks = self.tricks();
                let running = &tricks[tricks.len() - 1];
                match running.last() {
                    Some((seat, _)) => Some((seat + 1) % self.players()),
                    None if tricks.len() == 1 => Some((self.dealer + 1) % self.players()),
                    None => Some(self.winner(&tricks[tricks.len() - 2])),
                }
            }
            _ => None,
        }
    }

    /// What is left of the hand that was dealt to a seat.
    pub fn hand(&self, seat: usize) -> Vec<String> {
        self.hands[seat].iter().filter(|card| !self.played.contains(card)).cloned().collect()
    }

    /// Ascending numbers of the legal actions.
    pub fn legal_actions(&self) -> Vec<usize> {
        let Some(seat) = self.to_play() else { return Vec::new() };
        if self.phase() == "bidding" {
            let last = self.bids.len() == self.players() - 1;
            let sum: usize = self.bids.iter().sum();
            return (0..=self.cards()).filter(|bid| !(self.hook && last && sum + bid == self.cards())).collect();
        }
        let hand = self.hand(seat);
        let tricks = self.tricks();
        let mut legal = match tricks[tricks.len() - 1].first() {
            Some((_, led)) => hand.iter().filter(|card| suit(card) == suit(led)).cloned().collect(),
            None => Vec::new(),
        };
        if legal.is_empty() {
            legal = hand;
        }
        let mut legal: Vec<usize> = legal.iter().map(|card| index(card)).collect();
        legal.sort();
        legal
    }

    pub fn play(&mut self, action: usize) {
        assert!(self.legal_actions().contains(&action));
        if self.phase() == "bidding" { self.bids.push(action) } else { self.played.push(text(action)) }
    }

    pub fn bid(&self, seat: usize) -> Option<usize> {
        let place = (seat + self.players() - self.dealer - 1) % self.players();
        self.bids.get(place).copied()
    }

    pub fn won(&self, seat: usize) -> usize {
        self.tricks().iter().filter(|trick| trick.len() == self.players() && self.winner(trick) == seat).count()
    }

    /// Whether a seat has failed to follow a suit.
    pub fn shown_void(&self, seat: usize, void: char) -> bool {
        self.tricks().iter().any(|trick| {
            trick.iter().any(|(who, card)| *who == seat && suit(&trick[0].1) == void && suit(card) != void)
        })
    }

    pub fn scores(&self) -> Vec<usize> {
        (0..self.players())
            .map(|seat| {
                let (bid, won) = (self.bid(seat).expect("all have bid"), self.won(seat));
                let made = bid == won;
                match (self.trick_points, made) {
                    (false, true) => 10 + bid,
                    (false, false) => 0,
                    (true, true) => 10 + won,
                    (true, false) => won,
                }
            })
            .collect()
    }
}

pub fn suit(card: &str) -> char {
    card.chars().nth(1).expect("two letters")
}

pub fn rank(card: &str) -> usize {
    RANKS.find(&card[..1]).expect("a rank")
}

pub fn index(card: &str) -> usize {
    SUITS.find(suit(card)).expect("a suit") * 13 + rank(card)
}

pub fn text(index: usize) -> String {
    format!("{}{}", &RANKS[index % 13..index % 13 + 1], &SUITS[index / 13..index / 13 + 1])
}
