"""The messages that the codecs are compared on; string keys, or keywords for our own."""

from __future__ import annotations

import random
from typing import Any


def _event(i: int, rng: random.Random) -> dict[str, Any]:
    kind = rng.choice(["order/created", "order/paid", "metric", "login"])
    event: dict[str, Any] = {
        "event/id": f"{rng.getrandbits(64):016x}", "event/type": kind,
        "event/at": 1_700_000_000_000 + i * 137, "source": "shop-eu-1"}
    if kind.startswith("order"):
        event["order/id"] = f"A-{i}"
        event["lines"] = [{"sku": f"sku-{rng.randrange(500)}", "quantity": rng.randrange(1, 5),
                           "price": round(rng.random() * 100, 2)}
                          for _ in range(rng.randrange(1, 4))]
        event["payment"] = {"method": "card", "amount": round(rng.random() * 300, 2),
                            "ok?": True}
    elif kind == "metric":
        event["metric"], event["value"] = "cpu.load", rng.random()
        event["tags"] = ["host-1", "eu", "prod"]
    else:
        event["user"], event["ok"], event["attempts"] = f"user-{i % 97}", i % 5 != 0, i % 3
    return event


def _nested(rng: random.Random, depth: int = 0) -> dict[str, Any]:
    """About 1 KiB with levels of dicts and lists."""
    made: dict[str, Any] = {"name": f"node-{rng.randrange(1000)}", "weight": rng.random(),
                            "flags": [True, False, None], "count": rng.randrange(100_000)}
    if depth < 3:
        made["children"] = [_nested(rng, depth + 1) for _ in range(2)]
    return made


def messages() -> dict[str, Any]:
    """Name to message; the same on every run."""
    rng = random.Random(5)
    return {
        "tiny dict": {"foo": ["bar", {"baz": 0}]},
        "order event": {
            "event/id": "550e8400-e29b-41d5-a775-afcd7d01e112", "event/type": "order/paid",
            "event/at": 1_700_000_001_234, "order/id": "A-1",
            "payment": {"method": "card", "amount": 129.95, "ok?": True},
            "lines": [{"sku": "sku-1", "quantity": 2, "price": 49.5},
                      {"sku": "sku-2", "quantity": 1, "price": 30.95}]},
        "nested 1 KiB": _nested(rng),
        "1,000 ints": [rng.randrange(-2 ** rng.randrange(1, 40), 2 ** rng.randrange(1, 40))
                       for _ in range(1000)],
        "100 records": [{"id": i, "name": f"name {i}", "price": i * 1.25, "active": i % 2 == 0,
                         "category": "tools"} for i in range(100)],
        "64 KiB string": "fressian " * 7281 + "1234567",
        "10,000 events": [_event(i, rng) for i in range(10_000)],
    }


def with_keywords(value: Any) -> Any:
    """The message with its keys as keywords."""
    from tape.codecs.fressian import kw
    if isinstance(value, dict):
        return {kw(k): with_keywords(v) for k, v in value.items()}
    if isinstance(value, list):
        return [with_keywords(v) for v in value]
    return value
