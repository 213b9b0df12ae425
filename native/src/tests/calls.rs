//! The calls of a program: state survives a failing event, threads share programs and states, a panic becomes a record.

use super::program;
use crate::commits::Expectation;
use crate::document::Document;
use crate::machine::PANIC;
use crate::program::Given;
use crate::state::State;

fn state(text: &[u8]) -> State {
    State::read(text, Document::Named("state")).unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(text)))
}

#[test]
fn a_fold_stops_at_the_failing_event_with_the_state_before_it() {
    let bank = program("bank");
    let before = state(br#"{"owner":"ann","balance":1}"#);
    let events: [&[u8]; 3] = [
        br#"{"type":"deposited","amount":2}"#,
        br#"{"type":"deposited","amount":"x"}"#,
        br#"{"type":"deposited","amount":4}"#,
    ];
    let fold = bank.fold(&before, &events, 10_000, None);
    let after = fold.state.map(|state| state.json()).unwrap_or_default();
    assert_eq!(after, br#"{"balance":3,"owner":"ann"}"#);
    assert_eq!(fold.count, 1);
    let error = String::from_utf8(fold.error.unwrap_or_default()).unwrap_or_default();
    assert!(error.ends_with(r#","index":1,"state":{"balance":3,"owner":"ann"}}"#), "{error}");
    assert_eq!(before.json(), br#"{"balance":1,"owner":"ann"}"#, "the state that was given never changes");
}

#[test]
fn no_gas_limit_loses_the_state_before() {
    let bank = program("bank");
    let before = state(br#"{"owner":"ann","balance":1}"#);
    let events: [&[u8]; 2] = [br#"{"type":"deposited","amount":2}"#; 2];
    for gas in 0..60 {
        let fold = bank.fold(&before, &events, gas, None);
        let after = fold.state.map(|state| state.json()).unwrap_or_default();
        let expected = format!("{{\"balance\":{},\"owner\":\"ann\"}}", 1 + 2 * fold.count);
        assert_eq!(String::from_utf8_lossy(&after), expected, "{gas}");
    }
}

#[test]
fn threads_share_programs_and_states() {
    let bank = program("bank");
    let start = state(br#"{"owner":"somebody with a long name","balance":1}"#);
    let events: Vec<&[u8]> = vec![br#"{"type":"deposited","amount":1}"#; 500];
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..50 {
                    let fold = bank.fold(&start, &events, 10_000, None);
                    let after = fold.state.map(|state| state.json()).unwrap_or_default();
                    assert_eq!(after, br#"{"balance":501,"owner":"somebody with a long name"}"#);
                }
            });
        }
    });
    assert_eq!(start.json(), br#"{"balance":1,"owner":"somebody with a long name"}"#);
}

#[test]
fn commits_must_continue_the_version() {
    let bank = program("bank");
    let message = |first: i64| {
        format!(
            r#"{{"v":1,"tenant_id":"t","aggregate_type":"Account","aggregate_id":"i","program":"p","generation":2,"commits":[{{"command_id":"c","first_version":{first},"time":"2026-01-01T00:00:00.000Z","events":[{{"event_id":"e","payload":{{"type":"account_opened","owner":"ann","balance":5}}}}]}}]}}"#
        )
    };
    let expect = Expectation {
        tenant_id: "t".to_owned(),
        aggregate_type: "Account".to_owned(),
        aggregate_id: "i".to_owned(),
        version: 0,
        gas_per_event: 1000,
    };
    let (sound, gap) = (message(1), message(3));
    let done = bank.fold_commits(&State::null(), &[sound.as_bytes(), gap.as_bytes()], &expect);
    assert_eq!((done.version, done.generation, done.commits.len()), (1, 2, 1));
    let error = String::from_utf8(done.fold.error.unwrap_or_default()).unwrap_or_default();
    assert!(error.contains("first_version is 3, not 2"), "{error}");
}

#[test]
fn a_panic_becomes_a_record() {
    let bank = program("bank");
    PANIC.set(true);
    let outcome = bank.decide(Given::Text(b"null"), b"{\"type\":\"deposit\",\"amount\":1}", None, 1000);
    PANIC.set(false);
    let error = String::from_utf8(outcome.error.unwrap_or_default()).unwrap_or_default();
    assert!(error.starts_with(r#"{"kind":"internal","code":"engine_bug""#), "{error}");
    let outcome = bank.decide(Given::Text(b"null"), b"{\"type\":\"deposit\",\"amount\":1}", None, 1000);
    assert!(outcome.rejection.is_some(), "and the next call works");
}
