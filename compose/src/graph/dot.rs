//! The picture as a Graphviz graph.

use std::fmt::Write as _;

use super::MISSING;
use super::escape::dot as escape;
use super::model::Model;

const HEAD: &str = r##"digraph composition {
    rankdir=LR;
    fontname="sans-serif";
    node [shape=box, style=rounded, fontname="monospace", fontsize=11];
    edge [color="#0969da", fontname="monospace", fontsize=10];
"##;

/// Draws `model`.
pub(super) fn draw(model: &Model<'_>) -> String {
    let mut graph = HEAD.to_owned();
    // Writing to a string does not fail.
    let _ = write(&mut graph, model);
    graph
}

fn write(graph: &mut String, model: &Model<'_>) -> std::fmt::Result {
    if model.packages.iter().any(|package| !package.is_wasi) {
        writeln!(graph, "    label=\"{MISSING}\";")?;
    }
    for (index, export) in model.exports.iter().enumerate() {
        let name = escape(&model.marked(export.name, export.name));
        writeln!(
            graph,
            "    e{index} [shape=cds, style=\"\", label=\"{name}\"];"
        )?;
    }
    graph.push_str("    subgraph cluster_whole {\n");
    let (name, summary) = (escape(model.name), &model.summary);
    writeln!(graph, "        label=\"{name}, {summary}\";")?;
    for (index, node) in model.nodes.iter().enumerate() {
        let (name, size) = (escape(node.name), &node.size);
        writeln!(graph, "        p{index} [label=\"{name}\\n{size}\"];")?;
    }
    graph.push_str("    }\n");
    for (index, package) in model.packages.iter().enumerate() {
        let names = package.interfaces.iter();
        let names: Vec<_> = names
            .map(|name| escape(&model.marked(name, name)))
            .collect();
        let label = names.join("\\l");
        let style = if package.is_wasi {
            "rounded"
        } else {
            "rounded,dashed"
        };
        let color = color(package.is_wasi);
        writeln!(
            graph,
            "    h{index} [label=\"{label}\\l\", style=\"{style}\", color=\"{color}\"];"
        )?;
    }
    if !model.packages.is_empty() {
        let hosts: Vec<_> = (0..model.packages.len())
            .map(|index| format!("h{index};"))
            .collect();
        writeln!(graph, "    {{ rank=sink; {} }}", hosts.join(" "))?;
    }

    for (index, export) in model.exports.iter().enumerate() {
        let provider = export.provider;
        let label = if export.name == export.original {
            String::new()
        } else {
            escape(export.original)
        };
        writeln!(graph, "    e{index} -> p{provider} [label=\"{label}\"];")?;
    }
    for wire in &model.wires {
        let mut label = escape(&model.marked(wire.import, wire.import));
        if wire.import != wire.export {
            let _ = write!(label, "\\nas {}", escape(wire.export));
        }
        let (from, to) = (wire.importer, wire.provider);
        writeln!(graph, "    p{from} -> p{to} [label=\"{label}\"];")?;
    }
    for imports in &model.imports {
        let (from, to) = (imports.importer, imports.provider);
        let labels: Vec<_> = imports.labels().map(escape).collect();
        let label = labels.join("\\n");
        let is_wasi = model.packages[to].is_wasi;
        let style = if is_wasi { "solid" } else { "dashed" };
        let color = color(is_wasi);
        writeln!(
            graph,
            "    p{from} -> h{to} [label=\"{label}\", style=\"{style}\", color=\"{color}\"];"
        )?;
    }
    graph.push_str("}\n");
    Ok(())
}

/// The colour of a host package and of its edges.
fn color(is_wasi: bool) -> &'static str {
    if is_wasi { "#8c959f" } else { "#bc4c00" }
}
