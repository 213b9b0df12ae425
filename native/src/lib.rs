//! The native engine of Aggregate: programs of the language `agl-1`, metered and exact.

mod abridge;
mod access;
mod arguments;
mod assembler;
mod brief;
mod builtins;
mod cache;
mod code;
mod commits;
mod compile;
mod comprehensions;
mod context;
mod document;
mod engine;
mod escapes;
mod event_id;
mod failure;
mod folding;
mod format;
mod functions;
mod gas;
mod given;
mod ir;
mod iterables;
mod joined;
mod json_reader;
mod json_writer;
mod key;
mod lists;
mod load;
mod loops;
mod machine;
mod making;
mod map;
mod maps;
mod node;
mod number;
mod number_text;
mod operations;
mod operators;
mod order_key;
mod outcome;
mod packs;
mod pool;
mod program;
mod quick;
mod reads;
mod results;
mod ring;
mod rows;
mod scan;
mod scanning;
mod scratch;
mod share;
mod skim;
mod skimming;
mod small;
mod stack;
mod state;
mod statements;
mod strings;
mod template;
#[cfg(test)]
mod tests;
mod text;
mod value;
mod walk;
mod whole;
mod wide;

use pyo3::prelude::*;

#[pymodule]
fn _native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<engine::NativeEngine>()?;
    module.add_class::<engine::Program>()?;
    module.add_class::<results::State>()?;
    module.add_class::<results::Decision>()?;
    module.add_class::<results::Evaluation>()?;
    module.add_class::<results::Fold>()?;
    module.add_class::<results::CommitFold>()?;
    module.add_class::<results::Matches>()?;
    module.add_class::<ring::HashRing>()?;
    module.add_class::<scanning::Scanned>()?;
    module.add_function(wrap_pyfunction!(order_key::order_keys, module)?)?;
    module.add_function(wrap_pyfunction!(packs::pack_find, module)?)?;
    module.add_function(wrap_pyfunction!(packs::pack_put, module)?)?;
    module.add_function(wrap_pyfunction!(packs::pack_rows, module)?)?;
    module.add_function(wrap_pyfunction!(scanning::pack_scan, module)?)?;
    module.add_function(wrap_pyfunction!(engine::_panic_for_tests, module)?)
}
