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

    #[inline]
    pub(crate) fn binary_fields(&mut self, fields: &Fields, base: usize) -> Result<Value, Halt> {
        let read = |(slot, site, place): (u16, u32, Place)| {
            let site = &self.code.sites[site as usize];
            let slot = &self.stack[base + usize::from(slot)];
            let found =
                access::field_ref(&self.context, slot, &site.name, &site.hint).map_err(|halt| at(halt, place))?;
            Ok::<_, Halt>(found.unwrap_or(&Value::Null))
        };
        let (left, right) = (read(fields.left)?, read(fields.right)?);
        operators::binary(&mut self.context, fields.op, left, right)
    }

    #[inline]
    pub(crate) fn test(&mut self, test: &Test, base: usize) -> Result<bool, Halt> {
        self.context.charge(u64::from(test.weight)).map_err(|halt| at(halt, test.unit_place))?;
        let site = &self.code.sites[test.site as usize];
        let slot = &self.stack[base + usize::from(test.slot)];
        let found = access::field_ref(&self.context, slot, &site.name, &site.hint)
            .map_err(|halt| at(halt, test.field_place))?;
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
