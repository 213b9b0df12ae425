//! List and map comprehensions to operations; see `compile.rs`.

use crate::assembler::{Assembler, Label};
use crate::code::{Op, Place, Round};
use crate::compile::{Compiler, Task};
use crate::ir::{Checked, bad, integer, name, place, sequence, unit};
use crate::value::Value;

impl<'a> Compiler<'a> {
    /// Slots, container, clauses from the outside in, the element, and the ways back out.
    pub(crate) fn comprehension(
        &mut self,
        slots: &'a Value,
        clauses: &'a Value,
        at: Place,
        made: Op,
        element: impl FnOnce(&mut Assembler, Label) -> Vec<Task<'a>>,
    ) -> Checked<()> {
        let own = self.slots(slots)?;
        if own.iter().any(|&slot| u32::from(slot) < self.bound) {
            return bad("a comprehension uses the slot of a parameter");
        }
        let mut tasks = vec![Task::Emit(made, at)];
        let mut ways: Vec<(Label, Label)> = Vec::new();
        for clause in sequence(clauses)? {
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
                        Task::Emit(Op::Next(round), for_place),
                    ]);
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
        tasks.extend(element(self.assembler, innermost));
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
        Ok(())
    }

    pub(crate) fn round(&mut self, weight: u32, slots: Box<[u16]>, names: Place, exit: Label) -> u32 {
        self.assembler.code.rounds.push(Round { weight, slots, names, exit });
        self.assembler.code.rounds.len() as u32 - 1
    }
}
