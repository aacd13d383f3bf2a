"""What befell all victims of a kill loop, and what came of it."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable

from tests.kit.left_behind import Left


Stall = tuple[float, float, str]


@dataclasses.dataclass(frozen=True)
class Blow:
    """One victim, and what befalls it: at a step that has a name, or anywhere."""

    who: str                 # c, python, pure (Python without lanes), jvm, c tailer, python tailer
    rob: bool = False
    point: str | None = None
    hit: int = dataclasses.field(default=1, compare=False)
    #: A JVM comes before anybody else of those that live.
    java_first: bool = dataclasses.field(default=False, compare=False)


@dataclasses.dataclass
class Tally:
    """Of all rounds."""

    done: Counter[Blow] = dataclasses.field(default_factory=Counter)
    left: Counter[str] = dataclasses.field(default_factory=Counter)
    escaped: int = 0          # victims that were done, or never came to the point
    messages: int = 0
    cycles: int = 0
    in_flight: int = 0        # published by the dead, and not acknowledged
    broken: int = 0           # locks that tape's survivors took over
    opened_by_java: int = 0
    #: Appends of tape's survivors soon after a death or robbery, in ms: all of it, and without the
    #: time in which the machine ran others; those that waited for a dead one of ours, with where it
    #: died; and these until they had the lock.
    stalls: list[Stall] = dataclasses.field(default_factory=list)
    for_the_dead: list[Stall] = dataclasses.field(default_factory=list)
    waits: list[Stall] = dataclasses.field(default_factory=list)
    jvm_stalls: list[float] = dataclasses.field(default_factory=list)

    def note(self, blow: Blow, left: Left) -> None:
        """A victim was killed or robbed that left this."""
        self.done[blow] += 1
        if not blow.rob:
            for name, on in vars(left).items():
                self.left[name] += on

    def at_points(self, rob: bool = False) -> Counter[str]:
        """Kills, or robberies, by step."""
        return Counter({b.point: n for b, n in self.done.items() if b.point and b.rob == rob})

    def anywhere(self, rob: bool = False) -> Counter[str]:
        """The others, by who."""
        return Counter({b.who: n for b, n in self.done.items() if not b.point and b.rob == rob})

    @property
    def robbed(self) -> int:
        """All that were."""
        return self.at_points(rob=True).total() + self.anywhere(rob=True).total()

    def report(self, say: Callable[[str], None], seconds: float) -> None:
        """All of it."""
        kills, robbed, left = self.at_points(), self.at_points(rob=True), self.left
        say(f"{kills.total()} kills at {len(kills)} sync points, at least "
            f"{min(kills.values(), default=0)} at each; {_by_who(self.anywhere())}")
        say(f"{robbed.total()} stopped at {len(robbed)} sync points with the lock held, "
            f"{_by_who(self.anywhere(rob=True))}, robbed, and let go on; {self.escaped} victims "
            "got away")
        say(f"kills that left the lock held {left['lock']}, a header reserved {left['reserved']}, "
            f"the index pending {left['index']}, a roll half done {left['rolling']}")
        say(f"{self.messages} messages in {self.cycles} cycles read by all alike, none that was "
            f"acknowledged lost, twice or torn; {self.in_flight} published by the dead without "
            f"acknowledgement; {self.broken} locks taken over by tape's survivors; a JVM opened "
            f"and continued {self.opened_by_java} results; {seconds:.0f} s in all")
        self._report_stalls(say)
        say("kills+robberies at " + ", ".join(f"{point} {n}+{robbed[point]}"
                                              for point, n in sorted(kills.items())))

    def _report_stalls(self, say: Callable[[str], None]) -> None:
        say(f"longest wait of tape's survivors for the lock of a dead one of ours, from its death: "
            f"{_longest(self.waits)}; of {len(self.waits)} whose appends took more than 5 ms; the "
            f"longest of these appends from the death to its end: {_longest(self.for_the_dead)}")
        say(f"longest append soon after a death or robbery, whomever it waited for: "
            f"{_longest(self.stalls)}; of the JVM after a death of ours: "
            f"{max(self.jvm_stalls, default=0):.1f} ms")


def _by_who(counts: Counter[str]) -> str:
    return (f"{counts.total()} anywhere "
            f"({', '.join(f'{n} {who}' for who, n in sorted(counts.items()))})")


def _longest(stalls: list[Stall]) -> str:
    own, at = max(((own, at) for _, own, at in stalls), default=(0, ""))
    wall = max((wall for wall, _, _ in stalls), default=0)
    return (f"{own:.1f} ms{at and f' ({at})'}, {wall:.1f} ms with the time in which the machine "
            "ran others")
