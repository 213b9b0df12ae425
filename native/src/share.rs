//! What a value needs to leave its call: a bounded depth and size, and counts that any thread may change.

use crate::failure::{At, Failure, fail};
use crate::json_writer::{key_size, short_size, string_size, to_json};
use crate::node::Node;
use crate::number::Number;
use crate::value::{MAX_DEPTH, MAX_LIST, MAX_TEXT, Shape, Value};

/// Check the depth and canonical size of a value that becomes a state, and make it fit for all threads.
///
/// Takes the time of what is new: a container that was shared before knows its shape. Fails with `depth.value` at the 65th level or
/// `limit.text`, whichever comes first in the order of the text.
pub fn share(value: &Value) -> Result<(), Failure> {
    match measure(value, 1) {
        Some((size, _)) if size <= MAX_TEXT => Ok(()),
        // the exact walk stops at the limit, and says which one it was
        _ => match to_json(value) {
            Err(failure) => Err(failure),
            Ok(_) => Err(fail("engine_bug.failure").at(At::Nowhere)),
        },
    }
}

/// Canonical size and depth; None where one is beyond the limits.
fn measure(value: &Value, level: usize) -> Option<(usize, usize)> {
    match value {
        Value::List(list) => {
            if let Some(shape) = list.shape.get().known() {
                return within(shape, level);
            }
            if level > MAX_DEPTH {
                return None;
            }
            let items = list.items();
            let (mut size, mut depth) = (2 + items.len().saturating_sub(1), 0);
            for item in items {
                let (item_size, item_depth) = measure(item, level + 1)?;
                size += item_size;
                depth = depth.max(item_depth);
                if size > MAX_TEXT {
                    return None;
                }
            }
            list.mark_shared();
            list.shape.set(Shape::new(size, depth + 1));
            Some((size, depth + 1))
        }
        Value::Map(map) => {
            if let Some(shape) = map.shape.get().known() {
                return within(shape, level);
            }
            if level > MAX_DEPTH {
                return None;
            }
            let entries = map.entries();
            let (mut size, mut depth) = (2 + entries.len() + entries.len().saturating_sub(1), 0);
            for (key, value) in entries.iter() {
                let (value_size, value_depth) = measure(value, level + 1)?;
                size += key_size(key) + value_size;
                depth = depth.max(value_depth);
                if size > MAX_TEXT {
                    return None;
                }
                key.mark_shared();
            }
            map.mark_shared();
            map.shape.set(Shape::new(size, depth + 1));
            Some((size, depth + 1))
        }
        Value::Range(range) => {
            if level > MAX_DEPTH || range.length > MAX_LIST as u64 {
                return None;
            }
            range.mark_shared();
            let elements: usize = range.iter().map(|element| scalar_size(&element)).sum();
            Some((2 + elements + (range.length as usize).saturating_sub(1), 1))
        }
        Value::Long(text) => {
            text.mark_shared();
            Some((string_size(text.as_str()), 0))
        }
        scalar => Some((scalar_size(scalar), 0)),
    }
}

fn within((size, depth): (usize, usize), level: usize) -> Option<(usize, usize)> {
    (level + depth - 1 <= MAX_DEPTH).then_some((size, depth))
}

fn scalar_size(value: &Value) -> usize {
    match value {
        Value::Int(x) => integer_size(*x),
        Value::Wide(x) => crate::number_text::text_size(Number::Wide(*x)),
        Value::Short(text) => short_size(text),
        Value::Bool(false) => 5,
        _ => 4,
    }
}

fn integer_size(x: i64) -> usize {
    usize::from(x < 0) + x.unsigned_abs().checked_ilog10().map_or(1, |digits| digits as usize + 1)
}

/// Make a value fit for all threads, whatever its depth and size: consts, which nothing has measured.
pub fn mark_all(value: &Value) {
    let mut open = vec![value];
    while let Some(value) = open.pop() {
        match value {
            Value::List(list) if !list.header().is_shared() => {
                list.mark_shared();
                open.extend(list.items());
            }
            Value::Map(map) if !map.header().is_shared() => {
                map.mark_shared();
                for (key, value) in map.entries().iter() {
                    key.mark_shared();
                    open.push(value);
                }
            }
            Value::Range(range) => range.mark_shared(),
            Value::Long(text) => text.mark_shared(),
            _ => {}
        }
    }
}

/// Size of the canonical text of a value that was shared; about that for what is none.
pub fn size_of(value: &Value) -> usize {
    let shape = match value {
        Value::List(list) => list.shape.get(),
        Value::Map(map) => map.shape.get(),
        Value::Long(text) => return string_size(text.as_str()),
        scalar => return scalar_size(scalar),
    };
    shape.known().map_or(0, |(size, _)| size)
}
