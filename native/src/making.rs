//! Operations that make containers: map literals, the elements of comprehensions, and `operand | {...}`.

use crate::access::store;
use crate::arguments::Items;
use crate::code::{Place, Shape};
use crate::failure::{Halt, at, fail, shown_text};
use crate::gas::{lookup, made_map};
use crate::iterables::Reduction;
use crate::machine::Machine;
use crate::map::Entries;
use crate::operators::{Op2, binary, check_list};
use crate::stack::{push, push_result, taken};
use crate::value::{MAX_KEY, MAX_MAP, Value};

/// The charge for an element of a list comprehension.
pub const ELEMENT: u64 = 2;

impl Machine<'_> {
    /// A map literal whose keys are all written as strings; its values are on the stack.
    #[inline(never)]
    pub(crate) fn make_map(&mut self, shape: u32) {
        let shape = &self.code.shapes[shape as usize];
        let first = self.stack.len() - shape.keys.len();
        let values = &mut self.stack[first..];
        let take = |&at: &u16| std::mem::replace(&mut values[usize::from(at)], Value::Null);
        let entries = shape.keys.iter().cloned().zip(shape.order.iter().map(take)).collect();
        self.drop_nulls(first);
        let map = self.context.map(Entries::from_sorted(entries));
        push(&mut self.stack, map);
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

    /// The operand is an element of the list that is being gathered, and stays where it stands.
    #[inline]
    pub(crate) fn append_element(&mut self) -> Result<(), Halt> {
        self.context.charge(ELEMENT)?;
        let first = self.gathers.last().copied().unwrap_or(0);
        check_list((self.stack.len() - first) as u64)
    }

    /// A list of all that was gathered.
    #[inline(never)]
    pub(crate) fn gathered(&mut self) {
        let first = self.gathers.pop().unwrap_or(0);
        let items = taken(&mut self.stack, first);
        let list = self.context.list(items);
        push(&mut self.stack, list);
    }

    /// A function of what was gathered, of which no list is made.
    #[inline(never)]
    pub(crate) fn reduce(&mut self, reduction: Reduction) -> Result<(), Halt> {
        let first = self.gathers.pop().unwrap_or(0);
        let value = reduction.of(&mut self.context, Items::List(&self.stack[first..]))?;
        self.discard_to(first);
        push_result(&mut self.stack, value);
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

    /// `operand | {literal}`: the operand stands below the values, a map is made of the operand's. One that nobody else holds is changed in
    /// place.
    #[inline(never)]
    pub(crate) fn merge(&mut self, shape: u32) -> Result<(), Halt> {
        let shape = &self.code.shapes[shape as usize];
        let first = self.stack.len() - shape.keys.len();
        let in_place = match &self.stack[first - 1] {
            Value::Map(map) => map.is_unique_but(0) && map.entries().len() + shape.keys.len() <= MAX_MAP,
            _ => false,
        };
        let operand = std::mem::replace(&mut self.stack[first - 1], Value::Null);
        let merged = if in_place { self.merged_in_place(operand, shape) } else { self.merged_copy(&operand, shape) };
        self.stack[first - 1] = merged?;
        Ok(())
    }

    /// `state | {literal}`, the operand of a `return` of `apply`. Where that ends the run, the state before is not needed any more, so a map
    /// that only this slot and `before` hold is changed in place. Nothing can fail after that.
    #[inline(never)]
    pub(crate) fn merge_into_slot(&mut self, slot: usize, shape: u32) -> Result<(), Halt> {
        let shape = &self.code.shapes[shape as usize];
        let in_place = match (&self.stack[slot], &self.before) {
            (Value::Map(map), Value::Map(before)) => {
                map.same(before)
                    && map.is_unique_but(1)
                    && self.is_outermost()
                    && map.entries().len() + shape.keys.len() <= MAX_MAP
            }
            _ => false,
        };
        let merged = if in_place {
            // out of gas is the one failure that is left: the state before must have its map then
            let Value::Map(map) = &self.stack[slot] else { return Ok(()) };
            self.context.meter.check(made_map((map.entries().len() + shape.keys.len()) as u64))?;
            std::mem::replace(&mut self.before, Value::Unbound).discard();
            let state = std::mem::replace(&mut self.stack[slot], Value::Unbound);
            self.merged_in_place(state, shape)
        } else {
            let state = self.stack[slot].clone();
            self.merged_copy(&state, shape)
        };
        push(&mut self.stack, merged?);
        Ok(())
    }

    /// The map with the values of a literal, which are taken from the stack. Nobody else holds the map.
    #[inline]
    fn merged_in_place(&mut self, operand: Value, shape: &Shape) -> Result<Value, Halt> {
        let Value::Map(map) = &operand else { return Ok(operand) };
        let n = shape.keys.len();
        self.context.charge(made_map((map.entries().len() + n) as u64))?;
        let first = self.stack.len() - n;
        let values = &mut self.stack[first..];
        let take = |&at: &u16| std::mem::replace(&mut values[usize::from(at)], Value::Null);
        map.change(|entries| entries.put_all(shape.keys.iter().zip(shape.order.iter().map(take))));
        map.adopt(self.context.epoch);
        self.drop_nulls(first);
        Ok(operand)
    }

    /// As `merged_in_place`, of any operand: a new map.
    fn merged_copy(&mut self, operand: &Value, shape: &Shape) -> Result<Value, Halt> {
        let n = shape.keys.len();
        let Value::Map(map) = operand else {
            // an error, but null of null where that is allowed
            let right = self.context.map(Entries::new());
            self.discard_to(self.stack.len() - n);
            return binary(&mut self.context, Op2::Union, operand, &right);
        };
        self.context.charge(made_map((map.entries().len() + n) as u64))?;
        let first = self.stack.len() - n;
        let values = &mut self.stack[first..];
        let take = |index: usize| std::mem::replace(&mut values[usize::from(shape.order[index])], Value::Null);
        let merged = map.entries().updated(&shape.keys, take);
        self.drop_nulls(first);
        if merged.len() > MAX_MAP {
            return Err(fail("limit.map").into());
        }
        Ok(self.context.map(merged))
    }

    /// Cut the stack where nulls follow, which were left in the place of values.
    #[inline(always)]
    fn drop_nulls(&mut self, first: usize) {
        // SAFETY: shorter than it is; what stands behind needs no drop
        unsafe { self.stack.set_len(first) }
    }
}
