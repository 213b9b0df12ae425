//! Operations that stand for several that often stand together.

use crate::access;
use crate::code::{Condition, Fields, Test};
use crate::failure::{Halt, at};
use crate::gas::read;
use crate::machine::{Machine, push};
use crate::operators::{self, Op2, of_integers};
use crate::value::Value;
use crate::walk::scalars_equal;

impl<'p> Machine<'p> {
    /// `value == constant`, the constant a string, in the place of the value.
    #[inline]
    pub(crate) fn is_text_in_place(&mut self, constant: u32, negated: bool) -> Result<(), Halt> {
        let text = &self.code.constants[constant as usize];
        let Some(top) = self.stack.last_mut() else { return Ok(()) };
        let equal = match (&*top, text) {
            (Value::Short(a), Value::Short(b)) => a == b,
            (value, text) => {
                self.context.meter.charge(read(value) + read(text))?;
                scalars_equal(value, text)
            }
        };
        std::mem::replace(top, Value::Bool(equal != negated)).discard();
        Ok(())
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
    #[inline(never)]
    pub(crate) fn free_binary(&mut self, site: u32, op: Op2, constant: u32, base: usize) -> Result<(), Halt> {
        let site = &self.code.sites[site as usize];
        let left = access::member(&self.stack[base], &site.name, &site.hint).unwrap_or(&Value::Null);
        let value = match (op, left, &self.code.constants[constant as usize]) {
            (Op2::Equal, Value::Short(a), Value::Short(b)) => Value::Bool(a == b),
            (Op2::Differs, Value::Short(a), Value::Short(b)) => Value::Bool(a != b),
            (op, left, right) => operators::binary(&mut self.context, op, left, right)?,
        };
        push(&mut self.stack, value);
        Ok(())
    }

    /// `free op constant and`: where it holds, true is taken; where not, what it is stays, and false is the answer.
    #[inline]
    pub(crate) fn free_and(&mut self, condition: &Condition, base: usize) -> Result<bool, Halt> {
        let found = access::near(&self.stack[base], &self.code.sites[condition.site as usize]);
        let holds = match (condition.op, found, &self.code.constants[condition.constant as usize]) {
            (op, Some(Value::Int(x)), Value::Int(y)) => match op {
                Op2::Less => Some(x < y),
                Op2::LessEqual => Some(x <= y),
                Op2::Greater => Some(x > y),
                Op2::GreaterEqual => Some(x >= y),
                Op2::Equal => Some(x == y),
                _ => None,
            },
            (Op2::Equal, Some(Value::Short(a)), Value::Short(b)) => Some(a == b),
            _ => None,
        };
        match holds {
            Some(true) => Ok(true),
            Some(false) => {
                push(&mut self.stack, Value::Bool(false));
                Ok(false)
            }
            None => {
                let Condition { site, op, constant, place } = *condition;
                self.free_binary(site, op, constant, base).map_err(|halt| at(halt, place))?;
                let holds = self.stack.last().is_some_and(Value::is_true);
                if holds {
                    self.pop().discard();
                }
                Ok(holds)
            }
        }
    }

    /// `local.name`
    #[inline(always)]
    pub(crate) fn push_local_field(&mut self, slot: u16, site: u32, base: usize) -> Result<(), Halt> {
        match access::near(&self.stack[base + usize::from(slot)], &self.code.sites[site as usize]) {
            Some(found) => {
                let value = found.clone();
                push(&mut self.stack, value);
                Ok(())
            }
            None => self.search_local_field(slot, site, base),
        }
    }

    #[inline(never)]
    fn search_local_field(&mut self, slot: u16, site: u32, base: usize) -> Result<(), Halt> {
        let value = self.local_field((slot, site), base)?.clone();
        push(&mut self.stack, value);
        Ok(())
    }

    /// As `push_local_field`, where it stands.
    #[inline(always)]
    fn local_field(&self, (slot, site): (u16, u32), base: usize) -> Result<&Value, Halt> {
        let at_site = &self.code.sites[site as usize];
        let value = &self.stack[base + usize::from(slot)];
        match access::field_ref(&self.context, value, &at_site.name, &at_site.hint) {
            Ok(found) => Ok(found.unwrap_or(&Value::Null)),
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

    /// `a.b op c.d`
    #[inline(always)]
    pub(crate) fn binary_fields(&mut self, index: u32, base: usize) -> Result<(), Halt> {
        let fields = &self.code.fields[index as usize];
        let ((left, left_site, _), (right, right_site, _)) = (fields.left, fields.right);
        let found = (
            access::near(&self.stack[base + usize::from(left)], &self.code.sites[left_site as usize]),
            access::near(&self.stack[base + usize::from(right)], &self.code.sites[right_site as usize]),
        );
        if let (Some(Value::Int(x)), Some(Value::Int(y))) = found {
            if let Some(value) = of_integers(fields.op, *x, *y) {
                push(&mut self.stack, value);
                return Ok(());
            }
        }
        self.search_binary_fields(fields, base)
    }

    #[inline(never)]
    fn search_binary_fields(&mut self, fields: &Fields, base: usize) -> Result<(), Halt> {
        let ((left, left_site, left_place), (right, right_site, right_place)) = (fields.left, fields.right);
        let left = self.local_field((left, left_site), base).map_err(|halt| at(halt, left_place))?.clone();
        let right = self.local_field((right, right_site), base).map_err(|halt| at(halt, right_place))?.clone();
        let value = operators::binary(&mut self.context, fields.op, &left, &right)?;
        left.discard();
        right.discard();
        push(&mut self.stack, value);
        Ok(())
    }

    /// `if local.name == constant`: where to go on. What stands there may be another test of the same field, and so on.
    #[inline]
    pub(crate) fn test(&mut self, index: u32, base: usize) -> Result<usize, Halt> {
        let code = self.code;
        let mut test = &code.tests[index as usize];
        self.context.charge(u64::from(test.weight)).map_err(|halt| at(halt, test.unit_place))?;
        let found = access::near(&self.stack[base + usize::from(test.slot)], &code.sites[test.site as usize]);
        let Some(Value::Short(kind)) = found else { return self.search_test(test, base) };
        while let Value::Short(text) = &code.constants[test.constant as usize] {
            if (kind == text) != test.negated {
                return Ok(test.at as usize + 1);
            }
            let Some(next) = test.next else { return Ok(test.exit as usize) };
            test = &code.tests[next as usize];
            self.context.meter.charge(u64::from(test.weight)).map_err(|halt| at(halt, test.unit_place))?;
        }
        self.search_test(test, base)
    }

    /// As `test`, of any two strings or none; the weight is paid.
    #[inline(never)]
    fn search_test(&mut self, mut test: &'p Test, base: usize) -> Result<usize, Halt> {
        let code = self.code;
        loop {
            self.at = test.at as usize;
            let found = self.local_field((test.slot, test.site), base).map_err(|halt| at(halt, test.field_place))?;
            let text = &code.constants[test.constant as usize];
            let charge = match (found, text) {
                (Value::Short(_), Value::Short(_)) => 0,
                (found, text) => read(found) + read(text),
            };
            let equal = scalars_equal(found, text);
            self.context.charge(charge)?;
            if equal != test.negated {
                return Ok(test.at as usize + 1);
            }
            let Some(next) = test.next else { return Ok(test.exit as usize) };
            test = &code.tests[next as usize];
            self.context.charge(u64::from(test.weight)).map_err(|halt| at(halt, test.unit_place))?;
        }
    }
}
