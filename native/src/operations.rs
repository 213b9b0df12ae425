//! Operations of the machine, each a function of its own: `Machine::go` stays so small that the processor and the compiler keep all of it at
//! hand. What is simple and frequent is inlined there, what is not is called.

use crate::access;
use crate::arguments::Args;
use crate::builtins;
use crate::code::Op;
use crate::failure::Halt;
use crate::machine::Machine;
use crate::map::Entries;
use crate::operators::{self, Op2};
use crate::stack::{push, push_result};
use crate::value::Value;

impl Machine<'_> {
    /// The value of a slot that has one.
    #[inline(always)]
    pub(crate) fn push_local(&mut self, slot: u32, base: usize) -> Result<(), Halt> {
        let value = &self.stack[base + slot as usize];
        if matches!(value, Value::Unbound) {
            return Err(self.unbound(slot));
        }
        let value = value.clone();
        push(&mut self.stack, value);
        Ok(())
    }

    #[inline(always)]
    pub(crate) fn set_local(&mut self, slot: u32, base: usize) {
        let value = self.pop();
        std::mem::replace(&mut self.stack[base + slot as usize], value).discard();
    }

    /// `value.name`, in the place of the value.
    #[inline(never)]
    pub(crate) fn field(&mut self, site: u32) -> Result<(), Halt> {
        let site = &self.code.sites[site as usize];
        if let Some(top) = self.stack.last_mut() {
            let found = access::field_ref(&self.context, top, &site.name, &site.hint)?;
            let value = found.unwrap_or(&Value::Null).clone();
            std::mem::replace(top, value).discard();
        }
        Ok(())
    }

    #[inline(never)]
    pub(crate) fn binary(&mut self, op: Op2) -> Result<(), Halt> {
        let right = self.pop();
        let left = self.pop();
        let value = operators::binary(&mut self.context, op, &left, &right)?;
        left.discard();
        right.discard();
        push(&mut self.stack, value);
        Ok(())
    }

    #[inline(never)]
    pub(crate) fn binary_constant(&mut self, op: Op2, constant: u32) -> Result<(), Halt> {
        let left = self.pop();
        let value = operators::binary(&mut self.context, op, &left, &self.code.constants[constant as usize])?;
        left.discard();
        push(&mut self.stack, value);
        Ok(())
    }

    #[inline(never)]
    pub(crate) fn call_function(&mut self, call: u32) -> Result<(), Halt> {
        let call = &self.code.calls[call as usize];
        let first = self.stack.len() - call.positional - call.names.len();
        let (values, given) = self.stack[first..].split_at(call.positional);
        let args = Args { values, names: &call.names, given };
        let value = builtins::call_function(&mut self.context, call.index, &args)?;
        self.discard_to(first);
        push_result(&mut self.stack, value);
        Ok(())
    }

    #[inline(never)]
    pub(crate) fn call_method(&mut self, call: u32) -> Result<(), Halt> {
        let call = &self.code.calls[call as usize];
        let first = self.stack.len() - call.positional - call.names.len();
        let (below, above) = self.stack.split_at(first);
        let (values, given) = above.split_at(call.positional);
        let args = Args { values, names: &call.names, given };
        let receiver = &below[first - 1];
        let value = builtins::call_method(&mut self.context, call.index, receiver, &args)?;
        self.discard_to(first - 1);
        push_result(&mut self.stack, value);
        Ok(())
    }

    pub(crate) fn new_map(&mut self) {
        let map = self.context.map(Entries::new());
        push(&mut self.stack, map);
    }

    /// The slots of a comprehension lose their values.
    #[inline(never)]
    pub(crate) fn unbind(&mut self, slots: u32, base: usize) {
        for &slot in &self.code.slots[slots as usize] {
            std::mem::replace(&mut self.stack[base + usize::from(slot)], Value::Unbound).discard();
        }
    }

    /// The top-level field of the state, null where there is none.
    #[inline(never)]
    pub(crate) fn push_free(&mut self, site: u32, base: usize) {
        let site = &self.code.sites[site as usize];
        let found = access::member(&self.stack[base], &site.name, &site.hint);
        let value = found.unwrap_or(&Value::Null).clone();
        push(&mut self.stack, value);
    }

    /// `free.name`
    #[inline(never)]
    pub(crate) fn push_free_field(&mut self, outer: u32, inner: u32, base: usize) -> Result<(), Halt> {
        let (outer, inner) = (&self.code.sites[outer as usize], &self.code.sites[inner as usize]);
        let found = access::member(&self.stack[base], &outer.name, &outer.hint).unwrap_or(&Value::Null);
        let found = access::field_ref(&self.context, found, &inner.name, &inner.hint)?;
        let value = found.unwrap_or(&Value::Null).clone();
        push(&mut self.stack, value);
        Ok(())
    }

    /// The operations that no loop is made of, and those that have functions of their own.
    #[inline(never)]
    pub(crate) fn seldom(&mut self, op: Op, base: usize) -> Result<(), Halt> {
        let code = self.code;
        match op {
            Op::Index => {
                let key = self.pop();
                let container = self.pop();
                let value = access::index(&mut self.context, &container, &key)?;
                container.discard();
                key.discard();
                push(&mut self.stack, value);
            }
            Op::Slice { start, stop } => {
                let stop = stop.then(|| self.pop());
                let start = start.then(|| self.pop());
                let value = self.pop();
                let part = access::cut(&mut self.context, &value, start.as_ref(), stop.as_ref())?;
                push(&mut self.stack, part);
            }
            Op::Negate => {
                let value = self.pop();
                let negated = operators::negate(&mut self.context, &value)?;
                push(&mut self.stack, negated);
            }
            Op::List(count) => {
                let items = self.stack.split_off(self.stack.len() - count as usize);
                let list = self.context.list(items);
                push(&mut self.stack, list);
            }
            Op::ComputedMap(index) => self.make_computed_map(index)?,
            Op::NewMap => self.new_map(),
            Op::Put(place) => self.put_entry(code.key_places[place as usize])?,
            Op::Leave => drop(self.loops.pop()),
            Op::SetField(site) => {
                let target = self.pop();
                let value = self.pop();
                access::write_field(&mut self.context, &target, &code.sites[site as usize].name, value)?;
            }
            Op::SetIndex => {
                let key = self.pop();
                let target = self.pop();
                let value = self.pop();
                access::write_index(&mut self.context, &target, &key, value)?;
            }
            Op::ReadField(site) => {
                let site = &code.sites[site as usize];
                let target = &self.stack[self.stack.len() - 1];
                let found = access::field_ref(&self.context, target, &site.name, &site.hint)?;
                let value = found.unwrap_or(&Value::Null).clone();
                push(&mut self.stack, value);
            }
            Op::ReadIndex => {
                let top = self.stack.len();
                let (target, key) = (&self.stack[top - 2], &self.stack[top - 1]);
                let value = access::index(&mut self.context, target, key)?;
                push(&mut self.stack, value);
            }
            Op::StoreField(site) => {
                let value = self.pop();
                let target = self.pop();
                access::write_field(&mut self.context, &target, &code.sites[site as usize].name, value)?;
            }
            Op::StoreIndex => {
                let value = self.pop();
                let key = self.pop();
                let target = self.pop();
                access::write_index(&mut self.context, &target, &key, value)?;
            }
            Op::Unpack(slots) => {
                let value = self.pop();
                self.unpack(&value, &code.slots[slots as usize], base)?;
            }
            // all others are in `go`
            _ => return Err(crate::failure::engine_bug()),
        }
        Ok(())
    }
}
