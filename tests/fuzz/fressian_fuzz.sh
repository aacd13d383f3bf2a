#!/bin/sh
# Builds and runs the fuzzer of the Fressian codec in C: fressian_fuzz.sh SECONDS [extra flags].
# Needs clang with its runtime and a python3-config with --embed. PLANT=1 builds in a bug that a
# run of some seconds must find; the exit status is that of the fuzzer.
set -eu
cd "$(dirname "$0")/../.."
seconds=${1:-60}
shift || true
out=${FUZZ_OUT:-build-fuzz}
mkdir -p "$out/package" "$out/corpus"
rm -rf "$out/package/tape"
cp -r tape "$out/package/tape"
python3 - "$out/corpus" <<'END'
import hashlib, pathlib, sys
for line in pathlib.Path("tests/fuzz/fressian_corpus.hex").read_text().split():
    data = bytes.fromhex(line)
    (pathlib.Path(sys.argv[1]) / hashlib.sha1(data).hexdigest()).write_bytes(data)
END
find "$out/package" -name '*.so' -delete            # the instrumented twin is linked in
: > "$out/package/tape/__init__.py"                 # codecs need nothing of the rest of tape
config=${PYTHON_CONFIG:-/usr/bin/python3-config}
clang -std=gnu11 -g -O1 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined \
    -fno-sanitize=alignment -Wno-unused-function ${PLANT:+-DTAPE_PLANTED_BUG} \
    $($config --includes) tests/fuzz/fressian_fuzz.c \
    tape/codecs/fressian/c/unity.c $($config --ldflags --embed) -o "$out/fuzz"
export PYTHONPATH="$out/package:tests/fuzz" PYTHONMALLOC=malloc
export ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1
exec "$out/fuzz" -max_total_time="$seconds" -max_len=2048 -timeout=10 -rss_limit_mb=3000 \
    -artifact_prefix="$out/" "$@" "$out/corpus"
