//! Compositions as text in the WAC language.
//!
//! - `packages`: the components and WIT packages that a text refers to
//! - `limits`: limits on nesting and types
//! - `source`: errors with an excerpt of the text
//! - `exports`: the order of exports; `import_names`: imports with a plain name
//! - `emit`, `id`: compositions and names as text

mod emit;
mod exports;
mod id;
mod import_names;
mod limits;
mod packages;
mod source;

use std::error::Error;

use sanitize::line;
use wac_graph::{CompositionGraph, EncodeOptions, NodeId, NodeKind};
use wac_parser::Document;
use wac_parser::resolution::Resolution;
use wasmparser::Validator;

use crate::binary::type_imports::{TypeImports, type_imports};
use crate::catch_panic::catch_panic;
use crate::encode::assemble::pass_types;
use crate::encode::unresolved_imports::{UnresolvedImport, assign_types};
use crate::model::component::Component;
use packages::Packages;
use source::Source;

pub use emit::emit_wac;

/// Why a WAC text was not composed.
///
/// Messages about the text begin with `FILE:LINE:COLUMN:` and contain the line.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WacError {
    /// The text has a syntax error, an unresolved reference or a type mismatch.
    #[error("{excerpt}")]
    Text {
        /// Position, message and the lines.
        excerpt: String,
    },
    /// The text uses packages without a component.
    #[error("{excerpt}")]
    MissingPackages {
        /// The names of the packages, in text order.
        names: Vec<String>,
        /// The missing packages, their positions, and the remedy.
        excerpt: String,
    },
    /// The WIT is not valid.
    #[error("{excerpt}")]
    Wit {
        /// Position and message.
        excerpt: String,
    },
    /// Two components have the same name.
    #[error("duplicate component name `{name}`; rename one of the components")]
    EqualNames {
        /// The name.
        name: String,
    },
    /// The encoded composition is not valid.
    #[error(
        "the composition of `{file}` is not a valid component: {}",
        line(reason)
    )]
    Invalid {
        /// The name of the text.
        file: String,
        /// Message of the validator.
        reason: String,
    },
    /// `wac` rejected the composition without a position.
    #[error("`wac` rejected the composition of `{file}`")]
    Wac {
        /// The name of the text.
        file: String,
        /// Error of `wac`.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
}

/// Composes the WAC text `text` and returns the component, valid.
///
/// `file` is the name of the text, for messages. A package of the text refers to the
/// component with the name of the package, `cipher:caesar` or with a version
/// `cipher:caesar@1.0.0`; or else with its last word, `caesar`; or else with a name that
/// becomes this word when other characters than letters and digits become hyphens.
/// Components that the text does not use are ignored.
///
/// An import that the text leaves unresolved with `...` is imported once for all importers,
/// in the highest version on its track.
///
/// Equal inputs give byte-identical results.
///
/// # Errors
///
/// Returns a [`WacError`], with the position in the text if it is known.
pub fn run_wac(file: &str, text: &str, packages: &[Component]) -> Result<Vec<u8>, WacError> {
    run_wac_with_wit(file, text, packages, &[])
}

/// Like [`run_wac`], with WIT packages that the text may refer to, in `targets` and for
/// interfaces. Each of `wit` is a pair of file name and contents; the packages of WASI 0.2
/// are built in.
///
/// # Errors
///
/// Those of [`run_wac`], and one if the WIT is not valid.
pub fn run_wac_with_wit(
    file: &str,
    text: &str,
    packages: &[Component],
    wit: &[(String, String)],
) -> Result<Vec<u8>, WacError> {
    reject_duplicate_names(packages)?;
    let text = text.trim_start_matches('\u{feff}');
    let source = Source { file, text };
    let bytes =
        catch_panic(|| compose(&source, packages, wit)).map_err(|panic| WacError::Wac {
            file: file.to_owned(),
            source: panic.into(),
        })??;
    let validated = catch_panic(|| Validator::new().validate_all(&bytes).map(|_| ()));
    let reason = match validated {
        Ok(Ok(())) => return Ok(bytes),
        Ok(Err(error)) => with_remedy(error.message()),
        Err(panic) => panic.to_string(),
    };
    Err(WacError::Invalid {
        file: file.to_owned(),
        reason,
    })
}

/// The message of the validator, with the remedy if it is known.
fn with_remedy(message: &str) -> String {
    let remedy = if message.contains("not valid to be used as export") {
        "; it uses a type of an interface that another component provides: export that interface \
         as well"
    } else if message.contains("func not valid to be used as import") {
        "; it uses a type of an interface that another component provides: pass a function of a \
         component, or leave that interface unresolved as well"
    } else {
        ""
    };
    format!("{message}{remedy}")
}

fn reject_duplicate_names(components: &[Component]) -> Result<(), WacError> {
    let mut names: Vec<&str> = components.iter().map(Component::name).collect();
    names.sort_unstable();
    match names.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(WacError::EqualNames {
            name: pair[0].to_owned(),
        }),
        None => Ok(()),
    }
}

fn compose(
    source: &Source<'_>,
    components: &[Component],
    wit: &[(String, String)],
) -> Result<Vec<u8>, WacError> {
    limits::check(source)?;
    let document = Document::parse(source.text).map_err(|error| source.syntax(&error))?;
    let packages = Packages::used_by(&document, source.text);
    let resolution = document
        .resolve(packages.bytes(source, components, wit)?)
        .map_err(|error| source.error(&error))?;
    // Encoded only for the errors, which have positions in the text.
    resolution
        .encode(options())
        .map_err(|error| source.error(&error))?;

    let mut graph = Resolution::into_graph(resolution);
    pass_named_types(source, &mut graph)?;
    exports::sort(source, &mut graph)?;
    let unresolved = unresolved_imports(&graph);
    assign_types(graph.types_mut(), &unresolved);
    let bytes = graph.encode(options()).map_err(|error| WacError::Wac {
        file: source.file.to_owned(),
        source: error.into(),
    })?;
    Ok(import_names::without_interfaces(bytes))
}

/// Passes the types that instances import by name and that the text leaves unresolved.
fn pass_named_types(source: &Source<'_>, graph: &mut CompositionGraph) -> Result<(), WacError> {
    let instantiations = graph.node_ids().filter_map(|id| {
        let node = &graph[id];
        let is_instance = matches!(node.kind(), NodeKind::Instantiation(_));
        let package = node.package().filter(|_| is_instance)?;
        Some((id, type_imports(graph[package].bytes())))
    });
    let instantiations: Vec<(NodeId, TypeImports)> = instantiations.collect();
    for (instance, types) in instantiations {
        pass_types(graph, instance, &types).map_err(|error| WacError::Wac {
            file: source.file.to_owned(),
            source: error,
        })?;
    }
    Ok(())
}

fn options() -> EncodeOptions<'static> {
    EncodeOptions {
        define_components: true,
        validate: false,
        processor: None,
    }
}

/// The imports that `...` leaves to the host.
fn unresolved_imports(graph: &CompositionGraph) -> Vec<UnresolvedImport> {
    let mut unresolved: Vec<UnresolvedImport> = Vec::new();
    for id in graph.node_ids() {
        let node = &graph[id];
        let (NodeKind::Instantiation(_), Some(package)) = (node.kind(), node.package()) else {
            continue;
        };
        let world = graph[package].ty();
        let given: Vec<&str> = graph
            .get_instantiation_arguments(id)
            .map(|(name, _)| name)
            .collect();
        for name in graph.types()[world].imports.keys() {
            let is_known = |other: &UnresolvedImport| other.world == world && other.name == *name;
            if !given.contains(&name.as_str()) && !unresolved.iter().any(is_known) {
                unresolved.push(UnresolvedImport {
                    world,
                    name: name.clone(),
                });
            }
        }
    }
    unresolved
}
