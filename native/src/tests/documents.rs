//! JSON that somebody broke: both readers agree, and nothing crashes.

use super::Random;
use crate::document::Document;
use crate::failure::Stop;
use crate::json_reader::Reader;
use crate::json_writer::to_json;
use crate::load::load;
use crate::program::Program;
use crate::rows::canonical;
use crate::skim::{Part, Wanted};
use crate::template::Skimmer;
use crate::text::Str;
use crate::value::Value;

const SEEDS: [&str; 8] = [
    r#"{"type":"deposited","amount":50,"owner":{"name":"ann","tags":["a","b",1.50,-0.0,true,false,null]}}"#,
    r#"[1,2,3,[4,[5,{"a":[],"b":{}}]],"x"]"#,
    r#"{"b":1,"a":2,"c":{"z":1,"y":"é😀","x":[0.1,1e5,-1E-3]}}"#,
    r#""a \"quoted\" \u00e9 \ud83d\ude00 \n text""#,
    r#"{"":0,"a":{"":{"":{}}}, "long key that is no short one": 12345678901234567890 }"#,
    "  [ 1 , 2 ]  ",
    r#"{"k1":1,"k2":2,"k3":3,"k4":4,"k5":5,"k0":0,"k6":6}"#,
    "9999999999999999999999999999999999",
];

fn broken(random: &mut Random, text: &str) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    for _ in 0..=random.below(3) {
        let at = random.below(bytes.len());
        match random.below(4) {
            0 => bytes[at] = br#"{}[]",:0-.e\"#[random.below(12)],
            1 => bytes[at] ^= 1 << random.below(8),
            2 if bytes.len() > 1 => drop(bytes.remove(at)),
            _ => bytes.insert(at, bytes[random.below(bytes.len())]),
        }
    }
    bytes
}

#[test]
fn the_canonical_text_of_a_canonical_text_is_itself() {
    let mut random = Random(3);
    let mut sound = 0;
    for _ in 0..4000 {
        for seed in SEEDS {
            let text = broken(&mut random, seed);
            match canonical(&text) {
                Ok(once) => {
                    sound += 1;
                    let twice = canonical(&once).ok();
                    assert_eq!(twice.as_deref(), Some(&once[..]), "{}", String::from_utf8_lossy(&text));
                }
                Err(stop) => {
                    let Stop::Failure(failure) = *stop else { panic!("a rejection") };
                    let record = String::from_utf8(failure.record(0)).unwrap_or_default();
                    assert!(record.starts_with("{\"kind\":\"contract\",\"code\":\"bad_input\""), "{record}");
                }
            }
        }
    }
    assert!(sound > 1000, "{sound} of the texts are sound");
}

#[test]
fn the_quick_reader_takes_nothing_that_the_careful_one_refuses() {
    let mut random = Random(5);
    for _ in 0..4000 {
        for seed in SEEDS {
            let text = broken(&mut random, seed);
            let mut reader = Reader::new();
            let quick = reader.read(&text, Document::Named("x")).ok().and_then(|value| to_json(&value).ok());
            // a depth that the quick reader does not take leaves the text to the careful one
            let careful =
                reader.read_part(&text, Document::Named("x"), 1000).ok().and_then(|value| to_json(&value).ok());
            assert_eq!(quick, careful, "{}", String::from_utf8_lossy(&text));
        }
    }
}

#[test]
fn a_skimmed_document_is_a_sound_one() {
    let mut random = Random(11);
    let mut wanted = Wanted::default();
    for name in ["a", "type", "owner", "k3"] {
        wanted.add(&Str::new(name), Part::All);
    }
    wanted.add(&Str::new("c"), Part::Inner(Wanted::only(&Str::new("y"))));
    wanted.add(&Str::new("b"), Part::Count);
    wanted.add(&Str::new(""), Part::Count);
    let mut skimmed = 0;
    for seed in SEEDS {
        // one that has seen the sound text, and then each broken one
        let mut skimmer = Skimmer::new(&wanted);
        for round in 0..4000 {
            let text = if round % 10 == 0 { seed.as_bytes().to_vec() } else { broken(&mut random, seed) };
            let mut reader = Reader::new();
            let mut values: Vec<Value> = (0..wanted.len()).map(|_| Value::Unbound).collect();
            if reader.skim(&text, &mut skimmer, &mut values[..]) {
                skimmed += 1;
                let shown = String::from_utf8_lossy(&text);
                let read = reader.read_part(&text, Document::Named("x"), 1000);
                let Ok(Value::Map(map)) = &read else { panic!("{shown}") };
                for (name, value) in wanted.names().zip(&values) {
                    let member = map.entries().get(name).unwrap_or(&Value::Unbound);
                    match wanted.part(wanted.position(name).unwrap_or_default()) {
                        Part::All => assert_eq!(to_json(member).ok(), to_json(value).ok(), "{shown}"),
                        _ => assert_eq!(
                            member.type_name(),
                            value.type_name().replace("list", member.type_name()),
                            "{shown}"
                        ),
                    }
                }
            }
        }
    }
    assert!(skimmed > 300, "{skimmed}");
}

#[test]
fn of_a_counted_member_the_length_is_read() {
    let mut wanted = Wanted::default();
    for name in ["a", "b", "c", "d", "e"] {
        wanted.add(&Str::new(name), Part::Count);
    }
    wanted.add(&Str::new("e"), Part::All);
    let text = br#"{"a":[1,{"b":[]},-0.5],"b":{"z":1,"y":{"z":2}},"c":"text","d":[],"e":[1]}"#;
    let mut values: Vec<Value> = (0..wanted.len()).map(|_| Value::Unbound).collect();
    assert!(Reader::new().skim(text, &mut Skimmer::new(&wanted), &mut values[..]));
    let length = |value: &Value| match value {
        Value::Range(range) => Some(range.length),
        _ => None,
    };
    assert_eq!(values.iter().map(length).collect::<Vec<_>>(), [Some(3), Some(2), None, Some(0), None]);
    assert!(!Reader::new().skim(br#"{"a":[1,{"b":0,"b":0}]}"#, &mut Skimmer::new(&wanted), &mut values[..]));
    assert!(!Reader::new().skim(br#"{"a":[01]}"#, &mut Skimmer::new(&wanted), &mut values[..]));
}

#[test]
fn deep_texts_need_no_deep_stack() {
    let small = std::thread::Builder::new().stack_size(256 * 1024).spawn(|| {
        let deep = "[".repeat(500_000) + &"]".repeat(500_000);
        assert!(canonical(deep.as_bytes()).is_err());
        assert!(load(deep.as_bytes()).map(Program::new).is_err());
    });
    assert!(small.is_ok_and(|thread| thread.join().is_ok()));
}

#[test]
fn keys_out_of_order_at_every_level_take_linear_time() {
    let level = |inner: &str| {
        let keys: Vec<String> = (0..14).rev().map(|n| format!("\"k{n:02}\":0")).collect();
        format!("{{\"z\":{inner},{}}}", keys.join(","))
    };
    let text = (0..60).fold("0".to_owned(), |inner, _| level(&inner));
    let start = std::time::Instant::now();
    let (wanted, mut nothing) = (Wanted::default(), Vec::<Value>::new());
    assert!(Reader::new().skim(text.as_bytes(), &mut Skimmer::new(&wanted), &mut nothing[..]));
    assert!(start.elapsed().as_millis() < 500);
}
