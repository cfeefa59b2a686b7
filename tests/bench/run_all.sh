#!/usr/bin/env bash
# Runs every benchmark that stands built in a directory, for a moment: each must end by itself with
# status 0. What it measures is of no interest here.
#
#   run_all.sh DIRECTORY     such as build/release/bench
set -u

dir=${1:?the directory with the built benchmarks}
top=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd)
log=$(mktemp)
trap 'rm -f "$log"' EXIT
failed=0
declare -A tried

try() { # try PROGRAM LIBRARY [KEY=VALUE]...
    tried[$1]=yes
    if "$dir/$1" "${@:2}" limit=60 >"$log" 2>&1 </dev/null; then
        echo "ok      $*"
    else
        echo "FAILED  $*, status $?"
        sed 's/^/        /' "$log"
        failed=$((failed + 1))
    fi
}

for transport in tcp ipc inproc; do
    try throughput sifr count=2000 "transport=$transport"
    try roundtrip sifr count=200 "transport=$transport"
    try latency sifr count=200 burst=10 "transport=$transport"
done
for transport in tcp ipc; do
    try throughput raw count=2000 "transport=$transport"
    try roundtrip raw count=200 "transport=$transport"
    try latency raw count=200 burst=10 "transport=$transport"
    try fanout raw count=200 "transport=$transport"
done
for size in 1 8192 1048576; do
    try throughput sifr count=50 "size=$size"
    try throughput raw count=50 "size=$size"
done
if "$dir/throughput" sifr count=1 curve=1 >/dev/null 2>&1; then # 77 without libsodium
    for size in 64 65536; do
        try throughput sifr count=500 "size=$size" curve=1
        try throughput raw count=500 "size=$size" curve=1
    done
fi
try throughput sifr count=2000 senders=5
try throughput sifr count=2000 receivers=5
try throughput sifr count=2000 parts=3
try throughput sifr count=2000 proxy=1
try roundtrip sifr count=200 pattern=dealer peers=5
try roundtrip sifr count=200 pattern=poll
try fanout sifr count=200
try fanout sifr count=200 nodrop=1
try subscriptions sifr count=200 subscriptions=100
try idle sifr count=20 connections=20 idle=10
try connect sifr peers=20
try create sifr count=20
try poll sifr peers=20 count=200
try poll sifr peers=20 count=200 pattern=poller
try keep sifr count=2000 every=100

for source in "$top"/bench/*.c; do
    name=$(basename "$source" .c)
    [ -n "${tried[$name]-}" ] || { echo "FAILED  $name is not tried here"; failed=$((failed + 1)); }
done
[ "$failed" -eq 0 ] || echo "$failed runs failed"
[ "$failed" -eq 0 ]
