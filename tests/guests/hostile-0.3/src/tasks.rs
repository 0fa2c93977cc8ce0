//! Tasks, and calls that are not finished.

use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;
use core::future::{Future, pending, poll_fn};
use core::pin::{Pin, pin};
use core::task::Poll;

use wit_bindgen::{backpressure_inc, block_on, spawn_local};

use crate::bindings::wasi::clocks0_3_0::monotonic_clock::wait_for;
use crate::streams::pipe;
use crate::{Answer, Call, begin, good, hold};

const MILLISECOND: u64 = 1_000_000;

/// Handles that fit into the limits.
pub(crate) const SOME: usize = 250;

pub(crate) async fn respond(call: Call) -> Result<Answer, Call> {
    Ok(match &*call.name {
        "never" => {
            hold().await;
            good()
        }
        // Nothing of the server could wake this task.
        "never-awake" => {
            let (_writer, mut reader) = pipe();
            let _ = reader.read(vec![0]).await;
            good()
        }
        // Suspends within a call instead of between two.
        "block" => {
            block_on(hold());
            good()
        }
        "spawn-for-ever" => loop {
            spawn_local(pending());
        },
        "spawn-each-other" => {
            spawn_again();
            hold().await;
            good()
        }
        "spawn-many" => {
            for _ in 0..SOME {
                spawn_local(wait_for(MILLISECOND));
            }
            good()
        }
        "waits-for-ever" => {
            let mut waits = Vec::new();
            loop {
                let mut wait = Box::pin(wait_for(u64::MAX));
                begin(&mut wait.as_mut()).await;
                waits.push(wait);
            }
        }
        "cancel-for-ever" => loop {
            let mut wait = pin!(wait_for(u64::MAX));
            begin(&mut wait).await;
        },
        "wait-many" => {
            let waits = (0..SOME).map(|_| Box::pin(wait_for(MILLISECOND)));
            all(waits.collect()).await;
            good()
        }
        // No later call of this instance would begin.
        "backpressure" => {
            backpressure_inc();
            good()
        }
        "backpressure-for-ever" => loop {
            backpressure_inc();
        },
        _ => return Err(call),
    })
}

/// A task that starts its like.
fn spawn_again() {
    spawn_local(async { spawn_again() });
}

/// Waits for all futures.
async fn all<F: Future<Output = ()>>(mut futures: Vec<Pin<Box<F>>>) {
    poll_fn(|cx| {
        futures.retain_mut(|future| future.as_mut().poll(cx).is_pending());
        if futures.is_empty() {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
    .await;
}
