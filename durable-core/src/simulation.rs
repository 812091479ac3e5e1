//! Simulates workers and their executions on a ledger in memory: a seed decides what the workflows are and what happens to them.
//!
//! The simulated processes run the worker's own code from a claim to its end (`worker/take_up.rs`, `worker/drive.rs`,
//! `worker/held.rs`); only the database and the signals are simulated.
//!
//! After each action, the guarantees that need no SQL are checked. A seed that violates one is printed with its trace, and
//! reproduces it exactly: `DURABLE_SEED=7 cargo test -p durable-core --lib simulation -- --nocapture`.

mod check;
mod children;
mod clients;
mod families;
mod faults;
mod graphs;
mod message_use;
mod process;
mod program;
mod random;
mod workflow;
mod world;

use std::fmt::Write;
use std::time::{Duration, Instant};

use self::world::World;
use crate::plan::spoil::{Spoil, spoil};
use crate::running::memory::Break;

/// How many seeds `cargo test` runs; `DURABLE_SEEDS` says otherwise.
const SEEDS: u64 = 2000;

/// What happened under one seed.
#[derive(Debug, PartialEq, Eq)]
struct Report {
    trace: String,
    violations: Vec<String>,
}

fn simulate(seed: u64, how: Option<Break>) -> Report {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let Ok(runtime) = runtime else { return Report { trace: String::new(), violations: vec!["no runtime".to_owned()] } };
    runtime.block_on(async move { World::new(seed, how).run().await })
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn no_seed_violates_a_guarantee() {
    if let Some(seed) = number("DURABLE_SEED") {
        let report = simulate(seed, None);
        println!("{}", report.trace);
        assert!(report.violations.is_empty(), "seed {seed}: {:#?}", report.violations);
        return;
    }
    let seeds = number("DURABLE_SEEDS").unwrap_or(SEEDS);
    let began = Instant::now();
    for seed in 0..seeds {
        let report = simulate(seed, None);
        let mut message = String::new();
        if !report.violations.is_empty() {
            let _ = write!(message, "{}\nseed {seed}: {:#?}", report.trace, report.violations);
        }
        assert!(message.is_empty(), "{message}");
    }
    let took = began.elapsed().max(Duration::from_millis(1));
    println!("{seeds} seeds in {took:.1?}, {:.0} a second", seeds as f64 / took.as_secs_f64());
}

#[test]
fn a_seed_reproduces_to_the_byte() {
    for seed in 0..20 {
        assert_eq!(simulate(seed, None), simulate(seed, None), "seed {seed}");
    }
}

#[test]
fn every_break_of_the_execution_in_memory_is_found() {
    let breaks = [
        Spoil::ForgetOutcomes,
        Spoil::ForgetAttempts,
        Spoil::SendTwice,
        Spoil::ForgetCommits,
        Spoil::ForgetWaits,
        Spoil::ForgetWakers,
        Spoil::ParkWhileBusy,
        Spoil::IgnoreLease,
        Spoil::ForgetDrops,
        Spoil::KeepUnused,
        Spoil::ForgetUndone,
        Spoil::UndoInOrder,
        Spoil::ForgetToEnlist,
        Spoil::ForgetToEnlistChildren,
        Spoil::ForgetUnreadChildren,
        Spoil::LeaveLateChildren,
        Spoil::ForgetPassedOver,
        Spoil::ForgetRefusals,
        Spoil::TrustUndone,
        Spoil::ForgetDoubts,
        Spoil::ForgetNextClaim,
        Spoil::KeepNamespace,
        Spoil::ForgetVersions,
        Spoil::MixRevisions,
        Spoil::KeepSuperseded,
        Spoil::ForgetFailures,
        Spoil::ForgetNodes,
        Spoil::CompleteUnclosed,
    ];
    let seeds = number("DURABLE_SEEDS").unwrap_or(SEEDS);
    let mut missed = Vec::new();
    for what in breaks {
        let found = (0..seeds).find_map(|seed| {
            let violations = spoil(what, || simulate(seed, None)).violations;
            Some((seed, violations.into_iter().next()?))
        });
        match found {
            Some((seed, violation)) => println!("{what:?}: seed {seed}: {violation}"),
            None => missed.push(what),
        }
    }
    assert!(missed.is_empty(), "no seed finds {missed:?}");
}

#[test]
fn every_break_of_the_ledger_is_found() {
    for how in [Break::Unfenced, Break::ForgetsCheckpoints, Break::LeavesChildren, Break::ForgetsOrphans, Break::KeepsJournals] {
        let found = (0..SEEDS).find_map(|seed| Some((seed, simulate(seed, Some(how)).violations.into_iter().next()?)));
        assert!(found.is_some(), "no seed finds {how:?}");
        println!("{how:?}: {found:?}");
    }
}
