//! The methods of lists. Those that change the list check, in this order: types, frozen, mutation; then they charge.

use crate::access::{check_mutable, clamped, in_range};
use crate::arguments::{Args, Items, want_integer};
use crate::context::Context;
use crate::failure::{Halt, fail};
use crate::operators::check_list;
use crate::value::{List, Value};
use crate::walk::pair;

/// The charge for one element put in or taken out.
pub const MOVE: u64 = 2;

/// The list that may be changed, as `check_mutable` has it.
fn mutable<'a>(context: &Context, receiver: &'a Value) -> Result<&'a List, Halt> {
    check_mutable(context, receiver)?;
    match receiver {
        Value::List(list) => Ok(list),
        _ => Err(fail("frozen.list").into()),
    }
}

pub fn append(context: &mut Context, receiver: &Value, args: &Args<'_>) -> Result<Value, Halt> {
    let list = mutable(context, receiver)?;
    context.charge(MOVE)?;
    check_list(list.items().len() as u64 + 1)?;
    let value = args.values[0].clone();
    context.note_store(receiver, &value);
    list.change(|items| items.push(value));
    Ok(Value::Null)
}

pub fn extend(context: &mut Context, receiver: &Value, args: &Args<'_>) -> Result<Value, Halt> {
    let more = Items::wanted("extend", 1, &args.values[0])?;
    let list = mutable(context, receiver)?;
    context.charge(more.len() as u64)?;
    check_list((list.items().len() + more.len()) as u64)?;
    // copied before the list is changed: it may be the argument itself
    let more = more.to_vec();
    for value in &more {
        context.note_store(receiver, value);
    }
    list.change(|items| items.extend(more));
    Ok(Value::Null)
}

pub fn insert(context: &mut Context, receiver: &Value, args: &Args<'_>) -> Result<Value, Halt> {
    let position = want_integer("insert", 1, &args.values[0])?;
    let list = mutable(context, receiver)?;
    let n = list.items().len() as u64;
    context.charge(MOVE + n / 8)?;
    check_list(n + 1)?;
    let value = args.values[1].clone();
    context.note_store(receiver, &value);
    list.change(|items| items.insert(clamped(position, n) as usize, value));
    Ok(Value::Null)
}

pub fn pop(context: &mut Context, receiver: &Value, args: &Args<'_>) -> Result<Value, Halt> {
    let position = match args.values.first() {
        Some(position) => want_integer("pop", 1, position)?,
        None => -1,
    };
    let list = mutable(context, receiver)?;
    let n = list.items().len() as u64;
    context.charge(MOVE + if args.values.is_empty() { 0 } else { n / 8 })?;
    if n == 0 && args.values.is_empty() {
        return Err(fail("index.pop_empty").into());
    }
    let at = in_range(receiver, position, n)?;
    Ok(list.change(|items| items.remove(at as usize)))
}

pub fn index(context: &mut Context, receiver: &Value, args: &Args<'_>) -> Result<Value, Halt> {
    for (at, item) in items(receiver).iter().enumerate() {
        if pair(&mut context.meter, &item, &args.values[0])? {
            return Ok(Value::integer(at));
        }
    }
    Err(fail("value.not_in_list").shown("value", &args.values[0]).into())
}

pub fn count(context: &mut Context, receiver: &Value, args: &Args<'_>) -> Result<Value, Halt> {
    let mut found = 0;
    for item in items(receiver).iter() {
        found += usize::from(pair(&mut context.meter, &item, &args.values[0])?);
    }
    Ok(Value::integer(found))
}

fn items(receiver: &Value) -> Items<'_> {
    Items::of(receiver).unwrap_or(Items::List(&[]))
}
