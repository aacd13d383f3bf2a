package tape.peer;

import java.util.ArrayList;
import java.util.List;

import net.openhft.chronicle.queue.RollCycle;
import net.openhft.chronicle.queue.RollCycles;
import net.openhft.chronicle.queue.rollcycles.LargeRollCycles;
import net.openhft.chronicle.queue.rollcycles.LegacyRollCycles;
import net.openhft.chronicle.queue.rollcycles.SparseRollCycles;
import net.openhft.chronicle.queue.rollcycles.TestRollCycles;

/** All roll cycles that Chronicle ships, in the order in which it searches them. */
final class RollCycleNames {
    private RollCycleNames() {
    }

    static List<RollCycle> all() {
        List<RollCycle> all = new ArrayList<>();
        all.addAll(List.of(RollCycles.values()));
        all.addAll(List.of(LegacyRollCycles.values()));
        all.addAll(List.of(LargeRollCycles.values()));
        all.addAll(List.of(SparseRollCycles.values()));
        all.addAll(List.of(TestRollCycles.values()));
        // RollCycles keeps a constant DEFAULT in some versions; it is one of the others.
        return all;
    }

    static RollCycle named(String name) {
        for (RollCycle cycle : all())
            if (name(cycle).equals(name))
                return cycle;
        throw new IllegalArgumentException("no such roll cycle: " + name);
    }

    static String name(RollCycle cycle) {
        return cycle instanceof Enum<?> constant ? constant.name() : cycle.getClass().getName();
    }
}
