//! A fused component gives the same answers, on this server and on another host.

use end_to_end::artifacts::component;
use end_to_end::cases::Case;
use end_to_end::{Peer, TestHost};

/// Its default pool has one memory and one table per module.
const SEVERAL_MEMORIES: [&str; 2] = [
    "-Opooling-max-memories-per-module=4",
    "-Opooling-max-tables-per-module=4",
];

fn check(case: &Case) {
    let host = TestHost::serve(component("app-fused")).start();
    case.check(&host.send(&case.request));
    let peer = Peer::serve(component("app-fused"), &SEVERAL_MEMORIES);
    case.check(&peer.send(&case.request));
}

end_to_end::test_each_case!(check);
