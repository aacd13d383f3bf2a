"""Builds and runs the fuzzer of libtape: one program with all targets, compiled once.

``python -m tests.fuzz TARGET SECONDS [flags of libFuzzer]`` runs one beginning with the kept corpus
(``corpus/TARGET.hex``), which tests/c runs, too, as an ordinary program. Needs clang and its
runtime. ``PLANTED`` has bugs that the targets must find.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
TARGETS = ("wire", "fressian", "table", "index", "directory", "repair")
LONGEST = {"wire": 300, "fressian": 300, "table": 900, "index": 300, "directory": 300, "repair": 90}
FLAGS = ["-std=gnu11", "-g", "-O1", "-fsanitize=fuzzer-no-link,address,undefined",
         "-fno-sanitize-recover=undefined", "-Wno-macro-redefined", "-D_GNU_SOURCE",
         f"-I{ROOT / 'csrc'}", f"-I{HERE}"]
WRAPPED = ("mmap", "munmap", "tape__monotonic_ns", "tape__now_ms", "tape__now_coarse_ms",
           "tape__sleep_ns")
OWN = ("main", "wire", "fressian_reader", "queue_files", "queue_use", "queue_targets")

#: Executions in a second of the processor's time, about: of the runs that are the same each time.
IN_A_SECOND = {"wire": 6000, "fressian": 12000, "table": 500, "index": 200, "directory": 120,
               "repair": 500}

#: A check in the library for each target, which a planted bug takes away (it is 0 then).
PLANTED = {
    "wire": ("format/wire.c", "!has(w, (uint64_t)length)"),
    "fressian": ("fressian/spans.c", "count > end - *p"),
    "table": ("file/table_header.c", "(!r)"),
    "index": ("file/excerpt_index.c", "rc == TAPE_ECORRUPT"),
    "directory": ("file/cycle_store.c",
                  "tape__window_cover(w, &s->file, c->position, 4 + length, prefer)"),
    "repair": ("check/mend_index.c",
               "tape__file_bytes_u64(&m->look.in, s->index2index_at) != x->root_at"),
}


def can_build() -> bool:
    """Whether clang is there."""
    return shutil.which("clang") is not None


class Workshop:
    """A folder with the library's objects, and the programs that are linked of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.objects = folder / "objects"
        self.objects.mkdir(parents=True, exist_ok=True)

    def _compile(self, source: Path, name: str = "") -> Path:
        """The object of a source, made again only when some source changed."""
        made = self.objects / f"{name or source.parent.name + '-' + source.stem}.o"
        newest = max(path.stat().st_mtime for folder in (ROOT / "csrc", HERE)
                     for path in folder.rglob("*.[ch]"))
        if not made.exists() or made.stat().st_mtime <= max(newest, source.stat().st_mtime):
            subprocess.run(["clang", *FLAGS, "-c", source, "-o", made], check=True)
        return made

    def _objects(self) -> dict[str, Path]:
        """Of the whole library, by source, and of the targets."""
        sources = {str(path.relative_to(ROOT / "csrc")): path
                   for path in sorted((ROOT / "csrc").glob("*/*.c"))}
        sources |= {name: HERE / f"{name}.c" for name in OWN}
        with ThreadPoolExecutor(2) as pool:
            return dict(zip(sources, pool.map(self._compile, sources.values()), strict=True))

    def program(self, planted: bool = False) -> Path:
        """The fuzzer; or one with all bugs in it, of which $FUZZ_PLANT, a number, switches one on:
        so there are two programs to be linked, and not one for each."""
        made = self.folder / ("planted" if planted else "sound")
        objects = self._objects()
        if planted:
            objects |= {file: self._plant(file) for file, _ in PLANTED.values()}
        if not made.exists() or made.stat().st_mtime < max(
                path.stat().st_mtime for path in objects.values()):
            subprocess.run(["clang", "-fsanitize=fuzzer,address,undefined", *objects.values(),
                            *(f"-Wl,--wrap={name}" for name in WRAPPED), "-lpthread", "-o", made],
                           check=True)
        return made

    def _plant(self, file: str) -> Path:
        """The object of a source with its bugs."""
        text = "extern int fuzz_plant;\n" + (ROOT / "csrc" / file).read_text()
        for number, (place, check) in enumerate(PLANTED.values(), 1):
            if place == file:
                assert text.count(check) == 1, f"{file} has no such check, or several: {check}"
                text = text.replace(check, f"(fuzz_plant == {number} ? 0 : ({check}))")
        source = self.folder / f"planted-{Path(file).name}"
        if not source.exists() or source.read_text() != text:
            source.write_text(text)
        return self._compile(source, source.stem)

    def corpus(self, target: str) -> Path:
        """A folder with the kept inputs."""
        folder = self.folder / f"corpus-{target}"
        folder.mkdir(exist_ok=True)
        for line in (HERE / "corpus" / f"{target}.hex").read_text().splitlines():
            data = bytes.fromhex(line)
            (folder / hashlib.sha1(data).hexdigest()).write_bytes(data)
        return folder


def run(program: Path, target: str, corpus: Path,
        *flags: str) -> subprocess.CompletedProcess[str]:
    """Runs it, the target's bug switched on if there are any; status 0 when nothing was found."""
    environment = {**os.environ, "FUZZ_TARGET": target,
                   "FUZZ_PLANT": str([None, *PLANTED].index(target) if target in PLANTED else 0),
                   "ASAN_OPTIONS": "allocator_may_return_null=1:quarantine_size_mb=16"}
    return subprocess.run(
        [program, f"-max_len={LONGEST[target]}", "-len_control=0", "-timeout=300",
         "-rss_limit_mb=2000", f"-artifact_prefix={program.parent}/", *flags, corpus],
        env=environment, capture_output=True, text=True, errors="replace", check=False)


def run_again(program: Path, target: str, seconds: float,
              corpus: Path) -> subprocess.CompletedProcess[str]:
    """The same inputs each time, as long as the sources are the same: the kept corpus, in its
    order, and what one seed makes of it without looking at values such as addresses, of which no
    two runs have the same. So many that they take about so long."""
    empty, names = corpus.with_name(f"{corpus.name}-new"), corpus.with_suffix(".names")
    shutil.rmtree(empty, ignore_errors=True)
    empty.mkdir()
    names.write_text(",".join(str(path) for path in sorted(corpus.iterdir())))
    return run(program, target, empty, f"-seed_inputs=@{names}", "-seed=1", "-use_cmp=0",
               "-reload=0", f"-runs={seconds * IN_A_SECOND[target]:.0f}")
