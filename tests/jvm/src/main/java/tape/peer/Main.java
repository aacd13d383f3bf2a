package tape.peer;

import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/**
 * Chronicle Queue as a judge: the other side of tape's tests.
 *
 * <pre>
 *   Main                    the line protocol on stdin and stdout, see {@link Console}
 *   Main write DIR ...      a live writer, see {@link LiveWriter}
 *   Main tail DIR ...       a live tailer, see {@link LiveTailer}
 * </pre>
 */
public final class Main {
    private Main() {
    }

    public static void main(String[] args) throws Exception {
        PrintStream replies = new PrintStream(
                new FileOutputStream(FileDescriptor.out), false, StandardCharsets.UTF_8);
        // Whatever Chronicle prints by itself must not get between the replies.
        System.setOut(System.err);
        System.exit(run(args, replies));
    }

    private static int run(String[] args, PrintStream replies) {
        String mode = args.length == 0 ? "console" : args[0];
        try {
            Options options = new Options(args.length == 0 ? new String[0]
                    : Arrays.copyOfRange(args, 1, args.length));
            switch (mode) {
                case "console":
                    new Console(replies).serve(System.in);
                    return 0;
                case "write":
                    new LiveWriter(options, replies).run();
                    return 0;
                case "tail":
                    return new LiveTailer(options, replies).run() ? 0 : 1;
                default:
                    throw new IllegalArgumentException("no such mode: " + mode);
            }
        } catch (Throwable e) {
            replies.println("failed " + Reply.describe(e));
            replies.flush();
            e.printStackTrace();
            return 2;
        }
    }
}
