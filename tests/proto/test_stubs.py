"""The committed stubs are those of the .proto file, and the .proto file stands alone."""

from __future__ import annotations

import importlib.metadata
import re
import subprocess
import sys
from pathlib import Path

import pytest
from google.protobuf import descriptor_pb2

from aggregate.proto import aggregate_pb2
from aggregate.proto.generate import HERE, SOURCE, STUBS, generate

pytest.importorskip("grpc_tools", reason="grpcio-tools (extra `test`) makes the stubs")


def made_with() -> str:
    found = re.search(r"GRPC_GENERATED_VERSION = '([\d.]+)'", (HERE / "aggregate_pb2_grpc.py").read_text())
    assert found is not None
    return found[1]


def test_the_stubs_describe_what_the_proto_file_says(tmp_path: Path) -> None:
    generate(tmp_path)
    serialized = re.compile(r"AddSerializedFile\((b'.*')\)")
    committed, fresh = (serialized.search((folder / "aggregate_pb2.py").read_text()) for folder in (HERE, tmp_path))
    assert committed is not None
    assert fresh is not None
    assert committed[1] == fresh[1], "run `make proto`"
    assert aggregate_pb2.DESCRIPTOR.name == SOURCE


def test_the_stubs_are_byte_for_byte_those_of_the_same_compiler(tmp_path: Path) -> None:
    if importlib.metadata.version("grpcio-tools") != made_with():
        pytest.skip(f"the stubs were made with grpcio-tools {made_with()}")
    for made in generate(tmp_path):
        assert made.read_text() == (HERE / made.name).read_text(), "run `make proto`"
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(STUBS)


def test_a_client_can_be_made_of_the_proto_file_alone(tmp_path: Path) -> None:
    (tmp_path / "aggregate.proto").write_text((HERE / SOURCE).read_text())
    made = subprocess.run(
        [sys.executable, "-m", "grpc_tools.protoc", "-I.", "--descriptor_set_out=set", "aggregate.proto"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stderr
    (file,) = descriptor_pb2.FileDescriptorSet.FromString((tmp_path / "set").read_bytes()).file
    assert file.package == "cloudlysis.aggregate.v1"
    methods = {f"{service.name}.{method.name}" for service in file.service for method in service.method}
    assert methods == {
        "CommandService.SubmitCommand",
        "CommandService.SubmitCommands",
        "EventService.ReadEvents",
        "EventService.SubscribeEvents",
        "QueryService.Get",
        "QueryService.Query",
        "QueryService.Watch",
    }
