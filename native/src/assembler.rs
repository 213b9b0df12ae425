//! Puts operations one after the other: labels for jumps, tables, and the joining of operations that often stand together.

use std::sync::atomic::AtomicU32;

use crate::brief::Operand;
use crate::code::{Code, Condition, Op, Pair, Place, Site, Test};
use crate::node::FROZEN;
use crate::operators::Op2;
use crate::text::Str;
use crate::value::{List, Value};

/// A place in the code that is not known yet; jumps carry labels until `finish`.
pub type Label = u32;

pub struct Assembler {
    pub code: Code,
    labels: Vec<u32>,
    /// Where the last label stands: operations before it and after it are not joined.
    barrier: usize,
    /// Jumps and tables up to here have their labels replaced.
    finished: (usize, usize, usize, usize),
}

impl Assembler {
    pub fn new(code: Code) -> Assembler {
        Assembler { code, labels: Vec::new(), barrier: 0, finished: (0, 0, 0, 0) }
    }

    pub fn label(&mut self) -> Label {
        self.labels.push(0);
        self.labels.len() as Label - 1
    }

    /// The label stands at the next operation.
    pub fn bind(&mut self, label: Label) {
        self.labels[label as usize] = self.code.ops.len() as u32;
        self.barrier = self.code.ops.len();
    }

    pub fn constant(&mut self, value: Value) -> u32 {
        self.code.constants.push(value);
        self.code.constants.len() as u32 - 1
    }

    pub fn site(&mut self, name: Str) -> u32 {
        self.code.sites.push(Site { name, hint: AtomicU32::new(0), local: (0, 0) });
        self.code.sites.len() as u32 - 1
    }

    pub fn emit(&mut self, op: Op, place: Place) {
        self.code.ops.push(op);
        self.code.places.push(place);
    }

    /// As `emit`, where the operation may be joined with the ones before it.
    pub fn join(&mut self, op: Op, place: Place) {
        if let Op::Binary(Op2::In | Op2::NotIn) = op {
            self.fold_list();
        }
        let open = self.code.ops.len() - self.barrier;
        let tail = &self.code.ops[self.code.ops.len() - open.min(3)..];
        match (tail, op) {
            ([.., Op::Local(slot)], Op::Field(site)) => {
                let slot = *slot as u16;
                let local = self.code.places.last().copied().unwrap_or_default();
                self.code.sites[site as usize].local = local;
                self.replace(1, Op::LocalField { slot, site }, place);
            }
            ([.., Op::Free(outer)], Op::Field(inner)) => {
                let outer = *outer;
                self.replace(1, Op::FreeField { outer, inner }, place);
            }
            ([.., Op::Free(site), Op::Constant(constant)], Op::Binary(op)) => {
                let (site, constant) = (*site, *constant);
                self.replace(2, Op::FreeBinary { site, op, constant }, place);
            }
            ([.., Op::Constant(constant)], Op::Binary(op @ (Op2::Equal | Op2::Differs)))
                if self.code.constants[*constant as usize].as_str().is_some() =>
            {
                let (constant, negated) = (*constant, op == Op2::Differs);
                self.replace(1, Op::IsText { constant, negated }, place);
            }
            ([.., left, right], Op::Binary(op)) if operand(*left).is_some() && operand(*right).is_some() => {
                let places = &self.code.places[self.code.places.len() - 2..];
                if let (Some(left), Some(right)) = (operand(*left), operand(*right)) {
                    self.code.pairs.push(Pair { op, left: (left, places[0]), right: (right, places[1]) });
                    self.replace(2, Op::Pair(self.code.pairs.len() as u32 - 1), place);
                }
            }
            ([.., Op::Pair(pair)], Op::JumpIfFalse(to)) => {
                let (pair, at) = (*pair, self.code.places.last().copied().unwrap_or_default());
                self.replace(1, Op::PairJump { pair, to }, at);
            }
            ([.., Op::Local(slot)], Op::JumpIfFalse(to)) => {
                let (slot, at) = (*slot as u16, self.code.places.last().copied().unwrap_or_default());
                self.replace(1, Op::LocalJump { slot, to }, at);
            }
            ([.., Op::SetLocal(slot)], Op::Unit(weight)) => {
                let slot = *slot as u16;
                self.replace(1, Op::SetUnit { slot, weight }, place);
            }
            ([.., Op::FreeBinary { site, op, constant }], Op::And(end)) => {
                let place_of_operator = self.code.places.last().copied().unwrap_or_default();
                let condition = Condition { site: *site, op: *op, constant: *constant, place: place_of_operator };
                self.code.conditions.push(condition);
                let condition = self.code.conditions.len() as u32 - 1;
                self.replace(1, Op::FreeAnd { condition, end }, place);
            }
            ([.., Op::Constant(constant)], Op::Binary(op)) => {
                let constant = *constant;
                self.replace(1, Op::BinaryConstant { op, constant }, place);
            }
            (
                [Op::Unit(weight), Op::LocalField { slot, site }, Op::IsText { constant, negated }],
                Op::JumpIfFalse(exit),
            ) => {
                let places = &self.code.places[self.code.places.len() - 3..];
                let (unit_place, field_place, place) = (places[0], places[1], places[2]);
                self.code.tests.push(Test {
                    weight: *weight,
                    unit_place,
                    slot: *slot,
                    site: *site,
                    constant: *constant,
                    field_place,
                    negated: *negated,
                    exit,
                    at: self.code.ops.len() as u32 - 3,
                    next: None,
                });
                self.replace(3, Op::Test(self.code.tests.len() as u32 - 1), place);
            }
            _ => self.emit(op, place),
        }
    }

    /// A list of constants that only `in` looks at is made once.
    fn fold_list(&mut self) {
        let Some(Op::List(count)) = self.code.ops.last() else { return };
        let (count, open) = (*count as usize, self.code.ops.len() - self.barrier);
        let Some(first) = open.checked_sub(count + 1).map(|_| self.code.ops.len() - count - 1) else { return };
        let items: Option<Vec<Value>> = self.code.ops[first..first + count]
            .iter()
            .map(|op| match op {
                Op::Constant(index) => Some(self.code.constants[*index as usize].clone()),
                _ => None,
            })
            .collect();
        if let Some(items) = items {
            let constant = self.constant(List::create(items, FROZEN));
            let place = self.code.places[first + count];
            self.replace(count + 1, Op::Constant(constant), place);
        }
    }

    /// Put one operation in the place of the last few.
    fn replace(&mut self, count: usize, op: Op, place: Place) {
        let length = self.code.ops.len() - count;
        self.code.ops.truncate(length);
        self.code.places.truncate(length);
        self.emit(op, place);
    }

    /// The test at the exit of this one, where both look at the same field of a local, which cannot change in between.
    fn chained(&self, test: &Test) -> Option<u32> {
        let Some(Op::Test(next)) = self.code.ops.get(test.exit as usize) else { return None };
        let name = |test: &Test| &self.code.sites[test.site as usize].name;
        let found = &self.code.tests[*next as usize];
        (found.slot == test.slot && name(found) == name(test)).then_some(*next)
    }

    /// Operations that often follow each other are done in one step. The second one stays for who jumps to it, and for its place.
    fn couple(&mut self, first: usize) {
        let mut at = first;
        while at + 1 < self.code.ops.len() {
            let both = match (self.code.ops[at], self.code.ops[at + 1]) {
                (Op::Unit(weight), Op::Local(slot)) => Op::UnitLocal { slot: slot as u16, weight },
                (Op::Unit(weight), Op::LocalField { slot, site }) => Op::UnitField { slot, site, weight },
                (Op::Unit(weight), Op::Whole(whole)) => Op::UnitWhole { whole, weight },
                (Op::SetUnit { slot, weight }, Op::Local(local)) => {
                    Op::SetUnitLocal { slot, local: local as u16, weight }
                }
                (Op::Local(slot), Op::Local(second)) => Op::Locals { slot: slot as u16, second: second as u16 },
                (Op::Local(first), Op::LocalField { slot, site }) => {
                    Op::LocalAndField { first: first as u16, slot, site }
                }
                _ => {
                    at += 1;
                    continue;
                }
            };
            self.code.ops[at] = both;
            at += 2;
        }
    }

    /// All labels are bound: write where they stand into the jumps.
    pub fn finish(&mut self) {
        let (ops, rounds, tests, wholes) = self.finished;
        for op in &mut self.code.ops[ops..] {
            match op {
                Op::Jump(to) | Op::JumpIfFalse(to) | Op::And(to) | Op::Or(to) => *to = self.labels[*to as usize],
                Op::FreeAnd { end: to, .. } | Op::PairJump { to, .. } | Op::LocalJump { to, .. } => {
                    *to = self.labels[*to as usize];
                }
                _ => {}
            }
        }
        self.couple(ops);
        for round in &mut self.code.rounds[rounds..] {
            round.exit = self.labels[round.exit as usize];
        }
        for whole in &mut self.code.wholes[wholes..] {
            whole.head = self.labels[whole.head as usize];
        }
        for test in &mut self.code.tests[tests..] {
            test.exit = self.labels[test.exit as usize];
        }
        for index in tests..self.code.tests.len() {
            self.code.tests[index].next = self.chained(&self.code.tests[index]);
        }
        let code = &self.code;
        self.finished = (code.ops.len(), code.rounds.len(), code.tests.len(), code.wholes.len());
        self.barrier = self.code.ops.len();
    }
}

/// An operation that does no more than put this on the stack.
fn operand(op: Op) -> Option<Operand> {
    match op {
        Op::Local(slot) => Some(Operand::Local(slot as u16)),
        Op::LocalField { slot, site } => Some(Operand::Field { slot, site }),
        Op::Constant(constant) => Some(Operand::Constant(constant)),
        _ => None,
    }
}
