//! Expressions so short that they are evaluated where they stand; see `brief.rs`.

use crate::brief::{Brief, Operand};
use crate::compile::{Compiler, number};
use crate::ir::{exactly, integer, member, name, parts, sequence};
use crate::operators::Op2;
use crate::value::Value;

/// Calls in calls that are put in the place of one.
const INLINED: u32 = 4;

/// What the slots of an expression are.
enum Scope<'s> {
    /// Those of the function that is compiled; this one is that of the round's element.
    Own(Option<u16>),
    /// The arguments of a call.
    Call(&'s [Operand]),
}

impl<'a> Compiler<'a> {
    /// The expression of a round whose element is in the slot `item`, and the weight of what was called in it.
    pub(crate) fn brief(&mut self, node: &'a Value, item: u16) -> Option<(Brief, u64)> {
        self.brief_in(node, &Scope::Own(Some(item)), INLINED)
    }

    /// As `brief`, of what is no more than read; outside of a round there is no item.
    pub(crate) fn operand(&mut self, node: &'a Value, item: Option<u16>) -> Option<Operand> {
        self.operand_in(node, &Scope::Own(item))
    }

    fn brief_in(&mut self, node: &'a Value, scope: &Scope<'_>, calls: u32) -> Option<(Brief, u64)> {
        match parts(node).ok()? {
            ("bin", _, [op, left, right]) => {
                let op = Op2::named(name(op).ok()?)?;
                let (left, right) = (self.operand_in(left, scope)?, self.operand_in(right, scope)?);
                Some((Brief::Binary(op, left, right), 0))
            }
            ("call", _, [function, arguments]) if calls > 0 => self.inlined(function, arguments, scope, calls - 1),
            _ => Some((Brief::Operand(self.operand_in(node, scope)?), 0)),
        }
    }

    /// A call of a function that is one `return` of something brief.
    fn inlined(
        &mut self,
        function: &Value,
        arguments: &'a Value,
        scope: &Scope<'_>,
        calls: u32,
    ) -> Option<(Brief, u64)> {
        let callable = self.callable;
        let index = integer(function).ok()? as usize;
        let callee = callable.get(index)?;
        let arguments = sequence(arguments).ok()?;
        if integer(member(callee, "params").ok()?).ok()? as usize != arguments.len() {
            return None;
        }
        let [statement] = exactly(member(callee, "body").ok()?).ok()?;
        let ("return", _, [weight, value]) = parts(statement).ok()? else { return None };
        let weight = u64::from(integer(weight).ok()?);
        // an argument that cannot be read fails, also where the function does not look at it
        let mut operands = Vec::with_capacity(arguments.len());
        for argument in arguments {
            match self.operand_in(argument, scope)? {
                Operand::Local(slot) if u32::from(slot) >= self.bound => return None,
                operand @ (Operand::Item | Operand::Local(_) | Operand::Constant(_)) => operands.push(operand),
                Operand::ItemField(_) | Operand::Field { .. } => return None,
            }
        }
        let (brief, inner) = self.brief_in(value, &Scope::Call(&operands), calls)?;
        Some((brief, weight + inner))
    }

    fn operand_in(&mut self, node: &'a Value, scope: &Scope<'_>) -> Option<Operand> {
        let value = match parts(node).ok()? {
            ("local", _, [slot]) => {
                return match scope {
                    Scope::Own(item) => {
                        let slot = self.slot(slot).ok()?;
                        Some(if Some(slot) == *item { Operand::Item } else { Operand::Local(slot) })
                    }
                    Scope::Call(arguments) => arguments.get(integer(slot).ok()? as usize).copied(),
                };
            }
            ("field", _, [target, field]) => {
                let ("local", _, _) = parts(target).ok()? else { return None };
                let target = self.operand_in(target, scope)?;
                let site = self.site(field).ok()?;
                return match target {
                    Operand::Item => Some(Operand::ItemField(site)),
                    Operand::Local(slot) => Some(Operand::Field { slot, site }),
                    _ => None,
                };
            }
            ("const", _, [index]) => {
                return self.consts.get(integer(index).ok()? as usize).map(|&at| Operand::Constant(at));
            }
            ("null", _, []) => Value::Null,
            ("true", _, []) => Value::Bool(true),
            ("false", _, []) => Value::Bool(false),
            ("num", _, [digits]) => number(name(digits).ok()?).ok()?,
            ("str", _, [text]) => text.string()?.into(),
            _ => return None,
        };
        Some(Operand::Constant(self.assembler.constant(value)))
    }
}
