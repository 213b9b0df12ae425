//! Operations that make containers: map literals, the elements of comprehensions, and `state | {...}` in place.

use crate::access::store;
use crate::code::{Place, Shape};
use crate::failure::{Halt, at, fail, shown_text};
use crate::gas::{lookup, made_map};
use crate::machine::Machine;
use crate::map::Entries;
use crate::node::Ptr;
use crate::operators::{Op2, binary, check_list};
use crate::text::Str;
use crate::value::{MAX_KEY, MAX_MAP, Value};

/// The charge for an element of a list comprehension.
const ELEMENT: u64 = 2;

impl Machine<'_> {
    /// A map literal whose keys are all written as strings; its values are on the stack.
    pub(crate) fn make_map(&mut self, shape: u32) {
        let shape = &self.code.shapes[shape as usize];
        let first = self.stack.len() - shape.keys.len();
        let values = &mut self.stack[first..];
        let take = |&at: &u16| std::mem::replace(&mut values[usize::from(at)], Value::Null);
        let entries = shape.keys.iter().cloned().zip(shape.order.iter().map(take)).collect();
        self.stack.truncate(first);
        let map = self.context.map(Entries::from_sorted(entries));
        self.stack.push(map);
    }

    /// A map literal with computed keys; keys and values are on the stack in turns.
    pub(crate) fn make_computed_map(&mut self, index: u32) -> Result<(), Halt> {
        let rows = &self.code.computed[index as usize];
        let first = self.stack.len() - 2 * rows.len();
        let mut keys = Vec::with_capacity(rows.len());
        let mut charge = 0;
        for (row, (place, computed)) in rows.iter().enumerate() {
            let key = &self.stack[first + 2 * row];
            let Some(key) = key.string() else {
                let failure = fail("type.literal_key").with("type", key.type_name());
                return Err(at(failure.into(), *place));
            };
            charge += if *computed { key.read_charge() } else { 0 };
            keys.push(key);
        }
        self.context.charge(charge)?;
        let mut entries = Entries::new();
        let values = self.stack.drain(first..).skip(1).step_by(2);
        for ((key, value), (place, _)) in keys.iter().zip(values).zip(rows) {
            if entries.insert(key.clone(), value).is_some() {
                let failure = fail("key.duplicate").with("key", shown_text(key.as_str()));
                return Err(at(failure.into(), *place));
            }
        }
        if let Some((_, (place, _))) = keys.iter().zip(rows).find(|(key, _)| key.length() > MAX_KEY) {
            return Err(at(fail("limit.map_key").into(), *place));
        }
        let map = self.context.map(entries);
        self.stack.push(map);
        Ok(())
    }

    /// The element of a list comprehension goes into the list below it.
    pub(crate) fn append_element(&mut self) -> Result<(), Halt> {
        self.context.charge(ELEMENT)?;
        let value = self.stack.pop().unwrap_or(Value::Null);
        if let Some(Value::List(list)) = self.stack.last() {
            // nobody else can see the list yet, so what goes in cannot hold it
            check_list(list.items().len() as u64 + 1)?;
            list.change(|items| items.push(value));
        }
        Ok(())
    }

    /// Key and value of a map comprehension go into the map below them.
    pub(crate) fn put_entry(&mut self, place: Place) -> Result<(), Halt> {
        let value = self.stack.pop().unwrap_or(Value::Null);
        let key = self.stack.pop().unwrap_or(Value::Null);
        let Some(name) = key.string() else {
            return Err(at(fail("type.literal_key").with("type", key.type_name()).into(), place));
        };
        let Some(target @ Value::Map(map)) = self.stack.last() else { return Ok(()) };
        self.context.charge(name.read_charge() + lookup(map.entries().len()))?;
        if name.len_bytes() as u64 > MAX_KEY && name.length() > MAX_KEY {
            return Err(at(fail("limit.map_key").into(), place));
        }
        store(&mut self.context, map, target, name, value)
    }

    /// `state | {literal}`, the operand of a `return` of `apply`. Where that ends the run, the state before is not needed any more, so a map
    /// that only this slot and `before` hold is changed in place. Nothing can fail after that.
    pub(crate) fn merge_into_slot(&mut self, slot: usize, shape: u32) -> Result<(), Halt> {
        let shape = &self.code.shapes[shape as usize];
        let n = shape.keys.len();
        let in_place = match (&self.stack[slot], &self.before) {
            (Value::Map(map), Value::Map(before)) => {
                map.same(before) && map.is_unique_but(1) && self.is_outermost() && map.entries().len() + n <= MAX_MAP
            }
            _ => false,
        };
        if !in_place {
            return self.merge_copy(slot, shape);
        }
        let Value::Map(map) = &self.stack[slot] else { return Ok(()) };
        self.context.charge(made_map((map.entries().len() + n) as u64))?;
        self.before = Value::Unbound;
        let Value::Map(map) = std::mem::replace(&mut self.stack[slot], Value::Unbound) else { return Ok(()) };
        let first = self.stack.len() - n;
        for (key, &at) in shape.keys.iter().zip(&shape.order) {
            let value = std::mem::replace(&mut self.stack[first + usize::from(at)], Value::Null);
            replace(&map, key, value);
        }
        self.stack.truncate(first);
        map.adopt(self.context.epoch);
        self.stack.push(Value::Map(map));
        Ok(())
    }
}

impl Machine<'_> {
    /// As `merge_into_slot`, into a new map.
    fn merge_copy(&mut self, slot: usize, shape: &Shape) -> Result<(), Halt> {
        let n = shape.keys.len();
        let first = self.stack.len() - n;
        let (below, values) = self.stack.split_at_mut(first);
        let Value::Map(map) = &below[slot] else {
            let right = self.context.map(Entries::new());
            let failed = binary(&mut self.context, Op2::Union, &below[slot], &right);
            return failed.map(drop);
        };
        self.context.charge(made_map((map.entries().len() + n) as u64))?;
        let take = |&at: &u16| std::mem::replace(&mut values[usize::from(at)], Value::Null);
        let merged = map.entries().updated(n, shape.keys.iter().zip(shape.order.iter().map(take)));
        if merged.len() > MAX_MAP {
            return Err(fail("limit.map").into());
        }
        let merged = self.context.map(merged);
        self.stack.truncate(first);
        self.stack.push(merged);
        Ok(())
    }
}

fn replace(map: &Ptr<crate::value::Map>, key: &Str, value: Value) {
    let old = map.change(|entries| match entries.get_mut(key) {
        Some(place) => Some(std::mem::replace(place, value)),
        None => entries.insert(key.clone(), value),
    });
    drop(old);
}
