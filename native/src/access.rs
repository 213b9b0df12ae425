//! Reading and writing what is inside of containers: fields, indexes, slices; who may be changed.

use std::sync::atomic::{AtomicU32, Ordering};

use crate::code::Site;
use crate::context::Context;
use crate::failure::{Halt, fail, shown_text};
use crate::gas::{lookup, made_list, made_string, read};
use crate::node::Node;
use crate::operators::{check_list, length};
use crate::text::Str;
use crate::value::{MAX_KEY, MAX_MAP, Map, Value};

/// The charge for a write of `x[i]`.
const WRITE_ELEMENT: u64 = 2;

/// `value.name`; costs nothing beyond its unit. `hint` is the site's position cache. None where a filter makes null of it.
#[inline(always)]
pub fn field_ref<'a>(
    context: &Context,
    value: &'a Value,
    name: &Str,
    hint: &AtomicU32,
) -> Result<Option<&'a Value>, Halt> {
    if let Value::Map(map) = value {
        let near = hint.load(Ordering::Relaxed);
        if let Some((found, at)) = map.entries().get_near(name, near as usize) {
            if at as u32 != near {
                hint.store(at as u32, Ordering::Relaxed);
            }
            if !matches!(found, Value::Unbound) {
                return Ok(Some(found));
            }
        }
    }
    no_field(context, value, name)
}

/// The member of a map, where it stands as last time. None says nothing.
#[inline(always)]
pub fn near<'a>(value: &'a Value, site: &Site) -> Option<&'a Value> {
    let Value::Map(map) = value else { return None };
    let found = map.entries().at(site.hint.load(Ordering::Relaxed) as usize, &site.name)?;
    if matches!(found, Value::Unbound) { None } else { Some(found) }
}

/// The member of a map, where both are there.
#[inline]
pub fn member<'a>(value: &'a Value, name: &Str, hint: &AtomicU32) -> Option<&'a Value> {
    let Value::Map(map) = value else { return None };
    let (found, at) = map.entries().get_near(name, hint.load(Ordering::Relaxed) as usize)?;
    hint.store(at as u32, Ordering::Relaxed);
    if matches!(found, Value::Unbound) { None } else { Some(found) }
}

#[cold]
fn no_field<'a>(context: &Context, value: &Value, name: &Str) -> Result<Option<&'a Value>, Halt> {
    match value {
        Value::Map(_) if context.null_safe => Ok(None),
        Value::Null if context.null_safe => Ok(None),
        Value::Map(_) => Err(missing(name)),
        _ => Err(fail("type.field").with("name", name.as_str().to_owned()).with("type", value.type_name()).into()),
    }
}

#[cold]
pub fn missing(key: &Str) -> Halt {
    fail("key.missing").with("key", shown_text(key.as_str())).into()
}

/// `container[key]`.
pub fn index(context: &mut Context, container: &Value, key: &Value) -> Result<Value, Halt> {
    match container {
        Value::Map(map) => {
            let Some(name) = key.string() else {
                return Err(fail("type.map_key").with("type", key.type_name()).into());
            };
            context.charge(name.read_charge() + lookup(map.entries().len()))?;
            match map.entries().get(&name) {
                Some(value) => Ok(value.clone()),
                None if context.null_safe => Ok(Value::Null),
                None => Err(missing(&name)),
            }
        }
        Value::Short(_) | Value::Long(_) => {
            let position = integer_index(container, key)?;
            context.charge(read(container))?;
            let at = in_range(container, position, length(container))?;
            context.charge(made_string(1))?;
            let text = container.as_str().unwrap_or_default();
            Ok(Value::text(part(text, length(container), at, at + 1)))
        }
        Value::List(list) => {
            let position = integer_index(container, key)?;
            let at = in_range(container, position, list.items().len() as u64)?;
            Ok(list.items()[at as usize].clone())
        }
        Value::Range(range) => {
            let position = integer_index(container, key)?;
            Ok(range.at(in_range(container, position, range.length)?))
        }
        Value::Null if context.null_safe => Ok(Value::Null),
        _ => Err(fail("type.index_target").with("type", container.type_name()).into()),
    }
}

/// `value[start:stop]`; a bound that is not written is None.
pub fn cut(context: &mut Context, value: &Value, start: Option<&Value>, stop: Option<&Value>) -> Result<Value, Halt> {
    let length = match value {
        Value::Short(_) | Value::Long(_) => length(value),
        Value::List(list) => list.items().len() as u64,
        Value::Range(range) => range.length,
        Value::Null if context.null_safe => return Ok(Value::Null),
        _ => return Err(fail("type.slice_target").with("type", value.type_name()).into()),
    };
    let bound = |bound: Option<&Value>, absent: u64| -> Result<u64, Halt> {
        let Some(bound) = bound else { return Ok(absent) };
        match bound.number().and_then(|number| number.integer()) {
            Some(integer) => Ok(clamped(integer, length)),
            None => Err(fail("type.slice_bound").shown("value", bound).into()),
        }
    };
    let (start, stop) = (bound(start, 0)?, bound(stop, length)?);
    let stop = stop.max(start);
    if let Some(text) = value.as_str() {
        context.charge(read(value))?;
        context.charge(made_string(stop - start))?;
        return Ok(Value::text(part(text, length, start, stop)));
    }
    context.charge(made_list(stop - start))?;
    check_list(stop - start)?;
    let items = match value {
        Value::List(list) => list.items()[start as usize..stop as usize].to_vec(),
        Value::Range(range) => (start..stop).map(|index| range.at(index)).collect(),
        _ => Vec::new(),
    };
    Ok(context.list(items))
}

/// An index as a slice takes it: negatives count from the end, beyond an end is the end.
pub fn clamped(index: i128, length: u64) -> u64 {
    let length = i128::from(length);
    let at = if index < 0 { index + length } else { index };
    at.clamp(0, length) as u64
}

/// The code points `start..stop` of a text of `length` code points.
fn part(text: &str, length: u64, start: u64, stop: u64) -> &str {
    if length == text.len() as u64 {
        return &text[start as usize..stop as usize];
    }
    let mut places = text.char_indices().map(|(at, _)| at).chain(std::iter::once(text.len()));
    let from = places.nth(start as usize).unwrap_or(text.len());
    let to = if stop == start { from } else { places.nth((stop - start - 1) as usize).unwrap_or(text.len()) };
    &text[from..to]
}

/// `target.name = value`.
pub fn write_field(context: &mut Context, target: &Value, name: &Str, value: Value) -> Result<(), Halt> {
    let Value::Map(map) = target else {
        return Err(fail("type.write_field").with("type", target.type_name()).into());
    };
    check_mutable(context, target)?;
    context.charge(lookup(map.entries().len()))?;
    store(context, map, target, name.clone(), value)
}

/// `target[key] = value`.
pub fn write_index(context: &mut Context, target: &Value, key: &Value, value: Value) -> Result<(), Halt> {
    match target {
        Value::Map(map) => {
            let Some(name) = key.string() else {
                return Err(fail("type.map_key").with("type", key.type_name()).into());
            };
            check_mutable(context, target)?;
            context.charge(name.read_charge() + lookup(map.entries().len()))?;
            store(context, map, target, name, value)
        }
        Value::List(list) => {
            let position = integer_index(target, key)?;
            check_mutable(context, target)?;
            context.charge(WRITE_ELEMENT)?;
            let at = in_range(target, position, list.items().len() as u64)? as usize;
            context.note_store(target, &value);
            drop(list.change(|items| std::mem::replace(&mut items[at], value)));
            Ok(())
        }
        Value::Range(_) => {
            integer_index(target, key)?;
            check_mutable(context, target)
        }
        _ => Err(fail("type.write_index").with("type", target.type_name()).into()),
    }
}

/// Write an entry that is paid for, within the limits of maps. `target` is the map as a value.
pub fn store(context: &mut Context, map: &Map, target: &Value, key: Str, value: Value) -> Result<(), Halt> {
    context.note_store(target, &value);
    let full = map.entries().len() >= MAX_MAP;
    let replaced = map.change(|entries| -> Result<Option<Value>, Halt> {
        if let Some(place) = entries.get_mut(&key) {
            return Ok(Some(std::mem::replace(place, value)));
        }
        if key.len_bytes() as u64 > MAX_KEY && key.length() > MAX_KEY {
            return Err(fail("limit.map_key").into());
        }
        if full {
            return Err(fail("limit.map").into());
        }
        Ok(entries.insert(key, value))
    });
    replaced.map(drop)
}

/// Fails with `frozen.*` for a range and for what was not made in this call, with `mutation.*` for what is being iterated.
#[inline]
pub fn check_mutable(context: &Context, target: &Value) -> Result<(), Halt> {
    let (own, locks) = match target {
        Value::List(list) => (list.header().is_mutable(context.epoch), list.locks.get()),
        Value::Map(map) => (map.header().is_mutable(context.epoch), map.locks.get()),
        _ => (false, 0),
    };
    if own && locks == 0 { Ok(()) } else { Err(immutable(target, own)) }
}

#[cold]
fn immutable(target: &Value, own: bool) -> Halt {
    let key = match (target, own) {
        (Value::List(_), false) | (Value::Range(_), _) => "frozen.list",
        (Value::List(_), true) => "mutation.list",
        (_, false) => "frozen.map",
        (_, true) => "mutation.map",
    };
    fail(key).into()
}

fn integer_index(container: &Value, key: &Value) -> Result<i128, Halt> {
    match key.number().and_then(|number| number.integer()) {
        Some(integer) => Ok(integer),
        None => Err(fail("type.index_number").with("type", container.type_name()).shown("value", key).into()),
    }
}

pub fn in_range(container: &Value, position: i128, length: u64) -> Result<u64, Halt> {
    let at = if position < 0 { position + i128::from(length) } else { position };
    if (0..i128::from(length)).contains(&at) {
        return Ok(at as u64);
    }
    let failure = fail("index.range").count("index", position).with("type", container.type_name());
    Err(failure.count("length", length).into())
}
