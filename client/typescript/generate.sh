#!/usr/bin/env bash
# Makes proto and src/v1 of the repository's proto once more; run it after a change there. tests/e2e/typescript_test.sh
# fails where they differ. The messages are read from proto when a program starts; src/v1 has their types alone.
#
#   client/typescript/generate.sh [FOLDER]     FOLDER: where to, in place of this package
#
# It takes what `npm install` has put into node_modules here, or into NODE_MODULES.
set -euo pipefail
cd -- "$(dirname -- "$0")"
into=${1:-.}
modules=${NODE_MODULES:-$PWD/node_modules}
rm -rf "$into/proto" "$into/src/v1"
mkdir -p "$into/proto/google/rpc" "$into/proto/millrace" "$into/src/v1"
cp -r ../../proto/millrace/v1 "$into/proto/millrace/"
cp ../../proto/google/rpc/*.proto "$into/proto/google/rpc/"
cd "$into"
"$modules/.bin/proto-loader-gen-types" --longs=String --enums=String --defaults --oneofs --grpcLib=@grpc/grpc-js \
  --importFileExtension=.js --includeDirs=proto --outDir=src/v1 \
  millrace/v1/job_service.proto millrace/v1/worker_service.proto google/rpc/error_details.proto >/dev/null
