package tape.peer;

import java.io.PrintStream;
import java.util.concurrent.locks.LockSupport;

import net.openhft.chronicle.bytes.BytesStore;
import net.openhft.chronicle.queue.ChronicleQueue;
import net.openhft.chronicle.queue.ExcerptAppender;
import net.openhft.chronicle.queue.impl.single.SingleChronicleQueueBuilder;
import net.openhft.chronicle.wire.DocumentContext;

/**
 * A writer for live and kill runs.
 *
 * <pre>
 *   write DIR --id N (--count C | --seconds S) [--from N] [--roll CYCLE] [--rate PER_SECOND]
 *             [--size MIN..MAX] [--block-size B] [--timeout-ms T] [--ack] [--wait]
 *             [--slow-ms S]
 * </pre>
 *
 * It prints {@code ready} when its queue is open; with {@code --wait} it then waits for the
 * line {@code go}. Every message is one {@link LiveMessage}. With {@code --ack} it prints
 * {@code ack N INDEX} after each append returned: what a killed writer has printed must be
 * in the queue. With {@code --slow-ms} it prints {@code slow BEGIN END} (System.nanoTime) after an
 * append that took longer. At the end, or at the line {@code stop}, it prints
 * {@code done COUNT FIRST LAST cycles=K slowest_us=T}.
 */
final class LiveWriter {
    private final Options options;
    private final PrintStream out;
    private final LiveMessage message = new LiveMessage();

    LiveWriter(Options options, PrintStream out) {
        this.options = options;
        this.out = out;
    }

    void run() throws InterruptedException {
        int id = Integer.parseInt(options.required("id"));
        int from = (int) options.number("from", 0);
        long count = options.number("count", Long.MAX_VALUE);
        double seconds = options.real("seconds", 0);
        double rate = options.real("rate", 0);
        boolean ack = options.has("ack");
        double slow = options.real("slow-ms", Double.POSITIVE_INFINITY) * 1e6;
        if (!options.has("count") && seconds <= 0)
            throw new IllegalArgumentException("neither --count nor --seconds");
        String[] size = options.text("size", "20..200").split("\\.\\.");
        int min = Integer.parseInt(size[0]);
        int max = Integer.parseInt(size[size.length - 1]);

        LiveInput input = new LiveInput();
        try (ChronicleQueue queue = open(); ExcerptAppender appender = queue.createAppender()) {
            say("ready");
            if (options.has("wait"))
                input.await("go");

            long begin = System.nanoTime();
            long end = seconds > 0 ? begin + (long) (seconds * 1e9) : Long.MAX_VALUE;
            long first = -1, last = -1, cycles = 0, slowest = 0;
            int cycle = Integer.MIN_VALUE;
            int written = 0;
            long now = begin;
            while (written < count && now < end && input.poll() == null) {
                int n = from + written;
                message.encode(id, n, LiveMessage.paddingLength(n, min, max));
                long before = System.nanoTime();
                last = append(appender);
                now = System.nanoTime();
                slowest = Math.max(slowest, now - before);
                if (now - before > slow)
                    say("slow " + before + " " + now);
                if (ack)
                    say("ack " + n + " " + last);
                if (written++ == 0)
                    first = last;
                int at = queue.rollCycle().toCycle(last);
                if (at != cycle) {
                    cycle = at;
                    cycles++;
                }
                if (rate > 0)
                    pauseUntil(begin + (long) (written / rate * 1e9));
            }
            say("done " + written + " " + first + " " + last
                    + " cycles=" + cycles + " slowest_us=" + slowest / 1000);
        }
    }

    private ChronicleQueue open() {
        SingleChronicleQueueBuilder builder = ChronicleQueue.singleBuilder(options.directory());
        if (options.has("roll"))
            builder.rollCycle(RollCycleNames.named(options.text("roll", null)));
        if (options.has("block-size"))
            builder.blockSize(options.number("block-size", 0));
        if (options.has("timeout-ms"))
            builder.timeoutMS(options.number("timeout-ms", 0));
        return builder.build();
    }

    private long append(ExcerptAppender appender) {
        try (DocumentContext context = appender.writingDocument()) {
            try {
                long index = context.index();
                context.wire().write().bytes(BytesStore.wrap(
                        java.util.Arrays.copyOf(message.buffer(), message.length())));
                return index;
            } catch (Throwable e) {
                context.rollbackOnClose();
                throw e;
            }
        }
    }

    private void say(String line) {
        out.println(line);
        out.flush();
    }

    private static void pauseUntil(long nanos) {
        for (long left; (left = nanos - System.nanoTime()) > 0; )
            LockSupport.parkNanos(left);
    }
}
