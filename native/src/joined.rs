//! Operations that stand for several that often stand together.

use crate::access;
use crate::code::{Fields, Place, Test};
use crate::failure::Halt;
use crate::gas::read;
use crate::machine::{Machine, at};
use crate::operators;
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

    /// `local.name`
    #[inline]
    pub(crate) fn local_field(&mut self, slot: u16, site: u32, base: usize) -> Result<Value, Halt> {
        let at_site = &self.code.sites[site as usize];
        let value = &self.stack[base + usize::from(slot)];
        match access::field(&self.context, value, &at_site.name, &at_site.hint) {
            Ok(value) => Ok(value),
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
