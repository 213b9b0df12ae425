//! The door to Python: the engine and its programs. A panic never passes it: it becomes the record `internal/engine_bug`.

use std::panic::{self, AssertUnwindSafe};
use std::sync::{Mutex, PoisonError};

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::PyBytes;
use sha2::{Digest as _, Sha256};

use crate::cache::Cache;
use crate::code::Kind;
use crate::commits::Expectation;
use crate::document::Document;
use crate::event_id::event_id;
use crate::failure::{Halt, engine_bug};
use crate::folding;
use crate::given::Items;
use crate::load::load;
use crate::machine::PANIC;
use crate::program::{self, Given, record_of};
use crate::results::{CommitFold, Decision, Evaluation, Fold, Matches, State};
use crate::rows::{self, canonical};
use crate::scanning::{Named, Scanned, Wanted, filtered};
use crate::state;

/// Run it; None where it panicked. Nothing that it touched is used after that.
fn guarded<T>(run: impl FnOnce() -> T) -> Option<T> {
    panic::catch_unwind(AssertUnwindSafe(run)).ok()
}

fn bug_record() -> Vec<u8> {
    record_of(&engine_bug(), 0)
}

fn document_error(py: Python<'_>, record: &[u8]) -> PyErr {
    let class = py.import("aggregate.errors").and_then(|module| module.getattr("DocumentError"));
    match class.and_then(|class| class.call1((PyBytes::new(py, record),))) {
        Ok(error) => PyErr::from_value(error),
        Err(error) => error,
    }
}

fn read<T>(py: Python<'_>, run: impl FnOnce() -> Result<T, Halt>) -> PyResult<T> {
    match guarded(run).unwrap_or_else(|| Err(engine_bug())) {
        Ok(value) => Ok(value),
        Err(stop) => Err(document_error(py, &record_of(&stop, 0))),
    }
}

#[pyclass(frozen, module = "aggregate.engine._native")]
pub struct NativeEngine {
    programs: Mutex<Cache<Py<Program>>>,
}

#[pymethods]
impl NativeEngine {
    #[new]
    fn new() -> NativeEngine {
        NativeEngine { programs: Mutex::new(Cache::new()) }
    }

    #[classattr]
    const fn name() -> &'static str {
        "native"
    }

    fn load(&self, py: Python<'_>, ir: &[u8]) -> PyResult<Py<Program>> {
        let digest = Sha256::digest(ir).into();
        // the lock is never held while Python runs
        if let Some(found) = self.programs.lock().unwrap_or_else(PoisonError::into_inner).get(&digest) {
            return Ok(found.clone_ref(py));
        }
        let loaded = guarded(|| load(ir)).ok_or_else(|| PyValueError::new_err("the engine failed to load this IR"))?;
        let code = loaded.map_err(|bad| PyValueError::new_err(bad.0))?;
        let program = Py::new(py, Program(program::Program::new(code)))?;
        let gone =
            self.programs.lock().unwrap_or_else(PoisonError::into_inner).put(digest, program.clone_ref(py), ir.len());
        drop(gone);
        Ok(program)
    }

    #[pyo3(signature = (json))]
    fn state(&self, py: Python<'_>, json: Option<&[u8]>) -> PyResult<State> {
        match json {
            None => Ok(State(state::State::null())),
            Some(json) => read(py, || state::State::read(json, Document::Named("state"))).map(State),
        }
    }

    fn canonical<'py>(&self, py: Python<'py>, json: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
        read(py, || canonical(json)).map(|text| PyBytes::new(py, &text))
    }

    fn event_id(
        &self,
        tenant_id: &str,
        aggregate_id: &str,
        command_id: &str,
        time: &str,
        index: u64,
    ) -> PyResult<String> {
        event_id(tenant_id, aggregate_id, command_id, time, index)
            .ok_or_else(|| PyValueError::new_err(format!("not an RFC 3339 time in UTC from 1970 on: {time:.80?}")))
    }
}

#[pyclass(frozen, module = "aggregate.engine._native", name = "Program")]
pub struct Program(program::Program);

impl Program {
    fn want(&self, kinds: &[Kind]) -> PyResult<()> {
        if kinds.contains(&self.0.code.kind) {
            return Ok(());
        }
        let kinds: Vec<&str> = kinds.iter().map(|kind| kind.name()).collect();
        let message = format!("this call is for a {}, not for a {}", kinds.join(" or "), self.0.code.kind.name());
        Err(PyValueError::new_err(message))
    }
}

/// A state argument: a handle, or the text of one.
enum Row {
    Handle(Py<State>),
    Text(PyBackedBytes),
}

impl Row {
    fn of(value: &Bound<'_, PyAny>) -> PyResult<Row> {
        match value.cast_exact::<State>() {
            Ok(state) => Ok(Row::Handle(state.clone().unbind())),
            Err(_) => Ok(Row::Text(value.extract()?)),
        }
    }

    fn given(&self) -> Given<'_> {
        match self {
            Row::Handle(state) => Given::Handle(&state.get().0),
            Row::Text(text) => Given::Text(text),
        }
    }
}

#[pymethods]
impl Program {
    #[getter]
    fn digest(&self) -> &str {
        &self.0.code.digest
    }

    #[getter]
    fn kind(&self) -> &'static str {
        self.0.code.kind.name()
    }

    #[getter]
    fn has_decide(&self) -> bool {
        self.0.has_decide()
    }

    #[getter]
    fn has_apply(&self) -> bool {
        self.0.has_apply()
    }

    #[getter]
    fn needs_ctx(&self) -> bool {
        self.0.needs_ctx()
    }

    #[pyo3(signature = (state, command, ctx, decide_gas, apply_gas, meta=None))]
    fn execute(
        &self,
        py: Python<'_>,
        state: &Bound<'_, State>,
        command: &[u8],
        ctx: Option<&[u8]>,
        decide_gas: u64,
        apply_gas: u64,
        meta: Option<&[u8]>,
    ) -> PyResult<Decision> {
        self.want(&[Kind::Program])?;
        let state = &state.get().0;
        let outcome = guarded(|| self.0.execute(state, command, ctx, (decide_gas, apply_gas), meta));
        let failed = || program::Decision { error: Some(bug_record()), ..program::Decision::default() };
        Decision::new(py, outcome.unwrap_or_else(failed))
    }

    fn decide(&self, state: &Bound<'_, PyAny>, command: &[u8], ctx: Option<&[u8]>, gas: u64) -> PyResult<Evaluation> {
        self.want(&[Kind::Program])?;
        let state = Row::of(state)?;
        Ok(evaluation(|| self.0.decide(state.given(), command, ctx, gas)))
    }

    fn apply(&self, state: &Bound<'_, PyAny>, event: &[u8], meta: Option<&[u8]>, gas: u64) -> PyResult<Evaluation> {
        self.want(&[Kind::Program])?;
        let state = Row::of(state)?;
        Ok(evaluation(|| self.0.apply(state.given(), event, meta, gas)))
    }

    fn evaluate(&self, state: &Bound<'_, PyAny>, meta: Option<&[u8]>, gas: u64) -> PyResult<Evaluation> {
        self.want(&[Kind::Filter, Kind::Expression])?;
        let state = Row::of(state)?;
        Ok(evaluation(|| self.0.evaluate(state.given(), meta, gas)))
    }

    #[pyo3(signature = (state, events, gas_per_event, meta=None))]
    fn fold(
        &self,
        py: Python<'_>,
        state: Py<State>,
        events: &Bound<'_, PyAny>,
        gas_per_event: u64,
        meta: Option<PyBackedBytes>,
    ) -> PyResult<Fold> {
        self.want(&[Kind::Program])?;
        let given = &state.get().0;
        let events = Items::texts(events)?;
        let events = events.slices();
        let outcome = py.detach(|| guarded(|| self.0.fold(given, events, gas_per_event, meta.as_deref())));
        Fold::new(py, outcome.unwrap_or_else(failed_fold), &state)
    }

    fn fold_commits(
        &self,
        py: Python<'_>,
        state: Py<State>,
        commits: &Bound<'_, PyAny>,
        expect: &Bound<'_, PyAny>,
    ) -> PyResult<CommitFold> {
        self.want(&[Kind::Program])?;
        let expect = Expectation {
            tenant_id: expect.getattr("tenant_id")?.extract()?,
            aggregate_type: expect.getattr("aggregate_type")?.extract()?,
            aggregate_id: expect.getattr("aggregate_id")?.extract()?,
            version: expect.getattr("version")?.extract()?,
            gas_per_event: expect.getattr("gas_per_event")?.extract()?,
        };
        let given = &state.get().0;
        let commits = Items::texts(commits)?;
        let commits = commits.slices();
        let outcome = py.detach(|| guarded(|| self.0.fold_commits(given, commits, &expect)));
        let failed = || crate::commits::CommitFold {
            fold: failed_fold(),
            version: expect.version,
            time: String::new(),
            generation: 0,
            commits: Vec::new(),
        };
        CommitFold::new(py, outcome.unwrap_or_else(failed), &state)
    }

    fn matches(
        &self,
        py: Python<'_>,
        states: &Bound<'_, PyAny>,
        metas: Option<&Bound<'_, PyAny>>,
        gas_per_row: u64,
        gas_total: u64,
    ) -> PyResult<Matches> {
        self.want(&[Kind::Filter])?;
        let rows = Items::rows(states)?;
        let metas = metas.map(Items::texts).transpose()?;
        if let Some(metas) = &metas {
            if metas.len() != rows.len() {
                let message = format!("{} metas for {} states", metas.len(), rows.len());
                return Err(PyValueError::new_err(message));
            }
        }
        let (rows, metas) = (rows.given(), metas.as_ref().map(Items::slices));
        let outcome = py.detach(|| guarded(|| self.0.matches(rows, metas, gas_per_row, gas_total)));
        let failed = || rows::Matches { error: Some(bug_record()), ..rows::Matches::default() };
        Ok(Matches(outcome.unwrap_or_else(failed)))
    }

    #[pyo3(signature = (packs, after, chosen, named, gas_per_row, gas_total))]
    #[allow(clippy::too_many_arguments)]
    fn scan(
        &self,
        py: Python<'_>,
        packs: Vec<PyBackedBytes>,
        after: &[u8],
        chosen: Option<&[u8]>,
        named: Option<Named>,
        gas_per_row: u64,
        gas_total: u64,
    ) -> PyResult<Scanned> {
        self.want(&[Kind::Filter])?;
        let (wanted, gas) = (Wanted { after, chosen }, (gas_per_row, gas_total));
        let failed = || Ok(Scanned::failed(bug_record()));
        Scanned::new(py, packs, |packs| {
            guarded(|| filtered(&self.0, packs, wanted, named.as_ref(), gas)).unwrap_or_else(failed)
        })
    }
}

fn evaluation(run: impl FnOnce() -> program::Evaluation) -> Evaluation {
    let failed = || program::Evaluation { error: Some(bug_record()), ..program::Evaluation::default() };
    Evaluation(guarded(run).unwrap_or_else(failed))
}

fn failed_fold() -> folding::Fold {
    folding::Fold { state: None, count: 0, gas: 0, error: Some(bug_record()) }
}

/// Lets every run of this thread panic from now on, or no longer: for the test that no panic leaves the engine.
#[pyfunction]
pub fn _panic_for_tests(on: bool) {
    PANIC.set(on);
}
