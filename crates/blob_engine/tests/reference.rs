//! The engine against the plain reference, on random rounds of every size.

mod naive;

use blob_engine::rng::{Purpose, stream};
use blob_engine::*;
use naive::NaiveRound;
use proptest::prelude::*;

/// The reference at the start of a round.
fn naive_of(round: &Round) -> NaiveRound {
    let public = round.public();
    let text = |hand: CardSet| hand.iter().map(|card| card.to_string()).collect();
    NaiveRound {
        hands: Seat::all(public.players()).map(|seat| text(round.hand(seat))).collect(),
        trump: public.trump().map(Suit::letter),
        dealer: public.dealer().index(),
        hook: public.rules().hook,
        trick_points: public.rules().scoring == Scoring::ExactPlusTricks,
        bids: Vec::new(),
        played: Vec::new(),
    }
}

fn assert_agree(round: &Round, naive: &NaiveRound) {
    let public = round.public();
    assert_eq!(round.phase().name(), naive.phase());
    assert_eq!(round.to_play().map(Seat::index), naive.to_play());
    let legal: Vec<_> = round.legal_actions().iter().map(Action::index).collect();
    assert_eq!(legal, naive.legal_actions(), "{naive:?}");
    let tricks = naive.tricks();
    let (running, complete) = tricks.split_last().expect("one at least");
    assert_eq!(public.tricks_played(), complete.len());
    let plays: Vec<_> =
        public.trick().plays(public.players()).map(|(seat, card)| (seat.index(), card.to_string())).collect();
    assert_eq!(plays, *running);
    if !running.is_empty() {
        assert_eq!(public.trick().winner(public.players()).map(Seat::index), Some(naive.winner(running)));
    }
    for seat in Seat::all(public.players()) {
        let k = seat.index();
        let hand: Vec<_> = round.hand(seat).iter().map(|card| card.to_string()).collect();
        let mut expected = naive.hand(k);
        expected.sort_by_key(|card| naive::index(card));
        assert_eq!(hand, expected);
        assert_eq!(public.bid(seat).map(usize::from), naive.bid(k));
        assert_eq!(usize::from(public.won()[seat]), naive.won(k));
        for suit in Suit::ALL {
            assert_eq!(public.voids(seat).contains(suit), naive.shown_void(k, suit.letter()), "{naive:?}");
        }
    }
    let scores = public.scores().map(|scores| scores.first(public.players()).iter().map(|&s| s.into()).collect());
    assert_eq!(scores, (naive.phase() == "done").then(|| naive.scores()));
}

/// Plays a round at random in both, comparing them before every action and at the end.
fn play_both(spec: &RoundSpec, seed: u64) {
    let mut rng = stream(seed, Purpose::Test, &[]);
    let mut round = Round::deal(spec, &mut rng).expect("a legal spec");
    let mut naive = naive_of(&round);
    assert_agree(&round, &naive);
    while let Some(action) = round.legal_actions().choose(&mut rng) {
        round.play(action).expect("legal");
        naive.play(action.index());
        assert_agree(&round, &naive);
    }
    assert_eq!(naive.phase(), "done");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]
    // Each case plays all sizes, so that none depends on luck: 3 to 8 players, 1 card to all that can be dealt.
    #[test]
    fn rounds_of_every_size_agree(
        seed in any::<u64>(), hook in any::<bool>(), plus in any::<bool>(), turn_up in any::<bool>(),
    ) {
        let scoring = if plus { Scoring::ExactPlusTricks } else { Scoring::Exact };
        let rules = RoundRules { hook, scoring, turn_up };
        for players in MIN_PLAYERS..=MAX_PLAYERS {
            for cards in 1..=((PACK - usize::from(turn_up)) / players).min(MAX_CARDS) {
                let variety = seed.wrapping_add((players * 13 + cards) as u64);
                let trump = if turn_up { None } else { trump_of_round((variety % 5) as usize) };
                let dealer = Seat::FIRST.after((variety % players as u64) as usize, players);
                play_both(&RoundSpec { rules, ..RoundSpec::new(players, cards, trump, dealer) }, variety);
            }
        }
    }
}

/// Random rounds rarely meet a hook that lies outside 0 … n; here every sequence of bids is made.
#[test]
fn the_hook_forbids_what_the_reference_forbids() {
    for hook in [true, false] {
        let rules = RoundRules { hook, ..RoundRules::default() };
        let spec = RoundSpec { rules, ..RoundSpec::new(4, 3, Some(Suit::Hearts), Seat::FIRST.after(2, 4)) };
        let round = Round::deal(&spec, &mut stream(1, Purpose::Test, &[])).expect("a legal spec");
        let mut open = vec![(round, naive_of(&round))];
        let mut checked = 0;
        while let Some((round, naive)) = open.pop() {
            assert_agree(&round, &naive);
            checked += 1;
            for action in round.legal_actions().iter().filter(|_| round.phase() == Phase::Bidding) {
                let (mut round, mut naive) = (round, naive.clone());
                round.play(action).expect("legal");
                naive.play(action.index());
                open.push((round, naive));
            }
        }
        // Of the 64 bids of three seats 20 sum to 3 or less: each takes one bid from the dealer.
        assert_eq!(checked, 1 + 4 + 16 + 64 + 256 - if hook { 20 } else { 0 });
    }
}
