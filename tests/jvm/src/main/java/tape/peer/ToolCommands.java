package tape.peer;

import java.io.ByteArrayOutputStream;
import java.io.File;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;

import net.openhft.chronicle.core.io.BackgroundResourceReleaser;
import net.openhft.chronicle.queue.main.DumpMain;

/** Chronicle's own tools, and what makes the JVM let go of files. */
final class ToolCommands {
    private final Session session;

    ToolCommands(Session session) {
        this.session = session;
    }

    void register(Map<String, Command> commands) {
        commands.put("dump", this::dump);
        commands.put("dumpqueue", words ->
                lines(session.queue(words.word()).queue().dump()));
        commands.put("gc", words -> {
            System.gc();
            BackgroundResourceReleaser.releasePendingResources();
            return Reply.ok();
        });
    }

    /** {@code dump PATH}: a file, or all files of a directory, as DumpMain prints it. */
    private Reply dump(Words words) {
        ByteArrayOutputStream text = new ByteArrayOutputStream();
        try (PrintStream out = new PrintStream(text, false, StandardCharsets.UTF_8)) {
            DumpMain.dump(new File(words.text()), out, Long.MAX_VALUE);
        }
        return lines(text.toString(StandardCharsets.UTF_8));
    }

    private static Reply lines(String text) {
        // Not String.lines(): the driver splits at newlines alone.
        return Reply.lines(List.of(text.replace("\r", "").split("\n")));
    }
}
