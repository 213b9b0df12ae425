//! `"{} of {name}".format(x, name = y)`: placeholder by placeholder, as the gas table has it.

use crate::arguments::Args;
use crate::context::Context;
use crate::failure::{Halt, fail, shown_text};
use crate::gas::{made_string, read, wide};
use crate::json_writer::write_scalar;
use crate::operators::check_string;
use crate::text::count_characters;
use crate::value::{MAX_STRING, Value};
use crate::walk::Writer;

/// What stands at a brace.
enum Brace<'a> {
    /// `{{` or `}}`: the brace itself.
    Escaped(char),
    /// `{}` or `{name}`, and the bytes it takes.
    Placeholder(Option<&'a str>, usize),
    Malformed,
}

pub fn format(context: &mut Context, receiver: &Value, args: &Args<'_>) -> Result<Value, Halt> {
    let read_charge: u64 = args.values.iter().chain(args.given).map(read).sum();
    context.charge(read(receiver) + read_charge)?;
    let text = receiver.as_str().unwrap_or_default();
    let mut out = String::with_capacity(text.len() + 16);
    let (mut length, mut used, mut rest) = (0u64, 0, text);
    while let Some(at) = memchr::memchr2(b'{', b'}', rest.as_bytes()) {
        out.push_str(&rest[..at]);
        length += count_characters(&rest[..at]) as u64;
        match brace(&rest[at..]) {
            Brace::Escaped(brace) => {
                out.push(brace);
                length += 1;
                rest = &rest[at + 2..];
            }
            Brace::Placeholder(name, size) => {
                context.charge(1)?;
                let value = find(args, name, used)?;
                used += usize::from(name.is_none());
                let start = out.len();
                print(context, value, (MAX_STRING as i64) - length as i64, &mut out)?;
                length += count_characters(&out[start..]) as u64;
                rest = &rest[at + size..];
            }
            Brace::Malformed => {
                let position = count_characters(&text[..text.len() - rest.len() + at]);
                return Err(fail("value.format").count("position", position).into());
            }
        }
    }
    length += count_characters(rest) as u64;
    context.charge(made_string(length))?;
    check_string(length)?;
    out.push_str(rest);
    Ok(Value::text(&out))
}

fn brace(text: &str) -> Brace<'_> {
    let bytes = text.as_bytes();
    let first = bytes[0];
    if first == b'{' {
        let name = bytes[1..].iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_').count();
        let starts_with_digit = bytes.get(1).is_some_and(u8::is_ascii_digit);
        if bytes.get(1 + name) == Some(&b'}') && !starts_with_digit {
            return Brace::Placeholder((name > 0).then_some(&text[1..=name]), name + 2);
        }
    }
    if bytes.get(1) == Some(&first) { Brace::Escaped(char::from(first)) } else { Brace::Malformed }
}

fn find<'a>(args: &Args<'a>, name: Option<&str>, used: usize) -> Result<&'a Value, Halt> {
    match name {
        None => args.values.get(used).ok_or_else(|| fail("index.format").count("index", used).into()),
        Some(name) => args.keyword(name).ok_or_else(|| fail("key.format").with("name", shown_text(name)).into()),
    }
}

/// Strings as they are, all else as canonical JSON. Only the walk over a container stops early.
fn print(context: &mut Context, value: &Value, room: i64, out: &mut String) -> Result<(), Halt> {
    if let Some(text) = value.as_str() {
        out.push_str(text);
        return Ok(());
    }
    let mut writer = Writer::of_string(MAX_STRING);
    writer.room = room;
    if value.is_container() {
        writer.value(&mut context.meter, value, 1)?;
    } else {
        context.charge(wide(value, value))?;
        write_scalar(value, &mut writer.out);
    }
    out.push_str(&String::from_utf8_lossy(&writer.out));
    Ok(())
}
