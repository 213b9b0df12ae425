//! Operations that stand for several that often stand together.

use crate::access::{self, check_mutable};
use crate::brief::{self, Operand};
use crate::code::{Condition, Pair, Place, Test};
use crate::failure::{Halt, at, engine_bug};
use crate::gas::{lookup, read};
use crate::lists::MOVE;
use crate::machine::Machine;
use crate::operators::{self, Op2, compared, of_integers};
use crate::stack::{push, push_unbound};
use crate::value::{MAX_LIST, Value};
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

    /// The two operands on top are integers, and their result takes their place. False where the operation is not that simple.
    #[inline(always)]
    pub(crate) fn integers_in_place(&mut self, op: Op2) -> bool {
        let [.., left, Value::Int(y)] = &mut self.stack[..] else { return false };
        let Value::Int(x) = *left else { return false };
        if !of_integers(left, op, x, *y) {
            return false;
        }
        self.stack.truncate(self.stack.len() - 1);
        true
    }

    /// As `integers_in_place`, the right operand is a constant.
    #[inline(always)]
    pub(crate) fn integer_in_place(&mut self, op: Op2, right: &Value) -> bool {
        let (Some(left), Value::Int(y)) = (self.stack.last_mut(), right) else { return false };
        let Value::Int(x) = *left else { return false };
        of_integers(left, op, x, *y)
    }

    /// `map.get(key, default)` with a short key, whose value takes the place of the map. False where it is not that simple, or is not paid for.
    #[inline(never)]
    pub(crate) fn get_in_place(&mut self) -> bool {
        let [.., target, key, default] = &mut self.stack[..] else { return false };
        let (Value::Map(map), Value::Short(name)) = (&*target, &*key) else { return false };
        let entries = map.entries();
        if self.context.meter.take(lookup(entries.len())).is_none() {
            return false;
        }
        let found = match entries.get(&(*name).into()) {
            Some(value) => value.clone(),
            None => std::mem::replace(default, Value::Unbound),
        };
        std::mem::replace(target, found).discard();
        self.discard_to(self.stack.len() - 2);
        true
    }

    /// `list.append(value)`. False where it is not that simple, or fails.
    #[inline(never)]
    pub(crate) fn append_in_place(&mut self) -> bool {
        let [.., target @ Value::List(list), value] = &self.stack[..] else { return false };
        let full = list.items().len() == MAX_LIST;
        if full || check_mutable(&self.context, target).is_err() || self.context.meter.take(MOVE).is_none() {
            return false;
        }
        self.context.note_store(target, value);
        let value = self.pop();
        if let Some(target) = self.stack.last_mut() {
            if let Value::List(list) = &*target {
                list.change(|items| items.push(value));
            }
            std::mem::replace(target, Value::Null).discard();
        }
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

    /// Two integers that are read where they stand.
    #[inline(always)]
    fn integers(&self, pair: &Pair, base: usize) -> Option<(i64, i64)> {
        let slots = &self.stack[base..];
        match (brief::read(self.code, slots, pair.left.0)?, brief::read(self.code, slots, pair.right.0)?) {
            (Value::Int(x), Value::Int(y)) => Some((*x, *y)),
            _ => None,
        }
    }

    /// `a op b`
    #[inline(always)]
    pub(crate) fn pair(&mut self, index: u32, base: usize) -> Result<(), Halt> {
        let pair = &self.code.pairs[index as usize];
        if let Some((x, y)) = self.integers(pair, base) {
            if of_integers(push_unbound(&mut self.stack), pair.op, x, y) {
                return Ok(());
            }
            self.pop();
        }
        let value = self.any_pair(pair, base)?;
        push(&mut self.stack, value);
        Ok(())
    }

    /// `if a op b`
    #[inline(always)]
    pub(crate) fn pair_holds(&mut self, index: u32, base: usize) -> Result<bool, Halt> {
        let pair = &self.code.pairs[index as usize];
        if let Some((x, y)) = self.integers(pair, base) {
            if let Some(holds) = compared(pair.op, x, y) {
                return Ok(holds);
            }
        }
        let value = self.any_pair(pair, base)?;
        let holds = value.is_true();
        value.discard();
        Ok(holds)
    }

    #[inline(never)]
    fn any_pair(&mut self, pair: &'p Pair, base: usize) -> Result<Value, Halt> {
        let (left, right) = (self.operand(pair.left, base)?, self.operand(pair.right, base)?);
        let value = operators::binary(&mut self.context, pair.op, &left, &right)?;
        left.discard();
        right.discard();
        Ok(value)
    }

    fn operand(&self, (operand, place): (Operand, Place), base: usize) -> Result<Value, Halt> {
        if let Some(value) = brief::read(self.code, &self.stack[base..], operand) {
            return Ok(value.clone());
        }
        match operand {
            Operand::Field { slot, site } => {
                self.local_field((slot, site), base).cloned().map_err(|halt| at(halt, place))
            }
            Operand::Local(slot) => Err(at(self.unbound(slot.into()), place)),
            _ => Err(engine_bug()),
        }
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
