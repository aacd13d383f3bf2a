package tape.peer;

import java.util.Map;

import clojure.java.api.Clojure;
import clojure.lang.IFn;

/**
 * Clojure values: what {@code data.fressian} makes of EDN, and messages as a Clojure program
 * that uses tape writes and reads them. The Clojure part is {@code values.clj}.
 */
final class ValueCommands {
    private final Session session;
    private boolean loaded;

    ValueCommands(Session session) {
        this.session = session;
    }

    void register(Map<String, Command> commands) {
        commands.put("fressian", words ->
                Reply.ok(Words.hex((byte[]) function("encode").invoke(words.rest()))));
        commands.put("evalfressian", words ->
                Reply.ok(Words.hex((byte[]) function("encode-evaluated").invoke(words.rest()))));
        commands.put("edn", words -> Reply.ok(function("decode").invoke(words.bytes())));
        commands.put("tapewrite", words -> {
            OpenAppender appender = session.appender(words.word());
            return Reply.ok(appender.append((byte[]) function("encode").invoke(words.rest())));
        });
        commands.put("taperead", words -> {
            Message message = Message.next(session.tailer(words.word()).excerpts(), false);
            if (message == null)
                return Reply.ok("absent");
            if (!message.kind().equals("tape"))
                throw new IllegalStateException("not a message of tape: " + message);
            return Reply.ok(message.index(), function("decode").invoke(message.bytes()));
        });
    }

    /** Clojure takes a second to load; only the tests that want it pay for it. */
    private IFn function(String name) {
        if (!loaded) {
            Clojure.var("clojure.core", "require").invoke(Clojure.read("tape.peer.values"));
            loaded = true;
        }
        return Clojure.var("tape.peer.values", name);
    }
}
