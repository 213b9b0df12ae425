//! Events onto a state, one apply each, and the error record of a fold.

use crate::document::Document;
use crate::failure::{Halt, Stop};
use crate::json_reader::Reader;
use crate::machine::{Machine, engine_bug};
use crate::outcome::check_typed;
use crate::program::{Program, optional, record_of};
use crate::state::State;
use crate::value::Value;

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
    #[inline]
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

impl Program {
    /// `apply` over events. All events are read and checked before the first is applied.
    pub fn fold(&self, state: &State, events: &[&[u8]], gas_per_event: u64, meta: Option<&[u8]>) -> Fold {
        let inputs = (|| -> Result<_, Halt> {
            let apply = self.apply_function()?;
            let mut reader = Reader::new();
            let mut values = Vec::with_capacity(events.len());
            for (index, raw) in events.iter().enumerate() {
                let value = reader.read(raw, Document::Event(index))?;
                check_typed(&value, Document::Event(index))?;
                values.push(value);
            }
            let meta = optional(&mut reader, meta, "meta")?;
            self.check_third(Some(apply), "apply", "meta", meta.as_ref())?;
            Ok((apply, values, meta.unwrap_or(Value::Null)))
        })();
        let (apply, values, meta) = match inputs {
            Ok(inputs) => inputs,
            Err(stop) => return Fold { state: None, count: 0, gas: 0, error: Some(record_of(&stop, 0)) },
        };
        let mut machine = Machine::new(&self.0);
        machine.before = state.value().clone();
        let mut folding = Folding::default();
        for event in values {
            if !folding.apply(&mut machine, apply, event, meta.clone(), gas_per_event) {
                break;
            }
        }
        folding.finish(&mut machine)
    }
}
