"""The syntax tree: what the parser makes of a source and the resolver reads. Frozen, with positions, without meaning.

A position is `(line, column)`, both from 1, in code points. `start` is the first character of a node without parentheses around it;
`at` is where an error of its operation stands (the operator, the name after a dot, the `[`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

At: TypeAlias = "tuple[int, int]"


@dataclass(frozen=True, slots=True)
class Constant:
    """`True`, `False`, `None`; `name` as in the IR: `true`, `false`, `null`."""

    start: At
    name: str


@dataclass(frozen=True, slots=True)
class Number:
    """A number literal with its canonical text."""

    start: At
    text: str


@dataclass(frozen=True, slots=True)
class String:
    """A string literal with its value."""

    start: At
    text: str


@dataclass(frozen=True, slots=True)
class Name:
    """A name that is read, or the target of an assignment."""

    start: At
    name: str


@dataclass(frozen=True, slots=True)
class Field:
    """`target.name`."""

    start: At
    at: At
    target: Expression
    name: str


@dataclass(frozen=True, slots=True)
class Index:
    """`target[key]`."""

    start: At
    at: At
    target: Expression
    key: Expression


@dataclass(frozen=True, slots=True)
class Slice:
    """`target[low:high]`."""

    start: At
    at: At
    target: Expression
    low: Expression | None
    high: Expression | None


@dataclass(frozen=True, slots=True)
class Binary:
    """`left op right`; also for operators that the language does not have (`**`, `&`, `is`)."""

    start: At
    at: At
    op: str
    left: Expression
    right: Expression


@dataclass(frozen=True, slots=True)
class Logic:
    """`left and right`, `left or right`."""

    start: At
    at: At
    op: str
    left: Expression
    right: Expression


@dataclass(frozen=True, slots=True)
class Unary:
    """`not x`, `-x`, and `~x`, which the language does not have."""

    start: At
    op: str
    operand: Expression


@dataclass(frozen=True, slots=True)
class Conditional:
    """`then if condition else otherwise`."""

    start: At
    then: Expression
    condition: Expression
    otherwise: Expression


@dataclass(frozen=True, slots=True)
class ListDisplay:
    """`[a, b]`."""

    start: At
    items: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class MapDisplay:
    """`{a: b}`."""

    start: At
    entries: tuple[tuple[Expression, Expression], ...]


@dataclass(frozen=True, slots=True)
class ForClause:
    """`for a, b in iterable` of a comprehension."""

    start: At
    names: tuple[Name, ...]
    iterable: Expression


@dataclass(frozen=True, slots=True)
class IfClause:
    """`if condition` of a comprehension."""

    condition: Expression


@dataclass(frozen=True, slots=True)
class Comprehension:
    """`[value for ...]`, with `key` `{key: value for ...}`. The first clause is a `ForClause`."""

    start: At
    key: Expression | None
    value: Expression
    clauses: tuple[ForClause | IfClause, ...]


@dataclass(frozen=True, slots=True)
class Keyword:
    """`name = value` in a call."""

    start: At
    name: str
    value: Expression


@dataclass(frozen=True, slots=True)
class Call:
    """`callee(...)`; the callee of a sound call is a `Name`."""

    start: At
    callee: Expression
    args: tuple[Expression, ...]
    keywords: tuple[Keyword, ...]


@dataclass(frozen=True, slots=True)
class Method:
    """`target.name(...)`."""

    start: At
    at: At
    target: Expression
    name: str
    args: tuple[Expression, ...]
    keywords: tuple[Keyword, ...]


@dataclass(frozen=True, slots=True)
class Group:
    """`(inner)`: no operation, but a level of nesting and a first character."""

    start: At
    inner: Expression


@dataclass(frozen=True, slots=True)
class Tuple:
    """`a, b`: not in the language, but for names on the left of `=`; those are `plain`: no parentheses, no comma at the end."""

    start: At
    items: tuple[Expression, ...]
    plain: bool


@dataclass(frozen=True, slots=True)
class SetDisplay:
    """`{a, b}`: not in the language."""

    start: At


Expression: TypeAlias = (
    "Constant | Number | String | Name | Field | Index | Slice | Binary | Logic | Unary | Conditional | ListDisplay | MapDisplay"
    " | Comprehension | Call | Method | Group | Tuple | SetDisplay"
)


@dataclass(frozen=True, slots=True)
class Return:
    """`return`, `return value`."""

    start: At
    value: Expression | None


@dataclass(frozen=True, slots=True)
class Jump:
    """`break`, `continue` or `pass`, as `word` says."""

    start: At
    word: str


@dataclass(frozen=True, slots=True)
class Assign:
    """`target = value`."""

    start: At
    target: Expression
    value: Expression


@dataclass(frozen=True, slots=True)
class Augment:
    """`target op= value`; `op` is without the `=`."""

    start: At
    at: At
    op: str
    target: Expression
    value: Expression


@dataclass(frozen=True, slots=True)
class ExpressionStatement:
    """An expression whose value is dropped."""

    start: At
    value: Expression


@dataclass(frozen=True, slots=True)
class If:
    """`if` with its `elif` arms, in order, and the `else` suite."""

    start: At
    arms: tuple[tuple[Expression, tuple[Statement, ...]], ...]
    otherwise: tuple[Statement, ...] | None


@dataclass(frozen=True, slots=True)
class For:
    """`for a, b in iterable:`."""

    start: At
    names: tuple[Name, ...]
    iterable: Expression
    body: tuple[Statement, ...]


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter; `problem` is empty, `default` or `star`."""

    start: At
    name: str
    problem: str


@dataclass(frozen=True, slots=True)
class Function:
    """`def name(parameters):`; `at` is its name. As a statement (a nested one) it is not in the language."""

    start: At
    at: At
    name: str
    parameters: tuple[Parameter, ...]
    body: tuple[Statement, ...]


Statement: TypeAlias = "Return | Jump | Assign | Augment | ExpressionStatement | If | For | Function"


@dataclass(frozen=True, slots=True)
class Const:
    """`NAME = value` at top level."""

    start: At
    name: str
    value: Expression


@dataclass(frozen=True, slots=True)
class Program:
    """A whole source of kind `program`, in the order of the text."""

    items: tuple[Const | Function, ...]


def bare(node: Expression) -> Expression:
    """`node` without its own parentheses."""
    while type(node) is Group:
        node = node.inner
    return node
