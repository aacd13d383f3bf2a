package tape.peer;

import java.io.BufferedOutputStream;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.locks.LockSupport;

import net.openhft.chronicle.bytes.Bytes;
import net.openhft.chronicle.queue.ChronicleQueue;
import net.openhft.chronicle.queue.ExcerptTailer;
import net.openhft.chronicle.queue.impl.single.SingleChronicleQueueBuilder;
import net.openhft.chronicle.wire.DocumentContext;

/**
 * A tailer for live runs: from the start, through everything, for as long as it is told.
 *
 * <pre>
 *   tail DIR --out FILE [--until-counts ID:N,...] [--idle-seconds S] [--named ID]
 *            [--roll CYCLE] [--read-only true] [--give-up-seconds S] [--block-size B]
 * </pre>
 *
 * Prints {@code ready}, then {@code done COUNT bad=B cycles=K} when it has seen the counted
 * messages of each id, or nothing for the idle time. Its input lines: {@code until ID:N,...}
 * sets the counts; {@code stop} ends it once the queue has been silent for a second. Counts
 * that are not reached within --give-up-seconds of silence (60) end it with
 * {@code incomplete COUNT bad=B cycles=K} and a failing exit status.
 *
 * FILE gets a record of 16 bytes for each message, little-endian: index (64 bits), id (32),
 * n (32); a message that is not a whole {@link LiveMessage} has id -1 and counts as bad.
 */
final class LiveTailer {
    private static final int RECORD = 16;

    private final Options options;
    private final PrintStream out;
    private final LiveMessage message = new LiveMessage();
    private final Map<Integer, Long> missing = new HashMap<>();
    private final Map<Integer, Long> seen = new HashMap<>();
    private boolean counting;
    private long count;
    private long bad;
    private long cycles;

    LiveTailer(Options options, PrintStream out) {
        this.options = options;
        this.out = out;
    }

    boolean run() throws IOException {
        double idle = options.real("idle-seconds", Double.POSITIVE_INFINITY);
        double giveUp = options.real("give-up-seconds", 60);
        if (options.has("until-counts"))
            expect(options.text("until-counts", null));

        LiveInput input = new LiveInput();
        boolean complete = false;
        try (OutputStream file = new BufferedOutputStream(
                new FileOutputStream(options.required("out")), 1 << 16);
             ChronicleQueue queue = open();
             ExcerptTailer tailer = options.has("named")
                     ? queue.createTailer(options.text("named", null)) : queue.createTailer()) {
            say("ready");
            long lastSeen = System.nanoTime();
            int cycle = Integer.MIN_VALUE;
            ByteBuffer record = ByteBuffer.allocate(RECORD).order(ByteOrder.LITTLE_ENDIAN);
            while (true) {
                if (read(tailer, record)) {
                    file.write(record.array());
                    int at = queue.rollCycle().toCycle(record.getLong(0));
                    if (at != cycle) {
                        cycle = at;
                        cycles++;
                    }
                    lastSeen = 0;
                    continue;
                }
                long now = System.nanoTime();
                if (lastSeen == 0)
                    lastSeen = now;
                String line = input.poll();
                if (line != null && line.startsWith("until "))
                    expect(line.substring("until ".length()));
                else if (line != null && line.equals("stop"))
                    idle = Math.min(idle, 1);
                else if (line != null)
                    throw new IllegalArgumentException("no such line: " + line);
                if (counting && reached()) {
                    complete = true;
                    break;
                }
                double silence = (now - lastSeen) / 1e9;
                if (silence > (counting ? Math.min(idle, giveUp) : idle)) {
                    complete = !counting;
                    break;
                }
                LockSupport.parkNanos(100_000);
            }
        }
        say((complete ? "done " : "incomplete ") + count + " bad=" + bad + " cycles=" + cycles);
        return complete;
    }

    private boolean read(ExcerptTailer tailer, ByteBuffer record) {
        try (DocumentContext context = tailer.readingDocument()) {
            if (!context.isPresent())
                return false;
            boolean good = load(context.wire().bytes()) && message.parse();
            int id = good ? message.id : -1;
            count++;
            if (good)
                seen.merge(id, 1L, Long::sum);
            else
                bad++;
            record.clear();
            record.putLong(context.index()).putInt(id).putInt(good ? message.n : -1);
            return true;
        }
    }

    private boolean load(Bytes<?> body) {
        if (!Message.isTape(body))
            return false;
        // C0, the length with its code, 8A: the payload is the rest.
        int head = switch (body.readUnsignedByte(body.readPosition() + 1)) {
            case 0x80 -> 4;
            case 0x81 -> 5;
            default -> 7;
        };
        int size = (int) body.readRemaining() - head;
        byte[] room = message.room(size);
        body.readSkip(head);
        body.read(room, 0, size);
        return true;
    }

    private void expect(String counts) {
        missing.clear();
        for (String part : counts.split(",")) {
            String[] pair = part.split(":");
            missing.put(Integer.parseInt(pair[0]), Long.parseLong(pair[1]));
        }
        counting = true;
    }

    private boolean reached() {
        for (Map.Entry<Integer, Long> wanted : missing.entrySet())
            if (seen.getOrDefault(wanted.getKey(), 0L) < wanted.getValue())
                return false;
        return true;
    }

    private ChronicleQueue open() {
        SingleChronicleQueueBuilder builder = ChronicleQueue.singleBuilder(options.directory());
        if (options.has("roll"))
            builder.rollCycle(RollCycleNames.named(options.text("roll", null)));
        if (options.has("block-size"))
            builder.blockSize(options.number("block-size", 0));
        builder.readOnly(Boolean.parseBoolean(options.text("read-only", "false")));
        return builder.build();
    }

    private void say(String line) {
        out.println(line);
        out.flush();
    }
}
