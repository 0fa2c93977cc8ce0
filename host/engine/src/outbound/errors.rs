//! Error codes of `wasi:http` for failed outbound requests.

use std::error::Error as StdError;
use std::io::{self, ErrorKind};

use wasmtime_wasi_http::Error;

use super::body::BodyError;
use crate::host_memory::MAX_HEAD_BYTES;

/// The error of an established connection.
pub(super) fn from_hyper(error: &hyper::Error) -> Error {
    // The body of the request has failed, and it says why.
    if let Some(error) = find_cause::<BodyError>(error).and_then(BodyError::take) {
        return error;
    }
    if error.is_parse_too_large() {
        return Error::HttpResponseHeaderSectionSize(u32::try_from(MAX_HEAD_BYTES).ok());
    }
    if error.is_incomplete_message() {
        return Error::HttpResponseIncomplete;
    }
    if let Some(error) = find_cause::<io::Error>(error) {
        return match error.kind() {
            ErrorKind::UnexpectedEof => Error::HttpResponseIncomplete,
            // hyper's errors for bytes that it cannot parse.
            ErrorKind::InvalidData | ErrorKind::InvalidInput if find_tls(error).is_none() => {
                Error::HttpProtocolError
            }
            _ => from_io(error),
        };
    }
    if error.is_canceled() || error.is_closed() {
        return Error::ConnectionTerminated;
    }
    Error::HttpProtocolError
}

/// The error of a connection, before or after it was established.
pub(super) fn from_io(error: &io::Error) -> Error {
    if let Some(error) = find_tls(error) {
        return from_tls(error);
    }
    match error.kind() {
        ErrorKind::ConnectionRefused => Error::ConnectionRefused,
        ErrorKind::ConnectionReset
        | ErrorKind::ConnectionAborted
        | ErrorKind::BrokenPipe
        | ErrorKind::NotConnected
        | ErrorKind::UnexpectedEof => Error::ConnectionTerminated,
        ErrorKind::TimedOut => Error::ConnectionTimeout,
        ErrorKind::NetworkUnreachable | ErrorKind::HostUnreachable => {
            Error::DestinationIpUnroutable
        }
        _ => Error::DestinationUnavailable,
    }
}

fn from_tls(error: &rustls::Error) -> Error {
    match error {
        rustls::Error::InvalidCertificate(_) | rustls::Error::NoCertificatesPresented => {
            Error::TlsCertificateError
        }
        rustls::Error::AlertReceived(alert) => Error::TlsAlertReceived {
            alert_id: Some(u8::from(*alert)),
            alert_message: alert.as_str().map(ToOwned::to_owned),
        },
        _ => Error::TlsProtocolError,
    }
}

fn find_tls(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref()?.downcast_ref()
}

/// The first error of type `E` in the chain of causes of `error`.
fn find_cause<'a, E: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a E> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        cause = error.source();
    }
    None
}

#[cfg(test)]
mod tests {
    use rustls::{AlertDescription, CertificateError, PeerMisbehaved};

    use super::*;

    fn of_tls(error: rustls::Error) -> Error {
        from_io(&io::Error::new(ErrorKind::InvalidData, error))
    }

    #[test]
    fn an_untrusted_certificate_is_a_tls_certificate_error() {
        let error = of_tls(CertificateError::UnknownIssuer.into());
        assert!(matches!(error, Error::TlsCertificateError), "{error}");
        let error = of_tls(PeerMisbehaved::TooMuchEarlyDataReceived.into());
        assert!(matches!(error, Error::TlsProtocolError), "{error}");
    }

    #[test]
    fn a_tls_alert_has_its_number() {
        let error = of_tls(rustls::Error::AlertReceived(AlertDescription::AccessDenied));
        let Error::TlsAlertReceived { alert_id, .. } = error else {
            panic!("{error}");
        };
        assert_eq!(alert_id, Some(49));
    }
}
