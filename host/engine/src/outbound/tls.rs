//! TLS client configuration with the certificate authorities of the system.

use std::sync::Arc;

use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};

use super::OutboundError;
use crate::system_clock::SystemClock;

/// Loads the root certificates of the system, or those of `SSL_CERT_FILE` and `SSL_CERT_DIR`.
///
/// # Errors
///
/// Fails if there are none.
pub(super) fn config() -> Result<Arc<ClientConfig>, OutboundError> {
    let found = rustls_native_certs::load_native_certs();
    for error in &found.errors {
        tracing::warn!("cannot read some certificates of the system: {error}");
    }
    let mut roots = RootCertStore::empty();
    let (added, _) = roots.add_parsable_certificates(found.certs);
    if added == 0 {
        return Err(OutboundError::NoRoots);
    }
    let mut config = ClientConfig::builder_with_provider(ring::default_provider().into())
        .with_safe_default_protocol_versions()
        .map_err(OutboundError::Tls)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.time_provider = Arc::new(SystemClock);
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}
