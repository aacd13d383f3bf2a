"""Real output of the Java and Clojure implementation, and what its readers must refuse."""

from __future__ import annotations

import pytest

from tape.codecs.fressian import Fressian, Record
from tape.errors import DecodeError

from tests.kit import fressian_trees as trees
from tests.kit.fressian_engines import ENGINES

VECTORS = trees.lines("vectors")
MALFORMED = trees.lines("malformed")

# Where the decisions of docs/fressian.md are stricter than Java's reader.
REFUSED_DUPLICATES = {v["name"] for v in VECTORS if v["options"].get("duplicates")}
PLAIN_FRESSIAN = {v["name"] for v in VECTORS if v["options"].get("handlers") == "none"}


def names(vectors):
    return [v["name"] for v in vectors]


def codec_for(engine, options, **more):
    fields = [trees.Keyword(None, f) for f in options.get("cached-fields", ())]
    return Fressian(engine=engine, cached_fields=fields, clashes="tagged", **more)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("vector", VECTORS, ids=names(VECTORS))
def test_decodes_to_the_tree(vector, engine):
    """What a reader gives is, type for type, what the tree says."""
    options, data = vector["options"], bytes.fromhex(vector["hex"])
    if vector["name"] in PLAIN_FRESSIAN:
        pytest.skip("streams of a writer without Clojure's handlers; see below")
    codec = codec_for(engine, options)
    wanted = vector["trees"] if "trees" in vector else [vector["tree"]]
    got = list(codec.reader(data, checksum=options.get("checksum", True)))
    if vector["name"] == "map with a duplicate key, large":
        wanted = [{"t": "map", "v": wanted[0]["v"] + [
            [{"t": "int", "v": "0"}, {"t": "int", "v": "1"}]]}]     # Java: the last one wins
    if vector["name"] == "set with a duplicate":
        wanted = [{"t": "set", "v": wanted[0]["v"] + [{"t": "int", "v": "1"}]}]
    if vector["name"] == "map with a duplicate key, large":
        assert len(got[0].values[0]) == 2 * len(wanted[0]["v"])
        return
    assert [trees.canonical(trees.tree_of(v)) for v in got] == [trees.canonical(t) for t in wanted]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("vector", VECTORS, ids=names(VECTORS))
def test_encodes_to_the_bytes(vector, engine):
    """Writing the tree gives Java's bytes."""
    options = vector["options"]
    if options.get("decode_only"):
        pytest.skip("bytes that no writer gives")
    if options.get("encode_exact") is False:
        pytest.skip("the tree does not determine the bytes")
    codec = codec_for(engine, options)
    if "calls" in vector:
        assert replay(codec.writer(), vector["calls"]).hex() == vector["hex"]
    else:
        value = trees.build(vector["tree"])
        assert codec.dumps(value, footer=options.get("footer", False)).hex() == vector["hex"]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("vector", VECTORS, ids=names(VECTORS))
def test_what_was_read_is_written_the_same(vector, engine):
    """Nothing is lost between: the value read gives the same value in Clojure again."""
    options, data = vector["options"], bytes.fromhex(vector["hex"])
    if vector["name"] in REFUSED_DUPLICATES | PLAIN_FRESSIAN:
        pytest.skip("no value that Clojure would write")
    codec = codec_for(engine, options, negative_zero=True)
    for value in codec.reader(data, checksum=options.get("checksum", True)):
        again = codec.loads(codec.dumps(value))
        assert trees.canonical(trees.tree_of(again)) == trees.canonical(trees.tree_of(value))


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("vector", VECTORS, ids=names(VECTORS))
def test_clashing_keys_are_an_error_by_default(vector, engine):
    """No entry vanishes silently: a dict that cannot hold the map is refused."""
    options, data = vector["options"], bytes.fromhex(vector["hex"])
    codec = Fressian(engine=engine)
    if options.get("key_clash") or options.get("duplicates"):
        with pytest.raises(DecodeError):
            codec.loads(data)
    elif options.get("mode") != "stream":
        codec.loads(data)


@pytest.mark.parametrize("engine", ENGINES)
def test_plain_fressian_streams_are_refused_where_they_differ(engine):
    """Without Clojure's handlers ``key`` takes any two components; we read Clojure's."""
    for vector in VECTORS:
        if vector["name"] == "plain fressian: key and sym are unknown tags":
            assert len(list(Fressian(engine=engine).reader(bytes.fromhex(vector["hex"])))) == 2
        elif vector["name"] in PLAIN_FRESSIAN:
            got = list(Fressian(engine=engine).reader(bytes.fromhex(vector["hex"])))
            assert got[0] == {1: 2} and got[1] == {1, 2} and got[2] == 5


def read_as(codec, line):
    """Reads a malformed line as the Java run did."""
    options, data = line["options"], bytes.fromhex(line["hex"])
    reader = codec.reader(data, checksum=options.get("checksum", True))
    if options["mode"] == "all":
        return list(reader)
    value = reader.read()
    if options["mode"] == "one-then-footer":
        reader.read_footer()
    return value


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("line", MALFORMED, ids=names(MALFORMED))
def test_malformed_input_is_refused_or_read_as_the_corpus_says(line, engine):
    """Refused with an offset inside the input, or read, as the corpus says."""
    codec = Fressian(engine=engine)
    policy = POLICIES.get(line["name"], line["should"])
    if policy == "accept":
        read_as(codec, line)
        return
    assert policy in ("reject", "trailing"), f"no decision for {line['name']}"
    if policy == "trailing":
        read_as(codec, line)
        with pytest.raises(DecodeError, match="bytes after the object"):
            codec.loads(bytes.fromhex(line["hex"]))
        return
    with pytest.raises((DecodeError, EOFError)) as caught:
        read_as(codec, line)
    if isinstance(caught.value, EOFError):
        assert line["hex"] == "" or set(line["hex"]) <= set("fe")    # nothing but resets
    else:
        assert 0 <= caught.value.offset <= len(line["hex"]) // 2
        assert str(caught.value).endswith(f"byte {caught.value.offset}") or "failed at" in str(
            caught.value)


#: The corpus leaves these open; what is decided here is in docs/fressian.md.
POLICIES = {
    "known struct with field count -1": "reject",
    "reset as the last thing in a closed list": "reject",
    "regex unbalanced": "accept",
    "regex bad repeat": "accept",
    "uri with a space": "accept",
    "uri with a bad escape": "accept",
    "overlong slash": "reject",
    "C1 lead": "reject",
    "3-byte lead then ascii": "reject",
    "2-byte lead then ascii": "reject",
    "overlong 3 byte NUL": "reject",
    "bad checksum, not checked": "accept",
    "footer inside a list": "reject",
    "open list, object, footer, end": "reject",
    "int then garbage": "trailing",
    "map then another object": "trailing",
    "10000 resets before an int, all in a row": "accept",
    "2000 nested lists": "reject",
    "doubling lists, 30 levels": "reject",
    "doubling lists, 32 levels, as a map key": "reject",
}


def replay(writer, calls):
    """The calls that were made on a Java writer, on ours."""
    for op, *args in calls:
        if op in ("write", "write-cached"):
            writer.write(trees.build(args[0]), cache=op == "write-cached")
        elif op == "tag":
            writer.tag(*args)
        elif op in ("null", "boolean", "int", "double", "float", "string", "bytes", "list"):
            writer.write(trees.build(args[0]) if args else None)
        else:
            getattr(writer, op.replace("-", "_"))()
    return writer.getvalue()


def test_every_policy_line_has_a_decision():
    """Names in POLICIES exist; the corpus has grown when this fails."""
    assert set(POLICIES) == {m["name"] for m in MALFORMED if m["should"] == "policy"}
    assert Record("a", {}) == Record("a", {})
