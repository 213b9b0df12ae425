//! The machine: runs the operations of a loaded program over one stack of slots and operands, without recursion.

use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};

use crate::arguments::check_arity;
use crate::code::{Code, Kind, Op};
use crate::context::Context;
use crate::failure::{At, Halt, Stop, engine_bug, fail, shown_text};
use crate::loops::Loop;
use crate::stack::{grow, nothing, push, push_copy};
use crate::value::Value;

thread_local! {
    /// Lets every run of this thread panic: a test's proof that no panic leaves the engine.
    pub static PANIC: Cell<bool> = const { Cell::new(false) };
}

/// A call of a function that is going on.
struct Frame {
    function: usize,
    /// Where its slots start on the stack.
    base: usize,
    /// The operation to go on with when it returns.
    back: usize,
    /// How many loops were going on when it was called.
    loops: usize,
}

pub struct Machine<'p> {
    pub code: &'p Code,
    pub context: Context,
    pub(crate) stack: Vec<Value>,
    frames: Vec<Frame>,
    pub(crate) loops: Vec<Loop>,
    /// Where the lists that are being gathered start on the stack.
    pub(crate) gathers: Vec<usize>,
    /// The operation that is running.
    pub(crate) at: usize,
    /// During an `apply`: the state before it, which is also the run's first argument. A failure leaves it as it was.
    pub before: Value,
    /// See `PANIC`.
    panics: bool,
}

thread_local! {
    /// The emptied stacks of the last machine of this thread: a run of a few operations would spend more time on making them than on itself.
    static SPARE: Cell<Option<(Vec<Value>, Vec<Frame>)>> = const { Cell::new(None) };
}

/// Larger stacks are not kept.
const SPARE_SLOTS: usize = 1024;

impl Drop for Machine<'_> {
    fn drop(&mut self) {
        let (mut stack, mut frames) = (std::mem::take(&mut self.stack), std::mem::take(&mut self.frames));
        stack.clear();
        frames.clear();
        if stack.capacity() <= SPARE_SLOTS {
            // the thread may be ending: then there is nothing to keep them for
            let _ = SPARE.try_with(|spare| spare.set(Some((stack, frames))));
        }
    }
}

impl<'p> Machine<'p> {
    pub fn new(code: &'p Code) -> Machine<'p> {
        let spare = SPARE.try_with(Cell::take).ok().flatten();
        let (stack, frames) = spare.unwrap_or_else(|| (Vec::with_capacity(64), Vec::with_capacity(8)));
        Machine {
            code,
            context: Context::new(code.kind == Kind::Filter),
            stack,
            frames,
            loops: Vec::new(),
            gathers: Vec::new(),
            at: 0,
            before: Value::Null,
            panics: PANIC.get(),
        }
    }

    /// Run a function with a new counter of gas. Arguments that it does not declare are left out.
    #[inline(always)]
    pub fn run(&mut self, function: usize, arguments: [Value; 3], gas: u64) -> Result<Value, Halt> {
        let declared = self.code.functions[function].params;
        let [first, second, third] = arguments;
        if declared > 0 {
            self.stack.push(first)
        } else {
            first.discard()
        }
        if declared > 1 {
            self.stack.push(second)
        } else {
            second.discard()
        }
        if declared > 2 {
            self.stack.push(third)
        } else {
            third.discard()
        }
        self.start(function, gas)
    }

    /// As `run`, the arguments are on the stack.
    pub(crate) fn start(&mut self, function: usize, gas: u64) -> Result<Value, Halt> {
        self.context.begin(gas);
        self.enter(function, 0, 0);
        // the run leaves nothing half done behind: what it made is dropped, what it was given is frozen
        let result = panic::catch_unwind(AssertUnwindSafe(|| {
            assert!(!self.panics, "asked for by a test");
            self.go()
        }));
        match result {
            Ok(Ok(value)) => {
                self.context.end(Some(&value));
                Ok(value)
            }
            Ok(Err(halt)) => Err(self.abandon(halt)),
            Err(_) => Err(self.abandon(engine_bug())),
        }
    }

    /// The function that is running is the one that `run` was asked for.
    pub(crate) fn is_outermost(&self) -> bool {
        self.frames.len() == 1
    }

    /// Say where a failure stands, and drop what the run left.
    #[cold]
    fn abandon(&mut self, mut halt: Halt) -> Halt {
        if let Stop::Failure(failure) = &mut *halt {
            if failure.at == At::Operation {
                let (line, column) = self.code.places[self.at];
                failure.at = At::Place(line, column);
            }
            if self.code.kind == Kind::Program {
                failure.function = self.frames.last().map(|frame| self.code.functions[frame.function].name.clone());
            }
        }
        self.frames.clear();
        self.loops.clear();
        self.gathers.clear();
        self.stack.clear();
        self.context.end(None);
        halt
    }

    /// The arguments are on the stack: make room for the other slots.
    #[inline]
    fn enter(&mut self, function: usize, base: usize, back: usize) -> usize {
        let callee = &self.code.functions[function];
        let end = base + callee.locals.len();
        if end > self.stack.capacity() {
            grow(&mut self.stack);
        }
        // at most 64 slots
        self.stack.resize_with(end, || Value::Unbound);
        self.frames.push(Frame { function, base, back, loops: self.loops.len() });
        callee.entry
    }

    #[inline(always)]
    pub(crate) fn pop(&mut self) -> Value {
        match self.stack.pop() {
            Some(value) => value,
            None => nothing(),
        }
    }

    /// Drop what stands from `length` on.
    #[inline]
    pub(crate) fn discard_to(&mut self, length: usize) {
        let end = self.stack.len();
        if length >= end {
            return;
        }
        // SAFETY: shorter than it is; what stood behind is taken out, each value once, and a drop does not look at the stack
        unsafe {
            self.stack.set_len(length);
            let stack = self.stack.as_ptr();
            for at in length..end {
                std::ptr::read(stack.add(at)).discard();
            }
        }
    }

    fn go(&mut self) -> Result<Value, Halt> {
        let code = self.code;
        let (mut base, mut pc) = match self.frames.last() {
            Some(frame) => (frame.base, code.functions[frame.function].entry),
            None => (0, 0),
        };
        let ops = code.ops.as_ptr();
        loop {
            self.at = pc;
            debug_assert!(pc < code.ops.len());
            // SAFETY: the last operation of every function is a `Return`, and all labels that are jumped to are bound before it
            let op = unsafe { ops.add(pc) };
            pc += 1;
            // SAFETY: as above
            match unsafe { *op } {
                Op::Unit(weight) => self.context.charge(u64::from(weight))?,
                Op::Constant(index) => push_copy(&mut self.stack, &code.constants[index as usize]),
                Op::Local(slot) => self.push_local(slot, base)?,
                Op::LocalField { slot, site } => self.push_local_field(slot, site, base)?,
                Op::Field(site) => self.field(site)?,
                Op::Binary(op) => {
                    if !self.integers_in_place(op) {
                        self.binary(op)?;
                    }
                }
                Op::BinaryConstant { op, constant } => {
                    if !self.integer_in_place(op, &code.constants[constant as usize]) {
                        self.binary_constant(op, constant)?;
                    }
                }
                Op::Pair(index) => self.pair(index, base)?,
                Op::PairJump { pair, to } => {
                    if !self.pair_holds(pair, base)? {
                        pc = to as usize;
                    }
                }
                Op::LocalJump { slot, to } => match &self.stack[base + usize::from(slot)] {
                    Value::Unbound => return Err(self.unbound(slot.into())),
                    value if value.is_true() => {}
                    _ => pc = to as usize,
                },
                Op::SetUnit { slot, weight } => {
                    self.set_local(slot.into(), base);
                    self.context.charge(u64::from(weight))?;
                }
                Op::IsText { constant, negated } => self.is_text_in_place(constant, negated)?,
                Op::Test(index) => pc = self.test(index, base)?,
                Op::Not => {
                    if let Some(top) = self.stack.last_mut() {
                        let value = Value::Bool(!top.is_true());
                        std::mem::replace(top, value).discard();
                    }
                }
                Op::JumpIfFalse(to) => {
                    let value = self.pop();
                    if !value.is_true() {
                        pc = to as usize;
                    }
                    value.discard();
                }
                Op::And(to) => {
                    if self.stack.last().is_some_and(Value::is_true) {
                        self.pop().discard();
                    } else {
                        pc = to as usize;
                    }
                }
                Op::Or(to) => {
                    if self.stack.last().is_some_and(Value::is_true) {
                        pc = to as usize;
                    } else {
                        self.pop().discard();
                    }
                }
                Op::Jump(to) => pc = to as usize,
                Op::Next(round) => {
                    let round = &code.rounds[round as usize];
                    if !self.next_round(round, base)? {
                        pc = round.exit as usize;
                    }
                }
                Op::Whole(index) => pc = self.whole(index, base),
                Op::Each(index) => pc = self.each(index, base),
                Op::Append => self.append_element()?,
                Op::SetLocal(slot) => self.set_local(slot, base),
                Op::Call { function, count } => {
                    let callee = &code.functions[function as usize];
                    let count = count as usize;
                    if count != callee.params {
                        check_arity("arity.function", &callee.name, (callee.params, callee.params), count)?;
                    }
                    base = self.stack.len() - count;
                    pc = self.enter(function as usize, base, pc);
                }
                Op::Return => {
                    let Some(frame) = self.frames.pop() else { return Ok(self.pop()) };
                    self.leave(&frame);
                    let Some(caller) = self.frames.last() else { return Ok(self.pop()) };
                    base = caller.base;
                    pc = frame.back;
                }
                Op::Pop => self.pop().discard(),
                Op::Map(shape) => self.make_map(shape),
                Op::Merge(shape) => self.merge(shape)?,
                Op::ReturnMerged { slot, shape } => self.merge_into_slot(base + usize::from(slot), shape)?,
                Op::Function(call) => self.call_function(call)?,
                Op::Method(call) => self.call_method(call)?,
                Op::Get(call) => {
                    if !self.get_in_place() {
                        self.call_method(call)?;
                    }
                }
                Op::AppendTo(call) => {
                    if !self.append_in_place() {
                        self.call_method(call)?;
                    }
                }
                Op::Iterate => self.start_loop()?,
                Op::Gather => self.gathers.push(self.stack.len()),
                Op::Gathered => self.gathered(),
                Op::Reduce(reduction) => self.reduce(reduction)?,
                Op::Unbind(slots) => self.unbind(slots, base),
                Op::Free(site) => self.push_free(site, base),
                Op::FreeBinary { site, op, constant } => self.free_binary(site, op, constant, base)?,
                Op::FreeAnd { condition, end } => {
                    if !self.free_and(&code.conditions[condition as usize], base)? {
                        pc = end as usize;
                    }
                }
                Op::FreeField { outer, inner } => self.push_free_field(outer, inner, base)?,
                Op::UnitLocal { slot, weight } => {
                    self.context.charge(u64::from(weight))?;
                    self.at = pc;
                    pc += 1;
                    self.push_local(slot.into(), base)?;
                }
                Op::UnitField { slot, site, weight } => {
                    self.context.charge(u64::from(weight))?;
                    self.at = pc;
                    pc += 1;
                    self.push_local_field(slot, site, base)?;
                }
                Op::UnitWhole { whole, weight } => {
                    self.context.charge(u64::from(weight))?;
                    self.at = pc;
                    pc = self.whole(whole, base);
                }
                Op::SetUnitLocal { slot, local, weight } => {
                    self.set_local(slot.into(), base);
                    self.context.charge(u64::from(weight))?;
                    self.at = pc;
                    pc += 1;
                    self.push_local(local.into(), base)?;
                }
                Op::Locals { slot, second } => {
                    self.push_local(slot.into(), base)?;
                    self.at = pc;
                    pc += 1;
                    self.push_local(second.into(), base)?;
                }
                Op::LocalAndField { first, slot, site } => {
                    self.push_local(first.into(), base)?;
                    self.at = pc;
                    pc += 1;
                    self.push_local_field(slot, site, base)?;
                }
                Op::Index
                | Op::Slice { .. }
                | Op::Negate
                | Op::List(_)
                | Op::ComputedMap(_)
                | Op::NewMap
                | Op::Put(_)
                | Op::Leave
                | Op::SetField(_)
                | Op::SetIndex
                | Op::ReadField(_)
                | Op::ReadIndex
                | Op::StoreField(_)
                | Op::StoreIndex
                | Op::Unpack(_) => self.seldom(code.ops[self.at], base)?,
            }
        }
    }

    /// The value on top is that of a function: its slots go.
    #[inline]
    fn leave(&mut self, frame: &Frame) {
        if self.loops.len() > frame.loops {
            self.loops.truncate(frame.loops);
        }
        let value = self.pop();
        self.discard_to(frame.base);
        push(&mut self.stack, value);
    }

    #[cold]
    pub(crate) fn unbound(&self, slot: u32) -> Halt {
        let function = self.frames.last().map_or(0, |frame| frame.function);
        let name = self.code.functions[function].locals[slot as usize].as_str();
        fail("value.unbound").with("name", shown_text(name)).into()
    }
}
