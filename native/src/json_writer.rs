//! Canonical JSON of values: keys in order of code points, no spaces, raw UTF-8, numbers in plain decimal.
//!
//! The walk here stops at the limits of depth and size and costs no gas; `walk.rs` has the metered one.

use crate::failure::{At, Failure, fail};
use crate::number::Number;
use crate::number_text::{write_integer, write_text};
use crate::scan::{CHUNK, first_escaped, plain_end};
use crate::text::{Short, Str};
use crate::value::{MAX_DEPTH, MAX_LIST, MAX_TEXT, Value};

/// The canonical text.
///
/// Fails with `depth.value` at the 65th level, `limit.text` beyond a document's size, `limit.list` for a range of too many elements,
/// whichever comes first in the order of the text.
pub fn to_json(value: &Value) -> Result<Vec<u8>, Failure> {
    let mut out = Vec::with_capacity(64);
    write(value, &mut out)?;
    Ok(out)
}

/// Append the canonical text of a value; the limits are those of `to_json`.
pub fn write(value: &Value, out: &mut Vec<u8>) -> Result<(), Failure> {
    let end = out.len() + MAX_TEXT;
    write_level(value, 1, out, end)
}

fn write_level(value: &Value, level: usize, out: &mut Vec<u8>, end: usize) -> Result<(), Failure> {
    match value {
        Value::Map(map) => {
            open(b'{', level, out, end)?;
            for (index, (key, value)) in map.entries().iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write_key(key, out);
                check(out, end)?;
                out.push(b':');
                write_level(value, level + 1, out, end)?;
            }
            out.push(b'}');
        }
        Value::List(list) => {
            open(b'[', level, out, end)?;
            for (index, item) in list.items().iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write_level(item, level + 1, out, end)?;
            }
            out.push(b']');
        }
        Value::Range(range) => {
            if level <= MAX_DEPTH && range.length > MAX_LIST as u64 {
                return Err(fail("limit.list").at(At::Nowhere));
            }
            open(b'[', level, out, end)?;
            for (index, item) in range.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write_level(&item, level + 1, out, end)?;
            }
            out.push(b']');
        }
        scalar => write_scalar(scalar, out),
    }
    check(out, end)
}

fn open(bracket: u8, level: usize, out: &mut Vec<u8>, end: usize) -> Result<(), Failure> {
    if level > MAX_DEPTH {
        return Err(fail("depth.value").at(At::Nowhere));
    }
    out.push(bracket);
    check(out, end)
}

fn check(out: &[u8], end: usize) -> Result<(), Failure> {
    if out.len() > end { Err(fail("limit.text").at(At::Nowhere)) } else { Ok(()) }
}

/// What is no container, as canonical JSON.
#[inline]
pub fn write_scalar(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Bool(true) => out.extend_from_slice(b"true"),
        Value::Bool(false) => out.extend_from_slice(b"false"),
        Value::Int(x) => write_integer(*x < 0, x.unsigned_abs(), out),
        Value::Wide(x) => write_text(Number::Wide(*x), out),
        Value::Short(text) => write_short(text, out),
        Value::Long(text) => write_string(text.as_str(), out),
        _ => out.extend_from_slice(b"null"),
    }
}

/// A key as canonical JSON.
#[inline]
pub fn write_key(key: &Str, out: &mut Vec<u8>) {
    match key {
        Str::Short(text) => write_short(text, out),
        Str::Long(text) => write_string(text.as_str(), out),
    }
}

/// A short string as canonical JSON: all its bytes at once where none is escaped.
#[inline]
fn write_short(text: &Short, out: &mut Vec<u8>) {
    let (length, chunk) = (text.len(), text.chunk());
    if first_escaped(chunk) < length {
        return write_string(text.as_str(), out);
    }
    out.reserve(CHUNK + 2);
    let start = out.len();
    // SAFETY: there is room for a chunk and two quotes, and a short string is shorter than a chunk
    unsafe {
        let place = out.as_mut_ptr().add(start);
        place.write(b'"');
        place.add(1).cast::<[u8; CHUNK]>().write(chunk.to_le_bytes());
        place.add(1 + length).write(b'"');
        out.set_len(start + length + 2);
    }
}

/// A string as canonical JSON.
pub fn write_string(text: &str, out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let bytes = text.as_bytes();
    out.reserve(bytes.len() + 2);
    out.push(b'"');
    let mut start = 0;
    loop {
        let end = plain_end(bytes, start);
        out.extend_from_slice(&bytes[start..end]);
        let Some(&byte) = bytes.get(end) else { break };
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            0x08 => out.extend_from_slice(b"\\b"),
            0x0c => out.extend_from_slice(b"\\f"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            control => {
                out.extend_from_slice(b"\\u00");
                out.push(HEX[usize::from(control >> 4)]);
                out.push(HEX[usize::from(control & 15)]);
            }
        }
        start = end + 1;
    }
    out.push(b'"');
}

/// The number of bytes that `write_key` appends.
#[inline]
pub fn key_size(key: &Str) -> usize {
    match key {
        Str::Short(text) => short_size(text),
        Str::Long(text) => string_size(text.as_str()),
    }
}

#[inline]
pub fn short_size(text: &Short) -> usize {
    if first_escaped(text.chunk()) < text.len() { string_size(text.as_str()) } else { text.len() + 2 }
}

/// The number of bytes that `write_string` appends.
pub fn string_size(text: &str) -> usize {
    let bytes = text.as_bytes();
    let mut size = bytes.len() + 2;
    let mut at = plain_end(bytes, 0);
    while let Some(byte) = bytes.get(at) {
        size += match byte {
            b'"' | b'\\' | 0x08 | 0x0c | b'\n' | b'\r' | b'\t' => 1,
            _ => 5,
        };
        at = plain_end(bytes, at + 1);
    }
    size
}

/// Append the canonical text of a value whose depth and size were checked before.
pub fn write_unlimited(value: &Value, out: &mut Vec<u8>) {
    // the bounds hold, so the walk that looks at them cannot fail
    let _ = write_level(value, 1, out, usize::MAX);
}
