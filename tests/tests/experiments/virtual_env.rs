//! `experiments/virtual-env`: one app, three environments.

use end_to_end::TestHost;
use end_to_end::artifacts::experiment;
use end_to_end::cases::check_result;
use end_to_end::client::{decrypt, encrypt};

const SHIFTS: [(&str, &str); 3] = [
    ("shift-3", "Khoor, Cheud!"),
    ("shift-13", "Uryyb, Mroen!"),
    ("shift-minus-7", "Axeeh, Sxukt!"),
];

#[test]
fn each_app_shifts_by_the_amount_that_is_built_in() {
    for (name, encrypted) in SHIFTS {
        let host = TestHost::serve(experiment("virtual-env", name)).start();
        check_result(&host.send(&encrypt("Hello, Zebra!")), encrypted);
        check_result(&host.send(&decrypt(encrypted)), "Hello, Zebra!");
    }
}

#[test]
fn the_environment_of_the_host_changes_nothing() {
    for (name, encrypted) in SHIFTS {
        let host = TestHost::serve(experiment("virtual-env", name))
            .env("SHIFT_AMOUNT", "5")
            .start();
        check_result(&host.send(&encrypt("Hello, Zebra!")), encrypted);
    }
}
