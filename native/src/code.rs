//! A loaded program: operations of a stack machine, and the tables they point into. Immutable, shared between threads.

use std::sync::atomic::AtomicU32;

use crate::brief::{Each, Operand, Whole};
use crate::iterables::Reduction;
use crate::operators::Op2;
use crate::text::Str;
use crate::value::Value;

/// Line and column from 1.
pub type Place = (u32, u32);

/// One operation. Numbers are indexes: of slots in the frame, of `Code`'s tables, of operations (`to`).
#[derive(Clone, Copy, Debug)]
pub enum Op {
    /// Enter a unit of this weight.
    Unit(u32),
    Constant(u32),
    Local(u32),
    /// The top-level field of the state.
    Free(u32),
    Field(u32),
    Index,
    Slice {
        start: bool,
        stop: bool,
    },
    Binary(Op2),
    /// The right operand is a constant.
    BinaryConstant {
        op: Op2,
        constant: u32,
    },
    Not,
    Negate,
    List(u32),
    /// A map literal: `shapes`.
    Map(u32),
    /// A map literal with computed keys: `computed`.
    ComputedMap(u32),
    /// A list is being gathered on the stack.
    Gather,
    /// It is complete.
    Gathered,
    /// It is complete, and the operand of a built-in function that looks at it alone.
    Reduce(Reduction),
    NewMap,
    /// The operand is the next element of the list that is being gathered.
    Append,
    /// Whole rounds of a comprehension: `eaches`.
    Each(u32),
    /// Key and value go into the map below them: `places` has the key's.
    Put(u32),
    /// Slots of a comprehension lose their values: `slots`.
    Unbind(u32),
    Call {
        function: u32,
        count: u32,
    },
    Function(u32),
    Method(u32),
    /// `get` with a default: a method of maps.
    Get(u32),
    /// `append`: a method of lists.
    AppendTo(u32),
    Pop,
    Jump(u32),
    /// Takes the condition.
    JumpIfFalse(u32),
    /// Keeps the operand where it jumps, else takes it.
    And(u32),
    Or(u32),
    /// Start iterating over the operand.
    Iterate,
    /// The next round of the innermost loop: `rounds`.
    Next(u32),
    /// Leave the innermost loop.
    Leave,
    Return,
    SetLocal(u32),
    /// Value, target.
    SetField(u32),
    /// Value, target, key.
    SetIndex,
    /// The field of the target, which stays below it.
    ReadField(u32),
    /// The element of target and key, which stay below it.
    ReadIndex,
    /// Target, value.
    StoreField(u32),
    /// Target, key, value.
    StoreIndex,
    /// A list goes into slots: `slots`.
    Unpack(u32),
    /// `free.name` in one step: two sites.
    FreeField {
        outer: u32,
        inner: u32,
    },
    /// `free op constant` in one step.
    FreeBinary {
        site: u32,
        op: Op2,
        constant: u32,
    },
    /// `free op constant and ...`: the right side stands behind, `end` after it. `conditions` has the left one.
    FreeAnd {
        condition: u32,
        end: u32,
    },
    /// `local.name` in one step.
    LocalField {
        slot: u16,
        site: u32,
    },
    /// `a op b` of what is read where it stands: `pairs`.
    Pair(u32),
    /// `if a op b`: jumps where it does not hold.
    PairJump {
        pair: u32,
        to: u32,
    },
    /// `if local`: jumps where it does not hold.
    LocalJump {
        slot: u16,
        to: u32,
    },
    /// A value goes into a slot, and the unit behind is entered.
    SetUnit {
        slot: u16,
        weight: u32,
    },
    // An operation and the one behind it, which stays where it is and is passed over: `Assembler::finish`.
    UnitLocal {
        slot: u16,
        weight: u32,
    },
    UnitField {
        slot: u16,
        site: u32,
        weight: u32,
    },
    UnitWhole {
        whole: u32,
        weight: u32,
    },
    SetUnitLocal {
        slot: u16,
        local: u16,
        weight: u32,
    },
    Locals {
        slot: u16,
        second: u16,
    },
    LocalAndField {
        first: u16,
        slot: u16,
        site: u32,
    },
    /// All rounds of a comprehension over what is read where it stands: `wholes`.
    Whole(u32),
    /// `operand == constant`, the constant a string; `negated` for `!=`.
    IsText {
        constant: u32,
        negated: bool,
    },
    /// `if local.name == constant`, unit and all: jumps where it does not hold; the test stands in `tests`.
    Test(u32),
    /// `operand | {literal}` in one step: `shapes` of the literal.
    Merge(u32),
    /// `return local | {literal}` of an entry function: `shapes` of the literal.
    ReturnMerged {
        slot: u16,
        shape: u32,
    },
}

/// A place where a name is looked up: the name, and where it was found last time.
pub struct Site {
    pub name: Str,
    pub hint: AtomicU32,
    /// Of a field of a local: where the local stands.
    pub local: Place,
}

/// A map literal whose keys are all written as strings.
pub struct Shape {
    /// In order of code points.
    pub keys: Box<[Str]>,
    /// For each key in that order: where its value stands among the values, which come in the order of the text.
    pub order: Box<[u16]>,
}

/// A map literal with a computed key: for each entry the place of its key and whether it is computed.
pub type Computed = Box<[(Place, bool)]>;

/// One round of a loop or comprehension clause.
pub struct Round {
    pub weight: u32,
    pub slots: Box<[u16]>,
    /// Of the first name, for an unpacking that fails.
    pub names: Place,
    /// Where to go when there is no further round.
    pub exit: u32,
}

/// A call of a built-in function or method: `index` in its table.
pub struct CallSite {
    pub index: usize,
    pub positional: usize,
    pub names: Box<[Str]>,
}

/// What `Op::Test` tests, in the order of the operations it stands for.
pub struct Test {
    /// Of the unit that the condition is; its place too.
    pub weight: u32,
    pub unit_place: Place,
    pub slot: u16,
    pub site: u32,
    pub constant: u32,
    pub field_place: Place,
    pub negated: bool,
    pub exit: u32,
    /// The operation itself.
    pub at: u32,
    /// The test that stands at the exit, where it looks at the same field.
    pub next: Option<u32>,
}

/// `free op constant`, with the place of the operator.
pub struct Condition {
    pub site: u32,
    pub op: Op2,
    pub constant: u32,
    pub place: Place,
}

/// What `Op::Pair` works on, with the places of what is read.
pub struct Pair {
    pub op: Op2,
    pub left: (Operand, Place),
    pub right: (Operand, Place),
}

pub struct Function {
    pub name: String,
    pub params: usize,
    pub locals: Box<[Str]>,
    pub entry: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Program,
    Filter,
    Expression,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Kind::Program => "program",
            Kind::Filter => "filter",
            Kind::Expression => "expression",
        }
    }
}

pub struct Code {
    pub kind: Kind,
    pub digest: String,
    pub ops: Vec<Op>,
    /// The place of each operation.
    pub places: Vec<Place>,
    /// Literals and evaluated consts.
    pub constants: Vec<Value>,
    pub sites: Vec<Site>,
    pub shapes: Vec<Shape>,
    pub computed: Vec<Computed>,
    pub key_places: Vec<Place>,
    pub rounds: Vec<Round>,
    pub slots: Vec<Box<[u16]>>,
    pub calls: Vec<CallSite>,
    pub tests: Vec<Test>,
    pub pairs: Vec<Pair>,
    pub conditions: Vec<Condition>,
    pub eaches: Vec<Each>,
    pub wholes: Vec<Whole>,
    /// Of filters and expressions the one function that is the expression.
    pub functions: Vec<Function>,
    pub decide: Option<usize>,
    pub apply: Option<usize>,
}

impl Code {
    pub fn new(kind: Kind, digest: String) -> Code {
        Code {
            kind,
            digest,
            ops: Vec::new(),
            places: Vec::new(),
            constants: Vec::new(),
            sites: Vec::new(),
            shapes: Vec::new(),
            computed: Vec::new(),
            key_places: Vec::new(),
            rounds: Vec::new(),
            slots: Vec::new(),
            calls: Vec::new(),
            tests: Vec::new(),
            pairs: Vec::new(),
            conditions: Vec::new(),
            eaches: Vec::new(),
            wholes: Vec::new(),
            functions: Vec::new(),
            decide: None,
            apply: None,
        }
    }
}
