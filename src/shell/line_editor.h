/* Lines typed by a person: with libedit edited and remembered in
 * $XDG_STATE_HOME/ernie/sql_history, without it just read. */
#ifndef ERNIE_SHELL_LINE_EDITOR_H
#define ERNIE_SHELL_LINE_EDITOR_H

struct line_editor;

enum line_result { LINE_READ, LINE_END, LINE_INTERRUPTED };

struct line_editor *line_editor_new(void); /* NULL when memory ran out */
void line_editor_free(struct line_editor *editor); /* saves the history; NULL is fine */

/* The next line with its line break, good until the next call. Interrupted: a signal came
 * while it was waiting. */
enum line_result line_editor_read(struct line_editor *editor, const char *prompt,
                                  const char **out);

#endif
