//! Each case of the table, against `app.wasm` on `component-runner`.

use end_to_end::cases::{self, Case};
use end_to_end::{TestHost, artifacts};

fn check(case: &Case) {
    let host = TestHost::serve(artifacts::component("app")).start();
    case.check(&host.send(&case.request));
}

macro_rules! tests {
    ($($name:ident)*) => {
        $(
            #[test]
            fn $name() {
                check(&cases::$name());
            }
        )*
    };
}

end_to_end::for_each_case!(tests);
