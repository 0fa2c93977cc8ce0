//! A parsed core module.

use wasmparser::{
    Data, DataKind, Element, ElementKind, FunctionBody, Global, KnownCustom, MemoryType, Name,
    Parser, Payload, RecGroup, Result, Table, TypeRef,
};

/// The items of a core module that fusion needs. Export names are not among them, because
/// all users refer to exports by index.
#[derive(Default)]
pub(crate) struct Module<'a> {
    pub(crate) types: Vec<RecGroup>,
    pub(crate) imports: Vec<TypeRef>,
    /// The types of the defined functions.
    pub(crate) functions: Vec<u32>,
    pub(crate) tables: Vec<Table<'a>>,
    pub(crate) memories: Vec<MemoryType>,
    pub(crate) globals: Vec<Global<'a>>,
    pub(crate) exports_anything: bool,
    pub(crate) start: Option<u32>,
    pub(crate) elements: Vec<Element<'a>>,
    /// Whether the code refers to data segments.
    pub(crate) uses_data: bool,
    pub(crate) bodies: Vec<FunctionBody<'a>>,
    pub(crate) data: Vec<Data<'a>>,
    /// The function names, for backtraces.
    pub(crate) names: Vec<(u32, &'a str)>,
}

impl<'a> Module<'a> {
    pub(crate) fn parse(wasm: &'a [u8]) -> Result<Self> {
        let mut module = Self::default();
        for payload in Parser::new(0).parse_all(wasm) {
            match payload? {
                Payload::TypeSection(types) => module.types = all(types)?,
                Payload::ImportSection(imports) => {
                    for import in imports.into_imports() {
                        module.imports.push(import?.ty);
                    }
                }
                Payload::FunctionSection(functions) => module.functions = all(functions)?,
                Payload::TableSection(tables) => module.tables = all(tables)?,
                Payload::MemorySection(memories) => module.memories = all(memories)?,
                Payload::GlobalSection(globals) => module.globals = all(globals)?,
                Payload::ExportSection(exports) => module.exports_anything = exports.count() > 0,
                Payload::StartSection { func, .. } => module.start = Some(func),
                Payload::ElementSection(elements) => module.elements = all(elements)?,
                Payload::DataCountSection { .. } => module.uses_data = true,
                Payload::CodeSectionEntry(body) => module.bodies.push(body),
                Payload::DataSection(data) => module.data = all(data)?,
                Payload::CustomSection(section) => {
                    if let KnownCustom::Name(names) = section.as_known() {
                        // Names are informative only; invalid ones are left out.
                        module.names = function_names(names).unwrap_or_default();
                    }
                }
                _ => {}
            }
        }
        Ok(module)
    }

    /// Number of imported functions.
    pub(crate) fn imported_functions(&self) -> u32 {
        let functions = |ty: &&TypeRef| matches!(ty, TypeRef::Func(_));
        count(self.imports.iter().filter(functions).count())
    }

    /// The imported memories and tables that the module has segments for, by their positions
    /// among all imports.
    pub(crate) fn filled_imports(&self) -> Vec<usize> {
        let positions = |kind: fn(&TypeRef) -> bool| {
            let imports = self.imports.iter().enumerate();
            let imports = imports.filter(move |(_, ty)| kind(ty));
            imports.map(|(position, _)| position).collect::<Vec<_>>()
        };
        let memories = positions(|ty| matches!(ty, TypeRef::Memory(_)));
        let tables = positions(|ty| matches!(ty, TypeRef::Table(_)));
        let data = self.data.iter().filter_map(|data| match data.kind {
            DataKind::Active { memory_index, .. } => memories.get(memory_index as usize),
            DataKind::Passive => None,
        });
        let elements = self
            .elements
            .iter()
            .filter_map(|element| match element.kind {
                ElementKind::Active { table_index, .. } => {
                    tables.get(table_index.unwrap_or(0) as usize)
                }
                ElementKind::Passive | ElementKind::Declared => None,
            });
        data.chain(elements).copied().collect()
    }

    /// Number of types.
    pub(crate) fn type_count(&self) -> u32 {
        count(self.types.iter().map(|group| group.types().len()).sum())
    }
}

/// A number of items as an index: a valid module has fewer than 2^32 items of each kind.
pub(crate) fn count(items: usize) -> u32 {
    u32::try_from(items).unwrap_or(u32::MAX)
}

fn all<T>(items: impl IntoIterator<Item = Result<T>>) -> Result<Vec<T>> {
    items.into_iter().collect()
}

fn function_names(names: wasmparser::NameSectionReader<'_>) -> Result<Vec<(u32, &str)>> {
    for name in names {
        if let Name::Function(names) = name? {
            return names
                .into_iter()
                .map(|naming| naming.map(|naming| (naming.index, naming.name)))
                .collect();
        }
    }
    Ok(Vec::new())
}
