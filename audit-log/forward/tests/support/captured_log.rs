//! The log of the program, captured.

use std::io::{self, Write};
use std::sync::{Mutex, Once};

static CAPTURED: Mutex<Vec<u8>> = Mutex::new(Vec::new());

/// Starts to capture. All tests share the captured log.
pub(crate) fn start() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        tracing_subscriber::fmt()
            .with_ansi(false)
            .with_env_filter("audit_log_forward=info")
            .with_writer(|| Capture)
            .init();
    });
}

/// The lines that contain `text`, such as the port of a server.
pub(crate) fn lines_about(text: &str) -> Vec<String> {
    let captured = CAPTURED.lock().expect("not poisoned");
    let captured = String::from_utf8_lossy(&captured);
    let lines = captured.lines().filter(|line| line.contains(text));
    lines.map(ToOwned::to_owned).collect()
}

struct Capture;

impl Write for Capture {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        CAPTURED.lock().expect("not poisoned").write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
