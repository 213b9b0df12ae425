//! The table of all built-in functions and methods: what runs, and how many arguments it takes.

use crate::arguments::{ANY, Args, Arity, check_arity};
use crate::context::Context;
use crate::failure::{Halt, fail};
use crate::value::Value;
use crate::{format, functions, iterables, lists, maps, outcome, strings};

type Function = fn(&mut Context, &Args<'_>) -> Result<Value, Halt>;
type Method = fn(&mut Context, &Value, &Args<'_>) -> Result<Value, Halt>;

pub struct BuiltIn {
    pub name: &'static str,
    run: Function,
    arity: Arity,
    /// The keywords it lists; None: any.
    keywords: Option<&'static [&'static str]>,
}

const fn function(name: &'static str, run: Function, arity: Arity) -> BuiltIn {
    BuiltIn { name, run, arity, keywords: Some(&[]) }
}

static FUNCTIONS: [BuiltIn; 25] = [
    function("len", functions::len, (1, 1)),
    function("str", functions::str_, (1, 1)),
    function("type", functions::type_, (1, 1)),
    function("int", functions::int, (1, 1)),
    function("number", functions::number, (1, 1)),
    function("bool", functions::bool_, (1, 1)),
    function("abs", functions::abs, (1, 1)),
    function("min", iterables::min, (1, ANY)),
    function("max", iterables::max, (1, ANY)),
    function("sum", iterables::sum, (1, 1)),
    BuiltIn { name: "sorted", run: iterables::sorted, arity: (1, 1), keywords: Some(&["by", "reverse"]) },
    function("reversed", iterables::reversed, (1, 1)),
    function("range", iterables::range, (1, 3)),
    function("enumerate", iterables::enumerate, (1, 1)),
    function("zip", iterables::zip, (2, ANY)),
    function("dict", functions::dict, (0, 1)),
    function("list", iterables::list, (1, 1)),
    function("any", iterables::any, (1, 1)),
    function("all", iterables::all, (1, 1)),
    BuiltIn { name: "round", run: functions::round, arity: (1, 3), keywords: Some(&["places", "mode"]) },
    function("fixed", functions::fixed, (2, 2)),
    function("split", functions::split, (3, 3)),
    function("has", functions::has, (2, 2)),
    BuiltIn { name: "event", run: outcome::event, arity: (1, 2), keywords: None },
    BuiltIn { name: "reject", run: outcome::reject, arity: (1, 1), keywords: None },
];

/// A method name with what it does on a string, a list and a map.
pub struct MethodRow {
    pub name: &'static str,
    string: Option<(Method, Arity)>,
    list: Option<(Method, Arity)>,
    map: Option<(Method, Arity)>,
}

const fn on_string(name: &'static str, run: Method, arity: Arity) -> MethodRow {
    MethodRow { name, string: Some((run, arity)), list: None, map: None }
}

const fn on_list(name: &'static str, run: Method, arity: Arity) -> MethodRow {
    MethodRow { name, string: None, list: Some((run, arity)), map: None }
}

const fn on_map(name: &'static str, run: Method, arity: Arity) -> MethodRow {
    MethodRow { name, string: None, list: None, map: Some((run, arity)) }
}

static METHODS: [MethodRow; 24] = [
    on_string("startswith", strings::startswith, (1, 1)),
    on_string("endswith", strings::endswith, (1, 1)),
    on_string("find", strings::find, (1, 1)),
    on_string("replace", strings::replace, (2, 2)),
    on_string("split", strings::split, (0, 1)),
    on_string("join", strings::join, (1, 1)),
    on_string("strip", strings::strip, (0, 0)),
    on_string("lstrip", strings::lstrip, (0, 0)),
    on_string("rstrip", strings::rstrip, (0, 0)),
    on_string("lower", strings::lower, (0, 0)),
    on_string("upper", strings::upper, (0, 0)),
    on_string("format", format::format, (0, ANY)),
    on_list("append", lists::append, (1, 1)),
    on_list("extend", lists::extend, (1, 1)),
    on_list("insert", lists::insert, (2, 2)),
    on_list("index", lists::index, (1, 1)),
    on_map("get", maps::get, (1, 2)),
    on_map("keys", maps::keys, (0, 0)),
    on_map("values", maps::values, (0, 0)),
    on_map("items", maps::items, (0, 0)),
    on_map("update", maps::update, (1, 1)),
    on_map("setdefault", maps::setdefault, (1, 2)),
    MethodRow { name: "count", string: Some((strings::count, (1, 1))), list: Some((lists::count, (1, 1))), map: None },
    MethodRow { name: "pop", string: None, list: Some((lists::pop, (0, 1))), map: Some((maps::pop, (1, 2))) },
];

/// The index of a built-in function, where it takes these keywords.
pub fn function_named<'a>(name: &str, keywords: impl Iterator<Item = &'a str>) -> Option<usize> {
    let index = FUNCTIONS.iter().position(|function| function.name == name)?;
    let mut keywords = keywords;
    match FUNCTIONS[index].keywords {
        Some(listed) if !keywords.all(|keyword| listed.contains(&keyword)) => None,
        _ => Some(index),
    }
}

/// The built-in function at `index` has this name.
pub fn is_function(index: usize, name: &str) -> bool {
    FUNCTIONS[index].name == name
}

/// The index of a method, where it may be called with keywords or is called without.
pub fn method_named(name: &str, has_keywords: bool) -> Option<usize> {
    METHODS.iter().position(|method| method.name == name && (!has_keywords || name == "format"))
}

/// A built-in function: arity, then whatever it does.
pub fn call_function(context: &mut Context, index: usize, args: &Args<'_>) -> Result<Value, Halt> {
    let function = &FUNCTIONS[index];
    let given = args.values.len();
    check_arity("arity.builtin", function.name, function.arity, given)?;
    if function.name == "round" && !args.names.is_empty() {
        for (position, keyword) in [(2, "places"), (3, "mode")] {
            if given >= position && args.keyword(keyword).is_some() {
                let failure = fail("arity.keyword_twice").with("function", function.name);
                return Err(failure.with("keyword", keyword).into());
            }
        }
    }
    (function.run)(context, args)
}

/// A method: the receiver's type, arity, then whatever it does.
pub fn call_method(context: &mut Context, index: usize, receiver: &Value, args: &Args<'_>) -> Result<Value, Halt> {
    let row = &METHODS[index];
    let found = match receiver {
        Value::Short(_) | Value::Long(_) => row.string,
        Value::List(_) | Value::Range(_) => row.list,
        Value::Map(_) => row.map,
        Value::Null if context.null_safe => return Ok(Value::Null),
        _ => None,
    };
    let Some((run, arity)) = found else {
        return Err(fail("type.method").with("name", row.name).with("type", receiver.type_name()).into());
    };
    check_arity("arity.method", row.name, arity, args.values.len())?;
    run(context, receiver, args)
}
