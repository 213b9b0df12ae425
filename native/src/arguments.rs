//! Checks of a call's arguments: arity, then types, in the order of `docs/engine-notes.md`, 4 to 6.

use crate::failure::{Failure, Halt, fail};
use crate::text::Str;
use crate::value::{Range, Value};

/// Fewest and most positional arguments.
pub type Arity = (usize, usize);
pub const ANY: usize = usize::MAX;

/// The arguments of one call.
#[derive(Clone, Copy)]
pub struct Args<'a> {
    pub values: &'a [Value],
    /// Keywords as they are written, and their values.
    pub names: &'a [Str],
    pub given: &'a [Value],
}

impl<'a> Args<'a> {
    pub fn keyword(&self, name: &str) -> Option<&'a Value> {
        let at = self.names.iter().position(|given| given.as_str() == name)?;
        self.given.get(at)
    }

    pub fn keywords(&self) -> impl Iterator<Item = (&'a Str, &'a Value)> {
        self.names.iter().zip(self.given)
    }
}

/// Where an argument stands: its position from 1, or its keyword.
#[derive(Clone, Copy)]
pub enum Where {
    Position(usize),
    Keyword(&'static str),
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    String,
    Number,
    Bool,
    Map,
    Iterable,
    Scalar,
    Sized,
    Integer,
}

impl Wanted {
    pub fn text(self) -> &'static str {
        match self {
            Wanted::String => "a string",
            Wanted::Number => "a number",
            Wanted::Bool => "a bool",
            Wanted::Map => "a map",
            Wanted::Iterable => "a list or map",
            Wanted::Scalar => "a number or string",
            Wanted::Sized => "a string, list or map",
            Wanted::Integer => "an integer",
        }
    }

    pub fn accepts(self, value: &Value) -> bool {
        let string = matches!(value, Value::Short(_) | Value::Long(_));
        let number = matches!(value, Value::Int(_) | Value::Wide(_));
        match self {
            Wanted::String => string,
            Wanted::Number | Wanted::Integer => number,
            Wanted::Bool => matches!(value, Value::Bool(_)),
            Wanted::Map => matches!(value, Value::Map(_)),
            Wanted::Iterable => value.is_container(),
            Wanted::Scalar => string || number,
            Wanted::Sized => string || value.is_container(),
        }
    }
}

pub fn check_arity(key: &'static str, function: &str, (fewest, most): Arity, actual: usize) -> Result<(), Halt> {
    if (fewest..=most).contains(&actual) {
        return Ok(());
    }
    let expected = match (fewest, most) {
        (fewest, ANY) => format!("at least {fewest}"),
        (fewest, most) if fewest == most => fewest.to_string(),
        (fewest, most) => format!("{fewest} to {most}"),
    };
    Err(fail(key).with("function", function.to_owned()).with("expected", expected).count("actual", actual).into())
}

/// The argument must be of the type that `what` names (`Integer`: any number here; see `want_integer`).
pub fn want(function: &'static str, place: Where, value: &Value, what: Wanted) -> Result<(), Halt> {
    if what.accepts(value) { Ok(()) } else { Err(wrong(function, place, value, what).into()) }
}

#[cold]
fn wrong(function: &'static str, place: Where, value: &Value, what: Wanted) -> Failure {
    let failure = match place {
        Where::Position(position) => fail("type.argument").count("position", position),
        Where::Keyword(keyword) => fail("type.keyword").with("keyword", keyword),
    };
    failure.with("function", function).with("expected", what.text()).with("type", value.type_name())
}

/// As `want`, of the argument at `position` from 1.
pub fn want_at(function: &'static str, position: usize, value: &Value, what: Wanted) -> Result<(), Halt> {
    want(function, Where::Position(position), value, what)
}

pub fn want_integer(function: &'static str, position: usize, value: &Value) -> Result<i128, Halt> {
    want_at(function, position, value, Wanted::Integer)?;
    match value.number().and_then(|number| number.integer()) {
        Some(integer) => Ok(integer),
        None => {
            let failure = fail("type.argument_integer").with("function", function).count("position", position);
            Err(failure.shown("value", value).into())
        }
    }
}

pub fn want_elements(function: &'static str, items: Items<'_>, what: Wanted) -> Result<(), Halt> {
    if let Items::List(items) = items {
        if items.iter().all(|item| what.accepts(item)) {
            return Ok(());
        }
    }
    match items.iter().enumerate().find(|(_, item)| !what.accepts(item)) {
        None => Ok(()),
        Some((index, item)) => Err(wrong_element(function, index, &item, what)),
    }
}

/// All numbers or all strings.
pub fn want_comparable(function: &'static str, items: Items<'_>) -> Result<(), Halt> {
    let mut first: Option<&'static str> = None;
    for (index, item) in items.iter().enumerate() {
        if !Wanted::Scalar.accepts(&item) {
            return Err(wrong_element(function, index, &item, Wanted::Scalar));
        }
        let first = *first.get_or_insert(item.type_name());
        if first != item.type_name() {
            let failure = fail("type.mixed").with("function", function).with("left", first);
            return Err(failure.with("right", item.type_name()).into());
        }
    }
    Ok(())
}

fn wrong_element(function: &'static str, index: usize, item: &Value, what: Wanted) -> Halt {
    let failure = fail("type.element").with("function", function).count("index", index);
    failure.with("expected", what.text()).with("type", item.type_name()).into()
}

/// What an iteration over a list or map meets (of a map its keys, in order).
#[derive(Clone, Copy)]
pub enum Items<'a> {
    List(&'a [Value]),
    Range(&'a Range),
    Map(&'a crate::map::Entries),
}

impl<'a> Items<'a> {
    pub fn of(value: &'a Value) -> Option<Items<'a>> {
        match value {
            Value::List(list) => Some(Items::List(list.items())),
            Value::Range(range) => Some(Items::Range(range)),
            Value::Map(map) => Some(Items::Map(map.entries())),
            _ => None,
        }
    }

    /// Of an argument that must be a list or map.
    pub fn wanted(function: &'static str, position: usize, value: &'a Value) -> Result<Items<'a>, Halt> {
        Items::of(value).ok_or_else(|| wrong(function, Where::Position(position), value, Wanted::Iterable).into())
    }

    pub fn len(self) -> usize {
        match self {
            Items::List(items) => items.len(),
            Items::Range(range) => range.length as usize,
            Items::Map(entries) => entries.len(),
        }
    }

    pub fn iter(self) -> ItemIter<'a> {
        match self {
            Items::List(items) => ItemIter::List(items.iter()),
            Items::Range(range) => ItemIter::Range(range, 0),
            Items::Map(entries) => ItemIter::Map(entries.iter()),
        }
    }

    pub fn to_vec(self) -> Vec<Value> {
        let mut all = Vec::with_capacity(self.len());
        all.extend(self.iter());
        all
    }
}

pub enum ItemIter<'a> {
    List(std::slice::Iter<'a, Value>),
    Range(&'a Range, u64),
    Map(crate::map::Iter<'a>),
}

impl Iterator for ItemIter<'_> {
    type Item = Value;

    fn next(&mut self) -> Option<Value> {
        match self {
            ItemIter::List(items) => items.next().cloned(),
            ItemIter::Range(range, index) => {
                if *index == range.length {
                    return None;
                }
                *index += 1;
                Some(range.at(*index - 1))
            }
            ItemIter::Map(entries) => entries.next().map(|(key, _)| key.clone().into()),
        }
    }
}
