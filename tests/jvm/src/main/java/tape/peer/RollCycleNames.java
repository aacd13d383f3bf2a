package tape.peer;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

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
        Map<String, RollCycle> all = new LinkedHashMap<>();
        // Until 5.25 RollCycles repeats the constants of the others, as deprecated ones.
        for (RollCycle[] group : new RollCycle[][] {LegacyRollCycles.values(),
                LargeRollCycles.values(), SparseRollCycles.values(), TestRollCycles.values()})
            for (RollCycle cycle : group)
                all.put(name(cycle), cycle);
        List<RollCycle> ordered = new ArrayList<>();
        for (RollCycle cycle : RollCycles.values())
            if (!all.containsKey(name(cycle)))
                ordered.add(cycle);
        ordered.addAll(all.values());
        return ordered;
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
