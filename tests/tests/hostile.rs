//! Hostile guests: the answers of their clients, and their effect on a well-behaved guest.

use std::collections::BTreeSet;
use std::time::Duration;

use end_to_end::TestHost;
use end_to_end::cases::check_problem;
use end_to_end::client::{Connection, Request};
use end_to_end::strace::Fault;
use end_to_end::stress::hostile::{
    Behaviour, Client, MAX_CONCURRENCY, Repeat, Server, Wasi, table,
};

/// `--request-timeout` in seconds, long enough for all guests that do not wait for it, also while
/// other tests run.
const REQUEST_TIMEOUT: u32 = 5;

/// Allowed growth of the memory in KiB, in addition to a twentieth: what the slots of the pools of
/// all functions keep.
const KEPT_KIB: u64 = 32 * 1024;

#[test]
fn there_are_more_than_100_hostile_guests_for_each_version_of_wasi() {
    for wasi in Wasi::ALL {
        let of_this = |behaviour: &&Behaviour| behaviour.wasi == wasi;
        let names = table().iter().filter(of_this);
        let names: BTreeSet<_> = names.map(|behaviour| behaviour.name).collect();
        assert!(names.len() > 100, "{wasi:?}: {names:?}");
    }
}

#[test]
fn hostile_guests_cost_a_good_one_no_request_and_leave_the_pool_empty() {
    let server = Server::start(REQUEST_TIMEOUT);
    let repeat = Repeat {
        address: server.address(),
        runs: 1,
        at_once: 16,
        pause: Duration::ZERO,
    };
    // The server may keep its first allocations.
    let first = repeat.run(table());
    server
        .wait_until_idle()
        .unwrap_or_else(|why| panic!("{why}"));
    let before_kib = server.resident_kib();

    let (second, good) = repeat.next_to_good(2, || {
        let runs = 3;
        Repeat { runs, ..repeat }.run(table())
    });
    server
        .wait_until_idle()
        .unwrap_or_else(|why| panic!("{why}"));
    let after_kib = server.resident_kib();

    let unexpected = [first.unexpected, second.unexpected].concat();
    assert!(unexpected.is_empty(), "{}", unexpected.join("\n"));
    assert!(good.losses.is_empty(), "{:?}", good.losses);
    if let (Some(before), Some(after)) = (before_kib, after_kib) {
        let most = before + before / 20 + KEPT_KIB;
        assert!(after <= most, "{before} KiB before, {after} KiB after");
    }
}

/// Runs some guests often, so that some wait and are offloaded.
fn check_never_without_a_head(wasi: Wasi, names: &[&str]) {
    let server = Server::start(REQUEST_TIMEOUT);
    let repeat = Repeat {
        address: server.address(),
        runs: 200,
        at_once: MAX_CONCURRENCY,
        pause: Duration::ZERO,
    };
    let is_late = |behaviour: &&Behaviour| {
        behaviour.wasi == wasi
            && behaviour.client == Client::Plain
            && names.contains(&behaviour.name)
    };
    let late: Vec<_> = table().iter().filter(is_late).copied().collect();
    assert_eq!(late.len(), names.len());
    let outcome = repeat.run(&late);
    assert!(outcome.unexpected.is_empty(), "{:?}", outcome.unexpected);
}

#[test]
fn a_guest_that_fails_after_its_response_is_set_leaves_no_client_without_a_head() {
    let names = [
        "trap-after-set",
        "set-twice",
        "finish-twice",
        "trailer-many",
    ];
    check_never_without_a_head(Wasi::V02, &names);
}

/// A body that ends with its guest must not look complete either.
#[test]
fn a_guest_of_wasi_0_3_that_fails_after_its_response_is_answered_with_500_or_a_broken_body() {
    let names = [
        "trap-at-end",
        "trap-instead-of-body",
        "trap-in-body",
        "busy-trap-in-body",
        "exit-in-body",
        "half-body",
        "half-body-late",
        "long-body",
        "body-with-error",
    ];
    check_never_without_a_head(Wasi::V03, &names);
}

/// Its time is over on an offload thread, which drops its response before it reports the result.
#[test]
fn cpu_timeout_answers_each_guest_of_wasi_0_3_with_504() {
    let names = ["spin-after-yield", "yield-for-ever", "spawn-each-other"];
    check_never_without_a_head(Wasi::V03, &names);
}

/// Offload threads may get no processor for long, so the worker enforces the timeout.
#[test]
fn response_idle_timeout_ends_a_response_while_its_offload_thread_is_stopped() {
    // It starts a response, and then computes until it is offloaded.
    const NAME: &str = "loop-in-body";
    // The system call before and after each time slice.
    const STOP_THERE: &str = "clock_gettime:delay_enter=60s";
    // No other timeout triggers a check of the connection.
    const LONG: &str = "600";

    let host = TestHost::serve_guest("hostile")
        .flag("--threads", "1")
        .flag("--request-timeout", LONG)
        .flag("--response-idle-timeout", "1")
        .flag("--write-timeout", LONG)
        .flag("--header-read-timeout", LONG)
        .flag("--idle-timeout", LONG)
        .start();
    let Some(_stopped) = Fault::inject(host.process_id(), "offload", STOP_THERE, &[]) else {
        return;
    };
    let mut client = host.connect();
    client.write(&Request::new("GET", &format!("/{NAME}")).bytes());
    let response = client.receive();
    assert_eq!(response.status, 200);
    assert!(!response.is_complete, "{response:?}");
}

/// In `SCHED_IDLE`, a guest would get next to no time while other programs are busy.
#[cfg(target_os = "linux")]
#[test]
fn no_thread_of_the_server_is_sched_idle() {
    const SCHED_OTHER: &str = "0";
    // Index among the fields behind the name (proc_pid_stat(5)).
    const POLICY: usize = 38;

    let host = TestHost::serve_guest("hostile")
        .flag("--cpu-timeout", "0.05")
        .start();
    // It computes until it is offloaded.
    let response = host.send(&Request::new("GET", "/loop"));
    check_problem(&response, 504, &[]);
    let tasks = format!("/proc/{}/task", host.process_id());
    let stats = std::fs::read_dir(tasks).expect("a running process");
    let stats: Vec<String> = stats
        .filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("stat")).ok())
        .collect();
    assert!(!stats.is_empty());
    for stat in stats {
        let (_, fields) = stat.rsplit_once(')').expect("a name");
        let fields: Vec<&str> = fields.split_ascii_whitespace().collect();
        assert_eq!(fields[POLICY], SCHED_OTHER, "{stat}");
    }
}

/// Clients with a sleeping guest each.
fn sleepers(host: &TestHost, count: usize) -> Vec<Connection> {
    let sleeper = |_| {
        let mut client = host.connect();
        client.write(&Request::new("GET", "/sleep").bytes());
        client
    };
    (0..count).map(sleeper).collect()
}

/// Checks that each guest ran until `--request-timeout`.
fn check_timeouts(clients: Vec<Connection>) {
    for mut client in clients {
        check_problem(&client.receive(), 504, &["in time"]);
    }
}

#[test]
fn max_concurrency_instances_live_at_the_same_time() {
    const INSTANCES: usize = 8;

    let host = TestHost::serve_guest("hostile")
        .flag("--max-concurrency", INSTANCES.to_string())
        .flag("--request-timeout", "1")
        .flag("--threads", "1")
        // A slow disk would change the answers.
        .flag("--audit", "none")
        .start();
    check_timeouts(sleepers(&host, INSTANCES));
}

#[test]
fn max_concurrency_is_split_among_threads_with_at_least_one_instance_each() {
    for (max_concurrency, instances) in [(4, 4), (1, 2)] {
        let (host, operators) = TestHost::serve_guest("hostile")
            .flag("--max-concurrency", max_concurrency.to_string())
            .flag("--request-timeout", "600")
            .flag("--threads", "2")
            // A slow disk would change the answers.
            .flag("--audit", "none")
            .start_with_operators();
        // Connections go to the threads in turn.
        let _clients = sleepers(&host, instances);
        let count = f64::from(u32::try_from(instances).expect("a few"));
        operators.wait_for(&[
            ("instances{function=\"guest\"}", count),
            ("instances_max{function=\"guest\"}", count),
        ]);
    }
}
