//! A composition as the flat list of core instances that it comes to.

use wasmtime_environ::EntityRef;
use wasmtime_environ::component::{
    ComponentTypes, InterfaceType, StringEncoding, TypeFuncIndex, TypeResourceTable,
    TypeResourceTableIndex,
};

/// A composition without nesting.
pub(super) struct Flat {
    /// The core instances, in the order in which they are made.
    pub(super) instances: Vec<Instance>,
    /// What the core instances take from outside of the component.
    pub(super) host_functions: Vec<HostFunction>,
    /// What the component exports.
    pub(super) exports: Vec<(String, Exported)>,
    /// The types that the exports refer to.
    pub(super) types: ComponentTypes,
    /// Where the resources are imported from.
    pub(super) resources: Vec<ImportPath>,
}

/// A core module, and what it is instantiated with.
pub(super) struct Instance {
    pub(super) wasm: Vec<u8>,
    /// One for each import of the module, in its order.
    pub(super) arguments: Vec<Def>,
}

/// Something in the index space of a core instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Item {
    /// The place of the instance in [`Flat::instances`].
    pub(super) instance: usize,
    /// The index within the instance.
    pub(super) index: u32,
}

/// What an import of a core instance is satisfied with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Def {
    Func(Item),
    Table(Item),
    Memory(Item),
    Global(Item),
    /// A function of the host, by its place in [`Flat::host_functions`].
    Host(usize),
    /// The global that says whether a part may call another, by the number of
    /// the part.
    MayLeave(u32),
    /// The function that copies a string from one memory to another and traps if
    /// it is not UTF-8.
    CopyUtf8 {
        from: Item,
        to: Item,
    },
    /// The function that traps.
    Trap,
}

impl Def {
    /// The instance that it belongs to, if it is in one.
    pub(super) fn instance(self) -> Option<usize> {
        match self {
            Self::Func(item) | Self::Table(item) | Self::Memory(item) | Self::Global(item) => {
                Some(item.instance)
            }
            Self::Host(_) | Self::MayLeave(_) | Self::CopyUtf8 { .. } | Self::Trap => None,
        }
    }
}

/// Something within an import of the component: the name of the import, then the
/// names within the instance that is imported.
pub(super) type ImportPath = (String, Vec<String>);

/// A core function that the component makes of an import.
pub(super) enum HostFunction {
    /// `canon lower`
    Lower {
        import: ImportPath,
        options: Options,
    },
    /// `canon resource.drop`
    DropResource { resource: ImportPath },
}

/// The canonical options of a function.
pub(super) struct Options {
    pub(super) memory: Option<Item>,
    pub(super) realloc: Option<Def>,
    pub(super) post_return: Option<Def>,
    pub(super) encoding: StringEncoding,
}

/// An export of the component.
pub(super) enum Exported {
    Function {
        ty: TypeFuncIndex,
        core: Def,
        options: Options,
    },
    Instance(Vec<(String, Exported)>),
    Type(InterfaceType),
    /// A resource type that is imported.
    Resource(ImportPath),
}

impl Flat {
    /// Where a resource is imported from.
    pub(super) fn resource(&self, ty: TypeResourceTableIndex) -> Option<&ImportPath> {
        resource(&self.types, &self.resources, ty)
    }
}

/// Where a resource comes from, if it is imported.
pub(super) fn resource<'a>(
    types: &ComponentTypes,
    imported: &'a [ImportPath],
    ty: TypeResourceTableIndex,
) -> Option<&'a ImportPath> {
    match types[ty] {
        TypeResourceTable::Concrete { ty, .. } => imported.get(ty.index()),
        TypeResourceTable::Abstract(_) => None,
    }
}
