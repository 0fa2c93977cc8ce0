//! The committed figures, and the comparison with them.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write as _};
use std::path::PathBuf;

/// Figures by name, each per request.
pub(crate) type Figures = BTreeMap<String, f64>;

/// All figures: by component, then by what was counted.
type Committed = BTreeMap<String, BTreeMap<String, Figures>>;

/// By which part of it a figure may differ from the committed one.
const TOLERANCE: f64 = 0.1;

/// What a figure may differ beside that, for what happens once in many requests.
const SLACK: f64 = 0.05;

/// The call that a busy machine adds: where a guest took long by the clock, the processor time
/// of the next one is measured. If each were, there would be at least two calls per request.
const ON_A_BUSY_MACHINE: &str = "clock_gettime";

/// What that call may differ.
const SLACK_ON_A_BUSY_MACHINE: f64 = 1.0;

/// What to do about figures that differ.
const REMEDY: &str = "BLESS=1 cargo test --release -p host --test costs";

/// Compares what was `measured` of `component` with the committed figures.
/// `subject` says what they count. With `BLESS` in the environment, commits them
/// to the file instead.
///
/// # Panics
///
/// Panics if one is higher than it may be. One that is lower is only printed.
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

/// Prints a line that is seen also when the test passes, which the usual macros
/// do not.
pub(crate) fn say(text: &str) {
    // Nobody is there to read it if this fails.
    let _ = writeln!(io::stderr(), "costs: {text}");
}

/// The names of the figures that differ by more than they may.
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

/// A figure that is not there is 0: that call was not made.
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
fn a_tenth_more_or_less_is_no_difference() {
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
fn guests_that_were_measured_now_and_then_on_a_busy_machine_are_no_difference() {
    let committed = Figures::new();
    for (calls, is_higher) in [(0.9, false), (2.0, true)] {
        let measured = figures([("clock_gettime", calls)]);
        let differences = compare(&committed, &measured);
        assert_eq!(!differences.higher.is_empty(), is_higher, "{measured:?}");
    }
}

#[test]
fn what_differs_is_named_also_where_one_side_has_no_figure() {
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
