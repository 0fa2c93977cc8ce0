//! Growth as `make soak` measures it.

use std::time::Duration;

use end_to_end::stress::soak::watch::{Sample, Watched, growth};

/// One sample per second with this memory.
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
fn soak_measures_a_leak_as_growth() {
    let leaking = watched(|second| 50.0 + 0.1 * f64::from(second));
    let growth = leaking.growth(|sample| sample.resident_mib);
    assert!((growth - 8.0).abs() < 0.2, "{growth}");
}

#[test]
fn soak_ignores_noise_around_a_constant() {
    let noisy = watched(|second| 50.0 + f64::from(second % 2));
    let growth = noisy.growth(|sample| sample.resident_mib);
    assert!(growth.abs() < 0.1, "{growth}");
}

#[test]
fn soak_ignores_growth_during_the_warm_up() {
    let warming_up = watched(|second| f64::from(second.min(19)));
    let growth = warming_up.growth(|sample| sample.resident_mib);
    assert!(growth.abs() < 1e-9, "{growth}");
    assert!((warming_up.mean(|sample| sample.resident_mib) - 19.0).abs() < 1e-9);
}

#[test]
fn soak_finds_no_growth_in_one_sample() {
    assert!(growth(&[(1.0, 5.0)]).abs() < 1e-9);
    assert!(growth(&[]).abs() < 1e-9);
}
