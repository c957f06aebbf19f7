#include "shell/line_editor.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <wchar.h>

#include "cli/cli.h"
#include "config.h"

#ifdef HAVE_LIBEDIT
#include <histedit.h>

#define HISTORY_LINES 1000

struct line_editor {
    EditLine *edit;
    History *history;
    char *path; /* of the history, or NULL */
    const char *prompt;
    int interrupted; /* a signal came while a character was waited for */
};

/* As the XDG Base Directory Specification has it. */
static char *history_path(void)
{
    const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
    char *path = NULL;
    int size;

    if (state != NULL && state[0] == '/')
        size = asprintf(&path, "%s/ernie/sql_history", state);
    else if (home != NULL && home[0] == '/')
        size = asprintf(&path, "%s/.local/state/ernie/sql_history", home);
    else
        return NULL;
    return size < 0 ? NULL : path;
}

static char *give_prompt(EditLine *edit)
{
    struct line_editor *editor;

    el_get(edit, EL_CLIENTDATA, &editor);
    return (char *)(uintptr_t)editor->prompt;
}

/* One character. libedit's own reader would go on after a signal, and ^C is to end the
 * line. */
static int read_character(EditLine *edit, wchar_t *out)
{
    struct line_editor *editor;
    mbstate_t state = { 0 };

    el_get(edit, EL_CLIENTDATA, &editor);
    for (;;) {
        char byte;
        ssize_t n = read(STDIN_FILENO, &byte, 1);
        size_t used;

        if (n <= 0) {
            editor->interrupted = n < 0 && errno == EINTR;
            return (int)n;
        }
        used = mbrtowc(out, &byte, 1, &state);
        if (used != (size_t)-2 && used != (size_t)-1)
            return 1;
        if (used == (size_t)-1)
            memset(&state, 0, sizeof state); /* not a character: the next byte may begin one */
    }
}

struct line_editor *line_editor_new(void)
{
    struct line_editor *editor = calloc(1, sizeof *editor);
    HistEvent event;

    if (editor == NULL)
        return NULL;
    editor->edit = el_init("ernie", stdin, stdout, stderr);
    editor->history = history_init();
    if (editor->edit == NULL || editor->history == NULL) {
        line_editor_free(editor);
        return NULL;
    }
    history(editor->history, &event, H_SETSIZE, HISTORY_LINES);
    history(editor->history, &event, H_SETUNIQUE, 1);
    editor->path = history_path();
    if (editor->path != NULL)
        history(editor->history, &event, H_LOAD, editor->path);
    el_set(editor->edit, EL_CLIENTDATA, editor);
    el_set(editor->edit, EL_PROMPT, give_prompt);
    el_set(editor->edit, EL_EDITOR, "emacs");
    el_set(editor->edit, EL_HIST, history, editor->history);
    el_set(editor->edit, EL_GETCFN, read_character);
    el_source(editor->edit, NULL); /* the user's ~/.editrc */
    return editor;
}

void line_editor_free(struct line_editor *editor)
{
    HistEvent event;

    if (editor == NULL)
        return;
    if (editor->path != NULL) {
        make_folders(editor->path);
        history(editor->history, &event, H_SAVE, editor->path);
    }
    if (editor->history != NULL)
        history_end(editor->history);
    if (editor->edit != NULL)
        el_end(editor->edit);
    free(editor->path);
    free(editor);
}

enum line_result line_editor_read(struct line_editor *editor, const char *prompt,
                                  const char **out)
{
    HistEvent event;
    int size;

    editor->prompt = prompt;
    editor->interrupted = 0;
    el_resize(editor->edit);
    *out = el_gets(editor->edit, &size);
    if (*out == NULL || size <= 0)
        return editor->interrupted ? LINE_INTERRUPTED : LINE_END;
    if (strspn(*out, " \t\n") < strlen(*out))
        history(editor->history, &event, H_ENTER, *out);
    return LINE_READ;
}

#else

struct line_editor {
    char *line;
    size_t capacity;
};

struct line_editor *line_editor_new(void)
{
    return calloc(1, sizeof(struct line_editor));
}

void line_editor_free(struct line_editor *editor)
{
    if (editor != NULL)
        free(editor->line);
    free(editor);
}

enum line_result line_editor_read(struct line_editor *editor, const char *prompt,
                                  const char **out)
{
    fputs(prompt, stdout);
    fflush(stdout);
    errno = 0;
    if (getline(&editor->line, &editor->capacity, stdin) > 0) {
        *out = editor->line;
        return LINE_READ;
    }
    if (errno != EINTR)
        return LINE_END;
    clearerr(stdin);
    return LINE_INTERRUPTED;
}

#endif
