//! The search for the fastest flags of `wasmtime serve` on this component and machine.
//!
//! It starts with the flags of [`TUNED`], varies one option after the other, and keeps a value that
//! is better in every round. With 5 rounds of 3 s it takes a quarter of an hour.

use anyhow::{Result, ensure};

use crate::measure::{Bench, Target};
use crate::series::message;
use crate::servers::{Server, TUNED};

/// Maximum processor time of a value over the best one so far, to be worth a flag.
const WORTHWHILE: f64 = 0.99;

/// An option and the values to try; an empty one leaves it at its default.
type Axis = (&'static str, &'static [&'static str]);

#[rustfmt::skip]
const AXES: &[Axis] = &[
    ("-Opooling-memory-keep-resident", &["", "65536", "262144", "2097152", "16777216"]),
    ("-Opooling-pagemap-scan", &["", "auto"]),
    ("-Opooling-table-keep-resident", &["", "4096", "65536", "1048576"]),
    ("-Opooling-async-stack-keep-resident", &["", "16384", "131072", "2097152"]),
    ("-Opooling-max-unused-warm-slots", &["", "0", "1000", "10000"]),
    ("-Opooling-decommit-batch-size", &["", "8", "32"]),
    ("-Opooling-max-memory-size", &["", "16777216"]),
    ("-Opooling-total-core-instances", &["", "4000", "20000"]),
    ("-Opooling-allocator", &["", "n"]),
    ("-Omemory-init-cow", &["", "n"]),
    ("-Otable-lazy-init", &["", "n"]),
    ("-Cinlining", &["", "y"]),
    ("-Wcomponent-model-async", &["", "n"]),
    ("-Wepoch-interruption", &["", "n"]),
];

/// Searches, and prints each step and the result.
pub(crate) fn search(bench: &Bench) -> Result<()> {
    let kept: Vec<String> = TUNED.iter().map(ToString::to_string).collect();
    let mut best = kept.clone();
    for &(option, values) in AXES {
        best = vary(bench, &best, option, values)?;
    }
    println!("\ndefault flags, flags of this program, and flags found:");
    let all = [
        ("default", Vec::new()),
        ("kept", kept),
        ("found", best.clone()),
    ];
    compare(bench, &all.map(|(name, flags)| (name.to_owned(), flags)));
    println!("\nfound:\nwasmtime serve {} APP.wasm", best.join(" "));
    Ok(())
}

/// The best flags where only `option` changes.
fn vary(bench: &Bench, best: &[String], option: &str, values: &[&str]) -> Result<Vec<String>> {
    let mut candidates = vec![("the best so far".to_owned(), best.to_owned())];
    for value in values {
        let flags = with(best, option, value);
        if !same(&flags, best) {
            candidates.push((format!("{option}={value}"), flags));
        }
    }
    let targets = compare(bench, &candidates);
    let current = &targets[0];
    ensure!(
        current.failure.is_none(),
        "failed with the best flags so far"
    );
    let better = (0..targets.len()).filter(|&index| is_better(&targets[index], current));
    let median = |index: usize| {
        targets[index]
            .summary("cpu_us")
            .map_or(f64::MAX, |cpu| cpu.median)
    };
    let chosen = better.min_by(|&one, &other| median(one).total_cmp(&median(other)));
    Ok(candidates.swap_remove(chosen.unwrap_or(0)).1)
}

/// Measures `wasmtime serve` with each set of flags, and prints its cost.
fn compare(bench: &Bench, candidates: &[(String, Vec<String>)]) -> Vec<Target> {
    let target = |(name, flags): &(String, Vec<String>)| {
        let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
        let server = Server::wasmtime(&bench.programs, &[&flags]);
        Target::new(name, server, &message())
    };
    let mut targets: Vec<_> = candidates.iter().map(target).collect();
    bench.load(&mut targets);
    for target in &targets {
        println!("{}  {}", target.range("cpu_us"), target.name);
    }
    targets
}

/// Whether a target is better in every round, and worth a flag.
fn is_better(target: &Target, current: &Target) -> bool {
    let ratio = target.over(current, "cpu_us");
    ratio.is_some_and(|ratio| ratio.max <= WORTHWHILE)
}

/// `flags` with `option` set to `value`.
fn with(flags: &[String], option: &str, value: &str) -> Vec<String> {
    let other = |flag: &&String| flag.split('=').next() != Some(option);
    let mut flags: Vec<String> = flags.iter().filter(other).cloned().collect();
    if !value.is_empty() {
        flags.push(format!("{option}={value}"));
    }
    flags
}

/// Whether the flags are the same but for their order.
fn same(some: &[String], others: &[String]) -> bool {
    some.len() == others.len() && some.iter().all(|flag| others.contains(flag))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::tests::cpu;

    #[test]
    fn a_value_that_is_worse_in_one_round_is_rejected() {
        let current = cpu("current", &[200.0, 200.0, 200.0]);
        assert!(is_better(&cpu("", &[180.0, 190.0, 195.0]), &current));
        assert!(!is_better(&cpu("", &[150.0, 150.0, 201.0]), &current));
    }

    fn flags() -> Vec<String> {
        ["-Oa=1", "-Oab=2"].map(str::to_owned).into()
    }

    #[test]
    fn only_the_named_option_changes() {
        assert_eq!(with(&flags(), "-Oa", "5"), ["-Oab=2", "-Oa=5"]);
    }

    #[test]
    fn the_default_has_no_flag() {
        assert_eq!(with(&flags(), "-Oab", ""), ["-Oa=1"]);
    }

    #[test]
    fn the_order_of_flags_makes_no_difference() {
        assert!(same(&flags(), &with(&flags(), "-Oa", "1")));
        assert!(!same(&flags(), &with(&flags(), "-Oa", "2")));
    }
}
