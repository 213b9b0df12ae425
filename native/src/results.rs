//! The Python classes of outcomes: plain attributes, made into Python objects when they are asked for.

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList};

use crate::commits::{self, Done};
use crate::folding;
use crate::program;
use crate::rows;
use crate::state;

/// An immutable value of the language.
#[pyclass(frozen, module = "aggregate.engine._native", name = "State")]
pub struct State(pub state::State);

#[pymethods]
impl State {
    fn json<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.0.json())
    }

    fn hash(&self) -> String {
        self.0.hash()
    }

    fn size(&self) -> usize {
        self.0.size()
    }
}

fn bytes<'py>(py: Python<'py>, text: Option<&Vec<u8>>) -> Option<Bound<'py, PyBytes>> {
    text.map(|text| PyBytes::new(py, text))
}

#[pyclass(frozen, module = "aggregate.engine._native", name = "Decision")]
pub struct Decision {
    outcome: program::Decision,
    state: Option<Py<State>>,
}

impl Decision {
    pub fn new(py: Python<'_>, mut outcome: program::Decision) -> PyResult<Decision> {
        let state = outcome.state.take().map(|state| Py::new(py, State(state))).transpose()?;
        Ok(Decision { outcome, state })
    }
}

#[pymethods]
impl Decision {
    #[getter]
    fn events<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        PyList::new(py, self.outcome.events.iter().map(|event| PyBytes::new(py, event)))
    }

    #[getter]
    fn types<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        PyList::new(py, &self.outcome.types)
    }

    #[getter]
    fn state(&self, py: Python<'_>) -> Option<Py<State>> {
        self.state.as_ref().map(|state| state.clone_ref(py))
    }

    #[getter]
    fn gas(&self) -> u64 {
        self.outcome.gas
    }

    #[getter]
    fn rejection<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyBytes>> {
        bytes(py, self.outcome.rejection.as_ref())
    }

    #[getter]
    fn error<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyBytes>> {
        bytes(py, self.outcome.error.as_ref())
    }

    #[getter]
    fn phase(&self) -> &'static str {
        if self.outcome.in_apply { "apply" } else { "decide" }
    }
}

#[pyclass(frozen, module = "aggregate.engine._native", name = "Evaluation")]
pub struct Evaluation(pub program::Evaluation);

#[pymethods]
impl Evaluation {
    #[getter]
    fn value<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyBytes>> {
        bytes(py, self.0.value.as_ref())
    }

    #[getter]
    fn gas(&self) -> u64 {
        self.0.gas
    }

    #[getter]
    fn rejection<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyBytes>> {
        bytes(py, self.0.rejection.as_ref())
    }

    #[getter]
    fn error<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyBytes>> {
        bytes(py, self.0.error.as_ref())
    }
}

#[pyclass(frozen, module = "aggregate.engine._native", name = "Fold")]
pub struct Fold {
    outcome: folding::Fold,
    state: Py<State>,
}

impl Fold {
    /// `given` is the state that the fold began with: the outcome's where it has no other one.
    pub fn new(py: Python<'_>, mut outcome: folding::Fold, given: &Py<State>) -> PyResult<Fold> {
        let state = match outcome.state.take() {
            Some(state) => Py::new(py, State(state))?,
            None => given.clone_ref(py),
        };
        Ok(Fold { outcome, state })
    }
}

#[pymethods]
impl Fold {
    #[getter]
    fn state(&self, py: Python<'_>) -> Py<State> {
        self.state.clone_ref(py)
    }

    #[getter]
    fn count(&self) -> usize {
        self.outcome.count
    }

    #[getter]
    fn gas(&self) -> u64 {
        self.outcome.gas
    }

    #[getter]
    fn error<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyBytes>> {
        bytes(py, self.outcome.error.as_ref())
    }
}

#[pyclass(frozen, module = "aggregate.engine._native", name = "CommitFold")]
pub struct CommitFold {
    fold: Fold,
    version: i64,
    time: String,
    generation: i64,
    commits: Vec<Done>,
}

impl CommitFold {
    pub fn new(py: Python<'_>, outcome: commits::CommitFold, given: &Py<State>) -> PyResult<CommitFold> {
        let commits::CommitFold { fold, version, time, generation, commits } = outcome;
        Ok(CommitFold { fold: Fold::new(py, fold, given)?, version, time, generation, commits })
    }
}

#[pymethods]
impl CommitFold {
    #[getter]
    fn state(&self, py: Python<'_>) -> Py<State> {
        self.fold.state(py)
    }

    #[getter]
    fn count(&self) -> usize {
        self.fold.count()
    }

    #[getter]
    fn gas(&self) -> u64 {
        self.fold.gas()
    }

    #[getter]
    fn error<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyBytes>> {
        self.fold.error(py)
    }

    #[getter]
    fn version(&self) -> i64 {
        self.version
    }

    #[getter]
    fn time(&self) -> &str {
        &self.time
    }

    #[getter]
    fn generation(&self) -> i64 {
        self.generation
    }

    #[getter]
    fn commits(&self) -> Vec<Done> {
        self.commits.clone()
    }
}

#[pyclass(frozen, module = "aggregate.engine._native", name = "Matches")]
pub struct Matches(pub rows::Matches);

#[pymethods]
impl Matches {
    #[getter]
    fn rows<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.0.rows)
    }

    #[getter]
    fn errors(&self) -> usize {
        self.0.errors
    }

    #[getter]
    fn first_error<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyBytes>> {
        bytes(py, self.0.first_error.as_ref())
    }

    #[getter]
    fn gas(&self) -> u64 {
        self.0.gas
    }

    #[getter]
    fn error<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyBytes>> {
        bytes(py, self.0.error.as_ref())
    }
}
