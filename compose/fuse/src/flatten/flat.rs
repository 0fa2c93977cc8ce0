//! A composition as a flat list of core instances.

use wasmtime_environ::EntityRef;
use wasmtime_environ::component::{
    ComponentTypes, InterfaceType, StringEncoding, TypeFuncIndex, TypeResourceTable,
    TypeResourceTableIndex,
};

/// A composition without nesting.
pub(crate) struct Flat {
    /// The core instances, in instantiation order.
    pub(crate) instances: Vec<Instance>,
    /// The functions that the core instances import from the host.
    pub(crate) host_functions: Vec<HostFunction>,
    /// The exports of the component.
    pub(crate) exports: Vec<(String, Exported)>,
    /// The types that the exports refer to.
    pub(crate) types: ComponentTypes,
    /// The imports of the resources.
    pub(crate) resources: Vec<ImportPath>,
}

/// A core module and its instantiation arguments.
pub(crate) struct Instance {
    pub(crate) wasm: Vec<u8>,
    /// One argument per import of the module, in order.
    pub(crate) arguments: Vec<Def>,
}

/// An item of an index space of a core instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Item {
    /// The position of the instance in [`Flat::instances`].
    pub(crate) instance: usize,
    /// The index within the instance.
    pub(crate) index: u32,
}

/// The definition that satisfies an import of a core instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Def {
    Func(Item),
    Table(Item),
    Memory(Item),
    Global(Item),
    /// A function of the host, by its position in [`Flat::host_functions`].
    Host(usize),
    /// The global `may_leave` of a part, by the number of the part.
    MayLeave(u32),
    /// The function that copies a string between memories, and traps if it is not UTF-8.
    CopyUtf8 {
        from: Item,
        to: Item,
    },
    /// The function that traps.
    Trap,
}

impl Def {
    /// The instance that the definition belongs to, if any.
    pub(crate) fn instance(self) -> Option<usize> {
        match self {
            Self::Func(item) | Self::Table(item) | Self::Memory(item) | Self::Global(item) => {
                Some(item.instance)
            }
            Self::Host(_) | Self::MayLeave(_) | Self::CopyUtf8 { .. } | Self::Trap => None,
        }
    }
}

/// An item of an import of the component: the name of the import, and the names within the
/// imported instance.
pub(crate) type ImportPath = (String, Vec<String>);

/// A core function that the component makes from an import.
pub(crate) enum HostFunction {
    /// `canon lower`
    Lower {
        import: ImportPath,
        options: Options,
    },
    /// `canon resource.drop`
    DropResource { resource: ImportPath },
}

/// The canonical options of a function.
pub(crate) struct Options {
    pub(crate) memory: Option<Item>,
    pub(crate) realloc: Option<Def>,
    pub(crate) post_return: Option<Def>,
    pub(crate) encoding: StringEncoding,
}

/// An export of the component.
pub(crate) enum Exported {
    Function {
        ty: TypeFuncIndex,
        core: Def,
        options: Options,
    },
    Instance(Vec<(String, Exported)>),
    Type(InterfaceType),
    /// An imported resource type.
    Resource(ImportPath),
}

impl Flat {
    /// The import of a resource.
    pub(crate) fn resource(&self, ty: TypeResourceTableIndex) -> Option<&ImportPath> {
        resource(&self.types, &self.resources, ty)
    }
}

/// The import of a resource, if it is imported.
pub(crate) fn resource<'a>(
    types: &ComponentTypes,
    imported: &'a [ImportPath],
    ty: TypeResourceTableIndex,
) -> Option<&'a ImportPath> {
    match types[ty] {
        TypeResourceTable::Concrete { ty, .. } => imported.get(ty.index()),
        TypeResourceTable::Abstract(_) => None,
    }
}
