#!/bin/sh
# Builds and runs the fuzzer of the Fressian codec in C: fressian_fuzz.sh SECONDS [extra flags].
# Needs clang with its runtime and a python3-config with --embed. With PLANT=1 there is a bug that a
# run of some seconds must find; the exit status is that of the fuzzer. It is built once, in
# $FUZZ_OUT, and anew when a source has changed.
set -eu
cd "$(dirname "$0")/../.."
seconds=${1:-60}
shift || true
out=${FUZZ_OUT:-build-fuzz}
mkdir -p "$out/package" "$out/kept" "$out/corpus"
rm -rf "$out/package/tape"
cp -r tape "$out/package/tape"
python3 - "$out/kept" "$out/names" <<'END'
import pathlib, sys
kept = []
for line in pathlib.Path("tests/fuzz/fressian_corpus.hex").read_text().split():
    kept.append(pathlib.Path(sys.argv[1]) / f"{len(kept):04}")
    kept[-1].write_bytes(bytes.fromhex(line))
pathlib.Path(sys.argv[2]).write_text(",".join(map(str, kept)))
END
find "$out/package" -name '*.so' -delete            # the instrumented twin is linked in
: > "$out/package/tape/__init__.py"                 # codecs need nothing of the rest of tape
config=${PYTHON_CONFIG:-/usr/bin/python3-config}
source=tests/fuzz/fressian_fuzz.c
if [ ! -x "$out/fuzz" ] || [ -n "$(find tape/codecs/fressian/c $source -newer "$out/fuzz")" ]; then
    clang -std=gnu11 -g -O1 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined \
        -fno-sanitize=alignment -Wno-unused-function $($config --includes) $source \
        $($config --ldflags --embed) -o "$out/fuzz"
fi
export PYTHONPATH="$out/package:tests/fuzz" PYTHONMALLOC=malloc
export ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1
still=                                              # addresses decide how dicts are walked
setarch -R true 2>"$out/setarch" && still="setarch -R"
exec $still "$out/fuzz" -max_total_time="$seconds" -max_len=2048 -timeout=10 -rss_limit_mb=3000 \
    -artifact_prefix="$out/" -seed_inputs="@$out/names" "$@" "$out/corpus"
