//! Each case of the table, against `app.wasm` on `component-runner`.

use end_to_end::app;
use end_to_end::cases::Case;

fn check(case: &Case) {
    let host = app().start();
    case.check(&host.send(&case.request));
}

end_to_end::test_each_case!(check);
