//! A filter over rows of states.

use crate::document::Document;
use crate::failure::{Halt, Stop};
use crate::json_reader::Reader;
use crate::machine::Machine;
use crate::map::Entries;
use crate::node::FROZEN;
use crate::program::{Given, Program, meta_of, record_of, state_of};
use crate::scan::prefetch_text;
use crate::skim::Record;
use crate::template::Skimmer;
use crate::value::{Map, Value};

/// So many rows ahead are on their way from memory: there are more of them than a cache holds.
const AHEAD: usize = 8;

const NO_ROW: u8 = 0;
const ROW: u8 = 1;
const FAILED_ROW: u8 = 2;

#[derive(Default)]
pub struct Matches {
    pub rows: Vec<u8>,
    pub errors: usize,
    pub first_error: Option<Vec<u8>>,
    pub gas: u64,
    pub error: Option<Vec<u8>>,
}

impl Program {
    /// `metas` has one document a row, or None for empty maps. A row's limit is the smaller of its own and what is left of the total.
    pub fn matches(&self, states: &[Given<'_>], metas: Option<&[&[u8]]>, row_gas: u64, total_gas: u64) -> Matches {
        let mut machine = Machine::new(&self.code);
        let mut reader = Reader::new();
        let nothing = Map::create(Entries::new(), FROZEN);
        let mut skimmed = self.row_reads.as_ref().map(|wanted| (Skimmer::new(wanted), Record::new(wanted)));
        let mut found = Matches { rows: Vec::with_capacity(states.len()), ..Matches::default() };
        for (index, &state) in states.iter().enumerate() {
            if let Some(Given::Text(text)) = states.get(index + AHEAD) {
                prefetch_text(text);
            }
            let limit = row_gas.min(total_gas - found.gas);
            let meta = metas.map(|metas| metas[index]);
            let row = match (&mut skimmed, state) {
                (Some((skimmer, record)), Given::Text(text)) => {
                    record.change(|slots| reader.skim(text, skimmer, slots)).then(|| record.value())
                }
                _ => None,
            };
            let result = match (row, meta) {
                (Some(state), None) => Ok(machine.filter(state, &nothing, limit)),
                (Some(state), Some(_)) => meta_of(&mut reader, meta).map(|meta| machine.filter(state, &meta, limit)),
                (None, _) => state_of(&mut reader, state)
                    .and_then(|state| match meta {
                        None => Ok((state, nothing.clone())),
                        Some(_) => Ok((state, meta_of(&mut reader, meta)?)),
                    })
                    .map(|(state, meta)| machine.filter(&state, &meta, limit)),
            };
            let (result, used) = match result {
                Ok(result) => (result, machine.context.meter.used()),
                Err(stop) => (Err(stop), 0),
            };
            match result {
                Ok(matched) => found.rows.push(if matched == Some(true) { ROW } else { NO_ROW }),
                Err(stop) => {
                    if is_out_of_gas(&stop) && found.gas + limit >= total_gas {
                        let error = Some(record_of(&stop, total_gas));
                        return Matches { gas: total_gas, error, ..Matches::default() };
                    }
                    found.rows.push(FAILED_ROW);
                    found.errors += 1;
                    if found.first_error.is_none() {
                        found.first_error = Some(record_of(&stop, used));
                    }
                }
            }
            found.gas += used;
        }
        found
    }
}

fn is_out_of_gas(stop: &Stop) -> bool {
    matches!(stop, Stop::Failure(failure) if failure.is_out_of_gas())
}

/// The canonical text of a document.
pub fn canonical(json: &[u8]) -> Result<Vec<u8>, Halt> {
    let value: Value = Reader::new().read(json, Document::Named("document"))?;
    Ok(crate::json_writer::to_json(&value)?)
}
