import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.locks.LockSupport;

import net.openhft.chronicle.bytes.Bytes;
import net.openhft.chronicle.queue.ChronicleQueue;
import net.openhft.chronicle.queue.ExcerptAppender;
import net.openhft.chronicle.wire.DocumentContext;

/**
 * Chronicle Queue's side of bench/waiting.py: {@code Stamps QUEUE...} opens them all and keeps them
 * open. A line "touch" writes a message to each, a line "stamps COUNT MICROSECONDS" the time into
 * as many messages of the first one, so far apart. Each is answered by "done".
 */
public final class Stamps {
    private Stamps() {
    }

    private static void write(ExcerptAppender appender, Bytes<?> bytes) {
        bytes.clear();
        // CLOCK_MONOTONIC, which Python's time.monotonic_ns() is, too; in its byte order
        long now = System.nanoTime();
        bytes.writeLong(ByteOrder.nativeOrder() == ByteOrder.LITTLE_ENDIAN ? now
                : Long.reverseBytes(now));
        try (DocumentContext dc = appender.writingDocument()) {
            dc.wire().write().bytes(bytes);
        }
    }

    public static void main(String[] paths) throws Exception {
        List<ChronicleQueue> queues = new ArrayList<>();
        List<ExcerptAppender> appenders = new ArrayList<>();
        for (String path : paths) {
            queues.add(ChronicleQueue.singleBuilder(path).build());
            appenders.add(queues.get(queues.size() - 1).createAppender());
        }
        Bytes<?> bytes = Bytes.allocateElasticDirect(64);
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
        System.out.println("ready");
        for (String line; (line = in.readLine()) != null;) {
            String[] words = line.split(" ");
            if (words[0].equals("touch")) {
                for (ExcerptAppender appender : appenders)
                    write(appender, bytes);
            } else {
                for (int i = Integer.parseInt(words[1]); i > 0; i--) {
                    LockSupport.parkNanos(Long.parseLong(words[2]) * 1000);
                    write(appenders.get(0), bytes);
                }
            }
            System.out.println("done");
        }
        queues.forEach(ChronicleQueue::close);
    }
}
