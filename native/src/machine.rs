//! The machine: runs the operations of a loaded program over one stack of slots and operands, without recursion.

use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};

use crate::access;
use crate::arguments::{Args, check_arity};
use crate::builtins::{call_function, call_method};
use crate::code::{Code, Kind, Op};
use crate::context::Context;
use crate::failure::{At, Halt, Stop, engine_bug, fail, shown_text};
use crate::loops::Loop;
use crate::operators;
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
    /// The operation that is running.
    at: usize,
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
        self.stack.clear();
        self.context.end(None);
        halt
    }

    /// The arguments are on the stack: make room for the other slots.
    fn enter(&mut self, function: usize, base: usize, back: usize) -> usize {
        let callee = &self.code.functions[function];
        for _ in self.stack.len()..base + callee.locals.len() {
            self.stack.push(Value::Unbound);
        }
        self.frames.push(Frame { function, base, back, loops: self.loops.len() });
        callee.entry
    }

    fn pop(&mut self) -> Value {
        self.stack.pop().unwrap_or(Value::Unbound)
    }

    /// Drop what stands from `length` on.
    #[inline]
    fn discard_to(&mut self, length: usize) {
        while self.stack.len() > length {
            self.pop().discard();
        }
    }

    fn go(&mut self) -> Result<Value, Halt> {
        let code = self.code;
        let (mut base, mut pc) = match self.frames.last() {
            Some(frame) => (frame.base, code.functions[frame.function].entry),
            None => (0, 0),
        };
        loop {
            self.at = pc;
            pc += 1;
            match code.ops[self.at] {
                Op::Unit(weight) => self.context.charge(u64::from(weight))?,
                Op::Constant(index) => self.stack.push(code.constants[index as usize].clone()),
                Op::Local(slot) => {
                    let value = &self.stack[base + slot as usize];
                    if matches!(value, Value::Unbound) {
                        return Err(self.unbound(slot));
                    }
                    let value = value.clone();
                    self.stack.push(value);
                }
                Op::LocalField { slot, site } => self.push_local_field(slot, site, base)?,
                Op::Free(site) => {
                    let site = &code.sites[site as usize];
                    let found = access::member(&self.stack[base], &site.name, &site.hint);
                    let value = found.cloned().unwrap_or(Value::Null);
                    self.stack.push(value);
                }
                Op::FreeBinary { site, op, constant } => {
                    let value = self.free_binary(site, op, constant, base)?;
                    self.stack.push(value);
                }
                Op::FreeField { outer, inner } => {
                    let (outer, inner) = (&code.sites[outer as usize], &code.sites[inner as usize]);
                    let found = access::member(&self.stack[base], &outer.name, &outer.hint).unwrap_or(&Value::Null);
                    let found = access::field_ref(&self.context, found, &inner.name, &inner.hint)?;
                    let value = found.unwrap_or(&Value::Null).clone();
                    self.stack.push(value);
                }
                Op::Field(site) => {
                    let site = &code.sites[site as usize];
                    if let Some(top) = self.stack.last_mut() {
                        let found = access::field_ref(&self.context, top, &site.name, &site.hint)?;
                        let value = found.unwrap_or(&Value::Null).clone();
                        std::mem::replace(top, value).discard();
                    }
                }
                Op::Index => {
                    let key = self.pop();
                    let container = self.pop();
                    let value = access::index(&mut self.context, &container, &key)?;
                    container.discard();
                    key.discard();
                    self.stack.push(value);
                }
                Op::Slice { start, stop } => {
                    let stop = stop.then(|| self.pop());
                    let start = start.then(|| self.pop());
                    let value = self.pop();
                    let part = access::cut(&mut self.context, &value, start.as_ref(), stop.as_ref())?;
                    self.stack.push(part);
                }
                Op::Binary(op) => {
                    if self.integers_in_place(op) {
                        continue;
                    }
                    let right = self.pop();
                    let left = self.pop();
                    let value = operators::binary(&mut self.context, op, &left, &right)?;
                    left.discard();
                    right.discard();
                    self.stack.push(value);
                }
                Op::BinaryConstant { op, constant } => {
                    let right = &code.constants[constant as usize];
                    if self.integer_in_place(op, right) {
                        continue;
                    }
                    let left = self.pop();
                    let value = operators::binary(&mut self.context, op, &left, right)?;
                    left.discard();
                    self.stack.push(value);
                }
                Op::BinaryFields(index) => {
                    let value = self.binary_fields(&code.fields[index as usize], base)?;
                    self.stack.push(value);
                }
                Op::IsText { constant, negated } => {
                    let left = self.pop();
                    let holds = self.is_text(&left, constant)? != negated;
                    left.discard();
                    self.stack.push(Value::Bool(holds));
                }
                Op::Test(index) => {
                    let test = &code.tests[index as usize];
                    if !self.test(test, base)? {
                        pc = test.exit as usize;
                    }
                }
                Op::Not => {
                    let value = self.pop();
                    self.stack.push(Value::Bool(!value.is_true()));
                }
                Op::Negate => {
                    let value = self.pop();
                    let negated = operators::negate(&mut self.context, &value)?;
                    self.stack.push(negated);
                }
                Op::List(count) => {
                    let items = self.stack.split_off(self.stack.len() - count as usize);
                    let list = self.context.list(items);
                    self.stack.push(list);
                }
                Op::Map(shape) => self.make_map(shape),
                Op::ComputedMap(index) => self.make_computed_map(index)?,
                Op::NewList => self.stack.push(self.context.list(Vec::new())),
                Op::NewMap => self.stack.push(self.context.map(crate::map::Entries::new())),
                Op::Append => self.append_element()?,
                Op::Put(place) => self.put_entry(code.key_places[place as usize])?,
                Op::Unbind(slots) => {
                    for &slot in &code.slots[slots as usize] {
                        self.stack[base + usize::from(slot)] = Value::Unbound;
                    }
                }
                Op::Call { function, count } => {
                    let callee = &code.functions[function as usize];
                    let count = count as usize;
                    check_arity("arity.function", &callee.name, (callee.params, callee.params), count)?;
                    base = self.stack.len() - count;
                    pc = self.enter(function as usize, base, pc);
                }
                Op::Function(call) => {
                    let call = &code.calls[call as usize];
                    let first = self.stack.len() - call.positional - call.names.len();
                    let (values, given) = self.stack[first..].split_at(call.positional);
                    let args = Args { values, names: &call.names, given };
                    let value = call_function(&mut self.context, call.index, &args)?;
                    self.discard_to(first);
                    self.stack.push(value);
                }
                Op::Method(call) => {
                    let call = &code.calls[call as usize];
                    let first = self.stack.len() - call.positional - call.names.len();
                    let (below, above) = self.stack.split_at(first);
                    let (values, given) = above.split_at(call.positional);
                    let args = Args { values, names: &call.names, given };
                    let receiver = &below[first - 1];
                    let value = call_method(&mut self.context, call.index, receiver, &args)?;
                    self.discard_to(first - 1);
                    self.stack.push(value);
                }
                Op::Pop => drop(self.pop()),
                Op::Jump(to) => pc = to as usize,
                Op::JumpIfFalse(to) => {
                    if !self.stack.last().is_some_and(Value::is_true) {
                        pc = to as usize;
                    }
                    self.pop().discard();
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
                Op::Iterate => self.start_loop()?,
                Op::Next(round) => {
                    let round = &code.rounds[round as usize];
                    if !self.next_round(round, base)? {
                        pc = round.exit as usize;
                    }
                }
                Op::Leave => drop(self.loops.pop()),
                Op::Return => {
                    let value = self.pop();
                    let Some(frame) = self.frames.pop() else { return Ok(value) };
                    self.loops.truncate(frame.loops);
                    self.discard_to(frame.base);
                    let Some(caller) = self.frames.last() else { return Ok(value) };
                    base = caller.base;
                    pc = frame.back;
                    self.stack.push(value);
                }
                Op::ReturnMerged { slot, shape } => self.merge_into_slot(base + usize::from(slot), shape)?,
                Op::SetLocal(slot) => {
                    let value = self.pop();
                    std::mem::replace(&mut self.stack[base + slot as usize], value).discard();
                }
                Op::SetField(site) => {
                    let target = self.pop();
                    let value = self.pop();
                    access::write_field(&mut self.context, &target, &code.sites[site as usize].name, value)?;
                }
                Op::SetIndex => {
                    let key = self.pop();
                    let target = self.pop();
                    let value = self.pop();
                    access::write_index(&mut self.context, &target, &key, value)?;
                }
                Op::ReadField(site) => {
                    let site = &code.sites[site as usize];
                    let target = &self.stack[self.stack.len() - 1];
                    let found = access::field_ref(&self.context, target, &site.name, &site.hint)?;
                    let value = found.unwrap_or(&Value::Null).clone();
                    self.stack.push(value);
                }
                Op::ReadIndex => {
                    let top = self.stack.len();
                    let (target, key) = (&self.stack[top - 2], &self.stack[top - 1]);
                    let value = access::index(&mut self.context, target, key)?;
                    self.stack.push(value);
                }
                Op::StoreField(site) => {
                    let value = self.pop();
                    let target = self.pop();
                    access::write_field(&mut self.context, &target, &code.sites[site as usize].name, value)?;
                }
                Op::StoreIndex => {
                    let value = self.pop();
                    let key = self.pop();
                    let target = self.pop();
                    access::write_index(&mut self.context, &target, &key, value)?;
                }
                Op::Unpack(slots) => {
                    let value = self.pop();
                    self.unpack(&value, &code.slots[slots as usize], base)?;
                }
            }
        }
    }

    #[cold]
    pub(crate) fn unbound(&self, slot: u32) -> Halt {
        let function = self.frames.last().map_or(0, |frame| frame.function);
        let name = self.code.functions[function].locals[slot as usize].as_str();
        fail("value.unbound").with("name", shown_text(name)).into()
    }
}
