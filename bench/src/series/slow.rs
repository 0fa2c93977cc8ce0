//! Well-behaved clients next to slow ones.

use std::sync::Arc;

use anyhow::Result;

use super::interference::{self, GOOD_CLIENTS, Load, Scenario};
use super::{OURS, PEER, message};
use crate::load::job::Job;
use crate::load::slow;
use crate::load::slowhttptest::{self, BODY, HEAD, Mode, READ};
use crate::measure::Bench;
use crate::programs::guest;
use crate::report::Report;
use crate::servers::Server;

/// Number of clients that send a head and one byte, and wait.
const HELD: usize = 5000;

/// Length of a turn in ordinary turns: the slow clients need time to arrive, and the server's
/// timeouts to expire.
const LONGER: u32 = 6;

pub(super) fn run(bench: &Bench) -> Result<Report> {
    slowhttptest::find()?;
    let held: Load = Arc::new(|addr, duration| slow::hold(addr, &message(), HELD, duration));
    let test = |path: &'static str, mode: Mode| -> Load {
        Arc::new(move |addr, duration| slowhttptest::run(addr, path, mode, duration))
    };
    let ours = Scenario::alone(OURS, Server::ours(&bench.programs, &[]), &message());
    let cpu_burn = Server::ours(&bench.programs, &[]).serving(&guest("cpu_burn")?);
    let cpu_burn = Scenario::alone("component-runner, cpu-burn", cpu_burn, &Job::good());
    let peer = Scenario::alone(PEER, Server::wasmtime(&bench.programs, &[]), &message());
    let held_name = "5,000 that send one byte and wait";
    let scenarios = [
        ours.clone(),
        ours.next_to(held_name, held.clone()),
        ours.next_to("slowloris", test("/encrypt", HEAD)),
        ours.next_to("slow bodies", test("/encrypt", BODY)),
        ours.next_to("slow readers", test("/encrypt", READ)),
        cpu_burn.clone(),
        cpu_burn.next_to("slow readers of 64 KiB", test("/write?65536", READ)),
        cpu_burn.next_to("slow readers of 8 MiB", test("/write?8388608", READ)),
        peer.clone(),
        peer.next_to(held_name, held).without_goals(),
    ];
    let about = format!(
        "{GOOD_CLIENTS} well-behaved clients send a request every 10 ms each and wait for the \
         answer: first alone, then next to other clients from the same machine that start at the \
         same time. {HELD} clients arrive within 5 s, send a head and one byte of its body, wait, \
         and reconnect when the server closes the connection; slowhttptest has 1,000 connections \
         in three modes; next to `cpu-burn`, its readers request answers that the server can \
         buffer (64 KiB), and that neither the server nor the kernel can (8 MiB). Times are those \
         of good answers, from when the request was due. The slow clients need a part of the \
         processors as well: slowhttptest a fifth of one."
    );
    interference::run("slow", about, &scenarios, bench.turns.longer(LONGER))
}
