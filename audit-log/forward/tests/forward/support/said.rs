//! What the program says in its log.

use std::io::{self, Write};
use std::sync::{Mutex, Once};

static SAID: Mutex<Vec<u8>> = Mutex::new(Vec::new());

/// Begins to listen. All tests share what is said.
pub(crate) fn listen() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        tracing_subscriber::fmt()
            .with_ansi(false)
            .with_env_filter("audit_log_forward=info")
            .with_writer(|| Ear)
            .init();
    });
}

/// The lines about something, such as the port of a server.
pub(crate) fn about(what: &str) -> Vec<String> {
    let said = SAID.lock().expect("nobody panics here");
    let said = String::from_utf8_lossy(&said);
    let lines = said.lines().filter(|line| line.contains(what));
    lines.map(ToOwned::to_owned).collect()
}

struct Ear;

impl Write for Ear {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        SAID.lock().expect("nobody panics here").write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
