//! Operations that stand for several that often stand together.

use crate::access;
use crate::code::{Fields, Place, Test};
use crate::failure::{Halt, at};
use crate::gas::read;
use crate::machine::Machine;
use crate::operators::{self, Op2, of_integers};
use crate::value::Value;
use crate::walk::scalars_equal;

impl Machine<'_> {
    /// `value == constant`, the constant a string.
    #[inline]
    pub(crate) fn is_text(&mut self, value: &Value, constant: u32) -> Result<bool, Halt> {
        let text = &self.code.constants[constant as usize];
        if let (Value::Short(a), Value::Short(b)) = (value, text) {
            return Ok(a == b);
        }
        self.context.charge(read(value) + read(text))?;
        Ok(scalars_equal(value, text))
    }

    /// The two operands on top are integers, and their result takes their place: written there at once, as a value that is written in parts
    /// and then copied as a whole makes the processor wait. False where the operation is not that simple.
    #[inline(always)]
    pub(crate) fn integers_in_place(&mut self, op: Op2) -> bool {
        let [.., left, Value::Int(y)] = &mut self.stack[..] else { return false };
        let Value::Int(x) = *left else { return false };
        let Some(value) = of_integers(op, x, *y) else { return false };
        // SAFETY: what is overwritten is an integer, which needs no drop
        unsafe { std::ptr::write(left, value) };
        self.stack.truncate(self.stack.len() - 1);
        true
    }

    /// As `integers_in_place`, the right operand is a constant.
    #[inline(always)]
    pub(crate) fn integer_in_place(&mut self, op: Op2, right: &Value) -> bool {
        let (Some(left), Value::Int(y)) = (self.stack.last_mut(), right) else { return false };
        let Value::Int(x) = *left else { return false };
        let Some(value) = of_integers(op, x, *y) else { return false };
        // SAFETY: what is overwritten is an integer, which needs no drop
        unsafe { std::ptr::write(left, value) };
        true
    }

    /// `free op constant`
    #[inline]
    pub(crate) fn free_binary(&mut self, site: u32, op: Op2, constant: u32, base: usize) -> Result<Value, Halt> {
        let site = &self.code.sites[site as usize];
        let left = access::member(&self.stack[base], &site.name, &site.hint).unwrap_or(&Value::Null);
        match (op, left, &self.code.constants[constant as usize]) {
            (Op2::Equal, Value::Short(a), Value::Short(b)) => Ok(Value::Bool(a == b)),
            (Op2::Differs, Value::Short(a), Value::Short(b)) => Ok(Value::Bool(a != b)),
            (op, left, right) => operators::binary(&mut self.context, op, left, right),
        }
    }

    /// `local.name`
    #[inline]
    pub(crate) fn push_local_field(&mut self, slot: u16, site: u32, base: usize) -> Result<(), Halt> {
        let at_site = &self.code.sites[site as usize];
        let value = &self.stack[base + usize::from(slot)];
        match access::field_ref(&self.context, value, &at_site.name, &at_site.hint) {
            Ok(found) => {
                let value = found.unwrap_or(&Value::Null).clone();
                self.stack.push(value);
                Ok(())
            }
            Err(halt) => Err(self.no_local_field(halt, (slot, site), base)),
        }
    }

    /// The failure of reading a field of a local: of one without a value it stands at the local.
    #[cold]
    fn no_local_field(&self, halt: Halt, (slot, site): (u16, u32), base: usize) -> Halt {
        match self.stack[base + usize::from(slot)] {
            Value::Unbound => at(self.unbound(slot.into()), self.code.sites[site as usize].local),
            _ => halt,
        }
    }

    #[inline]
    pub(crate) fn binary_fields(&mut self, fields: &Fields, base: usize) -> Result<Value, Halt> {
        let read = |(slot, site, _): (u16, u32, Place)| {
            let site = &self.code.sites[site as usize];
            let found =
                access::field_ref(&self.context, &self.stack[base + usize::from(slot)], &site.name, &site.hint)?;
            Ok::<_, Halt>(found.unwrap_or(&Value::Null))
        };
        let failed = |machine: &Self, halt: Halt, (slot, site, place): (u16, u32, Place)| {
            at(machine.no_local_field(halt, (slot, site), base), place)
        };
        let left = match read(fields.left) {
            Ok(value) => value,
            Err(halt) => return Err(failed(self, halt, fields.left)),
        };
        let right = match read(fields.right) {
            Ok(value) => value,
            Err(halt) => return Err(failed(self, halt, fields.right)),
        };
        operators::binary(&mut self.context, fields.op, left, right)
    }

    #[inline]
    pub(crate) fn test(&mut self, test: &Test, base: usize) -> Result<bool, Halt> {
        self.context.charge(u64::from(test.weight)).map_err(|halt| at(halt, test.unit_place))?;
        let site = &self.code.sites[test.site as usize];
        let slot = &self.stack[base + usize::from(test.slot)];
        let found = match access::field_ref(&self.context, slot, &site.name, &site.hint) {
            Ok(found) => found,
            Err(halt) => {
                return Err(at(self.no_local_field(halt, (test.slot, test.site), base), test.field_place));
            }
        };
        let text = &self.code.constants[test.constant as usize];
        let equal = match (found, text) {
            (Some(Value::Short(a)), Value::Short(b)) => a == b,
            (found, text) => {
                let found = found.unwrap_or(&Value::Null);
                self.context.meter.charge(read(found) + read(text))?;
                scalars_equal(found, text)
            }
        };
        Ok(equal != test.negated)
    }
}
