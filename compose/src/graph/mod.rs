//! Pictures of a composition.
//!
//! - `model`: the composition with indices instead of names, and with the imports of one
//!   package merged; the input of every format
//! - `mermaid`, `dot`: formats whose programs compute the layout
//! - `layout`: a layered layout (Sugiyama's method); `svg`: its rendering
//! - `escape`, `interface_name`, `binary_size`, `text_width`: names, sizes and text widths
//!
//! A composition may be read from an untrusted file. Names are escaped, and nodes may be
//! missing, duplicate or wired in a cycle.

mod binary_size;
mod dot;
mod escape;
mod interface_name;
mod layout;
mod mermaid;
mod model;
#[cfg(test)]
mod samples;
mod svg;
mod text_width;

use crate::inspect::asynchronous::AsyncInterfaces;
use crate::model::composition::Composition;
use model::Model;

/// The legend of imports outside of the `wasi` namespace.
const MISSING: &str = "dashed: no plain WASI host offers it";

/// The format of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GraphFormat {
    /// A picture with its layout.
    Svg,
    /// A Mermaid flowchart, which Markdown renderers draw.
    Mermaid,
    /// A Graphviz graph.
    Dot,
    /// The composition itself as JSON.
    Json,
}

/// Draws a composition: its nodes, the wires between them, its exports and its host imports.
///
/// Imports outside of the `wasi` namespace are dashed, because a host with WASI only does
/// not provide them. Equal compositions give equal text.
///
/// ```
/// use compose::{GraphFormat, Node, Composition, graph};
///
/// let composition = Composition {
///     name: "app".to_owned(),
///     nodes: vec![Node::new("cipher", b"its bytes")],
///     wires: vec![],
///     imports: vec![],
///     exports: vec![],
///     ..Composition::default()
/// };
///
/// let picture = graph(&composition, GraphFormat::Mermaid);
///
/// assert!(picture.starts_with("flowchart LR\n"));
/// assert!(picture.contains("cipher"));
/// ```
#[must_use]
pub fn graph(composition: &Composition, format: GraphFormat) -> String {
    graph_with(composition, &AsyncInterfaces::default(), format)
}

/// Draws a composition like [`graph()`], and marks the interfaces with async functions, streams
/// or futures.
///
/// The format JSON has the composition only, so that it can be rebuilt from it.
#[must_use]
pub fn graph_with(
    composition: &Composition,
    async_interfaces: &AsyncInterfaces,
    format: GraphFormat,
) -> String {
    let model = || Model::new(composition, async_interfaces);
    match format {
        GraphFormat::Svg => svg::draw(&model()),
        GraphFormat::Mermaid => mermaid::draw(&model()),
        GraphFormat::Dot => dot::draw(&model()),
        GraphFormat::Json => json(composition),
    }
}

fn json(composition: &Composition) -> String {
    let mut text = sanitize::json::pretty(composition);
    text.push('\n');
    text
}
