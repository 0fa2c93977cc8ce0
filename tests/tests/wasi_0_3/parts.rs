//! Compositions for WASI 0.3: each part of an instance has stacks of its own.

use std::thread;

use end_to_end::cases::check_result;
use end_to_end::client::{chunk, encrypt, json, post};
use end_to_end::{TestHost, artifacts};

use super::wait_until_idle;

/// Compositions of two and of three parts.
const APPS: [&str; 2] = ["app-0.3", "app-0.3-closed"];

const MAX_CONCURRENCY: u32 = 4;

#[test]
fn max_concurrency_instances_of_several_parts_run_at_the_same_time() {
    for name in APPS {
        let (host, operators) = TestHost::serve(artifacts::component(name))
            .flag("--max-concurrency", MAX_CONCURRENCY.to_string())
            .flag("--threads", "1")
            // Guests wait for their bodies.
            .flag("--body-buffer", "0")
            .start_with_operators();
        let mut clients: Vec<_> = (0..2 * MAX_CONCURRENCY).map(|_| host.connect()).collect();
        for client in &mut clients {
            client.write(&post("/encrypt", "").chunked().head());
        }
        let function = format!("function=\"{name}\"");
        let half = f64::from(MAX_CONCURRENCY);
        operators.wait_for(&[
            (&format!("instances{{{function}}}"), half),
            (&format!("requests_queued{{{function}}}"), half),
        ]);
        for client in &mut clients {
            client.write(&[chunk(json("abc").as_bytes()), chunk(b"")].concat());
        }
        for client in &mut clients {
            check_result(&client.receive(), "def");
        }
        wait_until_idle(&operators);
    }
}

#[test]
fn many_clients_of_a_composition_get_their_own_answers() {
    for name in APPS {
        let (host, operators) = TestHost::serve(artifacts::component(name))
            .flag("--max-concurrency", MAX_CONCURRENCY.to_string())
            .start_with_operators();
        thread::scope(|scope| {
            for client in 0..16 {
                let host = &host;
                scope.spawn(move || {
                    let mut connection = host.connect();
                    for request in 0..50 {
                        let text = |letter| format!("{letter}{client}-{request}");
                        let response = connection.exchange(&encrypt(&text('a')));
                        check_result(&response, &text('d'));
                    }
                });
            }
        });
        wait_until_idle(&operators);
    }
}
