//! The boxes and wires of a model, before anybody knows where they go.

use std::collections::{BTreeMap, BTreeSet};

use super::blocks::{Block, Kind, Side};
use super::interface::Interface;
use super::layers::layers;
use super::model::Model;
use super::routes::{Edge, Port};
use super::text::{lines, shorten};

/// The widest line of details in a part, and in a package of the host.
const WIDE: i64 = 34;
const NARROW: i64 = 48;

/// Where the exports of parts are, by the part and the name.
type Offers<'a> = BTreeMap<(usize, &'a str), Port>;

/// What is drawn, and in which column.
#[derive(Debug, Default)]
pub(super) struct Scene {
    pub(super) blocks: Vec<Block>,
    /// The column of each block: 0 is left of the frame.
    pub(super) columns: Vec<usize>,
    /// The number of columns inside of the frame.
    pub(super) layers: usize,
    pub(super) edges: Vec<Edge>,
}

impl Scene {
    /// Collects what is to be drawn of `model`.
    pub(super) fn new(model: &Model<'_>) -> Self {
        let mut scene = Self::default();
        scene.add_parts(model);
        let offers = scene.add_offers(model);
        scene.add_wires(model, &offers);
        scene.add_exports(model, &offers);
        scene.add_imports(model);
        scene
    }

    /// The parts come first: the index of a part is the index of its box.
    fn add_parts(&mut self, model: &Model<'_>) {
        let wires = model.wires.iter();
        let wires = wires.map(|wire| (wire.importer, wire.provider)).collect();
        let layers = layers(model.parts.len(), &wires);
        self.layers = layers.iter().max().map_or(0, |last| last + 1);
        for (part, layer) in model.parts.iter().zip(layers) {
            self.add(Block::new(Kind::Part, part.name, &part.size), 1 + layer);
        }
    }

    /// What the parts export stands above what they import.
    fn add_offers<'a>(&mut self, model: &Model<'a>) -> Offers<'a> {
        let wires = model.wires.iter().map(|wire| (wire.provider, wire.export));
        let exports = model.exports.iter();
        let exports = exports.map(|export| (export.provider, export.original));
        let mut offers = Offers::new();
        for (block, export) in wires.chain(exports).collect::<BTreeSet<_>>() {
            let row = self.blocks[block].add(export, Vec::new(), Side::Left, Kind::Part);
            offers.insert((block, export), Port { block, row });
        }
        offers
    }

    fn add_wires(&mut self, model: &Model<'_>, offers: &Offers<'_>) {
        let mut imports = BTreeMap::new();
        for wire in &model.wires {
            let block = wire.importer;
            let row = *imports.entry((block, wire.import)).or_insert_with(|| {
                self.blocks[block].add(wire.import, Vec::new(), Side::Right, Kind::Part)
            });
            let Some(&to) = offers.get(&(wire.provider, wire.export)) else {
                continue;
            };
            self.edges.push(Edge {
                from: Port { block, row },
                to,
                text: model.wire_text(wire),
            });
        }
    }

    fn add_exports(&mut self, model: &Model<'_>, offers: &Offers<'_>) {
        let mut blocks = BTreeMap::new();
        for export in &model.exports {
            let Interface { package, item } = Interface::new(export.name);
            let title = item.map_or("", |_| &package);
            let block = *blocks
                .entry(title.to_owned())
                .or_insert_with(|| self.add(Block::new(Kind::Exports, title, ""), 0));
            let name = item.unwrap_or(&package);
            let row = self.blocks[block].add(name, Vec::new(), Side::Right, Kind::Part);
            let Some(&to) = offers.get(&(export.provider, export.original)) else {
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
                Kind::Wasi
            } else {
                Kind::Missing
            };
            let block = self.add(Block::new(kind, "", ""), 1 + self.layers);
            let names = package.interfaces.iter();
            let items = names.filter_map(|name| Interface::new(name).item);
            let items = items.map(|item| shorten(item, NARROW)).collect();
            let row = self.blocks[block].add(&package.name, items, Side::Left, kind);
            targets.push(Port { block, row });
        }
        for imports in &model.imports {
            let block = imports.importer;
            let (text, details) = match imports.only() {
                Some(name) => (name, Vec::new()),
                None => (imports.package.as_str(), lines(imports.items(), WIDE)),
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
