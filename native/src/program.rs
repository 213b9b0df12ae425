//! A loaded program and its calls: `execute`, `decide`, `apply`, `evaluate`, `matches`; folds are in `folding.rs` and `commits.rs`.

use crate::code::{Code, Kind};
use crate::document::Document;
use crate::event_id::event_id;
use crate::failure::{At, Failure, Halt, Stop, fail};
use crate::json_reader::Reader;
use crate::json_writer::to_json;
use crate::machine::Machine;
use crate::map::Entries;
use crate::node::FROZEN;
use crate::number::{self, Number};
use crate::outcome::{check_events, check_typed, write_events};
use crate::reads::reads;
use crate::skim::{Part, Wanted};
use crate::stack::push_copy;
use crate::state::State;
use crate::text::Str;
use crate::value::{MAX_TEXT, Map, Value};
use crate::walk::Writer;

pub struct Program {
    pub code: Code,
    /// What `apply` reads of its event, where it does nothing else with it.
    pub event_reads: Option<Wanted>,
    /// What a filter reads of a row, where it does nothing else with it.
    pub row_reads: Option<Wanted>,
}

/// A state as a caller gives it.
#[derive(Clone, Copy)]
pub enum Given<'a> {
    Handle(&'a State),
    Text(&'a [u8]),
}

#[derive(Default)]
pub struct Decision {
    pub events: Vec<Vec<u8>>,
    pub types: Vec<String>,
    pub state: Option<State>,
    pub gas: u64,
    pub rejection: Option<Vec<u8>>,
    pub error: Option<Vec<u8>>,
    pub in_apply: bool,
}

#[derive(Default)]
pub struct Evaluation {
    pub value: Option<Vec<u8>>,
    pub gas: u64,
    pub rejection: Option<Vec<u8>>,
    pub error: Option<Vec<u8>>,
}

/// What a run ended with in place of a value, as the outcomes have it.
pub fn record_of(stop: &Stop, gas: u64) -> Vec<u8> {
    match stop {
        Stop::Failure(failure) => failure.record(gas),
        Stop::Rejection(_) => fail("engine_bug.failure").at(At::Nowhere).record(gas),
    }
}

impl Evaluation {
    fn of(result: Result<Vec<u8>, Halt>, gas: u64) -> Evaluation {
        match result.map_err(|stop| *stop) {
            Ok(value) => Evaluation { value: Some(value), gas, ..Evaluation::default() },
            Err(Stop::Rejection(text)) => Evaluation { gas, rejection: Some(text), ..Evaluation::default() },
            Err(stop) => Evaluation { gas, error: Some(record_of(&stop, gas)), ..Evaluation::default() },
        }
    }
}

/// What `decide` gave: the list, the types and texts of its events.
type Decided = (Value, Vec<String>, Vec<Vec<u8>>);

// SAFETY: what is not `Sync` by itself are values and strings in tables of the code and in the wanted members; `load` and `new` have marked
// all of them as shared, so that their counts are atomic and they never change again (`node.rs`)
unsafe impl Sync for Program {}
// SAFETY: as above
unsafe impl Send for Program {}

impl Program {
    /// Of code that `load` made.
    pub fn new(code: Code) -> Program {
        let type_name = Str::new("type");
        let event_reads = code.apply.and_then(|apply| reads(&code, apply, 1, false)).map(|mut wanted| {
            wanted.add(&type_name, Part::All);
            wanted
        });
        let row_reads = if code.kind == Kind::Filter { reads(&code, 0, 0, true) } else { None };
        event_reads.iter().chain(&row_reads).for_each(Wanted::mark_shared);
        Program { code, event_reads, row_reads }
    }

    pub fn has_decide(&self) -> bool {
        self.code.decide.is_some()
    }

    pub fn has_apply(&self) -> bool {
        self.code.apply.is_some()
    }

    pub fn needs_ctx(&self) -> bool {
        self.declares_third(self.code.decide) || self.declares_third(self.code.apply)
    }

    pub fn declares_third(&self, function: Option<usize>) -> bool {
        function.is_some_and(|index| self.code.functions[index].params == 3)
    }

    pub fn decide_function(&self) -> Result<usize, Halt> {
        self.code.decide.ok_or_else(|| no_function("decide"))
    }

    pub fn apply_function(&self) -> Result<usize, Halt> {
        self.code.apply.ok_or_else(|| no_function("apply"))
    }

    /// `ctx` or `meta` where it is declared: given, and a map.
    pub fn check_third(
        &self,
        function: Option<usize>,
        name: &'static str,
        document: &'static str,
        value: Option<&Value>,
    ) -> Result<(), Halt> {
        if !self.declares_third(function) {
            return Ok(());
        }
        match value {
            Some(Value::Map(_)) => Ok(()),
            Some(other) => Err(not_a_map(document, other)),
            None => {
                let failure = Document::Named(document).fail("bad_input.missing");
                Err(failure.with("function", name).into())
            }
        }
    }

    pub fn execute(
        &self,
        state: &State,
        command: &[u8],
        ctx: Option<&[u8]>,
        (decide_gas, apply_gas): (u64, u64),
        meta: Option<&[u8]>,
    ) -> Decision {
        let inputs = (|| -> Result<_, Halt> {
            let (decide, apply) = (self.decide_function()?, self.apply_function()?);
            let mut reader = Reader::new();
            let command = command_of(&mut reader, command)?;
            let context = optional(&mut reader, ctx, "ctx")?;
            let meta = optional(&mut reader, meta, "meta")?;
            self.check_third(Some(decide), "decide", "ctx", context.as_ref())?;
            match &meta {
                Some(meta) => self.check_third(Some(apply), "apply", "meta", Some(meta))?,
                None => self.check_third(Some(apply), "apply", "ctx", context.as_ref())?,
            }
            Ok((decide, apply, command, context, meta))
        })();
        let (decide, apply, command, context, meta) = match inputs {
            Ok(inputs) => inputs,
            Err(stop) => return Decision { error: Some(record_of(&stop, 0)), ..Decision::default() },
        };
        let mut machine = Machine::new(&self.code);
        let context = context.unwrap_or(Value::Null);
        let arguments = [state.value().clone(), command, context.clone()];
        let decided = decided(&mut machine, decide, arguments, decide_gas);
        let mut gas = machine.context.meter.used();
        let (list, types, events) = match decided.map_err(|stop| *stop) {
            Ok(decided) => decided,
            Err(Stop::Rejection(text)) => return Decision { gas, rejection: Some(text), ..Decision::default() },
            Err(stop) => return Decision { gas, error: Some(record_of(&stop, gas)), ..Decision::default() },
        };
        machine.before = state.value().clone();
        let makes_meta = meta.is_none() && self.declares_third(Some(apply));
        let mut third = meta.unwrap_or(Value::Null);
        if let Value::List(list) = &list {
            for (index, event) in list.items().iter().enumerate() {
                if makes_meta {
                    third = event_meta(&context, index);
                }
                let applied = machine.apply(apply, event, &third, apply_gas);
                gas += machine.context.meter.used();
                if let Err(stop) = applied {
                    let error = Some(record_of(&stop, gas));
                    return Decision { gas, error, in_apply: true, ..Decision::default() };
                }
            }
        }
        match State::new(std::mem::replace(&mut machine.before, Value::Null)) {
            Ok(state) => Decision { events, types, state: Some(state), gas, ..Decision::default() },
            Err(failure) => Decision { gas, error: Some(failure.record(gas)), in_apply: true, ..Decision::default() },
        }
    }

    pub fn decide(&self, state: Given<'_>, command: &[u8], ctx: Option<&[u8]>, gas: u64) -> Evaluation {
        let mut reader = Reader::new();
        let inputs = (|| -> Result<_, Halt> {
            let decide = self.decide_function()?;
            let state = state_of(&mut reader, state)?;
            let command = command_of(&mut reader, command)?;
            let context = optional(&mut reader, ctx, "ctx")?;
            self.check_third(Some(decide), "decide", "ctx", context.as_ref())?;
            Ok((decide, [state, command, context.unwrap_or(Value::Null)]))
        })();
        let (decide, arguments) = match inputs {
            Ok(inputs) => inputs,
            Err(stop) => return Evaluation::of(Err(stop), 0),
        };
        let mut machine = Machine::new(&self.code);
        let decided = decided(&mut machine, decide, arguments, gas);
        let text = decided.map(|(_, _, events)| {
            let mut text = b"[".to_vec();
            text.extend_from_slice(&events.join(&b','));
            text.push(b']');
            text
        });
        Evaluation::of(text, machine.context.meter.used())
    }

    pub fn apply(&self, state: Given<'_>, event: &[u8], meta: Option<&[u8]>, gas: u64) -> Evaluation {
        let mut reader = Reader::new();
        let inputs = (|| -> Result<_, Halt> {
            let apply = self.apply_function()?;
            let state = state_of(&mut reader, state)?;
            let event = reader.read(event, Document::Named("event"))?;
            check_typed(&event, Document::Named("event"))?;
            let meta = optional(&mut reader, meta, "meta")?;
            self.check_third(Some(apply), "apply", "meta", meta.as_ref())?;
            Ok((apply, state, event, meta.unwrap_or(Value::Null)))
        })();
        let (apply, state, event, meta) = match inputs {
            Ok(inputs) => inputs,
            Err(stop) => return Evaluation::of(Err(stop), 0),
        };
        let mut machine = Machine::new(&self.code);
        machine.before = state;
        let applied = machine.apply(apply, &event, &meta, gas);
        let text = applied.and_then(|()| Ok(to_json(&machine.before)?));
        // a rejection cannot come from `apply`; if one does, it is our defect
        let text = text.map_err(|stop| match *stop {
            Stop::Rejection(_) => crate::failure::engine_bug(),
            stop => Box::new(stop),
        });
        Evaluation::of(text, machine.context.meter.used())
    }

    /// The value of a filter or expression for one state.
    pub fn evaluate(&self, state: Given<'_>, meta: Option<&[u8]>, gas: u64) -> Evaluation {
        let mut reader = Reader::new();
        let inputs = (|| Ok((state_of(&mut reader, state)?, meta_of(&mut reader, meta)?)))();
        let (state, meta) = match inputs {
            Ok(inputs) => inputs,
            Err(stop) => return Evaluation::of(Err(stop), 0),
        };
        let mut machine = Machine::new(&self.code);
        let text = if self.code.kind == Kind::Filter {
            machine.filter(&state, &meta, gas).map(|matched| match matched {
                None => b"null".to_vec(),
                Some(true) => b"true".to_vec(),
                Some(false) => b"false".to_vec(),
            })
        } else {
            machine.run(0, [state, meta, Value::Null], gas).and_then(|value| {
                let mut writer = Writer::of_output(MAX_TEXT, At::Nowhere);
                writer.value(&mut machine.context.meter, &value, 1)?;
                Ok(writer.out)
            })
        };
        Evaluation::of(text, machine.context.meter.used())
    }
}

impl Machine<'_> {
    /// One `apply` on the state `before`, which is the one after it where nothing fails.
    #[inline]
    pub fn apply(&mut self, function: usize, event: &Value, meta: &Value, gas: u64) -> Result<(), Halt> {
        push_copy(&mut self.stack, &self.before);
        push_copy(&mut self.stack, event);
        if self.code.functions[function].params > 2 {
            push_copy(&mut self.stack, meta);
        }
        let after = self.start(function, gas)?;
        std::mem::replace(&mut self.before, after).discard();
        Ok(())
    }

    /// The value of a filter: true, false or null.
    #[inline]
    pub fn filter(&mut self, state: &Value, meta: &Value, gas: u64) -> Result<Option<bool>, Halt> {
        push_copy(&mut self.stack, state);
        push_copy(&mut self.stack, meta);
        match self.start(0, gas)? {
            Value::Null => Ok(None),
            Value::Bool(matched) => Ok(Some(matched)),
            other => {
                let (line, column) = self.code.places[0];
                let failure = fail("filter_type.result").at(At::Place(line, column));
                Err(failure.with("type", other.type_name()).into())
            }
        }
    }
}

fn decided(machine: &mut Machine<'_>, decide: usize, arguments: [Value; 3], gas: u64) -> Result<Decided, Halt> {
    let list = machine.run(decide, arguments, gas)?;
    let types = check_events(&list)?;
    let events = write_events(&mut machine.context, &list)?;
    Ok((list, types, events))
}

fn no_function(name: &'static str) -> Halt {
    fail("no_function.missing").at(At::Nowhere).with("function", name).into()
}

fn not_a_map(document: &'static str, value: &Value) -> Halt {
    let failure: Failure = Document::Named(document).fail("bad_input.not_map");
    failure.with("type", value.type_name()).into()
}

fn command_of(reader: &mut Reader, command: &[u8]) -> Result<Value, Halt> {
    let command = reader.read(command, Document::Named("command"))?;
    check_typed(&command, Document::Named("command"))?;
    Ok(command)
}

pub fn state_of(reader: &mut Reader, state: Given<'_>) -> Result<Value, Halt> {
    match state {
        Given::Handle(state) => Ok(state.value().clone()),
        Given::Text(text) => reader.read(text, Document::Named("state")),
    }
}

pub fn optional(reader: &mut Reader, raw: Option<&[u8]>, name: &'static str) -> Result<Option<Value>, Halt> {
    raw.map(|raw| reader.read(raw, Document::Named(name))).transpose()
}

/// The `meta` of a filter or expression: none given is an empty map.
pub fn meta_of(reader: &mut Reader, raw: Option<&[u8]>) -> Result<Value, Halt> {
    match optional(reader, raw, "meta")? {
        None => Ok(Map::create(Entries::new(), FROZEN)),
        Some(meta @ Value::Map(_)) => Ok(meta),
        Some(other) => Err(not_a_map("meta", &other)),
    }
}

/// The meta of event `index`, made from ctx; members whose sources are missing or of another type are left out.
fn event_meta(context: &Value, index: usize) -> Value {
    let Value::Map(map) = context else { return Map::create(Entries::new(), FROZEN) };
    let get = |name: &str| map.entries().get(&Str::new(name));
    let text = |name: &str| get(name).and_then(Value::as_str);
    let mut meta = Entries::with_capacity(4);
    let version = get("version").and_then(Value::number).filter(|version| version.integer().is_some());
    if let Some(Ok(version)) = version.map(|version| number::add(version, Number::Int(1 + index as i64))) {
        meta.insert(Str::new("version"), version.into());
    }
    let (time, command) = (text("time"), text("command_id"));
    if let Some(time) = time {
        meta.insert(Str::new("time"), Value::text(time));
    }
    if let Some(command) = command {
        meta.insert(Str::new("command_id"), Value::text(command));
    }
    if let (Some(tenant), Some(aggregate), Some(command), Some(time)) =
        (text("tenant_id"), text("aggregate_id"), command, time)
    {
        if let Some(id) = event_id(tenant, aggregate, command, time, index as u64) {
            meta.insert(Str::new("event_id"), Value::text(&id));
        }
    }
    Map::create(meta, FROZEN)
}
