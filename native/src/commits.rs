//! Stored commit messages onto a state: what they say of themselves is checked, then their events are applied.
//!
//! The body of a message is described in `ARCHITECTURE.md`, Formats. Order of the checks: `docs/engine-notes.md`, 38.

use crate::document::Document;
use crate::failure::{At, Failure, Halt, fail, shown, shown_text};
use crate::folding::{Fold, Folding};
use crate::json_reader::Reader;
use crate::machine::Machine;
use crate::map::Entries;
use crate::node::FROZEN;
use crate::number::Number;
use crate::outcome::check_typed;
use crate::program::{Program, record_of};
use crate::state::State;
use crate::text::Str;
use crate::value::{MAX_DEPTH, Map, Value};

const FORMAT: i128 = 1;
/// A payload is the sixth level of its message: message, commits, commit, events, event, payload.
const ENVELOPE: usize = 5;

/// What stored commit messages must say.
pub struct Expectation {
    pub tenant_id: String,
    pub aggregate_type: String,
    pub aggregate_id: String,
    /// Before the first event.
    pub version: i64,
    pub gas_per_event: u64,
}

/// Message, command id, first version, number of events, refused.
pub type Done = (usize, String, i64, usize, bool);

pub struct CommitFold {
    pub fold: Fold,
    pub version: i64,
    pub time: String,
    pub generation: i64,
    pub commits: Vec<Done>,
}

/// One commit of a message, checked.
struct Commit {
    command_id: Value,
    first_version: i64,
    time: Value,
    refused: bool,
    /// Event ids and payloads.
    events: Vec<(Value, Value)>,
}

impl Program {
    /// Fold the events of the messages; the first thing wrong ends it.
    pub fn fold_commits(&self, state: &State, messages: &[&[u8]], expect: &Expectation) -> CommitFold {
        let mut done = CommitFold {
            fold: unchanged(),
            version: expect.version,
            time: String::new(),
            generation: 0,
            commits: Vec::new(),
        };
        let apply = match self.apply_function() {
            Ok(apply) => apply,
            Err(stop) => {
                done.fold.error = Some(record_of(&stop, 0));
                return done;
            }
        };
        let with_meta = self.declares_third(Some(apply));
        let mut machine = Machine::new(&self.code);
        machine.before = state.value().clone();
        let mut reader = Reader::new();
        let mut folding = Folding::default();
        let mut wrong = None;
        let mut version = expect.version;
        'messages: for (number, raw) in messages.iter().enumerate() {
            let (generation, commits) = match read_message(&mut reader, number, raw, version, expect) {
                Ok(message) => message,
                Err(stop) => {
                    wrong = Some(stop);
                    break;
                }
            };
            done.generation = done.generation.max(generation);
            for commit in commits {
                let count = commit.events.len();
                for (index, (event_id, payload)) in commit.events.into_iter().enumerate() {
                    let meta = if with_meta {
                        let version = Value::Int(commit.first_version + index as i64);
                        meta_of(version, &commit.time, event_id, &commit.command_id)
                    } else {
                        Value::Null
                    };
                    if !folding.apply(&mut machine, apply, &payload, &meta, expect.gas_per_event) {
                        break 'messages;
                    }
                }
                version += count as i64;
                done.time = commit.time.as_str().unwrap_or_default().to_owned();
                let command_id = commit.command_id.as_str().unwrap_or_default().to_owned();
                done.commits.push((number, command_id, commit.first_version, count, commit.refused));
            }
        }
        done.fold = folding.finish(&mut machine);
        if done.fold.error.is_none() {
            done.fold.error = wrong.map(|stop| record_of(&stop, done.fold.gas));
        }
        done.version = expect.version + done.fold.count as i64;
        done
    }
}

fn unchanged() -> Fold {
    Fold { state: None, count: 0, gas: 0, error: None }
}

fn meta_of(version: Value, time: &Value, event_id: Value, command_id: &Value) -> Value {
    let members =
        [("command_id", command_id.clone()), ("event_id", event_id), ("time", time.clone()), ("version", version)];
    Map::create(Entries::from_sorted(members.map(|(name, value)| (Str::new(name), value)).to_vec()), FROZEN)
}

/// Where a member of a message stands.
#[derive(Clone, Copy)]
enum Place {
    Message(usize),
    Commit(usize, usize),
    Event(usize, usize, usize),
}

impl Place {
    fn fail(self, key: &'static str) -> Failure {
        let place = match self {
            Place::Message(i) => format!("message {i}"),
            Place::Commit(i, j) => format!("message {i}, commit {j}"),
            Place::Event(i, j, k) => format!("message {i}, commit {j}, event {k}"),
        };
        fail(key).at(At::Nowhere).with("place", place)
    }

    fn wrong(self, member: impl Into<String>, expected: &'static str) -> Halt {
        self.fail("bad_input.message_member").with("member", member.into()).with("expected", expected).into()
    }
}

/// The members of a message, commit or event.
#[derive(Clone, Copy)]
struct Members<'a>(&'a Entries, Place);

impl<'a> Members<'a> {
    fn get(self, name: &str) -> Option<&'a Value> {
        self.0.get(&Str::new(name))
    }

    fn string(self, name: &str) -> Result<&'a Value, Halt> {
        match self.get(name) {
            Some(value @ (Value::Short(_) | Value::Long(_))) => Ok(value),
            _ => Err(self.1.wrong(name, "a string")),
        }
    }

    fn integer(self, name: &str) -> Result<i128, Halt> {
        let number = self.get(name).and_then(Value::number).and_then(Number::integer);
        number.ok_or_else(|| self.1.wrong(name, "an integer"))
    }

    fn list(self, name: &str) -> Result<&'a [Value], Halt> {
        match self.get(name) {
            Some(Value::List(list)) => Ok(list.items()),
            _ => Err(self.1.wrong(name, "a list")),
        }
    }
}

/// The generation and the commits of a message; all of it is checked.
fn read_message(
    reader: &mut Reader,
    number: usize,
    raw: &[u8],
    mut version: i64,
    expect: &Expectation,
) -> Result<(i64, Vec<Commit>), Halt> {
    let document = Document::Message(number);
    let message = reader.read_part(raw, document, MAX_DEPTH + ENVELOPE)?;
    let Value::Map(map) = &message else {
        return Err(document.fail("bad_input.not_map").with("type", message.type_name()).into());
    };
    let place = Place::Message(number);
    let members = Members(map.entries(), place);
    if members.integer("v")? != FORMAT {
        let version = members.get("v").map(shown).unwrap_or_default();
        return Err(place.fail("bad_input.message_format").with("value", version).into());
    }
    let identity = [
        ("tenant_id", &expect.tenant_id),
        ("aggregate_type", &expect.aggregate_type),
        ("aggregate_id", &expect.aggregate_id),
    ];
    for (name, wanted) in identity {
        let actual = members.string(name)?.as_str().unwrap_or_default();
        if actual != wanted {
            let failure = place.fail("bad_input.message_identity").with("member", name);
            return Err(failure.with("actual", shown_text(actual)).with("expected", shown_text(wanted)).into());
        }
    }
    let Some(&Value::Int(generation @ 0..)) = members.get("generation") else {
        return Err(place.wrong("generation", "a non-negative integer"));
    };
    let nodes = members.list("commits")?;
    let mut commits = Vec::with_capacity(nodes.len());
    for (index, node) in nodes.iter().enumerate() {
        let commit = read_commit(number, index, node, version)?;
        version += commit.events.len() as i64;
        commits.push(commit);
    }
    Ok((generation, commits))
}

fn read_commit(number: usize, index: usize, node: &Value, version: i64) -> Result<Commit, Halt> {
    let Value::Map(map) = node else {
        return Err(Place::Message(number).wrong(format!("commits[{index}]"), "a map"));
    };
    let place = Place::Commit(number, index);
    let members = Members(map.entries(), place);
    let command_id = members.string("command_id")?.clone();
    let first_version = members.integer("first_version")?;
    let expected = i128::from(version) + 1;
    if first_version != expected {
        let failure = place.fail("bad_input.message_version").count("actual", first_version);
        return Err(failure.count("expected", expected).into());
    }
    let time = members.string("time")?.clone();
    let nodes = members.list("events")?;
    let mut events = Vec::with_capacity(nodes.len());
    for (position, node) in nodes.iter().enumerate() {
        let Value::Map(map) = node else { return Err(place.wrong(format!("events[{position}]"), "a map")) };
        let own = Place::Event(number, index, position);
        let members = Members(map.entries(), own);
        let event_id = members.string("event_id")?.clone();
        let Some(payload @ Value::Map(_)) = members.get("payload") else { return Err(own.wrong("payload", "a map")) };
        check_typed(payload, Document::CommitEvent(number, index, position))?;
        events.push((event_id, payload.clone()));
    }
    let refused = members.get("refused").is_some_and(|refused| !refused.is_null());
    Ok(Commit { command_id, first_version: version + 1, time, refused, events })
}
