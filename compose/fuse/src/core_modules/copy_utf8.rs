//! A function that copies a string between the memories of two parts.

use wasm_encoder::{BlockType, Function, MemArg, ValType};

/// A function of the parameters source, length in bytes and destination. It
/// copies the string from memory `from` to memory `to`, and traps if it is not
/// UTF-8 (Unicode 16.0, table 3-7), as the canonical ABI has it.
///
/// The caller has checked that both ranges are within their memories.
pub(crate) fn copy_utf8(from: u32, to: u32) -> Function {
    const SOURCE: u32 = 0;
    const LENGTH: u32 = 1;
    const DESTINATION: u32 = 2;
    // The address of the next character, and the number of bytes from there.
    const NEXT: u32 = 3;
    const LEFT: u32 = 4;
    // The first byte of a character, the number of following bytes, and the bounds of the
    // second byte.
    const FIRST: u32 = 5;
    const FOLLOWING: u32 = 6;
    const LOWEST: u32 = 7;
    const HIGHEST: u32 = 8;

    let byte = |offset: u64| MemArg {
        offset,
        align: 0,
        memory_index: from,
    };
    let mut function = Function::new([(6, ValType::I32)]);
    let mut code = function.instructions();
    code.local_get(SOURCE).local_set(NEXT);
    code.local_get(LENGTH).local_set(LEFT);

    code.block(BlockType::Empty); // $end
    code.loop_(BlockType::Empty); // $character

    // Eight bytes at once, while all are ASCII.
    code.block(BlockType::Empty); // $other
    code.loop_(BlockType::Empty); // $ascii
    code.local_get(LEFT).i32_const(8).i32_lt_u().br_if(1);
    code.local_get(NEXT).i64_load(byte(0));
    code.i64_const(0x8080_8080_8080_8080_u64.cast_signed());
    code.i64_and().i64_eqz().i32_eqz().br_if(1);
    code.local_get(NEXT).i32_const(8).i32_add().local_set(NEXT);
    code.local_get(LEFT).i32_const(8).i32_sub().local_set(LEFT);
    code.br(0);
    code.end(); // $ascii
    code.end(); // $other

    code.local_get(LEFT).i32_eqz().br_if(1);
    code.local_get(NEXT).i32_load8_u(byte(0)).local_set(FIRST);
    code.i32_const(0).local_set(FOLLOWING);

    code.local_get(FIRST).i32_const(0x80).i32_ge_u();
    code.if_(BlockType::Empty);
    // Ranges of first bytes, number of following bytes, bounds of the second byte.
    for (first, last, following, lowest, highest) in [
        (0xC2, 0xDF, 1, 0x80, 0xBF),
        (0xE0, 0xE0, 2, 0xA0, 0xBF),
        (0xE1, 0xEC, 2, 0x80, 0xBF),
        (0xED, 0xED, 2, 0x80, 0x9F),
        (0xEE, 0xEF, 2, 0x80, 0xBF),
        (0xF0, 0xF0, 3, 0x90, 0xBF),
        (0xF1, 0xF3, 3, 0x80, 0xBF),
        (0xF4, 0xF4, 3, 0x80, 0x8F),
    ] {
        code.local_get(FIRST).i32_const(first).i32_sub();
        code.i32_const(last - first).i32_le_u();
        code.if_(BlockType::Empty);
        code.i32_const(following).local_set(FOLLOWING);
        code.i32_const(lowest).local_set(LOWEST);
        code.i32_const(highest).local_set(HIGHEST);
        code.end();
    }
    // An invalid first byte, or an incomplete character.
    code.local_get(FOLLOWING).i32_eqz();
    code.local_get(FOLLOWING).local_get(LEFT).i32_ge_u();
    code.i32_or();
    code.if_(BlockType::Empty).unreachable().end();
    // The second byte.
    code.local_get(NEXT)
        .i32_load8_u(byte(1))
        .local_get(LOWEST)
        .i32_sub();
    code.local_get(HIGHEST).local_get(LOWEST).i32_sub();
    code.i32_gt_u();
    code.if_(BlockType::Empty).unreachable().end();
    // The third and the fourth.
    for offset in [2, 3] {
        code.local_get(FOLLOWING).i32_const(offset).i32_ge_u();
        code.if_(BlockType::Empty);
        code.local_get(NEXT)
            .i32_load8_u(byte(offset.unsigned_abs().into()));
        code.i32_const(0xC0).i32_and().i32_const(0x80).i32_ne();
        code.if_(BlockType::Empty).unreachable().end();
        code.end();
    }
    code.end();

    code.local_get(NEXT)
        .local_get(FOLLOWING)
        .i32_add()
        .i32_const(1)
        .i32_add();
    code.local_set(NEXT);
    code.local_get(LEFT)
        .local_get(FOLLOWING)
        .i32_sub()
        .i32_const(1)
        .i32_sub();
    code.local_set(LEFT);
    code.br(0);
    code.end(); // $character
    code.end(); // $end

    code.local_get(DESTINATION)
        .local_get(SOURCE)
        .local_get(LENGTH);
    code.memory_copy(to, from);
    code.end();
    function
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use wasm_encoder::{
        CodeSection, ExportKind, ExportSection, FunctionSection, MemorySection, MemoryType, Module,
        TypeSection,
    };
    use wasmi::{Engine, Linker, Memory, Store, TypedFunc};

    use super::*;

    /// The addresses of the string and of its copy.
    const SOURCE: usize = 24;
    const DESTINATION: usize = 8;

    fn module() -> Vec<u8> {
        let mut types = TypeSection::new();
        types.ty().function([ValType::I32; 3], []);
        let mut functions = FunctionSection::new();
        functions.function(0);
        let mut memories = MemorySection::new();
        let mut exports = ExportSection::new();
        for (index, name) in [(0, "to"), (1, "from")] {
            memories.memory(MemoryType {
                minimum: 1,
                maximum: None,
                memory64: false,
                shared: false,
                page_size_log2: None,
            });
            exports.export(name, ExportKind::Memory, index);
        }
        exports.export("copy", ExportKind::Func, 0);
        let mut code = CodeSection::new();
        code.function(&copy_utf8(1, 0));
        let mut module = Module::new();
        module
            .section(&types)
            .section(&functions)
            .section(&memories)
            .section(&exports)
            .section(&code);
        module.finish()
    }

    /// The function and its two memories.
    struct Copier {
        store: Store<()>,
        function: TypedFunc<(i32, i32, i32), ()>,
        from: Memory,
        to: Memory,
    }

    impl Copier {
        fn new() -> Self {
            let engine = Engine::default();
            let module = wasmi::Module::new(&engine, module()).expect("a valid module");
            let mut store = Store::new(&engine, ());
            let linker = Linker::new(&engine);
            let instance = linker.instantiate_and_start(&mut store, &module);
            let instance = instance.expect("it has no imports");
            let memory = |name| instance.get_memory(&store, name).expect("a memory");
            let (from, to) = (memory("from"), memory("to"));
            let function = instance.get_typed_func(&store, "copy");
            Self {
                function: function.expect("a function"),
                from,
                to,
                store,
            }
        }

        /// The copy, unless the function traps.
        fn copy(&mut self, bytes: &[u8]) -> Option<Vec<u8>> {
            let after = DESTINATION + bytes.len();
            // Bytes after the string that would continue it must be ignored.
            self.from.data_mut(&mut self.store)[..SOURCE + bytes.len() + 8].fill(0xBF);
            let written = self.from.write(&mut self.store, SOURCE, bytes);
            written.expect("it fits");
            self.to.data_mut(&mut self.store)[..=after].fill(0);
            let int = |value: usize| i32::try_from(value).expect("small");
            let parameters = (int(SOURCE), int(bytes.len()), int(DESTINATION));
            self.function.call(&mut self.store, parameters).ok()?;
            let to = self.to.data(&self.store);
            assert_eq!([to[DESTINATION - 1], to[after]], [0, 0]);
            Some(to[DESTINATION..after].to_vec())
        }
    }

    fn copy(bytes: &[u8]) -> Option<Vec<u8>> {
        Copier::new().copy(bytes)
    }

    fn expected(bytes: &[u8]) -> Option<Vec<u8>> {
        std::str::from_utf8(bytes)
            .ok()
            .map(|text| text.as_bytes().to_vec())
    }

    #[test]
    fn every_first_byte_is_accepted_or_rejected_as_by_std() {
        let mut copier = Copier::new();
        for first in 0..=u8::MAX {
            for second in [0x00, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xFF] {
                for third in [0x41, 0x7F, 0x80, 0xBF, 0xC0] {
                    for length in 1..=4 {
                        let bytes = &[first, second, third, 0x80][..length];
                        assert_eq!(copier.copy(bytes), expected(bytes), "{bytes:x?}");
                    }
                }
            }
        }
    }

    proptest! {
        #[test]
        fn any_string_is_copied(text: String) {
            prop_assert_eq!(copy(text.as_bytes()), Some(text.into_bytes()));
        }

        #[test]
        fn a_string_with_one_changed_byte_is_accepted_or_rejected_as_by_std(
            text in "[a-zé€😀]{1,40}",
            index: prop::sample::Index,
            byte: u8,
        ) {
            let mut bytes = text.into_bytes();
            let index = index.index(bytes.len());
            bytes[index] = byte;
            prop_assert_eq!(copy(&bytes), expected(&bytes));
        }
    }
}
