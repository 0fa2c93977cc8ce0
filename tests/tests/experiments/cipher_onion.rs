//! `experiments/cipher-onion`: Vigenère around Caesar, each with its own key.

use end_to_end::artifacts::experiment;
use end_to_end::cases::check_result;
use end_to_end::client::{decrypt, encrypt};
use end_to_end::{Setup, TestHost};

/// LEMON encrypts it to `Lxfopv ef rnhr`, which a shift of three encrypts to this.
const ENCRYPTED: &str = "Oairsy hi uqku";

fn onion() -> Setup {
    TestHost::serve(experiment("cipher-onion", "app"))
}

#[test]
fn a_message_goes_through_both_ciphers_and_back() {
    let host = onion().start();
    check_result(&host.send(&encrypt("Attack at dawn")), ENCRYPTED);
    check_result(&host.send(&decrypt(ENCRYPTED)), "Attack at dawn");
}

#[test]
fn the_environment_of_the_host_changes_neither_key() {
    let host = onion()
        .env("SHIFT_AMOUNT", "5")
        .env("VIGENERE_KEY", "MELON")
        .start();
    check_result(&host.send(&encrypt("Attack at dawn")), ENCRYPTED);
}

#[test]
fn each_layer_leaves_an_entry_the_outer_one_first() {
    let host = onion().start();
    assert_eq!(host.send(&encrypt("Attack at dawn")).status, 200);
    let entries = host.audit_entries();
    let names: Vec<_> = entries
        .iter()
        .map(|entry| &entry.json["guest"]["resource"])
        .collect();
    assert_eq!(names, ["vigenere-layer", "caesar"]);
}
