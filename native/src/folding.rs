//! Events onto a state, one apply each, and the error record of a fold.

use crate::document::Document;
use crate::failure::{Halt, Stop, engine_bug};
use crate::json_reader::Reader;
use crate::machine::Machine;
use crate::outcome::{check_typed, is_type};
use crate::program::{Program, optional, record_of};
use crate::scan::prefetch_text;
use crate::skim::{Record, Wanted};
use crate::state::State;
use crate::template::Skimmer;
use crate::text::Str;
use crate::value::Value;

/// So many events ahead are on their way from memory.
const AHEAD: usize = 8;

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
    pub fn apply(&mut self, machine: &mut Machine<'_>, function: usize, event: &Value, meta: &Value, gas: u64) -> bool {
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

/// The events of a fold, read one after the other.
struct Events<'w> {
    reader: Reader,
    /// Where `apply` reads some members alone.
    members: Option<Members<'w>>,
    whole: Value,
}

struct Members<'w> {
    wanted: &'w Wanted,
    skimmer: Skimmer<'w>,
    record: Record<'w>,
    /// Where the type stands, and the last one that was found sound: the same few come again and again.
    kind: usize,
    known: Value,
}

impl Events<'_> {
    /// Read and check an event.
    #[inline]
    fn read(&mut self, raw: &[u8], index: usize) -> Result<&Value, Halt> {
        let Some(members) = &mut self.members else {
            self.whole = read_event(&mut self.reader, raw, index)?;
            return Ok(&self.whole);
        };
        let (kind, known) = (members.kind, &mut members.known);
        let is_read = members.record.change(|slots| {
            self.reader.skim(raw, &mut members.skimmer, &mut *slots) && is_typed(&slots[kind].1, known)
        });
        if !is_read {
            members.fill(&read_event(&mut self.reader, raw, index)?);
        }
        Ok(members.record.value())
    }
}

impl Members<'_> {
    #[cold]
    fn fill(&mut self, event: &Value) {
        let Value::Map(map) = event else { return };
        self.record.change(|slots| {
            for (slot, name) in slots.iter_mut().zip(self.wanted.names()) {
                slot.1 = map.entries().get(name).cloned().unwrap_or(Value::Unbound);
            }
        });
    }
}

#[inline]
fn is_typed(kind: &Value, known: &mut Value) -> bool {
    if let (Value::Short(kind), Value::Short(known)) = (kind, &*known) {
        if kind == known {
            return true;
        }
    }
    let sound = kind.as_str().is_some_and(is_type);
    if sound {
        *known = kind.clone();
    }
    sound
}

impl Program {
    fn events(&self) -> Events<'_> {
        let members = self.event_reads.as_ref().map(|wanted| Members {
            wanted,
            skimmer: Skimmer::new(wanted),
            record: Record::new(wanted),
            kind: wanted.position(&Str::new("type")).unwrap_or(0),
            known: Value::Unbound,
        });
        Events { reader: Reader::new(), members, whole: Value::Null }
    }

    /// `apply` over events. All events are read and checked, also after one that cannot be applied: an unsound one is what is told of then.
    pub fn fold(&self, state: &State, events: &[&[u8]], gas_per_event: u64, meta: Option<&[u8]>) -> Fold {
        let unread = |stop: &Stop| Fold { state: None, count: 0, gas: 0, error: Some(record_of(stop, 0)) };
        let apply = match self.apply_function() {
            Ok(apply) => apply,
            Err(stop) => return unread(&stop),
        };
        let mut all = self.events();
        let meta = optional(&mut all.reader, meta, "meta")
            .and_then(|meta| self.check_third(Some(apply), "apply", "meta", meta.as_ref()).map(|()| meta));
        let given = meta.as_ref().ok().map(|meta| meta.as_ref().unwrap_or(&Value::Null));
        let mut machine = Machine::new(&self.code);
        machine.before = state.value().clone();
        let mut folding = Folding::default();
        for (index, raw) in events.iter().enumerate() {
            if let Some(later) = events.get(index + AHEAD) {
                prefetch_text(later);
            }
            match (all.read(raw, index), given) {
                (Ok(event), Some(meta)) if folding.failure.is_none() => {
                    folding.apply(&mut machine, apply, event, meta, gas_per_event);
                }
                (Ok(_), _) => {}
                (Err(stop), _) => return unread(&stop),
            }
        }
        match meta {
            Ok(_) => folding.finish(&mut machine),
            Err(stop) => unread(&stop),
        }
    }
}

fn read_event(reader: &mut Reader, raw: &[u8], index: usize) -> Result<Value, Halt> {
    let event = reader.read(raw, Document::Event(index))?;
    check_typed(&event, Document::Event(index))?;
    Ok(event)
}
