//! What one call of a program carries along beside its stack: the gas, the epoch, and the containers that may be part of a cycle.

use std::collections::HashMap;

use crate::failure::Halt;
use crate::gas::Meter;
use crate::map::Entries;
use crate::node::{Node, Ptr};
use crate::value::{List, Map, Value};

/// So many children of a stored container are looked at before it counts as one that may close a cycle.
const GLANCE: usize = 8;

pub struct Context {
    pub meter: Meter,
    /// Containers with this epoch were made in this call and may be changed.
    pub epoch: u32,
    /// Kind `filter`: null propagates.
    pub null_safe: bool,
    /// Containers of this call into which one was stored that may hold them.
    suspects: Vec<Value>,
    /// Containers of earlier calls that are part of a cycle, or hold one, and that were part of a result.
    cyclic: Vec<Value>,
    cyclic_limit: usize,
}

impl Context {
    pub fn new(null_safe: bool) -> Context {
        Context {
            meter: Meter::new(0),
            epoch: 0,
            null_safe,
            suspects: Vec::new(),
            cyclic: Vec::new(),
            cyclic_limit: 16,
        }
    }

    /// A new call with so much gas; all that earlier ones made is frozen from now on.
    pub fn begin(&mut self, gas: u64) {
        self.meter = Meter::new(gas);
        self.epoch += 1;
    }

    #[inline(always)]
    pub fn charge(&mut self, amount: u64) -> Result<(), Halt> {
        self.meter.charge(amount)
    }

    pub fn list(&self, items: Vec<Value>) -> Value {
        List::create(items, self.epoch)
    }

    pub fn map(&self, entries: Entries) -> Value {
        Map::create(entries, self.epoch)
    }

    /// `value` is about to be stored in `target`, a container of this call. Reference counts never free a cycle, so whatever may close one
    /// is remembered; `end` looks at it. Only a container made in this call can hold `target`.
    #[inline]
    pub fn note_store(&mut self, target: &Value, value: &Value) {
        if self.is_own(value) && self.may_hold(value, target) {
            self.suspects.push(target.clone());
        }
    }

    fn is_own(&self, value: &Value) -> bool {
        match value {
            Value::List(list) => list.header().is_mutable(self.epoch),
            Value::Map(map) => map.header().is_mutable(self.epoch),
            _ => false,
        }
    }

    fn may_hold(&self, value: &Value, target: &Value) -> bool {
        match (value, target) {
            (Value::List(a), Value::List(b)) if a.same(b) => return true,
            (Value::Map(a), Value::Map(b)) if a.same(b) => return true,
            _ => {}
        }
        let mut children = children(value);
        children.len() > GLANCE || children.any(|child| self.is_own(child))
    }

    /// The call is over; `result` is all that lives on. Break the cycles it left behind.
    #[inline]
    pub fn end(&mut self, result: Option<&Value>) {
        if !self.suspects.is_empty() {
            self.break_cycles(result);
        }
    }

    #[cold]
    fn break_cycles(&mut self, result: Option<&Value>) {
        let suspects = std::mem::take(&mut self.suspects);
        let walk = Walk::from(result, |value| self.is_own(value));
        for suspect in suspects {
            if !walk.met(&suspect) {
                clear(&suspect);
            } else if walk.cycle {
                self.cyclic.push(suspect);
            }
        }
        if self.cyclic.len() > self.cyclic_limit {
            let walk = Walk::from(result, is_local);
            self.cyclic.retain(|value| {
                let alive = walk.met(value);
                if !alive {
                    clear(value);
                }
                alive
            });
            self.cyclic_limit = 2 * self.cyclic.len() + 16;
        }
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        for value in self.suspects.drain(..).chain(self.cyclic.drain(..)) {
            // what is shared has passed the check of its depth, so it holds no cycle
            if is_local(&value) {
                clear(&value);
            }
        }
    }
}

fn is_local(value: &Value) -> bool {
    match value {
        Value::List(list) => !list.header().is_shared(),
        Value::Map(map) => !map.header().is_shared(),
        _ => false,
    }
}

/// Empty a container that is garbage, so that what it holds can be freed.
fn clear(value: &Value) {
    match value {
        Value::List(list) => drop(list.change(std::mem::take)),
        Value::Map(map) => drop(map.change(|entries| std::mem::replace(entries, Entries::new()))),
        _ => {}
    }
}

fn address(value: &Value) -> usize {
    fn of<T: Node>(node: &Ptr<T>) -> usize {
        std::ptr::from_ref::<T>(node).addr()
    }
    match value {
        Value::List(list) => of(list),
        Value::Map(map) => of(map),
        _ => 0,
    }
}

enum Children<'a> {
    List(std::slice::Iter<'a, Value>),
    Map(crate::map::Iter<'a>, usize),
}

impl Children<'_> {
    fn len(&self) -> usize {
        match self {
            Children::List(items) => items.len(),
            Children::Map(_, length) => *length,
        }
    }
}

impl<'a> Iterator for Children<'a> {
    type Item = &'a Value;

    fn next(&mut self) -> Option<&'a Value> {
        match self {
            Children::List(items) => items.next(),
            Children::Map(entries, _) => entries.next().map(|entry| entry.1),
        }
    }
}

fn children(value: &Value) -> Children<'_> {
    match value {
        Value::List(list) => Children::List(list.items().iter()),
        Value::Map(map) => Children::Map(map.entries().iter(), map.entries().len()),
        _ => Children::List([].iter()),
    }
}

/// A walk in depth over containers, without recursion: what it met, and whether it met something below itself.
struct Walk {
    /// By address: true while the walk is below it.
    open: HashMap<usize, bool>,
    cycle: bool,
}

impl Walk {
    fn from(root: Option<&Value>, follows: impl Fn(&Value) -> bool) -> Walk {
        let mut walk = Walk { open: HashMap::new(), cycle: false };
        let mut path: Vec<(usize, Children<'_>)> = Vec::new();
        if let Some(root) = root.filter(|root| follows(root)) {
            walk.open.insert(address(root), true);
            path.push((address(root), children(root)));
        }
        while let Some((own, below)) = path.last_mut() {
            let Some(child) = below.find(|child| follows(child)) else {
                walk.open.insert(*own, false);
                path.pop();
                continue;
            };
            match walk.open.insert(address(child), true) {
                None => path.push((address(child), children(child))),
                Some(open) => {
                    walk.cycle |= open;
                    walk.open.insert(address(child), open);
                }
            }
        }
        walk
    }

    fn met(&self, value: &Value) -> bool {
        self.open.contains_key(&address(value))
    }
}
