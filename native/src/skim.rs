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
    /// Of a map, only these members.
    inner: Option<Wanted>,
}

impl Wanted {
    /// The member `name` is read: all of it, or of a map only these members of its own.
    pub fn add(&mut self, name: &Str, inner: Option<&Str>) {
        let at = match self.0.binary_search_by(|member| member.name.cmp(name)) {
            Ok(at) => at,
            Err(at) => {
                let (head, inner) = (Key::of(name.as_str().as_bytes()).head, inner.map(|_| Wanted::default()));
                self.0.insert(at, Member { name: name.clone(), head, inner });
                at
            }
        };
        match (inner, &mut self.0[at].inner) {
            (Some(inner), Some(wanted)) => wanted.add(inner, None),
            (None, wanted) => *wanted = None,
            (Some(_), None) => {}
        }
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

    /// Of the member at `at`, where it is a map: the members that are wanted of it; None: all of it.
    pub fn inner(&self, at: usize) -> Option<&Wanted> {
        self.0[at].inner.as_ref()
    }

    pub fn names(&self) -> impl Iterator<Item = &Str> {
        self.0.iter().map(|member| &member.name)
    }

    pub fn mark_shared(&self) {
        for member in &self.0 {
            member.name.mark_shared();
            if let Some(inner) = &member.inner {
                inner.mark_shared();
            }
        }
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

    /// The map with these values, in the order of `wanted`; in their place the ones of the document before are left.
    #[inline]
    pub fn fill(&mut self, values: &mut [Value]) -> Value {
        if !matches!(&self.map, Value::Map(map) if map.is_unique_but(0)) {
            // somebody kept the last one, which cannot be where only members are read, so this is for safety alone
            self.map = Record::empty(self.wanted);
        }
        if let Value::Map(map) = &self.map {
            map.change(|entries| entries.swap_values(values));
        }
        self.map.clone()
    }
}
