//! The blocks and edges of a model, with columns and without coordinates.

use std::collections::{BTreeMap, BTreeSet};

use super::block::{Block, BlockKind, Side};
use super::edge_routing::{Edge, Port};
use super::layering::layers;
use crate::graph::interface_name::InterfaceName;
use crate::graph::model::Model;
use crate::graph::text_width::{lines, shorten};

/// Maximum width of a line of details in a node, and in a package of the host, in columns
/// of text.
const NODE_DETAIL_WIDTH: i64 = 34;
const PACKAGE_DETAIL_WIDTH: i64 = 48;

/// The ports of exports, by node and name.
type ExportPorts<'a> = BTreeMap<(usize, &'a str), Port>;

/// The blocks with their columns, and the edges.
#[derive(Debug, Default)]
pub(super) struct LayeredGraph {
    pub(super) blocks: Vec<Block>,
    /// The column of each block; column 0 is left of the frame.
    pub(super) columns: Vec<usize>,
    /// The number of columns inside the frame.
    pub(super) layers: usize,
    pub(super) edges: Vec<Edge>,
}

impl LayeredGraph {
    /// Converts `model`.
    pub(super) fn new(model: &Model<'_>) -> Self {
        let mut scene = Self::default();
        scene.add_nodes(model);
        let export_ports = scene.add_export_rows(model);
        scene.add_wires(model, &export_ports);
        scene.add_exports(model, &export_ports);
        scene.add_imports(model);
        scene
    }

    /// Nodes are added first, so that the index of a node is the index of its block.
    fn add_nodes(&mut self, model: &Model<'_>) {
        let wires = model.wires.iter();
        let wires = wires.map(|wire| (wire.importer, wire.provider)).collect();
        let layers = layers(model.nodes.len(), &wires);
        self.layers = layers.iter().max().map_or(0, |last| last + 1);
        for (node, layer) in model.nodes.iter().zip(layers) {
            self.add(
                Block::new(BlockKind::Node, node.name, &node.size),
                1 + layer,
            );
        }
    }

    /// Exports are above imports in each block.
    fn add_export_rows<'a>(&mut self, model: &Model<'a>) -> ExportPorts<'a> {
        let wires = model.wires.iter().map(|wire| (wire.provider, wire.export));
        let exports = model.exports.iter();
        let exports = exports.map(|export| (export.provider, export.original));
        let mut export_ports = ExportPorts::new();
        for (block, export) in wires.chain(exports).collect::<BTreeSet<_>>() {
            let details = async_details(model, export);
            let row = self.blocks[block].add(export, details, Side::Left, BlockKind::Node);
            export_ports.insert((block, export), Port { block, row });
        }
        export_ports
    }

    fn add_wires(&mut self, model: &Model<'_>, export_ports: &ExportPorts<'_>) {
        let mut imports = BTreeMap::new();
        for wire in &model.wires {
            let block = wire.importer;
            let row = *imports.entry((block, wire.import)).or_insert_with(|| {
                let details = async_details(model, wire.import);
                self.blocks[block].add(wire.import, details, Side::Right, BlockKind::Node)
            });
            let Some(&to) = export_ports.get(&(wire.provider, wire.export)) else {
                continue;
            };
            self.edges.push(Edge {
                from: Port { block, row },
                to,
                text: model.wire_text(wire),
            });
        }
    }

    fn add_exports(&mut self, model: &Model<'_>, export_ports: &ExportPorts<'_>) {
        let mut blocks = BTreeMap::new();
        for export in &model.exports {
            let InterfaceName { package, item } = InterfaceName::new(export.name);
            let title = item.map_or("", |_| &package);
            let block = *blocks
                .entry(title.to_owned())
                .or_insert_with(|| self.add(Block::new(BlockKind::Exports, title, ""), 0));
            let name = item.unwrap_or(&package);
            let details = async_details(model, export.name);
            let row = self.blocks[block].add(name, details, Side::Right, BlockKind::Node);
            let Some(&to) = export_ports.get(&(export.provider, export.original)) else {
                continue;
            };
            self.edges.push(Edge {
                from: Port { block, row },
                to,
                text: model.export_text(export),
            });
        }
    }

    fn add_imports(&mut self, model: &Model<'_>) {
        let mut targets = Vec::new();
        for package in &model.packages {
            let kind = if package.is_wasi {
                BlockKind::Wasi
            } else {
                BlockKind::Missing
            };
            let block = self.add(Block::new(kind, "", ""), 1 + self.layers);
            let names = package.interfaces.iter();
            let items = names.filter_map(|name| {
                let item = InterfaceName::new(name).item?;
                Some(shorten(&model.marked(item, name), PACKAGE_DETAIL_WIDTH))
            });
            let items = items.collect();
            let row = self.blocks[block].add(&package.name, items, Side::Left, kind);
            targets.push(Port { block, row });
        }
        for imports in &model.imports {
            let block = imports.importer;
            let (text, details) = match imports.only() {
                Some(name) => (name, async_details(model, name)),
                None => (
                    imports.package.as_str(),
                    lines(imports.items(), NODE_DETAIL_WIDTH),
                ),
            };
            let target = targets[imports.provider];
            let kind = self.blocks[target.block].kind;
            let row = self.blocks[block].add(text, details, Side::Right, kind);
            self.edges.push(Edge {
                from: Port { block, row },
                to: target,
                text: model.imports_text(imports),
            });
        }
    }

    fn add(&mut self, block: Block, column: usize) -> usize {
        self.blocks.push(block);
        self.columns.push(column);
        self.blocks.len() - 1
    }
}

/// The line of details below the label of an interface with asynchronous features.
fn async_details(model: &Model<'_>, interface: &str) -> Vec<String> {
    model.async_words(interface).into_iter().collect()
}
