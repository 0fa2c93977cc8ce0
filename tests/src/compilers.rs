//! The processes in which a server compiles, and a component that keeps one busy.

use std::fs;

use rustix::process::{Pid, Signal, kill_process};

use crate::functions::locator;
use crate::wait;

/// Targets of one `br_table`: the size limit of a function is 7 MiB.
const TARGETS: usize = 7 << 20;

/// Results of each target, which the validator compares one by one.
const RESULTS: usize = 1000;

/// A component that serves HTTP, and whose validation takes minutes: its time is the product of
/// targets and results of a `br_table`.
#[must_use]
pub fn slow_component() -> Vec<u8> {
    const FUNCTIONS: usize = 4;

    let number = |number: usize| leb128(number);
    let section = |id: u8, content: Vec<u8>| [vec![id], number(content.len()), content].concat();
    let function_type = [
        vec![1, 0x60, 0],
        number(RESULTS),
        vec![0x7f; RESULTS], // i32
    ];
    let constants = [0x41, 0].repeat(RESULTS + 1);
    let table = [vec![0x0e], number(TARGETS), vec![0; TARGETS + 1]].concat();
    let body = [vec![0], constants, table, vec![0x0b]].concat();
    let body = [number(body.len()), body].concat();
    let module = [
        b"\0asm\x01\0\0\0".to_vec(),
        section(1, function_type.concat()),
        section(3, [number(FUNCTIONS), vec![0; FUNCTIONS]].concat()),
        section(10, [number(FUNCTIONS), body.repeat(FUNCTIONS)].concat()),
    ];
    [locator("slow-v1"), section(1, module.concat())].concat()
}

/// Unsigned LEB128.
fn leb128(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let byte = u8::try_from(number & 0x7f).expect("seven bits");
        number >>= 7;
        if number == 0 {
            bytes.push(byte);
            return bytes;
        }
        bytes.push(byte | 0x80);
    }
}

/// A process in which a server compiles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Compiler(u32);

impl Compiler {
    /// Waits for a compiler of the server with this process id, other than those `before`.
    #[must_use]
    pub fn wait_for(server: u32, before: &[Self]) -> Self {
        wait::until("a compiler", || {
            let compilers = compilers(server);
            let mut new = compilers.iter().filter(|one| !before.contains(one));
            new.next().copied().ok_or_else(|| format!("{compilers:?}"))
        })
    }

    /// A file of its folder in `/proc`.
    #[must_use]
    pub fn proc_file(self, name: &str) -> String {
        let bytes = fs::read(format!("/proc/{}/{name}", self.0)).expect("it runs");
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Sends a signal.
    pub fn signal(self, signal: Signal) {
        let id = Pid::from_raw(self.0.cast_signed()).expect("a process");
        kill_process(id, signal).expect("it runs");
    }

    /// Waits until it has ended.
    pub fn wait_until_ended(self) {
        // A zombie that its parent has not waited for has ended, too.
        wait::until("the end of a compiler", || {
            match stat(self.0).map(|(state, _)| state) {
                Some(state) if state != "Z" && state != "X" => Err(state),
                _ => Ok(()),
            }
        });
    }
}

/// The compilers of the server with this process id at the moment.
#[must_use]
pub fn compilers(server: u32) -> Vec<Compiler> {
    let processes = fs::read_dir("/proc").expect("there is /proc");
    processes
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|&process: &u32| {
            let is_child = stat(process).is_some_and(|(_, parent)| parent == server);
            let words = fs::read(format!("/proc/{process}/cmdline")).unwrap_or_default();
            is_child && words.split(|&byte| byte == 0).nth(1) == Some(b"compile-component")
        })
        .map(Compiler)
        .collect()
}

/// State and parent of a process, if it exists.
fn stat(process: u32) -> Option<(String, u32)> {
    let text = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The name in parentheses may contain any character.
    let mut fields = text.rsplit_once(')')?.1.split_ascii_whitespace();
    let state = fields.next()?.to_owned();
    Some((state, fields.next()?.parse().ok()?))
}
