//! The metered deep walks: W (a value is visited and written) and P (two values are compared).

use crate::failure::{At, Halt, fail};
use crate::gas::Meter;
use crate::json_writer::{write_key, write_scalar};
use crate::number::Number;
use crate::text::count_characters;
use crate::value::{List, MAX_DEPTH, MAX_LIST, Map, Value};

/// Writes canonical JSON, charging W on the way, until the text is longer than `room`.
///
/// The order is that of the text: charge the value or key, then `depth`, then write it and compare; commas and colons count as written,
/// without a comparison.
pub struct Writer {
    pub at: At,
    /// What is left of the text's limit: bytes of UTF-8 (output), else code points (`str`, `format`).
    pub room: i64,
    pub in_bytes: bool,
    pub too_large: &'static str,
    pub out: Vec<u8>,
}

impl Writer {
    /// For text that a program makes: at most `room` code points, else `limit.string`.
    pub fn of_string(room: u64) -> Writer {
        Writer { at: At::Operation, room: room as i64, in_bytes: false, too_large: "limit.string", out: Vec::new() }
    }

    /// For text that leaves the engine: at most `room` bytes, else `limit.text`.
    pub fn of_output(room: usize, at: At) -> Writer {
        Writer { at, room: room as i64, in_bytes: true, too_large: "limit.text", out: Vec::new() }
    }

    fn fail(&self, key: &'static str) -> Halt {
        fail(key).at(self.at).into()
    }

    /// As the meter's, at this walk's place.
    pub fn charge(&self, meter: &mut Meter, amount: u64) -> Result<(), Halt> {
        meter.charge(amount).map_err(|mut halt| {
            if let crate::failure::Stop::Failure(failure) = &mut *halt {
                failure.at = self.at;
            }
            halt
        })
    }

    /// Count what was written from `start` on, and compare.
    fn compare(&mut self, start: usize) -> Result<(), Halt> {
        let written = &self.out[start..];
        let size = if self.in_bytes {
            written.len()
        } else {
            // what was written is UTF-8, so its first bytes of characters can be counted
            written.iter().filter(|&&byte| (byte as i8) >= -0x40).count()
        };
        self.room -= size as i64;
        if self.room < 0 { Err(self.fail(self.too_large)) } else { Ok(()) }
    }

    pub fn bracket(&mut self, bracket: u8) -> Result<(), Halt> {
        self.out.push(bracket);
        self.compare(self.out.len() - 1)
    }

    pub fn separate(&mut self, separator: u8) {
        self.out.push(separator);
        self.room -= 1;
    }

    pub fn value(&mut self, meter: &mut Meter, value: &Value, level: usize) -> Result<(), Halt> {
        let length = match value {
            Value::Short(text) => count_characters(text.as_str()) as u64,
            Value::Long(text) => text.length(),
            _ => 0,
        };
        self.charge(meter, 1 + length / 8)?;
        if value.is_container() && level > MAX_DEPTH {
            return Err(self.fail("depth.value"));
        }
        match value {
            Value::Map(map) => self.map(meter, map, level),
            Value::List(list) => {
                self.bracket(b'[')?;
                for (index, item) in list.items().iter().enumerate() {
                    if index > 0 {
                        self.separate(b',');
                    }
                    self.value(meter, item, level + 1)?;
                }
                self.bracket(b']')
            }
            Value::Range(range) => {
                if range.length > MAX_LIST as u64 {
                    return Err(self.fail("limit.list"));
                }
                self.bracket(b'[')?;
                for (index, item) in range.iter().enumerate() {
                    if index > 0 {
                        self.separate(b',');
                    }
                    self.value(meter, &item, level + 1)?;
                }
                self.bracket(b']')
            }
            scalar => {
                let start = self.out.len();
                write_scalar(scalar, &mut self.out);
                self.compare(start)
            }
        }
    }

    fn map(&mut self, meter: &mut Meter, map: &Map, level: usize) -> Result<(), Halt> {
        self.bracket(b'{')?;
        for (index, (key, value)) in map.entries().iter().enumerate() {
            if index > 0 {
                self.separate(b',');
            }
            self.charge(meter, 1 + key.length() / 8)?;
            let start = self.out.len();
            write_key(key, &mut self.out);
            self.compare(start)?;
            self.separate(b':');
            self.value(meter, value, level + 1)?;
        }
        self.bracket(b'}')
    }
}

/// P: whether a equals b, charging each pair before it is looked at. The first difference ends it.
pub fn pair(meter: &mut Meter, a: &Value, b: &Value) -> Result<bool, Halt> {
    pair_level(meter, a, b, 1)
}

fn pair_level(meter: &mut Meter, a: &Value, b: &Value, level: usize) -> Result<bool, Halt> {
    meter.charge(1 + eighth(a) + eighth(b))?;
    if !(a.is_container() && b.is_container()) {
        return Ok(scalars_equal(a, b));
    }
    if level > MAX_DEPTH {
        return Err(fail("depth.value").into());
    }
    match (a, b) {
        (Value::Map(a), Value::Map(b)) => pair_maps(meter, a, b, level),
        (Value::List(a), Value::List(b)) => pair_lists(meter, a, b, level),
        (Value::List(list), Value::Range(range)) | (Value::Range(range), Value::List(list)) => {
            if range.length != list.items().len() as u64 {
                return Ok(false);
            }
            for (item, element) in list.items().iter().zip(range.iter()) {
                if !pair_level(meter, item, &element, level + 1)? {
                    return Ok(false);
                }
            }
            Ok(true)
        }
        (Value::Range(a), Value::Range(b)) => {
            if a.length != b.length {
                return Ok(false);
            }
            for (x, y) in a.iter().zip(b.iter()) {
                if !pair_level(meter, &x, &y, level + 1)? {
                    return Ok(false);
                }
            }
            Ok(true)
        }
        _ => Ok(false),
    }
}

fn pair_lists(meter: &mut Meter, a: &List, b: &List, level: usize) -> Result<bool, Halt> {
    let (a, b) = (a.items(), b.items());
    if a.len() != b.len() {
        return Ok(false);
    }
    for (x, y) in a.iter().zip(b) {
        if !pair_level(meter, x, y, level + 1)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn pair_maps(meter: &mut Meter, a: &Map, b: &Map, level: usize) -> Result<bool, Halt> {
    let (a, b) = (a.entries(), b.entries());
    if a.len() != b.len() {
        return Ok(false);
    }
    for (x, y) in a.keys().zip(b.keys()) {
        meter.charge(1 + x.length() / 8 + y.length() / 8)?;
        if x != y {
            return Ok(false);
        }
    }
    for ((_, x), (_, y)) in a.iter().zip(b.iter()) {
        if !pair_level(meter, x, y, level + 1)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn eighth(value: &Value) -> u64 {
    match value {
        Value::Short(text) => count_characters(text.as_str()) as u64 / 8,
        Value::Long(text) => text.length() / 8,
        _ => 0,
    }
}

/// Equality where at least one side is no container; other types are never equal.
#[inline]
pub fn scalars_equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Null, Value::Null) => true,
        (Value::Bool(a), Value::Bool(b)) => a == b,
        (Value::Int(a), Value::Int(b)) => a == b,
        (Value::Wide(a), Value::Wide(b)) => Number::Wide(*a) == Number::Wide(*b),
        (Value::Short(a), Value::Short(b)) => a == b,
        (Value::Long(a), Value::Long(b)) => a.as_str() == b.as_str(),
        _ => false,
    }
}
