//! All hostile guests, and those for WASI 0.2.

use std::sync::LazyLock;

use super::table_03::TABLE_03;
use super::{Answer, Behaviour, Client, Wasi};

pub(super) const GOOD: &[Answer] = &[Answer::Good];
pub(super) const FAILED: &[Answer] = &[Answer::Problem(500)];
/// It stays within its limits, which takes long on a busy machine.
pub(super) const GOOD_OR_LATE: &[Answer] = &[Answer::Good, Answer::Problem(504)];
pub(super) const LATE: &[Answer] = &[Answer::Problem(504)];
pub(super) const SLOW: &[Answer] = &[Answer::Problem(408)];
pub(super) const BROKEN: &[Answer] = &[Answer::Broken];
pub(super) const UNSEEN: &[Answer] = &[Answer::Unseen];
pub(super) const NO_CONTENT: &[Answer] = &[Answer::Empty(204)];
pub(super) const NOT_MODIFIED: &[Answer] = &[Answer::Empty(304)];
pub(super) const LATE_OR_BROKEN: &[Answer] = &[Answer::Problem(504), Answer::Broken];
pub(super) const LATE_OR_FAILED: &[Answer] = &[Answer::Problem(504), Answer::Problem(500)];
/// On a busy machine a guest may have failed before anything was sent.
pub(super) const FAILED_OR_BROKEN: &[Answer] = &[Answer::Problem(500), Answer::Broken];
/// The guest fails after it has set its response, of which all, a part or nothing was sent.
pub(super) const ANY: &[Answer] = &[Answer::Problem(500), Answer::Broken, Answer::Good];

/// Makes the table of a version of WASI: name, client, answers, limit.
macro_rules! rows {
    ($wasi:ident $($name:literal $client:ident $answers:ident $limit:literal;)*) => {
        &[$(Behaviour {
            wasi: Wasi::$wasi,
            name: $name,
            client: Client::$client,
            answers: $answers,
            limit: $limit,
        }),*]
    };
}

pub(super) use rows;

/// All hostile guests.
#[must_use]
pub fn table() -> &'static [Behaviour] {
    static ALL: LazyLock<Vec<Behaviour>> = LazyLock::new(|| [TABLE, TABLE_03].concat());

    &ALL
}

const TABLE: &[Behaviour] = rows! { V02
    "loop" Plain LATE "--cpu-timeout";
    "loop-with-calls" Plain LATE "--cpu-timeout";
    "loop-after-set" Plain LATE_OR_BROKEN "--cpu-timeout";
    "loop-in-body" Plain BROKEN "--cpu-timeout";
    "loop" Leaves UNSEEN "the end of its client";
    "recurse" Plain FAILED "the stack of a guest";
    "trap" Plain FAILED "a trap";
    "divide" Plain FAILED "a trap";
    "call-nothing" Plain FAILED "a trap";
    "exit-ok" Plain FAILED "a trap";
    "exit-error" Plain FAILED "a trap";
    "exit-in-body" Plain BROKEN "a trap";
    "grow-and-touch" Plain GOOD_OR_LATE "--max-memory";
    "hold-memory" Plain LATE "--max-memory, --request-timeout";
    "grow-for-ever" Plain LATE "--cpu-timeout";
    "grow-too-much" Plain GOOD_OR_LATE "--max-memory";
    "table-grow" Plain GOOD "--max-table-elements";
    "table-for-ever" Plain LATE "--cpu-timeout";
    "read-outside" Plain FAILED "a trap";
    "leak-fields" Plain FAILED "--max-handles";
    "leak-pollables" Plain FAILED "--max-handles";
    "leak-streams" Plain FAILED "--max-handles";
    "leak-responses" Plain FAILED "--max-handles";
    "handle-not-owned" Plain FAILED "a trap";
    "handle-of-another-kind" Plain FAILED "a trap";
    "give-outside" Plain FAILED "a trap";
    "give-nothing" Plain FAILED "a trap";
    "give-for-ever" Plain LATE "--cpu-timeout";
    "give-recursing" Plain FAILED "the stack of a guest";
    "list-outside" Plain FAILED "a trap";
    "list-huge" Plain FAILED "--max-hostcall-memory";
    "list-of-4-gib" Plain FAILED "a trap";
    "text-not-utf-8" Plain FAILED "a trap";
    "random-huge" Plain FAILED "the most random bytes in one call";
    "random-for-ever" Plain LATE "--cpu-timeout";
    "print-for-ever" Plain LATE "--max-output, --cpu-timeout";
    "print-without-lines" Plain LATE "--max-output, --cpu-timeout";
    "print-much-at-once" Plain LATE "--max-output, --cpu-timeout";
    "print-in-pieces" Plain GOOD "nothing";
    "sleep" Plain LATE "--request-timeout";
    "sleep-in-body" Plain BROKEN "--response-idle-timeout";
    "sleep-after-body" Plain GOOD "--post-return-timeout";
    "write-slowly" Plain GOOD "nothing";
    "sleep" Leaves UNSEEN "the end of its client";
    "sleep-in-body" Leaves UNSEEN "the end of its client";
    "wait-for-nothing" Plain LATE "--cpu-timeout";
    "ask-whether-ready" Plain LATE "--cpu-timeout";
    "poll-many" Plain GOOD "nothing";
    "poll-too-many" Plain FAILED "--max-handles";
    "poll-the-same" Plain FAILED "--max-hostcall-memory";
    "poll-nothing" Plain FAILED "a trap";
    "silent" Plain FAILED "nothing";
    "error" Plain FAILED "nothing";
    "error-long" Plain FAILED "nothing";
    "trap-after-set" Plain ANY "a trap";
    "trap-after-body" Plain ANY "a trap";
    "set-twice" Plain ANY "a trap";
    "finish-twice" Plain ANY "a trap";
    "write-after-finish" Plain ANY "a trap";
    "trap-in-body" Plain FAILED_OR_BROKEN "a trap";
    "trap-in-length" Plain BROKEN "a trap";
    "finish-while-writing" Plain BROKEN "a trap";
    "set-nothing" Plain FAILED "a trap";
    "body-twice" Plain GOOD "nothing";
    "drop-body" Plain FAILED_OR_BROKEN "nothing";
    "leave-body" Plain FAILED_OR_BROKEN "nothing";
    "leave-at-once" Plain FAILED_OR_BROKEN "nothing";
    "leave-too-much" Plain FAILED_OR_BROKEN "nothing";
    "length-of-nothing" Plain FAILED "nothing";
    "end-in-body" Plain GOOD "nothing";
    "length-too-large" Plain BROKEN "nothing";
    "length-too-small" Plain ANY "nothing";
    "status-0" Plain GOOD "nothing";
    "status-99" Plain GOOD "nothing";
    "status-1000" Plain GOOD "nothing";
    "status-65535" Plain GOOD "nothing";
    "status-100" Plain FAILED "nothing";
    "status-101" Plain FAILED "nothing";
    "status-204" Plain NO_CONTENT "nothing";
    "status-304" Plain NOT_MODIFIED "nothing";
    "write-for-ever" Plain BROKEN "--max-response-body";
    "write-byte-by-byte" Plain BROKEN "--cpu-timeout";
    "write-nothing" Plain LATE_OR_BROKEN "--cpu-timeout";
    "write-for-ever" Deaf UNSEEN "--write-timeout";
    "write-for-ever" Leaves UNSEEN "the end of its client";
    "write-nothing" Deaf UNSEEN "--cpu-timeout";
    "header-many" Plain FAILED "--max-field-size";
    "header-huge" Plain FAILED "--max-field-size";
    "header-name-huge" Plain GOOD "nothing";
    "header-no-name" Plain GOOD "nothing";
    "header-name-space" Plain GOOD "nothing";
    "header-name-colon" Plain GOOD "nothing";
    "header-value-line" Plain GOOD "nothing";
    "header-value-zero" Plain GOOD "nothing";
    "header-coding" Plain GOOD "nothing";
    "header-connection" Plain GOOD "nothing";
    "header-keep-alive" Plain GOOD "nothing";
    "header-upgrade" Plain GOOD "nothing";
    "header-host" Plain GOOD "nothing";
    "header-length-twice" Plain GOOD "nothing";
    "header-length-invalid" Plain GOOD "nothing";
    "trailer-many" Plain FAILED_OR_BROKEN "--max-field-size";
    "trailer-huge" Plain FAILED_OR_BROKEN "--max-field-size";
    "trailer-length" Plain GOOD "nothing";
    "read-all" Body GOOD "nothing";
    "read-nothing" Body GOOD "nothing";
    "read-twice" Body GOOD "nothing";
    "read-huge" Body GOOD "nothing";
    "read-none-for-ever" Body LATE "--cpu-timeout";
    "read-all" SmallHalf SLOW "--min-body-rate";
    "read-all" LargeHalf LATE "--request-timeout";
    "read-nothing" LargeHalf GOOD "nothing";
    "sleep" LargeHalf LATE "--request-timeout";
    "send-to-loopback" Plain GOOD "--allow-outbound";
    "send-to-metadata" Plain GOOD "--allow-outbound";
    "send-to-localhost" Plain GOOD "--allow-outbound";
    "send-for-ever" Plain LATE "--cpu-timeout";
    "send-and-keep" Plain LATE_OR_FAILED "--max-outbound, --max-handles";
    "audit-for-ever" Plain LATE "--audit-max-entries, --cpu-timeout";
    "audit-huge" Plain GOOD "the largest entry";
    "audit-late" Plain GOOD "nothing";
    "audit-invalid" Plain GOOD "the rules of entries";
};
