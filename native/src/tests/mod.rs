//! Tests of the crate as a whole: bounds of memory and time, hostile IR and JSON, threads, panics.
//!
//! The IR they run is in `native/tests/ir/`; `native/tests/make_ir.py` writes it.

mod allocator;
mod bounds;
mod calls;
mod documents;
mod hostile_ir;

use crate::load::load;
use crate::program::Program;

/// The IR of `native/tests/ir/<name>.json`.
fn ir(name: &str) -> Vec<u8> {
    let path = format!("{}/tests/ir/{name}.json", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn program(name: &str) -> Program {
    Program::new(load(&ir(name)).unwrap_or_else(|bad| panic!("{name}: {}", bad.0)))
}

/// Numbers that look random and are the same in each run.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % bound
    }
}
