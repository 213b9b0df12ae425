//! What callers give as sequences of texts and handles: held by one tuple, borrowed from it item by item.

use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyBytes, PyList, PyTuple};

use crate::program::Given;
use crate::results::State;

/// Items that stay as they are while they are read, whatever becomes of the sequence that they came in.
pub struct Items<'py>(Bound<'py, PyTuple>);

impl<'py> Items<'py> {
    /// Handles of states, and texts: `bytes`, or a copy of what can be read like them.
    pub fn rows(values: &Bound<'py, PyAny>) -> PyResult<Items<'py>> {
        Items::of(values, |item| item.cast_exact::<State>().is_ok())
    }

    /// Texts alone.
    pub fn texts(values: &Bound<'py, PyAny>) -> PyResult<Items<'py>> {
        Items::of(values, |_| false)
    }

    fn of(values: &Bound<'py, PyAny>, may_be: impl Fn(&Bound<'py, PyAny>) -> bool) -> PyResult<Items<'py>> {
        let py = values.py();
        let tuple = match values.cast::<PyList>() {
            Ok(list) => list.to_tuple(),
            Err(_) => PyTuple::new(py, values.try_iter()?.collect::<PyResult<Vec<_>>>()?)?,
        };
        let is_fit = |item: &Bound<'py, PyAny>| item.is_exact_instance_of::<PyBytes>() || may_be(item);
        if tuple.iter_borrowed().all(|item| is_fit(&item)) {
            return Ok(Items(tuple));
        }
        let fit = tuple.iter().map(|item| {
            if is_fit(&item) {
                return Ok(item);
            }
            Ok(PyBytes::new(py, &item.extract::<PyBackedBytes>()?).into_any())
        });
        Ok(Items(PyTuple::new(py, fit.collect::<PyResult<Vec<_>>>()?)?))
    }

    pub fn given(&self) -> Vec<Given<'_>> {
        let given = |item: Borrowed<'_, 'py, PyAny>| match item.cast_exact::<PyBytes>() {
            // SAFETY: `bytes` never change, and the tuple holds them for as long as it is borrowed
            Ok(text) => Given::Text(unsafe { &*std::ptr::from_ref(text.as_bytes()) }),
            Err(_) => match item.cast_exact::<State>() {
                // SAFETY: a handle is frozen, and the tuple holds it for as long as it is borrowed
                Ok(state) => Given::Handle(unsafe { &*std::ptr::from_ref(&state.get().0) }),
                Err(_) => Given::Text(b""),
            },
        };
        self.0.iter_borrowed().map(given).collect()
    }

    /// Of texts.
    pub fn slices(&self) -> Vec<&[u8]> {
        let slice = |item: Borrowed<'_, 'py, PyAny>| match item.cast_exact::<PyBytes>() {
            // SAFETY: as above
            Ok(text) => unsafe { &*std::ptr::from_ref(text.as_bytes()) },
            Err(_) => &[],
        };
        self.0.iter_borrowed().map(slice).collect()
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }
}
