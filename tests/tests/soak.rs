//! What `make soak` takes for flat.

use std::time::Duration;

use end_to_end::soak::watch::{Sample, Watched, growth};

/// One sample a second, with this much memory.
fn watched(resident_mib: impl Fn(u32) -> f64) -> Watched {
    let sample = |second: u32| Sample {
        since: Duration::from_secs(second.into()),
        resident_mib: resident_mib(second),
        descriptors: 20,
    };
    Watched {
        samples: (1..=100).map(sample).collect(),
    }
}

#[test]
fn a_leak_shows_as_the_growth_of_the_line() {
    let leaking = watched(|second| 50.0 + 0.1 * f64::from(second));
    let growth = leaking.growth(|sample| sample.resident_mib);
    assert!((growth - 8.0).abs() < 0.2, "{growth}");
}

#[test]
fn ups_and_downs_are_no_growth() {
    let noisy = watched(|second| 50.0 + f64::from(second % 2));
    let growth = noisy.growth(|sample| sample.resident_mib);
    assert!(growth.abs() < 0.1, "{growth}");
}

#[test]
fn what_grows_while_the_server_warms_up_does_not_count() {
    let warming_up = watched(|second| f64::from(second.min(19)));
    let growth = warming_up.growth(|sample| sample.resident_mib);
    assert!(growth.abs() < 1e-9, "{growth}");
    assert!((warming_up.mean(|sample| sample.resident_mib) - 19.0).abs() < 1e-9);
}

#[test]
fn nothing_grows_from_one_sample() {
    assert!(growth(&[(1.0, 5.0)]).abs() < 1e-9);
    assert!(growth(&[]).abs() < 1e-9);
}
