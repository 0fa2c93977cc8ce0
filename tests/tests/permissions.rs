//! Files that other users may change or read, and that the server does not take therefore.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use end_to_end::TestHost;
use end_to_end::artifacts::program;
use end_to_end::functions::{Folder, write_secret};
use end_to_end::process::{Finished, Process};

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

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
