//! Constant expressions that refer to imported globals.
//!
//! A global that a module of the fused one defines is not imported any more, but constant
//! expressions of WebAssembly 2.0 may refer only to imported globals. The initial value of the global
//! is inlined instead; such a global is immutable.

use wasm_encoder::Encode as _;
use wasm_encoder::reencode::{Error, Reencode};
use wasmparser::{ConstExpr, Operator};

use crate::FuseError;
use crate::core_modules::code::Indices;
use crate::flatten::flat::{Def, Item};
use crate::layout::Layout;
use crate::module::Module;

/// Maximum length of an expression in bytes: inlining can grow it exponentially.
const MAXIMUM_BYTES: usize = 64 << 10;

/// Maximum number of instructions in the evaluation of an expression.
const MAXIMUM_STEPS: usize = 10_000;

/// The initial value of the global `index` of `instance`, and the instance that defines it;
/// `None` if the global is not imported or is mutable.
fn imported<'m, 'a>(
    modules: &'m [Module<'a>],
    layout: &Layout,
    instance: usize,
    index: u32,
) -> Option<(usize, &'m ConstExpr<'a>)> {
    if index >= layout.imported_globals(instance) {
        return None;
    }
    let (instance, position) = layout.defined_global(Def::Global(Item { instance, index }))?;
    let global = modules.get(instance)?.globals.get(position)?;
    (!global.ty.mutable).then_some((instance, &global.init_expr))
}

/// Encodes `expression` with the indices of the fused module.
pub(crate) fn append(
    indices: &mut Indices<'_>,
    expression: &ConstExpr<'_>,
    bytes: &mut Vec<u8>,
) -> Result<(), Error<FuseError>> {
    let mut operators = expression.get_operators_reader();
    while !operators.is_end_then_eof() {
        let operator = operators.clone().read().map_err(Error::ParseError)?;
        let value = match operator {
            Operator::GlobalGet { global_index } => imported(
                indices.modules,
                indices.layout,
                indices.instance,
                global_index,
            ),
            _ => None,
        };
        if let Some((instance, value)) = value {
            operators.read().map_err(Error::ParseError)?;
            append(&mut indices.of(instance), value, bytes)?;
        } else {
            indices.parse_instruction(&mut operators)?.encode(bytes);
        }
        if bytes.len() > MAXIMUM_BYTES {
            let reason = "the initial values of its globals depend on too many others";
            return Err(Error::UserError(FuseError::Unsupported(reason)));
        }
    }
    Ok(())
}

/// The value of `expression` of `instance`, if it is known before instantiation.
pub(crate) fn number(
    modules: &[Module<'_>],
    layout: &Layout,
    instance: usize,
    expression: &ConstExpr<'_>,
) -> Option<i32> {
    let mut steps = 0;
    evaluate(modules, layout, instance, expression, &mut steps)
}

fn evaluate(
    modules: &[Module<'_>],
    layout: &Layout,
    instance: usize,
    expression: &ConstExpr<'_>,
    steps: &mut usize,
) -> Option<i32> {
    let mut stack: Vec<i32> = Vec::new();
    for operator in expression.get_operators_reader() {
        *steps += 1;
        if *steps > MAXIMUM_STEPS {
            return None;
        }
        let value = match operator.ok()? {
            Operator::I32Const { value } => value,
            Operator::I32Add => stack.pop()?.wrapping_add(stack.pop()?),
            Operator::I32Sub => {
                let subtrahend = stack.pop()?;
                stack.pop()?.wrapping_sub(subtrahend)
            }
            Operator::I32Mul => stack.pop()?.wrapping_mul(stack.pop()?),
            Operator::GlobalGet { global_index } => {
                let (instance, value) = imported(modules, layout, instance, global_index)?;
                evaluate(modules, layout, instance, value, steps)?
            }
            Operator::End => break,
            _ => return None,
        };
        stack.push(value);
    }
    stack.pop().filter(|_| stack.is_empty())
}
