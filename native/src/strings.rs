//! The methods of strings. Each reads its receiver and its string arguments (R) once its types are checked, then pays for what it makes.

use memchr::{memchr_iter, memmem};

use crate::arguments::{Args, Items, Wanted, want_at, want_elements};
use crate::context::Context;
use crate::failure::{Halt, fail};
use crate::gas::{made_list, made_string, read};
use crate::operators::{check_list, check_string, length};
use crate::text::count_characters;
use crate::value::Value;

/// ASCII white space.
const SPACE: [char; 6] = [' ', '\t', '\n', '\r', '\u{b}', '\u{c}'];

/// Every argument must be a string; receiver and arguments are read.
fn read_all<'a>(
    context: &mut Context,
    function: &'static str,
    receiver: &'a Value,
    args: &Args<'_>,
) -> Result<&'a str, Halt> {
    for (index, value) in args.values.iter().enumerate() {
        want_at(function, index + 1, value, Wanted::String)?;
    }
    context.charge(read(receiver) + args.values.iter().map(read).sum::<u64>())?;
    Ok(receiver.as_str().unwrap_or_default())
}

fn argument<'a>(args: &Args<'a>, index: usize) -> &'a str {
    args.values.get(index).and_then(Value::as_str).unwrap_or_default()
}

fn needle<'a>(function: &'static str, args: &Args<'a>) -> Result<&'a str, Halt> {
    match argument(args, 0) {
        "" => Err(fail("value.empty_needle").with("function", function).into()),
        needle => Ok(needle),
    }
}

fn made(context: &mut Context, text: &str) -> Result<Value, Halt> {
    context.charge(made_string(count_characters(text) as u64))?;
    Ok(Value::text(text))
}

pub fn startswith(context: &mut Context, receiver: &Value, args: &Args<'_>) -> Result<Value, Halt> {
    let text = read_all(context, "startswith", receiver, args)?;
    Ok(Value::Bool(text.starts_with(argument(args, 0))))
}

pub fn endswith(context: &mut Context, receiver: &Value, args: &Args<'_>) -> Result<Value, Halt> {
    let text = read_all(context, "endswith", receiver, args)?;
    Ok(Value::Bool(text.ends_with(argument(args, 0))))
}

pub fn find(context: &mut Context, receiver: &Value, args: &Args<'_>) -> Result<Value, Halt> {
    let text = read_all(context, "find", receiver, args)?;
    let found = memmem::find(text.as_bytes(), argument(args, 0).as_bytes());
    Ok(Value::Int(found.map_or(-1, |at| count_characters(&text[..at]) as i64)))
}

pub fn count(context: &mut Context, receiver: &Value, args: &Args<'_>) -> Result<Value, Halt> {
    let text = read_all(context, "count", receiver, args)?;
    let needle = needle("count", args)?;
    Ok(Value::integer(occurrences(text.as_bytes(), needle.as_bytes())))
}

pub fn replace(context: &mut Context, receiver: &Value, args: &Args<'_>) -> Result<Value, Halt> {
    let text = read_all(context, "replace", receiver, args)?;
    let old = needle("replace", args)?;
    let new = argument(args, 1);
    let times = occurrences(text.as_bytes(), old.as_bytes()) as u64;
    let length = length(receiver) - times * count_characters(old) as u64 + times * count_characters(new) as u64;
    context.charge(made_string(length))?;
    check_string(length)?;
    Ok(Value::text(&replaced(text, old, new)))
}

pub fn upper(context: &mut Context, receiver: &Value, args: &Args<'_>) -> Result<Value, Halt> {
    let text = read_all(context, "upper", receiver, args)?;
    context.charge(made_string(length(receiver)))?;
    Ok(Value::text(&text.to_ascii_uppercase()))
}

pub fn lower(context: &mut Context, receiver: &Value, args: &Args<'_>) -> Result<Value, Halt> {
    let text = read_all(context, "lower", receiver, args)?;
    context.charge(made_string(length(receiver)))?;
    Ok(Value::text(&text.to_ascii_lowercase()))
}

pub fn strip(context: &mut Context, receiver: &Value, args: &Args<'_>) -> Result<Value, Halt> {
    let text = read_all(context, "strip", receiver, args)?;
    made(context, text.trim_matches(SPACE))
}

pub fn lstrip(context: &mut Context, receiver: &Value, args: &Args<'_>) -> Result<Value, Halt> {
    let text = read_all(context, "lstrip", receiver, args)?;
    made(context, text.trim_start_matches(SPACE))
}

pub fn rstrip(context: &mut Context, receiver: &Value, args: &Args<'_>) -> Result<Value, Halt> {
    let text = read_all(context, "rstrip", receiver, args)?;
    made(context, text.trim_end_matches(SPACE))
}

pub fn split(context: &mut Context, receiver: &Value, args: &Args<'_>) -> Result<Value, Halt> {
    let text = read_all(context, "split", receiver, args)?;
    if args.values.is_empty() {
        return pieces(context, || text.split(SPACE).filter(|word| !word.is_empty()));
    }
    let needle = needle("split", args)?;
    pieces(context, || text.split(needle))
}

/// A list of the pieces: all are paid for before one is made.
fn pieces<'a, I: Iterator<Item = &'a str>>(context: &mut Context, split: impl Fn() -> I) -> Result<Value, Halt> {
    let (count, charge) = split()
        .fold((0, 0), |(count, charge), piece| (count + 1, charge + made_string(count_characters(piece) as u64)));
    context.charge(charge + made_list(count))?;
    check_list(count)?;
    Ok(context.list(split().map(Value::text).collect()))
}

pub fn join(context: &mut Context, receiver: &Value, args: &Args<'_>) -> Result<Value, Halt> {
    let items = Items::wanted("join", 1, &args.values[0])?;
    let n = items.len() as u64;
    context.charge(read(receiver) + n)?;
    want_elements("join", items, Wanted::String)?;
    context.charge(items.iter().map(|item| read(&item)).sum())?;
    let between = length(receiver) * n.saturating_sub(1);
    let total = items.iter().map(|item| length(&item)).sum::<u64>() + between;
    context.charge(made_string(total))?;
    check_string(total)?;
    let separator = receiver.as_str().unwrap_or_default();
    let mut text = String::with_capacity(total as usize);
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            text.push_str(separator);
        }
        text.push_str(item.as_str().unwrap_or_default());
    }
    Ok(Value::text(&text))
}

/// Needles of so many bytes are looked for byte by byte: a text may be made of nothing else, and a searcher's start for each of 200,000
/// hits costs more than the gas of the search allows.
const SHORT: usize = 4;

/// How often the needle (not empty) stands in the text, without overlaps.
fn occurrences(text: &[u8], needle: &[u8]) -> usize {
    match needle {
        [byte] => memchr_iter(*byte, text).count(),
        _ if needle.len() > SHORT => memmem::find_iter(text, needle).count(),
        _ => {
            let (mut at, mut found) = (0, 0);
            while at + needle.len() <= text.len() {
                if text[at..].starts_with(needle) {
                    found += 1;
                    at += needle.len();
                } else {
                    at += 1;
                }
            }
            found
        }
    }
}

/// `text.replace(old, new)`; `old` is not empty.
fn replaced(text: &str, old: &str, new: &str) -> String {
    if old.len() > SHORT {
        return text.replace(old, new);
    }
    let (text, old, new) = (text.as_bytes(), old.as_bytes(), new.as_bytes());
    let mut made = Vec::with_capacity(text.len());
    let mut at = 0;
    while at < text.len() {
        if text[at] == old[0] && text[at..].starts_with(old) {
            made.extend_from_slice(new);
            at += old.len();
        } else {
            made.push(text[at]);
            at += 1;
        }
    }
    // a needle that is valid UTF-8 is only found at the borders of characters
    String::from_utf8(made).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{occurrences, replaced};

    #[test]
    fn short_and_long_needles_are_found_alike() {
        for text in ["", "a", "aaaa", "abab\u{e9}\u{e9}x", "\u{1f600}\u{1f600}a\u{1f601}", "aabaaab", "aaaaaaaaaaab"] {
            for needle in ["a", "aa", "ab", "aab", "\u{e9}", "\u{1f600}", "\u{1f601}", "aaab", "aaaab", "aaaaaa"] {
                assert_eq!(
                    occurrences(text.as_bytes(), needle.as_bytes()),
                    text.matches(needle).count(),
                    "{text} {needle}"
                );
                for new in ["", "z", "\u{e9}\u{e9}", needle] {
                    assert_eq!(replaced(text, needle, new), text.replace(needle, new), "{text} {needle} {new}");
                }
            }
        }
    }
}
