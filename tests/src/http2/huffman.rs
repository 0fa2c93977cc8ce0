//! The Huffman code of HPACK (RFC 7541, appendix B), decoded.

/// How many bits the code of each byte has, and at the end that of the end. The codes
/// themselves follow from it: they count up, the short ones first.
#[rustfmt::skip]
const LENGTHS: [u8; 257] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28,
    28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11,
    10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8,
    15, 6, 12, 10, 13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
    7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6, 15, 5, 6, 5,
    6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7,
    7, 7, 7, 15, 11, 14, 13, 28, 20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23,
    23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
    22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21,
    23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23, 26, 26, 20, 19, 22, 23, 22, 25,
    26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26,
    28, 27, 27, 27, 20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23,
    26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26, 30,
];

/// The longest code.
const MAX_BITS: u8 = 30;

/// Decodes a string. Bits at its end that are no code are its padding.
///
/// # Errors
///
/// Fails where the string has the code of the end in it.
pub(super) fn decode(bytes: &[u8]) -> Result<Vec<u8>, String> {
    let mut decoded = Vec::new();
    let (mut code, mut bits) = (0_u32, 0_u8);
    for index in 0..bytes.len() * 8 {
        let bit = bytes[index / 8] >> (7 - index % 8) & 1;
        code = code << 1 | u32::from(bit);
        bits += 1;
        if let Some(symbol) = symbol(code, bits) {
            let byte = u8::try_from(symbol).map_err(|_| "the end within a string".to_owned())?;
            decoded.push(byte);
            (code, bits) = (0, 0);
        }
        if bits > MAX_BITS {
            return Err("bits that are no code".to_owned());
        }
    }
    Ok(decoded)
}

/// The symbol with this code of so many bits.
fn symbol(code: u32, bits: u8) -> Option<usize> {
    let mut first = 0_u32;
    for length in 1..=bits {
        first <<= 1;
        let with_length = || (0..LENGTHS.len()).filter(|symbol| LENGTHS[*symbol] == length);
        if length == bits {
            let place = usize::try_from(code.checked_sub(first)?).ok()?;
            return with_length().nth(place);
        }
        first += u32::try_from(with_length().count()).ok()?;
    }
    None
}
