"""What `aggregate program test` does."""

from __future__ import annotations

from pathlib import Path

import typer

import aggregate.engine
from aggregate.cli.exits import ExitCode, write
from aggregate.errors import ConfigError, Mistake
from aggregate.testing.spec_files import PATTERNS, find_specs, load_suites
from aggregate.testing.specs import Result
from aggregate.types.json import canonical


def run_specs(paths: list[Path], engine: str | None, *, as_json: bool) -> ExitCode:
    """Run the specs of files and folders; refused when a case does not hold."""
    files = [file for path in paths for file in find_specs(path)]
    if not files:
        raise ConfigError([Mistake(", ".join(map(str, paths)), f"no spec found ({', '.join(PATTERNS)})")])
    chosen = aggregate.engine.get(engine)
    passed = failed = 0
    for file in files:
        if not as_json:
            write(str(file))
        for suite in load_suites(file, chosen):
            for result in suite.run():
                passed += result.passed
                failed += not result.passed
                _say(file, result, as_json=as_json)
    if not as_json:
        typer.secho(f"{passed} passed, {failed} failed", fg=typer.colors.RED if failed else typer.colors.GREEN)
    return ExitCode.REFUSED if failed else ExitCode.DONE


def _say(file: Path, result: Result, *, as_json: bool) -> None:
    if as_json:
        members = {"file": str(file), "name": result.name, "passed": result.passed, "gas": result.gas}
        write(canonical({**members, "problems": list(result.problems)}).decode())
        return
    colour = None if result.passed else typer.colors.RED
    typer.secho(f"  {'ok  ' if result.passed else 'FAIL'} {result.gas:>7} gas  {result.name}", fg=colour)
    for problem in result.problems:
        write("\n".join("       " + line for line in problem.split("\n")))
