/* appender.h - the door to appending; the rest of an appender's verbs are those of tape.h. */
#ifndef TAPE_APPENDER_H
#define TAPE_APPENDER_H

#include "write/writer.h"

/* As tape_appender_open(), by the writer's state that all appenders of a queue share. */
int tape__appender_open(tape__writer_t *w, const tape_appender_options_t *options,
                        tape_appender_t **out);

#endif
