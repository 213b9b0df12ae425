"""Where settings come from: environment, file. Gathers values, remembers where each stood, and finds names nobody knows."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

from pydantic import SecretStr
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from aggregate.config.files import ConfigFile, read_config_file
from aggregate.config.manifest import AggregateManifest
from aggregate.config.mistakes import unknown_name
from aggregate.errors import ConfigError, Mistake

PREFIX = "AGGREGATE_"
CONFIG = "AGGREGATE_CONFIG"
SEARCHED = ("aggregate.yaml", "aggregate.toml")

NO_SETTINGS = frozenset({CONFIG, "AGGREGATE_BUILD", "AGGREGATE_CI", "AGGREGATE_TOKEN"})
"""Names with our prefix that are read elsewhere: the file's path, how the package is built, whether the checks run for a change, what a
client sends."""

_SERVICE_LINK = re.compile(r"AGGREGATE_(SERVICE_(HOST|PORT(_\w+)?)|PORT(_[0-9]+_(TCP|UDP)(_(PROTO|PORT|ADDR))?)?)\Z")
"""What Kubernetes puts into every container beside a service named `aggregate`: nobody's mistake."""


class _Source(PydanticBaseSettingsSource):
    """Values gathered before, as a source of pydantic-settings (which ranks and merges the sources)."""

    def __init__(self, settings_cls: type[BaseSettings], values: dict[str, Any]) -> None:
        super().__init__(settings_cls)
        self._values = values

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        return self._values.get(field_name), field_name, False

    def __call__(self) -> dict[str, Any]:
        return self._values


@dataclass(slots=True)
class Gathered:
    """What the sources hold.

    Attributes:
        environment, file: values by setting.
        places: of each setting, where it was given (the source that counts).
        mistakes: names nobody knows, unreadable files, ...
        bad: settings that were given, but wrongly: nothing more is said about them.
    """

    environment: dict[str, Any] = field(default_factory=dict)
    file: dict[str, Any] = field(default_factory=dict)
    places: dict[str, str] = field(default_factory=dict)
    config: ConfigFile | None = None
    mistakes: list[Mistake] = field(default_factory=list)
    bad: set[str] = field(default_factory=set)

    def place(self, name: str) -> str:
        """Where the setting was given; its name in the environment when it was not."""
        return self.places.get(name, PREFIX + name.upper())

    def place_of(self, keys: Sequence[str | int]) -> str:
        """The place of a value inside a setting."""
        name = str(keys[0]) if keys else ""
        return ".".join([self.places.get(name, name), *map(str, keys[1:])])

    def drop(self, names: set[str]) -> None:
        """Forget the values of these settings."""
        for values in (self.environment, self.file):
            for name in names & values.keys():
                del values[name]

    @contextmanager
    def used_by(self, settings_cls: type[BaseSettings]) -> Iterator[None]:
        """Within it, building `settings_cls` takes its values from here."""
        token = _GATHERED.set(self)
        try:
            yield
        finally:
            _GATHERED.reset(token)


_GATHERED: ContextVar[Gathered | None] = ContextVar("gathered", default=None)


def given_sources(settings_cls: type[BaseSettings]) -> tuple[PydanticBaseSettingsSource, ...]:
    """The sources of the load that is going on, the stronger first; none outside of one."""
    gathered = _GATHERED.get()
    return () if gathered is None else (_Source(settings_cls, gathered.environment), _Source(settings_cls, gathered.file))


def gather(settings_cls: type[BaseSettings], env: Mapping[str, str], path: str | Path | None, *, search: bool) -> Gathered:
    """Read the environment and the file (`search`: also look for one in the working folder)."""
    gathered = Gathered()
    chosen = path or env.get(CONFIG) or (next((name for name in SEARCHED if Path(name).is_file()), None) if search else None)
    if chosen:
        try:
            gathered.config = read_config_file(Path(chosen))
        except ConfigError as error:
            gathered.mistakes += error.mistakes
    if gathered.config is not None:
        _from_file(settings_cls, gathered.config, gathered)
    _from_environment(settings_cls, env, gathered)
    return gathered


def _secrets(settings_cls: type[BaseSettings]) -> set[str]:
    return {name for name, info in settings_cls.model_fields.items() if info.annotation is SecretStr}


def _paths(settings_cls: type[BaseSettings]) -> set[str]:
    return {name for name, info in settings_cls.model_fields.items() if info.annotation is Path or Path in get_args(info.annotation)}


def _from_environment(settings_cls: type[BaseSettings], env: Mapping[str, str], gathered: Gathered) -> None:
    fields, secrets = settings_cls.model_fields, _secrets(settings_cls)
    known = {PREFIX + name.upper(): name for name in fields if name != "aggregates"}
    files = {f"{PREFIX}{name.upper()}_FILE": name for name in secrets}
    for variable, text in sorted(env.items()):
        if not variable.startswith(PREFIX) or variable in NO_SETTINGS or _SERVICE_LINK.match(variable) or not text:
            continue  # an empty variable is an unset one: compose files pass `${NAME:-}` on
        if variable in known:
            gathered.environment[known[variable]] = text
            gathered.places[known[variable]] = variable
        elif variable in files:
            if env.get(variable.removesuffix("_FILE")):
                gathered.mistakes.append(Mistake(variable, f"{variable.removesuffix('_FILE')} is given too; give one of them"))
            _read_secret(files[variable], Path(text), variable, gathered.environment, gathered)
        else:
            gathered.mistakes.append(Mistake(variable, unknown_name("setting", variable, [*known, *files])))


def _from_file(settings_cls: type[BaseSettings], config: ConfigFile, gathered: Gathered) -> None:
    secrets, paths, folder = _secrets(settings_cls), _paths(settings_cls), config.path.parent
    files = {f"{name}_file": name for name in secrets}
    for key, value in config.values.items():
        place = config.place([key])
        if key == "aggregates":
            gathered.places[key] = place
            try:
                gathered.file[key] = AggregateManifest.from_values({key: value}, folder, config.place)
            except ConfigError as error:
                gathered.mistakes += error.mistakes
                gathered.bad.add(key)
        elif key in settings_cls.model_fields:
            gathered.file[key] = folder / value if key in paths and isinstance(value, str) else value
            gathered.places[key] = place
        elif key in files and isinstance(value, str):
            if files[key] in config.values:
                gathered.mistakes.append(Mistake(place, f"{files[key]} is given too; give one of them"))
            _read_secret(files[key], folder / value, place, gathered.file, gathered)
        elif key in files:
            gathered.mistakes.append(Mistake(place, "expected the path of a file"))
        else:
            gathered.mistakes.append(Mistake(place, unknown_name("setting", key, [*settings_cls.model_fields, *files])))


def _read_secret(name: str, path: Path, place: str, values: dict[str, Any], gathered: Gathered) -> None:
    """The secret that a file holds; one line end at its end is not part of it."""
    gathered.places[name] = place
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        gathered.mistakes.append(Mistake(place, f"{path} cannot be read: {error.strerror if isinstance(error, OSError) else 'not UTF-8'}"))
        gathered.bad.add(name)
        return
    values[name] = text.removesuffix("\n").removesuffix("\r")
