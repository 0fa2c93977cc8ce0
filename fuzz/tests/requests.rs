//! Cases of the corpus, mutated at random.

use std::sync::LazyLock;

use end_to_end::corpus::{self, http1::Step};
use proptest::prelude::*;
use proptest::sample::{Index, select};

/// The longest case that is changed: those of many kilobytes are about limits.
const MAX_BYTES: usize = 2000;

/// What all cases of the corpus send.
static SEEDS: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let themes = corpus::themes("http1");
    let cases = themes.iter().flat_map(|theme| corpus::http1::load(theme));
    let sent = cases.map(|case| {
        let steps = case.steps.into_iter();
        steps.fold(Vec::new(), |mut sent, step| {
            if let Step::Send(bytes) = step {
                sent.extend(bytes);
            }
            sent
        })
    });
    sent.filter(|sent| sent.len() < MAX_BYTES).collect()
});

/// Bytes and words on which it depends how a request is read.
const MARKS: [&[u8]; 22] = [
    b"\r",
    b"\n",
    b"\r\n",
    b"\r\n\r\n",
    b"\0",
    b"\t",
    b" ",
    b":",
    b";",
    b",",
    b"0",
    b"5",
    b"\xff",
    b"\x0b",
    b"HTTP/1.0",
    b"chunked",
    b"gzip",
    b"Content-Length: 5\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Connection: close\r\n",
    b"Expect: 100-continue\r\n",
    b"GET /inner HTTP/1.1\r\nHost: test\r\n\r\n",
];

/// One change of an input.
#[derive(Debug, Clone)]
enum Change {
    Insert(Index, &'static [u8]),
    Set(Index, u8),
    Remove(Index, usize),
    Repeat(Index, usize),
    Cut(Index),
    Append(usize),
    Splice(Index, usize, Index),
}

fn change() -> impl Strategy<Value = Change> {
    let seed = 0..SEEDS.len();
    prop_oneof![
        (any::<Index>(), select(&MARKS[..])).prop_map(|(at, mark)| Change::Insert(at, mark)),
        (any::<Index>(), any::<u8>()).prop_map(|(at, byte)| Change::Set(at, byte)),
        (any::<Index>(), 1..20_usize).prop_map(|(at, count)| Change::Remove(at, count)),
        (any::<Index>(), 1..60_usize).prop_map(|(at, count)| Change::Repeat(at, count)),
        any::<Index>().prop_map(Change::Cut),
        seed.clone().prop_map(Change::Append),
        (any::<Index>(), seed, any::<Index>())
            .prop_map(|(at, seed, from)| Change::Splice(at, seed, from)),
    ]
}

fn apply(input: &mut Vec<u8>, change: &Change) {
    let place = |at: &Index| at.index(input.len() + 1);
    match change {
        Change::Insert(at, mark) => {
            let at = place(at);
            input.splice(at..at, mark.iter().copied());
        }
        Change::Set(at, byte) => {
            let at = place(at);
            if let Some(old) = input.get_mut(at) {
                *old = *byte;
            }
        }
        Change::Remove(at, count) => {
            let at = place(at);
            let end = (at + count).min(input.len());
            input.drain(at..end);
        }
        Change::Repeat(at, count) => {
            let at = place(at);
            let end = (at + count).min(input.len());
            let part = input[at..end].to_owned();
            input.splice(at..at, part);
        }
        Change::Cut(at) => {
            let at = place(at);
            input.truncate(at);
        }
        Change::Append(seed) => input.extend_from_slice(&SEEDS[*seed]),
        Change::Splice(at, seed, from) => {
            let at = place(at);
            input.truncate(at);
            let other = &SEEDS[*seed];
            input.extend_from_slice(&other[from.index(other.len() + 1)..]);
        }
    }
}

#[test]
fn every_case_of_the_corpus_is_read_in_one_way() {
    assert!(SEEDS.len() > 220, "{}", SEEDS.len());
    for seed in SEEDS.iter() {
        for at_once in [1, 7, 1000] {
            fuzz::check(seed, at_once);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn whatever_becomes_of_a_case_is_read_in_one_way(
        seed in 0..SEEDS.len(),
        changes in prop::collection::vec(change(), 1..6),
        at_once in 1..100_usize,
    ) {
        let mut input = SEEDS[seed].clone();
        for change in &changes {
            apply(&mut input, change);
        }
        fuzz::check(&input, at_once);
    }

    #[test]
    fn bytes_that_mean_nothing_do_no_harm(
        input in prop::collection::vec(any::<u8>(), 0..300),
        at_once in 1..100_usize,
    ) {
        fuzz::check(&input, at_once);
    }
}
