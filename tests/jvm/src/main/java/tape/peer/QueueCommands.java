package tape.peer;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

import net.openhft.chronicle.core.values.LongValue;
import net.openhft.chronicle.queue.RollCycle;
import net.openhft.chronicle.queue.impl.TableStore;
import net.openhft.chronicle.queue.impl.single.SingleChronicleQueue;

/** Queues: opening, settings, counts, cycles, and the words of the table store. */
final class QueueCommands {
    private final Session session;

    QueueCommands(Session session) {
        this.session = session;
    }

    void register(Map<String, Command> commands) {
        commands.put("open", this::open);
        commands.put("close", words -> {
            session.closeQueue(words.word());
            return Reply.ok();
        });
        commands.put("clock", words -> {
            session.queue(words.word()).clock().set(words.number());
            return Reply.ok();
        });
        commands.put("info", words -> Reply.lines(info(session.queue(words.word()))));
        commands.put("firstindex", words -> Reply.ok(queue(words).firstIndex()));
        commands.put("lastindex", words -> Reply.ok(queue(words).lastIndex()));
        commands.put("entrycount", words -> Reply.ok(queue(words).entryCount()));
        commands.put("countexcerpts", words ->
                Reply.ok(queue(words).countExcerpts(words.number(), words.number())));
        commands.put("firstcycle", words -> Reply.ok(queue(words).firstCycle()));
        commands.put("lastcycle", words -> Reply.ok(queue(words).lastCycle()));
        commands.put("currentcycle", words -> Reply.ok(session.queue(words.word()).currentCycle()));
        commands.put("cyclefile", words ->
                Reply.ok(session.queue(words.word()).fileName(words.integer())));
        commands.put("refresh", words -> {
            queue(words).refreshDirectoryListing();
            return Reply.ok();
        });
        commands.put("rollcycles", words -> Reply.lines(rollCycles()));
        commands.put("tableget", this::tableGet);
        commands.put("tableput", this::tablePut);
        commands.put("tablekeys", this::tableKeys);
    }

    private SingleChronicleQueue queue(Words words) {
        return session.queue(words.word()).queue();
    }

    private Reply open(Words words) {
        String name = words.word();
        String directory = words.text();
        List<String> settings = new ArrayList<>();
        while (words.more())
            settings.add(words.word());
        session.add(name, OpenQueue.open(directory, settings));
        return Reply.ok();
    }

    private static List<String> info(OpenQueue open) {
        SingleChronicleQueue queue = open.queue();
        List<String> lines = new ArrayList<>();
        lines.add("rollCycle=" + RollCycleNames.name(queue.rollCycle()));
        lines.add("epoch=" + queue.epoch());
        lines.add("indexCount=" + queue.indexCount());
        lines.add("indexSpacing=" + queue.indexSpacing());
        lines.add("sourceId=" + queue.sourceId());
        lines.add("blockSize=" + queue.blockSize());
        lines.add("overlapSize=" + queue.overlapSize());
        lines.add("deltaCheckpointInterval=" + queue.deltaCheckpointInterval());
        lines.add("lastIndexReplicated=" + queue.lastIndexReplicated());
        lines.add("lastAcknowledgedIndexReplicated=" + queue.lastAcknowledgedIndexReplicated());
        lines.add("lastIndexMSynced=" + queue.lastIndexMSynced());
        lines.add("buffered=" + queue.buffered());
        lines.add("closed=" + queue.isClosed());
        return lines;
    }

    private static List<String> rollCycles() {
        List<String> lines = new ArrayList<>();
        for (RollCycle cycle : RollCycleNames.all())
            lines.add(RollCycleNames.name(cycle) + " " + cycle.format() + " "
                    + cycle.lengthInMillis() + " " + cycle.defaultIndexCount() + " "
                    + cycle.defaultIndexSpacing() + " " + cycle.maxMessagesPerCycle());
        return lines;
    }

    private Reply tableGet(Words words) {
        SingleChronicleQueue queue = queue(words);
        return Reply.ok(queue.tableStoreGet(words.word()));
    }

    /** Sets a word of the table store, also one that Chronicle would only ever raise. */
    private Reply tablePut(Words words) {
        SingleChronicleQueue queue = queue(words);
        try (LongValue value = queue.metaStore().acquireValueFor(words.word())) {
            value.setOrderedValue(words.number());
        }
        return Reply.ok();
    }

    private Reply tableKeys(Words words) {
        TableStore<?> store = queue(words).metaStore();
        Map<String, Long> found = new TreeMap<>();
        store.forEachKey(found, (map, key, value) -> map.put(key.toString(), value.int64()));
        List<String> lines = new ArrayList<>();
        found.forEach((key, value) -> lines.add(value + " " + Words.hex(key)));
        return Reply.lines(lines);
    }
}
