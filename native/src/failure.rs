//! How a run ends early: a failure (an error record to be) or a rejection (the program said no); the shared message table.
//!
//! Messages come only from `aggregate/engine/messages.json`, which the pure engine reads too: a key here is a key there.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::OnceLock;

use crate::document::Document;
use crate::json_reader::Reader;
use crate::json_writer::write_string;
use crate::number::Number;
use crate::number_text::to_text;
use crate::value::Value;

/// Where a failure stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    /// At the operation that is running; the machine fills in its place.
    Operation,
    /// Line and column from 1.
    Place(u32, u32),
    /// Outside of source text.
    Nowhere,
}

#[derive(Debug)]
pub struct Failure {
    /// `<code>.<name>`: a message of the table.
    key: &'static str,
    pub at: At,
    /// The function that was running, for the record.
    pub function: Option<String>,
    parameters: Vec<(&'static str, Cow<'static, str>)>,
}

#[derive(Debug)]
pub enum Stop {
    Failure(Failure),
    /// Canonical JSON of code, details and message.
    Rejection(Vec<u8>),
}

/// Boxed, so that results stay small where nothing goes wrong.
pub type Halt = Box<Stop>;

/// A failure at the running operation.
pub fn fail(key: &'static str) -> Failure {
    Failure { key, at: At::Operation, function: None, parameters: Vec::new() }
}

impl Failure {
    pub fn with(mut self, name: &'static str, text: impl Into<Cow<'static, str>>) -> Failure {
        self.parameters.push((name, text.into()));
        self
    }

    pub fn count(self, name: &'static str, count: impl TryInto<i128>) -> Failure {
        let count = count.try_into().unwrap_or(i128::MAX);
        self.with(name, count.to_string())
    }

    /// A value as messages show it.
    pub fn shown(self, name: &'static str, value: &Value) -> Failure {
        self.with(name, shown(value))
    }

    pub fn at(mut self, at: At) -> Failure {
        self.at = at;
        self
    }

    pub fn is_out_of_gas(&self) -> bool {
        self.key == "out_of_gas.spent"
    }

    /// The error record as JSON bytes, without its closing brace (a fold adds members).
    pub fn open_record(&self, gas_used: u64) -> Vec<u8> {
        let code = self.key.split('.').next().unwrap_or_default();
        let mut out = Vec::with_capacity(160);
        out.extend_from_slice(b"{\"kind\":");
        write_string(kind_of(code), &mut out);
        out.extend_from_slice(b",\"code\":");
        write_string(code, &mut out);
        out.extend_from_slice(b",\"message\":");
        write_string(&self.message(), &mut out);
        let place = match self.at {
            At::Place(line, column) => format!(",\"line\":{line},\"column\":{column},\"function\":"),
            _ => ",\"line\":null,\"column\":null,\"function\":".to_owned(),
        };
        out.extend_from_slice(place.as_bytes());
        match (&self.function, self.at) {
            (Some(name), At::Place(..)) => write_string(name, &mut out),
            _ => out.extend_from_slice(b"null"),
        }
        out.extend_from_slice(format!(",\"gas_used\":{gas_used}").as_bytes());
        out
    }

    pub fn record(&self, gas_used: u64) -> Vec<u8> {
        let mut record = self.open_record(gas_used);
        record.push(b'}');
        record
    }

    pub fn message(&self) -> String {
        let template = templates().get(self.key).map_or("", String::as_str);
        let mut message = String::with_capacity(template.len() + 40);
        let mut rest = template;
        while let Some((before, after)) = rest.split_once('{') {
            message.push_str(before);
            let (name, after) = after.split_once('}').unwrap_or((after, ""));
            let text = self.parameters.iter().find(|parameter| parameter.0 == name);
            message.push_str(text.map_or("", |parameter| &parameter.1));
            rest = after;
        }
        message.push_str(rest);
        message
    }
}

impl From<Failure> for Halt {
    fn from(failure: Failure) -> Halt {
        Box::new(Stop::Failure(failure))
    }
}

/// The engine itself failed.
pub fn engine_bug() -> Halt {
    fail("engine_bug.failure").at(At::Nowhere).into()
}

/// A failure of the running operation stands at another place than the operation.
#[cold]
pub fn at(mut halt: Halt, (line, column): (u32, u32)) -> Halt {
    if let Stop::Failure(failure) = &mut *halt {
        if failure.at == At::Operation {
            failure.at = At::Place(line, column);
        }
    }
    halt
}

fn kind_of(code: &str) -> &'static str {
    match code {
        "out_of_gas" | "limit" | "depth" => "resource",
        "bad_input" | "bad_output" | "no_function" => "contract",
        "engine_bug" => "internal",
        _ => "runtime",
    }
}

/// The message table by `<code>.<name>`.
fn templates() -> &'static HashMap<String, String> {
    static TABLE: OnceLock<HashMap<String, String>> = OnceLock::new();
    TABLE.get_or_init(|| {
        let text = include_bytes!("../../aggregate/engine/messages.json");
        let mut table = HashMap::new();
        if let Ok(Value::Map(sections)) = Reader::new().read(text, Document::Named("messages")) {
            for (section, messages) in sections.entries().iter() {
                let Value::Map(messages) = messages else { continue };
                for (name, message) in messages.entries().iter() {
                    let key = format!("{}.{}", section.as_str(), name.as_str());
                    table.insert(key, message.as_str().unwrap_or_default().to_owned());
                }
            }
        }
        table
    })
}

/// So many code points of a value are shown.
const SHOWN: usize = 80;

/// A value as messages show it: its canonical JSON, cut at 80 code points. Looks at no more of it than that.
pub fn shown(value: &Value) -> String {
    let mut shown = Shown { text: String::new(), length: 0 };
    shown.value(value);
    shown.text
}

pub fn shown_text(text: &str) -> String {
    let mut shown = Shown { text: String::new(), length: 0 };
    shown.string(text);
    shown.text
}

struct Shown {
    text: String,
    length: usize,
}

impl Shown {
    /// False when the text is full.
    fn put(&mut self, piece: &str) -> bool {
        for character in piece.chars() {
            if self.length == SHOWN {
                self.text.push('…');
            }
            if self.length >= SHOWN {
                self.length = SHOWN + 1;
                return false;
            }
            self.text.push(character);
            self.length += 1;
        }
        true
    }

    fn string(&mut self, text: &str) -> bool {
        // one code point gives at least one of text, so the rest of a long string cannot show
        let end = text.char_indices().nth(SHOWN + 1).map_or(text.len(), |(at, _)| at);
        let mut quoted = Vec::new();
        write_string(&text[..end], &mut quoted);
        self.put(&String::from_utf8_lossy(&quoted))
    }

    fn list<'a>(&mut self, items: impl Iterator<Item = Cow<'a, Value>>) -> bool {
        let mut going = self.put("[");
        for (index, item) in items.enumerate() {
            going = going && (index == 0 || self.put(",")) && self.value(&item);
            if !going {
                return false;
            }
        }
        going && self.put("]")
    }

    fn value(&mut self, value: &Value) -> bool {
        match value {
            Value::List(list) => self.list(list.items().iter().map(Cow::Borrowed)),
            Value::Range(range) => self.list(range.iter().map(Cow::Owned)),
            Value::Map(map) => {
                let mut going = self.put("{");
                for (index, (key, value)) in map.entries().iter().enumerate() {
                    going = going
                        && (index == 0 || self.put(","))
                        && self.string(key.as_str())
                        && self.put(":")
                        && self.value(value);
                    if !going {
                        return false;
                    }
                }
                going && self.put("}")
            }
            Value::Bool(true) => self.put("true"),
            Value::Bool(false) => self.put("false"),
            Value::Int(x) => {
                let mut text = String::new();
                // writing to a string cannot fail
                let _ = write!(text, "{x}");
                self.put(&text)
            }
            Value::Wide(x) => self.put(&to_text(Number::Wide(*x))),
            Value::Short(_) | Value::Long(_) => self.string(value.as_str().unwrap_or_default()),
            Value::Null | Value::Unbound => self.put("null"),
        }
    }
}
