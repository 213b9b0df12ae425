//! What callers give as sequences of texts and handles: held one by one, and borrowed from what is held.

use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyBytes, PyList};

use crate::program::Given;
use crate::results::State;
use crate::scan::prefetch;

/// So many items ahead are on their way from memory when they are let go.
const AHEAD: usize = 16;

/// Items that stay as they are while they are read, whatever becomes of the sequence that they came in. `T` is what is read of one.
pub struct Items<'py, T> {
    read: Vec<T>,
    held: Vec<Bound<'py, PyAny>>,
}

fn text(item: &Bound<'_, PyAny>) -> Option<&'static [u8]> {
    // SAFETY: `bytes` never change, and whoever reads this holds them: `Items` does, and lends it no longer than itself
    item.cast_exact::<PyBytes>().ok().map(|text| unsafe { &*std::ptr::from_ref(text.as_bytes()) })
}

fn row(item: &Bound<'_, PyAny>) -> Option<Given<'static>> {
    if let Some(text) = text(item) {
        return Some(Given::Text(text));
    }
    // SAFETY: a handle is frozen, and held as a text is
    item.cast_exact::<State>().ok().map(|state| Given::Handle(unsafe { &*std::ptr::from_ref(&state.get().0) }))
}

impl<'py> Items<'py, Given<'static>> {
    /// Handles of states, and texts: `bytes`, or a copy of what can be read like them.
    pub fn rows(values: &Bound<'py, PyAny>) -> PyResult<Self> {
        Items::of(values, row)
    }

    pub fn given(&self) -> &[Given<'_>] {
        &self.read
    }
}

impl<'py> Items<'py, &'static [u8]> {
    /// Texts alone.
    pub fn texts(values: &Bound<'py, PyAny>) -> PyResult<Self> {
        Items::of(values, text)
    }

    pub fn slices(&self) -> &[&[u8]] {
        &self.read
    }
}

impl<'py, T> Items<'py, T> {
    fn of(values: &Bound<'py, PyAny>, read: impl Fn(&Bound<'py, PyAny>) -> Option<T>) -> PyResult<Self> {
        let n = values.len().unwrap_or(0);
        let mut items = Items { read: Vec::with_capacity(n), held: Vec::with_capacity(n) };
        // one pass, as each item may have to come from far away in memory
        if let Ok(list) = values.cast::<PyList>() {
            for item in list {
                items.add(item, &read)?;
            }
        } else {
            for item in values.try_iter()? {
                items.add(item?, &read)?;
            }
        }
        Ok(items)
    }

    #[inline(always)]
    fn add(&mut self, item: Bound<'py, PyAny>, read: &impl Fn(&Bound<'py, PyAny>) -> Option<T>) -> PyResult<()> {
        if let Some(found) = read(&item) {
            self.read.push(found);
            self.held.push(item);
            return Ok(());
        }
        let copy = PyBytes::new(item.py(), &item.extract::<PyBackedBytes>()?).into_any();
        self.read.extend(read(&copy));
        self.held.push(copy);
        Ok(())
    }

    pub fn len(&self) -> usize {
        self.read.len()
    }
}

impl<T> Drop for Items<'_, T> {
    fn drop(&mut self) {
        let mut held = std::mem::take(&mut self.held).into_iter();
        while let Some(item) = held.next() {
            if let Some(later) = held.as_slice().get(AHEAD) {
                prefetch(later.as_ptr().cast());
            }
            drop(item);
        }
    }
}
