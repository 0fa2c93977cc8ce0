//! The host function `http-error-code`.
//!
//! An incoming body fails with [`Error`], but wasmtime's own implementation looks for an
//! [`ErrorCode`] and finds none, so that guests could not tell a timeout from a body that broke
//! off.

use wasmtime::component::{Linker, Resource};
use wasmtime::{Result, StoreContextMut};
use wasmtime_wasi::p2::IoError;
use wasmtime_wasi_http::p2::bindings::http::types::{ErrorCode, TlsAlertReceivedPayload};
use wasmtime_wasi_http::{Error, WasiHttpView};

use super::state::State;

/// Puts the function in place of the one that `linker` has.
pub(super) fn add_to_linker(linker: &mut Linker<State>) -> Result<()> {
    linker.instance("wasi:http/types@0.2.12")?.func_wrap(
        "http-error-code",
        |mut store: StoreContextMut<'_, State>, (error,): (Resource<IoError>,)| {
            let state = store.data_mut();
            Ok((code(state.http().table.get(&error)?),))
        },
    )
}

/// The code of an error of a stream. None if it is no error of HTTP.
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
        // The head was taken.
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
    fn an_error_of_a_body_has_a_code_whichever_type_it_has() {
        let found = code(&ErrorCode::LoopDetected.into());
        assert!(matches!(found, Some(ErrorCode::LoopDetected)), "{found:?}");
        let found = code(&Error::ConnectionReadTimeout.into());
        assert!(matches!(found, Some(ErrorCode::ConnectionReadTimeout)));
        let found = code(&Error::LoopDetected.into());
        assert!(matches!(found, Some(ErrorCode::InternalError(Some(_)))));
        assert!(code(&wasmtime::Error::msg("no error of HTTP")).is_none());
    }
}
