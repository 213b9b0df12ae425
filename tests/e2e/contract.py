"""A client that is made of descriptors alone: of the .proto file, or of what a server's reflection tells. Uses nothing of this project."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Iterable
from importlib import resources
from pathlib import Path
from typing import Any

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

PACKAGE = "cloudlysis.aggregate.v1"


class Contract:
    """Services and messages, by descriptors."""

    def __init__(self, files: Iterable[descriptor_pb2.FileDescriptorProto]) -> None:
        self._pool = descriptor_pool.DescriptorPool()
        for file in files:
            self._pool.AddSerializedFile(file.SerializeToString())

    @classmethod
    def of_proto(cls) -> Contract:
        """Compiled from the .proto file that the package ships."""
        import grpc_tools
        from grpc_tools import protoc

        well_known = Path(grpc_tools.__file__).parent / "_proto"
        with resources.as_file(resources.files("aggregate.proto")) as shipped, tempfile.TemporaryDirectory() as folder:
            source = f"{PACKAGE.replace('.', '/')}/aggregate.proto"
            options = [f"-I{shipped}", f"-I{well_known}", "--include_imports", f"--descriptor_set_out={folder}/set"]
            assert protoc.main(["protoc", *options, source]) == 0
            return cls(descriptor_pb2.FileDescriptorSet.FromString((Path(folder) / "set").read_bytes()).file)

    @classmethod
    async def of_reflection(cls, channel: grpc.aio.Channel) -> Contract:
        """Of what the server at the other end tells of itself."""
        ask = reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo
        wanted = [reflection_pb2.ServerReflectionRequest(list_services="")]
        [listed] = [answer async for answer in ask(iter(wanted))]
        names = [service.name for service in listed.list_services_response.service if service.name.startswith(PACKAGE)]
        wanted = [reflection_pb2.ServerReflectionRequest(file_containing_symbol=name) for name in names]
        files: dict[str, descriptor_pb2.FileDescriptorProto] = {}
        while wanted:
            answers = [answer async for answer in ask(iter(wanted))]
            for raw in (each for answer in answers for each in answer.file_descriptor_response.file_descriptor_proto):
                file = descriptor_pb2.FileDescriptorProto.FromString(raw)
                files[file.name] = file
            missing = {name for file in files.values() for name in file.dependency} - files.keys()
            wanted = [reflection_pb2.ServerReflectionRequest(file_by_filename=name) for name in missing]
        return cls(sorted(files.values(), key=lambda file: len(file.dependency)))

    def message(self, name: str, **members: Any) -> Any:
        """A message of the package."""
        return message_factory.GetMessageClass(self._pool.FindMessageTypeByName(f"{PACKAGE}.{name}"))(**members)

    def methods(self) -> set[str]:
        """Service.Method of all that the package has."""
        names = self._pool.FindFileContainingSymbol(f"{PACKAGE}.CommandService").services_by_name
        return {f"{service.name}.{method.name}" for service in names.values() for method in service.methods}

    def call(self, channel: grpc.aio.Channel, name: str) -> Any:
        """`Service.Method`, to be called like a stub's."""
        service, _, method = name.partition(".")
        found = self._pool.FindServiceByName(f"{PACKAGE}.{service}").methods_by_name[method]
        kind = f"{'stream' if found.client_streaming else 'unary'}_{'stream' if found.server_streaming else 'unary'}"
        reply = message_factory.GetMessageClass(found.output_type)
        serialize = message_factory.GetMessageClass(found.input_type).SerializeToString
        make = getattr(channel, kind)
        return make(f"/{PACKAGE}.{service}/{method}", request_serializer=serialize, response_deserializer=reply.FromString)


async def answers(call: AsyncIterator[Any]) -> list[Any]:
    """All that a streaming call answers."""
    return [each async for each in call]
