//! The methods of maps. Those that change the map check, in this order: types, frozen, mutation; then they charge.

use crate::access::{check_mutable, missing, store};
use crate::arguments::{Args, Wanted, want_at};
use crate::context::Context;
use crate::failure::Halt;
use crate::gas::lookup;
use crate::iterables::{make_list, make_pairs};
use crate::text::Str;
use crate::value::{Map, Value};

/// The receiver of a method of maps: the table of methods looks at its type first.
fn map_of(receiver: &Value) -> Result<&Map, Halt> {
    match receiver {
        Value::Map(map) => Ok(map),
        _ => Err(crate::failure::fail("engine_bug.failure").into()),
    }
}

/// The first argument, which must be a string.
fn key_of(function: &'static str, args: &Args<'_>) -> Result<Str, Halt> {
    want_at(function, 1, &args.values[0], Wanted::String)?;
    Ok(args.values[0].string().unwrap_or(Str::empty()))
}

fn charge_lookup(context: &mut Context, map: &Map, key: &Str) -> Result<(), Halt> {
    context.charge(key.read_charge() + lookup(map.entries().len()))
}

pub fn get(context: &mut Context, receiver: &Value, args: &Args<'_>) -> Result<Value, Halt> {
    let map = map_of(receiver)?;
    let key = key_of("get", args)?;
    charge_lookup(context, map, &key)?;
    let found = map.entries().get(&key).or(args.values.get(1));
    Ok(found.cloned().unwrap_or(Value::Null))
}

pub fn pop(context: &mut Context, receiver: &Value, args: &Args<'_>) -> Result<Value, Halt> {
    let map = map_of(receiver)?;
    let key = key_of("pop", args)?;
    check_mutable(context, receiver)?;
    charge_lookup(context, map, &key)?;
    match map.change(|entries| entries.remove(&key)).or(args.values.get(1).cloned()) {
        Some(value) => Ok(value),
        None => Err(missing(&key)),
    }
}

pub fn setdefault(context: &mut Context, receiver: &Value, args: &Args<'_>) -> Result<Value, Halt> {
    let map = map_of(receiver)?;
    let key = key_of("setdefault", args)?;
    check_mutable(context, receiver)?;
    charge_lookup(context, map, &key)?;
    if let Some(found) = map.entries().get(&key) {
        return Ok(found.clone());
    }
    let value = args.values.get(1).cloned().unwrap_or(Value::Null);
    store(context, map, receiver, key, value.clone())?;
    Ok(value)
}

pub fn update(context: &mut Context, receiver: &Value, args: &Args<'_>) -> Result<Value, Halt> {
    let map = map_of(receiver)?;
    want_at("update", 1, &args.values[0], Wanted::Map)?;
    check_mutable(context, receiver)?;
    let more = map_of(&args.values[0])?;
    if std::ptr::eq(map, more) {
        // every key is there already: nothing changes but the gas
        for key in more.entries().keys() {
            charge_lookup(context, map, key)?;
        }
        return Ok(Value::Null);
    }
    for (key, value) in more.entries().iter() {
        charge_lookup(context, map, key)?;
        store(context, map, receiver, key.clone(), value.clone())?;
    }
    Ok(Value::Null)
}

pub fn keys(context: &mut Context, receiver: &Value, _: &Args<'_>) -> Result<Value, Halt> {
    let entries = map_of(receiver)?.entries();
    make_list(context, entries.len(), entries.keys().map(|key| key.clone().into()))
}

pub fn values(context: &mut Context, receiver: &Value, _: &Args<'_>) -> Result<Value, Halt> {
    let entries = map_of(receiver)?.entries();
    make_list(context, entries.len(), entries.iter().map(|entry| entry.1.clone()))
}

pub fn items(context: &mut Context, receiver: &Value, _: &Args<'_>) -> Result<Value, Halt> {
    let entries = map_of(receiver)?.entries();
    make_pairs(context, entries.len(), entries.iter().map(|(key, value)| (key.clone().into(), value.clone())))
}
