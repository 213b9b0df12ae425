//! IR statements to operations; see `compile.rs`.

use crate::code::{Op, Place};
use crate::compile::{Compiler, Task, literal_values, named_operator};
use crate::ir::{Checked, bad, exactly, integer, parts, place, sequence, unit};
use crate::operators::Op2;
use crate::value::Value;

impl<'a> Compiler<'a> {
    pub(crate) fn statement(&mut self, node: &'a Value) -> Checked<()> {
        let (tag, at, rest) = parts(node)?;
        if tag == "if" {
            return match rest {
                [arms, otherwise] => self.if_statement(arms, otherwise, at),
                _ => bad(format!("malformed if at {}:{}", at.0, at.1)),
            };
        }
        let [weight, rest @ ..] = rest else { return bad(format!("no weight at {}:{}", at.0, at.1)) };
        self.assembler.join(Op::Unit(integer(weight)?), at);
        match (tag, rest) {
            ("return", [value]) => self.return_statement(value, at)?,
            ("pass", []) => {}
            ("break", []) => {
                let Some(&(_, exit)) = self.loops.last() else { return bad("break outside of a loop") };
                self.assembler.emit(Op::Leave, at);
                self.assembler.emit(Op::Jump(exit), at);
            }
            ("continue", []) => {
                let Some(&(next, _)) = self.loops.last() else { return bad("continue outside of a loop") };
                self.assembler.emit(Op::Jump(next), at);
            }
            ("expr", [value]) => self.then([Task::Expression(value), Task::Emit(Op::Pop, at)]),
            ("set", [slot, value]) => {
                let slot = self.slot(slot)?;
                self.then([Task::Expression(value), Task::Emit(Op::SetLocal(slot.into()), at)]);
            }
            ("setfield", [write_place, target, field, value]) => {
                let (site, write_at) = (self.site(field)?, place(write_place)?);
                let store = Task::Emit(Op::SetField(site), write_at);
                self.then([Task::Expression(value), Task::Expression(target), store]);
            }
            ("setindex", [write_place, target, key, value]) => {
                let store = Task::Emit(Op::SetIndex, place(write_place)?);
                self.then([Task::Expression(value), Task::Expression(target), Task::Expression(key), store]);
            }
            ("augset", [op, op_place, slot, read_place, value]) => {
                let (operate, slot) = (augmented(op, op_place)?, self.slot(slot)?);
                self.then([
                    Task::Emit(Op::Local(slot.into()), place(read_place)?),
                    Task::Expression(value),
                    operate,
                    Task::Emit(Op::SetLocal(slot.into()), at),
                ]);
            }
            ("augfield", [op, op_place, target_place, target, field, value]) => {
                let (operate, site, target_at) = (augmented(op, op_place)?, self.site(field)?, place(target_place)?);
                self.then([
                    Task::Expression(target),
                    Task::Emit(Op::ReadField(site), target_at),
                    Task::Expression(value),
                    operate,
                    Task::Emit(Op::StoreField(site), target_at),
                ]);
            }
            ("augindex", [op, op_place, target_place, target, key, value]) => {
                let (operate, target_at) = (augmented(op, op_place)?, place(target_place)?);
                self.then([
                    Task::Expression(target),
                    Task::Expression(key),
                    Task::Emit(Op::ReadIndex, target_at),
                    Task::Expression(value),
                    operate,
                    Task::Emit(Op::StoreIndex, target_at),
                ]);
            }
            ("unpack", [names, slots, value]) => {
                let slots = self.slots(slots)?;
                self.assembler.code.slots.push(slots);
                let unpack = Op::Unpack(self.assembler.code.slots.len() as u32 - 1);
                self.then([Task::Expression(value), Task::Emit(unpack, place(names)?)]);
            }
            ("for", [each, slots, iterable_place, iterable, names, body]) => {
                let (next, exit) = (self.assembler.label(), self.assembler.label());
                let slots = self.slots(slots)?;
                let round = self.round(integer(each)?, slots, place(names)?, exit);
                self.then([
                    Task::Expression(iterable),
                    Task::Emit(Op::Iterate, place(iterable_place)?),
                    Task::Bind(next),
                    Task::Emit(Op::Next(round), at),
                    Task::EnterLoop(next, exit),
                    Task::Block(body),
                    Task::LeaveLoop,
                    Task::Emit(Op::Jump(next), at),
                    Task::Bind(exit),
                ]);
            }
            _ => return bad(format!("unknown or malformed statement {tag:.80} at {}:{}", at.0, at.1)),
        }
        Ok(())
    }

    fn return_statement(&mut self, value: &'a Value, at: Place) -> Checked<()> {
        if value.is_null() {
            let null = self.assembler.constant(Value::Null);
            self.then([Task::Emit(Op::Constant(null), at), Task::Emit(Op::Return, at)]);
            return Ok(());
        }
        if self.is_apply {
            if let Some((slot, rows, union_at)) = self.merged_literal(value)? {
                if let Some(shape) = self.shape(rows)? {
                    let merged = Op::ReturnMerged { slot, shape };
                    self.then([Task::Emit(merged, union_at), Task::Emit(Op::Return, at)]);
                    self.tasks.extend(literal_values(rows).rev().map(Task::Expression));
                    return Ok(());
                }
            }
        }
        self.then([Task::Expression(value), Task::Emit(Op::Return, at)]);
        Ok(())
    }

    /// Parameter, rows and place of the operator of `parameter | {literal}`.
    fn merged_literal(&self, value: &'a Value) -> Checked<Option<(u16, &'a [Value], Place)>> {
        let ("bin", union_at, [op, left, right]) = parts(value)? else { return Ok(None) };
        if named_operator(op)? != Op2::Union {
            return Ok(None);
        }
        match (parts(left)?, parts(right)?) {
            (("local", _, [slot]), ("map", _, [rows])) if integer(slot)? < self.bound => {
                Ok(Some((self.slot(slot)?, sequence(rows)?, union_at)))
            }
            _ => Ok(None),
        }
    }

    fn if_statement(&mut self, arms: &'a Value, otherwise: &'a Value, at: Place) -> Checked<()> {
        let end = self.assembler.label();
        let mut tasks = Vec::new();
        for arm in sequence(arms)? {
            let [arm_unit, condition, block] = exactly(arm)?;
            let (weight, unit_at) = unit(arm_unit)?;
            let other = self.assembler.label();
            tasks.extend([
                Task::Emit(Op::Unit(weight), unit_at),
                Task::Expression(condition),
                Task::Join(Op::JumpIfFalse(other), unit_at),
                Task::Block(block),
                Task::Emit(Op::Jump(end), at),
                Task::Bind(other),
            ]);
        }
        if tasks.is_empty() {
            return bad(format!("an if without an arm at {}:{}", at.0, at.1));
        }
        if !otherwise.is_null() {
            tasks.push(Task::Block(otherwise));
        }
        tasks.push(Task::Bind(end));
        self.tasks.extend(tasks.into_iter().rev());
        Ok(())
    }
}

/// The operation of `op=` at its own place.
fn augmented<'a>(op: &Value, op_place: &Value) -> Checked<Task<'a>> {
    let op = named_operator(op)?;
    match op {
        Op2::Add | Op2::Subtract | Op2::Multiply | Op2::Union => Ok(Task::Emit(Op::Binary(op), place(op_place)?)),
        _ => bad(format!("no operator {}=", op.name())),
    }
}
