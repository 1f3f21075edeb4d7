#!/usr/bin/env bash
# The protocol follows the rules that generators of all languages count on: `buf lint` with proto/buf.yaml finds
# nothing. buf is taken from the PATH, else from npm; where there is neither, the test is skipped.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=tests/support/fetched_tools.sh
source tests/support/fetched_tools.sh

if ! buf=$(command -v buf); then
  command -v npm >/dev/null || {
    echo "proto_test: skipped, there is neither buf nor npm here"
    exit 77
  }
  fetch buf-1.75.0 npm install --no-fund --no-audit --ignore-scripts @bufbuild/buf@1.75.0 || {
    echo "proto_test: skipped, npm cannot get buf here: $why"
    exit 77
  }
  buf=$cache/buf-1.75.0/node_modules/.bin/buf
fi

(cd proto && "$buf" lint) || {
  echo "proto_test: buf lint has found the above; mend it, or state an exception with its reason in proto/buf.yaml"
  exit 1
}
for file in proto/millrace/v1/*.proto; do
  for option in go_package java_package java_multiple_files csharp_namespace ruby_package php_namespace; do
    grep -q "^option $option = " "$file" || {
      echo "proto_test: $file has no option $option, so that language's generator falls back on a name of its own"
      exit 1
    }
  done
done
echo "proto_test: buf lint finds nothing"
