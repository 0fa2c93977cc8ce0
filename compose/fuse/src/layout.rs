//! The index spaces of the fused module.

use std::collections::BTreeSet;

use wasm_encoder::MemoryType;
use wasm_encoder::reencode::{Error, Reencode, RoundtripReencoder};
use wasmparser::TypeRef;

use crate::FuseError;
use crate::flatten::flat::{Def, Flat, HostFunction, Item};
use crate::module::{Module, count};
use crate::shims::Shims;

/// The index spaces of the fused module.
///
/// The functions are, in this order, those of the host, helpers, and those of the instances.
/// Table 0 has the allocators, and the first globals are the `may_leave` flags of the parts.
pub(crate) struct Layout {
    /// The instances that are fused.
    pub(crate) instances: Vec<usize>,
    /// For each instance, the first indices of its definitions.
    bases: Vec<Base>,
    /// For each instance, the definitions of its imports.
    imports: Vec<Imports>,
    /// The type of each function of the host.
    pub(crate) host_types: Vec<u32>,
    pub(crate) helpers: Vec<Helper>,
    /// Total number of types of the instances; those of helpers follow.
    pub(crate) types: u32,
    /// The numbers of the parts with a `may_leave` global.
    pub(crate) may_leave: Vec<u32>,
    /// The memories in index order.
    pub(crate) memories: Vec<MemoryType>,
    /// The allocators, by their slot in the table.
    pub(crate) reallocs: Vec<u32>,
    /// The start functions.
    pub(crate) starts: Vec<u32>,
    shims: Shims,
}

/// A function that does not belong to a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Helper {
    /// Copies a string between memories.
    CopyUtf8 { from: u32, to: u32 },
    /// Traps.
    Trap,
}

/// The first indices of the definitions of an instance.
#[derive(Default, Clone, Copy)]
struct Base {
    types: u32,
    functions: u32,
    tables: u32,
    memories: u32,
    globals: u32,
    elements: u32,
    data: u32,
}

/// The imports of an instance, by index space.
#[derive(Default)]
struct Imports {
    functions: Vec<Def>,
    tables: Vec<Def>,
    memories: Vec<Def>,
    globals: Vec<Def>,
}

impl Layout {
    pub(crate) fn new(
        flat: &Flat,
        modules: &[Module<'_>],
        shims: Shims,
    ) -> Result<Self, FuseError> {
        let mut layout = Self {
            instances: (0..modules.len())
                .filter(|&instance| !shims.is_superfluous(instance))
                .collect(),
            bases: Vec::new(),
            imports: Vec::new(),
            host_types: vec![u32::MAX; flat.host_functions.len()],
            helpers: Vec::new(),
            types: 0,
            may_leave: Vec::new(),
            memories: Vec::new(),
            reallocs: Vec::new(),
            starts: Vec::new(),
            shims,
        };
        layout.sort_imports(flat, modules);
        layout.assign_indices(flat, modules)?;
        layout.find_host_types(flat, modules)?;
        for host in &flat.host_functions {
            if let HostFunction::Lower { options, .. } = host
                && let Some(realloc) = options.realloc
            {
                let function = layout.function(realloc)?;
                if !layout.reallocs.contains(&function) {
                    layout.reallocs.push(function);
                }
            }
        }
        for (instance, module) in modules.iter().enumerate() {
            if let Some(index) = module.start {
                let start = Def::Func(Item { instance, index });
                layout.starts.push(layout.function(start)?);
            }
        }
        Ok(layout)
    }

    /// Sorts the imports of each instance into its index spaces.
    fn sort_imports(&mut self, flat: &Flat, modules: &[Module<'_>]) {
        for (instance, module) in flat.instances.iter().zip(modules) {
            let mut imports = Imports::default();
            for (ty, &def) in module.imports.iter().zip(&instance.arguments) {
                match ty {
                    TypeRef::Func(_) => imports.functions.push(def),
                    TypeRef::Table(_) => imports.tables.push(def),
                    TypeRef::Memory(_) => imports.memories.push(def),
                    TypeRef::Global(_) => imports.globals.push(def),
                    // Both belong to proposals that are rejected earlier.
                    TypeRef::Tag(_) | TypeRef::FuncExact(_) => {}
                }
            }
            self.imports.push(imports);
        }
    }

    /// Assigns indices to the definitions of all instances.
    fn assign_indices(&mut self, flat: &Flat, modules: &[Module<'_>]) -> Result<(), FuseError> {
        self.memories = modules
            .iter()
            .flat_map(|module| &module.memories)
            .map(|&memory| memory_type(memory))
            .collect::<Result<_, _>>()?;
        // Memories first, because the helpers depend on their indices.
        let mut next = Base::default();
        for module in modules {
            self.bases.push(next);
            next.types += module.type_count();
            next.memories += count(module.memories.len());
        }
        self.types = next.types;

        let mut helpers = BTreeSet::new();
        let mut may_leave = BTreeSet::new();
        for &instance in &self.instances {
            for &def in &flat.instances[instance].arguments {
                match self.origin(def) {
                    Def::CopyUtf8 { from, to } => {
                        let from = self.memory(Def::Memory(from))?;
                        let to = self.memory(Def::Memory(to))?;
                        helpers.insert(Helper::CopyUtf8 { from, to });
                    }
                    Def::Trap => {
                        helpers.insert(Helper::Trap);
                    }
                    Def::MayLeave(part) => {
                        may_leave.insert(part);
                    }
                    _ => {}
                }
            }
        }
        self.helpers = helpers.into_iter().collect();
        self.may_leave = may_leave.into_iter().collect();

        next.functions = count(flat.host_functions.len() + self.helpers.len());
        next.tables = u32::from(has_realloc(flat));
        next.globals = count(self.may_leave.len());
        for &instance in &self.instances {
            let module = &modules[instance];
            let base = &mut self.bases[instance];
            *base = Base {
                types: base.types,
                memories: base.memories,
                ..next
            };
            next.functions += count(module.functions.len());
            next.tables += count(module.tables.len());
            next.globals += count(module.globals.len());
            next.elements += count(module.elements.len());
            next.data += if module.uses_data {
                count(module.data.len())
            } else {
                0
            };
        }
        Ok(())
    }

    /// Finds the type of each function of the host, on which all importers agree.
    fn find_host_types(&mut self, flat: &Flat, modules: &[Module<'_>]) -> Result<(), FuseError> {
        for ((instance, module), base) in flat.instances.iter().zip(modules).zip(&self.bases) {
            for (ty, def) in module.imports.iter().zip(&instance.arguments) {
                if let (TypeRef::Func(ty), Def::Host(host)) = (ty, def) {
                    self.host_types[*host] = base.types + ty;
                }
            }
        }
        if self.host_types.contains(&u32::MAX) {
            return Err(FuseError::Unsupported(
                "it uses an imported function as one of its own",
            ));
        }
        Ok(())
    }

    /// Resolves `def` through imports and shims to its definition.
    pub(crate) fn origin(&self, mut def: Def) -> Def {
        loop {
            let next = match def {
                Def::Func(item) => match self.shims.target(item) {
                    Some(target) => Some(target),
                    None => imported(&self.imports[item.instance].functions, item),
                },
                Def::Table(item) => imported(&self.imports[item.instance].tables, item),
                Def::Memory(item) => imported(&self.imports[item.instance].memories, item),
                Def::Global(item) => imported(&self.imports[item.instance].globals, item),
                _ => None,
            };
            match next {
                Some(next) => def = next,
                None => return def,
            }
        }
    }

    /// The index of a function in the fused module.
    pub(crate) fn function(&self, def: Def) -> Result<u32, FuseError> {
        let helper = |helper: Helper| {
            let position = self
                .helpers
                .binary_search(&helper)
                .map_err(|_| FuseError::incomplete())?;
            Ok(count(self.host_types.len() + position))
        };
        match self.origin(def) {
            Def::Host(host) => Ok(count(host)),
            Def::Trap => helper(Helper::Trap),
            Def::CopyUtf8 { from, to } => helper(Helper::CopyUtf8 {
                from: self.memory(Def::Memory(from))?,
                to: self.memory(Def::Memory(to))?,
            }),
            Def::Func(Item { instance, index }) => {
                let imported = count(self.imports[instance].functions.len());
                Ok(self.bases[instance].functions + (index - imported))
            }
            _ => Err(FuseError::incomplete()),
        }
    }

    /// The index of a memory in the fused module.
    pub(crate) fn memory(&self, def: Def) -> Result<u32, FuseError> {
        let Def::Memory(Item { instance, index }) = self.origin(def) else {
            return Err(FuseError::incomplete());
        };
        let imported = count(self.imports[instance].memories.len());
        Ok(self.bases[instance].memories + (index - imported))
    }

    /// The index of a table in the fused module.
    pub(crate) fn table(&self, def: Def) -> Result<u32, FuseError> {
        let Def::Table(Item { instance, index }) = self.origin(def) else {
            return Err(FuseError::incomplete());
        };
        let imported = count(self.imports[instance].tables.len());
        Ok(self.bases[instance].tables + (index - imported))
    }

    /// The index of a global in the fused module.
    pub(crate) fn global(&self, def: Def) -> Result<u32, FuseError> {
        match self.origin(def) {
            Def::MayLeave(part) => {
                let position = self
                    .may_leave
                    .binary_search(&part)
                    .map_err(|_| FuseError::incomplete())?;
                Ok(count(position))
            }
            Def::Global(Item { instance, index }) => {
                let imported = count(self.imports[instance].globals.len());
                Ok(self.bases[instance].globals + (index - imported))
            }
            _ => Err(FuseError::incomplete()),
        }
    }

    /// Number of imported globals of an instance.
    pub(crate) fn imported_globals(&self, instance: usize) -> u32 {
        count(self.imports[instance].globals.len())
    }

    /// The instance that defines a global, and the position among its definitions.
    pub(crate) fn defined_global(&self, def: Def) -> Option<(usize, usize)> {
        let Def::Global(Item { instance, index }) = self.origin(def) else {
            return None;
        };
        let position = index.checked_sub(self.imported_globals(instance))?;
        Some((instance, usize::try_from(position).ok()?))
    }

    /// First type index of an instance.
    pub(crate) fn types_of(&self, instance: usize) -> u32 {
        self.bases[instance].types
    }

    /// First element segment index of an instance.
    pub(crate) fn elements_of(&self, instance: usize) -> u32 {
        self.bases[instance].elements
    }

    /// First data segment index of an instance, if its code refers to data segments.
    pub(crate) fn data_of(&self, instance: usize) -> u32 {
        self.bases[instance].data
    }
}

/// The definition of an imported item; `None` if the instance defines the item itself.
fn imported(imports: &[Def], item: Item) -> Option<Def> {
    imports.get(item.index as usize).copied()
}

/// The encoded type of a memory.
fn memory_type(ty: wasmparser::MemoryType) -> Result<MemoryType, FuseError> {
    if ty.memory64 {
        return Err(FuseError::Unsupported("it has a memory of 64 bits"));
    }
    RoundtripReencoder
        .memory_type(ty)
        .map_err(|error| match error {
            Error::ParseError(error) => FuseError::Unreadable(error),
            _ => FuseError::Unsupported("it has a memory of an unknown kind"),
        })
}

fn has_realloc(flat: &Flat) -> bool {
    flat.host_functions.iter().any(
        |host| matches!(host, HostFunction::Lower { options, .. } if options.realloc.is_some()),
    )
}
