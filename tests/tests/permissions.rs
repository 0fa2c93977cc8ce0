//! Files that other users can change or read, which the server refuses.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

use end_to_end::TestHost;
use end_to_end::artifacts::program;
use end_to_end::client::Request;
use end_to_end::functions::{Folder, locator, write_secret};
use end_to_end::operators::TOKEN;
use end_to_end::process::{Finished, Process};

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("a file");
}

fn folder() -> Folder {
    let folder = Folder::new();
    write_secret(&folder.join("token"), TOKEN);
    fs::create_dir(folder.join("functions")).expect("a folder");
    folder
}

fn setup(folder: &Folder) -> end_to_end::Setup {
    TestHost::serve_functions(folder.join("functions"))
        .flag("--state", folder.join("state"))
        .flag("--ops-addr", "127.0.0.1:0")
        .flag("--admin-token", folder.join("token"))
}

fn check_refused(finished: &Finished, remedy: &str) {
    assert_eq!(finished.code, Some(1), "{}", finished.stderr);
    assert!(
        !finished.stdout.contains("listening"),
        "{}",
        finished.stdout
    );
    assert!(finished.stderr.contains(remedy), "{}", finished.stderr);
}

#[test]
fn a_token_that_others_may_read_or_write_is_refused_by_server_and_client() {
    let folder = folder();
    let token = folder.join("token");
    for mode in [0o666, 0o644, 0o660] {
        chmod(&token, mode);
        check_refused(&setup(&folder).fail(), "`chmod 600 ");
        let mut command = Command::new(program("component-runner"));
        let command = command.args(["list", "--admin", "127.0.0.1:1", "--token"]);
        let finished = Process::start(command.arg(&token)).finish();
        check_refused(&finished, "`chmod 600 ");
    }
    chmod(&token, 0o640);
    let _ = setup(&folder).start();
}

#[test]
fn a_state_of_mode_0777_with_a_planted_function_is_refused() {
    let folder = folder();
    drop(setup(&folder).start());
    let state = folder.join("state");
    let planted = locator("planted");
    folder.put("staged", &planted);
    let sha256 = crate::audit::sha256(&folder.join("staged"));
    let function = "state/functions/planted";
    folder.put(&format!("{function}/{sha256}.wasm"), &planted);
    let record = format!(
        r#"{{"active":"{sha256}","file":null,"versions":
        [{{"sha256":"{sha256}","deployed":"2026-01-01T00:00:00Z"}}]}}"#
    );
    folder.put(&format!("{function}/record.json"), record);
    for path in [
        state.clone(),
        state.join("functions"),
        folder.join(function),
    ] {
        chmod(&path, 0o777);
        check_refused(&setup(&folder).fail(), "`chmod go-w ");
        chmod(&path, 0o700);
    }
    // Its owner made it then.
    let host = setup(&folder).start();
    assert_eq!(host.send(&Request::new("GET", "/planted")).status, 200);
}

#[test]
fn a_state_below_a_world_writable_folder_is_refused() {
    let folder = folder();
    chmod(folder.path(), 0o777);
    check_refused(&setup(&folder).fail(), "`chmod o-w ");
    chmod(folder.path(), 0o1777);
    let _ = setup(&folder).start();
}

#[test]
fn a_lock_of_the_state_that_is_a_link_is_refused_and_its_target_left_alone() {
    let folder = folder();
    let target = folder.join("target");
    fs::write(&target, "precious").expect("a file");
    fs::create_dir(folder.join("state")).expect("a folder");
    symlink(&target, folder.join("state/lock")).expect("a link");
    check_refused(&setup(&folder).fail(), "state/lock`");
    assert_eq!(fs::read(&target).expect("a file"), b"precious");
}
