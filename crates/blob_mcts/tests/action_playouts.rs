//! Playouts of every action, of many positions at once.

use blob_engine::rng::{Purpose, stream};
use blob_engine::{Observation, Round, RoundSpec, Seat, Suit, rule_action};
use blob_mcts::{Interrupt, action_playouts, judge_many};

fn bidding(seed: u64) -> Observation {
    let spec = RoundSpec::new(4, 5, Some(Suit::Hearts), Seat::FIRST);
    let round = Round::deal(&spec, &mut stream(seed, Purpose::Test, &[])).expect("a legal spec");
    round.observe(round.to_play().expect("the first bid"))
}

#[test]
fn each_action_is_played_out_by_the_rule_bot_in_the_same_worlds() {
    let observation = bidding(3);
    let mut interrupt = Interrupt::new(|| true);
    let found = action_playouts(&observation, 20, &mut stream(9, Purpose::Test, &[]), &mut interrupt).expect("all");
    let mut rng = stream(9, Purpose::Test, &[]);
    let sampler = blob_engine::WorldSampler::new(&observation);
    let worlds: Vec<Round> = (0..20).map(|_| sampler.sample(&mut rng)).collect();
    for (playouts, action) in found.iter().zip(observation.legal_actions().iter()) {
        assert_eq!(playouts.action, action);
        let (mut points, mut made) = ([0; 4], 0);
        for mut round in worlds.iter().copied() {
            round.play(action).expect("legal");
            while let Some(seat) = round.to_play() {
                round.play(rule_action(&round.observe(seat)).expect("its turn")).expect("legal");
            }
            let scores = round.public().scores().expect("done");
            (0..4).for_each(|seat| points[seat] += u64::from(scores.0[seat]));
            made += u32::from(scores[observation.seat()] > 0);
        }
        assert_eq!(playouts.points.first(4), points);
        assert_eq!(playouts.made, made);
        assert_eq!(playouts.tricks.iter().sum::<u32>(), 20);
    }
}

#[test]
fn many_positions_are_judged_as_each_alone() {
    let observations: Vec<_> = (0..37).map(bidding).collect();
    let seeds: Vec<u64> = (100..137).collect();
    let together = judge_many(&observations, &seeds, 10, || true).expect("not stopped");
    for ((observation, &seed), found) in observations.iter().zip(&seeds).zip(&together) {
        let alone = judge_many(&[*observation], &[seed], 10, || true).expect("not stopped");
        assert_eq!(&alone[0], found);
    }
}

#[test]
fn it_can_be_stopped() {
    // More playouts than a day has time for.
    assert_eq!(judge_many(&[bidding(1), bidding(2)], &[1, 2], 1 << 40, || false), None);
}
