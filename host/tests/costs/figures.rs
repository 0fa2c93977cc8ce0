//! The committed figures, and the comparison with them.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write as _};
use std::path::PathBuf;

/// Figures by name, each per request.
pub(crate) type Figures = BTreeMap<String, f64>;

/// All figures, by component and subject.
type Committed = BTreeMap<String, BTreeMap<String, Figures>>;

/// Relative tolerance of a figure.
const TOLERANCE: f64 = 0.1;

/// Absolute tolerance in addition, for rare events.
const SLACK: f64 = 0.05;

/// The call that a busy machine adds: after a guest with a long wall time, the server samples the
/// CPU time of the next one. Sampling each guest would give at least two calls per request.
const ON_A_BUSY_MACHINE: &str = "clock_gettime";

/// Absolute tolerance of that call.
const SLACK_ON_A_BUSY_MACHINE: f64 = 1.0;

/// The command that commits new figures.
const REMEDY: &str = "BLESS=1 cargo test --release -p host --test costs";

/// Compares the `measured` figures of `component` with the committed ones of this `subject`. With
/// `BLESS` in the environment, writes them to the file instead.
///
/// # Panics
///
/// Panics if a figure exceeds its tolerance. A lower one is only printed.
pub(crate) fn check(component: &str, subject: &str, measured: &Figures) {
    if std::env::var_os("BLESS").is_some() {
        return bless(component, subject, measured);
    }
    let committed = read()
        .remove(component)
        .and_then(|mut subjects| subjects.remove(subject))
        .unwrap_or_default();
    let Differences { higher, lower } = compare(&committed, measured);
    let table = |names: &[&str]| table(names, &committed, measured);
    if !lower.is_empty() {
        say(&format!(
            "`{component}.wasm`: {subject} per request are fewer than committed; \
             if that is better, commit it: {REMEDY}\n{}",
            table(&lower)
        ));
    }
    assert!(
        higher.is_empty(),
        "`{component}.wasm`: {subject} per request are more than committed; \
         if that has to be, commit it: {REMEDY}\n{}",
        table(&higher)
    );
}

/// Prints a line that is visible also when the test passes, unlike that of `println!`.
pub(crate) fn say(text: &str) {
    // Fails without a reader.
    let _ = writeln!(io::stderr(), "costs: {text}");
}

/// Names of the figures beyond their tolerance.
#[derive(Debug, PartialEq)]
struct Differences<'a> {
    higher: Vec<&'a str>,
    lower: Vec<&'a str>,
}

fn compare<'a>(committed: &'a Figures, measured: &'a Figures) -> Differences<'a> {
    let mut names: Vec<_> = committed.keys().chain(measured.keys()).collect();
    names.sort();
    names.dedup();
    let pick = |differs: fn(f64, f64, f64) -> bool| {
        let differs =
            |name: &&String| differs(of(committed, name), of(measured, name), slack(name));
        let names = names.iter().copied().filter(differs);
        names.map(String::as_str).collect()
    };
    Differences {
        higher: pick(|old, new, slack| new > old * (1.0 + TOLERANCE) + slack),
        lower: pick(|old, new, slack| new < old * (1.0 - TOLERANCE) - slack),
    }
}

fn slack(name: &str) -> f64 {
    if name == ON_A_BUSY_MACHINE {
        SLACK_ON_A_BUSY_MACHINE
    } else {
        SLACK
    }
}

/// A missing figure is 0: the call was not made.
fn of(figures: &Figures, name: &str) -> f64 {
    figures.get(name).copied().unwrap_or_default()
}

fn table(names: &[&str], committed: &Figures, measured: &Figures) -> String {
    let row = |name: &&str| {
        let (old, new) = (of(committed, name), of(measured, name));
        format!("  {name}: {new:.2}, committed are {old:.2}\n")
    };
    names.iter().map(row).collect()
}

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/costs/figures.json")
}

fn read() -> Committed {
    let text = fs::read_to_string(path()).expect("the committed figures can be read");
    serde_json::from_str(&text).expect("the committed figures are JSON")
}

fn bless(component: &str, subject: &str, measured: &Figures) {
    let round = |(name, figure): (&String, &f64)| (name.clone(), (figure * 100.0).round() / 100.0);
    let figures = measured
        .iter()
        .map(round)
        .filter(|(_, figure)| *figure > 0.0);
    let mut committed = if path().exists() {
        read()
    } else {
        Committed::new()
    };
    committed
        .entry(component.to_owned())
        .or_default()
        .insert(subject.to_owned(), figures.collect());
    let text = serde_json::to_string_pretty(&committed).expect("figures become JSON");
    fs::write(path(), text + "\n").expect("the committed figures can be written");
    say(&format!("wrote the {subject} of `{component}.wasm`"));
}

fn figures<const N: usize>(figures: [(&str, f64); N]) -> Figures {
    figures
        .map(|(name, figure)| (name.to_owned(), figure))
        .into()
}

#[test]
fn a_difference_of_a_tenth_is_within_tolerance() {
    let committed = figures([("sendto", 1.0), ("ioctl", 4.0)]);
    let measured = figures([("sendto", 1.1), ("ioctl", 3.6)]);
    let differences = compare(&committed, &measured);
    assert_eq!(
        differences,
        Differences {
            higher: vec![],
            lower: vec![]
        }
    );
}

#[test]
fn rare_cpu_samples_on_a_busy_machine_are_within_tolerance() {
    let committed = Figures::new();
    for (calls, is_higher) in [(0.9, false), (2.0, true)] {
        let measured = figures([("clock_gettime", calls)]);
        let differences = compare(&committed, &measured);
        assert_eq!(!differences.higher.is_empty(), is_higher, "{measured:?}");
    }
}

#[test]
fn differences_include_figures_that_one_side_lacks() {
    let committed = figures([("ioctl", 4.0), ("recvfrom", 1.0), ("write", 1.0)]);
    let measured = figures([("ioctl", 5.0), ("madvise", 0.1), ("recvfrom", 1.0)]);
    let differences = compare(&committed, &measured);
    let higher = vec!["ioctl", "madvise"];
    assert_eq!(
        differences,
        Differences {
            higher,
            lower: vec!["write"]
        }
    );
}
