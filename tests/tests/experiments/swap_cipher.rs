//! `experiments/swap-cipher`: other ciphers behind the same adapter.

use end_to_end::TestHost;
use end_to_end::artifacts::experiment;
use end_to_end::cases::{check_problem, check_result};
use end_to_end::client::{decrypt, encrypt};

fn vigenere(key: &str) -> TestHost {
    TestHost::serve(experiment("swap-cipher", "vigenere"))
        .env("VIGENERE_KEY", key)
        .start()
}

fn rot13() -> TestHost {
    TestHost::serve(experiment("swap-cipher", "rot13")).start()
}

#[test]
fn the_vigenere_cipher_works_with_the_key_of_the_environment() {
    let host = vigenere("LEMON");
    check_result(&host.send(&encrypt("Attack at dawn")), "Lxfopv ef rnhr");
    check_result(&host.send(&decrypt("Lxfopv ef rnhr")), "Attack at dawn");
}

#[test]
fn an_invalid_key_is_named_to_the_client() {
    for key in ["", "LEMON3"] {
        let response = vigenere(key).send(&encrypt("hello"));
        check_problem(&response, 500, &["VIGENERE_KEY", &format!("`{key}`")]);
    }
}

#[test]
fn a_missing_key_is_named_to_the_client() {
    let host = TestHost::serve(experiment("swap-cipher", "vigenere")).start();
    let response = host.send(&encrypt("hello"));
    check_problem(&response, 500, &["VIGENERE_KEY", "not set"]);
}

#[test]
fn the_swapped_in_part_encrypts() {
    let host = rot13();
    check_result(&host.send(&encrypt("Hello, Zebra!")), "Uryyb, Mroen!");
    check_result(&host.send(&decrypt("Uryyb, Mroen!")), "Hello, Zebra!");
}

#[test]
fn each_cipher_leaves_its_own_name_in_the_audit_log() {
    for (host, name) in [(vigenere("LEMON"), "vigenere"), (rot13(), "rot13")] {
        assert_eq!(host.send(&encrypt("hello")).status, 200);
        let entry = &host.audit_entries()[0];
        assert_eq!(entry.json["guest"]["resource"], name);
        assert!(!entry.text.contains("hello"), "{}", entry.text);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn nothing_is_encrypted_where_the_audit_log_cannot_be_written() {
    for name in ["vigenere", "rot13"] {
        let host = TestHost::serve(experiment("swap-cipher", name))
            .env("VIGENERE_KEY", "LEMON")
            .start();
        assert_eq!(host.send(&encrypt("hello")).status, 200);
        host.allow_writes(false);
        check_problem(&host.send(&encrypt("hello")), 503, &["audit log"]);
    }
}
