//! Entries of a map, ordered by key: a sorted array of exact size while they are few, a B-tree beyond.

use std::collections::{BTreeMap, btree_map};
use std::slice;

use crate::text::Str;
use crate::value::Value;

/// Up to so many entries are kept in an array.
const FEW: usize = 32;

/// So few newer entries are put one by one into a copy of the older ones.
const MERGED_ONE_BY_ONE: usize = 8;

#[derive(Clone)]
pub enum Entries {
    Few(Vec<(Str, Value)>),
    Many(BTreeMap<Str, Value>),
}

impl Entries {
    pub fn new() -> Entries {
        Entries::Few(Vec::new())
    }

    pub fn with_capacity(n: usize) -> Entries {
        Entries::Few(Vec::with_capacity(n.min(FEW)))
    }

    /// Of entries that stand in order of their keys, each once.
    pub fn from_sorted(entries: Vec<(Str, Value)>) -> Entries {
        if entries.len() <= FEW {
            Entries::Few(entries)
        } else {
            // the standard library builds a tree of sorted entries without look-ups
            Entries::Many(entries.into_iter().collect())
        }
    }

    /// Of a map of a few entries: all of them, whose keys must stay.
    #[inline]
    pub fn few(&mut self) -> &mut [(Str, Value)] {
        match self {
            Entries::Few(entries) => entries,
            Entries::Many(_) => &mut [],
        }
    }

    pub fn len(&self) -> usize {
        match self {
            Entries::Few(entries) => entries.len(),
            Entries::Many(tree) => tree.len(),
        }
    }

    pub fn get(&self, key: &Str) -> Option<&Value> {
        match self {
            Entries::Few(entries) => entries.iter().find(|entry| entry.0 == *key).map(|entry| &entry.1),
            Entries::Many(tree) => tree.get(key),
        }
    }

    /// The value of a key that stands at `place` of a map of a few entries.
    #[inline(always)]
    pub fn at(&self, place: usize, key: &Str) -> Option<&Value> {
        let Entries::Few(entries) = self else { return None };
        match entries.get(place) {
            Some(entry) if entry.0 == *key => Some(&entry.1),
            _ => None,
        }
    }

    /// As `get`; `hint` is where the same site found a key last time, and is kept up to date.
    #[inline(always)]
    pub fn get_near(&self, key: &Str, hint: usize) -> Option<(&Value, usize)> {
        match self {
            Entries::Few(entries) => {
                if let Some(entry) = entries.get(hint) {
                    if entry.0 == *key {
                        return Some((&entry.1, hint));
                    }
                }
                search(entries, key)
            }
            Entries::Many(tree) => tree.get(key).map(|value| (value, 0)),
        }
    }

    pub fn get_mut(&mut self, key: &Str) -> Option<&mut Value> {
        match self {
            Entries::Few(entries) => entries.iter_mut().find(|entry| entry.0 == *key).map(|entry| &mut entry.1),
            Entries::Many(tree) => tree.get_mut(key),
        }
    }

    pub fn contains(&self, key: &Str) -> bool {
        self.get(key).is_some()
    }

    /// Store; gives back what stood there.
    pub fn insert(&mut self, key: Str, value: Value) -> Option<Value> {
        match self {
            Entries::Few(entries) => {
                let at = match entries.last() {
                    Some(last) if last.0 < key => Err(entries.len()),
                    None => Err(0),
                    _ => entries.binary_search_by(|entry| entry.0.cmp(&key)),
                };
                match at {
                    Ok(at) => return Some(std::mem::replace(&mut entries[at].1, value)),
                    Err(at) if entries.len() < FEW => {
                        if entries.len() == entries.capacity() {
                            entries.reserve_exact(entries.len().clamp(2, 8));
                        }
                        entries.insert(at, (key, value));
                    }
                    Err(_) => {
                        let mut tree: BTreeMap<Str, Value> = std::mem::take(entries).into_iter().collect();
                        tree.insert(key, value);
                        *self = Entries::Many(tree);
                    }
                }
                None
            }
            Entries::Many(tree) => tree.insert(key, value),
        }
    }

    pub fn remove(&mut self, key: &Str) -> Option<Value> {
        match self {
            Entries::Few(entries) => {
                let at = entries.iter().position(|entry| entry.0 == *key)?;
                Some(entries.remove(at).1)
            }
            Entries::Many(tree) => tree.remove(key),
        }
    }

    pub fn iter(&self) -> Iter<'_> {
        match self {
            Entries::Few(entries) => Iter::Few(entries.iter()),
            Entries::Many(tree) => Iter::Many(tree.iter()),
        }
    }

    pub fn keys(&self) -> impl Iterator<Item = &Str> {
        self.iter().map(|entry| entry.0)
    }

    /// Take all values out, in any order.
    #[inline]
    pub fn each_value(self, mut each: impl FnMut(Value)) {
        match self {
            Entries::Few(entries) => entries.into_iter().for_each(|(_, value)| each(value)),
            Entries::Many(tree) => tree.into_values().for_each(each),
        }
    }

    /// Put in newer entries.
    #[inline]
    pub fn put_all<'a>(&mut self, newer: impl Iterator<Item = (&'a Str, Value)>) {
        for (key, value) in newer {
            match self.get_mut(key) {
                Some(place) => std::mem::replace(place, value).discard(),
                None => drop(self.insert(key.clone(), value)),
            }
        }
    }

    /// A copy with newer entries, whose keys are given in order. Most are there already, in the same order: one walk finds them.
    #[inline]
    pub fn updated(&self, keys: &[Str], mut value: impl FnMut(usize) -> Value) -> Entries {
        let mut next = 0;
        let mut copy = match self {
            Entries::Few(entries) => {
                let mut copy: Vec<(Str, Value)> = Vec::with_capacity(entries.len());
                for (at, entry) in entries.iter().enumerate() {
                    // SAFETY: there is room; what is copied is counted once more, and no entry counts before all of it is written
                    unsafe {
                        let place = copy.as_mut_ptr().add(at);
                        std::ptr::copy_nonoverlapping(entry, place, 1);
                        std::mem::forget(entry.0.clone());
                        if keys.get(next).is_some_and(|newer| *newer == entry.0) {
                            std::ptr::write(&raw mut (*place).1, value(next));
                            next += 1;
                        } else {
                            std::mem::forget(entry.1.clone());
                        }
                        copy.set_len(at + 1);
                    }
                }
                Entries::Few(copy)
            }
            Entries::Many(_) => self.clone(),
        };
        for (index, key) in keys.iter().enumerate().skip(next) {
            copy.insert(key.clone(), value(index));
        }
        copy
    }

    /// The entries of both; where both have a key, those of `other`.
    pub fn merged(&self, other: &Entries) -> Entries {
        match (self, other) {
            (Entries::Few(older), Entries::Few(newer)) if newer.len() <= MERGED_ONE_BY_ONE => {
                return merged_few(older, newer);
            }
            _ => {}
        }
        let mut left = self.iter().peekable();
        let mut right = other.iter().peekable();
        let mut all = Vec::with_capacity(self.len() + other.len());
        loop {
            let order = match (left.peek(), right.peek()) {
                (Some(a), Some(b)) => a.0.cmp(b.0),
                (Some(_), None) => std::cmp::Ordering::Less,
                (None, Some(_)) => std::cmp::Ordering::Greater,
                (None, None) => return Entries::from_sorted(all),
            };
            let entry = match order {
                std::cmp::Ordering::Less => left.next(),
                std::cmp::Ordering::Greater => right.next(),
                std::cmp::Ordering::Equal => {
                    left.next();
                    right.next()
                }
            };
            if let Some((key, value)) = entry {
                all.push((key.clone(), value.clone()));
            }
        }
    }
}

/// As `merged`: a copy of the older entries, into which the newer ones go.
fn merged_few(older: &[(Str, Value)], newer: &[(Str, Value)]) -> Entries {
    let mut all = Vec::with_capacity(older.len() + newer.len());
    all.extend_from_slice(older);
    for (key, value) in newer {
        match all.iter_mut().find(|entry: &&mut (Str, Value)| entry.0 == *key) {
            Some(entry) => std::mem::replace(&mut entry.1, value.clone()).discard(),
            None => all.insert(all.partition_point(|entry| entry.0 < *key), (key.clone(), value.clone())),
        }
    }
    Entries::from_sorted(all)
}

/// The entry of a key that is not where it was expected.
#[cold]
fn search<'a>(entries: &'a [(Str, Value)], key: &Str) -> Option<(&'a Value, usize)> {
    let at = entries.iter().position(|entry| entry.0 == *key)?;
    Some((&entries[at].1, at))
}

pub enum Iter<'a> {
    Few(slice::Iter<'a, (Str, Value)>),
    Many(btree_map::Iter<'a, Str, Value>),
}

impl<'a> Iterator for Iter<'a> {
    type Item = (&'a Str, &'a Value);

    fn next(&mut self) -> Option<(&'a Str, &'a Value)> {
        match self {
            Iter::Few(entries) => entries.next().map(|entry| (&entry.0, &entry.1)),
            Iter::Many(tree) => tree.next(),
        }
    }
}
