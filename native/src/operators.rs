//! The operators: types, then the charge of what the operands fix, then of what is made, limits, and the work.

use std::cmp::Ordering;

use crate::context::Context;
use crate::failure::{Failure, Halt, fail};
use crate::gas::{WIDE, lookup, made_list, made_map, made_string, read, wide};
use crate::number;
use crate::text::Str;
use crate::value::{List, MAX_LIST, MAX_MAP, MAX_STRING, Value};
use crate::walk::{pair, scalars_equal};
use crate::whole;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op2 {
    Add,
    Subtract,
    Multiply,
    Divide,
    FloorDivide,
    Modulo,
    Union,
    Equal,
    Differs,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    In,
    NotIn,
}

const NAMES: [(&str, Op2); 15] = [
    ("+", Op2::Add),
    ("-", Op2::Subtract),
    ("*", Op2::Multiply),
    ("/", Op2::Divide),
    ("//", Op2::FloorDivide),
    ("%", Op2::Modulo),
    ("|", Op2::Union),
    ("==", Op2::Equal),
    ("!=", Op2::Differs),
    ("<", Op2::Less),
    ("<=", Op2::LessEqual),
    (">", Op2::Greater),
    (">=", Op2::GreaterEqual),
    ("in", Op2::In),
    ("not in", Op2::NotIn),
];

impl Op2 {
    pub fn named(name: &str) -> Option<Op2> {
        NAMES.iter().find(|entry| entry.0 == name).map(|entry| entry.1)
    }

    pub fn name(self) -> &'static str {
        NAMES[self as usize].0
    }
}

/// `x op y` of integers, where that is a bool.
#[inline(always)]
pub fn compared(op: Op2, x: i64, y: i64) -> Option<bool> {
    match op {
        Op2::Less => Some(x < y),
        Op2::LessEqual => Some(x <= y),
        Op2::Greater => Some(x > y),
        Op2::GreaterEqual => Some(x >= y),
        Op2::Equal => Some(x == y),
        Op2::Differs => Some(x != y),
        _ => None,
    }
}

/// `x op y` of integers, where that is one again or a bool, and costs nothing: written as a whole where nothing needs a drop. False where it
/// is not that simple.
#[inline(always)]
pub fn of_integers(slot: &mut Value, op: Op2, x: i64, y: i64) -> bool {
    let value = match op {
        Op2::Add => x.checked_add(y),
        Op2::Subtract => x.checked_sub(y),
        Op2::Multiply => x.checked_mul(y),
        _ => {
            let Some(value) = compared(op, x, y) else { return false };
            whole::boolean(slot, value);
            return true;
        }
    };
    let Some(value) = value else { return false };
    whole::integer(slot, value);
    true
}

/// `a op b`.
#[inline]
pub fn binary(context: &mut Context, op: Op2, a: &Value, b: &Value) -> Result<Value, Halt> {
    if let (Value::Int(x), Value::Int(y)) = (a, b) {
        let mut value = Value::Unbound;
        if of_integers(&mut value, op, *x, *y) {
            return Ok(value);
        }
    }
    full(context, op, a, b)
}

fn full(context: &mut Context, op: Op2, a: &Value, b: &Value) -> Result<Value, Halt> {
    if context.null_safe && (a.is_null() || b.is_null()) {
        match op {
            Op2::Equal | Op2::Differs => {}
            Op2::Less | Op2::LessEqual | Op2::Greater | Op2::GreaterEqual => return Ok(Value::Bool(false)),
            Op2::In | Op2::NotIn if b.is_null() => return Ok(Value::Bool(op == Op2::NotIn)),
            Op2::In | Op2::NotIn => {}
            _ => return Ok(Value::Null),
        }
    }
    match op {
        Op2::Add => add(context, a, b),
        Op2::Multiply => multiply(context, a, b),
        Op2::Subtract | Op2::Divide | Op2::FloorDivide | Op2::Modulo => arithmetic(context, op, a, b),
        Op2::Union => union(context, a, b),
        Op2::Equal => equals(context, a, b).map(Value::Bool),
        Op2::Differs => equals(context, a, b).map(|equal| Value::Bool(!equal)),
        Op2::Less => compare(context, op, a, b).map(|order| Value::Bool(order.is_lt())),
        Op2::LessEqual => compare(context, op, a, b).map(|order| Value::Bool(order.is_le())),
        Op2::Greater => compare(context, op, a, b).map(|order| Value::Bool(order.is_gt())),
        Op2::GreaterEqual => compare(context, op, a, b).map(|order| Value::Bool(order.is_ge())),
        Op2::In => contains(context, a, b).map(Value::Bool),
        Op2::NotIn => contains(context, a, b).map(|found| Value::Bool(!found)),
    }
}

#[cold]
fn wrong(op: Op2, a: &Value, b: &Value) -> Halt {
    let failure = fail("type.binary").with("op", op.name());
    failure.with("left", a.type_name()).with("right", b.type_name()).into()
}

#[cold]
fn overflow(op: Op2) -> Failure {
    fail("overflow.operator").with("op", op.name())
}

fn arithmetic(context: &mut Context, op: Op2, a: &Value, b: &Value) -> Result<Value, Halt> {
    let (Some(x), Some(y)) = (a.number(), b.number()) else { return Err(wrong(op, a, b)) };
    context.charge(if op == Op2::Divide { WIDE } else { wide(a, b) })?;
    if y.is_zero() && matches!(op, Op2::Divide | Op2::FloorDivide | Op2::Modulo) {
        return Err(fail("div_zero.operator").with("op", op.name()).into());
    }
    let result = match op {
        Op2::Add => number::add(x, y),
        Op2::Subtract => number::subtract(x, y),
        Op2::Multiply => number::multiply(x, y),
        Op2::Divide => number::divide(x, y),
        Op2::FloorDivide => number::floor_divide(x, y),
        _ => number::modulo(x, y),
    };
    result.map(Value::from).map_err(|_| overflow(op).into())
}

fn add(context: &mut Context, a: &Value, b: &Value) -> Result<Value, Halt> {
    if let (Some(x), Some(y)) = (a.as_str(), b.as_str()) {
        context.charge(read(a) + read(b))?;
        let length = length(a) + length(b);
        context.charge(made_string(length))?;
        check_string(length)?;
        let mut text = String::with_capacity(x.len() + y.len());
        text.push_str(x);
        text.push_str(y);
        return Ok(Value::text(&text));
    }
    if let (Some(x), Some(y)) = (list_length(a), list_length(b)) {
        context.charge(made_list(x + y))?;
        check_list(x + y)?;
        let mut items = Vec::with_capacity((x + y) as usize);
        extend(&mut items, a);
        extend(&mut items, b);
        return Ok(context.list(items));
    }
    arithmetic(context, Op2::Add, a, b)
}

fn multiply(context: &mut Context, a: &Value, b: &Value) -> Result<Value, Halt> {
    let Some(times) = b.number().and_then(|number| number.integer()) else {
        return arithmetic(context, Op2::Multiply, a, b);
    };
    let times = times.max(0).unsigned_abs();
    if let Some(text) = a.as_str() {
        context.charge(read(a))?;
        let length = times.saturating_mul(u128::from(length(a)));
        context.meter.charge_wide(2 + length / 8)?;
        check_string(u64::try_from(length).unwrap_or(u64::MAX))?;
        return Ok(Value::text(&if length == 0 { String::new() } else { text.repeat(times as usize) }));
    }
    if let Some(length) = list_length(a) {
        let length = times.saturating_mul(u128::from(length));
        context.meter.charge_wide(length.saturating_add(4))?;
        check_list(u64::try_from(length).unwrap_or(u64::MAX))?;
        let mut items = Vec::with_capacity(length as usize);
        while (items.len() as u128) < length {
            extend(&mut items, a);
        }
        return Ok(context.list(items));
    }
    arithmetic(context, Op2::Multiply, a, b)
}

fn union(context: &mut Context, a: &Value, b: &Value) -> Result<Value, Halt> {
    let (Value::Map(x), Value::Map(y)) = (a, b) else { return Err(wrong(Op2::Union, a, b)) };
    let (x, y) = (x.entries(), y.entries());
    context.charge(made_map((x.len() + y.len()) as u64))?;
    let merged = x.merged(y);
    if merged.len() > MAX_MAP {
        return Err(fail("limit.map").into());
    }
    Ok(context.map(merged))
}

pub fn equals(context: &mut Context, a: &Value, b: &Value) -> Result<bool, Halt> {
    if a.is_container() && b.is_container() {
        return pair(&mut context.meter, a, b);
    }
    context.charge(read(a) + read(b))?;
    if a.number().is_some() && b.number().is_some() {
        context.charge(wide(a, b))?;
    }
    Ok(scalars_equal(a, b))
}

fn compare(context: &mut Context, op: Op2, a: &Value, b: &Value) -> Result<Ordering, Halt> {
    if let (Some(x), Some(y)) = (a.as_str(), b.as_str()) {
        context.charge(read(a) + read(b))?;
        return Ok(x.cmp(y));
    }
    let (Some(x), Some(y)) = (a.number(), b.number()) else { return Err(wrong(op, a, b)) };
    context.charge(wide(a, b))?;
    Ok(number::compare(x, y))
}

/// `a in b`.
fn contains(context: &mut Context, a: &Value, b: &Value) -> Result<bool, Halt> {
    match b {
        Value::Short(_) | Value::Long(_) => {
            let (Some(needle), Some(text)) = (a.as_str(), b.as_str()) else {
                return Err(fail("type.in_string").with("type", a.type_name()).into());
            };
            context.charge(read(a) + read(b))?;
            Ok(memchr::memmem::find(text.as_bytes(), needle.as_bytes()).is_some())
        }
        Value::Map(map) => {
            let Some(key) = a.string() else { return Err(fail("type.in_map").with("type", a.type_name()).into()) };
            context.charge(key.read_charge() + lookup(map.entries().len()))?;
            Ok(map.entries().contains(&key))
        }
        Value::List(list) => {
            for item in list.items() {
                if pair(&mut context.meter, a, item)? {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        Value::Range(range) => {
            for item in range.iter() {
                if pair(&mut context.meter, a, &item)? {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        _ => Err(fail("type.in_right").with("type", b.type_name()).into()),
    }
}

pub fn negate(context: &mut Context, x: &Value) -> Result<Value, Halt> {
    match x.number() {
        Some(number) => {
            context.charge(wide(x, x))?;
            Ok(number.negated().into())
        }
        None if context.null_safe && x.is_null() => Ok(Value::Null),
        None => Err(fail("type.negate").with("type", x.type_name()).into()),
    }
}

/// Length of a string in code points; 0 for what is none.
pub fn length(value: &Value) -> u64 {
    match value {
        Value::Short(text) => Str::Short(*text).length(),
        Value::Long(text) => text.length(),
        _ => 0,
    }
}

fn list_length(value: &Value) -> Option<u64> {
    match value {
        Value::List(list) => Some(list.items().len() as u64),
        Value::Range(range) => Some(range.length),
        _ => None,
    }
}

fn extend(items: &mut Vec<Value>, list: &Value) {
    match list {
        Value::List(list) => items.extend_from_slice(List::items(list)),
        Value::Range(range) => items.extend(range.iter()),
        _ => {}
    }
}

pub fn check_string(length: u64) -> Result<(), Halt> {
    if length > MAX_STRING { Err(fail("limit.string").into()) } else { Ok(()) }
}

pub fn check_list(length: u64) -> Result<(), Halt> {
    if length > MAX_LIST as u64 { Err(fail("limit.list").into()) } else { Ok(()) }
}
