"""Keys and subjects: both twins, the same answers and the same refusals."""

from __future__ import annotations

import importlib
import os
import string
import subprocess
import sys
import uuid
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregate.engine.pure import keys as pure

TENANTS = st.text(string.ascii_letters + string.digits + "_-", max_size=64)
TYPES = st.builds(str.__add__, st.sampled_from(string.ascii_letters), st.text(string.ascii_letters + string.digits + "_-", max_size=63))
IDS = st.uuids().map(str)
ID = "0190a5c8-7e3b-7def-8a01-0123456789ab"


def _compiled() -> ModuleType | None:
    try:
        return importlib.import_module("aggregate.engine._keys")
    except ImportError:
        return None


compiled = _compiled()
TWINS = [pytest.param(pure, id="pure"), pytest.param(compiled, id="native", marks=pytest.mark.skipif(compiled is None, reason="not built"))]
needs_compiled = pytest.mark.skipif(compiled is None, reason="not built")


def outcome(function: Any, *arguments: Any) -> Any:
    """What a call gives: its value, or the class and words of what it raises."""
    try:
        return function(*arguments)
    except ValueError as error:
        return ("ValueError", str(error))
    except TypeError:
        return "TypeError"


@pytest.mark.parametrize("twin", TWINS)
def test_a_subject_names_tenant_type_and_id(twin: Any) -> None:
    assert twin.subject("acme", "Account", ID) == f"tenant.acme.aggregate.Account.{ID}"
    assert twin.subject("", "Account", ID) == f"tenant.~.aggregate.Account.{ID}"
    assert twin.split_subject(f"tenant.~.aggregate.Account.{ID}") == ("", "Account", ID)


@pytest.mark.parametrize("twin", TWINS)
def test_a_snapshot_key_is_laid_out_as_documented(twin: Any) -> None:
    prefix = twin.snapshot_prefix("acme", ID, "Account")
    assert prefix == b"acme\0" + uuid.UUID(ID).bytes + b"Account\0"
    assert twin.snapshot_key(prefix, b"12345678", 258) == prefix + b"12345678" + bytes([0, 0, 0, 0, 0, 0, 1, 2])


@pytest.mark.parametrize("twin", TWINS)
@pytest.mark.parametrize(
    "tokens",
    [
        ("a.b", "Account", ID),
        ("~", "Account", ID),
        ("a" * 65, "Account", ID),
        ("ä", "Account", ID),
        ("a\0", "Account", ID),
        ("acme\n", "Account", ID),
        ("acme", "", ID),
        ("acme", "1st", ID),
        ("acme", "A" * 65, ID),
        ("acme", "A>", ID),
        ("acme", "Account", ID.upper()),
        ("acme", "Account", ID[:-1]),
        ("acme", "Account", ID.replace("-", "")),
        ("acme", "Account", ID[:-1] + "g"),
        ("acme", "Account", ID + "\n"),
    ],
)
def test_a_token_of_another_form_is_refused(twin: Any, tokens: tuple[str, str, str]) -> None:
    tenant, kind, identity = tokens
    with pytest.raises(ValueError, match="not a"):
        twin.subject(tenant, kind, identity)
    with pytest.raises(ValueError, match="not a"):
        twin.snapshot_prefix(tenant, identity, kind)
    with pytest.raises(ValueError, match="not the subject"):
        twin.split_subject(f"tenant.{tenant}.aggregate.{kind}.{identity}" if tenant != "~" else f"tenant.~~.aggregate.{kind}.{identity}")


@pytest.mark.parametrize("twin", TWINS)
@pytest.mark.parametrize("key", [(b"p", b"1234567", 1), (b"p", b"12345678", -1), (b"p", b"12345678", 1 << 64)])
def test_a_snapshot_key_refuses_what_has_no_place_in_it(twin: Any, key: tuple[bytes, bytes, int]) -> None:
    with pytest.raises(ValueError, match="of a snapshot key"):
        twin.snapshot_key(*key)


@pytest.mark.parametrize("twin", TWINS)
@pytest.mark.parametrize("tokens", [(None, "Account", ID), ("acme", 1, ID), ("acme", "Account", None)])
def test_what_is_no_text_is_a_type_error(twin: Any, tokens: tuple[Any, Any, Any]) -> None:
    with pytest.raises(TypeError):
        twin.subject(*tokens)


@needs_compiled
@given(TENANTS, TYPES, IDS, st.binary(min_size=8, max_size=8), st.integers(0, (1 << 64) - 1))
def test_both_twins_compose_the_same(tenant: str, kind: str, identity: str, digest: bytes, version: int) -> None:
    assert compiled is not None
    subject = compiled.subject(tenant, kind, identity)
    assert subject == pure.subject(tenant, kind, identity)
    assert compiled.split_subject(subject) == pure.split_subject(subject) == (tenant, kind, identity)
    prefix = compiled.snapshot_prefix(tenant, identity, kind)
    assert prefix == pure.snapshot_prefix(tenant, identity, kind)
    assert compiled.snapshot_key(prefix, digest, version) == pure.snapshot_key(prefix, digest, version)


@needs_compiled
@given(st.text(max_size=66), st.text(max_size=66), st.one_of(IDS, st.text(max_size=40)), st.binary(max_size=9), st.integers())
def test_both_twins_refuse_the_same(tenant: str, kind: str, identity: str, digest: bytes, version: int) -> None:
    assert compiled is not None
    for name, arguments in [
        ("subject", (tenant, kind, identity)),
        ("snapshot_prefix", (tenant, identity, kind)),
        ("split_subject", (f"tenant.{tenant}.aggregate.{kind}.{identity}",)),
        ("split_subject", (tenant,)),
        ("snapshot_key", (b"prefix", digest, version)),
    ]:
        assert outcome(getattr(compiled, name), *arguments) == outcome(getattr(pure, name), *arguments)


@pytest.mark.parametrize("engine", ["pure", "auto"])
def test_the_switch_follows_the_engine(engine: str) -> None:
    text = "from aggregate.engine import keys; print(keys.implementation)"
    environment = {**os.environ, "AGGREGATE_ENGINE": engine}
    done = subprocess.run([sys.executable, "-c", text], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ("pure" if engine == "pure" or compiled is None else "native")


@needs_compiled
def test_the_compiled_twin_is_the_default_where_it_is_built() -> None:
    environment = {name: value for name, value in os.environ.items() if name != "AGGREGATE_ENGINE"}
    text = "from aggregate.engine import keys; print(keys.implementation)"
    done = subprocess.run([sys.executable, "-c", text], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "native"
