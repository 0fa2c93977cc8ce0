//! The version of WASI that a component is for.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The version of WASI whose HTTP handler a component exports.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum WasiVersion {
    /// `wasi:http/incoming-handler@0.2`.
    #[default]
    #[serde(rename = "0.2")]
    V02,
    /// `wasi:http/handler@0.3`.
    #[serde(rename = "0.3")]
    V03,
}

impl WasiVersion {
    /// The track of its interfaces, such as `0.2`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::V02 => "0.2",
            Self::V03 => "0.3",
        }
    }
}

impl fmt::Display for WasiVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
