//! Thread scaling: one process with t worker threads, against t processes with one each that run side by side.
//!
//! Both do the same work on the same cores at nearly the same time, so their ratio says what the threads cost each
//! other, whatever the clock or the neighbours do. `cargo bench --bench scaling` prints a table; arguments after `--`:
//! the seconds of each run (1.5 by default), then the numbers of threads.
#![allow(clippy::print_stdout)] // The table is what this program is for.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use blob_benches::reference_plan;
use blob_mcts::{SchedulerConfig, play_with_null_evaluator};

/// Environment variable with the seconds that a child process runs.
const CHILD: &str = "BLOB_SCALING_SECONDS";
/// Pairs of runs for each number of threads; the median ratio is printed.
const PAIRS: usize = 3;

/// Simulations a second of one process with `threads` worker threads.
fn simulations_per_second(threads: usize, seconds: f64) -> f64 {
    let config = SchedulerConfig { threads: Some(threads), record: false, ..SchedulerConfig::default() };
    let start = Instant::now();
    let end = start + Duration::from_secs_f64(seconds);
    let progress =
        play_with_null_evaluator(reference_plan(1 << 40), &config, || Instant::now() < end).expect("a sound plan");
    progress.simulations as f64 / start.elapsed().as_secs_f64()
}

/// The same, summed over `processes` processes side by side.
fn side_by_side(processes: usize, seconds: f64) -> f64 {
    let start = |_| -> Child {
        Command::new(std::env::current_exe().expect("this program has a path"))
            .env(CHILD, seconds.to_string())
            .stdout(Stdio::piped())
            .spawn()
            .expect("this program runs again")
    };
    let children: Vec<Child> = (0..processes).map(start).collect();
    let rate = |child: Child| -> f64 {
        let output = child.wait_with_output().expect("a child ends").stdout;
        String::from_utf8_lossy(&output).trim().parse().expect("a child prints its rate")
    };
    children.into_iter().map(rate).sum()
}

fn main() {
    if let Ok(seconds) = std::env::var(CHILD) {
        println!("{}", simulations_per_second(1, seconds.parse().expect("seconds")));
        return;
    }
    // Cargo adds `--bench`.
    let numbers: Vec<f64> = std::env::args().skip(1).filter_map(|argument| argument.parse().ok()).collect();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let seconds = numbers.first().copied().unwrap_or(1.5);
    let mut threads: Vec<usize> = numbers.iter().skip(1).map(|&count| count as usize).collect();
    if threads.is_empty() {
        threads = (0..).map(|k| 1 << k).take_while(|&count| count < cores).chain([cores]).collect();
    }
    println!("4x5 3x30, null evaluator through scheduler and queue; M simulations/s, median of {PAIRS} pairs of runs");
    println!("{:>7} {:>12} {:>17} {:>7} {:>9}", "threads", "one process", "processes of one", "ratio", "a thread");
    for count in threads {
        let mut pairs: Vec<(f64, f64)> =
            (0..PAIRS).map(|_| (simulations_per_second(count, seconds), side_by_side(count, seconds))).collect();
        pairs.sort_by(|a, b| (a.0 / a.1).total_cmp(&(b.0 / b.1)));
        let (one, apart) = pairs[PAIRS / 2];
        println!(
            "{count:>7} {:>12.2} {:>17.2} {:>7.2} {:>9.2}",
            one / 1e6,
            apart / 1e6,
            one / apart,
            one / 1e6 / count as f64
        );
    }
}
