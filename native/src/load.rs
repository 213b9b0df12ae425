//! IR bytes to a loaded program. Nothing in the IR is trusted: whatever is wrong is a `BadIr` that says what.

use crate::assembler::Assembler;
use crate::code::{Code, Function, Kind, Op};
use crate::compile::{Compiler, Task};
use crate::document::Document;
use crate::failure::Stop;
use crate::ir::{BadIr, Checked, bad, exactly, integer, member, name, sequence, text, unit};
use crate::json_reader::Reader;
use crate::machine::Machine;
use crate::share::mark_all;
use crate::text::Str;
use crate::value::Value;

const LANGUAGE: &str = "agl-1";
const VERSION: u32 = 1;
const MAX_SLOTS: usize = 64;
/// For all consts of a source together.
const CONST_GAS: u64 = 10_000;

pub fn load(ir: &[u8]) -> Checked<Code> {
    // a left operand is one level deeper than its operator, so a chain of operators nests as deep as it is long
    let document = match Reader::new().read_part(ir, Document::Named("ir"), ir.len()) {
        Ok(document) => document,
        Err(stop) => return bad(stop_message(&stop)),
    };
    if name(member(&document, "language")?)? != LANGUAGE || integer(member(&document, "v")?)? != VERSION {
        return bad(format!("no IR of {LANGUAGE}, version {VERSION}"));
    }
    let digest = name(member(&document, "digest")?)?.to_owned();
    let kind = match name(member(&document, "kind")?)? {
        "program" => Kind::Program,
        "filter" => Kind::Filter,
        "expression" => Kind::Expression,
        other => return bad(format!("unknown kind {other:.80}")),
    };
    let assembler = Assembler::new(Code::new(kind, digest));
    let code = if kind == Kind::Program { program(assembler, &document)? } else { expression(assembler, &document)? };
    code.constants.iter().for_each(mark_all);
    for site in &code.sites {
        site.name.mark_shared();
    }
    for keys in code.shapes.iter().map(|shape| &shape.keys).chain(code.calls.iter().map(|call| &call.names)) {
        keys.iter().for_each(Str::mark_shared);
    }
    for function in &code.functions {
        function.locals.iter().for_each(Str::mark_shared);
    }
    Ok(code)
}

fn stop_message(stop: &Stop) -> String {
    match stop {
        Stop::Failure(failure) => failure.message(),
        Stop::Rejection(_) => "rejected".to_owned(),
    }
}

fn locals(node: &Value) -> Checked<Box<[Str]>> {
    sequence(node)?.iter().map(text).collect()
}

fn expression(mut assembler: Assembler, document: &Value) -> Checked<Code> {
    let locals = locals(member(document, "locals")?)?;
    let reserved = locals.len() >= 2 && locals[0].as_str() == "state" && locals[1].as_str() == "meta";
    if !reserved || locals.len() > MAX_SLOTS {
        return bad("the first two slots are state and meta");
    }
    let (weight, at) = unit(member(document, "unit")?)?;
    assembler.emit(Op::Unit(weight), at);
    let mut compiler = Compiler::new(&mut assembler, locals.len() as u32, 2, &[], &[]);
    compiler.free = true;
    compiler.compile(Task::Expression(member(document, "expr")?))?;
    // a filter's result is checked by the caller, at the place of the unit: the first character of the expression
    assembler.emit(Op::Return, at);
    assembler.finish();
    assembler.code.functions.push(Function { name: String::new(), params: 2, locals, entry: 0 });
    Ok(assembler.code)
}

fn program(mut assembler: Assembler, document: &Value) -> Checked<Code> {
    let consts = consts(&mut assembler, sequence(member(document, "consts")?)?)?;
    let functions = sequence(member(document, "functions")?)?;
    let decide = entry(member(document, "decide")?, "decide", functions)?;
    let apply = entry(member(document, "apply")?, "apply", functions)?;
    for (index, node) in functions.iter().enumerate() {
        let name = name(member(node, "name")?)?.to_owned();
        let params = integer(member(node, "params")?)? as usize;
        let locals = locals(member(node, "locals")?)?;
        if params > locals.len() || locals.len() > MAX_SLOTS {
            return bad(format!("function {name:.80}: {params} parameters, {} slots", locals.len()));
        }
        let entry = assembler.code.ops.len();
        let mut compiler =
            Compiler::new(&mut assembler, locals.len() as u32, params as u32, &functions[..index], &consts);
        compiler.is_apply = apply == Some(index);
        compiler.compile(Task::Block(member(node, "body")?))?;
        let null = assembler.constant(Value::Null);
        assembler.emit(Op::Constant(null), (1, 1));
        assembler.emit(Op::Return, (1, 1));
        assembler.finish();
        assembler.code.functions.push(Function { name, params, locals, entry });
    }
    assembler.code.decide = decide;
    assembler.code.apply = apply;
    Ok(assembler.code)
}

fn entry(node: &Value, name: &str, functions: &[Value]) -> Checked<Option<usize>> {
    if node.is_null() {
        return Ok(None);
    }
    let index = integer(node)? as usize;
    let params = functions.get(index).map(|function| member(function, "params")).transpose()?;
    match params.map(integer).transpose()? {
        Some(2 | 3) => Ok(Some(index)),
        _ => bad(format!("{name} must be a function of two or three parameters")),
    }
}

/// Evaluate the consts one after the other, with one counter of gas for all. Gives where their values stand among the constants.
fn consts(assembler: &mut Assembler, nodes: &[Value]) -> Checked<Vec<u32>> {
    let mut values = Vec::with_capacity(nodes.len());
    let mut left = CONST_GAS;
    for node in nodes {
        let [const_name, const_unit, node] = exactly(node)?;
        name(const_name)?;
        let (weight, at) = unit(const_unit)?;
        let entry = assembler.code.ops.len();
        assembler.emit(Op::Unit(weight), at);
        Compiler::new(assembler, 0, 0, &[], &values).compile(Task::Expression(node))?;
        assembler.emit(Op::Return, at);
        assembler.finish();
        assembler.code.functions.push(Function { name: String::new(), params: 0, locals: Box::new([]), entry });
        let mut machine = Machine::new(&assembler.code);
        let result = machine.run(0, [Value::Null, Value::Null, Value::Null], left);
        left -= machine.context.meter.used();
        drop(machine);
        assembler.code.functions.clear();
        match result {
            Ok(value) => {
                mark_all(&value);
                values.push(assembler.constant(value));
            }
            Err(stop) => return Err(BadIr(format!("a const fails: {}", stop_message(&stop)))),
        }
    }
    Ok(values)
}
