//! The built-in functions that meet the elements of lists and maps, order them, or make lists of them.

use std::cmp::Ordering;

use crate::arguments::{Args, Items, Wanted, Where, want, want_comparable, want_elements, want_integer};
use crate::context::Context;
use crate::failure::{Halt, fail, shown_text};
use crate::functions::charge_list;
use crate::gas::{WIDE, bit_length, lookup, made_list, read};
use crate::number::{self, Number};
use crate::operators::{check_list, length};
use crate::text::Str;
use crate::value::{MAX_RANGE, Range, Value};

/// What the pairs of `enumerate` and `items` cost, each.
const PAIR: u64 = 6;

/// A function of one list that looks at its elements alone.
#[derive(Clone, Copy, Debug)]
pub enum Reduction {
    Sum,
    Min,
    Max,
    Any,
    All,
    Len,
}

impl Reduction {
    pub fn named(name: &str) -> Option<Reduction> {
        Some(match name {
            "sum" => Reduction::Sum,
            "min" => Reduction::Min,
            "max" => Reduction::Max,
            "any" => Reduction::Any,
            "all" => Reduction::All,
            "len" => Reduction::Len,
            _ => return None,
        })
    }

    pub fn of(self, context: &mut Context, items: Items<'_>) -> Result<Value, Halt> {
        match self {
            Reduction::Sum => sum_of(context, items),
            Reduction::Min => extreme(context, "min", items, Ordering::Less),
            Reduction::Max => extreme(context, "max", items, Ordering::Greater),
            Reduction::Any => decides(context, items, true),
            Reduction::All => decides(context, items, false),
            Reduction::Len => Ok(Value::integer(items.len())),
        }
    }
}

pub fn min(context: &mut Context, args: &Args<'_>) -> Result<Value, Halt> {
    extreme_argument(context, "min", args, Ordering::Less)
}

pub fn max(context: &mut Context, args: &Args<'_>) -> Result<Value, Halt> {
    extreme_argument(context, "max", args, Ordering::Greater)
}

fn extreme_argument(
    context: &mut Context,
    function: &'static str,
    args: &Args<'_>,
    wanted: Ordering,
) -> Result<Value, Halt> {
    if args.values.len() == 1 {
        return extreme(context, function, Items::wanted(function, 1, &args.values[0])?, wanted);
    }
    let items = Items::List(args.values);
    want_comparable(function, items)?;
    let wide = args.values.iter().any(|value| matches!(value, Value::Wide(_)));
    context.charge(if wide { WIDE } else { 0 })?;
    best(context, items, wanted)
}

fn extreme(context: &mut Context, function: &'static str, items: Items<'_>, wanted: Ordering) -> Result<Value, Halt> {
    context.charge(items.len() as u64)?;
    want_comparable(function, items)?;
    if items.len() == 0 {
        return Err(fail("value.empty").with("function", function).into());
    }
    best(context, items, wanted)
}

fn best(context: &mut Context, items: Items<'_>, wanted: Ordering) -> Result<Value, Halt> {
    context.charge(items.iter().map(|item| read(&item)).sum())?;
    let best = items.iter().reduce(|best, item| if order(&item, &best) == wanted { item } else { best });
    Ok(best.unwrap_or(Value::Null))
}

/// The order of two numbers or two strings.
fn order(a: &Value, b: &Value) -> Ordering {
    match (a.number(), b.number()) {
        (Some(x), Some(y)) => number::compare(x, y),
        _ => a.as_str().cmp(&b.as_str()),
    }
}

pub fn sum(context: &mut Context, args: &Args<'_>) -> Result<Value, Halt> {
    sum_of(context, Items::wanted("sum", 1, &args.values[0])?)
}

fn sum_of(context: &mut Context, items: Items<'_>) -> Result<Value, Halt> {
    context.charge(items.len() as u64)?;
    if let Some(total) = integers(items) {
        return Ok(Value::Int(total));
    }
    want_elements("sum", items, Wanted::Number)?;
    let mut total = Number::ZERO;
    for item in items.iter() {
        let item = item.number().unwrap_or(Number::ZERO);
        if matches!((total, item), (Number::Wide(_), _) | (_, Number::Wide(_))) {
            context.charge(WIDE)?;
        }
        match number::add(total, item) {
            Ok(sum) => total = sum,
            Err(_) => return Err(fail("overflow.function").with("function", "sum").into()),
        }
    }
    Ok(total.into())
}

/// The sum of integers, where it is one too; that costs nothing more.
fn integers(items: Items<'_>) -> Option<i64> {
    let Items::List(items) = items else { return None };
    items.iter().try_fold(0, |total: i64, item| match item {
        Value::Int(x) => total.checked_add(*x),
        _ => None,
    })
}

pub fn sorted(context: &mut Context, args: &Args<'_>) -> Result<Value, Halt> {
    let source = &args.values[0];
    let items = Items::wanted("sorted", 1, source)?;
    let (by, reverse) = (args.keyword("by"), args.keyword("reverse"));
    if let Some(by) = by {
        want("sorted", Where::Keyword("by"), by, Wanted::String)?;
    }
    if let Some(reverse) = reverse {
        want("sorted", Where::Keyword("reverse"), reverse, Wanted::Bool)?;
    }
    let n = items.len();
    context.charge(n as u64)?;
    let keys = by.map(|by| keys_by(context, items, by)).transpose()?;
    let keys_items = keys.as_ref().map_or(items, |keys| Items::List(keys));
    want_comparable("sorted", keys_items)?;
    let points: u64 = keys_items.iter().map(|key| length(&key)).sum();
    context.charge(bit_length(n) * (n as u64 + points / 16))?;
    charge_list(context, n)?;
    let descending = reverse.is_some_and(Value::is_true);
    let directed = |a: &Value, b: &Value| if descending { order(b, a) } else { order(a, b) };
    let mut values = items.to_vec();
    match keys {
        None => values.sort_by(directed),
        Some(keys) => {
            let mut pairs: Vec<(Value, Value)> = keys.into_iter().zip(values).collect();
            pairs.sort_by(|a, b| directed(&a.0, &b.0));
            values = pairs.into_iter().map(|pair| pair.1).collect();
        }
    }
    Ok(context.list(values))
}

/// What stands at a dotted path in each of the maps.
fn keys_by(context: &mut Context, items: Items<'_>, by: &Value) -> Result<Vec<Value>, Halt> {
    want_elements("sorted", items, Wanted::Map)?;
    context.charge(read(by))?;
    let path = by.as_str().unwrap_or_default();
    let steps: Vec<Str> = path.split('.').map(Str::new).collect();
    let mut keys = Vec::with_capacity(items.len());
    for (index, item) in items.iter().enumerate() {
        let mut value = &item;
        for step in &steps {
            let Value::Map(map) = value else {
                let failure = fail("type.by_step").with("path", shown_text(path)).with("type", value.type_name());
                return Err(failure.count("index", index).into());
            };
            context.charge(lookup(map.entries().len()))?;
            match map.entries().get(step) {
                Some(found) => value = found,
                None => {
                    let failure = fail("key.by").with("key", shown_text(step.as_str()));
                    return Err(failure.with("path", shown_text(path)).count("index", index).into());
                }
            }
        }
        keys.push(value.clone());
    }
    Ok(keys)
}

pub fn list(context: &mut Context, args: &Args<'_>) -> Result<Value, Halt> {
    let items = Items::wanted("list", 1, &args.values[0])?;
    charge_list(context, items.len())?;
    Ok(context.list(items.to_vec()))
}

pub fn reversed(context: &mut Context, args: &Args<'_>) -> Result<Value, Halt> {
    let items = Items::wanted("reversed", 1, &args.values[0])?;
    charge_list(context, items.len())?;
    let mut items = items.to_vec();
    items.reverse();
    Ok(context.list(items))
}

/// A new list of n new lists of two, paid for and within the limit.
pub fn make_pairs(context: &mut Context, n: usize, pairs: impl Iterator<Item = (Value, Value)>) -> Result<Value, Halt> {
    context.charge(made_list(n as u64) + n as u64 * PAIR)?;
    check_list(n as u64)?;
    let pairs = pairs.map(|(a, b)| context.list(vec![a, b])).collect();
    Ok(context.list(pairs))
}

pub fn enumerate(context: &mut Context, args: &Args<'_>) -> Result<Value, Halt> {
    let items = Items::wanted("enumerate", 1, &args.values[0])?;
    let pairs = items.iter().enumerate().map(|(index, item)| (Value::integer(index), item));
    make_pairs(context, items.len(), pairs)
}

pub fn zip(context: &mut Context, args: &Args<'_>) -> Result<Value, Halt> {
    let mut rows = Vec::with_capacity(args.values.len());
    for (index, value) in args.values.iter().enumerate() {
        rows.push(Items::wanted("zip", index + 1, value)?);
    }
    let n = rows.iter().map(|row| row.len()).min().unwrap_or(0);
    context.charge(made_list(n as u64) + n as u64 * made_list(rows.len() as u64))?;
    check_list(n as u64)?;
    let mut columns: Vec<_> = rows.into_iter().map(Items::iter).collect();
    let mut made = Vec::with_capacity(n);
    for _ in 0..n {
        made.push(context.list(columns.iter_mut().filter_map(Iterator::next).collect()));
    }
    Ok(context.list(made))
}

pub fn range(_: &mut Context, args: &Args<'_>) -> Result<Value, Halt> {
    let mut numbers = [0; 3];
    for (index, value) in args.values.iter().enumerate() {
        numbers[index] = want_integer("range", index + 1, value)?;
    }
    let [start, stop, step] = match args.values.len() {
        1 => [0, numbers[0], 1],
        2 => [numbers[0], numbers[1], 1],
        _ => numbers,
    };
    if step == 0 {
        return Err(fail("value.range_step").into());
    }
    let distance = if step > 0 { stop - start } else { start - stop };
    let length = if distance > 0 { (distance - 1) / step.abs() + 1 } else { 0 };
    if length > i128::from(MAX_RANGE) {
        return Err(fail("limit.range").into());
    }
    let (start, step) = (Number::from_i128(start), Number::from_i128(step));
    let (Ok(start), Ok(step)) = (start, step) else { return Ok(Value::Null) };
    Ok(Range::create(start, step, length as u64))
}

pub fn any(context: &mut Context, args: &Args<'_>) -> Result<Value, Halt> {
    decides(context, Items::wanted("any", 1, &args.values[0])?, true)
}

pub fn all(context: &mut Context, args: &Args<'_>) -> Result<Value, Halt> {
    decides(context, Items::wanted("all", 1, &args.values[0])?, false)
}

fn decides(context: &mut Context, items: Items<'_>, deciding: bool) -> Result<Value, Halt> {
    for item in items.iter() {
        context.charge(1)?;
        if item.is_true() == deciding {
            return Ok(Value::Bool(deciding));
        }
    }
    Ok(Value::Bool(!deciding))
}

/// `list(map.keys())` and the like: a new list of n values, paid for and within the limit.
pub fn make_list(context: &mut Context, n: usize, items: impl Iterator<Item = Value>) -> Result<Value, Halt> {
    charge_list(context, n)?;
    Ok(context.list(items.collect()))
}
