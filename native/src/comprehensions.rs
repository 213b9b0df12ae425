//! List and map comprehensions to operations; see `compile.rs`.

use crate::assembler::Label;
use crate::brief::{Each, Made, Operand, Whole};
use crate::code::{Op, Place, Round};
use crate::compile::{Compiler, Task};
use crate::ir::{Checked, bad, integer, name, place, sequence, unit};
use crate::making::ELEMENT;
use crate::value::Value;

/// What a comprehension makes of a round.
#[derive(Clone, Copy)]
pub enum Element<'a> {
    Item(&'a Value),
    Entry(&'a Value, &'a Value),
}

impl<'a> Compiler<'a> {
    /// Slots, container, clauses from the outside in, the element, and the ways back out. A list stays as it is gathered on the stack.
    pub(crate) fn comprehension(
        &mut self,
        slots: &'a Value,
        clauses: &'a Value,
        at: Place,
        element_unit: &'a Value,
        element: Element<'a>,
    ) -> Checked<()> {
        let own = self.slots(slots)?;
        if own.iter().any(|&slot| u32::from(slot) < self.bound) {
            return bad("a comprehension uses the slot of a parameter");
        }
        let made = if matches!(element, Element::Item(_)) { Op::Gather } else { Op::NewMap };
        let mut tasks = vec![Task::Emit(made, at)];
        let mut ways: Vec<(Label, Label)> = Vec::new();
        let clauses = sequence(clauses)?;
        let mut whole = None;
        for clause in clauses {
            match sequence(clause)? {
                [tag, line, column, weight, targets, iterable_place, iterable, names] if name(tag)? == "for" => {
                    let for_place = (integer(line)?, integer(column)?);
                    let targets = self.slots(targets)?;
                    if !targets.iter().all(|slot| own.contains(slot)) {
                        return bad("a clause assigns a slot that is none of its comprehension's");
                    }
                    let (next, exit) = (self.assembler.label(), self.assembler.label());
                    let round = self.round(integer(weight)?, targets, place(names)?, exit);
                    tasks.extend([
                        Task::Expression(iterable),
                        Task::Emit(Op::Iterate, place(iterable_place)?),
                        Task::Bind(next),
                    ]);
                    if let Some(each) = self.each(round, &own, clauses, element_unit, element) {
                        self.assembler.code.eaches.push(each);
                        let each = self.assembler.code.eaches.len() as u32 - 1;
                        tasks.push(Task::Emit(Op::Each(each), for_place));
                        if let Some(iterable) = self.iterable(iterable, &own) {
                            let is_map = matches!(element, Element::Entry(..));
                            whole = Some(Whole { each, iterable, slots: 0, is_map, head: next });
                        }
                    }
                    tasks.push(Task::Emit(Op::Next(round), for_place));
                    ways.push((next, exit));
                }
                [tag, clause_unit, condition] if name(tag)? == "if" => {
                    let (weight, unit_at) = unit(clause_unit)?;
                    let Some(&(next, _)) = ways.last() else { return bad("a comprehension starts with for") };
                    tasks.extend([
                        Task::Emit(Op::Unit(weight), unit_at),
                        Task::Expression(condition),
                        Task::Join(Op::JumpIfFalse(next), unit_at),
                    ]);
                }
                _ => return bad(format!("unknown or malformed clause in {}:{}", at.0, at.1)),
            }
        }
        let Some(&(innermost, _)) = ways.last() else { return bad("a comprehension starts with for") };
        let (weight, unit_at) = unit(element_unit)?;
        tasks.push(Task::Emit(Op::Unit(weight), unit_at));
        match element {
            Element::Item(item) => tasks.extend([Task::Expression(item), Task::Emit(Op::Append, at)]),
            Element::Entry(key, value) => {
                self.assembler.code.key_places.push(unit_at);
                let key_place = self.assembler.code.key_places.len() as u32 - 1;
                let put = Task::Emit(Op::Put(key_place), at);
                tasks.extend([Task::Expression(key), Task::Expression(value), put]);
            }
        }
        tasks.push(Task::Emit(Op::Jump(innermost), at));
        while let Some((_, exit)) = ways.pop() {
            tasks.push(Task::Bind(exit));
            if let Some(&(next, _)) = ways.last() {
                tasks.push(Task::Emit(Op::Jump(next), at));
            }
        }
        self.assembler.code.slots.push(own);
        let unbind = Op::Unbind(self.assembler.code.slots.len() as u32 - 1);
        self.tasks.extend(tasks.into_iter().rev());
        self.tasks.push(Task::Emit(unbind, at));
        if let Some(mut whole) = whole {
            whole.slots = self.assembler.code.slots.len() as u32 - 1;
            self.assembler.code.wholes.push(whole);
            self.tasks.push(Task::Emit(Op::Whole(self.assembler.code.wholes.len() as u32 - 1), at));
        }
        Ok(())
    }

    pub(crate) fn round(&mut self, weight: u32, slots: Box<[u16]>, names: Place, exit: Label) -> u32 {
        self.assembler.code.rounds.push(Round { weight, slots, names, exit });
        self.assembler.code.rounds.len() as u32 - 1
    }

    /// What the comprehension goes over, where that is only read, and not from its own slots, which have no value yet.
    fn iterable(&mut self, node: &'a Value, own: &[u16]) -> Option<Operand> {
        match self.operand(node, None)? {
            Operand::Local(slot) | Operand::Field { slot, .. } if own.contains(&slot) => None,
            operand => Some(operand),
        }
    }

    /// The rounds of a comprehension of one `for` and at most one `if`, where all that is in them is brief.
    fn each(
        &mut self,
        round: u32,
        own: &[u16],
        clauses: &'a [Value],
        element_unit: &Value,
        element: Element<'a>,
    ) -> Option<Each> {
        let (&[item], [_, conditions @ ..]) = (own, clauses) else { return None };
        if self.assembler.code.rounds[round as usize].slots[..] != [item] {
            return None;
        }
        let mut weight = u64::from(self.assembler.code.rounds[round as usize].weight);
        let condition = match conditions {
            [] => None,
            [clause] => {
                let [_, clause_unit, condition] = sequence(clause).ok()? else { return None };
                weight += u64::from(unit(clause_unit).ok()?.0);
                let (condition, inlined) = self.brief(condition, item)?;
                weight += inlined;
                Some(condition)
            }
            _ => return None,
        };
        let mut element_weight = u64::from(unit(element_unit).ok()?.0);
        let made = match element {
            Element::Item(item_node) => {
                let (value, inlined) = self.brief(item_node, item)?;
                element_weight += inlined + ELEMENT;
                Made::Element(value)
            }
            Element::Entry(key, value) => Made::Entry(self.operand(key, Some(item))?, self.operand(value, Some(item))?),
        };
        Some(Each { round, weight, element_weight, condition, made })
    }
}
