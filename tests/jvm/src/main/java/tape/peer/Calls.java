package tape.peer;

/** What method writers call and method readers receive. Public: Chronicle generates code for it. */
public interface Calls {
    void say(String text);

    void move(long id, double distance, String text);

    void ping();
}
