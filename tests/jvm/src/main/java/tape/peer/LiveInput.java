package tape.peer;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;

/** The lines that the driver sends to a live mode, read by a thread of their own. */
final class LiveInput {
    private final BlockingQueue<String> lines = new LinkedBlockingQueue<>();

    LiveInput() {
        Thread reader = new Thread(this::readAll, "stdin");
        reader.setDaemon(true);
        reader.start();
    }

    /** Waits for exactly this line. */
    void await(String line) throws InterruptedException {
        String got = lines.take();
        if (!got.equals(line))
            throw new IllegalStateException("expected " + line + ", got " + got);
    }

    /** A line that came in the meantime, or null. */
    String poll() {
        return lines.poll();
    }

    private void readAll() {
        BufferedReader in = new BufferedReader(
                new InputStreamReader(System.in, StandardCharsets.UTF_8));
        try {
            for (String line; (line = in.readLine()) != null; )
                lines.add(line);
        } catch (IOException e) {
            e.printStackTrace();
        }
        // The driver is gone: nothing that this process still does is of use to anybody.
        lines.add("stop");
    }
}
