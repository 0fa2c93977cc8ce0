//! Strings with which a guest would try to falsify what the log shows.

use end_to_end::random::Random;

/// Parts of strings, each of which deceives some reader.
const PARTS: &[&[u8]] = &[
    // Line ends.
    b"\n",
    b"\r\n",
    b"\0",
    "\u{2028}".as_bytes(),
    "\u{2029}".as_bytes(),
    "\u{85}".as_bytes(),
    // The end of the string, the object, the record.
    b"\"",
    b"\\",
    b"\\\"",
    b"\"}",
    b"\"}]}}",
    b"},\"guest\":{",
    b",\"outcome\":\"success\"",
    b"\\u0022}",
    b"\\u000a",
    b"\\ud800",
    // A record.
    b"\n{\"host\":{\"version\":1,\"sequence\":1,\"previous\":\"00\"},\"event\":{\"type\":\"server-stop\"}}\n",
    b"{\"tombstone\":{\"node\":\"x\",\"sequence\":9}}",
    b"\"}]},\"event\":{\"type\":\"entries-dropped\",\"count\":9}}",
    // Direction marks and invisible characters.
    "\u{202e}".as_bytes(),
    "\u{202a}".as_bytes(),
    "\u{2066}".as_bytes(),
    "\u{2069}".as_bytes(),
    "\u{200e}".as_bytes(),
    "\u{061c}".as_bytes(),
    "\u{200b}".as_bytes(),
    "\u{200d}".as_bytes(),
    "\u{2060}".as_bytes(),
    "\u{feff}".as_bytes(),
    "\u{ad}".as_bytes(),
    "\u{e0041}".as_bytes(),
    // Terminal control sequences.
    b"\x1b[2K\x1b[1A",
    b"\x1b]0;title\x07",
    b"\x08\x08\x08",
    b"\x7f",
    "\u{9b}2J".as_bytes(),
    // The end of an SQL statement.
    b"'); DELETE FROM records; --",
    // Harmless text, which must stay unchanged.
    b"plain",
    "Grüße, 世界! \u{1f980}".as_bytes(),
    "e\u{301}\u{1f1e9}\u{1f1ea}".as_bytes(),
];

/// Parts that are invalid UTF-8.
const NO_TEXT: &[&[u8]] = &[
    b"\xff",
    b"\xc0\x80",
    b"\xe2\x80",
    b"\xf4\x90\x80\x80",
    // Halves of a surrogate pair, and both, encoded as in CESU-8.
    b"\xed\xa0\x80",
    b"\xed\xb0\x80",
    b"\xed\xa0\xbd\xed\xb8\x80",
];

/// The next hostile string.
pub(super) fn any(random: &mut Random) -> Vec<u8> {
    match random.below(20) {
        0 => Vec::new(),
        1 => long(random),
        2 | 3 => {
            let mut bytes = of_parts(random);
            let at = random.below(bytes.len() + 1);
            let part = *random.pick(NO_TEXT);
            bytes.splice(at..at, part.iter().copied());
            bytes
        }
        4 => any_characters(random).into_bytes(),
        _ => of_parts(random),
    }
}

fn of_parts(random: &mut Random) -> Vec<u8> {
    let count = 1 + random.below(12);
    let mut bytes = Vec::new();
    for _ in 0..count {
        let part: &&[u8] = random.pick(PARTS);
        bytes.extend_from_slice(part);
    }
    bytes
}

/// Lengths around the maximum of an entry, and far beyond.
fn long(random: &mut Random) -> Vec<u8> {
    let length = match random.below(3) {
        0 => 4096 - 20 + random.below(40),
        1 => random.below(100_000),
        _ => 4000,
    };
    let mut bytes = Vec::new();
    while bytes.len() < length {
        let part: &&[u8] = random.pick(PARTS);
        bytes.extend_from_slice(part);
    }
    // Some are cut within a character.
    bytes.truncate(length);
    bytes
}

/// Characters of all planes, more often from blocks with deceptive ones.
fn any_characters(random: &mut Random) -> String {
    let mut next = || {
        let end = [0x80, 0x100, 0x3000, 0x0011_0000][random.below(4)];
        u32::try_from(random.below(end)).expect("a code point")
    };
    (0..30).filter_map(|_| char::from_u32(next())).collect()
}
