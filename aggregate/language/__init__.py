"""The language's front: source text to IR, with every mistake at its line and column. See `docs/language.md`."""

from aggregate.language.compiler import compile, digest  # noqa: A004 - the public name
from aggregate.language.diagnostics import Diagnostic, check

__all__ = ["Diagnostic", "check", "compile", "digest"]
