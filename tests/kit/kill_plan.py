"""Which victims a kill loop has, in which round: all that are asked for, and more rounds for those
that got away."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Callable, Iterator

from tests.kit.kill_points import (
    IN_A_ROLL,
    IN_LOCK,
    OF_A_PAGE,
    OF_A_ROLL,
    OF_A_TAILER,
    OF_MENDING,
    OF_OPENING,
    OF_SMALL_BLOCKS,
    OF_THE_LATE,
    points_of_rounds,
)
from tests.kit.kill_tally import Blow

#: Kinds of rounds: small index pages; JVMs as victims; small blocks; as most queues are.
PAGES, JVMS, SMALL, USUAL = "pages", "JVMs", "small blocks", "usual"
FIRST_PASS = (PAGES, PAGES, JVMS, *(SMALL, USUAL) * 6)
FURTHER = 8  # rounds at most
AT_EACH, ANYWHERE, ROBBED = 20, 2000, 1000


def whole_quota() -> Counter[Blow]:
    """At least AT_EACH kills at each point, ANYWHERE elsewhere, and ROBBED robberies."""
    quota = Counter({Blow("c", point=point): AT_EACH for point in points_of_rounds()})
    quota |= Counter({Blow("c"): 1520, Blow("python"): 335, Blow("pure"): 40, Blow("jvm"): 30,
                      Blow("c tailer"): 45, Blow("python tailer"): 35})
    quota |= Counter({Blow("c", True, point): 42 for point in IN_LOCK})
    quota |= Counter({Blow("c", True, point): 10 for point in IN_A_ROLL})
    quota |= Counter({Blow("c", True, point): 6 for point in OF_A_PAGE})
    return quota | Counter({Blow("c", True): 490, Blow("python", True): 105,
                            Blow("pure", True): 20})


def scaled_quota(scale: float) -> Counter[Blow]:
    """The same in a smaller form."""
    return Counter({blow: math.ceil(n * scale) for blow, n in whole_quota().items()})


def kinds_for(blow: Blow) -> tuple[str, ...]:
    """In which rounds one comes there."""
    if blow.point in OF_A_PAGE:
        return (PAGES,)
    if blow.who == "jvm":
        return (JVMS,)
    return (SMALL,) if blow.point in OF_SMALL_BLOCKS else (SMALL, USUAL)


def hits(point: str | None, rng: random.Random) -> int:
    """How often a victim comes there before it dies: what comes once in a life, once."""
    once = point in (*OF_A_TAILER, *OF_A_ROLL, *OF_OPENING, *OF_MENDING, *OF_THE_LATE)
    return 1 if once else rng.randint(1, 3 if point in OF_A_PAGE else 6)


class Plan:
    """A first pass of rounds among which the quota is divided, and then further ones for what is
    short of it, of the first kind that serves, until nothing is or there were too many."""

    def __init__(self, quota: Counter[Blow], done: Counter[Blow], *,
                 first: tuple[str, ...] = FIRST_PASS, further: int = FURTHER) -> None:
        """``done`` is counted by who strikes."""
        self.quota, self.done, self.first, self.further = quota, done, first, further

    def short(self) -> Counter[Blow]:
        """What is still to be done."""
        return self.quota - self.done

    def rounds(self) -> Iterator[tuple[str, Counter[Blow]]]:
        """The kind of each round, and its blows."""
        for number, kind in enumerate(self.first):
            yield kind, self._share(kind, lambda b, n=number: sum(
                k in kinds_for(b) for k in self.first[n:]))
        for _ in range(self.further):
            short = self.short()
            if not short:
                return
            kind = kinds_for(min(short, key=lambda b: len(kinds_for(b))))[0]
            yield kind, self._share(kind, lambda b: 1)

    def _share(self, kind: str, among: Callable[[Blow], int]) -> Counter[Blow]:
        return Counter({blow: math.ceil(n / among(blow)) for blow, n in self.short().items()
                        if kind in kinds_for(blow)})
