//! Comprehensions whose filter and element are short are run here, a whole round in one operation.
//!
//! `Op::Each` stands in front of the operations of a round. It does rounds as long as nothing fails and the gas lasts; a round that it cannot
//! finish it leaves as if it had not begun, and the operations behind it do that one. So no failure, place or charge is decided here.

use crate::access;
use crate::code::{Code, Site};
use crate::context::Context;
use crate::gas::lookup;
use crate::loops::Loop;
use crate::machine::Machine;
use crate::operators::{self, Op2, compared, of_integers};
use crate::stack::{push, push_result, push_unbound};
use crate::value::{MAX_LIST, MAX_MAP, Value};

/// What is read where it stands.
#[derive(Clone, Copy, Debug)]
pub enum Operand {
    /// The element that the round is about.
    Item,
    ItemField(u32),
    Local(u16),
    Field {
        slot: u16,
        site: u32,
    },
    Constant(u32),
}

/// An expression without effects.
#[derive(Clone, Copy, Debug)]
pub enum Brief {
    Operand(Operand),
    Binary(Op2, Operand, Operand),
}

/// The rounds of a comprehension over one list.
pub struct Each {
    pub round: u32,
    /// Of a round up to and with its condition; of what follows where that holds.
    pub weight: u64,
    pub element_weight: u64,
    pub condition: Option<Brief>,
    pub made: Made,
}

pub enum Made {
    Element(Brief),
    Entry(Operand, Operand),
}

/// A comprehension over what is read where it stands.
pub struct Whole {
    pub each: u32,
    pub iterable: Operand,
    pub slots: u32,
    /// It makes a map.
    pub is_map: bool,
    /// The first operation of a round.
    pub head: u32,
}

/// What is read where it stands. None where it has no value.
#[inline(always)]
pub fn read<'a>(code: &'a Code, slots: &'a [Value], operand: Operand) -> Option<&'a Value> {
    match operand {
        Operand::Local(slot) => {
            let value = &slots[usize::from(slot)];
            if matches!(value, Value::Unbound) { None } else { Some(value) }
        }
        Operand::Field { slot, site } => member(&slots[usize::from(slot)], &code.sites[site as usize]),
        Operand::Constant(constant) => Some(&code.constants[constant as usize]),
        Operand::Item | Operand::ItemField(_) => None,
    }
}

#[inline(always)]
fn member<'a>(value: &'a Value, site: &Site) -> Option<&'a Value> {
    match access::near(value, site) {
        Some(found) => Some(found),
        None => search(value, site),
    }
}

#[cold]
#[inline(never)]
fn search<'a>(value: &'a Value, site: &Site) -> Option<&'a Value> {
    access::member(value, &site.name, &site.hint)
}

/// Where the operands of a round are read.
#[derive(Clone, Copy)]
struct Scope<'a> {
    code: &'a Code,
    slots: &'a [Value],
    item: &'a Value,
}

impl<'a> Scope<'a> {
    #[inline(always)]
    fn operand(self, operand: Operand) -> Option<&'a Value> {
        match operand {
            Operand::ItemField(site) => member(self.item, &self.code.sites[site as usize]),
            Operand::Item => Some(self.item),
            other => read(self.code, self.slots, other),
        }
    }

    #[inline(always)]
    fn holds(self, context: &mut Context, condition: &Brief) -> Option<bool> {
        match *condition {
            Brief::Operand(operand) => self.operand(operand).map(Value::is_true),
            Brief::Binary(op, left, right) => {
                let (left, right) = (self.operand(left)?, self.operand(right)?);
                if let (Value::Int(x), Value::Int(y)) = (left, right) {
                    if let Some(holds) = compared(op, *x, *y) {
                        return Some(holds);
                    }
                }
                full(context, op, left, right).map(|value| value.is_true())
            }
        }
    }
}

#[inline(never)]
fn full(context: &mut Context, op: Op2, left: &Value, right: &Value) -> Option<Value> {
    operators::binary(context, op, left, right).ok()
}

impl Machine<'_> {
    /// A comprehension from its beginning. Gives the operation to go on with, as `each` does.
    #[inline(never)]
    pub(crate) fn whole(&mut self, index: u32, base: usize) -> usize {
        let whole = &self.code.wholes[index as usize];
        let scope = Scope { code: self.code, slots: &self.stack[base..], item: &Value::Unbound };
        let Some(Value::List(list)) = scope.operand(whole.iterable) else { return self.at + 1 };
        let list = list.clone();
        if whole.is_map {
            self.new_map();
        } else {
            self.gathers.push(self.stack.len());
        }
        let each = &self.code.eaches[whole.each as usize];
        match self.rounds(each, list.items(), base) {
            done if done == list.items().len() => self.code.rounds[each.round as usize].exit as usize,
            done => {
                self.unbind(whole.slots, base);
                self.begin_list(list, done);
                // behind `Op::Each`
                whole.head as usize + 1
            }
        }
    }

    /// Rounds of the innermost loop. Gives the operation to go on with: the exit, or the round that is left to the operations behind.
    #[inline(never)]
    pub(crate) fn each(&mut self, index: u32, base: usize) -> usize {
        let each = &self.code.eaches[index as usize];
        let Some(Loop::List { list, next, .. }) = self.loops.last() else { return self.at + 1 };
        let (list, first) = (list.clone(), *next);
        let done = first + self.rounds(each, &list.items()[first..], base);
        if done == list.items().len() {
            self.loops.pop();
            return self.code.rounds[each.round as usize].exit as usize;
        }
        if let Some(Loop::List { next, .. }) = self.loops.last_mut() {
            *next = done;
        }
        self.at + 1
    }

    /// Rounds over these, as many as can be done. Gives how many that were; of the next one nothing is done.
    #[inline(always)]
    fn rounds(&mut self, each: &Each, items: &[Value], base: usize) -> usize {
        for (index, item) in items.iter().enumerate() {
            let left = self.context.meter.left();
            if self.round(each, item, base).is_none() {
                self.context.meter.set_left(left);
                return index;
            }
        }
        items.len()
    }

    /// None: it cannot be done here, and all but the gas is as it was.
    #[inline(always)]
    fn round(&mut self, each: &Each, item: &Value, base: usize) -> Option<()> {
        let scope = Scope { code: self.code, slots: &self.stack[base..], item };
        let context = &mut self.context;
        context.meter.take(each.weight)?;
        if let Some(condition) = &each.condition {
            if !scope.holds(context, condition)? {
                return Some(());
            }
        }
        context.meter.take(each.element_weight)?;
        match &each.made {
            Made::Element(element) => {
                if self.stack.len() - self.gathers.last()? == MAX_LIST {
                    return None;
                }
                match *element {
                    Brief::Operand(operand) => {
                        let value = scope.operand(operand)?.clone();
                        push(&mut self.stack, value);
                    }
                    Brief::Binary(op, left, right) => {
                        let (left, right) = (scope.operand(left)?, scope.operand(right)?);
                        if let (&Value::Int(x), &Value::Int(y)) = (left, right) {
                            if of_integers(push_unbound(&mut self.stack), op, x, y) {
                                return Some(());
                            }
                            self.stack.pop();
                            let value = full(context, op, &Value::Int(x), &Value::Int(y))?;
                            push_result(&mut self.stack, value);
                            return Some(());
                        }
                        let value = full(context, op, left, right)?;
                        push_result(&mut self.stack, value);
                    }
                }
            }
            Made::Entry(key, value) => {
                let Value::Short(key) = scope.operand(*key)? else { return None };
                let value = scope.operand(*value)?;
                let target @ Value::Map(map) = self.stack.last()? else { return None };
                let count = map.entries().len();
                if count == MAX_MAP {
                    return None;
                }
                context.meter.take(lookup(count))?;
                // nothing is left that fails
                access::store(context, map, target, (*key).into(), value.clone()).ok()?;
            }
        }
        Some(())
    }
}
