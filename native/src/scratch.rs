//! Where containers that are being read collect what they hold; kept from document to document.

use std::cell::Cell;

use crate::text::Str;
use crate::value::Value;

/// What the reader keeps from document to document: containers collect here what they hold until they end.
#[derive(Default)]
pub struct Scratch {
    pub items: Vec<Value>,
    pub entries: Vec<(Str, Value)>,
    /// Of the maps that are only checked the first keys: their heads, where they start and end.
    pub keys: Vec<(u64, usize, usize)>,
}

thread_local! {
    /// The emptied stacks of the last reader of this thread.
    static SPARE: Cell<Option<Scratch>> = const { Cell::new(None) };
}

/// Larger stacks are not kept.
const SPARE_ENTRIES: usize = 1024;

impl Scratch {
    pub fn take() -> Scratch {
        SPARE.try_with(Cell::take).ok().flatten().unwrap_or_default()
    }

    pub fn clear(&mut self) {
        self.items.clear();
        self.entries.clear();
        self.keys.clear();
    }

    pub fn give_back(mut self) {
        self.clear();
        if self.items.capacity() <= SPARE_ENTRIES && self.entries.capacity() <= SPARE_ENTRIES {
            // the thread may be ending: then there is nothing to keep them for
            let _ = SPARE.try_with(|spare| spare.set(Some(self)));
        }
    }
}
