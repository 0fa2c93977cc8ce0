//! The WIT packages of WASI that the library knows, as the repository keeps them.

use std::error::Error;

use wit_parser::{PackageId, Resolve};

/// The standard packages under `wit/deps`, each after those that it uses.
const WASI: [(&str, &str); 7] = [
    ("io.wit", include_str!("../../wit/deps/io.wit")),
    ("clocks.wit", include_str!("../../wit/deps/clocks.wit")),
    ("random.wit", include_str!("../../wit/deps/random.wit")),
    (
        "filesystem.wit",
        include_str!("../../wit/deps/filesystem.wit"),
    ),
    ("sockets.wit", include_str!("../../wit/deps/sockets.wit")),
    ("cli.wit", include_str!("../../wit/deps/cli.wit")),
    ("http.wit", include_str!("../../wit/deps/http.wit")),
];

/// Why WIT text was not understood.
#[derive(Debug, thiserror::Error)]
#[error("`{file}` is not valid WIT")]
pub struct WitError {
    /// The name of the text.
    file: String,
    /// What is wrong with it.
    #[source]
    source: Box<dyn Error + Send + Sync>,
}

/// Parses the packages of WASI and then `text`, which may use them.
///
/// Returns the package of `text`.
pub(crate) fn parse_with_wasi(file: &str, text: &str) -> Result<(Resolve, PackageId), WitError> {
    let mut resolve = Resolve::default();
    for (file, text) in WASI {
        push(&mut resolve, file, text)?;
    }
    let package = push(&mut resolve, file, text)?;
    Ok((resolve, package))
}

fn push(resolve: &mut Resolve, file: &str, text: &str) -> Result<PackageId, WitError> {
    resolve.push_source(file, text).map_err(|source| WitError {
        file: file.to_owned(),
        source: source.into(),
    })
}
