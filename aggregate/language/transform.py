"""From the parser's reductions to the syntax tree: one method for each rule of `grammar.lark`, called while parsing.

A tree is built from the leaves up and never walked here, so no source is too deep for this.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lark import Token, Transformer, v_args

from aggregate.language import tree
from aggregate.language.layout import position
from aggregate.language.literals import number_text, string_value
from aggregate.language.mistakes import SyntaxMistake
from aggregate.language.tree import Expression, ForClause, IfClause, Keyword, Name, Parameter, Statement

if TYPE_CHECKING:
    Base = Transformer[Token, object]
else:
    Base = Transformer

_CONSTANTS = {"TRUE": "true", "FALSE": "false", "NULL": "null"}


@v_args(inline=True)
class TreeBuilder(Base):
    """Callbacks of the parser."""

    # --- top level -----------------------------------------------------------------------------------------------------------------

    def program(self, *items: tree.Const | tree.Function) -> tree.Program:
        return tree.Program(items)

    def expression(self, value: Expression) -> Expression:
        return value

    def const(self, name: Token, value: Expression) -> tree.Const:
        return tree.Const(position(name), str(name), value)

    def function(
        self, word: Token, name: Token, _: Token, parameters: tuple[Parameter, ...] | None, body: tuple[Statement, ...]
    ) -> tree.Function:
        return tree.Function(position(word), position(name), str(name), parameters or (), body)

    def parameters(self, *parameters: Parameter) -> tuple[Parameter, ...]:
        return parameters

    def parameter(self, name: Token) -> Parameter:
        return Parameter(position(name), str(name), "")

    def default_parameter(self, name: Token, _: Expression) -> Parameter:
        return Parameter(position(name), str(name), "default")

    def star_parameter(self, star: Token, name: Token | None = None) -> Parameter:
        return Parameter(position(star), str(name or star), "star")

    # --- statements ----------------------------------------------------------------------------------------------------------------

    def suite(self, *statements: Statement) -> tuple[Statement, ...]:
        return statements

    def return_statement(self, word: Token, value: Expression | None) -> tree.Return:
        return tree.Return(position(word), value)

    def break_statement(self, word: Token) -> tree.Jump:
        return tree.Jump(position(word), str(word))

    continue_statement = break_statement
    pass_statement = break_statement

    def assign(self, target: Expression, value: Expression) -> tree.Assign:
        return tree.Assign(target.start, target, value)

    def augment(self, target: Expression, op: Token, value: Expression) -> tree.Augment:
        return tree.Augment(target.start, position(op), op[:-1], target, value)

    def expression_statement(self, value: Expression) -> tree.ExpressionStatement:
        return tree.ExpressionStatement(value.start, value)

    def if_statement(
        self,
        word: Token,
        condition: Expression,
        body: tuple[Statement, ...],
        *rest: tuple[Expression, tuple[Statement, ...]] | tuple[Statement, ...] | None,
    ) -> tree.If:
        *arms, otherwise = rest
        return tree.If(position(word), ((condition, body), *arms), otherwise)  # type: ignore[arg-type]

    def elif_arm(self, condition: Expression, body: tuple[Statement, ...]) -> tuple[Expression, tuple[Statement, ...]]:
        return condition, body

    def else_arm(self, body: tuple[Statement, ...]) -> tuple[Statement, ...]:
        return body

    def for_statement(self, word: Token, names: tuple[Name, ...], _: Token, iterable: Expression, body: tuple[Statement, ...]) -> tree.For:
        return tree.For(position(word), names, iterable, body)

    def names(self, *names: Token) -> tuple[Name, ...]:
        return tuple(map(self.name, names))

    # --- operators -----------------------------------------------------------------------------------------------------------------

    def tuple_display(self, *items: Expression) -> tree.Tuple:
        return tree.Tuple(items[0].start, items, plain=True)

    def comma_tuple(self, *items: Expression) -> tree.Tuple:
        return tree.Tuple(items[0].start, items, plain=False)

    def empty_tuple(self, parenthesis: Token) -> tree.Tuple:
        return tree.Tuple(position(parenthesis), (), plain=False)

    def group(self, parenthesis: Token, inner: Expression) -> tree.Group | tree.Tuple:
        start = position(parenthesis)
        if type(inner) is tree.Tuple:
            return tree.Tuple(start, inner.items, plain=False)
        return tree.Group(start, inner)

    def conditional(self, then: Expression, _: Token, condition: Expression, otherwise: Expression) -> tree.Conditional:
        return tree.Conditional(then.start, then, condition, otherwise)

    def logic(self, left: Expression, op: Token, right: Expression) -> tree.Logic:
        return tree.Logic(left.start, position(op), str(op), left, right)

    def binary(self, left: Expression, op: Token, right: Expression) -> tree.Binary:
        return tree.Binary(left.start, position(op), str(op), left, right)

    def not_in(self, left: Expression, op: Token, _: Token, right: Expression) -> tree.Binary:
        return tree.Binary(left.start, position(op), "not in", left, right)

    def identity(self, left: Expression, op: Token, _: Token | None, right: Expression) -> tree.Binary:
        return tree.Binary(left.start, position(op), "is", left, right)

    def unary(self, op: Token, operand: Expression) -> tree.Unary:
        return tree.Unary(position(op), str(op), operand)

    # --- what can be reached from a value --------------------------------------------------------------------------------------------

    def field(self, target: Expression, name: Token) -> tree.Field:
        return tree.Field(target.start, position(name), target, str(name))

    def method(self, target: Expression, name: Token, _: Token, arguments: list[Expression | Keyword] | None) -> tree.Method:
        return tree.Method(target.start, position(name), target, str(name), *_separated(arguments))

    def index(self, target: Expression, bracket: Token, key: Expression) -> tree.Index:
        return tree.Index(target.start, position(bracket), target, key)

    def slice_of(self, target: Expression, bracket: Token, low: Expression | None, high: Expression | None) -> tree.Slice:
        return tree.Slice(target.start, position(bracket), target, low, high)

    def call(self, callee: Expression, _: Token, arguments: list[Expression | Keyword] | None) -> tree.Call:
        return tree.Call(callee.start, callee, *_separated(arguments))

    def arguments(self, *arguments: Expression | Keyword) -> list[Expression | Keyword]:
        return list(arguments)

    def keyword(self, name: Token, value: Expression) -> Keyword:
        return Keyword(position(name), str(name), value)

    # --- atoms -----------------------------------------------------------------------------------------------------------------------

    def name(self, name: Token) -> Name:
        return Name(position(name), str(name))

    def number(self, literal: Token) -> tree.Number:
        at = position(literal)
        return tree.Number(at, number_text(str(literal), at))

    def string(self, literal: Token) -> tree.String:
        at = position(literal)
        return tree.String(at, string_value(str(literal), at))

    def constant(self, word: Token) -> tree.Constant:
        return tree.Constant(position(word), _CONSTANTS[word.type])

    def list_display(self, bracket: Token, items: tuple[Expression, ...] | None) -> tree.ListDisplay:
        return tree.ListDisplay(position(bracket), items or ())

    def list_comprehension(self, bracket: Token, value: Expression, clauses: tuple[ForClause | IfClause, ...]) -> tree.Comprehension:
        return tree.Comprehension(position(bracket), None, value, clauses)

    def map_display(self, brace: Token, entries: tuple[tuple[Expression, Expression], ...] | None) -> tree.MapDisplay:
        return tree.MapDisplay(position(brace), entries or ())

    def map_comprehension(
        self, brace: Token, key: Expression, value: Expression, clauses: tuple[ForClause | IfClause, ...]
    ) -> tree.Comprehension:
        return tree.Comprehension(position(brace), key, value, clauses)

    def set_display(self, brace: Token, *_: object) -> tree.SetDisplay:
        return tree.SetDisplay(position(brace))

    def items(self, *items: Expression) -> tuple[Expression, ...]:
        return items

    def entries(self, *entries: tuple[Expression, Expression]) -> tuple[tuple[Expression, Expression], ...]:
        return entries

    def entry(self, key: Expression, value: Expression) -> tuple[Expression, Expression]:
        return key, value

    def clauses(self, *clauses: ForClause | IfClause) -> tuple[ForClause | IfClause, ...]:
        return clauses

    def for_clause(self, word: Token, names: tuple[Name, ...], _: Token, iterable: Expression) -> ForClause:
        return ForClause(position(word), names, iterable)

    def if_clause(self, _: Token, condition: Expression) -> IfClause:
        return IfClause(condition)


def _separated(arguments: list[Expression | Keyword] | None) -> tuple[tuple[Expression, ...], tuple[Keyword, ...]]:
    """Positional arguments, then keywords."""
    args: list[Expression] = []
    keywords: list[Keyword] = []
    for argument in arguments or ():
        if type(argument) is Keyword:
            keywords.append(argument)
        elif keywords:
            raise SyntaxMistake("syntax.positional", argument.start)
        else:
            args.append(argument)  # type: ignore[arg-type]
    return tuple(args), tuple(keywords)
