//! Live allocation is at most 64 bytes for each unit charged plus 4 MiB, and 1,000,000 units take at most 100 ms, whatever the program.

use std::time::{Duration, Instant};

use super::allocator::measured;
use super::program;
use crate::document::Document;
use crate::json_reader::Reader;
use crate::program::Given;
use crate::state::State;

const BYTES_PER_UNIT: u64 = 64;
const SLACK: u64 = 4 * 1024 * 1024;
const HOSTILE: [&str; 23] = [
    "double_string",
    "double_list",
    "keep_lists",
    "keep_strings",
    "keep_maps",
    "grow_map",
    "long_keys",
    "chain",
    "cycles",
    "nested_comprehension",
    "pairs",
    "divide",
    "modulo",
    "search",
    "wide_index",
    "sort",
    "text",
    "equal",
    "insert",
    "calls",
    "fields",
    "split_words",
    "round",
];

#[test]
fn memory_is_paid_for() {
    for name in HOSTILE {
        let program = program(name);
        for gas in [1_000, 30_000, 1_000_000, 3_000_000] {
            let run = || program.decide(Given::Text(b"null"), b"{\"type\":\"go\"}", None, gas);
            let (outcome, peak, _) = measured(run);
            let bound = outcome.gas * BYTES_PER_UNIT + SLACK;
            assert!(peak as u64 <= bound, "{name}: {peak} bytes for {} units", outcome.gas);
        }
    }
}

#[test]
fn nothing_is_left_behind() {
    for name in HOSTILE {
        let program = program(name);
        let run = || drop(program.decide(Given::Text(b"null"), b"{\"type\":\"go\"}", None, 200_000));
        run();
        let (_, _, left) = measured(run);
        assert!(left <= 0, "{name} leaves {left} bytes");
    }
}

#[test]
fn a_million_units_take_a_tenth_of_a_second() {
    // the bound is for the optimised build; the other one only has to end
    let bound = Duration::from_millis(if cfg!(debug_assertions) { 5_000 } else { 100 });
    let mut slow = Vec::new();
    for name in HOSTILE {
        let program = program(name);
        let took = (0..7).map(|_| {
            let start = Instant::now();
            let outcome = program.decide(Given::Text(b"null"), b"{\"type\":\"go\"}", None, 1_000_000);
            assert!(outcome.error.is_some(), "{name} spends all of its gas");
            start.elapsed()
        });
        let best = took.min().unwrap_or_default();
        println!("{name}: {best:?}");
        if best > bound {
            slow.push((name, best));
        }
    }
    assert!(slow.is_empty(), "{slow:?}");
}

#[test]
fn a_document_takes_at_most_32_bytes_for_each_of_its_text() {
    let repeated = |open: &str, item: &str, count: usize, close: &str| {
        format!("{open}{}{close}", vec![item; count].join(",")).into_bytes()
    };
    let keys = (0..40_000).map(|n| format!("\"k{n}\":0")).collect::<Vec<_>>().join(",");
    let few = (0..2_000).map(|n| format!("{{\"{}\":{n},\"\":0}}", n % 10)).collect::<Vec<_>>().join(",");
    let documents = [
        repeated("[", "0", 90_000, "]"),
        repeated("[", "[]", 90_000, "]"),
        repeated("[", "{}", 90_000, "]"),
        repeated("[", "{\"\":[0]}", 90_000, "]"),
        repeated("[", "\"123456789012345\"", 50_000, "]"),
        format!("{{{keys}}}").into_bytes(),
        format!("[{few}]").into_bytes(),
    ];
    for text in &documents {
        let mut reader = Reader::new();
        let (value, _, held) = measured(|| reader.read(text, Document::Named("state")));
        let start = String::from_utf8_lossy(&text[..20]).into_owned();
        assert!(value.is_ok(), "{start}");
        // the reader keeps its stacks for the next document
        drop(reader);
        let (_, _, freed) = measured(|| drop(value));
        assert!(-freed <= 32 * text.len() as isize, "{start}: {} bytes for {} (held {held})", -freed, text.len());
    }
}

#[test]
fn cycles_are_freed_in_folds_too() {
    let program = program("order");
    let state = State::null();
    let events: Vec<&[u8]> = vec![b"{\"type\":\"unknown\"}"; 1000];
    let run = || drop(program.fold(&state, &events, 100_000, None));
    run();
    let (_, _, left) = measured(run);
    assert!(left <= 0, "{left} bytes");
}
