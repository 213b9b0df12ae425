"""Reading YAML, TOML and JSON files so that every value can be traced to its line.

YAML is read by the rules of JSON: only `true`, `false`, `null` and plain numbers are anything but text (no `yes`, no dates, no octals),
a key may stand once, a fraction keeps all its digits, and there are no aliases (a few lines of them stand for gigabytes).
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import yaml

from aggregate.errors import ConfigError, Mistake, quote

MAX_FILE_BYTES = 4 * 1024 * 1024
SUFFIXES = (".yaml", ".yml", ".toml", ".json")

Keys = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """A file's values and where they stand.

    Attributes:
        values: the top-level mapping.
        lines: line (from 1) of each key, by the path of keys that leads to it (list items count as "0", "1", ...).
    """

    path: Path
    values: dict[str, Any]
    lines: Mapping[Keys, int] = field(default_factory=dict)

    def place(self, keys: Sequence[str | int] = ()) -> str:
        """`file:line: a.b.c`; the line is that of the nearest key around, where the key itself has none."""
        wanted = tuple(str(key) for key in keys)
        line = next((self.lines[wanted[:end]] for end in range(len(wanted), 0, -1) if wanted[:end] in self.lines), None)
        where = str(self.path) if line is None else f"{self.path}:{line}"
        return f"{where}: {'.'.join(wanted)}" if wanted else where


def read_config_file(path: Path) -> ConfigFile:
    """Read a `.yaml`, `.yml`, `.toml` or `.json` file whose top level is a mapping.

    Raises:
        ConfigError: it cannot be read, is too large, is of another kind, or does not parse; names file and line.
    """
    if path.suffix not in SUFFIXES:
        raise ConfigError([Mistake(str(path), f"expected a file named {', '.join('*' + suffix for suffix in SUFFIXES)}")])
    try:
        raw = path.read_bytes()
        text = raw.decode()
    except OSError as error:
        raise ConfigError([Mistake(str(path), f"cannot be read: {error.strerror or error}")]) from error
    except UnicodeDecodeError as error:
        raise ConfigError([Mistake(str(path), f"is not UTF-8 (byte {error.start})")]) from error
    if len(raw) > MAX_FILE_BYTES:
        raise ConfigError([Mistake(str(path), f"is larger than {MAX_FILE_BYTES} bytes")])
    return parse_config(path, text)


def parse_config(path: Path, text: str) -> ConfigFile:
    """The values of a text that came from `path`, or that could stand there: its suffix says how to read it. Raises ConfigError."""
    read = {".toml": _read_toml, ".json": _read_json}.get(path.suffix, _read_yaml)
    return read(path, text)


def _mapping(path: Path, values: Any) -> dict[str, Any]:
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise ConfigError([Mistake(str(path), f"expected a mapping at the top, got {quote(values)}")])
    return values


class _Loader(yaml.SafeLoader):
    """YAML whose plain scalars are those of JSON."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 - PyYAML's own name, for this class alone


def _decimal(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> Decimal:
    return Decimal(node.value)


_Loader.add_implicit_resolver("tag:yaml.org,2002:null", re.compile(r"(?:null|~|)\Z"), ["n", "~", ""])
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"(?:true|false)\Z"), ["t", "f"])
_Loader.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(r"-?(?:0|[1-9][0-9]*)\Z"), list("-0123456789"))
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?\Z"), list("-0123456789")
)
_Loader.add_constructor("tag:yaml.org,2002:float", _decimal)


def _read_yaml(path: Path, text: str) -> ConfigFile:
    loader = _Loader(text)
    try:
        root = loader.get_single_node()
        lines, mistakes = _walk(path, root)
        if mistakes:
            raise ConfigError(mistakes)
        values = None if root is None else loader.construct_document(root)
    except yaml.MarkedYAMLError as error:
        line = "" if error.problem_mark is None else f":{error.problem_mark.line + 1}"
        raise ConfigError([Mistake(f"{path}{line}", f"is not YAML: {error.problem or error.context}")]) from error
    except (yaml.YAMLError, ValueError, ArithmeticError, RecursionError) as error:
        raise ConfigError([Mistake(str(path), f"is not YAML: {error}")]) from error
    finally:
        loader.dispose()
    return ConfigFile(path, _mapping(path, values), lines)


def _walk(path: Path, root: yaml.Node | None) -> tuple[dict[Keys, int], list[Mistake]]:
    """The line of every key under `root`, and what may not stand there."""
    lines: dict[Keys, int] = {}
    mistakes: list[Mistake] = []
    seen: set[int] = set()
    waiting: list[tuple[Keys, yaml.Node]] = [] if root is None else [((), root)]
    while waiting:
        keys, node = waiting.pop()
        if id(node) in seen:
            where = f"{path}:{lines[keys]}" if keys in lines else str(path)
            mistakes.append(Mistake(where, f"{'.'.join(keys)} is an alias; write the value out"))
            continue
        seen.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            for index, item in enumerate(node.value):
                lines[*keys, str(index)] = item.start_mark.line + 1
                waiting.append(((*keys, str(index)), item))
        elif isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                where = f"{path}:{key.start_mark.line + 1}"
                if not isinstance(key, yaml.ScalarNode) or key.tag != "tag:yaml.org,2002:str":
                    mistakes.append(Mistake(where, f"a key must be text, got {quote(key.value)}; put it in quotes"))
                    continue
                below = (*keys, key.value)
                if below in lines:
                    mistakes.append(Mistake(where, f"{'.'.join(below)} stands twice, first in line {lines[below]}"))
                lines[below] = key.start_mark.line + 1
                waiting.append((below, value))
    return lines, sorted(mistakes, key=lambda mistake: mistake.place)


def _read_json(path: Path, text: str) -> ConfigFile:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        members = dict(pairs)
        if len(members) != len(pairs):
            names = [name for name, _ in pairs]
            raise ValueError(f"key {quote(next(name for name in names if names.count(name) > 1))} stands twice")
        return members

    def refuse(name: str) -> Any:
        raise ValueError(f"{name} is no JSON number")

    try:
        values = json.loads(text, parse_float=Decimal, parse_constant=refuse, object_pairs_hook=unique)
    except json.JSONDecodeError as error:
        raise ConfigError([Mistake(f"{path}:{error.lineno}", f"is not JSON: {error.msg}")]) from error
    except (ValueError, RecursionError) as error:
        raise ConfigError([Mistake(str(path), f"is not JSON: {error}")]) from error
    try:  # JSON is YAML but for a few oddities: good enough to find lines by
        lines, _ = _walk(path, yaml.compose(text.replace("\t", " "), _Loader))
    except (yaml.YAMLError, RecursionError):
        lines = {}
    return ConfigFile(path, _mapping(path, values), lines)


def _read_toml(path: Path, text: str) -> ConfigFile:
    try:
        values = tomllib.loads(text, parse_float=Decimal)
    except (ValueError, RecursionError) as error:
        found = re.search(r" \(at line (\d+), column \d+\)\Z", str(error))
        where = f"{path}:{found[1]}" if found else str(path)
        raise ConfigError([Mistake(where, f"is not TOML: {str(error)[: found.start()] if found else error}")]) from error
    return ConfigFile(path, values, dict(_toml_lines(text)))


_TOML_KEY = r"(?:[A-Za-z0-9_-]+|\"[^\"]*\"|'[^']*')"
_TOML_PATH = rf"{_TOML_KEY}(?:\s*\.\s*{_TOML_KEY})*"
_TOML_LINE = re.compile(rf"\s*(?:\[\s*(?P<table>{_TOML_PATH})\s*\]|(?P<key>{_TOML_PATH})\s*=)")


def _toml_lines(text: str) -> Iterator[tuple[Keys, int]]:
    """Line of each table and of each key that starts a line (tomllib tells no places; a line inside a long string may be taken for one)."""
    table: Keys = ()
    for number, line in enumerate(text.splitlines(), 1):
        found = _TOML_LINE.match(line)
        if found is None:
            continue
        names = tuple(part.strip("\"'") for part in re.findall(_TOML_KEY, found["table"] or found["key"]))
        if found["table"]:
            table = names
            yield table, number
        else:
            yield (*table, *names), number
