//! Loops and comprehension clauses: what is being iterated, and the round that comes next.

use crate::code::Round;
use crate::failure::{Halt, at, fail};
use crate::machine::Machine;
use crate::node::{Node, Ptr};
use crate::text::Str;
use crate::value::{List, Map, Range, Value};

/// A loop that is going on. A container that the program could change is locked as long.
pub enum Loop {
    List {
        list: Ptr<List>,
        next: usize,
        locked: bool,
    },
    Range {
        range: Ptr<Range>,
        next: u64,
    },
    /// The keys were paid for on entry and are taken at once.
    Map {
        map: Ptr<Map>,
        keys: std::vec::IntoIter<Str>,
        locked: bool,
    },
}

impl Drop for Loop {
    fn drop(&mut self) {
        match self {
            Loop::List { list, locked: true, .. } => list.locks.set(list.locks.get() - 1),
            Loop::Map { map, locked: true, .. } => map.locks.set(map.locks.get() - 1),
            _ => {}
        }
    }
}

impl Loop {
    fn next(&mut self) -> Option<Value> {
        match self {
            Loop::List { list, next, .. } => {
                let item = list.items().get(*next)?.clone();
                *next += 1;
                Some(item)
            }
            Loop::Range { range, next } => {
                if *next == range.length {
                    return None;
                }
                *next += 1;
                Some(range.at(*next - 1))
            }
            Loop::Map { keys, .. } => keys.next().map(Value::from),
        }
    }
}

impl Machine<'_> {
    /// The operand is what the loop that begins iterates over.
    pub(crate) fn start_loop(&mut self) -> Result<(), Halt> {
        let epoch = self.context.epoch;
        let begun = match self.stack.pop().unwrap_or(Value::Null) {
            Value::List(list) => {
                self.begin_list(list, 0);
                return Ok(());
            }
            Value::Range(range) => Loop::Range { range, next: 0 },
            Value::Map(map) => {
                self.context.charge(map.entries().len() as u64)?;
                let keys = map.entries().keys().cloned().collect::<Vec<Str>>().into_iter();
                let locked = map.header().is_mutable(epoch);
                if locked {
                    map.locks.set(map.locks.get() + 1);
                }
                Loop::Map { map, keys, locked }
            }
            other => return Err(fail("type.iterate").with("type", other.type_name()).into()),
        };
        self.loops.push(begun);
        Ok(())
    }

    /// A loop over a list goes on with the element `next`.
    pub(crate) fn begin_list(&mut self, list: Ptr<List>, next: usize) {
        let locked = list.header().is_mutable(self.context.epoch);
        if locked {
            list.locks.set(list.locks.get() + 1);
        }
        self.loops.push(Loop::List { list, next, locked });
    }

    /// Begin the next round: pay for it and bind its slots. False when there is none, and the loop is over.
    #[inline]
    pub(crate) fn next_round(&mut self, round: &Round, base: usize) -> Result<bool, Halt> {
        if let (Some(Loop::List { list, next, .. }), &[slot]) = (self.loops.last_mut(), &round.slots[..]) {
            // the common case: one copy, from the list into the slot
            if let Some(item) = list.items().get(*next) {
                *next += 1;
                self.context.charge(u64::from(round.weight))?;
                std::mem::replace(&mut self.stack[base + usize::from(slot)], item.clone()).discard();
                return Ok(true);
            }
        }
        let Some(item) = self.loops.last_mut().and_then(Loop::next) else {
            self.loops.pop();
            return Ok(false);
        };
        self.context.charge(u64::from(round.weight))?;
        match round.slots[..] {
            [slot] => self.stack[base + usize::from(slot)] = item,
            _ => self.unpack(&item, &round.slots, base).map_err(|halt| at(halt, round.names))?,
        }
        Ok(true)
    }

    /// Unpack a list into slots.
    pub(crate) fn unpack(&mut self, value: &Value, slots: &[u16], base: usize) -> Result<(), Halt> {
        let length = match value {
            Value::List(list) => list.items().len() as u64,
            Value::Range(range) => range.length,
            other => return Err(fail("type.unpack").with("type", other.type_name()).into()),
        };
        if length != slots.len() as u64 {
            return Err(fail("value.unpack").count("names", slots.len()).count("values", length).into());
        }
        for (index, &slot) in slots.iter().enumerate() {
            let item = match value {
                Value::List(list) => list.items()[index].clone(),
                Value::Range(range) => range.at(index as u64),
                _ => Value::Null,
            };
            self.stack[base + usize::from(slot)] = item;
        }
        Ok(())
    }
}
