//! Finished rounds as columns: the form in which they are saved and sent.

use blob_engine::{
    Action, BySeat, Card, CardSet, GameContext, MAX_PLAYERS, Round, RoundRules, RoundSpec, RulesError, SUITS, Scoring,
    Seat, Suit,
};

use crate::error::RoundColumnsError;
use crate::replay::PlayedRound;

const NO_CARD: u8 = u8::MAX;

/// R finished rounds, by column, and the actions of their decisions.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RoundColumns {
    /// [R]: number of the round, or of its game.
    pub number: Vec<u64>,
    /// [R]: number of the round in its game, from 0.
    pub game_round: Vec<u8>,
    /// [R]: number of players.
    pub players: Vec<u8>,
    /// [R]: cards dealt to each.
    pub cards: Vec<u8>,
    /// [R]: the trump suit in the order S H C D, or 4 for no trump.
    pub trump: Vec<u8>,
    /// [R]: the card turned up, or 255.
    pub turned_up: Vec<u8>,
    /// [R]: the seat that dealt.
    pub dealer: Vec<u8>,
    /// [R]: 1 for the hook, and 2 for a point a trick.
    pub rules: Vec<u8>,
    /// [R, 8]: the hands before the first bid, bit `suit * 13 + rank` for a card.
    pub hands: Vec<u64>,
    /// [R, 8]: points before the round.
    pub totals: Vec<u16>,
    /// [R]: rounds of the game after this one.
    pub rounds_left: Vec<u8>,
    /// [R]: weight of the game's result in the values, in percent.
    pub result_share: Vec<u8>,
    /// [R, 8]: value of each seat at the end.
    pub values: Vec<f32>,
    /// [R]: number of decisions.
    pub decisions: Vec<u8>,
    /// [A]: the action of each decision in order, round by round.
    pub action: Vec<u8>,
}

impl RoundColumns {
    /// The columns of these rounds.
    pub fn of<'a>(rounds: impl IntoIterator<Item = &'a PlayedRound>) -> Self {
        let mut columns = Self::default();
        for round in rounds {
            columns.push(round);
        }
        columns
    }

    fn push(&mut self, round: &PlayedRound) {
        let public = round.deal.public();
        let (rules, context) = (public.rules(), public.context());
        self.number.push(round.number);
        self.game_round.push(round.game_round);
        self.players.push(public.players() as u8);
        self.cards.push(public.cards() as u8);
        self.trump.push(public.trump().map_or(SUITS, Suit::index) as u8);
        self.turned_up.push(public.turned_up().map_or(NO_CARD, Card::index));
        self.dealer.push(public.dealer().index() as u8);
        self.rules.push(u8::from(rules.hook) + 2 * u8::from(rules.scoring == Scoring::ExactPlusTricks));
        self.hands.extend(round.deal.hands().0.map(CardSet::bits));
        self.totals.extend(context.totals.0);
        self.rounds_left.push(context.rounds_left);
        self.result_share.push(context.result_share);
        self.values.extend(round.values.0);
        // At most one decision a bid and card: 52 cards and 8 bids.
        self.decisions.push(round.actions.len() as u8);
        self.action.extend(round.actions.iter().map(|action| action.index() as u8));
    }

    /// The rounds of the columns. Their actions are not checked.
    ///
    /// # Errors
    /// If a column has another length than the others ask for, or a deal is impossible.
    pub fn rounds(&self) -> Result<Vec<PlayedRound>, RoundColumnsError> {
        self.check_lengths()?;
        let mut start = 0;
        (0..self.number.len())
            .map(|k| {
                let end = start + usize::from(self.decisions[k]);
                let actions = self.action[start..end].iter().map(|&number| {
                    let unknown = RoundColumnsError::Action { round: self.number[k], action: number };
                    Action::from_index(number.into()).ok_or(unknown)
                });
                start = end;
                let refuse = |error| RoundColumnsError::Round { round: self.number[k], error };
                Ok(PlayedRound {
                    number: self.number[k],
                    game_round: self.game_round[k],
                    deal: self.deal(k).map_err(refuse)?,
                    actions: actions.collect::<Result<_, _>>()?,
                    values: BySeat(std::array::from_fn(|seat| self.values[k * MAX_PLAYERS + seat])),
                })
            })
            .collect()
    }

    fn deal(&self, k: usize) -> Result<Round, RulesError> {
        let (players, trump) = (usize::from(self.players[k]), usize::from(self.trump[k]));
        let turned_up = Card::from_index(self.turned_up[k]);
        let dealer = Seat::new(self.dealer[k].into(), players)
            .ok_or(RulesError::Seat { seat: self.dealer[k].into(), players })?;
        let spec = RoundSpec {
            trump: if turned_up.is_some() { None } else { Suit::ALL.get(trump).copied() },
            rules: RoundRules {
                hook: self.rules[k] & 1 == 1,
                scoring: if self.rules[k] & 2 == 2 { Scoring::ExactPlusTricks } else { Scoring::Exact },
                turn_up: turned_up.is_some(),
            },
            context: GameContext {
                totals: BySeat(std::array::from_fn(|seat| self.totals[k * MAX_PLAYERS + seat])),
                rounds_left: self.rounds_left[k],
                result_share: self.result_share[k],
            },
            ..RoundSpec::new(players, self.cards[k].into(), None, dealer)
        };
        spec.check()?;
        let hands = self.hands[k * MAX_PLAYERS..][..players].iter().map(|&bits| CardSet::from_bits(bits));
        let hands: Option<Vec<_>> = hands.collect();
        Round::from_hands(&spec, &hands.unwrap_or_default(), turned_up)
    }

    fn check_lengths(&self) -> Result<(), RoundColumnsError> {
        let rounds = self.number.len();
        let by_round = [
            ("game_round", self.game_round.len()),
            ("players", self.players.len()),
            ("cards", self.cards.len()),
            ("trump", self.trump.len()),
            ("turned_up", self.turned_up.len()),
            ("dealer", self.dealer.len()),
            ("rules", self.rules.len()),
            ("rounds_left", self.rounds_left.len()),
            ("result_share", self.result_share.len()),
            ("decisions", self.decisions.len()),
        ];
        let by_seat = [("hands", self.hands.len()), ("totals", self.totals.len()), ("values", self.values.len())];
        let actions: usize = self.decisions.iter().map(|&count| usize::from(count)).sum();
        let lengths = by_round.map(|(name, length)| (name, length, rounds)).into_iter();
        let lengths = lengths.chain(by_seat.map(|(name, length)| (name, length, rounds * MAX_PLAYERS)));
        let wrong =
            lengths.chain([("action", self.action.len(), actions)]).find(|&(_, length, expected)| length != expected);
        match wrong {
            Some((column, length, expected)) => Err(RoundColumnsError::Length { column, length, expected }),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use blob_engine::rng::{Purpose, stream};
    use blob_engine::trump_of_round;

    use super::*;

    fn played(number: u64) -> PlayedRound {
        let mut rng = stream(number, Purpose::Test, &[]);
        let players = 3 + number as usize % 6;
        let turn_up = number.is_multiple_of(3);
        let spec = RoundSpec {
            rules: RoundRules {
                hook: number.is_multiple_of(2),
                scoring: if number.is_multiple_of(5) { Scoring::ExactPlusTricks } else { Scoring::Exact },
                turn_up,
            },
            context: GameContext {
                totals: BySeat(std::array::from_fn(|seat| seat as u16 * 7)),
                rounds_left: 3,
                result_share: 25,
            },
            ..RoundSpec::new(
                players,
                1 + number as usize % 6,
                if turn_up { None } else { trump_of_round(number as usize) },
                Seat::new(number as usize % players, players).expect("a seat"),
            )
        };
        let deal = Round::deal(&spec, &mut rng).expect("a shape that can be dealt");
        let (mut round, mut actions) = (deal, Vec::new());
        round.skip_forced();
        while let Some(action) = round.legal_actions().choose(&mut rng) {
            actions.push(action);
            round.play_unchecked(action);
            round.skip_forced();
        }
        let values = round.public().values().unwrap_or_default();
        PlayedRound { number, game_round: (number % 4) as u8, deal, actions, values }
    }

    #[test]
    fn rounds_come_back_from_their_columns() {
        let rounds: Vec<_> = (0..60).map(played).collect();
        assert_eq!(RoundColumns::of(&rounds).rounds(), Ok(rounds));
    }

    #[test]
    fn columns_that_are_no_rounds_are_refused() {
        let rounds: Vec<_> = (0..10).map(played).collect();
        let columns = RoundColumns::of(&rounds);
        let spoiled = |change: fn(&mut RoundColumns)| {
            let mut copy = columns.clone();
            change(&mut copy);
            copy.rounds().expect_err("a spoiled column")
        };
        assert!(matches!(spoiled(|c| c.action[3] = 52), RoundColumnsError::Action { action: 52, .. }));
        assert!(matches!(spoiled(|c| c.hands[0] = 0), RoundColumnsError::Round { round: 0, .. }));
        assert!(matches!(spoiled(|c| c.hands[8] = u64::MAX), RoundColumnsError::Round { round: 1, .. }));
        assert!(matches!(spoiled(|c| c.players[2] = 9), RoundColumnsError::Round { round: 2, .. }));
        assert!(matches!(spoiled(|c| c.dealer[2] = 8), RoundColumnsError::Round { round: 2, .. }));
        assert!(matches!(spoiled(|c| c.cards.truncate(9)), RoundColumnsError::Length { column: "cards", .. }));
        assert!(matches!(spoiled(|c| c.action.truncate(9)), RoundColumnsError::Length { column: "action", .. }));
    }
}
