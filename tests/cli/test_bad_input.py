"""Every command in odd places, with odd names, with nobody who reads, and beside a deletion."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest

import tape
from tape.cli.app import COMMANDS, main
from tape.codecs import document, raw

from tests.kit.commands import ENVIRONMENT, Terminal, filled, inside, outcome
from tests.kit.directories import UNPRIVILEGED, digest
from tests.kit.golden_queues import extract

# A use of each command that opens a queue; @ is the queue.
ON_A_QUEUE = {
    "info": ["@"], "cat": ["@"], "tail": ["@"], "lag": ["@"], "latency": ["@"],
    "gc": ["@", "--max-cycles", "1"], "park": ["@", "billing"], "verify": ["@"],
    "compress": ["@"], "thaw": ["@"], "copy": ["@", "copied"], "unlock": ["@"],
    "write": ["@", os.devnull], "repair": ["@", "--into", "mended"]}
# And of the others.
OTHERS = {"top": ["@", "--once", "--every", "0.1"], "dump": ["@"], "demo": [],
          "bench": [".", "--messages", "100"], "completion": ["bash"]}


def use(name: str, queue: str | os.PathLike[str]) -> list[str]:
    words = {**ON_A_QUEUE, **OTHERS}[name]
    return [name, *(os.fspath(queue) if word == "@" else word for word in words)]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory of one's own, which is the current one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_every_command_has_its_use_here() -> None:
    """So that none is forgotten."""
    assert {*ON_A_QUEUE, *OTHERS} == set(COMMANDS)


# ---- places ----

def places(here: Path) -> dict[str, Path]:
    """What may stand where a queue is expected."""
    for name in ("empty", "other"):
        (here / name).mkdir()
    (here / "other" / "notes.txt").write_text("hello")
    (here / "random").write_bytes(os.urandom(3000))
    (here / "random.cq4").write_bytes(b"\x40" * 3000)
    (here / "broken").symlink_to("nowhere")
    os.mkfifo(here / "fifo")
    found = {path.name: path for path in here.iterdir()}
    return {**found, "version 4": extract("src-libchronicle-cqv4", here / "old"),
            "missing": here / "none", "null": Path(os.devnull),
            "below a file": here / "random" / "q"}


@pytest.mark.parametrize("name", ON_A_QUEUE)
def test_a_place_that_is_no_queue_is_refused_in_one_line_and_stays_as_it_was(
        here: Path, name: str) -> None:
    """Exit code 2 and what to do; nothing is made, there or for the result. A queue of version 4
    may be verified, which says what it is."""
    for what, place in places(here).items():
        before = digest(here), sorted(map(str, here.rglob("*")))
        code, out, errors = inside(*use(name, place))
        if (name, what) == ("verify", "version 4"):
            assert (code, errors) == (0, "") and "version-4" in out
            continue
        assert (code, out, errors.count("\n")) == (2, "", 1), (what, out, errors)
        assert errors.startswith(f"tape {name}: ") and "hint" in errors, (what, errors)
        assert (digest(here), sorted(map(str, here.rglob("*")))) == before, what


def test_a_directory_without_rights_is_told_by_every_command(here: Path) -> None:
    """One that may not be read, one that may not be written: a line, no traceback; those that look
    need no right to write."""
    if os.getuid():
        pytest.skip("needs another user to be")
    filled(here / "q", 20, 4)
    with tape.open(here / "q") as q, q.tailer("billing") as t:
        t.read_many(7)
    shutil.copytree(here / "q", here / "shut")
    (here / "shut").chmod(0)
    for path in here.parents[:3]:
        path.chmod(path.stat().st_mode | 0o5)
    for path in (here / "q").iterdir():
        path.chmod(0o444)
    (here / "q").chmod(0o555)
    here.chmod(0o555)
    program = ("import os, sys, json\nfrom tests.kit.commands import inside\n"
               "import tape.checking, tape.stats, tape.tasks, tape.compression, tape.deletion\n"
               "import importlib; from tape.cli.app import COMMANDS\n"
               "[importlib.import_module('tape.cli.' + c) for c in COMMANDS]\n"
               "inside('cat', sys.argv[2]); inside('info', sys.argv[2])\n"
               f"os.setgroups([]); os.setgid({UNPRIVILEGED}); os.setuid({UNPRIVILEGED})\n"
               "print(json.dumps([inside(*words) for words in json.loads(sys.argv[1])]))")
    for place, fine in (("q", {"info", "cat", "tail", "lag", "latency", "verify", "unlock"}),
                        ("shut", set[str]())):
        words = [use(name, here / place) for name in ON_A_QUEUE]
        ran = subprocess.run([sys.executable, "-c", program, json.dumps(words), here / "q"],
                             capture_output=True, text=True, check=False, env=ENVIRONMENT,
                             timeout=60)
        assert ran.returncode == 0, ran.stderr
        for name, (code, _, errors) in zip(ON_A_QUEUE, json.loads(ran.stdout), strict=True):
            if name in fine:
                assert code == 0, (name, place, errors)
            else:
                assert code in (1, 2) and errors.count("\n") == 1, (name, place, code, errors)


# ---- names ----

def test_names_of_any_kind_are_right_in_every_command_and_steer_nothing(here: Path) -> None:
    """Blanks, quotes, newlines, escapes, bytes that are no UTF-8: of the directory, and of
    tailers."""
    queue = here / os.fsdecode(b"a b\"'\n\x1b[31m\xff$(x)")
    name = "a \"b\"'\n\x1b[31m\xe9\\"
    filled(queue, 20, 4)
    with tape.open(queue) as q, q.tailer(name) as t:
        t.read_many(7)
    shown = "a \"b\"'\\n\\x1b[31m\xe9\\"
    for command in ("top", "dump", *ON_A_QUEUE):
        words = [name if word == "billing" else word for word in use(command, queue)]
        code, out, errors = inside(*words)
        assert code == 0 and "\x1b" not in out + errors, (command, code, out, errors)
        if command in ("lag", "top"):
            assert shown in out, (command, out)
    assert inside("lag", queue, name)[0] == 0
    assert inside("gc", queue, "--max-cycles", "1", "--unread-by", name)[0] == 0
    parser = pytest.importorskip("prometheus_client.openmetrics.parser")
    families = list(parser.text_string_to_metric_families(inside("lag", queue, "--metrics")[1]))
    labels = families[0].samples[0].labels
    assert labels["tailer"] == name and labels["queue"].startswith(f"{here}/a b\"'\n\x1b[31m")
    with tape.open(queue, read_only=True) as q:
        text = q.stats().openmetrics()
    found = {s.labels["tailer"] for f in parser.text_string_to_metric_families(text)
             for s in f.samples if "tailer" in s.labels}
    assert found == {name}
    for columns in (40, 12):
        terminal = Terminal("lag", queue, columns=columns)
        assert terminal.end()[0] == 0 and "\x1b[31m" not in terminal.seen


@pytest.mark.parametrize("name", ["gc", "verify", "compress", "lag", "unlock", "latency"])
def test_a_terminal_of_forty_columns_is_wide_enough(here: Path, name: str) -> None:
    """No table is wider; the others are in the tests of their commands."""
    filled(here / "q", 20, 4)
    with tape.open(here / "q") as q:
        q.tailer("a tailer with a name that is long").close()
    terminal = Terminal(*use(name, "q"), columns=40)
    assert terminal.end()[0] == 0
    lines = [line for line in terminal.text().splitlines() if not line.startswith("tape ")]
    assert max(map(len, lines), default=0) <= 40 or name in ("verify", "compress"), lines


# ---- nobody reads ----

def test_every_command_ends_quietly_when_nobody_reads_what_it_prints(here: Path) -> None:
    """Exit code 0, no word; help and version, too; live views as well."""
    filled(here / "q", 20, 4)
    with tape.open(here / "q") as q, q.tailer("billing") as t:
        t.read_many(7)
    uses = [use(name, "q") for name in {**ON_A_QUEUE, **OTHERS}] + [
        ["--help"], ["--version"], ["cat", "--help"], ["info", "q", "--json"],
        ["lag", "q", "--metrics"], ["verify", "q", "--json"], ["write", "q", "-i", "lines"],
        ["lag", "q", "--watch", "--every", "0.1"], ["tail", "-f", "q"], ["cat", "q", "--raw"]]
    (here / "lines").write_text("a\nb\n")
    for words in uses:
        code, said = unread(words)
        # What people are told beside the output is no fault; a traceback would be.
        assert code == 0, (words, said)
        assert all(line.startswith(f"tape {words[0]}: ") for line in said.splitlines()), said


def unread(words: list[str]) -> tuple[int, str]:
    """Exit code and messages of a command whose output nobody reads, in a process of its own."""
    read, write = os.pipe()
    os.close(read)
    told, telling = os.pipe()
    child = os.fork()
    if child == 0:
        code = 70
        try:
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            os.dup2(write, 1)
            os.dup2(telling, 2)
            sys.stdout, sys.stderr = open(1, "w"), open(2, "w")
            code = main(words)
            sys.stdout.flush()  # as the interpreter does at its end
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(code)
    os.close(write)
    os.close(telling)
    with open(told) as messages:
        said = messages.read()
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), said


# ---- beside a deletion ----

def delete_all(queue: Path) -> None:
    shutil.rmtree(queue)


def delete_cycles(queue: Path) -> None:
    for path in queue.glob("*.cq4"):
        path.unlink()


@pytest.mark.parametrize("how", [delete_all, delete_cycles])
def test_a_queue_that_is_deleted_under_tail_top_and_lag(
        here: Path, how: Callable[[Path], None]) -> None:
    """tail and lag end with a line when it is gone, exit code 2; top goes on with the others. Where
    only files went, all go on."""
    filled(here / "queues" / "other", 3, 1)
    filled(here / "queues" / "q", 20, 4)
    with tape.open(here / "queues" / "q") as q, q.tailer("billing") as t:
        t.read_many(7)
    terminals = {name: Terminal(*words) for name, words in {
        "tail": ["tail", "-f", "queues/q"], "lag": ["lag", "queues/q", "--watch", "--every", "0.1"],
        "top": ["top", "queues", "--every", "0.1"]}.items()}
    terminals["tail"].expect('{"n": 19}')
    terminals["lag"].expect("billing")
    terminals["top"].expect("other")
    how(here / "queues" / "q")
    for name, terminal in terminals.items():
        if how is delete_all and name != "top":
            code, seen = terminal.end(30)
            assert code == 2 and f"tape {name}: " in seen and "queues/q" in seen, seen
        else:
            before = len(terminal.seen)
            if name == "top":
                terminal.expect("other", 20)
                while len(terminal.seen) < before + 200:
                    assert terminal._more(20)
            terminal.press(b"\x03")
            assert terminal.end()[0] == 130, terminal.seen


# ---- bytes that are wrong ----

@pytest.mark.parametrize("kind", ["gzip", "zstd"])
@pytest.mark.parametrize("damage", ["cut", "flipped", "empty"])
def test_a_compressed_cycle_that_is_damaged_is_a_finding_that_names_it(
        here: Path, kind: str, damage: str) -> None:
    """By whatever reads it: exit code 1, one line; nothing is written for it. What does not read it
    goes on."""
    filled(here / "q", 20, 4)
    assert inside("compress", "q", "--kind", kind)[0] == 0
    first = sorted(here.glob("q/*.cq4.*z*"))[0]
    data = bytearray(first.read_bytes())
    data[len(data) // 2] ^= 0x55
    data[60] ^= 0x55
    first.write_bytes({"cut": data[:-40], "empty": b"", "flipped": bytes(data)}[damage])
    for name in ("cat", "latency", "copy", "thaw", "verify"):
        code, out, errors = inside(*use(name, "q"))
        assert code == 1 and first.name in out + errors, (name, code, out, errors)
        assert not list(here.glob("q/*.tmp"))
    for words in (["tail", "q", "-n", "3"], ["gc", "q", "--max-cycles", "9"],
                  ["gc", "q", "--max-cycles", "2"], ["info", "q"]):
        code, out, errors = inside(*words)
        assert code == 0, (words, errors)
    assert not first.exists()


def test_poison_is_copied_as_it_is(here: Path) -> None:
    """Bytes that no codec reads, documents of no bytes and of no frame; cat tells both alike."""
    with tape.open(here / "q", codec=raw) as q:
        for body in (b"\xff\xff", b"", b"\x00", b"fine"):
            q.appender().write(body)
        q.appender(codec=document).write(b"\x8f")
        q.appender(codec=document).write(b"\xc0\x82\xff\xff\xff\x7f\x8a")
    for words in (["copy", "q", "new"], ["copy", "q", "same", "--keep-indexes"]):
        assert inside(*words)[0] == 0
        assert outcome("cat", words[2], "--hex") == outcome("cat", "q", "--hex")
        before, after = (inside("cat", place) for place in ("q", words[2]))
        assert before[:2] == after[:2] and before[0] == 3
