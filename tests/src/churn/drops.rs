//! Files that are no components, and worse, in the folder of functions.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::symlink;
use std::time::Instant;

use rustix::fs::{CWD, FileType, Mode, mknodat};

use super::{answer, beside_clients, request, serve};
use crate::DEADLINE;
use crate::client::Connection;
use crate::functions::{Folder, locator};
use crate::random::Random;

/// How many clients send meanwhile. Where processors have no time at all, a system may keep
/// whoever lists a folder waiting for half a minute.
const CLIENTS: usize = 1;

/// The version that is served all the time.
const GOOD: &str = "first-1";

/// More than a file of a component may have.
const TOO_LARGE: u64 = 65 << 20;

/// What is dropped.
const KINDS: [Kind; 9] = [
    Kind::CutOff,
    Kind::Damaged,
    Kind::Slow,
    Kind::CoreModule,
    Kind::Compiled,
    Kind::TooLarge,
    Kind::Link,
    Kind::Pipe,
    Kind::Folder,
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// The beginning of a component.
    CutOff,
    /// A component of which some bytes are others.
    Damaged,
    /// One that is written in place, in two parts, and is damaged in the end.
    Slow,
    /// A module that is no component.
    CoreModule,
    /// Machine code that says that it is compiled wasm.
    Compiled,
    /// More than there may be.
    TooLarge,
    /// A link to a file outside.
    Link,
    /// A pipe that nobody writes to.
    Pipe,
    /// A folder.
    Folder,
}

/// Drops so many files into the folder of functions that are no functions, every other one
/// in the place of a good one, while clients send to the good one as fast as they can. Calls
/// `told` after each. Returns how many requests there were.
///
/// # Errors
///
/// Fails if one of the requests failed, or a file was not refused.
pub fn drop_bad_files(count: u32, seed: u64, mut told: impl FnMut(u32)) -> Result<u64, String> {
    let folder = Folder::new();
    folder.put_locator("functions/where.wasm", GOOD);
    let host = serve(&folder);
    let mut random = Random::new(seed);
    let ask = |connection: &mut Connection| {
        let response = connection.exchange(&request());
        match response.status {
            200 if response.text() == answer(GOOD) => Ok(()),
            _ => Err(format!("{response:?}")),
        }
    };
    let total = beside_clients(&host, CLIENTS, ask, || {
        for number in 1..=count {
            let kind = KINDS[number as usize / 2 % KINDS.len()];
            // Whatever stands in the place of a good one must come at once: without any
            // file the function is served no more.
            let is_in_place = number % 2 == 0 && kind != Kind::Folder;
            let name = if is_in_place {
                "where".to_owned()
            } else {
                format!("bad-{number}")
            };
            let entry = format!("function refused function=\"{name}\"");
            // One that is written slowly may be refused twice.
            let before = host.log().text().matches(&entry).count();
            put(&folder, &name, kind, &mut random);
            let refused = host
                .log()
                .wait_for_lines_or_end(&entry, before + 1, DEADLINE);
            if refused.is_none() {
                return Err(format!("the server ended at {kind:?} as `{name}`"));
            }
            if !is_in_place {
                take_away(&folder, &name);
            }
            told(number);
        }
        Ok(())
    })?;
    // And then a good one.
    folder.put_locator("functions/where.wasm", "second2");
    let start = Instant::now();
    while host.send(&request()).text() != answer("second2") {
        if start.elapsed() > DEADLINE {
            return Err("a good file after all of them is not served".to_owned());
        }
    }
    Ok(total)
}

fn put(folder: &Folder, name: &str, kind: Kind, random: &mut Random) {
    let place = format!("functions/{name}.wasm");
    let path = folder.join(&place);
    // It is put in its place when it is whole, but for what is not.
    let staged = folder.join("functions/.staged");
    let whole = locator("another");
    match kind {
        Kind::CutOff => folder.put(&place, &whole[..random.below(whole.len())]),
        Kind::Damaged => folder.put(&place, damaged(whole, random)),
        Kind::Slow => {
            let bytes = damaged(whole, random);
            let (begin, end) = bytes.split_at(random.below(bytes.len()));
            folder.put(&place, begin);
            let mut file = File::options().append(true).open(path).expect("a file");
            file.write_all(end).expect("a disk");
        }
        Kind::CoreModule => folder.put(&place, module(random)),
        Kind::Compiled => {
            let mut bytes = b"\x7fELF\x02\x01\x01".to_vec();
            bytes.extend(random.number().to_le_bytes().repeat(500));
            folder.put(&place, bytes);
        }
        Kind::TooLarge => {
            let file = File::create(&staged).expect("a file");
            let more = random.below(4096) as u64;
            file.set_len(TOO_LARGE + more).expect("a disk");
            fs::rename(staged, path).expect("a folder");
        }
        Kind::Link => {
            let target = format!("secret-{}", random.number());
            folder.put(&target, "of somebody");
            symlink(folder.join(&target), &staged).expect("a link");
            fs::rename(staged, path).expect("a folder");
        }
        Kind::Pipe => {
            mknodat(CWD, &staged, FileType::Fifo, Mode::RUSR, 0).expect("a pipe");
            fs::rename(staged, path).expect("a folder");
        }
        Kind::Folder => fs::create_dir(path).expect("a folder"),
    }
}

/// A component with another byte here and there, behind its header.
fn damaged(mut bytes: Vec<u8>, random: &mut Random) -> Vec<u8> {
    const HEADER: usize = 8;

    // The size of the first section always, so that there is something wrong for certain.
    bytes[HEADER + 1] ^= 0x55;
    for _ in 0..random.below(20) {
        let place = HEADER + random.below(bytes.len() - HEADER);
        bytes[place] ^= 0x55;
    }
    bytes
}

/// A module without anything in it but a text.
fn module(random: &mut Random) -> Vec<u8> {
    let mut bytes = b"\0asm\x01\0\0\0".to_vec();
    let text = format!("{:016x}", random.number());
    // A custom section, whose name is the text.
    bytes.extend([0, 17, 16]);
    bytes.extend(text.bytes());
    bytes
}

/// Takes a file away, or whatever else is in its place.
fn take_away(folder: &Folder, name: &str) {
    let path = folder.join(&format!("functions/{name}.wasm"));
    match fs::symlink_metadata(&path) {
        Ok(metadata) if metadata.is_dir() => fs::remove_dir(path).expect("an empty folder"),
        Ok(_) => fs::remove_file(path).expect("a file"),
        Err(_) => {}
    }
}
