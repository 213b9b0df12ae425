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

/// A filter that takes rows one after the other, and what it keeps from row to row. Where they come from is nothing to it.
pub struct RowFilter<'p> {
    machine: Machine<'p>,
    reader: Reader,
    nothing: Value,
    skimmed: Option<(Skimmer<'p>, Record<'p>)>,
}

impl<'p> RowFilter<'p> {
    pub fn new(program: &'p Program) -> RowFilter<'p> {
        RowFilter {
            machine: Machine::new(&program.code),
            reader: Reader::new(),
            nothing: Map::create(Entries::new(), FROZEN),
            skimmed: program.row_reads.as_ref().map(|wanted| (Skimmer::new(wanted), Record::new(wanted))),
        }
    }

    /// Whether a row matches, and the gas that took. No `meta` is an empty map.
    pub fn matches(&mut self, state: Given<'_>, meta: Option<&[u8]>, limit: u64) -> (Result<Option<bool>, Halt>, u64) {
        match self.filtered(state, meta, limit) {
            Ok(result) => (result, self.machine.context.meter.used()),
            Err(stop) => (Err(stop), 0),
        }
    }

    /// The error beside the result is one of reading.
    #[inline]
    fn filtered(
        &mut self,
        state: Given<'_>,
        meta: Option<&[u8]>,
        limit: u64,
    ) -> Result<Result<Option<bool>, Halt>, Halt> {
        let RowFilter { machine, reader, nothing, skimmed } = self;
        let row = match (skimmed, state) {
            (Some((skimmer, record)), Given::Text(text)) => {
                record.change(|slots| reader.skim(text, skimmer, slots)).then(|| record.value())
            }
            _ => None,
        };
        let read;
        let state = match row {
            Some(row) => row,
            None => {
                read = state_of(reader, state)?;
                &read
            }
        };
        match meta {
            None => Ok(machine.filter(state, nothing, limit)),
            Some(_) => {
                let meta = meta_of(reader, meta)?;
                Ok(machine.filter(state, &meta, limit))
            }
        }
    }
}

/// Rows one after the other under one limit of gas for each and one for all, and what became of them together.
pub struct Rows<'p> {
    filter: RowFilter<'p>,
    row_gas: u64,
    total_gas: u64,
    pub gas: u64,
    pub errors: usize,
    pub first_error: Option<Vec<u8>>,
}

impl<'p> Rows<'p> {
    pub fn new(filter: RowFilter<'p>, row_gas: u64, total_gas: u64) -> Rows<'p> {
        Rows { filter, row_gas, total_gas, gas: 0, errors: 0, first_error: None }
    }

    /// True, false, or None where the row fails, which is counted. A row's limit is the smaller of its own and what is left of the total;
    /// where it spends all that is left, the call ends with the record that is the error here.
    #[inline]
    pub fn matches(&mut self, state: Given<'_>, meta: Option<&[u8]>) -> Result<Option<bool>, Vec<u8>> {
        let limit = self.row_gas.min(self.total_gas - self.gas);
        let (result, used) = self.filter.matches(state, meta, limit);
        match result {
            Ok(matched) => {
                self.gas += used;
                Ok(Some(matched == Some(true)))
            }
            Err(stop) => self.failed(&stop, limit, used),
        }
    }

    #[cold]
    fn failed(&mut self, stop: &Stop, limit: u64, used: u64) -> Result<Option<bool>, Vec<u8>> {
        if is_out_of_gas(stop) && self.gas + limit >= self.total_gas {
            return Err(record_of(stop, self.total_gas));
        }
        self.gas += used;
        self.errors += 1;
        if self.first_error.is_none() {
            self.first_error = Some(record_of(stop, used));
        }
        Ok(None)
    }
}

impl Program {
    /// `metas` has one document a row, or None for empty maps.
    pub fn matches(&self, states: &[Given<'_>], metas: Option<&[&[u8]]>, row_gas: u64, total_gas: u64) -> Matches {
        let mut rows = Rows::new(RowFilter::new(self), row_gas, total_gas);
        let mut flags = Vec::with_capacity(states.len());
        for (index, &state) in states.iter().enumerate() {
            if let Some(Given::Text(text)) = states.get(index + AHEAD) {
                prefetch_text(text);
            }
            match rows.matches(state, metas.map(|metas| metas[index])) {
                Ok(Some(false)) => flags.push(NO_ROW),
                Ok(Some(true)) => flags.push(ROW),
                Ok(None) => flags.push(FAILED_ROW),
                Err(record) => return Matches { gas: total_gas, error: Some(record), ..Matches::default() },
            }
        }
        Matches { rows: flags, errors: rows.errors, first_error: rows.first_error, gas: rows.gas, error: None }
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
