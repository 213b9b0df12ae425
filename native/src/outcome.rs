//! The built-ins that make outcomes, `event` and `reject`, and the checks of what comes in and goes out under a `type`.

use crate::arguments::{Args, Wanted, Where, want, want_at};
use crate::context::Context;
use crate::document::Document;
use crate::failure::{At, Failure, Halt, Stop, fail, shown_text};
use crate::gas::{made_map, read};
use crate::json_writer::write_string;
use crate::map::Entries;
use crate::operators::length;
use crate::text::Str;
use crate::value::{MAX_EVENTS, MAX_MAP, MAX_TEXT, Value};
use crate::walk::Writer;

const MAX_MESSAGE: u64 = 1000;
const MAX_TYPE: usize = 128;

pub fn event(context: &mut Context, args: &Args<'_>) -> Result<Value, Halt> {
    let kind = &args.values[0];
    want_at("event", 1, kind, Wanted::String)?;
    let nothing = Entries::new();
    let fields = match args.values.get(1) {
        None => &nothing,
        Some(Value::Map(map)) => map.entries(),
        Some(other) => {
            want_at("event", 2, other, Wanted::Map)?;
            &nothing
        }
    };
    context.charge(read(kind))?;
    if let Some((name, _)) = args.keywords().find(|(name, _)| fields.contains(name)) {
        return Err(fail("value.event_key_twice").with("key", shown_text(name.as_str())).into());
    }
    let type_name = Str::new("type");
    let n = fields.len() + args.names.len() + usize::from(!fields.contains(&type_name));
    context.charge(made_map(n as u64))?;
    if n > MAX_MAP {
        return Err(fail("limit.map").into());
    }
    let mut made = if fields.len() == 0 { Entries::with_capacity(n) } else { fields.clone() };
    for (name, value) in args.keywords() {
        made.insert(name.clone(), value.clone());
    }
    made.insert(type_name, kind.clone());
    Ok(context.map(made))
}

pub fn reject(context: &mut Context, args: &Args<'_>) -> Result<Value, Halt> {
    let message = &args.values[0];
    want_at("reject", 1, message, Wanted::String)?;
    let default = Value::text("rejected");
    let code = args.keyword("code").unwrap_or(&default);
    want("reject", Where::Keyword("code"), code, Wanted::String)?;
    context.charge(read(message))?;
    if length(message) > MAX_MESSAGE {
        return Err(fail("value.reject_message").count("length", length(message)).into());
    }
    let code = code.as_str().unwrap_or_default();
    if !is_type(code) {
        return Err(fail("value.reject_code").with("code", shown_text(code)).into());
    }
    let mut details = Entries::new();
    for (name, value) in args.keywords().filter(|(name, _)| name.as_str() != "code") {
        details.insert(name.clone(), value.clone());
    }
    context.charge(made_map(details.len() as u64))?;
    let details = context.map(details);
    let mut writer = Writer::of_output(MAX_TEXT, At::Operation);
    writer.value(&mut context.meter, &details, 1)?;
    let mut text = b"{\"code\":".to_vec();
    write_string(code, &mut text);
    text.extend_from_slice(b",\"details\":");
    text.append(&mut writer.out);
    text.extend_from_slice(b",\"message\":");
    write_string(message.as_str().unwrap_or_default(), &mut text);
    text.push(b'}');
    Err(Box::new(Stop::Rejection(text)))
}

/// `[A-Za-z_][A-Za-z0-9_.-]{0,127}`
pub fn is_type(text: &str) -> bool {
    const INSIDE: [bool; 256] = {
        let mut inside = [false; 256];
        let mut byte = 0;
        while byte < 256 {
            let character = byte as u8;
            inside[byte] = character.is_ascii_alphanumeric() || matches!(character, b'_' | b'.' | b'-');
            byte += 1;
        }
        inside
    };
    let bytes = text.as_bytes();
    bytes.len() <= MAX_TYPE
        && bytes.first().is_some_and(|&byte| byte.is_ascii_alphabetic() || byte == b'_')
        && bytes.iter().all(|&byte| INSIDE[usize::from(byte)])
}

/// The type of a command or event that came in, else `bad_input.*`.
pub fn check_typed(value: &Value, document: Document) -> Result<(), Halt> {
    let Value::Map(map) = value else {
        return Err(document.fail("bad_input.not_map").with("type", value.type_name()).into());
    };
    let keys = ["bad_input.type_missing", "bad_input.type_not_string", "bad_input.type_pattern"];
    match type_of(map.entries(), keys) {
        Ok(_) => Ok(()),
        Err(failure) => Err(failure.with("document", document.to_string()).into()),
    }
}

/// The types of the events that `decide` returned: the first thing wrong in the order list, count, event by event.
pub fn check_events(value: &Value) -> Result<Vec<String>, Halt> {
    let items = match value {
        Value::List(list) => list.items(),
        // a range has no maps in it, so it is an event list only where it is empty
        Value::Range(range) if range.length == 0 => &[],
        Value::Range(range) if range.length <= MAX_EVENTS as u64 => return Err(not_a_map(0, &range.at(0)).into()),
        Value::Range(range) => return Err(too_many(range.length).into()),
        other => return Err(outside("bad_output.not_list").with("type", other.type_name()).into()),
    };
    if items.len() > MAX_EVENTS {
        return Err(too_many(items.len() as u64).into());
    }
    let mut types = Vec::with_capacity(items.len());
    let keys = ["bad_output.type_missing", "bad_output.type_not_string", "bad_output.type_pattern"];
    for (index, item) in items.iter().enumerate() {
        let Value::Map(map) = item else { return Err(not_a_map(index, item).into()) };
        match type_of(map.entries(), keys) {
            Ok(kind) => types.push(kind.to_owned()),
            Err(failure) => return Err(failure.count("index", index).into()),
        }
    }
    Ok(types)
}

fn outside(key: &'static str) -> Failure {
    fail(key).at(At::Nowhere)
}

fn not_a_map(index: usize, item: &Value) -> Failure {
    outside("bad_output.not_map").count("index", index).with("type", item.type_name())
}

fn too_many(count: u64) -> Failure {
    outside("bad_output.too_many").count("count", count)
}

/// The type of a map; the keys are the messages for one that is missing, no string, of another form.
fn type_of<'a>(entries: &'a Entries, keys: [&'static str; 3]) -> Result<&'a str, Failure> {
    let Some(kind) = entries.get(&Str::new("type")) else { return Err(outside(keys[0])) };
    let Some(text) = kind.as_str() else { return Err(outside(keys[1]).with("type", kind.type_name())) };
    if is_type(text) { Ok(text) } else { Err(outside(keys[2]).with("value", shown_text(text))) }
}

/// The canonical text of each event of `decide`'s output, charging W for the list and the 1 MiB of all together.
pub fn write_events(context: &mut Context, events: &Value) -> Result<Vec<Vec<u8>>, Halt> {
    let mut writer = Writer::of_output(MAX_TEXT, At::Nowhere);
    writer.charge(&mut context.meter, 1)?;
    writer.bracket(b'[')?;
    let items = match events {
        Value::List(list) => list.items(),
        _ => &[],
    };
    let mut texts = Vec::with_capacity(items.len());
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            writer.separate(b',');
        }
        writer.out = Vec::with_capacity(64);
        writer.value(&mut context.meter, item, 1)?;
        texts.push(std::mem::take(&mut writer.out));
    }
    writer.bracket(b']')?;
    Ok(texts)
}
