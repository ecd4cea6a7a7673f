//! Counts of action sequences from named positions, kept as text in `tests/perft`.
//!
//! A file holds a position (the hands of the seats 0, 1, … separated by `/`), then for each depth the number of
//! distinct sequences of that many actions. Where the counts reach the end of the round, `points` is the sum of each
//! seat's points over all whole sequences. `UPDATE_GOLDEN=1 cargo test -p blob_engine --test perft the_engine` writes
//! the counts of the engine into the files; the plain reference still has to agree with them.

mod naive;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use blob_engine::*;
use naive::NaiveRound;

/// The plain reference counts depths with no more sequences than this.
const NAIVE_LIMIT: u64 = 20_000;

#[derive(Debug)]
struct Golden {
    /// The lines of the position, as they stand in the file.
    position: String,
    facts: BTreeMap<String, String>,
    /// Sequences of 1, 2, … actions.
    counts: Vec<u64>,
    points: Option<Vec<u64>>,
}

impl Golden {
    fn read(path: &Path) -> Self {
        let text = std::fs::read_to_string(path).expect("a readable file");
        let mut golden = Self { position: String::new(), facts: BTreeMap::new(), counts: Vec::new(), points: None };
        for line in text.lines() {
            let numbers = |text: &str| text.split(' ').map(|n| n.parse().expect("a number")).collect::<Vec<u64>>();
            match line.split_once(": ") {
                Some((depth, count)) if depth.starts_with("depth ") => {
                    assert_eq!(depth, format!("depth {}", golden.counts.len() + 1));
                    golden.counts.extend(numbers(count));
                }
                Some(("points", points)) => golden.points = Some(numbers(points)),
                Some((key, value)) if !line.starts_with('#') => {
                    golden.facts.insert(key.into(), value.into());
                    writeln!(golden.position, "{line}").expect("writes");
                }
                _ => writeln!(golden.position, "{line}").expect("writes"),
            }
        }
        golden
    }

    fn text(&self) -> String {
        let mut text = self.position.clone();
        for (k, count) in self.counts.iter().enumerate() {
            writeln!(text, "depth {}: {count}", k + 1).expect("writes");
        }
        if let Some(points) = &self.points {
            let points: Vec<_> = points.iter().map(u64::to_string).collect();
            writeln!(text, "points: {}", points.join(" ")).expect("writes");
        }
        text
    }

    fn fact(&self, key: &str) -> &str {
        self.facts.get(key).unwrap_or_else(|| panic!("no line {key:?}"))
    }

    fn hands(&self) -> Vec<Vec<String>> {
        self.fact("hands").split(" / ").map(|hand| hand.split(' ').map(String::from).collect()).collect()
    }

    fn turned_up(&self) -> Option<&str> {
        self.facts.get("turned up").map(String::as_str)
    }

    fn round(&self) -> Round {
        let card = |text: &str| text.parse::<Card>().expect("a card");
        let hands: Vec<CardSet> =
            self.hands().iter().map(|hand| hand.iter().map(|text| card(text)).collect()).collect();
        let trump = self.fact("trump").chars().next().and_then(Suit::from_letter);
        let rules = RoundRules {
            hook: self.fact("hook") == "yes",
            scoring: if self.fact("scoring") == "exact" { Scoring::Exact } else { Scoring::ExactPlusTricks },
            turn_up: self.turned_up().is_some(),
        };
        let trump = trump.filter(|_| !rules.turn_up);
        let dealer = self.fact("dealer").parse().ok().and_then(|index| Seat::new(index, hands.len()));
        let spec = RoundSpec { rules, ..RoundSpec::new(hands.len(), hands[0].len(), trump, dealer.expect("a seat")) };
        Round::from_hands(&spec, &hands, self.turned_up().map(card)).expect("a legal position")
    }

    fn naive(&self) -> NaiveRound {
        NaiveRound {
            hands: self.hands(),
            trump: Some(self.fact("trump").chars().next().expect("a letter")).filter(|trump| "SHCD".contains(*trump)),
            dealer: self.fact("dealer").parse().expect("a seat"),
            hook: self.fact("hook") == "yes",
            trick_points: self.fact("scoring") == "exact and tricks",
            bids: Vec::new(),
            played: Vec::new(),
        }
    }
}

/// Adds the sequences from here to `counts` by depth, and the points at the ends of whole ones.
fn count(round: &Round, depth: usize, counts: &mut [u64], points: &mut [u64]) {
    if let Some(scores) = round.public().scores() {
        points.iter_mut().zip(scores.0).for_each(|(sum, score)| *sum += u64::from(score));
    }
    if depth < counts.len() {
        for action in round.legal_actions().iter() {
            counts[depth] += 1;
            let mut after = *round;
            after.play(action).expect("legal");
            count(&after, depth + 1, counts, points);
        }
    }
}

/// The same with the plain reference.
fn count_naive(round: &NaiveRound, depth: usize, counts: &mut [u64], points: &mut [u64]) {
    if round.phase() == "done" {
        points.iter_mut().zip(round.scores()).for_each(|(sum, score)| *sum += score as u64);
    }
    if depth < counts.len() {
        for action in round.legal_actions() {
            counts[depth] += 1;
            let mut after = round.clone();
            after.play(action);
            count_naive(&after, depth + 1, counts, points);
        }
    }
}

fn files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/perft");
    let entries = std::fs::read_dir(folder).expect("the folder of golden files");
    let mut files: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    assert!(files.len() >= 10, "the golden files are there");
    files
}

#[test]
fn the_engine_counts_what_the_files_say() {
    for path in files() {
        let mut golden = Golden::read(&path);
        let round = golden.round();
        let mut counts = vec![0; golden.counts.len()];
        let mut points = vec![0; round.public().players()];
        count(&round, 0, &mut counts, &mut points);
        let whole = counts.len() == round.public().players() * (round.public().cards() + 1);
        let points = whole.then_some(points);
        if std::env::var("UPDATE_GOLDEN").is_ok_and(|value| value == "1") {
            (golden.counts, golden.points) = (counts, points);
            std::fs::write(&path, golden.text()).expect("a writable file");
        } else {
            assert_eq!((counts, points), (golden.counts, golden.points), "{}", path.display());
        }
    }
}

#[test]
fn the_plain_reference_counts_what_the_files_say() {
    let mut whole = 0;
    for path in files() {
        let golden = Golden::read(&path);
        let depth = golden.counts.partition_point(|&count| count <= NAIVE_LIMIT);
        let mut counts = vec![0; depth];
        let mut points = vec![0; golden.hands().len()];
        count_naive(&golden.naive(), 0, &mut counts, &mut points);
        assert_eq!(counts, golden.counts[..depth], "{}", path.display());
        if depth == golden.counts.len()
            && let Some(expected) = golden.points
        {
            assert_eq!(points, expected, "{}", path.display());
            whole += 1;
        }
    }
    assert!(whole >= 4, "some rounds are counted to the end by both");
}
