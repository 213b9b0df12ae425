"""The shared message table: every message that an engine may need is there, and none that nobody needs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from aggregate.engine.pure import failure as failures
from aggregate.engine.pure.failure import KINDS, MESSAGES, Failure

PURE = Path(failures.__file__).parent
NATIVE = PURE.parent.parent.parent / "native" / "src"
KEY = re.compile(rf'"((?:{"|".join(KINDS)})\.[a-z_0-9]+)"')
COMPOSED = {
    *(f"frozen.{kind}" for kind in ("list", "map")),
    *(f"mutation.{kind}" for kind in ("list", "map")),
    *(f"value.{name}_text" for name in ("int", "number")),
    *(f"{section}.type_{what}" for section in ("bad_input", "bad_output") for what in ("missing", "not_string", "pattern")),
}
"""Keys that are put together at run time."""


def keys(folder: Path, pattern: str) -> set[str]:
    return {key for path in folder.glob(pattern) for key in KEY.findall(path.read_text(encoding="utf-8"))}


def table() -> set[str]:
    return {f"{section}.{name}" for section, messages in MESSAGES.items() if section != "compile" for name in messages}


def test_the_table_is_what_the_pure_engine_uses():
    assert keys(PURE, "*.py") | COMPOSED == table()


@pytest.mark.skipif(not NATIVE.is_dir(), reason="the native sources are not here")
def test_the_native_engine_names_no_key_outside_of_the_table():
    assert keys(NATIVE, "*.rs") <= table()


def test_every_section_is_a_code_with_a_kind():
    assert set(MESSAGES) - {"compile"} == set(KINDS)


def test_a_parameter_is_put_in_once_and_not_looked_into():
    failure = Failure("type.binary", (1, 2, "f"), op="+", left="{right}", right="x")
    assert failure.message == "+ does not work on {right} and x"


def test_a_missing_parameter_is_noticed():
    with pytest.raises(KeyError):
        _ = Failure("type.binary", op="+").message
