//! Values of the language, 16 bytes each, and what makes them mutable.
//!
//! Null, bools, all numbers and strings up to 14 bytes stand in the value itself; the rest is a counted node (`node.rs`). A list or map
//! that a program makes carries the epoch of that call and is mutable in it alone, so freezing all that a call leaves behind costs nothing.

use std::cell::{Cell, UnsafeCell};

use crate::map::Entries;
use crate::node::{FROZEN, Header, Node, Ptr};
use crate::number::{Number, Wide};
use crate::text::{Long, Short, Str};

pub const MAX_DEPTH: usize = 64;
pub const MAX_LIST: usize = 100_000;
pub const MAX_MAP: usize = 50_000;
pub const MAX_KEY: u64 = 256;
pub const MAX_STRING: u64 = 200_000;
pub const MAX_RANGE: u64 = 1_000_000;
pub const MAX_TEXT: usize = 1_048_576;
pub const MAX_EVENTS: usize = 1000;

/// The kind is the first byte; `whole` knows where the rest stands.
#[repr(u8)]
pub enum Value {
    /// A slot without a value; never leaves the machine.
    Unbound,
    Null,
    Bool(bool),
    Int(i64),
    Wide(Wide),
    Short(Short),
    Long(Long),
    List(Ptr<List>),
    Map(Ptr<Map>),
    Range(Ptr<Range>),
}

const _: () = assert!(size_of::<Value>() == 16 && size_of::<Option<Value>>() == 16 && size_of::<Str>() == 16);

#[repr(C)]
pub struct List {
    header: Header,
    /// How many loops are iterating over it in the call that may change it.
    pub locks: Cell<u32>,
    pub shape: Cell<Shape>,
    items: UnsafeCell<Vec<Value>>,
}

#[repr(C)]
pub struct Map {
    header: Header,
    pub locks: Cell<u32>,
    pub shape: Cell<Shape>,
    entries: UnsafeCell<Entries>,
}

/// What `range` makes: a read-only list whose elements are computed.
#[repr(C)]
pub struct Range {
    header: Header,
    pub start: Number,
    pub step: Number,
    pub length: u64,
}

/// Canonical size and depth of a shared container, in one word; 0 while they are not known.
#[derive(Clone, Copy, Default)]
pub struct Shape(u32);

impl Shape {
    /// `size` is at most that of a document, so that it fits beside the depth.
    pub fn new(size: usize, depth: usize) -> Shape {
        Shape((size as u32) << 8 | depth as u32)
    }

    pub fn known(self) -> Option<(usize, usize)> {
        (self.0 != 0).then_some(((self.0 >> 8) as usize, (self.0 & 0xff) as usize))
    }
}

impl Node for List {
    fn header(&self) -> &Header {
        &self.header
    }

    fn dismantle(&mut self) {
        let mut dying = Vec::new();
        self.empty(0, &mut dying);
        release(dying);
    }
}

impl Node for Map {
    fn header(&self) -> &Header {
        &self.header
    }

    fn dismantle(&mut self) {
        let mut dying = Vec::new();
        self.empty(0, &mut dying);
        release(dying);
    }
}

impl Node for Range {
    fn header(&self) -> &Header {
        &self.header
    }
}

/// So deep containers are taken apart by recursion.
const DIRECT: u32 = 16;

/// Free containers that nobody refers to any more and that stood too deep for that.
fn release(mut dying: Vec<Value>) {
    while let Some(value) = dying.pop() {
        // SAFETY: `let_go` found that the last reference was given back
        unsafe { take_apart(value, 0, &mut dying) };
    }
}

/// Drop a value that stands `depth` below the container that is being freed.
#[inline(always)]
fn let_go(value: Value, depth: u32, dying: &mut Vec<Value>) {
    match value.header() {
        // SAFETY: that was the last reference
        Some(header) if header.release() => unsafe { take_apart(value, depth, dying) },
        _ => std::mem::forget(value),
    }
}

/// # Safety
/// The last reference to what is behind the value was given back.
unsafe fn take_apart(value: Value, depth: u32, dying: &mut Vec<Value>) {
    if depth == DIRECT && matches!(value, Value::List(_) | Value::Map(_)) {
        dying.push(value);
        return;
    }
    // SAFETY: as the caller says
    unsafe {
        match &value {
            Value::List(list) => list.destroy_by(|list| list.empty(depth + 1, dying)),
            Value::Map(map) => map.destroy_by(|map| map.empty(depth + 1, dying)),
            other => other.free(),
        }
    }
    std::mem::forget(value);
}

impl List {
    #[inline]
    fn empty(&mut self, depth: u32, dying: &mut Vec<Value>) {
        std::mem::take(self.items.get_mut()).into_iter().for_each(|value| let_go(value, depth, dying));
    }

    #[inline(always)]
    pub fn create(items: Vec<Value>, epoch: u32) -> Value {
        Value::List(Ptr::new(List {
            header: Header::new(epoch),
            locks: Cell::new(0),
            shape: Cell::new(Shape::default()),
            items: UnsafeCell::new(items),
        }))
    }

    pub fn items(&self) -> &[Value] {
        // SAFETY: `change` alone makes a mutable borrow, on the one thread that can reach a local node, and holds it only for the time of
        // its closure, which runs no code of the language and keeps no other borrow of this list
        unsafe { &*self.items.get() }
    }

    /// Change the items. The closure must not touch this list by another way; what it takes out is best dropped after it.
    pub fn change<R>(&self, change: impl FnOnce(&mut Vec<Value>) -> R) -> R {
        // SAFETY: see `items`
        change(unsafe { &mut *self.items.get() })
    }
}

impl Map {
    #[inline]
    fn empty(&mut self, depth: u32, dying: &mut Vec<Value>) {
        let entries = std::mem::replace(self.entries.get_mut(), Entries::new());
        entries.each_value(|value| let_go(value, depth, dying));
    }

    #[inline(always)]
    pub fn create(entries: Entries, epoch: u32) -> Value {
        Value::Map(Map::node(entries, epoch))
    }

    #[inline(always)]
    pub fn node(entries: Entries, epoch: u32) -> Ptr<Map> {
        Ptr::new(Map {
            header: Header::new(epoch),
            locks: Cell::new(0),
            shape: Cell::new(Shape::default()),
            entries: UnsafeCell::new(entries),
        })
    }

    pub fn entries(&self) -> &Entries {
        // SAFETY: as for `List::items`
        unsafe { &*self.entries.get() }
    }

    /// Change the entries; the rules of `List::change` hold.
    pub fn change<R>(&self, change: impl FnOnce(&mut Entries) -> R) -> R {
        // SAFETY: as for `List::items`
        change(unsafe { &mut *self.entries.get() })
    }
}

impl Range {
    pub fn create(start: Number, step: Number, length: u64) -> Value {
        Value::Range(Ptr::new(Range { header: Header::new(FROZEN), start, step, length }))
    }

    /// The element at `index` (below `length`); in the domain, as it lies between the ends of the range.
    pub fn at(&self, index: u64) -> Value {
        let (start, step) = (self.start.integer().unwrap_or(0), self.step.integer().unwrap_or(0));
        let element = step.checked_mul(i128::from(index)).and_then(|offset| start.checked_add(offset));
        element.and_then(|element| Number::from_i128(element).ok()).map_or(Value::Null, Value::from)
    }

    pub fn iter(&self) -> impl Iterator<Item = Value> + '_ {
        (0..self.length).map(|index| self.at(index))
    }
}

impl Clone for Value {
    /// One copy of all 16 bytes: a value that is written in parts and then read as a whole makes the processor wait.
    #[inline(always)]
    fn clone(&self) -> Value {
        if let Some(header) = self.header() {
            header.retain();
        }
        // SAFETY: what is behind a pointer was counted once more above, for this copy; all else is plain bytes
        unsafe { std::ptr::read(self) }
    }
}

impl From<Number> for Value {
    fn from(number: Number) -> Value {
        match number {
            Number::Int(value) => Value::Int(value),
            Number::Wide(value) => Value::Wide(value),
        }
    }
}

impl From<Str> for Value {
    fn from(text: Str) -> Value {
        match text {
            Str::Short(text) => Value::Short(text),
            Str::Long(text) => Value::Long(text),
        }
    }
}

impl Value {
    /// Of the node behind it. All nodes start with theirs (`repr(C)`), so that finding it takes no look at the type.
    #[inline(always)]
    fn header(&self) -> Option<&Header> {
        match self {
            Value::Long(text) => Some(text.header()),
            Value::List(list) => Some(list.header()),
            Value::Map(map) => Some(map.header()),
            Value::Range(range) => Some(range.header()),
            _ => None,
        }
    }

    pub fn text(text: &str) -> Value {
        Str::new(text).into()
    }

    pub fn integer(value: usize) -> Value {
        Value::Int(value as i64)
    }

    pub fn number(&self) -> Option<Number> {
        match self {
            Value::Int(value) => Some(Number::Int(*value)),
            Value::Wide(value) => Some(Number::Wide(*value)),
            _ => None,
        }
    }

    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::Short(text) => Some(text.as_str()),
            Value::Long(text) => Some(text.as_str()),
            _ => None,
        }
    }

    /// A string as one, to be kept or looked up.
    pub fn string(&self) -> Option<Str> {
        match self {
            Value::Short(text) => Some(Str::Short(*text)),
            Value::Long(text) => Some(Str::Long(text.clone())),
            _ => None,
        }
    }

    /// Drop it: without a call of the glue where there is nothing to free.
    #[inline(always)]
    pub fn discard(self) {
        if let Some(header) = self.header() {
            if header.release() {
                // SAFETY: that was the last reference
                unsafe { self.free() };
            }
        }
        std::mem::forget(self);
    }

    /// # Safety
    /// The last reference was given back, and nobody looks at this value again.
    #[inline(never)]
    unsafe fn free(&self) {
        // SAFETY: as the caller says
        unsafe {
            match self {
                Value::Long(text) => text.destroy(),
                Value::List(list) => list.destroy(),
                Value::Map(map) => map.destroy(),
                Value::Range(range) => range.destroy(),
                _ => {}
            }
        }
    }

    #[inline]
    pub fn is_container(&self) -> bool {
        matches!(self, Value::List(_) | Value::Map(_) | Value::Range(_))
    }

    pub fn is_null(&self) -> bool {
        matches!(self, Value::Null)
    }

    pub fn type_name(&self) -> &'static str {
        match self {
            Value::Unbound | Value::Null => "null",
            Value::Bool(_) => "bool",
            Value::Int(_) | Value::Wide(_) => "number",
            Value::Short(_) | Value::Long(_) => "string",
            Value::List(_) | Value::Range(_) => "list",
            Value::Map(_) => "map",
        }
    }

    #[inline]
    pub fn is_true(&self) -> bool {
        match self {
            Value::Unbound | Value::Null => false,
            Value::Bool(value) => *value,
            Value::Int(value) => *value != 0,
            Value::Wide(_) => true,
            Value::Short(text) => text.len() != 0,
            Value::Long(_) => true,
            Value::List(list) => !list.items().is_empty(),
            Value::Map(map) => map.entries().len() != 0,
            Value::Range(range) => range.length != 0,
        }
    }
}
