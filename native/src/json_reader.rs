//! Documents: RFC 8259 strictly, UTF-8, no byte order mark, no duplicate keys, no lone surrogates, bounded depth, sizes and numbers.
//!
//! One pass without recursion. Open containers collect what they hold on two stacks that are kept from document to document, so that a
//! finished container is one allocation of exact size. Order of checks of a token: syntax, depth, the count of its container, then its
//! own length or domain (`docs/engine-notes.md`, 24 to 28).

use std::collections::BTreeMap;

use crate::document::Document;
use crate::failure::{Halt, shown_text};
use crate::json_writer::to_json;
use crate::map::Entries;
use crate::node::FROZEN;
use crate::number_text::from_text;
use crate::quick;
use crate::scan::plain_end;
use crate::scratch::Scratch;
use crate::skim::Slots;
use crate::template::Skimmer;
use crate::text::Str;
use crate::value::{List, MAX_DEPTH, MAX_KEY, MAX_LIST, MAX_MAP, MAX_STRING, MAX_TEXT, Map, Value};

/// Canonical JSON is less than so many times as long as the text it was read from (`1e33` is the worst).
const GROWTH: usize = 9;
/// A map with more entries than this whose keys come out of order is collected in a tree.
const FEW: usize = 32;
/// The quick reader recurses, so it is for documents; IR nests deeper.
const MAX_NESTING: usize = 100;

/// A container whose end has not been read.
struct Open {
    is_map: bool,
    /// Where its elements start on their stack.
    start: usize,
    /// Of a map: the key whose value is being read.
    key: Str,
    /// Of a map of many entries whose keys came out of order.
    tree: Option<BTreeMap<Str, Value>>,
}

/// Reads documents; keeps its stacks from one to the next.
pub struct Reader {
    open: Vec<Open>,
    items: Vec<Value>,
    entries: Vec<(Str, Value)>,
    scratch: Scratch,
}

impl Reader {
    pub fn new() -> Reader {
        Reader { open: Vec::new(), items: Vec::new(), entries: Vec::new(), scratch: Scratch::take() }
    }

    /// The value of a document of the language; fails with `bad_input.*` or `limit.document_*`.
    pub fn read(&mut self, raw: &[u8], document: Document) -> Result<Value, Halt> {
        if raw.len() > MAX_TEXT {
            return Err(document.fail("limit.document_text").count("length", raw.len()).into());
        }
        let value = self.read_part(raw, document, MAX_DEPTH)?;
        if raw.len() * GROWTH > MAX_TEXT && to_json(&value).is_err() {
            return Err(document.fail("limit.document_canonical").into());
        }
        Ok(value)
    }

    /// Check a document that is a map and write its wanted members into `out`; false where it must be read in full.
    #[inline]
    pub fn skim<S: Slots>(&mut self, raw: &[u8], skimmer: &mut Skimmer<'_>, mut out: S) -> bool {
        raw.len() * GROWTH <= MAX_TEXT && skimmer.skim(raw, &mut self.scratch, &mut out)
    }

    /// As `read`, without the limits of size and with another one of depth: for texts that hold documents.
    pub fn read_part(&mut self, raw: &[u8], document: Document, depth: usize) -> Result<Value, Halt> {
        if depth <= MAX_NESTING {
            if let Some(value) = quick::read(raw, depth, &mut self.scratch) {
                return Ok(value);
            }
        }
        let text = match std::str::from_utf8(raw) {
            Ok(text) => text,
            Err(error) => return Err(document.fail("bad_input.utf8").count("offset", error.valid_up_to()).into()),
        };
        let result = Text { text, bytes: raw, at: 0, document, depth, reader: self }.document();
        if result.is_err() {
            self.open.clear();
            self.items.clear();
            self.entries.clear();
        }
        result
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        std::mem::take(&mut self.scratch).give_back();
    }
}

pub(crate) struct Text<'a> {
    pub(crate) text: &'a str,
    pub(crate) bytes: &'a [u8],
    pub(crate) at: usize,
    pub(crate) document: Document,
    depth: usize,
    reader: &'a mut Reader,
}

impl Text<'_> {
    fn document(&mut self) -> Result<Value, Halt> {
        if self.text.starts_with('\u{feff}') {
            return Err(self.document.fail("bad_input.bom").into());
        }
        let value = self.value()?;
        match self.peek() {
            None => Ok(value),
            Some(_) => Err(self.fail("bad_input.trailing", self.at)),
        }
    }

    fn value(&mut self) -> Result<Value, Halt> {
        loop {
            let mut value = match self.token()? {
                Some(value) => value,
                None if self.first()? => continue,
                None => self.close(),
            };
            // the value is complete: store it, and close what ends with it
            loop {
                let Some(open) = self.reader.open.last_mut() else { return Ok(value) };
                if !open.is_map {
                    self.reader.items.push(value);
                } else if let Some(tree) = &mut open.tree {
                    tree.insert(std::mem::replace(&mut open.key, Str::empty()), value);
                } else {
                    let key = std::mem::replace(&mut open.key, Str::empty());
                    put(&mut self.reader.entries, open.start, key, value);
                }
                if self.next()? {
                    break;
                }
                value = self.close();
            }
        }
    }

    /// The scalar here; None where a container opens.
    #[inline]
    fn token(&mut self) -> Result<Option<Value>, Halt> {
        let Some(byte) = self.peek() else { return Err(self.unexpected()) };
        let start = self.at;
        let value = match byte {
            b'"' => {
                let text = self.string()?;
                self.count(start)?;
                if text.len_bytes() as u64 > MAX_STRING && text.length() > MAX_STRING {
                    return Err(self.fail("limit.document_string", start));
                }
                text.into()
            }
            b'-' | b'0'..=b'9' => self.number()?,
            b'[' | b'{' => {
                if self.reader.open.len() >= self.depth {
                    return Err(self.fail("bad_input.depth", start));
                }
                self.count(start)?;
                self.at += 1;
                let is_map = byte == b'{';
                let start = if is_map { self.reader.entries.len() } else { self.reader.items.len() };
                self.reader.open.push(Open { is_map, start, key: Str::empty(), tree: None });
                return Ok(None);
            }
            b't' => self.literal(b"true", Value::Bool(true))?,
            b'f' => self.literal(b"false", Value::Bool(false))?,
            b'n' => self.literal(b"null", Value::Null)?,
            _ => return Err(self.unexpected()),
        };
        Ok(Some(value))
    }

    fn literal(&mut self, word: &[u8], value: Value) -> Result<Value, Halt> {
        let start = self.at;
        if !self.bytes[start..].starts_with(word) {
            return Err(self.fail("bad_input.character", start));
        }
        self.at += word.len();
        self.count(start)?;
        Ok(value)
    }

    /// After an opening bracket: False when the container ends here.
    fn first(&mut self) -> Result<bool, Halt> {
        let is_map = self.in_map();
        if self.peek() == Some(if is_map { b'}' } else { b']' }) {
            self.at += 1;
            return Ok(false);
        }
        if is_map {
            self.key()?;
        }
        Ok(true)
    }

    /// After an element: true when another one follows (its key is read), false when the container ends.
    #[inline]
    fn next(&mut self) -> Result<bool, Halt> {
        let is_map = self.in_map();
        match self.peek() {
            Some(b',') => self.at += 1,
            Some(b'}') if is_map => {
                self.at += 1;
                return Ok(false);
            }
            Some(b']') if !is_map => {
                self.at += 1;
                return Ok(false);
            }
            _ => return Err(self.unexpected()),
        }
        if is_map {
            self.key()?;
        }
        Ok(true)
    }

    fn in_map(&self) -> bool {
        self.reader.open.last().is_some_and(|open| open.is_map)
    }

    /// The finished container on top.
    fn close(&mut self) -> Value {
        let Some(open) = self.reader.open.pop() else { return Value::Null };
        if !open.is_map {
            return List::create(self.reader.items.drain(open.start..).collect(), FROZEN);
        }
        let entries = match open.tree {
            Some(tree) => Entries::Many(tree),
            None => Entries::from_sorted(self.reader.entries.drain(open.start..).collect()),
        };
        Map::create(entries, FROZEN)
    }

    fn key(&mut self) -> Result<(), Halt> {
        if self.peek() != Some(b'"') {
            return Err(self.unexpected());
        }
        let start = self.at;
        let key = self.string()?;
        let Some(open) = self.reader.open.last_mut() else { return Err(self.unexpected()) };
        let entries = &mut self.reader.entries;
        let count = open.tree.as_ref().map_or(entries.len() - open.start, |tree| tree.len());
        if count >= MAX_MAP {
            return Err(self.fail("limit.document_map", start));
        }
        if key.len_bytes() as u64 > MAX_KEY && key.length() > MAX_KEY {
            return Err(self.fail("limit.document_map_key", start));
        }
        let in_order = count == 0 || (open.tree.is_none() && entries[entries.len() - 1].0 < key);
        if !in_order {
            if open.tree.is_none() && count > FEW {
                open.tree = Some(entries.drain(open.start..).collect());
            }
            let twice = match &open.tree {
                Some(tree) => tree.contains_key(&key),
                None => entries[open.start..].iter().any(|entry| entry.0 == key),
            };
            if twice {
                let failure = self.document.fail("bad_input.duplicate").count("offset", start);
                return Err(failure.with("key", shown_text(key.as_str())).into());
            }
        }
        open.key = key;
        if self.peek() != Some(b':') {
            return Err(self.unexpected());
        }
        self.at += 1;
        Ok(())
    }

    #[inline]
    fn count(&mut self, start: usize) -> Result<(), Halt> {
        match self.reader.open.last() {
            Some(open) if !open.is_map && self.reader.items.len() - open.start >= MAX_LIST => {
                Err(self.fail("limit.document_list", start))
            }
            _ => Ok(()),
        }
    }

    #[inline]
    fn string(&mut self) -> Result<Str, Halt> {
        let start = self.at + 1;
        let end = plain_end(self.bytes, start);
        if self.bytes.get(end) == Some(&b'"') {
            self.at = end + 1;
            return Ok(Str::new(&self.text[start..end]));
        }
        self.escaped_string(start)
    }

    #[inline]
    fn number(&mut self) -> Result<Value, Halt> {
        let start = self.at;
        let mut at = start + usize::from(self.bytes[start] == b'-');
        let first = at;
        let mut value = 0i64;
        while let Some(digit @ b'0'..=b'9') = self.bytes.get(at) {
            value = value.wrapping_mul(10).wrapping_add(i64::from(digit - b'0'));
            at += 1;
            if self.bytes[first] == b'0' {
                break;
            }
        }
        if at == first {
            return Err(self.fail("bad_input.number", start));
        }
        if at - first <= 18 && !matches!(self.bytes.get(at), Some(b'.' | b'e' | b'E')) {
            self.at = at;
            self.count(start)?;
            return Ok(Value::Int(if first > start { -value } else { value }));
        }
        self.long_number(start, at)
    }

    /// A number with many digits, a fraction or an exponent; its whole part ends at `at`.
    fn long_number(&mut self, start: usize, mut at: usize) -> Result<Value, Halt> {
        if self.bytes.get(at) == Some(&b'.') {
            at = self.digits(at + 1, start)?;
        }
        if let Some(b'e' | b'E') = self.bytes.get(at) {
            let signed = matches!(self.bytes.get(at + 1), Some(b'+' | b'-'));
            at = self.digits(at + 1 + usize::from(signed), start)?;
        }
        self.at = at;
        self.count(start)?;
        match from_text(&self.bytes[start..at]) {
            Ok(number) => Ok(number.into()),
            Err(_) => Err(self.fail("bad_input.number_domain", start)),
        }
    }

    /// The end of the digits at `at`, of which there is at least one.
    fn digits(&self, at: usize, start: usize) -> Result<usize, Halt> {
        let count = self.bytes[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        if count == 0 { Err(self.fail("bad_input.number", start)) } else { Ok(at + count) }
    }

    /// The next byte that is no white space; `at` stands on it.
    #[inline]
    fn peek(&mut self) -> Option<u8> {
        loop {
            match self.bytes.get(self.at) {
                Some(b' ' | b'\t' | b'\n' | b'\r') => self.at += 1,
                other => return other.copied(),
            }
        }
    }

    #[cold]
    fn unexpected(&self) -> Halt {
        if self.at >= self.bytes.len() {
            return self.document.fail("bad_input.end").into();
        }
        self.fail("bad_input.character", self.at)
    }

    #[cold]
    pub(crate) fn fail(&self, key: &'static str, at: usize) -> Halt {
        self.document.fail(key).count("offset", at).into()
    }
}

/// Add an entry to a map whose entries stand from `start` on, in order of their keys.
#[inline]
fn put(entries: &mut Vec<(Str, Value)>, start: usize, key: Str, value: Value) {
    let in_order = entries.len() == start || entries[entries.len() - 1].0 < key;
    let at = if in_order { entries.len() } else { start + entries[start..].partition_point(|entry| entry.0 < key) };
    entries.insert(at, (key, value));
}
