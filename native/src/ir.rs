//! IR nodes as read from JSON, not yet trusted: kinds, bounds of numbers, and what is wrong where.

use crate::code::Place;
use crate::failure::shown;
use crate::text::Str;
use crate::value::Value;

/// The bytes are no IR of this version: what and where.
#[derive(Debug)]
pub struct BadIr(pub String);

pub type Checked<T> = Result<T, BadIr>;

pub fn bad<T>(what: impl Into<String>) -> Checked<T> {
    Err(BadIr(what.into()))
}

/// All integers of the IR are below.
const MAX_INTEGER: i64 = 1 << 31;

pub fn integer(node: &Value) -> Checked<u32> {
    match node {
        Value::Int(value) if (0..MAX_INTEGER).contains(value) => Ok(*value as u32),
        other => bad(format!("not an integer below 2^31: {}", shown(other))),
    }
}

pub fn text(node: &Value) -> Checked<Str> {
    node.string().ok_or_else(|| BadIr(format!("not a string: {}", shown(node))))
}

pub fn name(node: &Value) -> Checked<&str> {
    node.as_str().ok_or_else(|| BadIr(format!("not a string: {}", shown(node))))
}

pub fn sequence(node: &Value) -> Checked<&[Value]> {
    match node {
        Value::List(list) => Ok(list.items()),
        other => bad(format!("not an array: {}", shown(other))),
    }
}

/// A sequence of exactly N nodes.
pub fn exactly<const N: usize>(node: &Value) -> Checked<&[Value; N]> {
    let nodes = sequence(node)?;
    nodes.try_into().or_else(|_| bad(format!("{} members, not {N}: {}", nodes.len(), shown(node))))
}

pub fn place(node: &Value) -> Checked<Place> {
    let [line, column] = exactly(node)?;
    Ok((integer(line)?, integer(column)?))
}

/// The weight of a unit and its place.
pub fn unit(node: &Value) -> Checked<(u32, Place)> {
    let [weight, line, column] = exactly(node)?;
    Ok((integer(weight)?, (integer(line)?, integer(column)?)))
}

/// Member of an object.
pub fn member<'a>(node: &'a Value, name: &str) -> Checked<&'a Value> {
    match node {
        Value::Map(map) => match map.entries().get(&Str::new(name)) {
            Some(value) => Ok(value),
            None => bad(format!("no member {name}: {}", shown(node))),
        },
        other => bad(format!("not an object: {}", shown(other))),
    }
}

/// Tag, place and operands of a node.
pub fn parts(node: &Value) -> Checked<(&str, Place, &[Value])> {
    match sequence(node)? {
        [tag, line, column, rest @ ..] => Ok((name(tag)?, (integer(line)?, integer(column)?), rest)),
        _ => bad(format!("no node: {}", shown(node))),
    }
}
