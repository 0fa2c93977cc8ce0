//! Pictures of a composition, as text in a format that other programs draw.
//!
//! - `model`: the structure with indices in place of names, and with the imports
//!   of one package together. Every format is written from it.
//! - `mermaid`, `dot`: for programs that lay out the picture themselves.
//! - `layout`: where everything of our own picture is; `svg` only draws it.
//!
//! A structure may be read from a file that anybody wrote. So names are escaped,
//! and parts may be missing, named twice or wired in a circle.

mod blocks;
mod dot;
mod escape;
mod interface;
mod layers;
mod layout;
mod mermaid;
mod model;
mod order;
mod place;
mod routes;
#[cfg(test)]
mod samples;
mod scene;
mod size;
mod svg;
mod text;

use crate::structure::Structure;
use model::Model;

/// What a picture of an import says if it is outside of the `wasi` namespace.
const MISSING: &str = "dashed: no plain WASI host offers it";

/// The format of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GraphFormat {
    /// A picture that is ready to look at.
    Svg,
    /// A flow chart for Mermaid, as Markdown renderers draw it.
    Mermaid,
    /// A graph for the programs of Graphviz.
    Dot,
    /// The structure itself, for programs.
    Json,
}

/// Draws a composition: the parts, the wires between them, what the whole exports
/// and what it imports from its host.
///
/// An import outside of the `wasi` namespace is dashed, because a host that offers
/// only WASI does not have it. Equal structures give equal text.
///
/// ```
/// use compose::{GraphFormat, Part, Structure, graph};
///
/// let structure = Structure {
///     name: "app".to_owned(),
///     parts: vec![Part::new("cipher", b"its bytes")],
///     wires: vec![],
///     imports: vec![],
///     exports: vec![],
///     ..Structure::default()
/// };
///
/// let picture = graph(&structure, GraphFormat::Mermaid);
///
/// assert!(picture.starts_with("flowchart LR\n"));
/// assert!(picture.contains("cipher"));
/// ```
#[must_use]
pub fn graph(structure: &Structure, format: GraphFormat) -> String {
    match format {
        GraphFormat::Svg => svg::draw(&Model::new(structure)),
        GraphFormat::Mermaid => mermaid::draw(&Model::new(structure)),
        GraphFormat::Dot => dot::draw(&Model::new(structure)),
        GraphFormat::Json => json(structure),
    }
}

fn json(structure: &Structure) -> String {
    let mut text = sanitize::json::pretty(structure);
    text.push('\n');
    text
}
