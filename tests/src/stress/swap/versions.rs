//! A new version in the place of the previous one, again and again.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use super::{FUNCTION, VERSIONS, answer, request, serve, under_load, wait_until_served};
use crate::client::Connection;
use crate::functions::{Folder, locator};

/// Number of clients.
const CLIENTS: usize = 4;

/// Swaps two versions of a function `count` times while clients send as fast as they can, and
/// calls `progress` after each swap. Returns the number of requests.
///
/// # Errors
///
/// Fails if a request is lost, or answered by a version that was not active while it ran.
pub fn swap_versions(count: u32, mut progress: impl FnMut(u32)) -> Result<u64, String> {
    let folder = Folder::new();
    let versions = VERSIONS.map(locator);
    folder.put(FUNCTION, &versions[0]);
    let host = serve(&folder);
    // Swaps that were started, and swaps that are known to be done.
    let (started, done) = (AtomicU32::new(0), AtomicU32::new(0));
    let answered = Mutex::new([0_u64; 2]);
    let exchange = |connection: &mut Connection| {
        let before = done.load(Ordering::Acquire);
        let response = connection.exchange(&request());
        let after = started.load(Ordering::Acquire);
        if response.status != 200 || !response.is_complete {
            return Err(format!("{response:?}"));
        }
        let text = response.text();
        let index = VERSIONS.iter().position(|version| answer(version) == text);
        let is_active = |number: u32| number as usize % 2 == index.unwrap_or(usize::MAX);
        let Some(index) = index.filter(|_| (before..=after).any(is_active)) else {
            return Err(format!("`{text}` between swap {before} and {after}"));
        };
        answered.lock().expect("no thread panics with it")[index] += 1;
        Ok(())
    };
    let total = under_load(&host, CLIENTS, exchange, || {
        for number in 1..=count {
            let index = number as usize % 2;
            started.store(number, Ordering::Release);
            folder.put(FUNCTION, &versions[index]);
            wait_until_served(&host, VERSIONS[index])?;
            done.store(number, Ordering::Release);
            progress(number);
        }
        Ok(())
    })?;
    let answered = answered.into_inner().expect("no thread panics with it");
    if count > 0 && answered.contains(&0) {
        return Err(format!("one version never answered: {answered:?}"));
    }
    Ok(total)
}
