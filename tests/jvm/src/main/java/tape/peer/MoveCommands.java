package tape.peer;

import java.lang.reflect.Method;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

import net.openhft.chronicle.queue.ExcerptTailer;
import net.openhft.chronicle.queue.TailerDirection;

/** Tailers: where they stand and where they go. */
final class MoveCommands {
    private final Session session;

    MoveCommands(Session session) {
        this.session = session;
    }

    void register(Map<String, Command> commands) {
        commands.put("index", words -> Reply.ok(tailer(words).index()));
        commands.put("lastread", words -> Reply.ok(tailer(words).lastReadIndex()));
        commands.put("cycle", words -> Reply.ok(tailer(words).cycle()));
        commands.put("state", words -> Reply.ok(tailer(words).state()));
        commands.put("direction", words -> {
            ExcerptTailer tailer = tailer(words);
            if (words.more())
                tailer.direction(TailerDirection.valueOf(words.word()));
            return Reply.ok(tailer.direction());
        });
        commands.put("striding", words -> {
            ExcerptTailer tailer = tailer(words);
            return Reply.ok(tailer.striding(words.flag()).striding());
        });
        commands.put("acknowledged", words -> {
            ExcerptTailer tailer = tailer(words);
            tailer.readAfterReplicaAcknowledged(words.flag());
            return Reply.ok(tailer.readAfterReplicaAcknowledged());
        });
        commands.put("tostart", words -> {
            tailer(words).toStart();
            return Reply.ok();
        });
        commands.put("toend", words -> {
            tailer(words).toEnd();
            return Reply.ok();
        });
        commands.put("movetoindex", words ->
                Reply.ok(tailer(words).moveToIndex(words.number())));
        commands.put("movetocycle", words ->
                Reply.ok(tailer(words).moveToCycle(words.integer())));
        commands.put("movemany", this::moveMany);
        commands.put("excerptsincycle", words ->
                Reply.ok(excerptsInCycle(tailer(words), words.integer())));
    }

    /** {@code excerptsInCycle}; 5.24 has it under another name. */
    private static Object excerptsInCycle(ExcerptTailer tailer, int cycle)
            throws ReflectiveOperationException {
        Method method;
        try {
            method = ExcerptTailer.class.getMethod("excerptsInCycle", int.class);
        } catch (NoSuchMethodException e) {
            method = ExcerptTailer.class.getMethod("exactExcerptsInCycle", int.class);
        }
        return method.invoke(tailer, cycle);
    }

    private ExcerptTailer tailer(Words words) {
        return session.tailer(words.word()).excerpts();
    }

    /**
     * {@code movemany T INDEX ...}: for each one line, {@code false}, or
     * {@code true INDEX CRC32} of the message that was then read, or {@code true absent}.
     */
    private Reply moveMany(Words words) {
        ExcerptTailer tailer = tailer(words);
        List<String> lines = new ArrayList<>();
        while (words.more()) {
            if (!tailer.moveToIndex(words.number())) {
                lines.add("false");
                continue;
            }
            Message message = Message.next(tailer, false);
            lines.add(message == null ? "true absent"
                    : "true " + message.index() + " " + ReadCommands.crc32(message.bytes()));
        }
        return Reply.lines(lines);
    }
}
