//! Copying a string from the memory of one part to that of another.

use wasm_encoder::{BlockType, Function, MemArg, ValType};

/// A function of the parameters source, length in bytes and destination. It
/// copies the string from memory `from` to memory `to`, and traps if it is not
/// UTF-8 (Unicode 16.0, table 3-7), as the canonical ABI has it.
///
/// Both ranges lie within their memories; whoever calls it has checked that.
pub(super) fn copy_utf8(from: u32, to: u32) -> Function {
    const SOURCE: u32 = 0;
    const LENGTH: u32 = 1;
    const DESTINATION: u32 = 2;
    // Where the next character begins, and how many bytes are left from there.
    const NEXT: u32 = 3;
    const LEFT: u32 = 4;
    // The first byte of a character, how many follow it, and between which
    // bounds the second one must lie.
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
    // What may follow which first byte.
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
    // No such first byte, or the string ends within the character.
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
