"""Names: which are accepted, and that they are what they were made of."""

from __future__ import annotations

import copy
import json
import pickle
import time
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, TypeAdapter
from pydantic import ValidationError as Invalid

from aggregate.errors import ValidationError
from aggregate.types import AggregateId, AggregateType, TenantId, Version, new_uuid7, uuid7_milliseconds
from aggregate.types.ids import MAX_VERSION, canonical_uuid

tenants = st.from_regex(r"[A-Za-z0-9_-]{1,64}", fullmatch=True)
types = st.from_regex(r"[A-Za-z][A-Za-z0-9_-]{0,63}", fullmatch=True)
versions = st.integers(0, MAX_VERSION)


@given(tenants)
def test_a_tenant_is_its_text(text: str) -> None:
    tenant = TenantId(text)
    assert (tenant, hash(tenant), str(tenant), json.dumps(tenant)) == (text, hash(text), text, json.dumps(text))
    assert TenantId(tenant) is tenant
    assert not tenant.is_empty()


@given(st.text().filter(lambda text: not set(text) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-")))
def test_no_other_text_is_a_tenant_or_type(text: str) -> None:
    with pytest.raises(ValidationError) as caught:
        TenantId(text)
    assert caught.value.field == "x-tenant-id"
    with pytest.raises(ValidationError) as caught:
        AggregateType(text)
    assert caught.value.field == "aggregate_type"


@pytest.mark.parametrize("value", ["a" * 65, "a.b", "a b", "a\n", "ä", "~", "a/b", None, 7, b"a"])
def test_what_is_no_tenant_is_refused(value: object) -> None:
    with pytest.raises(ValidationError, match="a tenant is 1 to 64"):
        TenantId(value)  # type: ignore[arg-type]


@pytest.mark.parametrize("value", ["", "1a", "-a", "_a", "a" * 65, "A.b", "Account\n", None, 7])
def test_what_is_no_type_is_refused(value: object) -> None:
    with pytest.raises(ValidationError, match="a type is a letter"):
        AggregateType(value)  # type: ignore[arg-type]


@given(types)
def test_a_type_is_its_text(text: str) -> None:
    assert AggregateType(text) == text


@given(st.uuids())
def test_any_uuid_is_an_aggregate_id_in_its_canonical_form(value: uuid.UUID) -> None:
    made = AggregateId(str(value).upper())
    assert made == str(value)
    assert made.bytes == value.bytes
    assert AggregateId(str(value)) == made


SOME = "0190b3f0-7c1e-7cc3-a5a0-0123456789ab"


@pytest.mark.parametrize("value", ["", "x", SOME.replace("-", ""), f"{{{SOME}}}", f"urn:uuid:{SOME}", f"{SOME}\n", uuid.UUID(SOME), None])
def test_what_is_no_canonical_uuid_is_refused(value: object) -> None:
    with pytest.raises(ValidationError) as caught:
        AggregateId(value)  # type: ignore[arg-type]
    assert caught.value.field == "aggregate_id"
    with pytest.raises(ValidationError) as caught:
        canonical_uuid(value, "command_id")  # type: ignore[arg-type]
    assert caught.value.field == "command_id"


def test_new_ids_are_version_7_ascending_and_of_now() -> None:
    before = time.time_ns() // 1_000_000
    made = [new_uuid7() for _ in range(200)]
    after = time.time_ns() // 1_000_000
    assert made == sorted(set(made))
    assert all(uuid.UUID(each).version == 7 for each in made)
    assert all(before <= (uuid7_milliseconds(each) or 0) <= after for each in made)
    assert uuid7_milliseconds(str(uuid.uuid4())) is None


@given(versions, st.integers(0, 1000))
def test_a_version_counts_and_never_changes(number: int, by: int) -> None:
    version = Version(number)
    if number + by <= MAX_VERSION:
        assert version.increment(by).as_u64() == number + by
    else:
        with pytest.raises(ValidationError):
            version.increment(by)
    assert version == number
    assert Version(version) is version


@pytest.mark.parametrize("value", [-1, MAX_VERSION + 1, True, 1.0, "1", None])
def test_what_is_no_version_is_refused(value: object) -> None:
    with pytest.raises(ValidationError) as caught:
        Version(value)  # type: ignore[arg-type]
    assert caught.value.field == "version"


class Names(BaseModel):
    tenant: TenantId
    id: AggregateId
    type: AggregateType
    version: Version


@given(tenants, st.uuids(), types, versions)
def test_names_pass_through_models_pickles_and_copies(tenant: str, value: uuid.UUID, name: str, version: int) -> None:
    names = Names(tenant=TenantId(tenant), id=AggregateId(str(value)), type=AggregateType(name), version=Version(version))
    for other in (Names.model_validate_json(names.model_dump_json()), pickle.loads(pickle.dumps(names)), copy.deepcopy(names)):
        assert other == names
        assert [type(each) for each in (other.tenant, other.id, other.type, other.version)] == [
            TenantId,
            AggregateId,
            AggregateType,
            Version,
        ]


@pytest.mark.parametrize(
    ("kind", "text"), [(TenantId, '"a.b"'), (AggregateId, '"x"'), (AggregateType, '"1"'), (Version, "-1"), (Version, '"x"')]
)
def test_models_refuse_what_the_names_do(kind: type[object], text: str) -> None:
    with pytest.raises(Invalid):
        TypeAdapter(kind).validate_json(text)
