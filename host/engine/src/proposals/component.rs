//! Proposals in the types and functions of the component model.

use wasmparser::{
    CanonicalFunction, CanonicalOption, ComponentDefinedType, ComponentType,
    ComponentTypeDeclaration, CoreType, InstanceTypeDeclaration, ModuleTypeDeclaration,
    PrimitiveValType,
};

use super::{Proposal, Proposals};

impl Proposals {
    pub(super) fn add_core_type(&mut self, ty: &CoreType<'_>) {
        match ty {
            CoreType::Rec(group) => self.add_group(group),
            CoreType::Module(declarations) => {
                for declaration in declarations {
                    match declaration {
                        ModuleTypeDeclaration::Type(group) => self.add_group(group),
                        ModuleTypeDeclaration::Export { ty, .. } => self.add_entity(*ty),
                        ModuleTypeDeclaration::Import(import) => self.add_entity(import.ty),
                        ModuleTypeDeclaration::OuterAlias { .. } => {}
                    }
                }
            }
        }
    }

    pub(super) fn add_component_type(&mut self, ty: &ComponentType<'_>) {
        match ty {
            ComponentType::Defined(ty) => self.0.extend(match ty {
                ComponentDefinedType::Future(_) | ComponentDefinedType::Stream(_) => {
                    Some(Proposal::ComponentAsync)
                }
                ComponentDefinedType::Map(..) => Some(Proposal::ComponentMap),
                ComponentDefinedType::FixedLengthList(..) => {
                    Some(Proposal::ComponentFixedLengthList)
                }
                ComponentDefinedType::Primitive(PrimitiveValType::ErrorContext) => {
                    Some(Proposal::ComponentErrorContext)
                }
                _ => None,
            }),
            ComponentType::Func(ty) => self.0.extend(ty.async_.then_some(Proposal::ComponentAsync)),
            ComponentType::Component(declarations) => {
                for declaration in declarations {
                    match declaration {
                        ComponentTypeDeclaration::CoreType(ty) => self.add_core_type(ty),
                        ComponentTypeDeclaration::Type(ty) => self.add_component_type(ty),
                        _ => {}
                    }
                }
            }
            ComponentType::Instance(declarations) => {
                for declaration in declarations {
                    match declaration {
                        InstanceTypeDeclaration::CoreType(ty) => self.add_core_type(ty),
                        InstanceTypeDeclaration::Type(ty) => self.add_component_type(ty),
                        _ => {}
                    }
                }
            }
            ComponentType::Resource { .. } => {}
        }
    }

    pub(super) fn add_canonical(&mut self, function: &CanonicalFunction) {
        use CanonicalFunction as Function;

        match function {
            Function::Lift { options, .. } | Function::Lower { options, .. } => {
                let is_lift = matches!(function, Function::Lift { .. });
                let has_callback = options
                    .iter()
                    .any(|option| matches!(option, CanonicalOption::Callback(_)));
                if is_lift && !has_callback && options.contains(&CanonicalOption::Async) {
                    self.add(Proposal::ComponentStackfulAsync);
                }
                self.0
                    .extend(options.iter().filter_map(|option| match option {
                        CanonicalOption::Async | CanonicalOption::Callback(_) => {
                            Some(Proposal::ComponentAsync)
                        }
                        CanonicalOption::Gc | CanonicalOption::CoreType(_) => {
                            Some(Proposal::ComponentGc)
                        }
                        _ => None,
                    }));
            }
            Function::ResourceNew { .. }
            | Function::ResourceDrop { .. }
            | Function::ResourceRep { .. } => {}
            Function::ThreadSpawnRef { .. }
            | Function::ThreadSpawnIndirect { .. }
            | Function::ThreadAvailableParallelism => self.add(Proposal::SharedEverythingThreads),
            Function::ErrorContextNew { .. }
            | Function::ErrorContextDebugMessage { .. }
            | Function::ErrorContextDrop => self.add(Proposal::ComponentErrorContext),
            Function::ThreadIndex
            | Function::ThreadNewIndirect { .. }
            | Function::ThreadResumeLater
            | Function::ThreadSuspend { .. }
            | Function::ThreadSuspendThenResume { .. }
            | Function::ThreadYieldThenResume { .. }
            | Function::ThreadSuspendThenPromote { .. }
            | Function::ThreadYieldThenPromote { .. } => self.add(Proposal::ComponentThreads),
            _ => self.add(Proposal::ComponentAsync),
        }
    }
}
