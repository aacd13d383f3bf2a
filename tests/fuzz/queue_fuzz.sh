#!/bin/sh
# Builds and runs the fuzzer of checking and mending: queue_fuzz.sh SECONDS [extra flags].
# Needs clang with its runtime and an installed tape, which makes the queue that is damaged.
# PLANT=1 stands for a repair that mends nothing, which a run of some seconds must find; the exit
# status is that of the fuzzer.
set -eu
cd "$(dirname "$0")/../.."
seconds=${1:-60}
shift || true
out=${FUZZ_OUT:-build-fuzz-queue}
mkdir -p "$out/corpus"
scratch=$(mktemp -d "${TMPDIR:-/dev/shm}/queue-fuzz-XXXXXX")
trap 'rm -rf "$scratch"' EXIT
"${PYTHON:-python3}" - "$scratch/whole" <<'END'
import sys, tape
class Clock:
    def now_ms(self):
        return 1_600_000_000_000
with tape.open(sys.argv[1], codec=tape.codecs.raw, roll_cycle="TEST4_SECONDLY",
               clock=Clock(), block_size=65536) as q:
    for n in range(20):
        q.appender().write(b"message %d" % n)
    with q.tailer("named") as t:
        t.read()
END
clang -std=gnu11 -g -O1 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined \
    -D_GNU_SOURCE -Icsrc ${PLANT:+-DPLANTED=1} tests/fuzz/queue_fuzz.c $(find csrc -name '*.c') \
    -lpthread -o "$out/fuzz"
FUZZ_QUEUE="$scratch/whole" FUZZ_SCRATCH="$scratch" "$out/fuzz" -max_total_time="$seconds" \
    -max_len=60 -timeout=20 -rss_limit_mb=2000 -artifact_prefix="$out/" "$@" "$out/corpus"
