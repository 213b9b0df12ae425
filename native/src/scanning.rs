//! Scans of packs: the rows that can be seen and match, read where they lie. Twin of `engine/pure/packs.py`.

use std::fmt::Write as _;

use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyBytes, PyList};

use crate::order_key;
use crate::packs::{Broken, Pack, Row, seen, version};
use crate::program::{Given, Program};
use crate::rows::Matches;

/// What all rows of a scan have in common of what a filter sees as `meta`: tenant and type. They hold nothing that JSON would escape.
pub type Named = (String, String);

/// A row that can be seen: its pack, its place there, its document.
#[derive(Clone, Copy)]
struct Seen<'a> {
    pack: u32,
    place: u32,
    document: &'a [u8],
}

/// Rows that match, of packs that others hold: which, and where their documents stand.
#[derive(Default)]
pub struct Outcome {
    looked: usize,
    hits: Vec<(u32, u32)>,
    matches: Matches,
}

/// All rows that can be seen, or those of them that a filter takes.
pub fn scan(
    packs: &[&[u8]],
    after: &[u8],
    filter: Option<(&Program, Option<&Named>, u64, u64)>,
) -> Result<Outcome, Broken> {
    let opened: Vec<Pack<'_>> = packs.iter().map(|raw| Pack::open(raw)).collect::<Result<_, _>>()?;
    let mut found = Vec::with_capacity(opened.iter().map(Pack::len).sum());
    for (number, pack) in opened.iter().enumerate() {
        let first = if after.is_empty() { 0 } else { pack.place_after(after) };
        for place in first..pack.len() {
            if let Some(document) = seen(pack.row(place))? {
                found.push(Seen { pack: number as u32, place: place as u32, document });
            }
        }
    }
    let spot = |row: &Seen<'_>| (row.pack, row.place);
    let Some((program, named, row_gas, total_gas)) = filter else {
        return Ok(Outcome { looked: found.len(), hits: found.iter().map(spot).collect(), ..Outcome::default() });
    };
    let documents: Vec<Given<'_>> = found.iter().map(|row| Given::Text(row.document)).collect();
    let metas: Option<Vec<Vec<u8>>> = named.map(|named| {
        let meta = |row: &Seen<'_>| {
            let (pack, place) = (&opened[row.pack as usize], row.place as usize);
            meta_of(pack.id(place), named, version(pack.row(place)))
        };
        found.iter().map(meta).collect()
    });
    let metas: Option<Vec<&[u8]>> = metas.as_ref().map(|metas| metas.iter().map(Vec::as_slice).collect());
    let matches = program.matches(&documents, metas.as_deref(), row_gas, total_gas);
    let hits = found.iter().zip(&matches.rows).filter(|(_, flag)| **flag == 1).map(|(row, _)| spot(row)).collect();
    Ok(Outcome { looked: found.len(), hits, matches })
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
        Outcome { matches: Matches { error: Some(error), ..Matches::default() }, ..Outcome::default() }
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
        self.outcome.matches.errors
    }

    #[getter]
    fn first_error<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyBytes>> {
        self.outcome.matches.first_error.as_ref().map(|text| PyBytes::new(py, text))
    }

    #[getter]
    fn gas(&self) -> u64 {
        self.outcome.matches.gas
    }

    #[getter]
    fn error<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyBytes>> {
        self.outcome.matches.error.as_ref().map(|text| PyBytes::new(py, text))
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
pub fn pack_scan(py: Python<'_>, packs: Vec<PyBackedBytes>, after: &[u8]) -> PyResult<Scanned> {
    Scanned::new(py, packs, |packs| scan(packs, after, None))
}
