//! Files that are not components, and other entries, in the folder of functions.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::symlink;

use rustix::fs::{CWD, FileType, Mode, mknodat};

use super::{FUNCTION, VERSIONS, answer, request, serve, under_load, wait_until_served};
use crate::DEADLINE;
use crate::client::Connection;
use crate::functions::{Folder, locator};
use crate::random::Random;

/// Number of clients. On a machine without idle processors, the kernel may delay the listing of a
/// folder for half a minute.
const CLIENTS: usize = 1;

/// More than the size limit of a component.
const TOO_LARGE: u64 = 65 << 20;

const KINDS: [Kind; 9] = [
    Kind::Truncated,
    Kind::Corrupt,
    Kind::WrittenInPlace,
    Kind::CoreModule,
    Kind::Compiled,
    Kind::TooLarge,
    Kind::Link,
    Kind::Pipe,
    Kind::Folder,
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A prefix of a component.
    Truncated,
    /// A component with flipped bits.
    Corrupt,
    /// A corrupt component that is written in place, in two parts.
    WrittenInPlace,
    /// A core module.
    CoreModule,
    /// Machine code with the header of compiled WebAssembly.
    Compiled,
    /// A file beyond the size limit.
    TooLarge,
    /// A symbolic link to a file outside the folder.
    Link,
    /// A named pipe without a writer.
    Pipe,
    /// A folder.
    Folder,
}

/// Puts `count` broken files into the folder of functions, every second one in the place of a
/// valid one, while clients send to the valid one as fast as they can. Calls `progress` after
/// each. Returns the number of requests.
///
/// # Errors
///
/// Fails if a request is lost, or a file is not refused.
pub fn drop_broken_files(
    count: u32,
    seed: u64,
    mut progress: impl FnMut(u32),
) -> Result<u64, String> {
    let [valid, last] = VERSIONS;
    let folder = Folder::new();
    folder.put_locator(FUNCTION, valid);
    let host = serve(&folder);
    let mut random = Random::new(seed);
    let exchange = |connection: &mut Connection| {
        let response = connection.exchange(&request());
        match response.status {
            200 if response.text() == answer(valid) => Ok(()),
            _ => Err(format!("{response:?}")),
        }
    };
    let total = under_load(&host, CLIENTS, exchange, || {
        for number in 1..=count {
            let kind = KINDS[number as usize / 2 % KINDS.len()];
            // Only what can replace a valid file atomically: without any file the function is
            // removed.
            let is_in_place = number % 2 == 0 && kind != Kind::Folder;
            let name = if is_in_place {
                "where".to_owned()
            } else {
                format!("bad-{number}")
            };
            let entry = format!("function rejected function=\"{name}\"");
            // A file that is written in two parts may be refused twice.
            let before = host.log().text().matches(&entry).count();
            put(&folder, &name, kind, &mut random);
            let refused = host
                .log()
                .wait_for_lines_or_end(&entry, before + 1, DEADLINE);
            if refused.is_none() {
                return Err(format!("the server ended at {kind:?} as `{name}`"));
            }
            if !is_in_place {
                remove(&folder, &name);
            }
            progress(number);
        }
        Ok(())
    })?;
    folder.put_locator(FUNCTION, last);
    wait_until_served(&host, last)?;
    Ok(total)
}

fn put(folder: &Folder, name: &str, kind: Kind, random: &mut Random) {
    let relative = format!("functions/{name}.wasm");
    let path = folder.join(&relative);
    // Entries that cannot be written atomically are made here and renamed.
    let staged = folder.join("functions/.staged");
    let whole = locator("another");
    match kind {
        Kind::Truncated => folder.put(&relative, &whole[..random.below(whole.len())]),
        Kind::Corrupt => folder.put(&relative, corrupt(whole, random)),
        Kind::WrittenInPlace => {
            let bytes = corrupt(whole, random);
            let (first, second) = bytes.split_at(random.below(bytes.len()));
            folder.put(&relative, first);
            let mut file = File::options().append(true).open(path).expect("a file");
            file.write_all(second).expect("a disk");
        }
        Kind::CoreModule => folder.put(&relative, core_module(random)),
        Kind::Compiled => {
            let mut bytes = b"\x7fELF\x02\x01\x01".to_vec();
            bytes.extend(random.number().to_le_bytes().repeat(500));
            folder.put(&relative, bytes);
        }
        Kind::TooLarge => {
            let file = File::create(&staged).expect("a file");
            let more = random.below(4096) as u64;
            file.set_len(TOO_LARGE + more).expect("a disk");
            fs::rename(staged, path).expect("a folder");
        }
        Kind::Link => {
            let target = format!("secret-{}", random.number());
            folder.put(&target, "a secret");
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

/// Flips bits behind the header of a component.
fn corrupt(mut bytes: Vec<u8>, random: &mut Random) -> Vec<u8> {
    const HEADER: usize = 8;

    // Always the size of the first section, so that the result is invalid.
    bytes[HEADER + 1] ^= 0x55;
    for _ in 0..random.below(20) {
        let index = HEADER + random.below(bytes.len() - HEADER);
        bytes[index] ^= 0x55;
    }
    bytes
}

/// A module with nothing but a custom section of random name.
fn core_module(random: &mut Random) -> Vec<u8> {
    let mut bytes = b"\0asm\x01\0\0\0".to_vec();
    let name = format!("{:016x}", random.number());
    bytes.extend([0, 17, 16]);
    bytes.extend(name.bytes());
    bytes
}

/// Removes a file, or another entry in its place.
fn remove(folder: &Folder, name: &str) {
    let path = folder.join(&format!("functions/{name}.wasm"));
    match fs::symlink_metadata(&path) {
        Ok(metadata) if metadata.is_dir() => fs::remove_dir(path).expect("an empty folder"),
        Ok(_) => fs::remove_file(path).expect("a file"),
        Err(_) => {}
    }
}
