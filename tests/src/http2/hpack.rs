//! Header fields as bytes: HPACK (RFC 7541).

use super::huffman;

/// A name and a value.
pub type Field = (Vec<u8>, Vec<u8>);

/// A field that enters no table, with its name and value as they are.
#[must_use]
pub fn literal(name: &[u8], value: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0];
    for text in [name, value] {
        bytes.extend(integer(text.len(), 7));
        bytes.extend(text);
    }
    bytes
}

/// A number whose first byte has so many bits for it, with zeros before them.
fn integer(number: usize, bits: u8) -> Vec<u8> {
    let most = (1 << bits) - 1;
    let byte = |number: usize| u8::try_from(number).expect("less than 256");
    if number < most {
        return vec![byte(number)];
    }
    let mut bytes = vec![byte(most)];
    let mut rest = number - most;
    while rest >= 128 {
        bytes.push(byte(rest % 128 + 128));
        rest /= 128;
    }
    bytes.push(byte(rest));
    bytes
}

/// Decodes the fields of one connection.
#[derive(Debug, Default)]
pub struct Decoder {
    /// The dynamic table, the newest field first. It is never cut: what was dropped is
    /// what nobody refers to any more.
    added: Vec<Field>,
}

impl Decoder {
    /// Decodes the fields of one response.
    ///
    /// # Errors
    ///
    /// Says what is not HPACK.
    pub fn decode(&mut self, bytes: &[u8]) -> Result<Vec<Field>, String> {
        let mut rest = bytes;
        let mut fields = Vec::new();
        while let Some(&first) = rest.first() {
            if first & 0x80 != 0 {
                let index = take_integer(&mut rest, 7)?;
                fields.push(self.field(index)?);
            } else if first & 0xe0 == 0x20 {
                // A new size of the table.
                take_integer(&mut rest, 5)?;
            } else {
                let is_added = first & 0x40 != 0;
                let field = self.take_literal(&mut rest, if is_added { 6 } else { 4 })?;
                if is_added {
                    self.added.insert(0, field.clone());
                }
                fields.push(field);
            }
        }
        Ok(fields)
    }

    fn take_literal(&self, rest: &mut &[u8], bits: u8) -> Result<Field, String> {
        let name = match take_integer(rest, bits)? {
            0 => take_string(rest)?,
            index => self.field(index)?.0,
        };
        Ok((name, take_string(rest)?))
    }

    fn field(&self, index: usize) -> Result<Field, String> {
        let field =
            |(name, value): &(&str, &str)| (name.as_bytes().into(), value.as_bytes().into());
        let error = || format!("no field has the index {index}");
        let index = index.checked_sub(1).ok_or_else(error)?;
        match index.checked_sub(STATIC.len()) {
            None => Ok(field(&STATIC[index])),
            Some(index) => self.added.get(index).cloned().ok_or_else(error),
        }
    }
}

fn take_integer(rest: &mut &[u8], bits: u8) -> Result<usize, String> {
    let most = (1_usize << bits) - 1;
    let mut number = usize::from(take_byte(rest)?) & most;
    if number < most {
        return Ok(number);
    }
    for shift in (0..28).step_by(7) {
        let byte = usize::from(take_byte(rest)?);
        number += (byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(number);
        }
    }
    Err("a number that is too large".to_owned())
}

fn take_string(rest: &mut &[u8]) -> Result<Vec<u8>, String> {
    let is_huffman = rest.first().is_some_and(|first| first & 0x80 != 0);
    let length = take_integer(rest, 7)?;
    let Some((text, after)) = rest.split_at_checked(length) else {
        return Err("a string that is too long".to_owned());
    };
    *rest = after;
    if is_huffman {
        huffman::decode(text)
    } else {
        Ok(text.to_owned())
    }
}

fn take_byte(rest: &mut &[u8]) -> Result<u8, String> {
    let (&first, after) = rest.split_first().ok_or("the fields end too early")?;
    *rest = after;
    Ok(first)
}

/// The static table (RFC 7541, appendix A).
const STATIC: [(&str, &str); 61] = [
    (":authority", ""),
    (":method", "GET"),
    (":method", "POST"),
    (":path", "/"),
    (":path", "/index.html"),
    (":scheme", "http"),
    (":scheme", "https"),
    (":status", "200"),
    (":status", "204"),
    (":status", "206"),
    (":status", "304"),
    (":status", "400"),
    (":status", "404"),
    (":status", "500"),
    ("accept-charset", ""),
    ("accept-encoding", "gzip, deflate"),
    ("accept-language", ""),
    ("accept-ranges", ""),
    ("accept", ""),
    ("access-control-allow-origin", ""),
    ("age", ""),
    ("allow", ""),
    ("authorization", ""),
    ("cache-control", ""),
    ("content-disposition", ""),
    ("content-encoding", ""),
    ("content-language", ""),
    ("content-length", ""),
    ("content-location", ""),
    ("content-range", ""),
    ("content-type", ""),
    ("cookie", ""),
    ("date", ""),
    ("etag", ""),
    ("expect", ""),
    ("expires", ""),
    ("from", ""),
    ("host", ""),
    ("if-match", ""),
    ("if-modified-since", ""),
    ("if-none-match", ""),
    ("if-range", ""),
    ("if-unmodified-since", ""),
    ("last-modified", ""),
    ("link", ""),
    ("location", ""),
    ("max-forwards", ""),
    ("proxy-authenticate", ""),
    ("proxy-authorization", ""),
    ("range", ""),
    ("referer", ""),
    ("refresh", ""),
    ("retry-after", ""),
    ("server", ""),
    ("set-cookie", ""),
    ("strict-transport-security", ""),
    ("transfer-encoding", ""),
    ("user-agent", ""),
    ("vary", ""),
    ("via", ""),
    ("www-authenticate", ""),
];
