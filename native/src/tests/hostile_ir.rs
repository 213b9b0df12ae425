//! IR that nobody's compiler made: it is refused or it runs, it never crashes.

use super::{Random, ir};
use crate::load::load;
use crate::program::{Given, Program};
use crate::state::State;

/// Load it, and if that works, run it.
fn survive(bytes: &[u8]) -> bool {
    let Ok(code) = load(bytes) else { return false };
    let program = Program::new(code);
    let state = b"{\"balance\":60,\"owner\":{\"country\":\"DE\"},\"status\":\"open\"}";
    let ctx = b"{\"version\":1}";
    for command in
        [&b"{\"type\":\"deposit\",\"amount\":5}"[..], b"{\"type\":\"add_line\",\"sku\":\"a\",\"quantity\":2}"]
    {
        if program.has_decide() {
            program.decide(Given::Text(state), command, Some(ctx), 10_000);
        }
        if program.has_apply() {
            program.apply(Given::Text(state), command, Some(ctx), 10_000);
            program.fold(&State::null(), &[command, command], 10_000, Some(ctx));
        }
        if !program.has_decide() && !program.has_apply() {
            program.evaluate(Given::Text(state), None, 10_000);
        }
    }
    true
}

#[test]
fn flipped_bytes_never_crash() {
    let mut random = Random(7);
    let mut loaded = 0;
    for name in ["bank", "order", "inventory", "filter", "pairs", "fields", "nested_comprehension"] {
        let sound = ir(name);
        assert!(survive(&sound), "{name}");
        for _ in 0..1500 {
            let mut bytes = sound.clone();
            for _ in 0..=random.below(3) {
                let at = random.below(bytes.len());
                match random.below(4) {
                    0 => bytes[at] = b"0123456789"[random.below(10)],
                    1 => bytes[at] ^= 1 << random.below(8),
                    2 => drop(bytes.remove(at)),
                    _ => bytes[at] = bytes[random.below(bytes.len())],
                }
            }
            loaded += usize::from(survive(&bytes));
        }
    }
    assert!(loaded > 500, "most changes only move a position, so many still load: {loaded}");
}

#[test]
fn swapped_nodes_never_crash() {
    // tags and operators of the IR, each put in the place of each other
    let words = [
        "local", "const", "free", "field", "index", "slice", "bin", "and", "not", "if", "list", "map", "lcomp", "call",
        "fn", "method",
    ];
    for name in ["bank", "filter", "fields"] {
        let sound = String::from_utf8(ir(name)).unwrap_or_default();
        for from in words {
            for to in words {
                survive(sound.replacen(&format!("[\"{from}\""), &format!("[\"{to}\""), 1).as_bytes());
            }
        }
    }
}

#[test]
fn what_is_wrong_is_named() {
    let sound = String::from_utf8(ir("bank")).unwrap_or_default();
    for (from, to, says) in [
        ("\"agl-1\"", "\"agl-2\"", "no IR of agl-1"),
        ("\"v\":1", "\"v\":2", "no IR of agl-1"),
        ("\"kind\":\"program\"", "\"kind\":\"macro\"", "unknown kind macro"),
        ("[\"local\"", "[\"lokal\"", "lokal"),
        ("\"params\":2", "\"params\":99", "decide must be a function of two or three parameters"),
    ] {
        assert!(sound.contains(from), "{from}");
        match load(sound.replacen(from, to, 1).as_bytes()) {
            Ok(_) => panic!("{to} loads"),
            Err(bad) => assert!(bad.0.contains(says), "{to}: {}", bad.0),
        }
    }
}

#[test]
fn a_chain_of_thousands_of_operators_needs_no_deep_stack() {
    let small = std::thread::Builder::new().stack_size(256 * 1024).spawn(|| {
        let program = super::program("long_sum");
        program.evaluate(Given::Text(b"null"), None, 100_000).value
    });
    let value = small.ok().and_then(|thread| thread.join().ok()).flatten();
    assert_eq!(value.as_deref(), Some(&b"9000"[..]));
}
