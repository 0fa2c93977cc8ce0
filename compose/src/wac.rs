//! Compositions as text, in the language WAC: reading and writing it.

mod emit;
mod excerpt;
mod exports;
mod id;
mod labels;
mod nesting;
mod packages;

use std::error::Error;

use sanitize::line;
use wac_graph::{CompositionGraph, EncodeOptions, NodeId, NodeKind};
use wac_parser::Document;
use wac_parser::resolution::Resolution;
use wasmparser::Validator;

use crate::assemble::pass_types;
use crate::component::Component;
use crate::guard::guard;
use crate::open_imports::{OpenImport, name_types};
use crate::type_imports::{TypeImports, type_imports};
use crate::wac::excerpt::Source;
use crate::wac::packages::Packages;

pub use emit::emit_wac;

/// Why a WAC text was not composed.
///
/// Messages about the text begin with `FILE:LINE:COLUMN:` and show the line.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WacError {
    /// The text breaks the grammar, refers to what is not there, or connects what
    /// does not fit.
    #[error("{excerpt}")]
    Text {
        /// What is wrong and where, with the lines.
        excerpt: String,
    },
    /// The text uses packages that were not given.
    #[error("{excerpt}")]
    MissingPackages {
        /// The names of the packages, in the order of the text.
        names: Vec<String>,
        /// What is missing, where it is used, and how to give it.
        excerpt: String,
    },
    /// The WIT that was given is not valid.
    #[error("{excerpt}")]
    Wit {
        /// What is wrong and where.
        excerpt: String,
    },
    /// Two components have the same name.
    #[error("two components are named `{name}`; give one of them another name")]
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
        /// What the validator said.
        reason: String,
    },
    /// `wac` refused the composition without saying where.
    #[error("`wac` refused the composition of `{file}`")]
    Wac {
        /// The name of the text.
        file: String,
        /// What it said.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
}

/// Composes what the WAC text `text` says and returns the component, valid.
///
/// `file` is the name of the text, for messages. A package of the text stands for
/// the component whose name is the name of the package, `cipher:caesar` or with
/// a version `cipher:caesar@1.0.0`; or else its last word, `caesar`; or else a
/// name that becomes this word when all but letters and digits becomes hyphens.
/// Components that the text does not use make no difference.
///
/// What the text leaves open with `...` is imported once for all who import it,
/// in the highest version on its track.
///
/// Equal inputs give byte-identical results.
///
/// # Errors
///
/// Returns a [`WacError`] that shows the place in the text, wherever there is one.
pub fn run_wac(file: &str, text: &str, packages: &[Component]) -> Result<Vec<u8>, WacError> {
    run_wac_with_wit(file, text, packages, &[])
}

/// Like [`run_wac`], with packages of WIT that the text may name, too: in `targets`, and
/// for interfaces. Each of `wit` is a file name and what is in the file; the packages of
/// WASI 0.2 are known.
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
    refuse_equal_names(packages)?;
    let text = text.trim_start_matches('\u{feff}');
    let source = Source { file, text };
    let bytes = guard(|| compose(&source, packages, wit)).map_err(|panic| WacError::Wac {
        file: file.to_owned(),
        source: panic.into(),
    })??;
    let validated = guard(|| Validator::new().validate_all(&bytes).map(|_| ()));
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

/// What the validator says, and what to do about it, where that is known.
fn with_remedy(message: &str) -> String {
    let remedy = if message.contains("not valid to be used as export") {
        "; one of its types is that of an interface which another component provides: export that \
         interface, too"
    } else if message.contains("func not valid to be used as import") {
        "; one of its types is that of an interface which another component provides: pass a \
         function of a component, or leave the interface open, too"
    } else {
        ""
    };
    format!("{message}{remedy}")
}

fn refuse_equal_names(components: &[Component]) -> Result<(), WacError> {
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
    nesting::refuse_deep(source)?;
    let document = Document::parse(source.text).map_err(|error| source.syntax(&error))?;
    let packages = Packages::used_by(&document, source.text);
    let resolution = document
        .resolve(packages.bytes(source, components, wit)?)
        .map_err(|error| source.error(&error))?;
    // Only for its errors, which know their place in the text.
    resolution
        .encode(options())
        .map_err(|error| source.error(&error))?;

    let mut graph = Resolution::into_graph(resolution);
    pass_named_types(source, &mut graph)?;
    exports::put_in_order(source, &mut graph)?;
    let open_imports = open_imports(&graph);
    name_types(graph.types_mut(), &open_imports);
    let bytes = graph.encode(options()).map_err(|error| WacError::Wac {
        file: source.file.to_owned(),
        source: error.into(),
    })?;
    Ok(labels::without_interfaces(bytes))
}

/// Passes the types that instances import by name and that the text leaves open.
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

/// What `...` leaves to the host.
fn open_imports(graph: &CompositionGraph) -> Vec<OpenImport> {
    let mut open: Vec<OpenImport> = Vec::new();
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
            let is_known = |other: &OpenImport| other.world == world && other.name == *name;
            if !given.contains(&name.as_str()) && !open.iter().any(is_known) {
                open.push(OpenImport {
                    world,
                    name: name.clone(),
                });
            }
        }
    }
    open
}
