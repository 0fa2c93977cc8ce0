//! The index spaces of a composition, followed from definition to use.

use std::collections::{BTreeMap, BTreeSet};

use wasmparser::{
    BinaryReader, BinaryReaderError, ComponentAlias, ComponentAliasSectionReader,
    ComponentExportSectionReader, ComponentExternalKind, ComponentImportSectionReader,
    ComponentInstance, ComponentInstanceSectionReader, ComponentInstantiationArg, ComponentName,
    ComponentNameSectionReader, ComponentTypeSectionReader,
};

use super::Decomposed;
use crate::binary::sections::{Section, custom, id};
use crate::model::component::Component;
use crate::model::composition::{
    Composition, Export, Import, NamedType, Node, WHOLE_INSTANCE, Wire, undescribed_argument,
};

/// The source of an item of an index space.
#[derive(Debug, Clone, Copy)]
enum Item<'b> {
    /// An import of the composition, under this name.
    Host(&'b str),
    /// An export of an instance.
    Export { instantiation: usize, name: &'b str },
    /// An instance.
    Instance { instantiation: usize },
    /// A type of an instance that another instance exports under this name.
    TypeOfExport { instantiation: usize, name: &'b str },
    /// A type of an imported instance.
    TypeOfHost(&'b str),
    /// An embedded component: the contents of its section.
    Component(&'b [u8]),
    /// Other types, and instances synthesized from other items.
    Other,
}

#[derive(Debug)]
struct Instantiation<'b> {
    bytes: &'b [u8],
    /// The index of the instance in its index space.
    index: u32,
    arguments: Vec<Argument<'b>>,
}

#[derive(Debug)]
struct Argument<'b> {
    name: &'b str,
    kind: ComponentExternalKind,
    item: Item<'b>,
}

impl Instantiation<'_> {
    /// Whether `argument` only names a type: an imported one, or one of an instance that is
    /// an argument as well.
    fn is_named_type(&self, argument: &Argument<'_>) -> bool {
        let is_argument = |is_its_instance: &dyn Fn(&Item<'_>) -> bool| {
            let mut items = self.arguments.iter().map(|argument| &argument.item);
            items.any(is_its_instance)
        };
        match argument.item {
            Item::Host(_) => argument.kind == ComponentExternalKind::Type,
            Item::TypeOfHost(of) => {
                is_argument(&|item| matches!(item, Item::Host(name) if *name == of))
            }
            Item::TypeOfExport {
                instantiation: of,
                name: from,
            } => is_argument(&|item| {
                matches!(item, Item::Export { instantiation, name }
                    if *instantiation == of && *name == from)
            }),
            _ => false,
        }
    }
}

/// Reads the sections of a composition in order.
#[derive(Debug, Default)]
pub(super) struct Reader<'b> {
    /// Index spaces by kind, see [`space`].
    items: [Vec<Item<'b>>; 6],
    instantiations: Vec<Instantiation<'b>>,
    exports: Vec<(&'b str, Item<'b>)>,
    names: BTreeMap<u32, &'b str>,
}

fn space(kind: ComponentExternalKind) -> usize {
    match kind {
        ComponentExternalKind::Module => 0,
        ComponentExternalKind::Func => 1,
        ComponentExternalKind::Value => 2,
        ComponentExternalKind::Type => 3,
        ComponentExternalKind::Instance => 4,
        ComponentExternalKind::Component => 5,
    }
}

impl<'b> Reader<'b> {
    /// Reads one section; `None` if compositions do not have such a section.
    pub(super) fn read(
        &mut self,
        bytes: &'b [u8],
        section: &Section,
    ) -> Result<Option<()>, BinaryReaderError> {
        let content = &bytes[section.content.clone()];
        let reader = || BinaryReader::new(content, section.content.start as u64);
        match section.id {
            id::CORE_MODULE | id::CORE_INSTANCE | id::CANON | id::START => return Ok(None),
            id::COMPONENT => self.add(ComponentExternalKind::Component, Item::Component(content)),
            id::TYPE => {
                for ty in ComponentTypeSectionReader::new(reader())? {
                    ty?;
                    self.add(ComponentExternalKind::Type, Item::Other);
                }
            }
            id::IMPORT => {
                for import in ComponentImportSectionReader::new(reader())? {
                    let import = import?;
                    self.add(import.ty.kind(), Item::Host(import.name.name));
                }
            }
            id::INSTANCE => {
                for instance in ComponentInstanceSectionReader::new(reader())? {
                    self.add_instance(instance?);
                }
            }
            id::ALIAS => {
                for alias in ComponentAliasSectionReader::new(reader())? {
                    self.add_alias(&alias?);
                }
            }
            id::EXPORT => {
                for export in ComponentExportSectionReader::new(reader())? {
                    let export = export?;
                    let item = self.get(export.kind, export.index);
                    self.exports.push((export.name.name, item));
                    // An export adds an item to its index space.
                    self.add(export.kind, item);
                }
            }
            id::CUSTOM => self.read_names(content),
            _ => {}
        }
        Ok(Some(()))
    }

    fn add(&mut self, kind: ComponentExternalKind, item: Item<'b>) {
        self.items[space(kind)].push(item);
    }

    fn get(&self, kind: ComponentExternalKind, index: u32) -> Item<'b> {
        let item = self.items[space(kind)].get(index as usize);
        item.copied().unwrap_or(Item::Other)
    }

    fn add_instance(&mut self, instance: ComponentInstance<'b>) {
        let index = self.items[space(ComponentExternalKind::Instance)].len();
        let item = match instance {
            ComponentInstance::Instantiate {
                component_index,
                args,
            } => match self.get(ComponentExternalKind::Component, component_index) {
                Item::Component(bytes) => self.instantiate(bytes, index, &args),
                _ => Item::Other,
            },
            ComponentInstance::FromExports(_) => Item::Other,
        };
        self.add(ComponentExternalKind::Instance, item);
    }

    fn instantiate(
        &mut self,
        bytes: &'b [u8],
        index: usize,
        arguments: &[ComponentInstantiationArg<'b>],
    ) -> Item<'b> {
        let arguments = arguments
            .iter()
            .map(|argument| Argument {
                name: argument.name,
                kind: argument.kind,
                item: self.get(argument.kind, argument.index),
            })
            .collect();
        self.instantiations.push(Instantiation {
            bytes,
            index: u32::try_from(index).unwrap_or(u32::MAX),
            arguments,
        });
        Item::Instance {
            instantiation: self.instantiations.len() - 1,
        }
    }

    fn add_alias(&mut self, alias: &ComponentAlias<'b>) {
        match *alias {
            ComponentAlias::InstanceExport {
                kind,
                instance_index,
                name,
            } => {
                let item = match self.get(ComponentExternalKind::Instance, instance_index) {
                    Item::Instance { instantiation } => Item::Export {
                        instantiation,
                        name,
                    },
                    Item::Export {
                        instantiation,
                        name,
                    } if kind == ComponentExternalKind::Type => Item::TypeOfExport {
                        instantiation,
                        name,
                    },
                    Item::Host(name) if kind == ComponentExternalKind::Type => {
                        Item::TypeOfHost(name)
                    }
                    _ => Item::Other,
                };
                self.add(kind, item);
            }
            ComponentAlias::Outer { kind, .. } => {
                use wasmparser::ComponentOuterAliasKind as Outer;
                match kind {
                    Outer::Type => self.add(ComponentExternalKind::Type, Item::Other),
                    Outer::Component => self.add(ComponentExternalKind::Component, Item::Other),
                    Outer::CoreModule => self.add(ComponentExternalKind::Module, Item::Other),
                    Outer::CoreType => {}
                }
            }
            ComponentAlias::CoreInstanceExport { .. } => {}
        }
    }

    /// Reads the names of instances from the `component-name` section, as far as it can be
    /// parsed.
    fn read_names(&mut self, content: &'b [u8]) {
        let Some(("component-name", data)) = custom(content) else {
            return;
        };
        for name in ComponentNameSectionReader::new(BinaryReader::new(data, 0)).flatten() {
            if let ComponentName::Instances(names) = name {
                let names = names.into_iter().flatten();
                self.names
                    .extend(names.map(|naming| (naming.index, naming.name)));
            }
        }
    }

    /// The composition, or `None` if it has no instances.
    pub(super) fn finish(self, component: &Component) -> Option<Decomposed<'b>> {
        if self.instantiations.is_empty() {
            return None;
        }
        let names = self.part_names();
        let mut composition = Composition {
            name: component.name().to_owned(),
            host_imports: component.imports().map(str::to_owned).collect(),
            ..Composition::default()
        };
        let mut parts = BTreeMap::new();
        for (instantiation, importer) in self.instantiations.iter().zip(&names) {
            composition
                .nodes
                .push(Node::new(importer, instantiation.bytes));
            parts.insert(importer.clone(), instantiation.bytes);
            for argument in &instantiation.arguments {
                let (importer, import) = (importer.clone(), argument.name.to_owned());
                let item = argument.item;
                if instantiation.is_named_type(argument) {
                    composition.named_types.push(NamedType { importer, import });
                } else if let Some((provider, export)) = source(item, &names) {
                    composition.wires.push(Wire {
                        importer,
                        import,
                        provider,
                        export,
                    });
                } else if let Item::Host(name) = item {
                    composition.imports.push(Import {
                        importer,
                        import,
                        name: name.to_owned(),
                    });
                } else {
                    let undescribed = undescribed_argument(&importer, &import);
                    composition.undescribed.push(undescribed);
                }
            }
        }
        for (name, item) in self.exports {
            let name = name.to_owned();
            if let Some((provider, export)) = source(item, &names) {
                composition.exports.push(Export {
                    name,
                    provider,
                    export,
                });
            } else {
                // Provenance records contain this text: it must not change.
                let undescribed = format!("where the export `{name}` comes from");
                composition.undescribed.push(undescribed);
            }
        }
        Some(Decomposed {
            composition: composition.sorted(),
            parts,
        })
    }

    /// A unique name for each instantiation: the one in the binary or a number, with a
    /// suffix if the name is a duplicate.
    fn part_names(&self) -> Vec<String> {
        let mut taken = BTreeSet::new();
        let mut names = Vec::new();
        for (number, instantiation) in (1..).zip(&self.instantiations) {
            let name = match self.names.get(&instantiation.index) {
                Some(name) => (*name).to_owned(),
                None => format!("part-{number}"),
            };
            let mut unique = name.clone();
            let mut suffix = 2;
            while !taken.insert(unique.clone()) {
                unique = format!("{name}-{suffix}");
                suffix += 1;
            }
            names.push(unique);
        }
        names
    }
}

/// The node that provides an item, and the name of the export.
fn source(item: Item<'_>, names: &[String]) -> Option<(String, String)> {
    match item {
        Item::Export {
            instantiation,
            name,
        } => Some((names.get(instantiation)?.clone(), name.to_owned())),
        Item::Instance { instantiation } => {
            Some((names.get(instantiation)?.clone(), WHOLE_INSTANCE.to_owned()))
        }
        Item::Host(_)
        | Item::TypeOfExport { .. }
        | Item::TypeOfHost(_)
        | Item::Component(_)
        | Item::Other => None,
    }
}
