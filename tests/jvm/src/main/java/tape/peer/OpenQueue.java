package tape.peer;

import java.io.File;
import java.time.LocalTime;
import java.time.ZoneId;

import net.openhft.chronicle.core.time.SystemTimeProvider;
import net.openhft.chronicle.queue.ChronicleQueue;
import net.openhft.chronicle.queue.RollCycle;
import net.openhft.chronicle.queue.impl.RollingResourcesCache;
import net.openhft.chronicle.queue.impl.single.SingleChronicleQueue;
import net.openhft.chronicle.queue.impl.single.SingleChronicleQueueBuilder;
import net.openhft.chronicle.wire.WireType;

/** A queue that was opened with settings given as {@code key=value}, and its clock. */
final class OpenQueue {
    private final SingleChronicleQueue queue;
    private final SettableClock clock;

    private OpenQueue(SingleChronicleQueue queue, SettableClock clock) {
        this.queue = queue;
        this.clock = clock;
    }

    static OpenQueue open(String directory, Iterable<String> settings) {
        SingleChronicleQueueBuilder builder = ChronicleQueue.singleBuilder(directory);
        SettableClock clock = null;
        for (String setting : settings) {
            int equals = setting.indexOf('=');
            if (equals < 0)
                throw new IllegalArgumentException("not key=value: " + setting);
            String key = setting.substring(0, equals);
            String value = setting.substring(equals + 1);
            if (key.equals("clock")) {
                clock = new SettableClock(
                        value.equals("set") ? System.currentTimeMillis() : Long.parseLong(value));
                builder.timeProvider(clock);
            } else {
                apply(builder, key, value);
            }
        }
        return new OpenQueue(builder.build(), clock);
    }

    private static void apply(SingleChronicleQueueBuilder builder, String key, String value) {
        switch (key) {
            case "rollCycle" -> builder.rollCycle(RollCycleNames.named(value));
            case "epoch" -> builder.epoch(Long.parseLong(value));
            case "rollTime" -> builder.rollTime(LocalTime.parse(value), ZoneId.of("UTC"));
            case "blockSize" -> builder.blockSize(Long.parseLong(value));
            case "readOnly" -> builder.readOnly(Boolean.parseBoolean(value));
            case "sourceId" -> builder.sourceId(Integer.parseInt(value));
            case "timeoutMS" -> builder.timeoutMS(Long.parseLong(value));
            case "indexCount" -> builder.indexCount(Integer.parseInt(value));
            case "indexSpacing" -> builder.indexSpacing(Integer.parseInt(value));
            case "doubleBuffer" -> builder.doubleBuffer(Boolean.parseBoolean(value));
            case "wireType" -> builder.wireType(WireType.valueOf(value));
            case "listingRefreshMS" ->
                    builder.forceDirectoryListingRefreshIntervalMs(Long.parseLong(value));
            default -> throw new IllegalArgumentException("no such setting: " + key);
        }
    }

    SingleChronicleQueue queue() {
        return queue;
    }

    RollCycle rollCycle() {
        return queue.rollCycle();
    }

    SettableClock clock() {
        if (clock == null)
            throw new IllegalStateException("the queue was not opened with clock=");
        return clock;
    }

    /** The file name that Chronicle gives to a cycle, whether the file exists or not. */
    String fileName(int cycle) {
        RollingResourcesCache names = new RollingResourcesCache(queue.rollCycle(), queue.epoch(),
                name -> new File(queue.file(), name + SingleChronicleQueue.SUFFIX),
                file -> file.getName().substring(
                        0, file.getName().length() - SingleChronicleQueue.SUFFIX.length()));
        return names.resourceFor(cycle).path.getName();
    }

    /** The cycle in which a message would be written now. */
    int currentCycle() {
        return queue.rollCycle().current(
                clock == null ? SystemTimeProvider.INSTANCE : clock, queue.epoch());
    }

    void close() {
        queue.close();
    }
}
