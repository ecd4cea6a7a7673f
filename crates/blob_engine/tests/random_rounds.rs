//! Invariants over random rounds of every size.

use blob_engine::rng::{Purpose, below, stream};
use blob_engine::*;
use proptest::prelude::*;

/// Any round of Blob or of its variants, dealt.
fn rounds() -> impl Strategy<Value = (Round, u64)> {
    (3usize..=8, any::<u64>(), any::<bool>(), any::<bool>(), any::<bool>()).prop_flat_map(
        |(players, seed, hook, plus, turn_up)| {
            let most = ((PACK - usize::from(turn_up)) / players).min(MAX_CARDS);
            (1..=most, 0..players, 0..5usize).prop_map(move |(cards, dealer, trump)| {
                let scoring = if plus { Scoring::ExactPlusTricks } else { Scoring::Exact };
                let trump = if turn_up { None } else { trump_of_round(trump) };
                let rules = RoundRules { hook, scoring, turn_up };
                let spec =
                    RoundSpec { rules, ..RoundSpec::new(players, cards, trump, Seat::FIRST.after(dealer, players)) };
                (Round::deal(&spec, &mut stream(seed, Purpose::Test, &[])).expect("a legal spec"), seed)
            })
        },
    )
}

/// Calls `check` on every state of a round that is played at random.
fn play_at_random(mut round: Round, seed: u64, mut check: impl FnMut(&Round)) -> Round {
    let mut rng = stream(seed, Purpose::Test, &[1]);
    loop {
        check(&round);
        let legal: Vec<_> = round.legal_actions().iter().collect();
        if legal.is_empty() {
            return round;
        }
        round.play_unchecked(legal[below(&mut rng, legal.len() as u32) as usize]);
    }
}

proptest! {
    #[test]
    fn cards_are_conserved_and_scores_follow((round, seed) in rounds()) {
        let (players, cards) = (round.public().players(), round.public().cards());
        let all = Seat::all(players).fold(round.public().gone(), |set, seat| set | round.hand(seat));
        let end = play_at_random(round, seed, |round| {
            let mut seen = round.public().gone();
            for seat in Seat::all(players) {
                assert!(seen.is_disjoint(round.hand(seat)));
                assert_eq!(round.hand(seat).len(), round.public().hand_size(seat));
                assert!((round.hand(seat) - round.public().voids(seat).allowed()).is_empty());
                seen = seen | round.hand(seat);
            }
            assert_eq!(seen, all);
            assert_eq!(round.legal_actions().is_empty(), round.to_play().is_none());
        });
        let public = end.public();
        prop_assert_eq!(public.won().0.iter().map(|&won| usize::from(won)).sum::<usize>(), cards);
        let bids: usize = Seat::all(players).filter_map(|seat| public.bid(seat)).map(usize::from).sum();
        prop_assert!(!public.rules().hook || bids != cards, "the hook keeps the bids from summing to the cards");
        let scores = public.scores().expect("done");
        for seat in Seat::all(players) {
            let (bid, won) = (public.bid(seat).expect("bid"), public.won()[seat]);
            prop_assert_eq!(scores[seat], public.rules().scoring.score(bid, won));
        }
    }

    #[test]
    fn a_settled_value_is_the_one_at_the_end((round, seed) in rounds()) {
        let mut settled = Vec::new();
        let end = play_at_random(round, seed, |round| {
            let public = round.public();
            for seat in Seat::all(public.players()) {
                let value = public.settled_value(seat);
                settled.extend(value.map(|value| (seat, value)));
                // A trick too many, or too few left, is seen at once.
                let out_of_reach = public.phase() == Phase::Playing && public.bid(seat).is_some_and(|bid| {
                    let most = public.won()[seat] + (public.cards() - public.tricks_played()) as u8;
                    public.won()[seat] > bid || most < bid
                });
                let bid_is_all = public.rules().scoring == Scoring::Exact;
                assert_eq!(value.is_some(), public.phase() == Phase::Done || (out_of_reach && bid_is_all));
            }
        });
        let values = end.public().values().expect("done");
        prop_assert!(settled.iter().all(|&(seat, value)| values[seat] == value));
    }

    #[test]
    fn illegal_actions_change_nothing((round, seed) in rounds()) {
        play_at_random(round, seed, |round| {
            let legal = round.legal_actions();
            for action in (0..ACTIONS).filter_map(Action::from_index) {
                let mut copy = *round;
                let allowed = legal.contains(action);
                assert_eq!(copy.play(action).is_ok(), allowed);
                assert!(allowed || copy == *round);
            }
        });
    }

    #[test]
    fn forced_actions_lead_to_a_decision_or_the_end((round, seed) in rounds()) {
        play_at_random(round, seed, |round| {
            let mut skipped = *round;
            skipped.skip_forced();
            assert_ne!(skipped.legal_actions().len(), 1);
            assert_eq!(skipped == *round, round.legal_actions().len() != 1);
        });
    }

    #[test]
    fn worlds_keep_what_the_observer_knows((round, seed) in rounds()) {
        let mut rng = stream(seed, Purpose::Test, &[2]);
        play_at_random(round, seed, |round| {
            for seat in Seat::all(round.public().players()) {
                let observation = round.observe(seat);
                let hands = WorldSampler::new(&observation).sample_hands(&mut rng);
                let world = observation.world(&hands).expect("a consistent world");
                assert_eq!(world.observe(seat), observation);
                assert_eq!(world.legal_actions().is_empty(), round.legal_actions().is_empty());
            }
        });
    }

    #[test]
    fn hidden_cards_change_nothing_that_a_seat_sees((round, seed) in rounds()) {
        // Other cards in the hidden hands, the whole round played again with them: each step looks the same to the
        // seat.
        let mut rng = stream(seed, Purpose::Test, &[3]);
        let players = round.public().players();
        let mut history: Vec<Round> = Vec::new();
        play_at_random(round, seed, |round| history.push(*round));
        let now = below(&mut rng, history.len() as u32) as usize;
        let seat = Seat::new(below(&mut rng, players as u32) as usize, players).expect("a seat");
        let drawn = WorldSampler::new(&history[now].observe(seat)).sample_hands(&mut rng);
        let dealt: Vec<CardSet> = Seat::all(players)
            .map(|other| drawn[other] | (round.hand(other) - history[now].hand(other)))
            .collect();
        let public = round.public();
        let trump = if public.rules().turn_up { None } else { public.trump() };
        let spec = RoundSpec {
            rules: public.rules(),
            ..RoundSpec::new(players, public.cards(), trump, public.dealer())
        };
        let mut other = Round::from_hands(&spec, &dealt, public.turned_up()).expect("a legal deal");
        for pair in history[..=now].windows(2) {
            assert_same_view(&other.observe(seat), &pair[0].observe(seat));
            other.play(action_between(&pair[0], &pair[1])).expect("legal with the hidden cards changed");
        }
        assert_same_view(&other.observe(seat), &history[now].observe(seat));
    }

    #[test]
    fn the_encoding_reads_back((round, seed) in rounds()) {
        play_at_random(round, seed, |round| {
            for seat in Seat::all(round.public().players()) {
                assert_reads_back(&round.observe(seat));
            }
        });
    }

    #[test]
    fn the_rule_bot_plays_legally((round, _seed) in rounds()) {
        let mut round = round;
        while let Some(seat) = round.to_play() {
            let action = rule_action(&round.observe(seat)).expect("to play");
            prop_assert!(round.play(action).is_ok());
        }
    }

    #[test]
    fn the_fast_rule_bot_is_the_rule_bot((round, seed) in rounds()) {
        let fast = RuleRollout::new(round.public());
        // At random, and with its own play in half of the actions, which leads where random play does not.
        for own_play in [false, true] {
            let (mut round, mut rng) = (round, stream(seed, Purpose::Test, &[2]));
            while let Some(seat) = round.to_play() {
                let action = rule_action(&round.observe(seat));
                prop_assert_eq!(fast.action(&round), action, "{:?}", round);
                let random = round.legal_actions().choose(&mut rng);
                let own = own_play && below(&mut rng, 2) == 0;
                round.play_unchecked(if own { action } else { random }.expect("to play"));
            }
        }
    }

    #[test]
    fn a_rollout_is_played_by_the_rule_bot((round, seed) in rounds()) {
        let fast = RuleRollout::new(round.public());
        play_at_random(round, seed, |round| {
            let (mut rolled, mut played) = (*round, *round);
            fast.play_out(&mut rolled);
            while let Some(seat) = played.to_play() {
                played.play_unchecked(rule_action(&played.observe(seat)).expect("to play"));
            }
            assert_eq!(rolled, played);
        });
    }
}

/// The action that leads from one state to the next.
fn action_between(before: &Round, after: &Round) -> Action {
    let seat = before.to_play().expect("not done");
    match before.phase() {
        Phase::Bidding => Action::bid(after.public().bid(seat).expect("has bid")),
        _ => Action::play((before.hand(seat) - after.hand(seat)).first().expect("has played")),
    }
}

fn assert_same_view(one: &Observation, other: &Observation) {
    assert_eq!(one, other);
    assert_eq!(one.legal_actions(), other.legal_actions());
    assert_eq!(rule_action(one), rule_action(other));
    let (mut a, mut b) = ([1; FEATURES], [2; FEATURES]);
    encode(one, &mut a);
    encode(other, &mut b);
    assert_eq!(a, b);
}

fn assert_reads_back(observation: &Observation) {
    let mut features = [7; FEATURES];
    encode(observation, &mut features);
    let decoded = encode::decode(&features).expect("an encoding decodes");
    let public = observation.public();
    let players = public.players();
    let seats: Vec<Seat> = (0..players).map(|k| observation.seat().after(k, players)).collect();
    let own_turn = public.to_play() == Some(observation.seat());
    let relative = |seat: Seat| seats.iter().position(|&other| other == seat).expect("at the table");
    let by_seat = |value: &dyn Fn(Seat) -> u8| seats.iter().map(|&seat| value(seat)).collect::<Vec<_>>();
    let bid_or = |seat, none: u8| public.bid(seat).unwrap_or(none);
    let totals = public.context().totals;
    let names = observation.card_names();
    // By counting down: the highest card still in play is the ace, and so on.
    let winning: CardSet = public.trick().winning_card().into_iter().collect();
    let in_play = CardSet::FULL - (public.gone() - winning);
    let name = |card: Card| {
        let above = in_play.in_suit(card.suit()).iter().filter(|&other| other > card).count();
        Card::new(names.suit(card.suit()), (RANKS - 1 - above) as u8)
    };
    for action in observation.legal_actions().iter() {
        let named = names.action(action);
        let expected = if public.phase() == Phase::Playing { name(action.as_card()).index() } else { action.as_bid() };
        assert_eq!(named.index(), usize::from(expected));
        assert!(names.actions(observation.legal_actions()).contains(named));
    }
    let legal = observation.legal_actions();
    let in_order = names.in_order(legal).map(|action| names.action(action));
    assert!(in_order.eq(names.actions(legal).iter()));
    let suit = |suit: Suit| names.suit(suit);
    let expected = encode::Decoded {
        hand: observation.hand().iter().map(name).collect(),
        gone: CardSet::FULL - (observation.hand() | observation.unseen()).iter().map(name).collect(),
        trick: seats.iter().map(|&seat| public.trick().card_of(seat, players).map(Card::suit).map(suit)).collect(),
        winning_card: public.trick().winning_card().map(name),
        voids: by_seat(&|seat| {
            let shown = Suit::ALL.into_iter().filter(|&suit| public.voids(seat).contains(suit));
            shown.fold(0, |bits, shown| bits | 1 << suit(shown).index())
        }),
        trump: public.trump().map(suit),
        suit_led: public.trick().suit_led().map(suit),
        bids: seats.iter().map(|&seat| public.bid(seat)).collect(),
        won: by_seat(&|seat| public.won()[seat]),
        needed: by_seat(&|seat| bid_or(seat, 0).saturating_sub(public.won()[seat])),
        over: seats.iter().map(|&seat| public.won()[seat] > bid_or(seat, u8::MAX)).collect(),
        dealer: relative(public.dealer()),
        bidding: public.phase() == Phase::Bidding,
        playing: public.phase() == Phase::Playing,
        forbidden: public.forbidden_bid().filter(|_| own_turn),
        players,
        cards: public.cards(),
        to_play: public.to_play().map_or(0, relative),
        winning: public.trick().winner(players).map(relative),
        ahead: seats[1..].iter().map(|&seat| totals[seat] as i16 - totals[observation.seat()] as i16).collect(),
        rounds_left: public.context().rounds_left,
        hook: public.rules().hook,
        trick_points: public.rules().scoring == Scoring::ExactPlusTricks,
    };
    assert_eq!(decoded, expected);
}

/// The same round with suit `s` renamed `suits[s]`.
fn with_suits_renamed(round: &Round, suits: &[Suit]) -> Round {
    let public = round.public();
    let rename = |card: Card| Card::new(suits[card.suit().index()], card.rank());
    let rules = public.rules();
    let spec = RoundSpec {
        rules,
        trump: if rules.turn_up { None } else { public.trump().map(|trump| suits[trump.index()]) },
        ..RoundSpec::new(public.players(), public.cards(), None, public.dealer())
    };
    let hands: Vec<CardSet> =
        Seat::all(public.players()).map(|seat| round.hand(seat).iter().map(rename).collect()).collect();
    Round::from_hands(&spec, &hands, public.turned_up().map(rename)).expect("a deal as legal as it was")
}

proptest! {
    #[test]
    fn renaming_the_suits_changes_no_row((round, seed) in rounds(), suits in Just(Suit::ALL.to_vec()).prop_shuffle()) {
        let (mut here, mut there) = (round, with_suits_renamed(&round, &suits));
        let mut rng = stream(seed, Purpose::Test, &[4]);
        loop {
            for seat in Seat::all(here.public().players()) {
                let (mut one, mut two) = ([0; FEATURES], [0; FEATURES]);
                encode(&here.observe(seat), &mut one);
                encode(&there.observe(seat), &mut two);
                prop_assert_eq!(one, two);
            }
            let Some(seat) = here.to_play() else { break };
            let names = (here.observe(seat).card_names(), there.observe(seat).card_names());
            prop_assert_eq!(names.0.actions(here.legal_actions()), names.1.actions(there.legal_actions()));
            let action = here.legal_actions().choose(&mut rng).expect("a seat is to play");
            // Equal names are equal actions.
            let renamed = if here.phase() == Phase::Bidding {
                action
            } else {
                Action::play(Card::new(suits[action.as_card().suit().index()], action.as_card().rank()))
            };
            here.play_unchecked(action);
            there.play_unchecked(renamed);
        }
    }
}

/// The encoding is exact in half precision only while its bytes are small integers and its scales positive.
#[test]
fn scales_are_positive_and_at_most_one() {
    assert!(FEATURE_SCALE.iter().all(|&scale| scale > 0.0 && scale <= 1.0));
}
