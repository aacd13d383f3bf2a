"""info, cat, tail and lag: wrong use and odd places first, then what they show."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

import tape
from tape.codecs import fressian, raw

from tests.kit.clocks import SetClock
from tests.kit.commands import ENVIRONMENT, T0, TAPE, Terminal, filled, outcome, run
from tests.kit.damage import SECOND, append_at, cycle_file, poke, position
from tests.kit.directories import digest
from tests.kit.golden_queues import extract

LOOKING = [["info"], ["info", "--json"], ["cat"], ["cat", "--reverse", "--hex"], ["tail"], ["lag"],
           ["lag", "--metrics"], ["dump"]]


@pytest.fixture
def queue(tmp_path: Path) -> Path:
    filled(tmp_path / "q")
    with tape.open(tmp_path / "q") as q, q.tailer("billing") as t:
        t.read_many(4)
    return tmp_path / "q"


# ---- what is no queue ----

def test_places_that_are_no_queue_have_an_error_of_their_own_each(tmp_path: Path) -> None:
    """One line, with what to do; exit code 2, and nothing is made there."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "notes.txt").write_text("hello")
    old = extract("src-libchronicle-cqv4", tmp_path / "old")
    places = [tmp_path / "none", tmp_path / "empty", tmp_path / "other",
              tmp_path / "other" / "notes.txt", old]
    before = digest(tmp_path)
    said = set()
    for place in places:
        code, out, errors = outcome("info", place)
        assert (code, out, errors.count("\n"), "hint" in errors) == (2, "", 1, True), errors
        said.add(errors.replace(str(place), ""))
    assert len(said) == len(places), said
    assert digest(tmp_path) == before


@pytest.mark.parametrize("name", ["cycle-header-data", "cycle-random", "table-truncated"])
def test_a_damaged_queue_is_a_finding_or_a_refusal_in_one_line(name: str, tmp_path: Path) -> None:
    """Bytes that no writer makes: exit code 1 or 2, and no traceback."""
    place = extract(name, tmp_path)
    for command in ("info", "cat"):
        code, _, errors = outcome(command, place)
        assert code in (1, 2, 3) and "tape " + command in errors, (code, errors)


@pytest.mark.parametrize("arguments", [
    ["cat", "--json", "--edn"], ["cat", "--match", "("], ["cat", "--since", "yesterdayish"],
    ["cat", "--from", "12x"], ["cat", "--from", "-1"], ["cat", "--codec", "no_such"],
    ["cat", "--template", "{nothing}"], ["cat", "--named", "x", "--reverse"],
    ["cat", "--limit", "-1"], ["tail", "-n", "x"], ["nonsense"], ["info", "--wrong"]])
def test_wrong_use_is_exit_code_2_and_prints_no_messages(arguments: list[str],
                                                         queue: Path) -> None:
    """And says what is wrong."""
    code, out, errors = outcome(*arguments, queue)
    assert (code, out) == (2, "") and "rror" in errors


# ---- they never write ----

@pytest.mark.parametrize("name", ["own", "java-5.26-named-tailers", "java-5.26-mixed-payloads",
                                  "tape-dev-types", "src-libchronicle-cqv5"])
def test_commands_that_look_write_no_byte_and_make_no_file(name: str, tmp_path: Path) -> None:
    """Of ours, of Java's and of Clojure's queues; side files included."""
    if name == "own":
        filled(tmp_path / "own")
        place = tmp_path / "own"
    else:
        place = extract(name, tmp_path)

    def state() -> object:
        return digest(place), sorted((e.name, e.stat().st_mtime_ns) for e in os.scandir(place))
    before = state()
    for arguments in LOOKING:
        code, _, errors = outcome(*arguments, place)
        assert code in (0, 3), (arguments, errors)
    assert state() == before


# ---- what they show ----

def test_cat_prints_ranges_forward_and_backward(queue: Path) -> None:
    """By index, limit and direction."""
    with tape.open(queue, read_only=True) as q:
        indexes = [e.index for e in q.tailer().entries()]

    def numbers(*arguments: str) -> list[int]:
        code, out, errors = outcome("cat", queue, *arguments)
        assert (code, errors) == (0, "")
        return [json.loads(line)["n"] for line in out.splitlines()]
    assert numbers() == list(range(20))
    assert numbers("--reverse") == list(range(20))[::-1]
    assert numbers("--from", hex(indexes[3]), "--to", str(indexes[6])) == [3, 4, 5]
    assert numbers("--from", hex(indexes[3]), "--to", str(indexes[6]), "--reverse") == [5, 4, 3]
    assert numbers("--limit", "2", "--reverse") == [19, 18]
    assert numbers("--limit", "0") == []
    assert numbers("--from", str(indexes[19] + 1)) == []
    assert numbers("--from", str(indexes[9] + 5)) == list(range(10, 20))  # none with this index
    assert numbers("--match", "1[0-3]", "--exclude", "12") == [10, 11, 13]


@pytest.mark.parametrize("command", [["cat"], ["cat", "--named", "x"]],
                         ids=" ".join)
@pytest.mark.parametrize("wrong", ["zeros", "zeros and a write position that is none"])
def test_a_hole_before_other_messages_does_not_look_like_the_end(
        tmp_path: Path, command: list[str], wrong: str) -> None:
    """What is there is printed; that more is counted is told, with the remedy: exit code 3."""
    path = tmp_path / "q"
    append_at(path, SECOND, 10)
    file = cycle_file(path)
    poke(file, position(file, b"message 4"), bytes(40))
    if wrong != "zeros":
        poke(file, position(file, b"message 9"), bytes(20))
    code, out, errors = outcome(command[0], str(path), "--codec", "raw", "--raw", *command[1:])
    assert out.split("\n")[:4] == [f"message {n}" for n in range(4)] and code == 3
    assert "tape repair" in errors and len(errors.splitlines()) == 1


def test_cat_begins_and_ends_at_times(queue: Path) -> None:
    """Where the writer noted them; elsewhere by cycles, and that is said when it matters."""
    def lines(*arguments: str) -> tuple[int, str]:
        code, out, errors = outcome("cat", queue, *arguments)
        assert code == 0
        return len(out.splitlines()), errors
    assert lines("--since", "2020-01-02") == (10, "")
    assert lines("--since", "2020-01-02T06:00Z") == (10, "")  # they were written at noon
    assert lines("--since", "2020-01-02T18:00Z") == (0, "")
    assert lines("--until", "2020-01-02") == (10, "")
    assert lines("--until", "2020-01-01T18:00Z") == (10, "")
    assert lines("--since", "2020-01-01T18:00Z", "--until", "2020-01-02T18:00Z") == (10, "")
    assert lines("--since", "5m") == (0, "")
    for path in queue.glob("*.times"):
        path.unlink()
    count, errors = lines("--since", "2020-01-02T18:00Z")
    assert count == 10 and "no times were noted in this cycle" in errors
    assert lines("--until", "2020-01-01T18:00Z") == (10, "")
    assert lines("--since", "5m") == (0, "")


def test_cat_finds_the_minute_in_the_middle_of_a_cycle(tmp_path: Path) -> None:
    """Of a day with a message each second; backward, too, and into a copy."""
    clock = SetClock(T0)
    with tape.open(tmp_path / "q", clock=clock) as q:
        a = q.appender()
        for n in range(7200):
            a.write({"n": n})
            clock.ms += 1000
    span = ["--since", "2020-01-01T13:00:00Z", "--until", "2020-01-01T13:01:00Z"]
    assert outcome("copy", tmp_path / "q", tmp_path / "kept", "--keep-indexes")[0] == 0
    for name in ("q", "kept"):
        code, out, errors = outcome("cat", tmp_path / name, *span)
        assert (code, errors) == (0, "")
        assert [json.loads(line)["n"] for line in out.splitlines()] == list(range(3600, 3660))
        code, out, _ = outcome("cat", tmp_path / name, *span, "--reverse", "--limit", "2")
        assert [json.loads(line)["n"] for line in out.splitlines()] == [3659, 3658]
    assert outcome("copy", tmp_path / "q", tmp_path / "part", *span)[0] == 0
    with tape.open(tmp_path / "part", read_only=True) as q:
        assert len(q) == 60
    for path in (tmp_path / "q").glob("*.times"):
        path.unlink()
    assert outcome("copy", tmp_path / "q", tmp_path / "none", "--keep-indexes")[0] == 0
    assert list((tmp_path / "none").glob("*.times")) == []


def test_forms_of_a_message_are_json_edn_hex_raw_and_templates(queue: Path) -> None:
    """Each is one line."""
    def line(*arguments: str) -> str:
        return outcome("cat", queue, "--limit", "1", *arguments)[1]
    with tape.open(queue, read_only=True) as q:
        first = q.first_index
        body = next(q.tailer(codec=raw).entries()).raw
    assert line() == '{"n": 0}\n'
    assert json.loads(line("-i")) == {"index": first, "value": {"n": 0}}
    assert line("--edn") == '{"n" 0}\n'
    assert line("--edn", "-i") == f'[{first} {{"n" 0}}]\n'
    assert line("--hex") == body.hex() + "\n"
    assert run("cat", queue, "--limit", "1", "--raw").stdout == body + b"\n"
    assert line("--template", r"{hexindex}\t{value.n} {value.none}{size}") \
        == f"{first:#x}\t0 {len(body)}\n"


def test_poison_is_told_passed_and_makes_exit_code_3(queue: Path) -> None:
    """With its index and bytes; what follows comes."""
    with tape.open(queue) as q:
        bad = q.appender(codec=raw).write(b"\x00\xff\x01")
        q.appender().write("after")
    for command in ("cat", "tail"):
        code, out, errors = outcome(command, queue)
        assert code == 3 and out.splitlines()[-1] == '"after"'
        assert f"{bad:#x}" in errors and "00 ff 01" in errors
    assert outcome("cat", queue, "--codec", "json")[0] == 3
    assert outcome("cat", queue, "--hex")[0] == 0


@pytest.mark.parametrize(("messages", "shown"), [
    ([b"m10", b"m11"], ['"m10"', '"m11"']),
    ([b"m10", fressian.encode({"n": 53})], ["340272", '{"n": 53}']),  # only Fressian has maps
    ([b"m10", b"\xff\xff"], ['"m10"']), ([b"5", b'{"a": 1}'], ["5", '{"a": 1}'])])
def test_what_is_text_and_an_integer_in_fressian_is_decided_by_the_queue(
        tmp_path: Path, messages: list[bytes], shown: list[str]) -> None:
    """As Java and Clojure leave them, without a note; a note is believed."""
    with tape.open(tmp_path / "q", codec=raw) as q:
        q.appender().write_many(messages)
    for note in (b"", b"bytes\nraw", b"bytes\nno such codec", b"other\njson"):
        (tmp_path / "q" / "tape.codec").write_bytes(note)
        assert outcome("cat", tmp_path / "q")[1].splitlines() == shown
    (tmp_path / "q" / "tape.codec").write_bytes(b"bytes\nfressian")
    number = "340272" if messages[0] == b"m10" else "53"
    assert outcome("cat", tmp_path / "q")[1].startswith(f"{number}\n")
    (tmp_path / "q" / "tape.codec").write_bytes(b"bytes\njson")
    assert outcome("tail", tmp_path / "q", "-n", "1", "--match", "5|a")[0] in (0, 3)


def test_named_cat_goes_on_where_it_ended_and_where_the_tailer_was(queue: Path) -> None:
    """A position is stored for what was printed, and no further."""
    assert outcome("cat", queue, "--named", "billing", "--limit", "1")[1] == '{"n": 4}\n'
    assert outcome("cat", queue, "--named", "billing", "--limit", "2")[1] == '{"n": 5}\n{"n": 6}\n'
    with tape.open(queue) as q, q.tailer("billing") as t:
        assert t.read() == {"n": 7}


def test_lag_counts_for_people_machines_and_alarms(queue: Path) -> None:
    """Exact, and exit code 1 when it is too much."""
    code, out, _ = outcome("lag", queue)
    assert code == 0 and out.split("\t")[:2] == ["billing", "16"]
    assert json.loads(outcome("lag", queue, "--json")[1])["messages"] == 16
    assert outcome("lag", queue, "--max", "15")[0] == 1
    assert outcome("lag", queue, "nobody")[0] == 2 and "billing" in outcome("lag", queue, "x")[2]
    assert outcome("lag", queue, "billing", "--max", "16")[0] == 0
    metrics = outcome("lag", queue, "--metrics")[1]
    assert f'tape_lag_messages{{queue="{queue}",tailer="billing"}} 16\n' in metrics
    assert metrics.endswith("# EOF\n")


def test_info_is_tab_separated_or_json_without_a_terminal(queue: Path) -> None:
    """And one screen in one of forty columns."""
    facts = dict(line.split("\t", 1) for line in outcome("info", queue)[1].splitlines())
    assert (facts["messages"], facts["files"], facts["lock_holder"]) == ("20", "2", "")
    assert json.loads(outcome("info", queue, "--json")[1])["cycles"][0]["count"] == 10
    terminal = Terminal("info", queue, columns=40)
    code, _ = terminal.end()
    lines = terminal.text().splitlines()
    assert code == 0 and len(lines) < 25 and max(map(len, lines)) <= 40
    assert "20200101F.cq4" in terminal.text() and "20" in terminal.text()


def test_no_color_means_no_colour(queue: Path) -> None:
    """Nor does a terminal that has none."""
    assert "\x1b[1m" in Terminal("info", queue).end()[1]
    plain = Terminal("info", queue, NO_COLOR="1")
    assert plain.end()[0] == 0 and "\x1b[3" not in plain.seen


def test_names_of_any_bytes_are_shown_and_steer_no_terminal(tmp_path: Path) -> None:
    """Blanks, quotes, newlines, escapes, bytes that are no UTF-8."""
    name = os.fsdecode(b"a b\"'\n\x1b[31m\xff$(x)")
    filled(tmp_path / name)
    for arguments in LOOKING:
        code, out, errors = outcome(*arguments, tmp_path / name)
        assert code == 0 and "\x1b" not in out + errors, (arguments, out, errors)
    terminal = Terminal("info", tmp_path / name, columns=40)
    assert terminal.end()[0] == 0 and "\x1b[31m" not in terminal.seen


# ---- ends ----

def test_a_closed_pipe_ends_cat_and_tail_quietly(tmp_path: Path) -> None:
    """Also a tail that has nothing to write just now."""
    filled(tmp_path / "q", 2000)
    for arguments in ("cat", "tail -f -n 2000"):
        ran = subprocess.run(f"{' '.join(TAPE)} {arguments} {tmp_path}/q | head -n 1", shell=True,
                             capture_output=True, env=ENVIRONMENT, timeout=30, check=True)
        assert (ran.stdout, ran.stderr) == (b'{"n": 0}\n', b"")


def test_tail_follows_at_once_and_ends_by_control_c_with_nothing_said(queue: Path) -> None:
    """In a terminal; it waits without using the processor."""
    terminal = Terminal("tail", "-f", queue)
    terminal.expect('{"n": 19}')
    with tape.open(queue) as q:
        began = time.monotonic()
        q.appender().write("new")
        terminal.expect('"new"')
        assert time.monotonic() - began < 1
    used = [_cpu(terminal.process.pid), time.sleep(2), _cpu(terminal.process.pid)]
    assert used[2] - used[0] < 0.2  # type: ignore[operator]
    terminal.press(b"\x03")
    code, seen = terminal.end()
    assert code == 130 and seen.removesuffix("\n").removesuffix("^C").endswith('"new"\n'), seen


def _cpu(pid: int) -> float:
    """Seconds of processor that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_tail_begins_at_a_time_or_an_index_and_goes_on(tmp_path: Path) -> None:
    with tape.open(tmp_path / "q") as q:
        indexes = q.appender().write_many(range(20))
    for where in (["--from", hex(indexes[3])], ["--since", "2d", "--from", hex(indexes[3])]):
        code, out, _ = outcome("tail", tmp_path / "q", *where)
        assert (code, out.split()) == (0, [str(n) for n in range(3, 20)])
    assert outcome("tail", tmp_path / "q", "--since", "2d")[1].split() \
        == [str(n) for n in range(20)]
    assert outcome("tail", tmp_path / "q", "-f", "--from", hex(indexes[18]), "--limit", "2")[1] \
        == "18\n19\n"
    assert outcome("tail", tmp_path / "q", "--from", hex(indexes[-1] + 1))[:2] == (0, "")
    code, _, error = outcome("tail", tmp_path / "q", "-n", "3", "--since", "10m")
    assert code == 2 and "--lines counts from the end" in error
    process = subprocess.Popen([*TAPE, "tail", "-f", "--from", hex(indexes[19]), tmp_path / "q"],
                               stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "19\n"
    with tape.open(tmp_path / "q") as q:
        q.appender().write("new")
    assert process.stdout.readline() == '"new"\n'
    process.send_signal(signal.SIGINT)
    assert process.wait(10) == 130


def test_tail_limits_its_lines_and_ends_by_itself(queue: Path) -> None:
    """The last ones, matching; then those that come, as many as were asked for."""
    assert outcome("tail", queue, "-n", "2", "--match", "1.")[1] == '{"n": 18}\n{"n": 19}\n'
    assert outcome("tail", queue, "-f", "-n", "5", "--limit", "3")[1].splitlines()[-1] \
        == '{"n": 17}'
    process = subprocess.Popen([*TAPE, "tail", "-f", "-n", "0", queue], stdout=subprocess.PIPE,
                               env=ENVIRONMENT)
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=20) == (b"", None) and process.returncode == 130
