//! A value that has left its call: opaque, immutable, held by any number of threads.

use sha2::{Digest, Sha256};

use crate::document::Document;
use crate::failure::{Failure, Halt};
use crate::json_reader::Reader;
use crate::json_writer::write_unlimited;
use crate::share::{share, size_of};
use crate::value::Value;

pub struct State(Value);

// SAFETY: `new` is the only way to make one, and `share` has marked every node below as shared: their counts are atomic and they never
// change again (`node.rs`)
unsafe impl Send for State {}
// SAFETY: as above
unsafe impl Sync for State {}

impl State {
    /// The final check of a state; see `share`.
    pub fn new(value: Value) -> Result<State, Failure> {
        share(&value)?;
        Ok(State(value))
    }

    pub fn null() -> State {
        State(Value::Null)
    }

    pub fn read(json: &[u8], document: Document) -> Result<State, Halt> {
        Ok(State::new(Reader::new().read(json, document)?)?)
    }

    pub fn value(&self) -> &Value {
        &self.0
    }

    pub fn json(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(size_of(&self.0));
        write_unlimited(&self.0, &mut out);
        out
    }

    /// sha256 of the canonical text, hex.
    pub fn hash(&self) -> String {
        hex(&Sha256::digest(self.json()))
    }

    /// About how many bytes of memory it holds.
    pub fn size(&self) -> usize {
        // a small map takes about three times its text: 32 bytes for an entry, 40 for itself
        160 + 4 * size_of(&self.0)
    }
}

pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes
        .iter()
        .flat_map(|byte| [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]])
        .map(char::from)
        .collect()
}
