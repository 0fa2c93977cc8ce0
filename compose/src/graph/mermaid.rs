//! The picture as a Mermaid flowchart.

use std::fmt::Write as _;

use super::MISSING;
use super::escape::mermaid as escape;
use super::model::Model;

/// Draws `model`.
pub(super) fn draw(model: &Model<'_>) -> String {
    let mut chart = "flowchart LR\n".to_owned();
    // Writing to a string does not fail.
    let _ = write(&mut chart, model);
    chart
}

fn write(chart: &mut String, model: &Model<'_>) -> std::fmt::Result {
    for (index, export) in model.exports.iter().enumerate() {
        let name = escape(&model.marked(export.name, export.name));
        writeln!(chart, r#"    e{index}(["{name}"])"#)?;
    }
    let (name, summary) = (escape(model.name), escape(&model.summary));
    writeln!(chart, r#"    subgraph whole["{name}, {summary}"]"#)?;
    for (index, node) in model.nodes.iter().enumerate() {
        let (name, size) = (escape(node.name), escape(&node.size));
        writeln!(chart, r#"        p{index}["{name}<br/>{size}"]"#)?;
    }
    chart.push_str("    end\n");
    for (index, package) in model.packages.iter().enumerate() {
        let names = package.interfaces.iter();
        let names: Vec<_> = names
            .map(|name| escape(&model.marked(name, name)))
            .collect();
        writeln!(chart, r#"    h{index}(["{}"])"#, names.join("<br/>"))?;
    }

    for (index, export) in model.exports.iter().enumerate() {
        let provider = export.provider;
        if export.name == export.original {
            writeln!(chart, "    e{index} --> p{provider}")?;
        } else {
            let label = escape(export.original);
            writeln!(chart, r#"    e{index} -->|"{label}"| p{provider}"#)?;
        }
    }
    for wire in &model.wires {
        let mut label = escape(&model.marked(wire.import, wire.import));
        if wire.import != wire.export {
            let _ = write!(label, "<br/>as {}", escape(wire.export));
        }
        let (from, to) = (wire.importer, wire.provider);
        writeln!(chart, r#"    p{from} -->|"{label}"| p{to}"#)?;
    }
    for imports in &model.imports {
        let (from, to) = (imports.importer, imports.provider);
        let labels: Vec<_> = imports.labels().map(escape).collect();
        let label = labels.join("<br/>");
        let arrow = if model.packages[to].is_wasi {
            "-->"
        } else {
            "-.->"
        };
        writeln!(chart, r#"    p{from} {arrow}|"{label}"| h{to}"#)?;
    }
    write_missing(chart, model)
}

/// Marks the packages outside of WASI.
fn write_missing(chart: &mut String, model: &Model<'_>) -> std::fmt::Result {
    let packages = model.packages.iter().enumerate();
    let missing = packages.filter(|(_, package)| !package.is_wasi);
    let mut nodes: Vec<_> = missing.map(|(index, _)| format!("h{index}")).collect();
    if nodes.is_empty() {
        return Ok(());
    }
    writeln!(chart, r#"    legend["{}"]"#, escape(MISSING))?;
    nodes.push("legend".to_owned());
    writeln!(
        chart,
        "    classDef missing stroke:#bc4c00,stroke-width:2px,stroke-dasharray:5 4"
    )?;
    writeln!(chart, "    class {} missing", nodes.join(","))
}
