//! Scans of packs: the rows that can be seen and match, read where they lie. Twin of `engine/pure/packs.py`.

use std::fmt::Write as _;

use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyBytes, PyList};

use crate::order_key;
use crate::packs::{Broken, ID, Pack, Row, seen, version};
use crate::program::{Given, Program};
use crate::rows::{RowFilter, Rows};

/// What all rows of a scan have in common of what a filter sees as `meta`: tenant and type. They hold nothing that JSON would escape.
pub type Named = (String, String);

/// Rows of a pack, where they are small: so much room is made for those that match.
const MANY: usize = 48;

/// The rows that are looked at: those after an id, where there are `chosen` ones (one after the other, ascending) those alone.
#[derive(Clone, Copy)]
pub struct Wanted<'a> {
    pub after: &'a [u8],
    pub chosen: Option<&'a [u8]>,
}

/// Rows that match, of packs that others hold: which, as pack and place in it.
#[derive(Default)]
pub struct Outcome {
    looked: usize,
    hits: Vec<(u32, u32)>,
    errors: usize,
    first_error: Option<Vec<u8>>,
    gas: u64,
    error: Option<Vec<u8>>,
}

/// All rows that can be seen.
fn everything(packs: &[&[u8]], wanted: Wanted<'_>) -> Result<Outcome, Broken> {
    let mut hits = Vec::with_capacity(MANY * packs.len());
    walk(packs, wanted, |spot, _, _| hits.push(spot))?;
    Ok(Outcome { looked: hits.len(), hits, ..Outcome::default() })
}

/// The rows that can be seen and that a filter takes.
pub fn filtered(
    program: &Program,
    packs: &[&[u8]],
    wanted: Wanted<'_>,
    named: Option<&Named>,
    (row_gas, total_gas): (u64, u64),
) -> Result<Outcome, Broken> {
    let mut rows = Rows::new(RowFilter::new(program), row_gas, total_gas);
    let (mut looked, mut hits, mut error) = (0, Vec::with_capacity(MANY * packs.len()), None);
    walk(packs, wanted, |spot, (id, row), document| {
        looked += 1;
        if error.is_some() {
            return;
        }
        let meta = named.map(|named| meta_of(id, named, version(row)));
        match rows.matches(Given::Text(document), meta.as_deref()) {
            Ok(Some(true)) => hits.push(spot),
            Ok(_) => {}
            Err(record) => error = Some(record),
        }
    })?;
    if error.is_some() {
        return Ok(Outcome { looked, error, gas: total_gas, ..Outcome::default() });
    }
    let Rows { errors, first_error, gas, .. } = rows;
    Ok(Outcome { looked, hits, errors, first_error, gas, error })
}

/// Show every row that is wanted and can be seen: where it is, all of it, its document.
fn walk<'a>(
    packs: &[&'a [u8]],
    wanted: Wanted<'_>,
    mut show: impl FnMut((u32, u32), Row<'a>, &'a [u8]),
) -> Result<(), Broken> {
    let mut chosen = wanted.chosen.map(|ids| ids.chunks_exact(ID).peekable());
    for (number, raw) in packs.iter().enumerate() {
        let pack = Pack::open(raw)?;
        let mut look = |place: usize, (id, row): Row<'a>| {
            if let Some(document) = seen(row)? {
                show((number as u32, place as u32), (id, row), document);
            }
            Ok(())
        };
        let first = if wanted.after.is_empty() { 0 } else { pack.place_after(wanted.after) };
        match &mut chosen {
            None => pack.rows().enumerate().skip(first).try_for_each(|(place, row)| look(place, row))?,
            Some(ids) => {
                while let Some(id) = ids.next_if(|&id| id <= pack.id(pack.len() - 1)) {
                    if let Some(place) = pack.find(id).filter(|&place| place >= first) {
                        look(place, (pack.id(place), pack.row(place)))?;
                    }
                }
            }
        }
    }
    Ok(())
}

fn meta_of(id: &[u8], (tenant, kind): &Named, version: u64) -> Vec<u8> {
    let mut text = String::from(r#"{"id":""#);
    for (at, byte) in id.iter().enumerate() {
        if matches!(at, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        // a string takes everything
        let _ = write!(text, "{byte:02x}");
    }
    let _ = write!(text, r#"","tenant_id":"{tenant}","type":"{kind}","version":{version}}}"#);
    text.into_bytes()
}

#[pyclass(frozen, module = "aggregate.engine._native", name = "Scanned")]
pub struct Scanned {
    packs: Vec<PyBackedBytes>,
    outcome: Outcome,
}

impl Scanned {
    pub fn new(
        py: Python<'_>,
        packs: Vec<PyBackedBytes>,
        run: impl FnOnce(&[&[u8]]) -> Result<Outcome, Broken> + Send,
    ) -> PyResult<Scanned> {
        let outcome = py.detach(|| run(&packs.iter().map(|pack| &**pack).collect::<Vec<_>>()))?;
        Ok(Scanned { packs, outcome })
    }

    pub fn failed(error: Vec<u8>) -> Outcome {
        Outcome { error: Some(error), ..Outcome::default() }
    }

    /// Id and row of each hit.
    fn rows(&self) -> Result<Vec<Row<'_>>, Broken> {
        let mut rows = Vec::with_capacity(self.outcome.hits.len());
        for hits in self.outcome.hits.chunk_by(|a, b| a.0 == b.0) {
            let pack = Pack::open(&self.packs[hits[0].0 as usize])?;
            rows.extend(hits.iter().map(|&(_, place)| (pack.id(place as usize), pack.row(place as usize))));
        }
        Ok(rows)
    }
}

#[pymethods]
impl Scanned {
    #[getter]
    fn looked(&self) -> usize {
        self.outcome.looked
    }

    #[getter]
    fn count(&self) -> usize {
        self.outcome.hits.len()
    }

    #[getter]
    fn errors(&self) -> usize {
        self.outcome.errors
    }

    #[getter]
    fn first_error<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyBytes>> {
        self.outcome.first_error.as_ref().map(|text| PyBytes::new(py, text))
    }

    #[getter]
    fn gas(&self) -> u64 {
        self.outcome.gas
    }

    #[getter]
    fn error<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyBytes>> {
        self.outcome.error.as_ref().map(|text| PyBytes::new(py, text))
    }

    fn entries<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let rows = self.rows()?;
        PyList::new(py, rows.into_iter().map(|(id, row)| (PyBytes::new(py, id), PyBytes::new(py, row))))
    }

    fn keys<'py>(&self, py: Python<'py>, paths: Vec<String>) -> PyResult<Bound<'py, PyList>> {
        let documents: Vec<&[u8]> =
            self.rows()?.into_iter().filter_map(|(_, row)| seen(row).transpose()).collect::<Result<_, _>>()?;
        order_key::keys_of(py, &documents, &paths, 0)
    }
}

#[pyfunction]
#[pyo3(signature = (packs, after, chosen))]
pub fn pack_scan(py: Python<'_>, packs: Vec<PyBackedBytes>, after: &[u8], chosen: Option<&[u8]>) -> PyResult<Scanned> {
    Scanned::new(py, packs, |packs| everything(packs, Wanted { after, chosen }))
}
