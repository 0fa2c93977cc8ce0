//! Validity period of a certificate (RFC 5280, section 4.1.2.5), for a warning in the log: clients
//! reject an expired certificate, and the handshake does not tell the server why.

use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use rustls::pki_types::CertificateDer;

/// Time before the end of a certificate from which the log warns, if a third of its validity period
/// is not shorter.
const WARNING_TIME: SignedDuration = SignedDuration::from_hours(14 * 24);

/// The DER tags (X.690) on the way to the validity period.
const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// The validity period of a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Validity {
    begin: Timestamp,
    end: Timestamp,
}

/// Logs which certificates in the file `path` are not valid now, or expire soon.
pub(crate) fn warn(path: &Path, certificates: &[CertificateDer<'_>]) {
    let now = Timestamp::now();
    for (number, certificate) in (1..).zip(certificates) {
        let problem = Validity::of(certificate).and_then(|validity| validity.problem(now));
        if let Some(problem) = problem {
            let path = path.display();
            tracing::warn!("certificate {number} of {path} {problem}");
        }
    }
}

impl Validity {
    /// The period of `certificate`, or None if it is not encoded correctly: TLS reports that.
    fn of(certificate: &[u8]) -> Option<Self> {
        let (certificate, _) = expect(certificate, SEQUENCE)?;
        let (mut fields, _) = expect(certificate, SEQUENCE)?;
        if let Some((_, rest)) = expect(fields, VERSION) {
            fields = rest;
        }
        // Serial number, signature algorithm, issuer.
        for _ in 0..3 {
            (_, _, fields) = value(fields)?;
        }
        let (times, _) = expect(fields, SEQUENCE)?;
        let (tag, begin, times) = value(times)?;
        let begin = time(tag, begin)?;
        let (tag, end, _) = value(times)?;
        let end = time(tag, end)?;
        Some(Self { begin, end })
    }

    /// The problem with the certificate at this time, as the end of a sentence.
    fn problem(&self, now: Timestamp) -> Option<String> {
        let Self { begin, end } = *self;
        let warning_time = WARNING_TIME.min(end.duration_since(begin) / 3);
        if now > end {
            Some(format!("expired at {end}: clients refuse it; renew it"))
        } else if now < begin {
            Some(format!(
                "is not valid before {begin}: clients refuse it until then; check the clock of \
                 this machine"
            ))
        } else if end.duration_since(now) < warning_time {
            Some(format!("expires at {end}; renew it"))
        } else {
            None
        }
    }
}

/// Tag and content of the first value in `bytes`, and what follows it.
fn value(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&[tag, first], rest) = bytes.split_first_chunk()?;
    let (length, rest) = if first < 0x80 {
        (usize::from(first), rest)
    } else {
        let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
        let add =
            |length: usize, digit: &u8| length.checked_mul(256)?.checked_add(usize::from(*digit));
        (digits.iter().try_fold(0, add)?, rest)
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

/// Content of the first value in `bytes` if it has this tag, and what follows it.
fn expect(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (found, content, rest) = value(bytes)?;
    (found == tag).then_some((content, rest))
}

/// A point in time: `YYMMDDHHMMSSZ` of the years 1950 to 2049, or `YYYYMMDDHHMMSSZ`.
fn time(tag: u8, text: &[u8]) -> Option<Timestamp> {
    let text = str::from_utf8(text).ok()?.strip_suffix('Z')?;
    let text = match tag {
        UTC_TIME if text < "50" => format!("20{text}"),
        UTC_TIME => format!("19{text}"),
        GENERALIZED_TIME => text.to_owned(),
        _ => return None,
    };
    Timestamp::strptime("%Y%m%d%H%M%S%z", format!("{text}+0000")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    /// A certificate that has only the fields on the way to these times.
    fn certificate(begin: (u8, &str), end: (u8, &str)) -> Vec<u8> {
        let value = |tag: u8, content: &[u8]| {
            let length = u16::try_from(content.len()).unwrap().to_be_bytes();
            [&[tag, 0x82][..], &length, content].concat()
        };
        let times = [begin, end].map(|(tag, text)| value(tag, text.as_bytes()));
        let version = value(VERSION, &value(2, &[2]));
        let others = [value(2, &[1]), value(SEQUENCE, &[]), value(SEQUENCE, &[])].concat();
        let fields = [version, others, value(SEQUENCE, &times.concat())].concat();
        value(SEQUENCE, &value(SEQUENCE, &fields))
    }

    #[test]
    fn utc_time_and_generalized_time_are_parsed() {
        let bytes = certificate(
            (UTC_TIME, "491231235959Z"),
            (GENERALIZED_TIME, "20500101000000Z"),
        );
        let expected = Validity {
            begin: at("2049-12-31T23:59:59Z"),
            end: at("2050-01-01T00:00:00Z"),
        };
        assert_eq!(Validity::of(&bytes), Some(expected));
        for length in 0..bytes.len() {
            assert_eq!(Validity::of(&bytes[..length]), None, "{length}");
        }
        let old = time(UTC_TIME, b"500101000000Z");
        assert_eq!(old, Some(at("1950-01-01T00:00:00Z")));
    }

    #[test]
    fn a_certificate_that_expires_soon_or_is_not_valid_causes_a_warning() {
        let validity = Validity {
            begin: at("2026-01-01T00:00:00Z"),
            end: at("2026-04-01T00:00:00Z"),
        };
        for (now, expected) in [
            ("2025-12-31T00:00:00Z", Some("is not valid before")),
            ("2026-01-02T00:00:00Z", None),
            ("2026-03-17T00:00:00Z", None),
            ("2026-03-19T00:00:00Z", Some("expires at 2026-04-01")),
            ("2026-04-02T00:00:00Z", Some("expired at 2026-04-01")),
        ] {
            let problem = validity.problem(at(now));
            assert_eq!(problem.is_some(), expected.is_some(), "{now}: {problem:?}");
            assert!(problem.is_none_or(|problem| problem.contains(expected.unwrap())));
        }
        // A certificate that is valid for 6 days does not cause a warning from the beginning.
        let short = Validity {
            end: at("2026-01-07T00:00:00Z"),
            ..validity
        };
        assert_eq!(short.problem(at("2026-01-02T00:00:00Z")), None);
        assert!(short.problem(at("2026-01-06T00:00:00Z")).is_some());
    }
}
