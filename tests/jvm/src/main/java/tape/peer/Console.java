package tape.peer;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Map;
import java.util.TreeMap;

import net.openhft.chronicle.queue.ChronicleQueue;

/**
 * The line protocol: one command a line, one reply each (see {@link Reply}).
 *
 * <p>Everything runs on one thread, because Chronicle binds appenders and tailers to the
 * first thread that uses them. A command that blocks, say an append while another process
 * holds the write lock, blocks the peer: the driver sends such a command without waiting.
 */
final class Console {
    private final PrintStream replies;
    private final Map<String, Command> commands = new TreeMap<>();
    private final Session session = new Session();

    Console(PrintStream replies) {
        this.replies = replies;
        commands.put("pid", words -> Reply.ok(ProcessHandle.current().pid()));
        commands.put("jar", words -> Reply.ok(ChronicleQueue.class.getProtectionDomain()
                .getCodeSource().getLocation()));
        commands.put("help", words -> Reply.lines(new ArrayList<>(commands.keySet())));
        new QueueCommands(session).register(commands);
        new AppendCommands(session).register(commands);
        new ReadCommands(session).register(commands);
        new MoveCommands(session).register(commands);
        new LockCommands(session).register(commands);
        new ValueCommands(session).register(commands);
        new ToolCommands(session).register(commands);
    }

    void serve(InputStream in) throws IOException {
        BufferedReader lines =
            new BufferedReader(new InputStreamReader(in, StandardCharsets.UTF_8));
        replies.println("ready");
        replies.flush();
        for (String line; (line = lines.readLine()) != null; ) {
            if (line.equals("quit"))
                break;
            replies.print(answer(line));
            replies.flush();
        }
        session.close();
    }

    private Reply answer(String line) {
        try {
            Words words = new Words(line);
            String name = words.word();
            Command command = commands.get(name);
            if (command == null)
                throw new UnsupportedOperationException("no such command: " + name);
            Reply reply = command.run(words);
            if (words.more())
                throw new IllegalArgumentException("too many words, from: " + words.rest());
            return reply;
        } catch (Throwable e) {
            // Errors too: Chronicle throws AssertionError, and StackOverflowError was seen.
            return Reply.error(e);
        }
    }
}
