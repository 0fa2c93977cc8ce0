//! The types of the exports of a fused component.

use std::collections::HashMap;

use wasm_encoder::{ComponentTypeSection, ComponentValType, PrimitiveValType};
use wasmtime_environ::component::{InterfaceType, TypeFuncIndex};

use crate::FuseError;
use crate::flatten::flat::{Flat, ImportPath};

const OWN_RESOURCE: FuseError = FuseError::Unsupported("it exports a resource");

/// A component that types are defined in.
pub(crate) trait Scope {
    /// Adds a section with one type, and returns its index.
    fn add_type(&mut self, section: &ComponentTypeSection) -> u32;

    /// The index of an imported resource type.
    fn resource(&mut self, path: &ImportPath) -> Result<u32, FuseError>;
}

/// The encoded types, so that each is encoded once.
pub(crate) struct Types<'a> {
    flat: &'a Flat,
    /// The types with a name.
    named: HashMap<InterfaceType, u32>,
    defined: HashMap<InterfaceType, u32>,
}

impl<'a> Types<'a> {
    pub(crate) fn new(flat: &'a Flat) -> Self {
        Self {
            flat,
            named: HashMap::new(),
            defined: HashMap::new(),
        }
    }

    /// The composition that defines the types.
    pub(crate) fn flat(&self) -> &'a Flat {
        self.flat
    }

    /// Makes later types refer to `ty` as `index`.
    pub(crate) fn rename(&mut self, ty: InterfaceType, index: u32) {
        self.named.insert(ty, index);
    }

    /// Makes later types define `ty` again.
    pub(crate) fn forget_name(&mut self, ty: InterfaceType) {
        self.named.remove(&ty);
        self.defined.remove(&ty);
    }

    /// Makes later types define derived types again, from the current names.
    pub(crate) fn forget_derived(&mut self) {
        self.defined.clear();
    }

    /// The index of a function's type.
    pub(crate) fn function(
        &mut self,
        ty: TypeFuncIndex,
        scope: &mut impl Scope,
    ) -> Result<u32, FuseError> {
        let types = &self.flat.types;
        let ty = &types[ty];
        let mut parameters = Vec::new();
        for (name, &ty) in ty.param_names.iter().zip(&types[ty.params].types) {
            parameters.push((name.as_str(), self.value(ty, scope)?));
        }
        let result = match *types[ty.results].types {
            [] => None,
            [ty] => Some(self.value(ty, scope)?),
            _ => {
                return Err(FuseError::Unsupported(
                    "it exports a function of several results",
                ));
            }
        };
        let mut section = ComponentTypeSection::new();
        section.function().params(parameters).result(result);
        Ok(scope.add_type(&section))
    }

    /// The type of a value.
    fn value(
        &mut self,
        ty: InterfaceType,
        scope: &mut impl Scope,
    ) -> Result<ComponentValType, FuseError> {
        Ok(match primitive(ty) {
            Some(primitive) => ComponentValType::Primitive(primitive),
            None => ComponentValType::Type(self.defined(ty, scope)?),
        })
    }

    fn optional(
        &mut self,
        ty: Option<InterfaceType>,
        scope: &mut impl Scope,
    ) -> Result<Option<ComponentValType>, FuseError> {
        ty.map(|ty| self.value(ty, scope)).transpose()
    }

    /// The index of a type.
    pub(crate) fn defined(
        &mut self,
        ty: InterfaceType,
        scope: &mut impl Scope,
    ) -> Result<u32, FuseError> {
        if let Some(&index) = self.named.get(&ty).or_else(|| self.defined.get(&ty)) {
            return Ok(index);
        }
        let section = self.encode(ty, scope)?;
        let index = scope.add_type(&section);
        self.defined.insert(ty, index);
        Ok(index)
    }

    fn encode(
        &mut self,
        ty: InterfaceType,
        scope: &mut impl Scope,
    ) -> Result<ComponentTypeSection, FuseError> {
        let flat = self.flat;
        let types = &flat.types;
        let mut section = ComponentTypeSection::new();
        match ty {
            InterfaceType::Record(ty) => {
                let mut fields = Vec::new();
                for field in &types[ty].fields {
                    fields.push((field.name.as_str(), self.value(field.ty, scope)?));
                }
                section.defined_type().record(fields);
            }
            InterfaceType::Variant(ty) => {
                let mut cases = Vec::new();
                for (name, &ty) in &types[ty].cases {
                    cases.push((name.as_str(), self.optional(ty, scope)?));
                }
                section.defined_type().variant(cases);
            }
            InterfaceType::List(ty) => {
                let element = self.value(types[ty].element, scope)?;
                section.defined_type().list(element);
            }
            InterfaceType::Tuple(ty) => {
                let mut elements = Vec::new();
                for &ty in &types[ty].types {
                    elements.push(self.value(ty, scope)?);
                }
                section.defined_type().tuple(elements);
            }
            InterfaceType::Flags(ty) => {
                let names = types[ty].names.iter().map(String::as_str);
                section.defined_type().flags(names.collect::<Vec<_>>());
            }
            InterfaceType::Enum(ty) => {
                let names = types[ty].names.iter().map(String::as_str);
                section.defined_type().enum_type(names.collect::<Vec<_>>());
            }
            InterfaceType::Option(ty) => {
                let some = self.value(types[ty].ty, scope)?;
                section.defined_type().option(some);
            }
            InterfaceType::Result(ty) => {
                let ok = self.optional(types[ty].ok, scope)?;
                let err = self.optional(types[ty].err, scope)?;
                section.defined_type().result(ok, err);
            }
            InterfaceType::Own(ty) => {
                let resource = scope.resource(flat.resource(ty).ok_or(OWN_RESOURCE)?)?;
                section.defined_type().own(resource);
            }
            InterfaceType::Borrow(ty) => {
                let resource = scope.resource(flat.resource(ty).ok_or(OWN_RESOURCE)?)?;
                section.defined_type().borrow(resource);
            }
            _ => match primitive(ty) {
                Some(primitive) => section.defined_type().primitive(primitive),
                None => return Err(FuseError::Unsupported("it exports a type of WASI 0.3")),
            },
        }
        Ok(section)
    }
}

fn primitive(ty: InterfaceType) -> Option<PrimitiveValType> {
    Some(match ty {
        InterfaceType::Bool => PrimitiveValType::Bool,
        InterfaceType::S8 => PrimitiveValType::S8,
        InterfaceType::U8 => PrimitiveValType::U8,
        InterfaceType::S16 => PrimitiveValType::S16,
        InterfaceType::U16 => PrimitiveValType::U16,
        InterfaceType::S32 => PrimitiveValType::S32,
        InterfaceType::U32 => PrimitiveValType::U32,
        InterfaceType::S64 => PrimitiveValType::S64,
        InterfaceType::U64 => PrimitiveValType::U64,
        InterfaceType::Float32 => PrimitiveValType::F32,
        InterfaceType::Float64 => PrimitiveValType::F64,
        InterfaceType::Char => PrimitiveValType::Char,
        InterfaceType::String => PrimitiveValType::String,
        _ => return None,
    })
}
