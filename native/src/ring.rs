//! A consistent-hash ring, twin of `engine/pure/ring.py`: which node has which tenant.
//!
//! The hash is SipHash-2-4 (Aumasson, Bernstein, 2012) with a fixed key, the same on every machine: nodes must agree without talking.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyIterator, PyString};

const KEY: (u64, u64) = (0x6167_6772_6567_6174, 4);
const MAX_VNODES: i64 = 10_000;
const MAX_WEIGHT: i64 = 1_000;
const MAX_POINTS: i64 = 1_000_000;

struct Member {
    name: String,
    weight: i64,
    /// Given out again and again, so that a lookup makes nothing.
    text: Py<PyString>,
}

/// Nodes by name, each with a weight; the order in which they came makes no difference.
#[pyclass(module = "aggregate.engine._native")]
pub struct HashRing {
    vnodes: i64,
    /// By name.
    members: Vec<Member>,
    /// Sorted: where on the circle, and the place among the members. Of two that coincide the smaller name goes first.
    points: Vec<(u64, u32)>,
}

#[pymethods]
impl HashRing {
    #[new]
    #[pyo3(signature = (nodes=None, vnodes=128, weights=None))]
    fn new(nodes: Option<&Bound<'_, PyAny>>, vnodes: i64, weights: Option<&Bound<'_, PyAny>>) -> PyResult<HashRing> {
        if !(1..=MAX_VNODES).contains(&vnodes) {
            return Err(PyValueError::new_err(format!("virtual nodes are 1 to {MAX_VNODES}, got {vnodes}")));
        }
        let mut ring = HashRing { vnodes, members: Vec::new(), points: Vec::new() };
        if let Some(nodes) = nodes {
            for node in PyIterator::from_object(nodes)? {
                let node = node?.cast_into::<PyString>()?;
                let weight = match weights {
                    Some(weights) => weights.call_method1("get", (&node, 1))?.extract()?,
                    None => 1,
                };
                ring.put(&node, weight)?;
            }
        }
        ring.order();
        Ok(ring)
    }

    /// The names, sorted.
    #[getter]
    fn nodes(&self) -> Vec<&str> {
        self.members.iter().map(|member| member.name.as_str()).collect()
    }

    /// Points of a node of weight 1.
    #[getter]
    fn vnodes(&self) -> i64 {
        self.vnodes
    }

    /// A node's weight.
    fn weight(&self, node: &str) -> PyResult<i64> {
        Ok(self.members[self.place(node)?].weight)
    }

    /// The node of a tenant; None where no node has a weight.
    fn get_node<'py>(&self, py: Python<'py>, tenant: &str) -> Option<Bound<'py, PyString>> {
        let hash = siphash(KEY, tenant.as_bytes());
        let at = self.points.partition_point(|point| point.0 < hash);
        let (_, owner) = self.points.get(at).or_else(|| self.points.first())?;
        Some(self.members[*owner as usize].text.bind(py).clone())
    }

    /// Take a node in.
    #[pyo3(signature = (node, weight=1))]
    fn add_node(&mut self, node: &Bound<'_, PyString>, weight: i64) -> PyResult<()> {
        self.put(node, weight)?;
        self.order();
        Ok(())
    }

    /// Let a node go.
    fn remove_node(&mut self, node: &str) -> PyResult<()> {
        let place = self.place(node)?;
        self.members.remove(place);
        self.order();
        Ok(())
    }
}

impl HashRing {
    fn place(&self, node: &str) -> PyResult<usize> {
        let found = self.members.binary_search_by(|member| member.name.as_str().cmp(node));
        found.map_err(|_| PyValueError::new_err(format!("no node '{node}' on the ring")))
    }

    fn put(&mut self, node: &Bound<'_, PyString>, weight: i64) -> PyResult<()> {
        let name = node.to_str()?.to_owned();
        let Err(place) = self.members.binary_search_by(|member| member.name.cmp(&name)) else {
            return Err(PyValueError::new_err(format!("node '{name}' is on the ring already")));
        };
        if !(0..=MAX_WEIGHT).contains(&weight) {
            return Err(PyValueError::new_err(format!("a weight is 0 to {MAX_WEIGHT}, got {weight}")));
        }
        let total: i64 = self.members.iter().map(|member| member.weight).sum();
        if (total + weight) * self.vnodes > MAX_POINTS {
            let why = format!(
                "the ring would have more than {MAX_POINTS} points; use fewer virtual nodes or smaller weights"
            );
            return Err(PyValueError::new_err(why));
        }
        self.members.insert(place, Member { name, weight, text: node.clone().unbind() });
        Ok(())
    }

    fn order(&mut self) {
        self.points.clear();
        let mut label = Vec::new();
        for (place, member) in self.members.iter().enumerate() {
            for number in 0..member.weight * self.vnodes {
                label.clear();
                label.extend_from_slice(member.name.as_bytes());
                label.push(0);
                label.extend_from_slice(number.to_string().as_bytes());
                self.points.push((siphash(KEY, &label), place as u32));
            }
        }
        self.points.sort_unstable();
    }
}

fn siphash(key: (u64, u64), data: &[u8]) -> u64 {
    let mut v = [
        key.0 ^ 0x736f_6d65_7073_6575,
        key.1 ^ 0x646f_7261_6e64_6f6d,
        key.0 ^ 0x6c79_6765_6e65_7261,
        key.1 ^ 0x7465_6462_7974_6573,
    ];
    let words = data.chunks_exact(8);
    let mut last = [0; 8];
    last[..words.remainder().len()].copy_from_slice(words.remainder());
    last[7] = data.len() as u8;
    for bytes in words.chain([&last[..]]) {
        let word = bytes.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte));
        v[3] ^= word;
        rounds(2, &mut v);
        v[0] ^= word;
    }
    v[2] ^= 0xff;
    rounds(4, &mut v);
    v[0] ^ v[1] ^ v[2] ^ v[3]
}

fn rounds(count: u32, v: &mut [u64; 4]) {
    for _ in 0..count {
        v[0] = v[0].wrapping_add(v[1]);
        v[2] = v[2].wrapping_add(v[3]);
        v[1] = v[1].rotate_left(13) ^ v[0];
        v[3] = v[3].rotate_left(16) ^ v[2];
        v[0] = v[0].rotate_left(32);
        v[2] = v[2].wrapping_add(v[1]);
        v[0] = v[0].wrapping_add(v[3]);
        v[1] = v[1].rotate_left(17) ^ v[2];
        v[3] = v[3].rotate_left(21) ^ v[0];
        v[2] = v[2].rotate_left(32);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_the_one_of_the_paper() {
        let data: Vec<u8> = (0..64).collect();
        let key = (0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908);
        assert_eq!(siphash(key, &data[..0]), 0x726f_db47_dd0e_0e31);
        assert_eq!(siphash(key, &data[..8]), 0x93f5_f579_9a93_2462);
        assert_eq!(siphash(key, &data[..15]), 0xa129_ca61_49be_45e5);
    }
}
