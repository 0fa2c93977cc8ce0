//! Detection of proposals in one pass over a component.

use wasmparser::{
    AbstractHeapType, BlockType, CompositeInnerType, ElementItems, FunctionBody, HeapType,
    MemoryType, Operator, Parser, Payload, RecGroup, RefType, Result, StorageType, SubType,
    TableType, TypeRef, ValType,
};

use super::{Proposal, Proposals};

impl Proposals {
    pub(super) fn add(&mut self, proposal: Proposal) {
        self.0.insert(proposal);
    }

    /// Adds the proposals of the component in `bytes`, including nested components and modules.
    ///
    /// # Errors
    ///
    /// Fails if the bytes are not a component.
    pub(super) fn scan(&mut self, bytes: &[u8]) -> Result<()> {
        for payload in Parser::new(0).parse_all(bytes) {
            self.add_payload(payload?)?;
        }
        Ok(())
    }

    fn add_payload(&mut self, payload: Payload<'_>) -> Result<()> {
        match payload {
            Payload::TypeSection(types) => {
                for group in types {
                    self.add_group(&group?);
                }
            }
            Payload::ImportSection(imports) => {
                for import in imports.into_imports() {
                    self.add_entity(import?.ty);
                }
            }
            Payload::TableSection(tables) => {
                for table in tables {
                    self.add_table(table?.ty);
                }
            }
            Payload::MemorySection(memories) => {
                for memory in memories {
                    self.add_memory(memory?);
                }
            }
            Payload::TagSection(_) => self.add(Proposal::Exceptions),
            Payload::GlobalSection(globals) => {
                for global in globals {
                    self.add_entity(TypeRef::Global(global?.ty));
                }
            }
            Payload::ElementSection(elements) => {
                for element in elements {
                    if let ElementItems::Expressions(ty, _) = element?.items {
                        self.add_reference(ty);
                    }
                }
            }
            Payload::CodeSectionEntry(body) => self.add_function(&body)?,
            Payload::CoreTypeSection(types) => {
                for ty in types {
                    self.add_core_type(&ty?);
                }
            }
            Payload::ComponentTypeSection(types) => {
                for ty in types {
                    self.add_component_type(&ty?);
                }
            }
            Payload::ComponentCanonicalSection(functions) => {
                for function in functions {
                    self.add_canonical(&function?);
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn add_function(&mut self, body: &FunctionBody<'_>) -> Result<()> {
        for locals in body.get_locals_reader()? {
            self.add_value(locals?.1);
        }
        for operator in body.get_operators_reader()? {
            let operator = operator?;
            self.0.extend(proposal_of(&operator));
            match operator {
                Operator::Block { blockty }
                | Operator::Loop { blockty }
                | Operator::If { blockty } => {
                    if let BlockType::Type(ty) = blockty {
                        self.add_value(ty);
                    }
                }
                Operator::TypedSelect { ty } => self.add_value(ty),
                Operator::RefNull { hty } => self.add_heap(hty),
                _ => {}
            }
        }
        Ok(())
    }

    pub(super) fn add_group(&mut self, group: &RecGroup) {
        if group.is_explicit_rec_group() {
            self.add(Proposal::GarbageCollection);
        }
        for ty in group.types() {
            self.add_type(ty);
        }
    }

    fn add_type(&mut self, ty: &SubType) {
        if !ty.is_final || ty.supertype_idx.is_some() {
            self.add(Proposal::GarbageCollection);
        }
        let composite = &ty.composite_type;
        if composite.shared {
            self.add(Proposal::SharedEverythingThreads);
        }
        if composite.descriptor_idx.is_some() || composite.describes_idx.is_some() {
            self.add(Proposal::CustomDescriptors);
        }
        match &composite.inner {
            CompositeInnerType::Func(ty) => {
                for ty in ty.params().iter().chain(ty.results()) {
                    self.add_value(*ty);
                }
            }
            CompositeInnerType::Array(ty) => self.add_field(ty.0.element_type),
            CompositeInnerType::Struct(ty) => {
                self.add(Proposal::GarbageCollection);
                for field in &ty.fields {
                    self.add_field(field.element_type);
                }
            }
            CompositeInnerType::Cont(_) => self.add(Proposal::StackSwitching),
        }
    }

    fn add_field(&mut self, ty: StorageType) {
        self.add(Proposal::GarbageCollection);
        if let StorageType::Val(ty) = ty {
            self.add_value(ty);
        }
    }

    pub(super) fn add_entity(&mut self, ty: TypeRef) {
        match ty {
            TypeRef::Func(_) => {}
            TypeRef::FuncExact(_) => self.add(Proposal::CustomDescriptors),
            TypeRef::Table(ty) => self.add_table(ty),
            TypeRef::Memory(ty) => self.add_memory(ty),
            TypeRef::Global(ty) => {
                if ty.shared {
                    self.add(Proposal::SharedEverythingThreads);
                }
                self.add_value(ty.content_type);
            }
            TypeRef::Tag(_) => self.add(Proposal::Exceptions),
        }
    }

    fn add_table(&mut self, ty: TableType) {
        if ty.shared {
            self.add(Proposal::SharedEverythingThreads);
        }
        self.add_reference(ty.element_type);
    }

    fn add_memory(&mut self, ty: MemoryType) {
        if ty.shared {
            self.add(Proposal::SharedMemory);
        }
        if ty.page_size_log2.is_some() {
            self.add(Proposal::CustomPageSizes);
        }
    }

    fn add_value(&mut self, ty: ValType) {
        if let ValType::Ref(ty) = ty {
            self.add_reference(ty);
        }
    }

    fn add_reference(&mut self, ty: RefType) {
        self.add_heap(ty.heap_type());
    }

    fn add_heap(&mut self, ty: HeapType) {
        use AbstractHeapType as Heap;

        match ty {
            HeapType::Abstract { shared, ty } => {
                if shared {
                    self.add(Proposal::SharedEverythingThreads);
                }
                self.0.extend(match ty {
                    Heap::Func | Heap::NoFunc => None,
                    Heap::Extern | Heap::NoExtern => Some(Proposal::ExternRef),
                    Heap::Exn | Heap::NoExn => Some(Proposal::Exceptions),
                    Heap::Cont | Heap::NoCont => Some(Proposal::StackSwitching),
                    _ => Some(Proposal::GarbageCollection),
                });
            }
            // Its definition was added already.
            HeapType::Concrete(_) => {}
            HeapType::Exact(_) => self.add(Proposal::CustomDescriptors),
        }
    }
}

/// The proposal of an instruction, from the list of wasmparser.
fn proposal_of(operator: &Operator<'_>) -> Option<Proposal> {
    macro_rules! list {
        ($( @$proposal:ident $operator:ident $({ $($argument:ident: $ty:ty),* })? => $visit:ident ($($rest:tt)*) )*) => {
            match operator {
                $( Operator::$operator { .. } => list!(one $proposal), )*
                _ => None,
            }
        };
        (one exceptions) => { Some(Proposal::Exceptions) };
        (one gc) => { Some(Proposal::GarbageCollection) };
        (one legacy_exceptions) => { Some(Proposal::LegacyExceptions) };
        (one shared_everything_threads) => { Some(Proposal::SharedEverythingThreads) };
        (one stack_switching) => { Some(Proposal::StackSwitching) };
        (one wide_arithmetic) => { Some(Proposal::WideArithmetic) };
        (one memory_control) => { Some(Proposal::MemoryControl) };
        (one custom_descriptors) => { Some(Proposal::CustomDescriptors) };
        (one $other:ident) => { None };
    }
    wasmparser::for_each_operator!(list)
}
