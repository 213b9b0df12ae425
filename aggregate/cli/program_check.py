"""What `aggregate program check` says."""

from __future__ import annotations

import sys
from pathlib import Path

import typer

from aggregate.cli.exits import ExitCode, write
from aggregate.errors import ErrorRecord
from aggregate.language import Diagnostic, check
from aggregate.language.compiler import KINDS
from aggregate.types.json import canonical

_COLOURS = {"error": typer.colors.RED, "warning": typer.colors.YELLOW}


def check_files(files: list[Path], kind: str, *, strict: bool, as_json: bool) -> ExitCode:
    """Check each file; refused when one has a mistake (with `strict`: or a warning)."""
    if kind not in KINDS:
        typer.secho(f"--kind is {kind}, not one of {', '.join(KINDS)}", err=True, fg=typer.colors.RED)
        return ExitCode.USAGE
    counts = {"error": 0, "warning": 0}
    for file in files:
        try:
            source = read_source(file)
        except (OSError, UnicodeDecodeError) as error:
            typer.secho(f"{file}: cannot be read: {error}", err=True, fg=typer.colors.RED)
            return ExitCode.CONFIG
        found = check(source, kind)
        for diagnostic in found:
            counts[diagnostic.severity] += 1
            _say(file, diagnostic, as_json=as_json)
        if not found and not as_json:
            write(f"{file}: ok")
    if any(counts.values()) and not as_json:
        typer.echo(f"{_plural(counts['error'], 'mistake')}, {_plural(counts['warning'], 'warning')}", err=True)
    return ExitCode.REFUSED if counts["error"] or (strict and counts["warning"]) else ExitCode.DONE


def read_source(file: Path) -> str:
    """The text of a source; `-` is standard input. Line ends stay as they are.

    Raises:
        OSError, UnicodeDecodeError: it cannot be read.
    """
    return (sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()).decode()


def render(name: str, source: str, records: list[ErrorRecord]) -> str:
    """Compile errors for people, each with its source line and a caret."""
    lines = source.replace("\r\n", "\n").split("\n")
    texts = [lines[record.line - 1] if record.line and record.line <= len(lines) else "" for record in records]
    return "\n".join(Diagnostic("error", record, text).render(name) for record, text in zip(records, texts, strict=True))


def _say(file: Path, diagnostic: Diagnostic, *, as_json: bool) -> None:
    if as_json:
        record = {name: getattr(diagnostic.record, name) for name in ErrorRecord.__slots__}
        write(canonical({"file": str(file), "severity": diagnostic.severity, **record}).decode())
    else:
        typer.secho(diagnostic.render(str(file)), fg=_COLOURS[diagnostic.severity])


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
