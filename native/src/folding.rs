//! Events onto a state, one apply each, and the error record of a fold.

use crate::document::Document;
use crate::failure::{Halt, Stop, engine_bug};
use crate::json_reader::Reader;
use crate::machine::Machine;
use crate::outcome::{check_typed, is_type};
use crate::program::{Program, optional, record_of};
use crate::skim::{Record, Wanted};
use crate::state::State;
use crate::text::Str;
use crate::value::Value;
use crate::walk::scalars_equal;

pub struct Fold {
    /// None: the one that was given.
    pub state: Option<State>,
    pub count: usize,
    pub gas: u64,
    pub error: Option<Vec<u8>>,
}

/// A fold on its way: the machine has the state, here is what else is known of it.
#[derive(Default)]
pub struct Folding {
    pub count: usize,
    pub gas: u64,
    pub failure: Option<Halt>,
}

impl Folding {
    /// Apply one event; false where that failed.
    #[inline(always)]
    pub fn apply(&mut self, machine: &mut Machine<'_>, function: usize, event: Value, meta: Value, gas: u64) -> bool {
        let applied = machine.apply(function, event, meta, gas);
        self.gas += machine.context.meter.used();
        match applied {
            Ok(()) => {
                self.count += 1;
                true
            }
            Err(stop) => {
                // `apply` cannot reject; if it does, it is our defect
                let defect = matches!(*stop, Stop::Rejection(_));
                self.failure = Some(if defect { engine_bug() } else { stop });
                false
            }
        }
    }

    /// State, number of events and error record at the end. Where the state cannot be written within the limits, the state is the one
    /// that was given and no event counts.
    pub fn finish(self, machine: &mut Machine<'_>) -> Fold {
        let gas = self.gas;
        let state = State::new(std::mem::replace(&mut machine.before, Value::Null));
        match (state, self.failure.as_deref()) {
            (Ok(state), None) => Fold { state: Some(state), count: self.count, gas, error: None },
            (Ok(state), Some(stop)) => {
                let mut error = open_record(stop, gas, self.count);
                error.extend_from_slice(b",\"state\":");
                error.extend_from_slice(&state.json());
                error.push(b'}');
                Fold { state: Some(state), count: self.count, gas, error: Some(error) }
            }
            (Err(too_large), None) => Fold { state: None, count: 0, gas, error: Some(too_large.record(gas)) },
            (Err(_), Some(stop)) => {
                let mut error = open_record(stop, gas, self.count);
                error.push(b'}');
                Fold { state: None, count: 0, gas, error: Some(error) }
            }
        }
    }
}

fn open_record(stop: &Stop, gas: u64, index: usize) -> Vec<u8> {
    let mut record = record_of(stop, gas);
    record.pop();
    record.extend_from_slice(format!(",\"index\":{index}").as_bytes());
    record
}

/// Events that have been read.
enum Events<'w> {
    Whole(Vec<Value>),
    /// Of each event the members that `apply` reads, one row after the other.
    Members(&'w Wanted, Vec<Value>),
}

impl Program {
    /// Read and check all events.
    fn read_events(&self, reader: &mut Reader, events: &[&[u8]]) -> Result<Events<'_>, Halt> {
        let Some(wanted) = &self.event_reads else {
            let read = |(index, raw): (usize, &&[u8])| read_event(reader, raw, index);
            return events.iter().enumerate().map(read).collect::<Result<_, Halt>>().map(Events::Whole);
        };
        let kind = wanted.position(&Str::new("type")).unwrap_or(0);
        let mut values = Vec::with_capacity(events.len() * wanted.len());
        let mut known_type = Value::Unbound;
        for (index, raw) in events.iter().enumerate() {
            let start = values.len();
            values.resize_with(start + wanted.len(), || Value::Unbound);
            let skimmed = reader.skim(raw, wanted, &mut values[start..]);
            if skimmed {
                // the same few types come again and again
                let of_known_type = scalars_equal(&values[start + kind], &known_type);
                if of_known_type || values[start + kind].as_str().is_some_and(is_type) {
                    if !of_known_type {
                        known_type = values[start + kind].clone();
                    }
                    continue;
                }
            }
            values.truncate(start);
            let event = read_event(reader, raw, index)?;
            if let Value::Map(map) = &event {
                let member = |name| map.entries().get(name).cloned().unwrap_or(Value::Unbound);
                values.extend(wanted.names().map(member));
            }
        }
        Ok(Events::Members(wanted, values))
    }

    /// `apply` over events. All events are read and checked before the first is applied.
    pub fn fold(&self, state: &State, events: &[&[u8]], gas_per_event: u64, meta: Option<&[u8]>) -> Fold {
        let inputs = (|| -> Result<_, Halt> {
            let apply = self.apply_function()?;
            let mut reader = Reader::new();
            let events = self.read_events(&mut reader, events)?;
            let meta = optional(&mut reader, meta, "meta")?;
            self.check_third(Some(apply), "apply", "meta", meta.as_ref())?;
            Ok((apply, events, meta.unwrap_or(Value::Null)))
        })();
        let (apply, events, meta) = match inputs {
            Ok(inputs) => inputs,
            Err(stop) => return Fold { state: None, count: 0, gas: 0, error: Some(record_of(&stop, 0)) },
        };
        let mut machine = Machine::new(&self.code);
        machine.before = state.value().clone();
        let mut folding = Folding::default();
        let mut apply = |event: Value| folding.apply(&mut machine, apply, event, meta.clone(), gas_per_event);
        match events {
            Events::Whole(values) => drop(values.into_iter().all(apply)),
            Events::Members(wanted, mut values) => {
                let mut record = Record::new(wanted);
                let _ = values.chunks_exact_mut(wanted.len()).all(|event| apply(record.fill(event).clone()));
            }
        }
        folding.finish(&mut machine)
    }
}

fn read_event(reader: &mut Reader, raw: &[u8], index: usize) -> Result<Value, Halt> {
    let event = reader.read(raw, Document::Event(index))?;
    check_typed(&event, Document::Event(index))?;
    Ok(event)
}
