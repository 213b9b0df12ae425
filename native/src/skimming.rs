//! The quick reader where not all of a document is wanted: what is not is checked and left.

use crate::key::Key;
use crate::map::Entries;
use crate::node::FROZEN;
use crate::number::Number;
use crate::quick::{DIGITS, Quick, byte, write};
use crate::skim::{Part, Slots, Wanted};
use crate::template::Template;
use crate::value::{MAX_LIST, MAX_MAP, Map, Range, Value};

/// A map that is only checked, and whose keys are not in order, has no more keys than this.
const SEEN: usize = 16;

/// The keys so far of a map that is only checked.
struct Seen<'a> {
    last: Key<'a>,
    count: usize,
    in_order: bool,
    /// Where its noted keys start.
    first: usize,
}

impl<'a> Quick<'a> {
    /// All of a document that is a map: the values of its wanted members go into `out`, `Unbound` for those that are not there.
    /// None where there is a doubt; what was written then has no meaning.
    pub fn skim<S: Slots>(&mut self, wanted: &Wanted, out: &mut S) -> Option<()> {
        let (at, depth) = (self.at, self.depth);
        self.space();
        let sound = self.members(wanted, out).is_some() && self.is_at_end();
        if !sound && self.is_disordered {
            (self.at, self.depth, self.notes, self.is_disordered) = (at, depth, true, false);
            self.scratch.clear();
            return self.skim(wanted, out);
        }
        sound.then_some(())
    }

    /// As `skim`, of a document that looks like the one the template was made of.
    #[inline]
    pub fn skim_alike<S: Slots>(&mut self, template: &Template, wanted: &Wanted, out: &mut S) -> Option<()> {
        out.unbind();
        self.depth -= 1;
        for step in &template.steps {
            self.at = step.before.end_of(self.bytes, self.at)?;
            self.member(step.place, wanted, out)?;
        }
        (self.bytes.len() == template.after.end_of(self.bytes, self.at)?).then_some(())
    }

    /// A map of which only some members are wanted: their values are written into `out`.
    fn members<S: Slots>(&mut self, wanted: &Wanted, out: &mut S) -> Option<()> {
        if self.peek() != b'{' {
            return None;
        }
        self.enter()?;
        out.unbind();
        let mut seen = self.seen();
        let mut likely = 0;
        if self.peek() != b'}' {
            loop {
                let key = self.key()?;
                self.note(&mut seen, key)?;
                let place = wanted.find(key, likely);
                likely = place.map_or(likely, |place| place + 1);
                self.member(place, wanted, out)?;
                if !self.goes_on(b'}')? {
                    break;
                }
            }
        }
        self.leave_map(&seen).map(drop)
    }

    /// The value of a member: `place` is where it stands among the wanted ones.
    #[inline(always)]
    fn member<S: Slots>(&mut self, place: Option<usize>, wanted: &Wanted, out: &mut S) -> Option<()> {
        let Some(place) = place else { return self.skip() };
        let slot = out.slot(place);
        match (wanted.part(place), self.peek()) {
            (Part::Inner(inner), b'{') => write(slot, self.part(inner)?),
            (Part::Count, b'{' | b'[') => write(slot, self.count()?),
            _ => self.value_to(slot)?,
        }
        Some(())
    }

    /// A map with the wanted members alone.
    fn part(&mut self, wanted: &Wanted) -> Option<Value> {
        let mut values: Vec<Value> = std::iter::repeat_with(|| Value::Unbound).take(wanted.len()).collect();
        self.members(wanted, &mut &mut values[..])?;
        let found = wanted.names().zip(values).filter(|(_, value)| !matches!(value, Value::Unbound));
        Some(Map::create(Entries::from_sorted(found.map(|(name, value)| (name.clone(), value)).collect()), FROZEN))
    }

    /// What stands for a list or map where only its length is looked at.
    fn count(&mut self) -> Option<Value> {
        let count = if self.peek() == b'{' { self.skip_map()? } else { self.skip_list()? };
        Some(Range::create(Number::Int(0), Number::Int(1), count as u64))
    }

    /// Check a value and go behind it.
    #[inline(always)]
    pub fn skip(&mut self) -> Option<()> {
        match self.peek() {
            b'"' => self.string().map(drop),
            b'-' | b'0'..=b'9' => self.skip_number(),
            b'{' => self.skip_map().map(drop),
            b'[' => self.skip_list().map(drop),
            _ => self.value().map(drop),
        }
    }

    /// Check a map and go behind it: how many entries it has.
    fn skip_map(&mut self) -> Option<usize> {
        self.enter()?;
        let mut seen = self.seen();
        if self.peek() != b'}' {
            loop {
                let key = self.key()?;
                self.note(&mut seen, key)?;
                self.skip()?;
                if !self.goes_on(b'}')? {
                    break;
                }
            }
        }
        self.leave_map(&seen)
    }

    /// Check a list and go behind it: how many elements it has.
    fn skip_list(&mut self) -> Option<usize> {
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

    #[inline(always)]
    fn seen(&self) -> Seen<'a> {
        Seen { last: Key::NONE, count: 0, in_order: true, first: self.scratch.keys.len() }
    }

    /// The next key of a map that is only checked; None where it stands twice, or cannot be known not to.
    #[inline(always)]
    fn note(&mut self, seen: &mut Seen<'a>, key: Key<'a>) -> Option<()> {
        if seen.in_order && (seen.count == 0 || key.is_after(seen.last)) {
            seen.last = key;
        } else {
            self.find_noted(seen, key)?;
        }
        if self.notes && seen.count < SEEN {
            self.scratch.keys.push((key.head, key.start, key.start + key.bytes.len()));
        }
        seen.count += 1;
        Some(())
    }

    #[cold]
    fn find_noted(&mut self, seen: &mut Seen<'a>, key: Key<'a>) -> Option<()> {
        if !self.notes {
            self.is_disordered = true;
            return None;
        }
        seen.in_order = false;
        let is_twice = |&(head, start, end): &(u64, usize, usize)| key.is(head, &self.bytes[start..end]);
        let unknown = seen.count > SEEN || self.scratch.keys[seen.first..].iter().any(is_twice);
        (!unknown).then_some(())
    }

    #[inline(always)]
    fn leave_map(&mut self, seen: &Seen<'a>) -> Option<usize> {
        self.leave();
        self.scratch.keys.truncate(seen.first);
        (seen.count <= MAX_MAP).then_some(seen.count)
    }
}
