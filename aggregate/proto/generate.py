"""Makes the stubs from the .proto file: `python -m aggregate.proto.generate` (needs grpcio-tools, extra `test`).

The stubs are committed, so that an installation needs no compiler; a test says when they are older than the .proto file. protoc writes
them into folders named like the proto package and lets one import the other from there; here they stand flat in `aggregate.proto`, so
the one import is turned.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
SOURCE = "cloudlysis/aggregate/v1/aggregate.proto"
STUBS = ("aggregate_pb2.py", "aggregate_pb2.pyi", "aggregate_pb2_grpc.py")


def generate(into: Path = HERE) -> list[Path]:
    """Write the stubs into a folder.

    Raises:
        RuntimeError: protoc refused the file (it has said why on stderr).
    """
    import grpc_tools  # noqa: PLC0415 - only who changes the .proto file has it
    from grpc_tools import protoc  # noqa: PLC0415

    well_known = Path(grpc_tools.__file__).parent / "_proto"
    with tempfile.TemporaryDirectory() as folder:
        outputs = [f"--{kind}_out={folder}" for kind in ("python", "pyi", "grpc_python")]
        if protoc.main(["protoc", f"-I{HERE}", f"-I{well_known}", *outputs, SOURCE]) != 0:
            raise RuntimeError(f"protoc refused {SOURCE}")
        made = []
        for name in STUBS:
            text = (Path(folder) / SOURCE).with_name(name).read_text()
            text = text.replace("from cloudlysis.aggregate.v1 import", "from aggregate.proto import")
            made.append(into / name)
            made[-1].write_text(text)
        return made


if __name__ == "__main__":
    for path in generate():
        print(path.name, file=sys.stderr)
