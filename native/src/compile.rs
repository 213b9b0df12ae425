//! IR to operations. No recursion: what is left to do stands on a list of tasks, so that neither a chain of 20,000 operators nor a forged IR
//! needs a deep stack.

use crate::assembler::{Assembler, Label};
use crate::builtins::{function_named, method_named};
use crate::code::{CallSite, Op, Place, Shape};
use crate::comprehensions::Element;
use crate::ir::{BadIr, Checked, bad, exactly, integer, name, parts, place, sequence, text, unit};
use crate::iterables::Reduction;
use crate::number_text::from_text;
use crate::operators::Op2;
use crate::text::Str;
use crate::value::{MAX_KEY, Value};

/// Deeper than any IR of the compiler, which allows a nesting of 64 in the source.
const MAX_NESTING: usize = 200;

/// What is left to do.
pub enum Task<'a> {
    Expression(&'a Value),
    /// An expression that is the left operand of the one around it: chains of those do not nest.
    Left(&'a Value),
    /// The expression or block that was begun last is done.
    Done,
    Block(&'a Value),
    Statement(&'a Value),
    Emit(Op, Place),
    /// As `Emit`, and may be joined with what stands before.
    Join(Op, Place),
    Bind(Label),
    /// The loop whose body follows: where `continue` and `break` go.
    EnterLoop(Label, Label),
    LeaveLoop,
}

/// Compiles one function, const or expression.
pub struct Compiler<'a> {
    pub assembler: &'a mut Assembler,
    /// Number of slots.
    pub slots: u32,
    /// Slots below are parameters.
    pub bound: u32,
    /// Functions that may be called.
    pub callable: &'a [Value],
    /// Where the values of the consts stand among the constants.
    pub consts: &'a [u32],
    /// Free names are allowed.
    pub free: bool,
    /// A `return` of this function ends the run: it is `apply`.
    pub is_apply: bool,
    level: usize,
    pub(crate) tasks: Vec<Task<'a>>,
    pub(crate) loops: Vec<(Label, Label)>,
}

impl<'a> Compiler<'a> {
    pub fn new(
        assembler: &'a mut Assembler,
        slots: u32,
        bound: u32,
        callable: &'a [Value],
        consts: &'a [u32],
    ) -> Compiler<'a> {
        Compiler {
            assembler,
            slots,
            bound,
            callable,
            consts,
            free: false,
            is_apply: false,
            level: 0,
            tasks: Vec::new(),
            loops: Vec::new(),
        }
    }

    pub fn compile(&mut self, first: Task<'a>) -> Checked<()> {
        self.tasks.push(first);
        while let Some(task) = self.tasks.pop() {
            match task {
                Task::Expression(node) => {
                    self.nest()?;
                    self.expression(node)?;
                }
                Task::Left(node) => self.expression(node)?,
                Task::Done => self.level -= 1,
                Task::Block(node) => {
                    self.nest()?;
                    let statements = sequence(node)?;
                    if statements.is_empty() {
                        return bad("an empty block");
                    }
                    self.tasks.extend(statements.iter().rev().map(Task::Statement));
                }
                Task::Statement(node) => self.statement(node)?,
                Task::Emit(op, place) => self.assembler.emit(op, place),
                Task::Join(op, place) => self.assembler.join(op, place),
                Task::Bind(label) => self.assembler.bind(label),
                Task::EnterLoop(next, exit) => self.loops.push((next, exit)),
                Task::LeaveLoop => drop(self.loops.pop()),
            }
        }
        Ok(())
    }

    /// One level deeper, until the tasks that follow are done.
    fn nest(&mut self) -> Checked<()> {
        self.level += 1;
        self.tasks.push(Task::Done);
        if self.level > MAX_NESTING { bad("nested too deep") } else { Ok(()) }
    }

    /// Do these in this order, before all else.
    pub(crate) fn then<const N: usize>(&mut self, tasks: [Task<'a>; N]) {
        self.tasks.extend(tasks.into_iter().rev());
    }

    fn expression(&mut self, node: &'a Value) -> Checked<()> {
        let (tag, at, rest) = parts(node)?;
        match (tag, rest) {
            ("null", []) => self.constant(Value::Null, at),
            ("true", []) => self.constant(Value::Bool(true), at),
            ("false", []) => self.constant(Value::Bool(false), at),
            ("num", [digits]) => {
                let value = number(name(digits)?)?;
                self.constant(value, at);
            }
            ("str", [value]) => {
                let value = text(value)?;
                self.constant(value.into(), at);
            }
            ("local", [slot]) => {
                let slot = self.slot(slot)?;
                self.assembler.emit(Op::Local(slot.into()), at);
            }
            ("const", [index]) => {
                let index = integer(index)?;
                let Some(&constant) = self.consts.get(index as usize) else { return bad(format!("no const {index}")) };
                self.assembler.emit(Op::Constant(constant), at);
            }
            ("free", [free]) if self.free => {
                let site = self.site(free)?;
                self.assembler.emit(Op::Free(site), at);
            }
            ("field", [target, field]) => {
                let site = self.site(field)?;
                self.then([Task::Left(target), Task::Join(Op::Field(site), at)]);
            }
            ("index", [target, key]) => {
                self.then([Task::Left(target), Task::Expression(key), Task::Emit(Op::Index, at)]);
            }
            ("slice", [target, start, stop]) => self.slice(target, start, stop, at),
            ("bin", [op, left, right]) => {
                let op = named_operator(op)?;
                if let (Op2::Union, ("map", _, [rows])) = (op, parts(right)?) {
                    let rows = sequence(rows)?;
                    if let Some(shape) = self.shape(rows)? {
                        self.tasks.push(Task::Emit(Op::Merge(shape), at));
                        self.tasks.extend(literal_values(rows).rev().map(Task::Expression));
                        self.tasks.push(Task::Left(left));
                        return Ok(());
                    }
                }
                self.then([Task::Left(left), Task::Expression(right), Task::Join(Op::Binary(op), at)]);
            }
            ("and" | "or", [left, right_unit, right]) => {
                let (weight, unit_at) = unit(right_unit)?;
                let end = self.assembler.label();
                let jump = if tag == "and" { Op::And(end) } else { Op::Or(end) };
                self.then([
                    Task::Left(left),
                    Task::Join(jump, at),
                    Task::Emit(Op::Unit(weight), unit_at),
                    Task::Expression(right),
                    Task::Bind(end),
                ]);
            }
            ("not", [operand]) => self.then([Task::Expression(operand), Task::Emit(Op::Not, at)]),
            ("neg", [operand]) => match negative(operand)? {
                Some(value) => self.constant(Value::Int(value), at),
                None => self.then([Task::Expression(operand), Task::Emit(Op::Negate, at)]),
            },
            ("if", [condition, then_unit, then, else_unit, otherwise]) => {
                let ((then_weight, then_at), (else_weight, else_at)) = (unit(then_unit)?, unit(else_unit)?);
                let (other, end) = (self.assembler.label(), self.assembler.label());
                self.then([
                    Task::Expression(condition),
                    Task::Join(Op::JumpIfFalse(other), at),
                    Task::Emit(Op::Unit(then_weight), then_at),
                    Task::Expression(then),
                    Task::Emit(Op::Jump(end), at),
                    Task::Bind(other),
                    Task::Emit(Op::Unit(else_weight), else_at),
                    Task::Expression(otherwise),
                    Task::Bind(end),
                ]);
            }
            ("list", [elements]) => {
                let elements = sequence(elements)?;
                self.tasks.push(Task::Emit(Op::List(elements.len() as u32), at));
                self.tasks.extend(elements.iter().rev().map(Task::Expression));
            }
            ("map", [rows]) => self.map(rows, at)?,
            ("lcomp", [slots, clauses, element_unit, element]) => {
                self.tasks.push(Task::Emit(Op::Gathered, at));
                self.comprehension(slots, clauses, at, element_unit, Element::Item(element))?;
            }
            ("mcomp", [slots, clauses, element_unit, key, value]) => {
                self.comprehension(slots, clauses, at, element_unit, Element::Entry(key, value))?;
            }
            ("call", [function, arguments]) => {
                let (function, arguments) = (integer(function)?, sequence(arguments)?);
                if function as usize >= self.callable.len() {
                    return bad(format!("a call of function {function}, only {} stand above", self.callable.len()));
                }
                let count = arguments.len() as u32;
                self.tasks.push(Task::Emit(Op::Call { function, count }, at));
                self.tasks.extend(arguments.iter().rev().map(Task::Expression));
            }
            ("fn", [function, arguments, keywords]) => {
                if let Some((reduction, list_at, [slots, clauses, element_unit, element])) =
                    reduced(function, arguments, keywords)?
                {
                    self.tasks.push(Task::Emit(Op::Reduce(reduction), at));
                    return self.comprehension(slots, clauses, list_at, element_unit, Element::Item(element));
                }
                let names = self.keyword_names(keywords)?;
                let Some(index) = function_named(name(function)?, names.iter().map(Str::as_str)) else {
                    return bad(format!("no function {:.80} with these keywords", name(function)?));
                };
                self.call(Op::Function, index, arguments, keywords, names, at)?;
            }
            ("method", [receiver, method, arguments, keywords]) => {
                let names = self.keyword_names(keywords)?;
                let Some(index) = method_named(name(method)?, !names.is_empty()) else {
                    return bad(format!("no method {:.80} with these keywords", name(method)?));
                };
                let op = match (name(method)?, sequence(arguments)?.len()) {
                    ("get", 2) if names.is_empty() => Op::Get,
                    ("append", 1) if names.is_empty() => Op::AppendTo,
                    _ => Op::Method,
                };
                self.call(op, index, arguments, keywords, names, at)?;
                self.tasks.push(Task::Left(receiver));
            }
            _ => return bad(format!("unknown or malformed expression {tag:.80} at {}:{}", at.0, at.1)),
        }
        Ok(())
    }

    fn constant(&mut self, value: Value, at: Place) {
        let constant = self.assembler.constant(value);
        self.assembler.emit(Op::Constant(constant), at);
    }

    pub(crate) fn site(&mut self, field: &Value) -> Checked<u32> {
        Ok(self.assembler.site(text(field)?))
    }

    pub(crate) fn slot(&self, slot: &Value) -> Checked<u16> {
        let slot = integer(slot)?;
        if slot >= self.slots {
            return bad(format!("slot {slot} of {}", self.slots));
        }
        Ok(slot as u16)
    }

    pub(crate) fn slots(&self, slots: &Value) -> Checked<Box<[u16]>> {
        match sequence(slots)? {
            [] => bad("no slot to assign to"),
            slots => slots.iter().map(|slot| self.slot(slot)).collect(),
        }
    }

    fn slice(&mut self, target: &'a Value, start: &'a Value, stop: &'a Value, at: Place) {
        let op = Op::Slice { start: !start.is_null(), stop: !stop.is_null() };
        self.tasks.push(Task::Emit(op, at));
        self.tasks.extend([stop, start].into_iter().filter(|bound| !bound.is_null()).map(Task::Expression));
        self.tasks.push(Task::Left(target));
    }

    /// The shape of a map literal whose keys are all written as strings, each once; None for another one.
    pub(crate) fn shape(&mut self, rows: &'a [Value]) -> Checked<Option<u32>> {
        let mut keys: Vec<(Str, u16)> = Vec::with_capacity(rows.len());
        for (row, node) in rows.iter().enumerate() {
            let [key_place, key, _] = exactly(node)?;
            place(key_place)?;
            match parts(key)? {
                ("str", _, [key]) if row < usize::from(u16::MAX) => keys.push((text(key)?, row as u16)),
                _ => return Ok(None),
            }
        }
        keys.sort();
        let twice = keys.windows(2).any(|pair| pair[0].0 == pair[1].0);
        if twice || keys.iter().any(|key| key.0.length() > MAX_KEY) {
            return Ok(None);
        }
        let (keys, order): (Vec<_>, Vec<_>) = keys.into_iter().unzip();
        self.assembler.code.shapes.push(Shape { keys: keys.into(), order: order.into() });
        Ok(Some(self.assembler.code.shapes.len() as u32 - 1))
    }

    fn map(&mut self, rows: &'a Value, at: Place) -> Checked<()> {
        let rows = sequence(rows)?;
        if let Some(shape) = self.shape(rows)? {
            self.tasks.push(Task::Emit(Op::Map(shape), at));
            self.tasks.extend(literal_values(rows).rev().map(Task::Expression));
            return Ok(());
        }
        let mut computed = Vec::with_capacity(rows.len());
        let mut tasks = Vec::with_capacity(2 * rows.len());
        for node in rows {
            let [key_place, key, value] = exactly(node)?;
            computed.push((place(key_place)?, parts(key)?.0 != "str"));
            tasks.extend([Task::Expression(key), Task::Expression(value)]);
        }
        self.assembler.code.computed.push(computed.into());
        self.tasks.push(Task::Emit(Op::ComputedMap(self.assembler.code.computed.len() as u32 - 1), at));
        self.tasks.extend(tasks.into_iter().rev());
        Ok(())
    }

    fn keyword_names(&self, keywords: &Value) -> Checked<Vec<Str>> {
        let mut names = Vec::new();
        for keyword in sequence(keywords)? {
            let [keyword, _] = exactly(keyword)?;
            names.push(text(keyword)?);
        }
        let twice = names.iter().enumerate().any(|(index, keyword)| names[..index].contains(keyword));
        if twice { bad("a keyword stands twice") } else { Ok(names) }
    }

    fn call(
        &mut self,
        op: fn(u32) -> Op,
        index: usize,
        arguments: &'a Value,
        keywords: &'a Value,
        names: Vec<Str>,
        at: Place,
    ) -> Checked<()> {
        let arguments = sequence(arguments)?;
        let site = CallSite { index, positional: arguments.len(), names: names.into() };
        self.assembler.code.calls.push(site);
        self.tasks.push(Task::Emit(op(self.assembler.code.calls.len() as u32 - 1), at));
        let given = sequence(keywords)?.iter().filter_map(|keyword| sequence(keyword).ok()?.get(1));
        self.tasks.extend(given.rev().map(Task::Expression));
        self.tasks.extend(arguments.iter().rev().map(Task::Expression));
        Ok(())
    }
}

/// A function of a list comprehension alone, of which no list needs to be made: which one, place and operands of the comprehension.
fn reduced<'a>(
    function: &Value,
    arguments: &'a Value,
    keywords: &Value,
) -> Checked<Option<(Reduction, Place, &'a [Value; 4])>> {
    let ([argument], []) = (sequence(arguments)?, sequence(keywords)?) else { return Ok(None) };
    let ("lcomp", at, operands) = parts(argument)? else { return Ok(None) };
    let reduction = Reduction::named(name(function)?);
    Ok(reduction.and_then(|reduction| Some((reduction, at, operands.try_into().ok()?))))
}

/// The values of a map literal whose rows are checked.
pub(crate) fn literal_values(rows: &[Value]) -> impl DoubleEndedIterator<Item = &Value> {
    rows.iter().filter_map(|row| sequence(row).ok()?.get(2))
}

pub(crate) fn named_operator(node: &Value) -> Checked<Op2> {
    let op = name(node)?;
    Op2::named(op).ok_or_else(|| BadIr(format!("unknown operator {op:.80}")))
}

/// The negative of an integer that is written out, which costs nothing.
fn negative(operand: &Value) -> Checked<Option<i64>> {
    let ("num", _, [digits]) = parts(operand)? else { return Ok(None) };
    match number(name(digits)?)? {
        Value::Int(value) => Ok(value.checked_neg()),
        _ => Ok(None),
    }
}

pub(crate) fn number(digits: &str) -> Checked<Value> {
    let unsigned = digits.strip_prefix('-').unwrap_or(digits);
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, "0"));
    let sound = [whole, fraction].iter().all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()));
    if !sound {
        return bad(format!("not a number: {digits:.80}"));
    }
    from_text(digits.as_bytes()).map(Value::from).map_err(|_| BadIr(format!("not a number: {digits:.80}")))
}
