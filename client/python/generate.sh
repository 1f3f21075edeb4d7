#!/usr/bin/env bash
# Makes millrace/v1 of proto/millrace/v1 once more; run it after a change there. tests/e2e/python_test.sh fails where
# the two differ.
#
#   client/python/generate.sh [FOLDER]     FOLDER: where to, in place of this package
#
# PYTHON names an interpreter that has grpcio-tools 1.62.3, whose code runs with protobuf 4.25 and later.
set -euo pipefail
cd -- "$(dirname -- "$0")/../../proto"
into=${1:-../client/python}
mkdir -p "$into"
"${PYTHON:-python3}" -m grpc_tools.protoc -I . --python_out="$into" --pyi_out="$into" --grpc_python_out="$into" \
  millrace/v1/*.proto
touch "$into/millrace/v1/__init__.py"
