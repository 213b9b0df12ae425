//! Reading only what a program can touch: all of a document is checked, but values are made of the wanted members alone.

use crate::key::Key;
use crate::map::Entries;
use crate::node::FROZEN;
use crate::text::Str;
use crate::value::{Map, Value};

/// The members of a document that a program reads, ordered by name.
#[derive(Default)]
pub struct Wanted(Vec<Member>);

struct Member {
    name: Str,
    /// Of the name, as a `Key` has it.
    head: u64,
    part: Part,
}

/// What of a member is read.
pub enum Part {
    All,
    /// Of a map, only these members.
    Inner(Wanted),
    /// Of a list or map, only how many elements it has.
    Count,
}

impl Wanted {
    /// The member `name` is read: this part of it, and whatever was added before.
    pub fn add(&mut self, name: &Str, part: Part) {
        match self.0.binary_search_by(|member| member.name.cmp(name)) {
            Err(at) => {
                let head = Key::of(name.as_str().as_bytes()).head;
                self.0.insert(at, Member { name: name.clone(), head, part });
            }
            Ok(at) => match (part, &mut self.0[at].part) {
                (Part::Inner(inner), Part::Inner(wanted)) => {
                    inner.0.into_iter().for_each(|member| wanted.add(&member.name, member.part));
                }
                (Part::Count, Part::Count) => {}
                (_, part) => *part = Part::All,
            },
        }
    }

    /// All of one member.
    pub fn only(name: &Str) -> Wanted {
        let mut wanted = Wanted::default();
        wanted.add(name, Part::All);
        wanted
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn position(&self, name: &Str) -> Option<usize> {
        self.names().position(|wanted| wanted == name)
    }

    /// Where a key stands among the names; `likely` is tried first.
    #[inline]
    pub fn find(&self, key: Key<'_>, likely: usize) -> Option<usize> {
        let is_key = |member: &Member| key.is(member.head, member.name.as_str().as_bytes());
        if self.0.get(likely).is_some_and(is_key) {
            return Some(likely);
        }
        self.0.iter().position(is_key)
    }

    /// What is wanted of the member at `at`.
    pub fn part(&self, at: usize) -> &Part {
        &self.0[at].part
    }

    pub fn names(&self) -> impl Iterator<Item = &Str> {
        self.0.iter().map(|member| &member.name)
    }

    pub fn mark_shared(&self) {
        for member in &self.0 {
            member.name.mark_shared();
            if let Part::Inner(inner) = &member.part {
                inner.mark_shared();
            }
        }
    }
}

/// Where the values of wanted members go, in their order.
pub trait Slots {
    /// Make all of them unbound.
    fn unbind(&mut self);

    fn slot(&mut self, at: usize) -> &mut Value;
}

impl Slots for &mut [Value] {
    #[inline]
    fn unbind(&mut self) {
        self.iter_mut().for_each(|slot| std::mem::replace(slot, Value::Unbound).discard());
    }

    #[inline(always)]
    fn slot(&mut self, at: usize) -> &mut Value {
        &mut self[at]
    }
}

impl Slots for &mut [(Str, Value)] {
    #[inline]
    fn unbind(&mut self) {
        self.iter_mut().for_each(|entry| std::mem::replace(&mut entry.1, Value::Unbound).discard());
    }

    #[inline(always)]
    fn slot(&mut self, at: usize) -> &mut Value {
        &mut self[at].1
    }
}

/// A map that stands for one document after the other: it has an entry for each wanted member, `Unbound` where the document has none.
/// Only field reads may look at it, which take that for a missing key.
pub struct Record<'w> {
    wanted: &'w Wanted,
    map: Value,
}

impl<'w> Record<'w> {
    pub fn new(wanted: &'w Wanted) -> Record<'w> {
        Record { wanted, map: Record::empty(wanted) }
    }

    fn empty(wanted: &Wanted) -> Value {
        Map::create(Entries::from_sorted(wanted.names().map(|name| (name.clone(), Value::Unbound)).collect()), FROZEN)
    }

    /// The map, whose values are those of the last `change`.
    #[inline]
    pub fn value(&self) -> &Value {
        &self.map
    }

    /// Let the entries change, in the order of `wanted`; their keys must stay.
    #[inline]
    pub fn change<R: Default>(&mut self, change: impl FnOnce(&mut [(Str, Value)]) -> R) -> R {
        if !matches!(&self.map, Value::Map(map) if map.is_unique_but(0)) {
            // somebody kept the last one, which cannot be where only members are read, so this is for safety alone
            self.map = Record::empty(self.wanted);
        }
        match &self.map {
            Value::Map(map) => map.change(|entries| change(entries.few())),
            _ => R::default(),
        }
    }
}
