import java.io.BufferedReader;
import java.io.InputStreamReader;

import net.openhft.chronicle.bytes.Bytes;
import net.openhft.chronicle.bytes.BytesStore;
import net.openhft.chronicle.queue.ChronicleQueue;
import net.openhft.chronicle.queue.ExcerptAppender;
import net.openhft.chronicle.queue.ExcerptTailer;
import net.openhft.chronicle.wire.DocumentContext;

/**
 * Chronicle Queue itself, for {@code python -m bench}: {@code Bench serve QUEUE} answers lines
 * "SCENARIO COUNT [TIMES]" by the nanoseconds that each took, as bench/floor.c does;
 * {@code Bench write|read QUEUE COUNT RATE} is one side of a latency run, as bench/latency.c is.
 */
public final class Bench {
    private static final long FIRST_NONE = -1;

    private final ChronicleQueue queue;
    private final ChronicleQueue framedQueue;
    private final ExcerptAppender appender;
    private final ExcerptAppender framer;
    private final ExcerptTailer tailer;
    private final ExcerptTailer seeker;
    private final Bytes<?> into = Bytes.allocateElasticDirect(1 << 17);
    private Bytes<?> message = filled(64);
    private BytesStore<?, ?> payload = BytesStore.wrap(new byte[64]);
    private long first = FIRST_NONE;
    private long written;
    private long unread;
    private long random = 88172645463325252L;
    private long sum;

    private Bench(String path) {
        queue = open(path);
        framedQueue = open(path + "-framed");
        appender = queue.createAppender();
        framer = framedQueue.createAppender();
        tailer = queue.createTailer();
        seeker = queue.createTailer();
    }

    private static ChronicleQueue open(String path) {
        return ChronicleQueue.singleBuilder(path).build();
    }

    private static Bytes<?> filled(int size) {
        Bytes<?> bytes = Bytes.allocateElasticDirect(size);
        for (int i = 0; i < size; i++)
            bytes.writeByte((byte) 'm');
        return bytes;
    }

    private long run(String scenario, int count) {
        return switch (scenario) {
            case "size" -> resize(count);
            case "append" -> append(count);
            case "append_framed" -> appendFramed(count);
            case "read" -> read(count);
            case "seek" -> seek(count);
            default -> throw new IllegalArgumentException(scenario);
        };
    }

    private long resize(int size) {
        if (unread > 0)
            read((int) unread);
        message = filled(size);
        payload = BytesStore.wrap(new byte[size]);
        return 0;
    }

    private long append(int count) {
        long begin = System.nanoTime();
        for (int i = 0; i < count; i++)
            appender.writeBytes(message);
        long took = System.nanoTime() - begin;
        written += count;
        unread += count;
        if (first == FIRST_NONE)
            first = appender.lastIndexAppended() - count + 1;
        return took;
    }

    /** As tape frames a message: {@code wire().write().bytes(..)} with an empty name. */
    private long appendFramed(int count) {
        long begin = System.nanoTime();
        for (int i = 0; i < count; i++)
            try (DocumentContext context = framer.writingDocument()) {
                context.wire().write().bytes(payload);
            }
        return System.nanoTime() - begin;
    }

    private long read(int count) {
        if (unread < count)
            append((int) (count - unread));
        unread -= count;
        long begin = System.nanoTime();
        for (int i = 0; i < count; i++)
            try (DocumentContext context = tailer.readingDocument()) {
                if (!context.isPresent())
                    throw new IllegalStateException("nothing to read");
                Bytes<?> bytes = context.wire().bytes();
                while (bytes.readRemaining() >= 8)
                    sum += bytes.readLong();
            }
        return System.nanoTime() - begin;
    }

    private long seek(int count) {
        if (written < 10_000)
            append(10_000);
        long begin = System.nanoTime();
        for (int i = 0; i < count; i++) {
            random ^= random << 13;
            random ^= random >>> 7;
            random ^= random << 17;
            long index = first + Long.remainderUnsigned(random, written);
            if (!seeker.moveToIndex(index))
                throw new IllegalStateException("no index " + index);
            try (DocumentContext context = seeker.readingDocument()) {
                sum += context.wire().bytes().readByte();
            }
        }
        return System.nanoTime() - begin;
    }

    private void serve() throws Exception {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
        for (String line; (line = in.readLine()) != null; ) {
            String[] words = line.split(" ");
            StringBuilder answer = new StringBuilder();
            for (int times = words.length < 3 ? 1 : Integer.parseInt(words[2]); times > 0; times--)
                answer.append(run(words[0], Integer.parseInt(words[1]))).append(' ');
            System.out.println(answer.toString().trim());
        }
    }

    private void writePaced(int count, int rate) {
        Bytes<?> bytes = Bytes.allocateElasticDirect(64);
        long step = 1_000_000_000L / rate;
        long due = System.nanoTime() + step;
        for (int i = 0; i < count; i++, due += step) {
            long now;
            while ((now = System.nanoTime()) < due)
                Thread.onSpinWait();
            bytes.clear();
            bytes.writeLong(now);
            for (int word = 1; word < 8; word++)
                bytes.writeLong(0);
            appender.writeBytes(bytes);
        }
    }

    private long[] readPaced(int count) {
        long[] took = new long[count];
        for (int i = 0; i < count; ) {
            into.clear();
            if (tailer.readBytes(into))
                took[i++] = System.nanoTime() - into.readLong();
        }
        return took;
    }

    /** Compiles what is to be timed: in a queue of its own, so that nobody reads these messages. */
    private static void warm(String path, int count) {
        Bench other = new Bench(path + "-warm");
        for (int round = 0; round < 10; round++) {
            other.writePaced(count / 10, 1_000_000_000);
            other.readPaced(count / 10);
        }
    }

    public static void main(String[] args) throws Exception {
        if (args[0].equals("serve")) {
            new Bench(args[1]).serve();
            return;
        }
        int count = Integer.parseInt(args[2]);
        int rate = Integer.parseInt(args[3]);
        warm(args[1] + "-" + args[0], 100_000);
        Bench bench = new Bench(args[1]);
        if (args[0].equals("write")) {
            System.out.println("ready");
            System.in.read();
            bench.writePaced(count, rate);
            return;
        }
        bench.tailer.toEnd();
        System.out.println("ready");
        StringBuilder line = new StringBuilder();
        for (long took : bench.readPaced(count))
            line.append(took).append(' ');
        System.out.println(line.toString().trim());
    }
}
