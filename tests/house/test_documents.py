"""Documents tell of files and commands that exist."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), ROOT / "bench" / "README.md", *(ROOT / "aggregate").rglob("*.md")])
MAKEFILE = (ROOT / "Makefile").read_text()
TARGETS = set(re.findall(r"^([a-z][a-z-]*):", MAKEFILE, re.MULTILINE))
MADE = ("bench/results.json", "data/", "dist/", "htmlcov/", "native/target/", "build/", ".venv/")
"""What running the project makes: named in documents, in no clone."""
EXTENSIONS = "py|pyi|pyx|rs|md|json|ya?ml|toml|agl|lark|proto|sh|cfg|c|so"

_LINK = re.compile(r"\]\((?!https?:|mailto:|#)([^)#\s]+)")
_CODE = re.compile(r"`([^`\n]+)`")
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_FILE = re.compile(rf"(?<![\w./:<$-])((?:\.?[\w-]+/)+(?:[\w.-]+\.(?:{EXTENSIONS})\b)?)(?![\w/*{{<.-])")
_PLACEHOLDER = re.compile(r"/x\.\w+$")
"""`native/src/x.rs`: any of them."""


def _ids(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=_ids)
def test_files_that_a_document_names_exist(page: Path) -> None:
    missing = [name for name in _named(page.read_text()) if not _exists(name, page)]
    assert not missing, f"{_ids(page)} names {', '.join(missing)}"


@pytest.mark.parametrize("page", PAGES, ids=_ids)
def test_commands_that_a_document_shows_exist(page: Path) -> None:
    wrong = [f"{line!r}: {problem}" for line in _shown(page.read_text()) if (problem := _problem(line))]
    assert not wrong, f"{_ids(page)}:\n" + "\n".join(wrong)


def test_every_make_target_explains_itself() -> None:
    internal = {"help"}
    explained = set(re.findall(r"^([a-z][a-z-]*):[^\n]*## \S", MAKEFILE, re.MULTILINE))
    assert explained | internal >= TARGETS
    assert {"demo", "test", "lint", "bench", "bench-compare", "native", "pure", "proto", "help"} <= TARGETS


@pytest.mark.parametrize(
    ("text", "missing"),
    [
        ("see [the lane](aggregate/handler/lane.py) and `aggregate/types/`", []),
        ("see [it](aggregate/handler/gone.py)", ["aggregate/handler/gone.py"]),
        ("see `aggregate/gone/` or `native/src/x.rs`", ["aggregate/gone/"]),
        ("the file `docs/nowhere.md`, not `application/json` nor https://example.org/a.json", ["docs/nowhere.md"]),
        ("```\nA -> B    handler/lane.py   words/that are not\n```", []),
        ("```\nA -> B    handler/gone.py\n```", ["handler/gone.py"]),
    ],
)
def test_a_planted_file_is_caught(text: str, missing: list[str]) -> None:
    page = ROOT / "ARCHITECTURE.md"
    assert [name for name in _named(text) if not _exists(name, page)] == missing


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("make test T=tests/handler", ""),
        ("make tea", "no target tea"),
        ("aggregate --version", ""),
        ("aggregate config schema", ""),
        ("aggregate dev --grpc-port 0 --data data", ""),
        ("aggregate fly", "no command fly"),
        ("aggregate config fly", "no command fly"),
        ("aggregate dev --fly", "no option --fly"),
        ("python -m bench --smoke", ""),
        ("python -m bench.gone", "no module"),
        ("python -m aggregate dev", ""),
    ],
)
def test_a_planted_command_is_caught(line: str, words: str) -> None:
    problem = _problem(line)
    assert (words in problem) if words else not problem


def _named(text: str) -> Iterator[str]:
    """Paths: of links, in inline code, and in blocks that are drawings (no language named)."""
    prose = _FENCE.sub("", text)
    drawings = "".join(block for language, block in _FENCE.findall(text) if not language)
    yield from (found for found in _LINK.findall(prose) if not _PLACEHOLDER.search(found))
    for code in [*_CODE.findall(prose), *drawings.splitlines()]:
        for name in _FILE.findall(code):
            if not _PLACEHOLDER.search(name) and (not name.endswith("/") or code == name):
                yield name


def _exists(name: str, page: Path) -> bool:
    if name.startswith(MADE):
        return True
    if name.count("/") == 1 and name.endswith("/"):  # a folder by its own name, where the text says which room it talks of
        return (ROOT / name).is_dir() or any(found.is_dir() for found in (ROOT / "aggregate").rglob(name[:-1]))
    return any((place / name).exists() for place in (ROOT, page.parent, ROOT / "aggregate"))


def _shown(text: str) -> Iterator[str]:
    """Command lines of the blocks of a shell, and those of ours in inline code."""
    for language, block in _FENCE.findall(text):
        if language in {"sh", "bash", "shell", "console"}:
            for line in block.replace("\\\n", " ").splitlines():
                if language != "console" or line.startswith("$ "):
                    yield from re.split(r" (?:\||&&|;|>|&) ?", line.removeprefix("$ ").split(" #")[0])
    for code in _CODE.findall(_FENCE.sub("", text)):
        if re.match(r"(?:make|aggregate) [a-z-]", code):
            yield code


def _problem(line: str) -> str:
    """What is wrong with a command line, "" for one that is right or not ours."""
    try:
        words = shlex.split(line)
    except ValueError:
        words = line.split()
    while words and re.fullmatch(r"[A-Z_]+=\S*", words[0]):
        del words[0]
    if not words:
        return ""
    program = words[0].rpartition("/")[2]
    if program == "make":
        unknown = [word for word in words[1:] if not word.startswith("-") and "=" not in word and word not in TARGETS]
        return f"no target {unknown[0]}" if unknown else ""
    if program.startswith("python") and words[1:2] == ["-m"] and words[2].split(".")[0] in {"aggregate", "bench", "tests"}:
        module = ROOT / words[2].replace(".", "/")
        if not module.with_suffix(".py").exists() and not (module / "__main__.py").exists():
            return f"no module {words[2]}"
        return _of_the_cli(words[3:]) if words[2] == "aggregate" else ""
    return _of_the_cli(words[1:]) if program == "aggregate" else ""


def _of_the_cli(words: list[str]) -> str:
    from aggregate.cli.app import app

    command: Any = typer.main.get_command(app)
    options: set[str] = {"--help"}
    for word in words:
        options |= {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
        if word.startswith("-") and not re.match(r"-\d", word):
            if word.split("=")[0] not in options:
                return f"no option {word}"
        elif hasattr(command, "get_command"):
            choices = re.split(r"\|", word)
            for choice in choices:
                if command.get_command(None, choice) is None:
                    return f"no command {choice}"
            command = command.get_command(None, choices[0])
    return ""
