//! The host function `http-error-code`.
//!
//! An incoming body fails with [`Error`], but wasmtime's implementation looks for an [`ErrorCode`],
//! finds none, and so guests could not distinguish a timeout from an aborted body.

use wasmtime::component::{Linker, Resource};
use wasmtime::{Result, StoreContextMut};
use wasmtime_wasi::p2::IoError;
use wasmtime_wasi_http::p2::bindings::http::types::{ErrorCode, TlsAlertReceivedPayload};
use wasmtime_wasi_http::{Error, WasiHttpView};

use super::state::State;

/// Replaces the function in `linker`.
pub(super) fn add_to_linker(linker: &mut Linker<State>) -> Result<()> {
    linker.instance("wasi:http/types@0.2.12")?.func_wrap(
        "http-error-code",
        |mut store: StoreContextMut<'_, State>, (error,): (Resource<IoError>,)| {
            let state = store.data_mut();
            Ok((code(state.http().table.get(&error)?),))
        },
    )
}

/// The HTTP error code of a stream error. None if it is another error.
fn code(error: &IoError) -> Option<ErrorCode> {
    let of_outgoing_body: Option<&ErrorCode> = error.downcast_ref();
    of_outgoing_body
        .cloned()
        .or_else(|| error.downcast_ref().map(of_incoming_body))
}

fn of_incoming_body(error: &Error) -> ErrorCode {
    match error {
        Error::ConnectionTerminated => ErrorCode::ConnectionTerminated,
        Error::ConnectionTimeout => ErrorCode::ConnectionTimeout,
        Error::ConnectionReadTimeout => ErrorCode::ConnectionReadTimeout,
        Error::DestinationUnavailable => ErrorCode::DestinationUnavailable,
        Error::DestinationIpUnroutable => ErrorCode::DestinationIpUnroutable,
        Error::HttpProtocolError => ErrorCode::HttpProtocolError,
        Error::HttpRequestBodySize(bytes) => ErrorCode::HttpRequestBodySize(*bytes),
        Error::HttpResponseIncomplete => ErrorCode::HttpResponseIncomplete,
        // The head was accepted, so these are the trailers.
        Error::HttpResponseHeaderSectionSize(bytes) => {
            ErrorCode::HttpResponseTrailerSectionSize(*bytes)
        }
        Error::TlsProtocolError => ErrorCode::TlsProtocolError,
        Error::TlsCertificateError => ErrorCode::TlsCertificateError,
        Error::TlsAlertReceived {
            alert_id,
            alert_message,
        } => ErrorCode::TlsAlertReceived(TlsAlertReceivedPayload {
            alert_id: *alert_id,
            alert_message: alert_message.clone(),
        }),
        error => ErrorCode::InternalError(Some(error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn http_error_code_is_found_for_incoming_and_outgoing_bodies() {
        let found = code(&ErrorCode::LoopDetected.into());
        assert!(matches!(found, Some(ErrorCode::LoopDetected)), "{found:?}");
        let found = code(&Error::ConnectionReadTimeout.into());
        assert!(matches!(found, Some(ErrorCode::ConnectionReadTimeout)));
        let found = code(&Error::LoopDetected.into());
        assert!(matches!(found, Some(ErrorCode::InternalError(Some(_)))));
        assert!(code(&wasmtime::Error::msg("not an HTTP error")).is_none());
    }
}
