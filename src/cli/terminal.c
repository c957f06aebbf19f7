/* Terminals: how wide they are, how wide text is, links, and a bar that shows progress. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>
#include <wchar.h>

#include "cli.h"

#define REDRAW_S 0.1

int terminal_columns(FILE *out)
{
    struct winsize size;
    const char *columns = getenv("COLUMNS");

    if (!isatty(fileno(out)))
        return 0;
    if (ioctl(fileno(out), TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        return size.ws_col;
    return columns != NULL && atoi(columns) > 0 ? atoi(columns) : 80;
}

int terminal_has_colour(FILE *out)
{
    const char *no_colour = getenv("NO_COLOR"), *term = getenv("TERM");

    return isatty(fileno(out)) && (no_colour == NULL || no_colour[0] == '\0') && term != NULL &&
           strcmp(term, "dumb") != 0;
}

/* One character: its bytes, and its columns in *columns. */
static size_t next_character(const char *text, int *columns)
{
    wchar_t c;
    mbstate_t state = { 0 };
    size_t n = mbrtowc(&c, text, strlen(text), &state);

    if (n == 0 || n == (size_t)-1 || n == (size_t)-2) {
        *columns = 1;
        return 1;
    }
    *columns = wcwidth(c);
    if (*columns < 0)
        *columns = 0;
    return n;
}

size_t text_columns(const char *text)
{
    size_t total = 0;
    int columns;

    while (*text != '\0') {
        text += next_character(text, &columns);
        total += (size_t)columns;
    }
    return total;
}

size_t text_bytes_within(const char *text, size_t columns)
{
    size_t size = 0, used = 0;

    while (text[size] != '\0') {
        int width;
        size_t n = next_character(text + size, &width);

        used += (size_t)width;
        if (used > columns)
            break;
        size += n;
    }
    return size;
}

/* How many bytes of text go on a line of so many columns: up to a space, or up to
 * a character of two columns, which may stand at a line's start. */
static size_t line_bytes(const char *text, int room)
{
    size_t size = 0, last_break = 0;
    int used = 0, columns;

    while (text[size] != '\0') {
        size_t n = next_character(text + size, &columns);

        if (text[size] == ' ' || columns == 2)
            last_break = size;
        if (used + columns > room)
            return last_break > 0 ? last_break : size > 0 ? size : n;
        used += columns;
        size += n;
    }
    return size;
}

/* Bytes [start, start + size) of text with the marks in them. */
static void print_marked(FILE *out, const char *text, size_t start, size_t size,
                         const struct ernie_mark **mark, const struct ernie_mark *end)
{
    const size_t stop = start + size;

    while (start < stop) {
        size_t to = stop;

        while (*mark < end && (*mark)->end <= start)
            (*mark)++;
        if (*mark < end && (*mark)->start <= start) {
            to = (*mark)->end < stop ? (*mark)->end : stop;
            fprintf(out, "\033[1;31m%.*s\033[0m", (int)(to - start), text + start);
        } else {
            if (*mark < end && (*mark)->start < stop)
                to = (*mark)->start;
            fwrite(text + start, 1, to - start, out);
        }
        start = to;
    }
}

void print_wrapped(FILE *out, const char *text, size_t n_marks, const struct ernie_mark *marks,
                   int indent, int columns)
{
    const struct ernie_mark *mark = marks, *end = marks != NULL ? marks + n_marks : NULL;
    size_t start = 0;

    while (text[start] != '\0') {
        const char *rest = text + start;
        size_t n = columns > indent + 10 ? line_bytes(rest, columns - indent) : strlen(rest);

        fprintf(out, "%*s", indent, "");
        print_marked(out, text, start, n, &mark, end);
        putc('\n', out);
        start += n;
        start += strspn(text + start, " ");
    }
}

/* ---- links ------------------------------------------------------------- */

void print_link_start(FILE *out, const char *path, size_t page)
{
    char host[256] = "";

    gethostname(host, sizeof host - 1);
    fprintf(out, "\033]8;;file://%s", host);
    for (const unsigned char *c = (const unsigned char *)path; *c != '\0'; c++) {
        if ((*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9') ||
            strchr("/-_.~", *c) != NULL)
            putc(*c, out);
        else
            fprintf(out, "%%%02X", *c);
    }
    if (page > 0)
        fprintf(out, "#page=%zu", page);
    fputs("\033\\", out);
}

void print_link_end(FILE *out)
{
    fputs("\033]8;;\033\\", out);
}

/* ---- progress ---------------------------------------------------------- */

double seconds_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

void bar_init(struct bar *bar)
{
    memset(bar, 0, sizeof *bar);
    bar->columns = terminal_columns(stderr);
    bar->started = seconds_now();
}

void bar_clear(struct bar *bar)
{
    if (bar->is_drawn)
        fputs("\r\033[K", stderr);
    bar->is_drawn = 0;
}

static void format_left(char *out, size_t size, double left)
{
    if (isnan(left))
        out[0] = '\0';
    else if (left >= 3600)
        snprintf(out, size, "  %d:%02d h left", (int)left / 3600, (int)left / 60 % 60);
    else
        snprintf(out, size, "  %d:%02d left", (int)left / 60, (int)left % 60);
}

static void draw(struct bar *bar, const struct ernie_progress *progress, double now)
{
    char words[128], left[32], blocks[64];
    double done, elapsed = now - bar->started;
    int room, n_blocks;

    if (progress->stage == ERNIE_STAGE_SCAN) {
        bar->started = now; /* embedding begins when finding ends */
        fprintf(stderr, "\r\033[Kfinding files: %zu", progress->n_files_total);
        return;
    }
    if (progress->stage == ERNIE_STAGE_INDEX) {
        fputs("\r\033[Kwriting the vector index", stderr);
        return;
    }
    format_left(left, sizeof left, progress->seconds_left);
    snprintf(words, sizeof words, " %zu/%zu files  %.0f chunks/s%s", progress->n_files_done,
             progress->n_files_total,
             elapsed > 0 ? (double)progress->n_chunks / elapsed : 0.0, left);
    room = bar->columns - (int)strlen(words) - 3;
    room = room > 40 ? 40 : room;
    done = progress->n_bytes_total > 0
               ? (double)progress->n_bytes_done / (double)progress->n_bytes_total
               : 1;
    n_blocks = room > 0 ? (int)(done * room) : 0;
    n_blocks = n_blocks > room ? room : n_blocks;
    memset(blocks, '#', sizeof blocks);
    fprintf(stderr, "\r\033[K");
    if (room > 0)
        fprintf(stderr, "[%.*s%*s]", n_blocks, blocks, room - n_blocks, "");
    fputs(words, stderr);
}

int bar_show(void *data, const struct ernie_progress *progress)
{
    struct bar *bar = data;
    double now = seconds_now();

    if (progress->failure != NULL) {
        bar_clear(bar);
        fail("%s", progress->failure);
    }
    if (bar->columns > 0 && now - bar->drawn >= REDRAW_S) {
        draw(bar, progress, now);
        bar->is_drawn = 1;
        bar->drawn = now;
    }
    return signal_seen();
}
