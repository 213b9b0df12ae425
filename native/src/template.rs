//! Documents that come one after the other look alike: the same keys in the same order. What stood between the values of one is expected
//! between those of the next, and compared as a whole; then no key of it has to be read, looked up or checked.

use crate::quick::Quick;
use crate::scan::{CHUNK, MASKS};
use crate::scratch::Scratch;
use crate::skim::{Slots, Wanted};
use crate::value::MAX_DEPTH;

/// So many templates are kept.
const TEMPLATES: usize = 8;
/// Documents with more members are read as they come.
const MEMBERS: usize = 24;
/// No more templates are made when so many documents more were unlike all of them than were alike.
const PATIENCE: usize = 32;

/// What stands around the values of a sound document that is a map. They are checked one by one, all else is text that was checked before.
pub struct Template {
    pub steps: Vec<Step>,
    pub after: Fixed,
}

pub struct Step {
    /// What stands before the value, from the end of the one before.
    pub before: Fixed,
    /// Where the member stands among the wanted ones.
    pub place: Option<usize>,
}

/// A piece of text that is compared as a whole.
pub struct Fixed {
    text: Box<[u8]>,
    /// Its first bytes, and which those are.
    chunk: u128,
    mask: u128,
}

impl Fixed {
    fn new(text: &[u8]) -> Fixed {
        let mut first = [0; CHUNK];
        let length = text.len().min(CHUNK);
        first[..length].copy_from_slice(&text[..length]);
        Fixed { text: text.into(), chunk: u128::from_le_bytes(first), mask: MASKS[length] }
    }

    /// Where it ends if it stands at `at`.
    #[inline(always)]
    pub fn end_of(&self, bytes: &[u8], at: usize) -> Option<usize> {
        let end = at + self.text.len();
        let stands = match bytes.get(at..)?.first_chunk() {
            Some(chunk) if self.text.len() <= CHUNK => u128::from_le_bytes(*chunk) & self.mask == self.chunk,
            // as often at the end
            _ if self.text.len() == 1 => *bytes.get(at)? == self.chunk as u8,
            _ => bytes.get(at..end)? == &*self.text,
        };
        stands.then_some(end)
    }
}

/// Reads the wanted members of documents, one after the other.
pub struct Skimmer<'w> {
    wanted: &'w Wanted,
    templates: Vec<Template>,
    /// The template of the last document.
    last: usize,
    /// Documents that were unlike all templates, less those that were alike.
    misses: usize,
}

impl<'w> Skimmer<'w> {
    pub fn new(wanted: &'w Wanted) -> Skimmer<'w> {
        Skimmer { wanted, templates: Vec::new(), last: 0, misses: 0 }
    }

    /// Check a document that is a map and write its wanted members into `out`, `Unbound` for those that are not there.
    /// False where there is a doubt; what was written then has no meaning.
    #[inline]
    pub fn skim<S: Slots>(&mut self, bytes: &[u8], scratch: &mut Scratch, out: &mut S) -> bool {
        if let Some(template) = self.templates.get(self.last) {
            if Quick::new(bytes, MAX_DEPTH, scratch).skim_alike(template, self.wanted, out).is_some() {
                self.misses = self.misses.saturating_sub(1);
                return true;
            }
        }
        self.skim_unlike(bytes, scratch, out)
    }

    #[inline(never)]
    fn skim_unlike<S: Slots>(&mut self, bytes: &[u8], scratch: &mut Scratch, out: &mut S) -> bool {
        scratch.clear();
        for (index, template) in self.templates.iter().enumerate().filter(|&(index, _)| index != self.last) {
            if !template.begins(bytes) {
                continue;
            }
            if Quick::new(bytes, MAX_DEPTH, scratch).skim_alike(template, self.wanted, out).is_some() {
                self.last = index;
                return true;
            }
            scratch.clear();
        }
        if Quick::new(bytes, MAX_DEPTH, scratch).skim(self.wanted, out).is_none() {
            scratch.clear();
            return false;
        }
        if self.misses < PATIENCE {
            self.misses += 1;
            self.learn(bytes, scratch);
        }
        true
    }

    /// Make a template of a sound document.
    fn learn(&mut self, bytes: &[u8], scratch: &mut Scratch) {
        let Some(template) = Quick::new(bytes, MAX_DEPTH, scratch).template(self.wanted) else { return };
        if self.templates.len() < TEMPLATES {
            self.templates.push(template);
            self.last = self.templates.len() - 1;
        } else {
            self.last = (self.last + 1) % TEMPLATES;
            self.templates[self.last] = template;
        }
    }
}

impl Template {
    /// What stands before the first value is that of the document.
    fn begins(&self, bytes: &[u8]) -> bool {
        self.steps.first().is_some_and(|step| step.before.end_of(bytes, 0).is_some())
    }
}

impl Quick<'_> {
    /// The template of a sound document that is a map. None where that would not help.
    fn template(mut self, wanted: &Wanted) -> Option<Template> {
        let mut steps = Vec::new();
        let mut from = 0;
        self.notes = true;
        self.space();
        self.enter()?;
        while self.peek() != b'}' {
            if steps.len() == MEMBERS {
                return None;
            }
            let place = wanted.find(self.key()?, steps.len());
            steps.push(Step { before: Fixed::new(&self.bytes[from..self.at]), place });
            self.skip()?;
            from = self.at;
            if !self.goes_on(b'}')? {
                break;
            }
        }
        Some(Template { steps, after: Fixed::new(&self.bytes[from..]) })
    }
}
