#!/usr/bin/env bash
# The workflows of .github are sound: actionlint finds nothing, and every action is pinned to a commit, since a tag can
# be moved by whoever holds the action. actionlint is taken from the PATH, else from the Go module proxy; where there is
# neither, the test is skipped.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=tests/support/fetched_tools.sh
source tests/support/fetched_tools.sh

if grep -rnE '^[ -]*uses: ' .github/workflows | grep -vE 'uses: [^@ ]+@[0-9a-f]{40} # v[0-9]'; then
  echo "workflows_test: pin each action above to a commit, and name its version behind it: uses: NAME@COMMIT # v1.2.3"
  exit 1
fi

if ! actionlint=$(command -v actionlint); then
  command -v go >/dev/null || {
    echo "workflows_test: skipped, there is neither actionlint nor go here"
    exit 77
  }
  kept="actionlint-1.7.12"
  fetch $kept env GOBIN="$cache/$kept" go install github.com/rhysd/actionlint/cmd/actionlint@v1.7.12 || {
    echo "workflows_test: skipped, go cannot get actionlint here: $why"
    exit 77
  }
  actionlint=$cache/$kept/actionlint
fi

"$actionlint" .github/workflows/*.yml || {
  echo "workflows_test: actionlint has found the above"
  exit 1
}
echo "workflows_test: actionlint finds nothing, every action is pinned"
