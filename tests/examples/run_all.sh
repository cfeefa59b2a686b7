#!/usr/bin/env bash
# Runs every example that stands built in a directory; each must end by itself with status 0.
#
#   run_all.sh DIRECTORY     such as build/release/examples
set -u

dir=${1:?the directory with the built examples}
top=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd)
log=$(mktemp)
trap 'rm -f "$log"' EXIT
failed=0

for source in "$top"/examples/*.c; do
    name=$(basename "$source" .c)
    timeout 60 "$dir/$name" >"$log" 2>&1 </dev/null
    status=$? # 124: it did not end in time
    if [ "$status" -eq 0 ]; then
        echo "ok      $name"
    else
        echo "FAILED  $name, status $status"
        sed 's/^/        /' "$log"
        failed=$((failed + 1))
    fi
done
[ "$failed" -eq 0 ] || echo "$failed examples failed"
[ "$failed" -eq 0 ]
