//! Keys that sort as values do, of canonical documents: twin of `engine/pure/order_key.py`, which says how they are made.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList};

use crate::given::Items;

const NULL: u8 = 0x10;
const FALSE: u8 = 0x20;
const TRUE: u8 = 0x21;
const BELOW: u8 = 0x30;
const ZERO: u8 = 0x31;
const ABOVE: u8 = 0x32;
const STRING: u8 = 0x40;
const LIST: u8 = 0x50;
const MAP: u8 = 0x60;

const END: [u8; 2] = [0, 0];
const CUT: [u8; 2] = [0, 1];
const BIAS: i32 = 128;

/// The text ends where no canonical document does.
struct Broken;

#[pyfunction]
#[pyo3(signature = (documents, paths, most=0))]
pub fn order_keys<'py>(
    py: Python<'py>,
    documents: &Bound<'py, PyAny>,
    paths: Vec<String>,
    most: usize,
) -> PyResult<Bound<'py, PyList>> {
    keys_of(py, Items::texts(documents)?.slices(), &paths, most)
}

/// The keys of the values at `paths` in each document, document by document.
pub fn keys_of<'py>(
    py: Python<'py>,
    documents: &[&[u8]],
    paths: &[String],
    most: usize,
) -> PyResult<Bound<'py, PyList>> {
    let paths: Vec<Vec<Vec<u8>>> = paths.iter().map(|path| path.split('.').map(quoted).collect()).collect();
    let made = py.detach(|| {
        let mut keys = Vec::new();
        let mut ends = Vec::with_capacity(documents.len() * paths.len());
        for document in documents {
            for path in &paths {
                write_key(at(document, path)?, most, &mut keys)?;
                ends.push(keys.len());
            }
        }
        Ok((keys, ends))
    });
    let (keys, ends) = made.map_err(|_: Broken| PyValueError::new_err("not a canonical document"))?;
    let starts = std::iter::once(0).chain(ends.iter().copied());
    PyList::new(py, starts.zip(&ends).map(|(start, &end)| PyBytes::new(py, &keys[start..end])))
}

/// A step of a path as it stands in a canonical document, quotes included.
fn quoted(step: &str) -> Vec<u8> {
    let mut text = vec![b'"'];
    for byte in step.bytes() {
        match byte {
            b'"' | b'\\' => text.extend([b'\\', byte]),
            8 => text.extend(b"\\b"),
            9 => text.extend(b"\\t"),
            10 => text.extend(b"\\n"),
            12 => text.extend(b"\\f"),
            13 => text.extend(b"\\r"),
            0..32 => text.extend(format!("\\u{byte:04x}").bytes()),
            _ => text.push(byte),
        }
    }
    text.push(b'"');
    text
}

/// The text of the value at a path.
fn at<'d>(document: &'d [u8], path: &[Vec<u8>]) -> Result<&'d [u8], Broken> {
    let mut value = document;
    for step in path {
        if value.first() != Some(&b'{') {
            return Ok(b"null");
        }
        match member(value, step)? {
            Some(found) => value = found,
            None => return Ok(b"null"),
        }
    }
    Ok(value)
}

/// The text of a member of a map.
fn member<'d>(map: &'d [u8], name: &[u8]) -> Result<Option<&'d [u8]>, Broken> {
    let mut at = 1;
    while map.get(at) == Some(&b'"') {
        let after = string_end(map, at)?;
        let end = value_end(map, after + 1)?;
        if &map[at..after] == name {
            return Ok(Some(&map[after + 1..end]));
        }
        at = end + 1;
    }
    Ok(None)
}

/// Behind the string that begins at `at`.
fn string_end(text: &[u8], mut at: usize) -> Result<usize, Broken> {
    at += 1;
    loop {
        let rest = text.get(at..).ok_or(Broken)?;
        let found = at + memchr::memchr2(b'"', b'\\', rest).ok_or(Broken)?;
        if text[found] == b'"' {
            return Ok(found + 1);
        }
        at = found + 2;
    }
}

/// Behind the value that begins at `at`.
fn value_end(text: &[u8], mut at: usize) -> Result<usize, Broken> {
    let mut depth = 0usize;
    loop {
        match text.get(at).ok_or(Broken)? {
            b'"' => at = string_end(text, at)?,
            b'{' | b'[' => {
                depth += 1;
                at += 1;
            }
            b'}' | b']' => {
                depth = depth.checked_sub(1).ok_or(Broken)?;
                at += 1;
            }
            b',' | b':' => at += 1,
            _ => {
                let plain = text[at..].iter().position(|byte| matches!(byte, b',' | b'}' | b']'));
                at += plain.unwrap_or(text.len() - at);
            }
        }
        if depth == 0 {
            return Ok(at);
        }
    }
}

fn write_key(value: &[u8], most: usize, out: &mut Vec<u8>) -> Result<(), Broken> {
    match value.first().ok_or(Broken)? {
        b'n' => out.push(NULL),
        b'f' => out.push(FALSE),
        b't' => out.push(TRUE),
        b'"' => {
            out.push(STRING);
            write_text(&unescaped(value)?, most, out);
        }
        b'[' => {
            out.push(LIST);
            write_text(value, most, out);
        }
        b'{' => {
            out.push(MAP);
            write_text(value, most, out);
        }
        _ => write_number(value, out)?,
    }
    Ok(())
}

fn write_number(text: &[u8], out: &mut Vec<u8>) -> Result<(), Broken> {
    let (below, text) = match text {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, text),
    };
    let places = memchr::memchr(b'.', text).map_or(0, |point| text.len() - point - 1);
    let mut digits: Vec<u8> = text.iter().copied().filter(|&byte| byte != b'.').collect();
    if !digits.iter().all(u8::is_ascii_digit) {
        return Err(Broken);
    }
    digits.drain(..digits.iter().take_while(|&&digit| digit == b'0').count());
    let exponent = digits.len() as i32 - places as i32;
    while digits.last() == Some(&b'0') {
        digits.pop();
    }
    if digits.is_empty() {
        out.push(ZERO);
        return Ok(());
    }
    let mask = if below { 0xff } else { 0 };
    out.push(if below { BELOW } else { ABOVE });
    out.push(u8::try_from(BIAS + exponent).map_err(|_| Broken)? ^ mask);
    for pair in digits.chunks(2) {
        let second = pair.get(1).map_or(0, |digit| digit - b'0');
        out.push(((pair[0] - b'0') * 10 + second + 1) ^ mask);
    }
    out.push(mask);
    Ok(())
}

fn write_text(text: &[u8], most: usize, out: &mut Vec<u8>) {
    let start = out.len();
    for part in text.split_inclusive(|&byte| byte == 0) {
        out.extend_from_slice(part);
        if part.last() == Some(&0) {
            out.push(0xff);
        }
        if most > 0 && out.len() - start > most {
            out.truncate(start + most);
            if out.last() == Some(&0) {
                out.pop(); // half of an escape
            }
            out.extend(CUT);
            return;
        }
    }
    out.extend(END);
}

/// The bytes that a canonical string stands for.
fn unescaped(text: &[u8]) -> Result<std::borrow::Cow<'_, [u8]>, Broken> {
    let inner = text.get(1..text.len() - 1).ok_or(Broken)?;
    if memchr::memchr(b'\\', inner).is_none() {
        return Ok(inner.into());
    }
    let mut out = Vec::with_capacity(inner.len());
    let mut rest = inner;
    while let Some(found) = memchr::memchr(b'\\', rest) {
        out.extend_from_slice(&rest[..found]);
        let (byte, used) = match rest.get(found + 1).ok_or(Broken)? {
            b'b' => (8, 2),
            b't' => (9, 2),
            b'n' => (10, 2),
            b'f' => (12, 2),
            b'r' => (13, 2),
            b'u' => {
                let digits =
                    rest.get(found + 2..found + 6).and_then(|raw| std::str::from_utf8(raw).ok()).ok_or(Broken)?;
                (u8::from_str_radix(digits, 16).map_err(|_| Broken)?, 6)
            }
            &byte => (byte, 2),
        };
        out.push(byte);
        rest = &rest[found + used..];
    }
    out.extend_from_slice(rest);
    Ok(out.into())
}
