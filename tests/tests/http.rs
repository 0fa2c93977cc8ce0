//! Each case of the table, against the compositions for WASI 0.2 and 0.3 on `component-runner`.

use end_to_end::cases::{self, Case};
use end_to_end::client::{Connection, Response};
use end_to_end::http2::{self, Client, Event};
use end_to_end::{DEADLINE, TestHost, app, artifacts};

fn check(case: &Case) {
    let host = app().start();
    case.check(&host.send(&case.request));
}

end_to_end::test_each_case!(check);

/// The composition for WASI 0.3, with the audit log of the server.
mod wasi_0_3 {
    use super::{Case, TestHost, artifacts};

    fn check(case: &Case) {
        let host = TestHost::serve(artifacts::component("app-0.3")).start();
        case.check(&host.send(&case.request));
    }

    end_to_end::test_each_case!(check);
}

/// All cases, with their names.
fn all() -> Vec<(&'static str, Case)> {
    macro_rules! named {
        ($($name:ident)*) => { vec![$((stringify!($name), cases::$name())),*] };
    }
    end_to_end::for_each_case!(named)
}

/// The response of a new connection of HTTP/2.
fn over_http2(host: &TestHost, case: &Case) -> Response {
    let mut client = Client::open(host.address(), DEADLINE).expect("it listens");
    let request = [http2::begin(), http2::request(1, &case.request)].concat();
    client.send(&request).expect("it reads");
    match client.event().expect("an answer") {
        Event::Response(1, response) => response,
        event => panic!("{event:?}"),
    }
}

#[test]
fn each_case_is_answered_over_http2_and_a_unix_socket_for_wasi_0_2_and_0_3() {
    for name in ["app", "app-0.3"] {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("socket");
        let host = TestHost::serve(artifacts::component(name))
            .and_address(format!("unix:{}", path.display()))
            .start();
        for (case_name, case) in all() {
            eprintln!("{case_name} of {name}");
            case.check(&over_http2(&host, &case));
            case.check(&Connection::open_unix(&path).exchange(&case.request));
        }
    }
}
