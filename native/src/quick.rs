//! The quick reader of documents: an optimist. It knows sound documents without escapes and exponents; at the first doubt it gives up, and the
//! caller reads the text with the careful reader (`json_reader.rs`), which also says what is wrong with it. It never reports anything itself.

use crate::key::Key;
use crate::map::Entries;
use crate::node::FROZEN;
use crate::number::Number;
use crate::number_text::from_text;
use crate::scan::{ascii_end, first_special, plain_end, word_at};
use crate::scratch::Scratch;
use crate::skim::{Nothing, Part, Slots, Wanted};
use crate::text::Str;
use crate::value::{List, MAX_KEY, MAX_LIST, MAX_MAP, MAX_STRING, Map, Range, Value};

/// So many digits are in the domain wherever the point stands.
const DIGITS: usize = 34;
/// So many digits fit into an integer.
const INTEGER_DIGITS: usize = 18;
/// A map that is only checked, and whose keys are not in order, has no more keys than this.
const SEEN: usize = 16;

pub struct Quick<'a> {
    bytes: &'a [u8],
    at: usize,
    /// How deep containers may still nest.
    depth: usize,
    /// Beyond ASCII, the text has been checked as a whole.
    is_utf8: bool,
    scratch: &'a mut Scratch,
}

/// The value of a document; None where there is a doubt.
pub fn read(bytes: &[u8], depth: usize, scratch: &mut Scratch) -> Option<Value> {
    let mut quick = Quick { bytes, at: 0, depth, is_utf8: false, scratch };
    quick.space();
    let value = quick.value();
    let value = value.filter(|_| quick.is_at_end());
    if value.is_none() {
        scratch.clear();
    }
    value
}

/// Check all of a document that is a map, and write the values of its wanted members into `out`, `Unbound` for those that are not there.
/// False where there is a doubt; what was written then has no meaning.
pub fn skim<S: Slots>(bytes: &[u8], wanted: &Wanted, depth: usize, scratch: &mut Scratch, out: &mut S) -> bool {
    let mut quick = Quick { bytes, at: 0, depth, is_utf8: false, scratch };
    quick.space();
    let sound = quick.members(wanted, out).is_some() && quick.is_at_end();
    if !sound {
        scratch.clear();
    }
    sound
}

/// The byte at `at`; 0, which is nowhere sound, at the end.
#[inline(always)]
fn byte(bytes: &[u8], at: usize) -> u8 {
    if at < bytes.len() { bytes[at] } else { 0 }
}

/// Write into a slot that is unbound: in place, as a value that is written in parts and then copied as a whole makes the processor wait.
#[inline(always)]
fn write(slot: &mut Value, value: Value) {
    // SAFETY: the slot is valid for writes; what stood there is not dropped, which an unbound slot does not need
    unsafe { std::ptr::write(slot, value) };
}

impl<'a> Quick<'a> {
    fn is_at_end(&mut self) -> bool {
        self.space();
        self.at == self.bytes.len()
    }

    #[inline(always)]
    fn peek(&self) -> u8 {
        byte(self.bytes, self.at)
    }

    #[inline(always)]
    fn space(&mut self) {
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
    fn value(&mut self) -> Option<Value> {
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
    fn value_to(&mut self, slot: &mut Value) -> Option<()> {
        match self.peek() {
            b'"' => {
                let text = self.string()?;
                write(slot, self.str(text).into());
            }
            b'0'..=b'9' => match self.short_integer() {
                Some(value) => write(slot, Value::Int(value)),
                None => write(slot, self.number()?),
            },
            _ => write(slot, self.value()?),
        }
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
        Some(List::create(self.scratch.items.drain(first..).collect(), FROZEN))
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
        Some(Map::create(Entries::from_sorted(self.scratch.entries.drain(first..).collect()), FROZEN))
    }

    /// A map of which only some members are wanted: their values are written into `out`.
    /// How many it has is the result.
    fn members<S: Slots>(&mut self, wanted: &Wanted, out: &mut S) -> Option<usize> {
        if self.peek() != b'{' {
            return None;
        }
        self.enter()?;
        out.unbind();
        let mut seen = Seen { last: Key::NONE, count: 0, in_order: true };
        let first_key = self.scratch.keys.len();
        let mut likely = 0;
        if self.peek() != b'}' {
            loop {
                let key = self.key()?;
                self.note(&mut seen, first_key, key)?;
                match wanted.find(key, likely) {
                    None => self.skip()?,
                    Some(place) => {
                        likely = place + 1;
                        let slot = out.slot(place);
                        match (wanted.part(place), self.peek()) {
                            (Part::Inner(inner), b'{') => write(slot, self.part(inner)?),
                            (Part::Count, b'{' | b'[') => write(slot, self.count()?),
                            _ => self.value_to(slot)?,
                        }
                    }
                }
                if !self.goes_on(b'}')? {
                    break;
                }
            }
        }
        self.leave();
        self.scratch.keys.truncate(first_key);
        (seen.count <= MAX_MAP).then_some(seen.count)
    }

    /// A map with the wanted members alone.
    fn part(&mut self, wanted: &Wanted) -> Option<Value> {
        let mut values: Vec<Value> = std::iter::repeat_with(|| Value::Unbound).take(wanted.len()).collect();
        self.members(wanted, &mut &mut values[..])?;
        let found = wanted.names().zip(values).filter(|(_, value)| !matches!(value, Value::Unbound));
        Some(Map::create(Entries::from_sorted(found.map(|(name, value)| (name.clone(), value)).collect()), FROZEN))
    }

    /// Check a value and go behind it.
    fn skip(&mut self) -> Option<()> {
        match self.peek() {
            b'"' => self.string().map(drop),
            b'[' | b'{' => self.elements().map(drop),
            b'-' | b'0'..=b'9' => self.skip_number(),
            _ => self.value().map(drop),
        }
    }

    /// Check a list or map and go behind it: how many elements it has.
    fn elements(&mut self) -> Option<usize> {
        if self.peek() == b'{' {
            return self.members(&Wanted::default(), &mut Nothing);
        }
        self.enter()?;
        let mut count = 0;
        if self.peek() != b']' {
            loop {
                self.skip()?;
                count += 1;
                if !self.goes_on(b']')? {
                    break;
                }
            }
        }
        self.leave();
        (count <= MAX_LIST).then_some(count)
    }

    /// What stands for a list or map where only its length is looked at.
    fn count(&mut self) -> Option<Value> {
        let count = self.elements()?;
        Some(Range::create(Number::Int(0), Number::Int(1), count as u64))
    }

    /// Check a number and go behind it.
    #[inline]
    fn skip_number(&mut self) -> Option<()> {
        let (bytes, start) = (self.bytes, self.at);
        let first = start + usize::from(byte(bytes, start) == b'-');
        let mut at = first;
        while byte(bytes, at).is_ascii_digit() {
            at += 1;
        }
        if at == first || (at > first + 1 && bytes[first] == b'0') {
            return None;
        }
        if byte(bytes, at) == b'.' {
            let point = at;
            at += 1;
            while byte(bytes, at).is_ascii_digit() {
                at += 1;
            }
            if at == point + 1 {
                return None;
            }
        }
        self.at = at;
        (!matches!(self.peek(), b'e' | b'E') && at - start <= DIGITS).then_some(())
    }

    /// Go into a container, to its first token.
    #[inline(always)]
    fn enter(&mut self) -> Option<()> {
        self.depth = self.depth.checked_sub(1)?;
        self.at += 1;
        self.space();
        Some(())
    }

    /// Go behind the closing bracket.
    #[inline(always)]
    fn leave(&mut self) {
        self.depth += 1;
        self.at += 1;
    }

    /// After an element: true at the next one, false at the closing bracket.
    #[inline(always)]
    fn goes_on(&mut self, closing: u8) -> Option<bool> {
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
    fn key(&mut self) -> Option<Key<'a>> {
        if self.peek() != b'"' {
            return None;
        }
        let (start, end) = self.string()?;
        self.space();
        let length = end - start;
        if self.peek() != b':' || length as u64 > MAX_KEY {
            return None;
        }
        self.at += 1;
        self.space();
        let bytes = &self.bytes[start..end];
        match word_at(self.bytes, start) {
            Some(word) if length > 0 => {
                let unused = 64 - 8 * length.min(8) as u32;
                Some(Key { head: word.swap_bytes() >> unused << unused, bytes, start })
            }
            _ => Some(Key { start, ..Key::of(bytes) }),
        }
    }

    /// The next key of a map that is only checked, whose first ones stand from `first` on; None where it stands twice, or cannot be known not
    /// to.
    #[inline(always)]
    fn note(&mut self, seen: &mut Seen<'a>, first: usize, key: Key<'a>) -> Option<()> {
        if seen.in_order && (seen.count == 0 || key.is_after(seen.last)) {
            seen.last = key;
        } else {
            seen.in_order = false;
            let is_twice = |&(head, start, end): &(u64, usize, usize)| key.is(head, &self.bytes[start..end]);
            if seen.count > SEEN || self.scratch.keys[first..].iter().any(is_twice) {
                return None;
            }
        }
        if seen.count < SEEN {
            self.scratch.keys.push((key.head, key.start, key.start + key.bytes.len()));
        }
        seen.count += 1;
        Some(())
    }

    /// Where the bytes of a string without escapes start and end.
    #[inline(always)]
    fn string(&mut self) -> Option<(usize, usize)> {
        let bytes = self.bytes;
        let start = self.at + 1;
        let mut end = match word_at(bytes, start).map(first_special) {
            Some(found) if found < 8 => start + found,
            Some(_) => ascii_end(bytes, start + 8),
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

/// The keys so far of a map that is only checked.
struct Seen<'a> {
    last: Key<'a>,
    count: usize,
    in_order: bool,
}
