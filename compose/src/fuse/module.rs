//! A core module, taken apart.

use wasmparser::{
    Data, Element, FunctionBody, Global, KnownCustom, MemoryType, Name, Parser, Payload, RecGroup,
    Result, Table, TagType, TypeRef,
};

/// The sections of a core module that its fusion needs. Exports are not among
/// them: whoever uses one refers to it by its index.
#[derive(Default)]
pub(super) struct Module<'a> {
    pub(super) types: Vec<RecGroup>,
    pub(super) imports: Vec<TypeRef>,
    /// The types of the functions that are defined here.
    pub(super) functions: Vec<u32>,
    pub(super) tables: Vec<Table<'a>>,
    pub(super) memories: Vec<MemoryType>,
    pub(super) tags: Vec<TagType>,
    pub(super) globals: Vec<Global<'a>>,
    pub(super) start: Option<u32>,
    pub(super) elements: Vec<Element<'a>>,
    /// Whether the code refers to data segments.
    pub(super) uses_data: bool,
    pub(super) bodies: Vec<FunctionBody<'a>>,
    pub(super) data: Vec<Data<'a>>,
    /// The names of functions, for traces.
    pub(super) names: Vec<(u32, &'a str)>,
}

impl<'a> Module<'a> {
    pub(super) fn parse(wasm: &'a [u8]) -> Result<Self> {
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
                Payload::TagSection(tags) => module.tags = all(tags)?,
                Payload::GlobalSection(globals) => module.globals = all(globals)?,
                Payload::StartSection { func, .. } => module.start = Some(func),
                Payload::ElementSection(elements) => module.elements = all(elements)?,
                Payload::DataCountSection { .. } => module.uses_data = true,
                Payload::CodeSectionEntry(body) => module.bodies.push(body),
                Payload::DataSection(data) => module.data = all(data)?,
                Payload::CustomSection(section) => {
                    if let KnownCustom::Name(names) = section.as_known() {
                        // Names are a help for people; broken ones are left out.
                        module.names = function_names(names).unwrap_or_default();
                    }
                }
                _ => {}
            }
        }
        Ok(module)
    }

    /// How many functions are imported.
    pub(super) fn imported_functions(&self) -> u32 {
        let functions = |ty: &&TypeRef| matches!(ty, TypeRef::Func(_) | TypeRef::FuncExact(_));
        count(self.imports.iter().filter(functions).count())
    }

    /// How many types there are.
    pub(super) fn type_count(&self) -> u32 {
        count(self.types.iter().map(|group| group.types().len()).sum())
    }
}

/// A number of items as an index: a valid module has fewer than 2^32 of anything.
pub(super) fn count(items: usize) -> u32 {
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
