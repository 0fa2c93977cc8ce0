//! Each case of the table, against `app.wasm` on `component-runner`.

use end_to_end::cases::Case;
use end_to_end::{TestHost, artifacts};

fn check(case: &Case) {
    let host = TestHost::serve(artifacts::component("app")).start();
    case.check(&host.send(&case.request));
}

end_to_end::test_each_case!(check);
