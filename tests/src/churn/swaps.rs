//! One version takes the place of the other, again and again.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use super::{answer, beside_clients, request, serve};
use crate::DEADLINE;
use crate::client::Connection;
use crate::functions::{Folder, locator};

/// How many clients send meanwhile.
const CLIENTS: usize = 4;

const VERSIONS: [&str; 2] = ["first-1", "second2"];

/// Lets two versions of a function take turns so often, while clients send as fast as they
/// can. Calls `told` after each. Returns how many requests there were.
///
/// # Errors
///
/// Fails if a request failed, or its answer is none of a version that was active while it
/// ran.
pub fn swap(count: u32, mut told: impl FnMut(u32)) -> Result<u64, String> {
    let folder = Folder::new();
    let versions = VERSIONS.map(locator);
    folder.put("functions/where.wasm", &versions[0]);
    let host = serve(&folder);
    // How many changes were asked for, and how many are known to be done.
    let (asked, done) = (AtomicU32::new(0), AtomicU32::new(0));
    let answered = Mutex::new([0_u64; 2]);
    let ask = |connection: &mut Connection| {
        let before = done.load(Ordering::Acquire);
        let response = connection.exchange(&request());
        let after = asked.load(Ordering::Acquire);
        if response.status != 200 || !response.is_complete {
            return Err(format!("{response:?}"));
        }
        let text = response.text();
        let index = VERSIONS.iter().position(|version| answer(version) == text);
        let is_active = |number: u32| number as usize % 2 == index.unwrap_or(usize::MAX);
        let Some(index) = index.filter(|_| (before..=after).any(is_active)) else {
            return Err(format!("`{text}` between change {before} and {after}"));
        };
        answered.lock().expect("nobody panics with it")[index] += 1;
        Ok(())
    };
    let total = beside_clients(&host, CLIENTS, ask, || {
        for number in 1..=count {
            let index = number as usize % 2;
            asked.store(number, Ordering::Release);
            folder.put("functions/where.wasm", &versions[index]);
            let start = Instant::now();
            while host.send(&request()).text() != answer(VERSIONS[index]) {
                if start.elapsed() > DEADLINE {
                    return Err(format!("change {number} is not made"));
                }
            }
            done.store(number, Ordering::Release);
            told(number);
        }
        Ok(())
    })?;
    let answered = answered.into_inner().expect("nobody panics with it");
    if count > 0 && answered.contains(&0) {
        return Err(format!(
            "one of the versions answered nothing: {answered:?}"
        ));
    }
    Ok(total)
}
