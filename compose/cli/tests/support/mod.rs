//! A folder with components, in which tests run the program.

// Each test program uses a part of it.
#![allow(dead_code)]

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

use tempfile::TempDir;
use test_components::{from_wat, from_wit};

pub(crate) const CIPHER: &str = "
    package t:cipher@0.1.0 { interface cipher { encrypt: func(text: string) -> string; } }
    package t:app@0.1.0 { interface run { run: func(); } }
";

/// A folder with components, deleted when dropped.
pub(crate) struct Folder(TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        let folder = Self(TempDir::new().expect("a folder"));
        let world = |body: &str| from_wit(&format!("package t:t; world t {{ {body} }} {CIPHER}"));
        let root = "import t:cipher/cipher@0.1.0; export t:app/run@0.1.0;";
        folder.write("root.wasm", &world(root));
        folder.write("cipher.wasm", &world("export t:cipher/cipher@0.1.0;"));
        folder.write("module.wasm", &from_wat("(module)"));
        folder
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, bytes: &[u8]) {
        fs::write(self.path(name), bytes).expect("can write");
    }

    pub(crate) fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(self.0.path())
            .expect("a folder")
            .map(|entry| entry.expect("an entry").file_name())
            .map(|name| name.into_string().expect("UTF-8"))
            .collect();
        names.sort();
        names
    }

    /// Runs the program in this folder, with backtraces enabled.
    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_component-compose"))
            .args(arguments)
            .current_dir(self.0.path())
            .env("RUST_BACKTRACE", "1")
            .output()
            .expect("the program starts")
    }
}

pub(crate) fn code(output: &Output) -> Option<i32> {
    output.status.code()
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("UTF-8")
}

pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}

pub(crate) fn json(output: &Output) -> serde_json::Value {
    serde_json::from_slice(&output.stdout).expect("JSON")
}
