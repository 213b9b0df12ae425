//! The built-in functions on values and numbers; those that make or order lists are in `iterables.rs`, `event` and `reject` in `outcome.rs`.

use crate::arguments::{Args, Wanted, Where, want, want_at};
use crate::context::Context;
use crate::failure::{Halt, fail, shown_text};
use crate::gas::{WIDE, lookup, made_list, made_map, made_string, read, wide};
use crate::json_writer::write_scalar;
use crate::map::Entries;
use crate::number::{self, Mode, Number, PLACES};
use crate::number_text::{fixed as fixed_text, from_text};
use crate::operators::length;
use crate::text::{Str, count_characters};
use crate::value::{MAX_LIST, MAX_STRING, Value};
use crate::walk::Writer;

pub fn len(context: &mut Context, args: &Args<'_>) -> Result<Value, Halt> {
    let value = &args.values[0];
    want_at("len", 1, value, Wanted::Sized)?;
    context.charge(read(value))?;
    let length = match value {
        Value::List(list) => list.items().len() as u64,
        Value::Map(map) => map.entries().len() as u64,
        Value::Range(range) => range.length,
        text => length(text),
    };
    Ok(Value::Int(length as i64))
}

pub fn bool_(_: &mut Context, args: &Args<'_>) -> Result<Value, Halt> {
    Ok(Value::Bool(args.values[0].is_true()))
}

pub fn type_(_: &mut Context, args: &Args<'_>) -> Result<Value, Halt> {
    Ok(Value::text(args.values[0].type_name()))
}

pub fn str_(context: &mut Context, args: &Args<'_>) -> Result<Value, Halt> {
    let value = &args.values[0];
    if value.as_str().is_some() {
        context.charge(made_string(length(value)))?;
        return Ok(value.clone());
    }
    let mut writer = Writer::of_string(MAX_STRING);
    if value.is_container() {
        writer.value(&mut context.meter, value, 1)?;
    } else {
        context.charge(wide(value, value))?;
        write_scalar(value, &mut writer.out);
    }
    let text = String::from_utf8_lossy(&writer.out);
    context.charge(made_string(count_characters(&text) as u64))?;
    Ok(Value::text(&text))
}

pub fn int(context: &mut Context, args: &Args<'_>) -> Result<Value, Halt> {
    let value = &args.values[0];
    want_at("int", 1, value, Wanted::Scalar)?;
    let Some(number) = value.number() else { return parsed(context, value, "int", "value.int_text") };
    context.charge(wide(value, value))?;
    Ok(number.truncated().into())
}

pub fn number(context: &mut Context, args: &Args<'_>) -> Result<Value, Halt> {
    let value = &args.values[0];
    want_at("number", 1, value, Wanted::Scalar)?;
    if value.as_str().is_some() {
        return parsed(context, value, "number", "value.number_text");
    }
    context.charge(wide(value, value))?;
    Ok(value.clone())
}

/// The number of a text: `-?[0-9]+(\.[0-9]+)?`, of `int` without the fraction.
fn parsed(context: &mut Context, value: &Value, function: &'static str, key: &'static str) -> Result<Value, Halt> {
    context.charge(read(value))?;
    let text = value.as_str().unwrap_or_default();
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let sound = match unsigned.split_once('.') {
        Some((whole, fraction)) => function == "number" && digits(whole) && digits(fraction),
        None => digits(unsigned),
    };
    if !sound {
        return Err(fail(key).with("text", shown_text(text)).into());
    }
    match from_text(text.as_bytes()) {
        Ok(number) => Ok(number.into()),
        Err(_) => Err(fail("overflow.text").with("function", function).with("text", shown_text(text)).into()),
    }
}

pub fn abs(context: &mut Context, args: &Args<'_>) -> Result<Value, Halt> {
    let value = &args.values[0];
    want_at("abs", 1, value, Wanted::Number)?;
    context.charge(wide(value, value))?;
    Ok(value.number().unwrap_or(Number::ZERO).absolute().into())
}

pub fn round(context: &mut Context, args: &Args<'_>) -> Result<Value, Halt> {
    let x = &args.values[0];
    want_at("round", 1, x, Wanted::Number)?;
    let given = |position: usize, name: &'static str| match args.values.get(position - 1) {
        Some(value) => Some((value, Where::Position(position))),
        None => args.keyword(name).map(|value| (value, Where::Keyword(name))),
    };
    let (places, mode) = (given(2, "places"), given(3, "mode"));
    if let Some((places, place)) = places {
        want("round", place, places, Wanted::Integer)?;
    }
    if let Some((mode, place)) = mode {
        want("round", place, mode, Wanted::String)?;
    }
    let nothing = Value::Int(0);
    let places = places.map_or(&nothing, |given| given.0);
    context.charge(wide(x, places))?;
    let digits = checked_places("round", places)?;
    let mode = match mode {
        None => Mode::HalfEven,
        Some((name, _)) => match Mode::named(name.as_str().unwrap_or_default()) {
            Some(mode) => mode,
            None => return Err(fail("value.mode").shown("mode", name).into()),
        },
    };
    match number::round_to(x.number().unwrap_or(Number::ZERO), digits, mode) {
        Ok(number) => Ok(number.into()),
        Err(_) => Err(fail("overflow.function").with("function", "round").into()),
    }
}

pub fn fixed(context: &mut Context, args: &Args<'_>) -> Result<Value, Halt> {
    let (x, places) = (&args.values[0], &args.values[1]);
    want_at("fixed", 1, x, Wanted::Number)?;
    want_at("fixed", 2, places, Wanted::Integer)?;
    context.charge(wide(x, places))?;
    let text = fixed_text(x.number().unwrap_or(Number::ZERO), checked_places("fixed", places)?);
    context.charge(made_string(text.len() as u64))?;
    Ok(Value::text(&text))
}

pub fn split(context: &mut Context, args: &Args<'_>) -> Result<Value, Halt> {
    let [amount, n, places] = args.values else { return Ok(Value::Null) };
    want_at("split", 1, amount, Wanted::Number)?;
    want_at("split", 2, n, Wanted::Integer)?;
    want_at("split", 3, places, Wanted::Integer)?;
    context.charge(if args.values.iter().any(|value| matches!(value, Value::Wide(_))) { WIDE } else { 0 })?;
    let parts = n.number().and_then(|number| number.integer()).filter(|&parts| parts >= 1);
    let Some(parts) = parts else { return Err(fail("value.split_parts").shown("value", n).into()) };
    let digits = checked_places("split", places)?;
    let amount = amount.number().unwrap_or(Number::ZERO);
    if amount.parts().scale > digits {
        let failure = fail("value.split_fine").shown("amount", &args.values[0]);
        return Err(failure.count("places", digits).into());
    }
    context.meter.charge_wide(parts.unsigned_abs() + 4)?;
    if parts > MAX_LIST as i128 {
        return Err(fail("limit.split_parts").into());
    }
    match number::split(amount, parts as u32, digits) {
        Some(Ok((large, count, small))) => {
            let large = std::iter::repeat_n(Value::from(large), count as usize);
            let small = std::iter::repeat_n(Value::from(small), parts as usize - count as usize);
            Ok(context.list(large.chain(small).collect()))
        }
        _ => Err(fail("overflow.function").with("function", "split").into()),
    }
}

fn checked_places(function: &'static str, places: &Value) -> Result<u32, Halt> {
    match places {
        Value::Int(places) if (0..=i64::from(PLACES)).contains(places) => Ok(*places as u32),
        _ => Err(fail("value.places").with("function", function).shown("value", places).into()),
    }
}

pub fn dict(context: &mut Context, args: &Args<'_>) -> Result<Value, Halt> {
    let Some(source) = args.values.first() else {
        context.charge(made_map(0))?;
        return Ok(context.map(Entries::new()));
    };
    want_at("dict", 1, source, Wanted::Map)?;
    let Value::Map(map) = source else { return Ok(Value::Null) };
    context.charge(made_map(map.entries().len() as u64))?;
    Ok(context.map(map.entries().clone()))
}

pub fn has(context: &mut Context, args: &Args<'_>) -> Result<Value, Halt> {
    let (value, path) = (&args.values[0], &args.values[1]);
    want_at("has", 2, path, Wanted::String)?;
    context.charge(read(path))?;
    let mut value = value;
    for step in path.as_str().unwrap_or_default().split('.') {
        let Value::Map(map) = value else { return Ok(Value::Bool(false)) };
        context.charge(lookup(map.entries().len()))?;
        match map.entries().get(&Str::new(step)) {
            Some(found) => value = found,
            None => return Ok(Value::Bool(false)),
        }
    }
    Ok(Value::Bool(true))
}

/// L for a list of n, with its limit.
pub fn charge_list(context: &mut Context, n: usize) -> Result<(), Halt> {
    context.charge(made_list(n as u64))?;
    crate::operators::check_list(n as u64)
}
