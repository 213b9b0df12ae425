"""Spec files: YAML (or JSON) with cases, or Python with `Suite` objects at its top level.

```yaml
manifest: manifest.yaml        # beside the spec
type: Account                  # may be left out where the manifest has one type
histories:                     # lists of events that several cases begin with
  opened: [{type: account_opened, owner: ann, balance: 10}]
cases:
  - name: pays out
    given: [opened]            # events and names of histories; `state:` stands for the manifest's `initial`
    when: {type: withdraw, amount: 4}
    ctx: {time: "2026-05-01T10:00:00.000Z"}
    then: [{type: withdrawn, amount: 4}]           # or `rejected: code`, or `error: runtime/key`
    after: {owner: ann, balance: 6}                # the state after it all
    gas: 120
```
"""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any, Final

from aggregate.config.files import ConfigFile, read_config_file
from aggregate.engine.interface import Engine
from aggregate.errors import ConfigError, Mistake, quote
from aggregate.testing.specs import Case, Suite

_TOP: Final = ("manifest", "type", "histories", "cases")
_MEMBERS: Final = ("name", "given", "state", "when", "ctx", "then", "rejected", "error", "after", "gas")
_OUTCOMES: Final = {
    "rejected": frozenset(("code", "message", "details")),
    "error": frozenset(("code", "message", "line", "column", "function")),
}
PATTERNS: Final = ("spec.yaml", "*_spec.yaml", "*_spec.py")


def load_suites(path: Path, engine: Engine | None = None) -> list[Suite]:
    """The suites of a spec file. A Python file makes its own, on the configured engine.

    Raises:
        ConfigError: the file, its manifest or a program has mistakes.
    """
    if path.suffix == ".py":
        found = [value for value in runpy.run_path(str(path)).values() if isinstance(value, Suite)]
        if not found:
            raise ConfigError([Mistake(str(path), "has no Suite at its top level")])
        return found
    return [_suite(read_config_file(path), engine)]


def find_specs(path: Path) -> list[Path]:
    """The file itself, or the spec files in and under a folder."""
    if not path.is_dir():
        return [path]
    return sorted({file for pattern in PATTERNS for file in path.rglob(pattern)})


def _suite(file: ConfigFile, engine: Engine | None) -> Suite:
    values = file.values
    mistakes = [Mistake(file.place([name]), f"is unknown; known are {', '.join(_TOP)}") for name in values if name not in _TOP]
    manifest = values.get("manifest", "manifest.yaml")
    cases = values.get("cases")
    if not isinstance(manifest, str):
        mistakes.append(Mistake(file.place(["manifest"]), f"expected a file name, got {quote(manifest)}"))
    if not isinstance(cases, list) or not cases:
        mistakes.append(Mistake(file.place(["cases"]), "expected a list of cases"))
        cases = []
    histories = values.get("histories", {})
    if not isinstance(histories, dict) or not all(isinstance(events, list) for events in histories.values()):
        mistakes.append(Mistake(file.place(["histories"]), "expected lists of events by name"))
        histories = {}
    for index, entry in enumerate(cases):
        mistakes += _check(entry, histories, file, index)
    if mistakes:
        raise ConfigError(mistakes)
    suite = Suite.of(file.path.parent / str(manifest), values.get("type"), engine)
    for entry in cases:
        _fill(suite.case(entry["name"]), entry, histories)
    return suite


def _check(entry: Any, histories: dict[str, Any], file: ConfigFile, index: int) -> list[Mistake]:
    """What is wrong with how a case is written."""

    def mistake(name: str, message: str) -> Mistake:
        return Mistake(file.place(["cases", index, name] if name else ["cases", index]), message)

    if not isinstance(entry, dict):
        return [mistake("", f"expected a mapping, got {quote(entry)}")]
    found = [mistake(name, f"is unknown; known are {', '.join(_MEMBERS)}") for name in entry if name not in _MEMBERS]
    if not isinstance(entry.get("name"), str):
        found.append(mistake("name", "expected a text"))
    kinds: dict[str, tuple[type, ...]] = {"given": (list,), "ctx": (dict,), "then": (list,), "gas": (int,)}
    kinds |= {"rejected": (str, dict), "error": (str, dict)}
    for name, kind in kinds.items():
        if name in entry and not isinstance(entry[name], kind):
            wanted = " or ".join({list: "a list", dict: "a mapping", str: "a text", int: "an integer"}[each] for each in kind)
            found.append(mistake(name, f"expected {wanted}, got {quote(entry[name])}"))
    given = entry.get("given")
    names = [event for event in given if isinstance(event, str)] if isinstance(given, list) else []
    found += [mistake("given", f"no history is named {quote(name)}") for name in names if name not in histories]
    if "when" in entry and not {"then", "rejected", "error"} & entry.keys() and "after" not in entry:
        found.append(mistake("", "a case with `when` says `then`, `rejected`, `error` or `after`"))
    for name, known in _OUTCOMES.items():
        members = entry.get(name)
        if isinstance(members, dict) and not (isinstance(members.get("code"), str) and members.keys() <= known):
            found.append(mistake(name, f"expected a `code` and of {', '.join(sorted(known))} those that matter"))
    return found


def _fill(case: Case, entry: dict[str, Any], histories: dict[str, list[Any]]) -> None:
    for event in entry.get("given", []):
        case.given(*(histories[event] if isinstance(event, str) else [event]))
    if "state" in entry:
        case.given_state(entry["state"])
    if "when" in entry:
        case.when(entry["when"], **entry.get("ctx", {}))
    if "then" in entry:
        case.then(*entry["then"])
    if "rejected" in entry:
        rejected = entry["rejected"]
        case.then_rejected(**(rejected if isinstance(rejected, dict) else {"code": rejected}))
    if "error" in entry:
        error = entry["error"]
        case.then_error(**(error if isinstance(error, dict) else {"code": error}))
    if "after" in entry:
        case.then_state(entry["after"])
    if "gas" in entry:
        case.costs(entry["gas"])
