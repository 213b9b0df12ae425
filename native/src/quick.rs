//! The quick reader of documents: an optimist. It knows sound documents without escapes and exponents; at the first doubt it gives up, and the
//! caller reads the text with the careful reader (`json_reader.rs`), which also says what is wrong with it. It never reports anything itself.
//! `skimming.rs` reads the wanted members of a document alone.

use crate::key::Key;
use crate::map::Entries;
use crate::node::FROZEN;
use crate::number_text::from_text;
use crate::scan::{CHUNK, MASKS, ascii_end, chunk_at, first_special, plain_end};
use crate::scratch::Scratch;
use crate::stack::taken;
use crate::text::{INLINE, Str};
use crate::value::{List, MAX_KEY, MAX_LIST, MAX_MAP, MAX_STRING, Map, Value};
use crate::whole;

/// So many digits are in the domain wherever the point stands.
pub const DIGITS: usize = 34;
/// So many digits fit into an integer.
const INTEGER_DIGITS: usize = 18;
pub struct Quick<'a> {
    pub bytes: &'a [u8],
    pub at: usize,
    /// How deep containers may still nest.
    pub depth: usize,
    /// Beyond ASCII, the text has been checked as a whole.
    is_utf8: bool,
    /// Of maps that are only checked, the keys so far are noted, so that they may come in any order.
    pub notes: bool,
    /// A key came out of order where none were noted.
    pub is_disordered: bool,
    pub scratch: &'a mut Scratch,
}

/// The value of a document; None where there is a doubt.
pub fn read(bytes: &[u8], depth: usize, scratch: &mut Scratch) -> Option<Value> {
    let mut quick = Quick::new(bytes, depth, scratch);
    quick.space();
    let value = quick.value();
    let value = value.filter(|_| quick.is_at_end());
    if value.is_none() {
        scratch.clear();
    }
    value
}

/// The byte at `at`; 0, which is nowhere sound, at the end.
#[inline(always)]
pub fn byte(bytes: &[u8], at: usize) -> u8 {
    if at < bytes.len() { bytes[at] } else { 0 }
}

/// Write into a slot that is unbound: in place, as a value that is written in parts and then copied as a whole makes the processor wait.
#[inline(always)]
pub fn write(slot: &mut Value, value: Value) {
    // SAFETY: the slot is valid for writes; what stood there is not dropped, which an unbound slot does not need
    unsafe { std::ptr::write(slot, value) };
}

impl<'a> Quick<'a> {
    pub fn new(bytes: &'a [u8], depth: usize, scratch: &'a mut Scratch) -> Quick<'a> {
        Quick { bytes, at: 0, depth, is_utf8: false, notes: false, is_disordered: false, scratch }
    }

    pub fn is_at_end(&mut self) -> bool {
        self.space();
        self.at == self.bytes.len()
    }

    #[inline(always)]
    pub fn peek(&self) -> u8 {
        byte(self.bytes, self.at)
    }

    #[inline(always)]
    pub fn space(&mut self) {
        if self.peek() <= b' ' {
            self.spaces();
        }
    }

    fn spaces(&mut self) {
        while matches!(self.peek(), b' ' | b'\t' | b'\n' | b'\r') {
            self.at += 1;
        }
    }

    #[inline]
    pub fn value(&mut self) -> Option<Value> {
        match self.peek() {
            b'"' => self.string().map(|text| self.str(text).into()),
            b'-' | b'0'..=b'9' => self.number(),
            b'{' => self.map(),
            b'[' => self.list(),
            b't' => self.literal(b"true", Value::Bool(true)),
            b'f' => self.literal(b"false", Value::Bool(false)),
            b'n' => self.literal(b"null", Value::Null),
            _ => None,
        }
    }

    /// As `value`, written into an unbound slot at once.
    #[inline(always)]
    pub fn value_to(&mut self, slot: &mut Value) -> Option<()> {
        match self.peek() {
            b'"' => {
                if self.short_to(slot).is_none() {
                    let text = self.string()?;
                    write(slot, self.str(text).into());
                }
            }
            b'0'..=b'9' => match self.short_integer() {
                Some(value) => whole::integer(slot, value),
                None => write(slot, self.number()?),
            },
            _ => write(slot, self.value()?),
        }
        Some(())
    }

    /// A string of at most 14 bytes of ASCII; None leaves all as it was.
    #[inline(always)]
    fn short_to(&mut self, slot: &mut Value) -> Option<()> {
        let start = self.at + 1;
        let chunk = chunk_at(self.bytes, start)?;
        let length = first_special(chunk);
        if length > INLINE || byte(self.bytes, start + length) != b'"' {
            return None;
        }
        self.at = start + length + 1;
        // SAFETY: that is ASCII
        unsafe { whole::short(slot, chunk & MASKS[length], length) };
        Some(())
    }

    /// A number of few digits and nothing else; None leaves all as it was.
    #[inline(always)]
    fn short_integer(&mut self) -> Option<i64> {
        let (bytes, first) = (self.bytes, self.at);
        let (mut at, mut value) = (first, 0);
        while byte(bytes, at).is_ascii_digit() {
            value = i64::wrapping_add(i64::wrapping_mul(value, 10), i64::from(bytes[at] - b'0'));
            at += 1;
        }
        let digits = at - first;
        if digits > INTEGER_DIGITS
            || (digits > 1 && bytes[first] == b'0')
            || matches!(byte(bytes, at), b'.' | b'e' | b'E')
        {
            return None;
        }
        self.at = at;
        Some(value)
    }

    fn list(&mut self) -> Option<Value> {
        self.enter()?;
        let first = self.scratch.items.len();
        if self.peek() != b']' {
            loop {
                let item = self.value()?;
                self.scratch.items.push(item);
                if !self.goes_on(b']')? {
                    break;
                }
            }
        }
        self.leave();
        if self.scratch.items.len() - first > MAX_LIST {
            return None;
        }
        Some(List::create(taken(&mut self.scratch.items, first), FROZEN))
    }

    fn map(&mut self) -> Option<Value> {
        self.enter()?;
        let first = self.scratch.entries.len();
        let mut last = Key::NONE;
        let mut in_order = true;
        if self.peek() != b'}' {
            loop {
                let key = self.key()?;
                in_order &= key.is_after(last) || self.scratch.entries.len() == first;
                last = key;
                let name = self.str((key.start, key.start + key.bytes.len()));
                let value = self.value()?;
                self.scratch.entries.push((name, value));
                if !self.goes_on(b'}')? {
                    break;
                }
            }
        }
        self.leave();
        let entries = &mut self.scratch.entries[first..];
        if entries.len() > MAX_MAP {
            return None;
        }
        if !in_order {
            entries.sort_unstable_by(|a, b| a.0.cmp(&b.0));
            if entries.windows(2).any(|pair| pair[0].0 == pair[1].0) {
                return None;
            }
        }
        Some(Map::create(Entries::from_sorted(taken(&mut self.scratch.entries, first)), FROZEN))
    }

    /// Go into a container, to its first token.
    #[inline(always)]
    pub fn enter(&mut self) -> Option<()> {
        self.depth = self.depth.checked_sub(1)?;
        self.at += 1;
        self.space();
        Some(())
    }

    /// Go behind the closing bracket.
    #[inline(always)]
    pub fn leave(&mut self) {
        self.depth += 1;
        self.at += 1;
    }

    /// After an element: true at the next one, false at the closing bracket.
    #[inline(always)]
    pub fn goes_on(&mut self, closing: u8) -> Option<bool> {
        self.space();
        let byte = self.peek();
        if byte == b',' {
            self.at += 1;
            self.space();
            return Some(true);
        }
        (byte == closing).then_some(false)
    }

    /// The key of an entry; behind it the value stands.
    #[inline(always)]
    pub fn key(&mut self) -> Option<Key<'a>> {
        if self.peek() != b'"' {
            return None;
        }
        let start = self.at + 1;
        let chunk = chunk_at(self.bytes, start);
        let key = match chunk.map(first_special) {
            Some(length @ 1..CHUNK) if byte(self.bytes, start + length) == b'"' => {
                self.at = start + length + 1;
                let unused = 64 - 8 * length.min(8) as u32;
                let head = (chunk.unwrap_or_default() as u64).swap_bytes() >> unused << unused;
                let key = Key { head, bytes: &self.bytes[start..start + length], start };
                if let Some(&[b':', b'!'..=u8::MAX]) = self.bytes[self.at..].first_chunk::<2>() {
                    self.at += 1;
                    return Some(key);
                }
                key
            }
            _ => {
                let (start, end) = self.string()?;
                if (end - start) as u64 > MAX_KEY {
                    return None;
                }
                Key { start, ..Key::of(&self.bytes[start..end]) }
            }
        };
        self.space();
        if self.peek() != b':' {
            return None;
        }
        self.at += 1;
        self.space();
        Some(key)
    }

    /// Where the bytes of a string without escapes start and end.
    #[inline(always)]
    pub fn string(&mut self) -> Option<(usize, usize)> {
        let bytes = self.bytes;
        let start = self.at + 1;
        let mut end = match chunk_at(bytes, start).map(first_special) {
            Some(found) if found < CHUNK => start + found,
            Some(_) => ascii_end(bytes, start + CHUNK),
            None => ascii_end(bytes, start),
        };
        let mut last = byte(bytes, end);
        if last >= 0x80 {
            end = self.beyond_ascii(end)?;
            last = byte(bytes, end);
        }
        if last != b'"' || (end - start) as u64 > MAX_STRING {
            return None;
        }
        self.at = end + 1;
        Some((start, end))
    }

    #[cold]
    fn beyond_ascii(&mut self, end: usize) -> Option<usize> {
        if !self.is_utf8 {
            std::str::from_utf8(self.bytes).ok()?;
            self.is_utf8 = true;
        }
        Some(plain_end(self.bytes, end))
    }

    #[inline(always)]
    fn str(&self, (start, end): (usize, usize)) -> Str {
        // SAFETY: `string` gives ASCII, or a part between quotes of a text that is UTF-8
        unsafe { Str::cut(self.bytes, start, end) }
    }

    #[cold]
    fn literal(&mut self, word: &[u8], value: Value) -> Option<Value> {
        self.bytes[self.at..].starts_with(word).then(|| {
            self.at += word.len();
            value
        })
    }

    #[inline]
    fn number(&mut self) -> Option<Value> {
        let (bytes, start) = (self.bytes, self.at);
        let negative = byte(bytes, start) == b'-';
        let first = start + usize::from(negative);
        let (mut at, mut value) = (first, 0i64);
        let after = loop {
            let digit = byte(bytes, at);
            if !digit.is_ascii_digit() {
                break digit;
            }
            value = value.wrapping_mul(10).wrapping_add(i64::from(digit - b'0'));
            at += 1;
        };
        self.at = at;
        let digits = at - first;
        if digits == 0 || (digits > 1 && bytes[first] == b'0') {
            return None;
        }
        match after {
            b'.' => self.fraction(start),
            b'e' | b'E' => None,
            _ if digits <= INTEGER_DIGITS => Some(Value::Int(if negative { -value } else { value })),
            _ => self.long_number(start),
        }
    }

    fn fraction(&mut self, start: usize) -> Option<Value> {
        self.at += 1;
        let first = self.at;
        while self.peek().is_ascii_digit() {
            self.at += 1;
        }
        if self.at == first || matches!(self.peek(), b'e' | b'E') { None } else { self.long_number(start) }
    }

    fn long_number(&mut self, start: usize) -> Option<Value> {
        let text = &self.bytes[start..self.at];
        if text.len() > DIGITS {
            return None;
        }
        from_text(text).ok().map(Value::from)
    }
}
