package tape.peer;

/** One command of the line protocol. */
@FunctionalInterface
interface Command {
    Reply run(Words words) throws Exception;
}
