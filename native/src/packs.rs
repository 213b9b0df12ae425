//! Rows packed many to a value: twin of `engine/pure/packs.py`, which says how they are laid out.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList};

const FORMAT: u8 = 1;
const VISIBLE: u8 = 1;
const SHAPED: u8 = 2;

const HEAD: usize = 3;
pub const ID: usize = 16;
const END: usize = 4;
/// Flags, version, sequence and time of a row.
const ROW_HEAD: usize = 41;

/// The bytes are no pack, or no row.
pub struct Broken;

impl From<Broken> for PyErr {
    fn from(_: Broken) -> PyErr {
        PyValueError::new_err("not a pack of rows")
    }
}

/// An id and what is stored under it.
pub type Row<'a> = (&'a [u8], &'a [u8]);

pub struct Pack<'a> {
    ids: &'a [u8],
    ends: &'a [u8],
    rows: &'a [u8],
}

impl<'a> Pack<'a> {
    pub fn open(raw: &'a [u8]) -> Result<Pack<'a>, Broken> {
        let (&[format, high, low], rest) = raw.split_first_chunk::<HEAD>().ok_or(Broken)?;
        let count = usize::from(u16::from_be_bytes([high, low]));
        if format != FORMAT || count == 0 {
            return Err(Broken);
        }
        let (ids, rest) = rest.split_at_checked(ID * count).ok_or(Broken)?;
        let (ends, rows) = rest.split_at_checked(END * count).ok_or(Broken)?;
        let (mut last, mut from) = (None, 0);
        for (id, end) in ids.chunks_exact(ID).zip(ends.chunks_exact(END)) {
            let (id, end) = (id.first_chunk().copied().map(u128::from_be_bytes), number(end));
            if end < from || id <= last {
                return Err(Broken);
            }
            (last, from) = (id, end);
        }
        if from == rows.len() { Ok(Pack { ids, ends, rows }) } else { Err(Broken) }
    }

    pub fn len(&self) -> usize {
        self.ends.len() / END
    }

    pub fn id(&self, at: usize) -> &'a [u8] {
        &self.ids[at * ID..][..ID]
    }

    #[inline(always)]
    fn end(&self, at: usize) -> usize {
        number(&self.ends[at * END..])
    }

    #[inline(always)]
    pub fn row(&self, at: usize) -> &'a [u8] {
        let start = if at == 0 { 0 } else { self.end(at - 1) };
        &self.rows[start..self.end(at)]
    }

    pub fn rows(&self) -> impl Iterator<Item = Row<'a>> {
        let mut from = 0;
        self.ids.chunks_exact(ID).zip(self.ends.chunks_exact(END)).map(move |(id, end)| {
            let start = std::mem::replace(&mut from, number(end));
            (id, &self.rows[start..from])
        })
    }

    /// Where the first row stands whose id is not before this one.
    fn place(&self, id: &[u8]) -> usize {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = (low + high) / 2;
            if self.id(middle) < id { low = middle + 1 } else { high = middle }
        }
        low
    }

    /// Where the row with this id stands.
    pub fn find(&self, id: &[u8]) -> Option<usize> {
        let place = self.place(id);
        (place < self.len() && self.id(place) == id).then_some(place)
    }

    /// Where the first row stands whose id is after this one.
    pub fn place_after(&self, id: &[u8]) -> usize {
        self.find(id).map_or_else(|| self.place(id), |place| place + 1)
    }
}

#[inline(always)]
fn number(end: &[u8]) -> usize {
    end.first_chunk().copied().map_or(0, u32::from_be_bytes) as usize
}

/// The document of a row that queries can see, None where they cannot.
#[inline(always)]
pub fn seen(row: &[u8]) -> Result<Option<&[u8]>, Broken> {
    let (head, rest) = row.split_at_checked(ROW_HEAD).ok_or(Broken)?;
    match head[0] & (VISIBLE | SHAPED) {
        VISIBLE => Ok(Some(rest)),
        flags if flags & VISIBLE == 0 => Ok(None),
        _ => {
            let (&size, rest) = rest.split_first_chunk::<END>().ok_or(Broken)?;
            rest.get(..u32::from_be_bytes(size) as usize).map(Some).ok_or(Broken)
        }
    }
}

/// The version of a row that `seen` has looked at.
pub fn version(row: &[u8]) -> u64 {
    row[1..].first_chunk().copied().map_or(0, u64::from_be_bytes)
}

/// A pack that was made, after its last id.
type Made = (Vec<u8>, Vec<u8>);

/// A pack with a row in it: see the twin.
fn put(raw: &[u8], id: &[u8], row: &[u8], most: usize) -> Result<Vec<Made>, Broken> {
    let mut rows: Vec<Row<'_>> = Vec::new();
    let mut at = 0;
    let mut grows = true;
    if !raw.is_empty() {
        let pack = Pack::open(raw)?;
        at = pack.place(id);
        grows = at == pack.len() || pack.id(at) != id;
        rows.reserve(pack.len() + 1);
        rows.extend(pack.rows());
    }
    if grows {
        rows.insert(at, (id, row));
    } else {
        rows[at].1 = row;
    }
    let mut made = Vec::with_capacity(1);
    if grows && at > 0 && at == rows.len() - 1 && size(&rows) > most {
        cut(&rows[..at], most, &mut made);
        cut(&rows[at..], most, &mut made);
    } else {
        cut(&rows, most, &mut made);
    }
    Ok(made)
}

/// Packs of some rows, none larger than `most` but those of one row.
fn cut(rows: &[Row<'_>], most: usize, made: &mut Vec<Made>) {
    let whole = size(rows);
    if whole <= most || rows.len() == 1 {
        made.push((rows[rows.len() - 1].0.to_vec(), packed(rows, whole)));
        return;
    }
    let mut left = 1;
    while 2 * size(&rows[..left + 1]) <= whole {
        left += 1;
    }
    cut(&rows[..left], most, made);
    cut(&rows[left..], most, made);
}

fn size(rows: &[Row<'_>]) -> usize {
    HEAD + rows.iter().map(|(_, row)| ID + END + row.len()).sum::<usize>()
}

fn packed(rows: &[Row<'_>], size: usize) -> Vec<u8> {
    let mut raw = Vec::with_capacity(size);
    raw.push(FORMAT);
    raw.extend((rows.len() as u16).to_be_bytes());
    rows.iter().for_each(|(id, _)| raw.extend_from_slice(id));
    let mut end = 0u32;
    for (_, row) in rows {
        end += row.len() as u32;
        raw.extend(end.to_be_bytes());
    }
    rows.iter().for_each(|(_, row)| raw.extend_from_slice(row));
    raw
}

#[pyfunction]
pub fn pack_find<'py>(py: Python<'py>, pack: &[u8], name: &[u8]) -> PyResult<Option<Bound<'py, PyBytes>>> {
    let pack = Pack::open(pack)?;
    Ok(pack.find(name).map(|place| PyBytes::new(py, pack.row(place))))
}

#[pyfunction]
pub fn pack_put<'py>(
    py: Python<'py>,
    pack: &[u8],
    name: [u8; ID],
    row: &[u8],
    most: usize,
) -> PyResult<Bound<'py, PyList>> {
    let made = put(pack, &name, row, most)?;
    PyList::new(py, made.iter().map(|(last, pack)| (PyBytes::new(py, last), PyBytes::new(py, pack))))
}

#[pyfunction]
pub fn pack_rows<'py>(py: Python<'py>, pack: &[u8]) -> PyResult<Bound<'py, PyList>> {
    let pack = Pack::open(pack)?;
    let rows: Vec<_> = pack.rows().map(|(id, row)| (PyBytes::new(py, id), PyBytes::new(py, row))).collect();
    PyList::new(py, rows)
}
