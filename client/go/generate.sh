#!/usr/bin/env bash
# Makes v1 of proto/millrace/v1 once more; run it after a change there. tests/e2e/go_test.sh fails where the two differ.
#
#   client/go/generate.sh [FOLDER]     FOLDER: where to, in place of this module
#
# It takes protoc, and from the PATH protoc-gen-go v1.36.6 and protoc-gen-go-grpc v1.5.1.
set -euo pipefail
cd -- "$(dirname -- "$0")/../../proto"
into=${1:-../client/go}
mkdir -p "$into"
protoc -I . --go_out="$into" --go_opt=module=millrace --go-grpc_out="$into" --go-grpc_opt=module=millrace \
  millrace/v1/*.proto
# Which protoc it was depends on the machine.
sed -i '/^\/\/ \t*protoc  *v[0-9.]*$/d; /^\/\/ - protoc  *v[0-9.]*$/d' "$into"/v1/*.pb.go
