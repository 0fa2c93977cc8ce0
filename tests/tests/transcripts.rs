//! The terminal sessions in `compose/README.md` and the pictures of compositions are the current
//! output of the program.
//!
//! `BLESS=1` updates the documents.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use end_to_end::artifacts;
use tempfile::TempDir;

/// A folder with the built components, and the programs on the path.
struct Terminal {
    folder: TempDir,
    path: String,
}

impl Terminal {
    fn new() -> Self {
        let folder = TempDir::new().expect("a folder");
        let place = folder.path().join("parts");
        fs::create_dir(&place).expect("a folder");
        let copy = |component: PathBuf| {
            let name = component.file_name().expect("a name");
            fs::copy(&component, place.join(name)).expect("can copy");
        };
        for name in ["http-adapter", "http-service", "cipher", "audit-stderr"] {
            copy(artifacts::component(name));
        }
        for name in ["rot13", "bearer-gate", "request-logger", "gate-middleware"] {
            copy(artifacts::experiment("parts", name));
        }
        fs::write(place.join("compose.toml"), MANIFEST).expect("can write");
        fs::write(folder.path().join("README.md"), "# A text\n").expect("can write");
        let programs = artifacts::program("component-compose");
        let programs = programs.parent().expect("a folder").display().to_string();
        let path = env::var("PATH").expect("a path");
        Self {
            folder,
            path: format!("{programs}:{path}"),
        }
    }

    /// Standard output and standard error of a command, interleaved.
    fn type_in(&self, command: &str) -> String {
        let output = Command::new("sh")
            .args(["-c", &format!("{{ {command}\n}} 2>&1")])
            .current_dir(self.folder.path().join("parts"))
            .env("PATH", &self.path)
            .output()
            .expect("a shell");
        String::from_utf8(output.stdout).expect("UTF-8")
    }
}

const MANIFEST: &str = r#"[components]
http-adapter = { file = "http-adapter.wasm" }
cipher = { file = "cipher.wasm" }
audit-stderr = { file = "audit-stderr.wasm" }
environment = { env = { SHIFT_AMOUNT = "3" } }

[components.app]
link = "http-adapter"
with = ["cipher", "audit-stderr", "environment"]
world = "proxy"
output = "app-closed.wasm"
"#;

/// The document with the output of every command in its `console` blocks replaced by that of `type_in`.
pub(crate) fn typed_again(document: &str, type_in: impl Fn(&str) -> String) -> String {
    let mut text = String::new();
    let mut is_session = false;
    for line in document.lines() {
        let command = line.strip_prefix("$ ");
        if line.starts_with("```") {
            is_session = line == "```console";
        } else if is_session && command.is_none() {
            continue;
        }
        text.push_str(line);
        text.push('\n');
        if let (true, Some(command)) = (is_session, command) {
            text.push_str(&type_in(command));
        }
    }
    text
}

/// Compares a document with its expected text, or updates it.
pub(crate) fn is_current(document: &Path, expected: &str) {
    if env::var_os("BLESS").is_some_and(|value| value == "1") {
        fs::write(document, expected).expect("can write");
    }
    let found = fs::read_to_string(document).unwrap_or_default();
    let mut lines = found.lines().zip(expected.lines());
    let difference = lines.find(|(found, expected)| found != expected);
    assert!(
        found == expected,
        "`{}` is not what the program prints today; after `make experiments`, run `BLESS=1 cargo \
         test -p end-to-end current`. The first difference: {difference:?}",
        document.display()
    );
}

#[test]
fn the_sessions_in_the_readme_of_compose_are_current() {
    let readme = artifacts::workspace().join("compose/README.md");
    let document = fs::read_to_string(&readme).expect("a README");
    let terminal = Terminal::new();
    let typed = typed_again(&document, |command| terminal.type_in(command));
    is_current(&readme, &typed);
}

fn picture(component: &Path) -> String {
    let output = Command::new(artifacts::program("component-compose"))
        .arg("graph")
        .arg(component)
        .output()
        .expect("the program starts");
    assert!(output.status.success());
    String::from_utf8(output.stdout).expect("UTF-8")
}

#[test]
fn the_picture_of_the_app_is_current() {
    let place = artifacts::workspace().join("docs/app.svg");
    is_current(&place, &picture(&artifacts::component("app")));
}

#[test]
fn the_pictures_of_the_experiments_are_current() {
    let experiments = artifacts::workspace().join("experiments");
    let mut count = 0;
    for folder in fs::read_dir(&experiments).expect("a folder") {
        let folder = folder.expect("an entry").path();
        let Ok(serve) = fs::read_to_string(folder.join("serve")) else {
            continue;
        };
        let component = serve.split_whitespace().next().expect("a component");
        // A file of functions is not composed.
        if component == "--functions" {
            continue;
        }
        let component = Path::new(component);
        let folder_name = component.parent().and_then(Path::file_name);
        let [folder_name, name] = [folder_name, component.file_stem()]
            .map(|name| name.and_then(|name| name.to_str()).expect("a name"));
        // npm and pip install different bytes on different machines.
        if folder_name.starts_with("polyglot") {
            continue;
        }
        let component = artifacts::experiment(folder_name, name);
        is_current(&folder.join("picture.svg"), &picture(&component));
        count += 1;
    }
    assert_eq!(count, 9, "there are nine experiments in Rust alone");
}
