package tape.peer;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.zip.CRC32;

import net.openhft.chronicle.bytes.MethodReader;
import net.openhft.chronicle.queue.ExcerptTailer;
import net.openhft.chronicle.wire.MessageHistory;

/** Tailers: making and reading. Each message is told as {@code INDEX KIND HEX}. */
final class ReadCommands {
    private final Session session;

    ReadCommands(Session session) {
        this.session = session;
    }

    void register(Map<String, Command> commands) {
        commands.put("tailer", this::tailer);
        commands.put("closetailer", words -> {
            session.closeTailer(words.word());
            return Reply.ok();
        });
        commands.put("read", words -> read(words, false));
        commands.put("readmeta", words -> read(words, true));
        commands.put("readmany", words -> readMany(excerpts(words), words.number()));
        commands.put("readall", words -> readMany(excerpts(words), Long.MAX_VALUE));
        commands.put("digest", this::digest);
        commands.put("readcall", this::readCall);
    }

    private ExcerptTailer excerpts(Words words) {
        return session.tailer(words.word()).excerpts();
    }

    /** {@code tailer T QUEUE [ID]}; the id is hex, since it may hold any character. */
    private Reply tailer(Words words) {
        String name = words.word();
        OpenQueue queue = session.queue(words.word());
        ExcerptTailer excerpts = words.more()
                ? queue.queue().createTailer(words.text())
                : queue.queue().createTailer();
        session.add(name, new Session.OpenTailer(queue, excerpts));
        return Reply.ok();
    }

    private Reply read(Words words, boolean withMetadata) {
        Message message = Message.next(excerpts(words), withMetadata);
        return Reply.ok(message == null ? "absent" : message);
    }

    private static Reply readMany(ExcerptTailer tailer, long limit) {
        List<String> lines = new ArrayList<>();
        while (lines.size() < limit) {
            Message message = Message.next(tailer, false);
            if (message == null)
                break;
            lines.add(message.toString());
        }
        return Reply.lines(lines);
    }

    /** {@code digest T [N]}: as readmany, but {@code INDEX KIND LENGTH CRC32} for each. */
    private Reply digest(Words words) {
        ExcerptTailer tailer = excerpts(words);
        long limit = words.more() ? words.number() : Long.MAX_VALUE;
        List<String> lines = new ArrayList<>();
        while (lines.size() < limit) {
            Message message = Message.next(tailer, false);
            if (message == null)
                break;
            lines.add(message.index() + " " + message.kind() + " " + message.bytes().length
                    + " " + crc32(message.bytes()));
        }
        return Reply.lines(lines);
    }

    static long crc32(byte[] bytes) {
        CRC32 crc = new CRC32();
        crc.update(bytes);
        return crc.getValue();
    }

    /**
     * {@code readcall T}: reads one message as a call of {@link Calls}; answers the call, then
     * the sources and source indexes of its history.
     */
    private Reply readCall(Words words) {
        CallText text = new CallText();
        // Not closed: closing a method reader closes the tailer that it reads from.
        MethodReader reader = excerpts(words).methodReader(text);
        return Reply.ok(reader.readOne() ? text : "absent");
    }

    /** A received call as text. */
    private static final class CallText implements Calls {
        private String text;

        @Override
        public void say(String said) {
            set("say " + Words.hex(said));
        }

        @Override
        public void move(long id, double distance, String said) {
            set("move " + id + " " + distance + " " + Words.hex(said));
        }

        @Override
        public void ping() {
            set("ping");
        }

        private void set(String call) {
            // Here and not after the call: the reader clears the history when it is done.
            MessageHistory history = MessageHistory.get();
            StringBuilder line = new StringBuilder(call).append(" history");
            for (int i = 0; i < history.sources(); i++)
                line.append(' ').append(history.sourceId(i))
                        .append(':').append(history.sourceIndex(i));
            text = line.toString();
        }

        @Override
        public String toString() {
            return text;
        }
    }
}
