#include "document/extract_subtitles.h"

#include <string.h>
#include <strings.h>

#include "base/utf8.h"
#include "document/extract_html.h"
#include "document/metadata.h"

/* A silence as long begins a paragraph. */
#define SILENCE_MS 5000

struct subtitles {
    struct writer *writer;
    long last_ms;       /* when the last cue ended, or began where that is all that is known */
    struct buffer cue;  /* lines of it, without marks */
    struct buffer last; /* the cue before */
    size_t cue_line;    /* of the file */
};

/* ---- lines ------------------------------------------------------------- */

static size_t line_size(const char *text, size_t size)
{
    const char *end = memchr(text, '\n', size);

    return end == NULL ? size : (size_t)(end - text);
}

static int starts_with(const char *text, size_t size, const char *what)
{
    return size >= strlen(what) && strncasecmp(text, what, strlen(what)) == 0;
}

/* A time, [H:]MM:SS with a fraction behind a point or a comma, at text[0]; its bytes, or 0. */
static size_t read_time(const char *text, size_t size, long *out_ms)
{
    long parts[3] = { 0, 0, 0 }, fraction = 0, scale = 1000;
    size_t i = 0, n_parts = 0, n_digits = 0;

    for (; i < size && n_parts < 3 && n_digits < 8; i++) {
        if (text[i] >= '0' && text[i] <= '9') {
            parts[n_parts] = parts[n_parts] * 10 + (text[i] - '0');
            n_digits++;
        } else if (text[i] == ':' && n_digits > 0) {
            n_parts++;
            n_digits = 0;
        } else {
            break;
        }
    }
    if (n_parts == 0 || n_parts > 2 || n_digits == 0)
        return 0;
    if (i < size && (text[i] == '.' || text[i] == ','))
        for (i++; i < size && text[i] >= '0' && text[i] <= '9'; i++) {
            if (scale > 1) {
                fraction = fraction * 10 + (text[i] - '0');
                scale /= 10;
            }
        }
    *out_ms = fraction * scale +
              1000 * (n_parts == 2 ? parts[0] * 3600 + parts[1] * 60 + parts[2]
                                   : parts[0] * 60 + parts[1]);
    return i;
}

/* "00:00:01,000 --> 00:00:04,000", as SubRip and WebVTT have it. */
static int read_times(const char *text, size_t size, long *start_ms, long *end_ms)
{
    size_t n = read_time(text, size, start_ms);

    if (n == 0)
        return 0;
    while (n < size && text[n] == ' ')
        n++;
    if (!starts_with(text + n, size - n, "-->"))
        return 0;
    for (n += 3; n < size && text[n] == ' ';)
        n++;
    return read_time(text + n, size - n, end_ms) > 0;
}

/* ---- cues -------------------------------------------------------------- */

/* Appends a line of a cue without what is no word: <i>, {\an8}, \N. */
static void append_words(struct buffer *cue, const char *text, size_t size)
{
    size_t n;

    for (size_t i = 0; i < size; i += n) {
        const char *end;
        char bytes[4];
        uint32_t c;

        n = 1;
        if (text[i] == '<' || (text[i] == '{' && i + 1 < size && text[i + 1] == '\\')) {
            end = memchr(text + i, text[i] == '<' ? '>' : '}', size - i);
            if (end != NULL) {
                n = (size_t)(end - text) - i + 1;
                continue;
            }
        } else if (text[i] == '\\' && i + 1 < size && strchr("Nnh", text[i + 1]) != NULL) {
            buffer_append_char(cue, ' ');
            n = 2;
            continue;
        } else if (text[i] == '&' && (c = html_entity(text + i, size - i, &n)) != 0) {
            buffer_append(cue, bytes, utf8_encode(c < 0xd800 || c >= 0xe000 ? c : 0xfffd, bytes));
            continue;
        }
        n = 1;
        buffer_append_char(cue, text[i]);
    }
}

static void add_line(struct subtitles *subtitles, const char *text, size_t size, size_t line)
{
    if (subtitles->cue.size == 0)
        subtitles->cue_line = line;
    else
        buffer_append_char(&subtitles->cue, '\n');
    append_words(&subtitles->cue, text, size);
}

/* Writes the cue. One that is the same as that before, as in captions that roll up or are
 * drawn twice, is one. */
static void end_cue(struct subtitles *subtitles)
{
    struct buffer *cue = &subtitles->cue, *last = &subtitles->last;
    struct buffer swap;

    if (cue->size == 0)
        return;
    if (cue->size != last->size || memcmp(cue->data, last->data, cue->size) != 0) {
        writer_break(subtitles->writer, 1);
        subtitles->writer->line = subtitles->cue_line;
        writer_words(subtitles->writer, cue->data, cue->size);
    }
    swap = *last;
    *last = *cue;
    *cue = swap;
    buffer_clear(cue);
}

static void begin_cue(struct subtitles *subtitles, long start_ms, long end_ms)
{
    end_cue(subtitles);
    if (start_ms > subtitles->last_ms + SILENCE_MS && subtitles->writer->out->text.size > 0)
        writer_break(subtitles->writer, 2);
    subtitles->last_ms = end_ms;
}

/* ---- SubStation Alpha and LRC ------------------------------------------ */

/* "Dialogue: 0,0:00:01.00,0:00:04.00,Default,,0,0,0,,text": the text is behind the ninth
 * comma. */
static void read_dialogue(struct subtitles *subtitles, const char *text, size_t size, size_t line)
{
    long start_ms = 0, end_ms = 0;

    for (int i = 0; i < 9; i++) {
        const char *comma = memchr(text, ',', size);

        if (comma == NULL)
            return;
        size -= (size_t)(comma - text) + 1;
        text = comma + 1;
        if (i == 0)
            read_time(text, size, &start_ms);
        else if (i == 1)
            read_time(text, size, &end_ms);
    }
    begin_cue(subtitles, start_ms, end_ms);
    add_line(subtitles, text, size, line);
    end_cue(subtitles);
}

/* "[00:12.00]text", with several times where a line is sung again; or "[ti:title]". */
static int read_lyric(struct subtitles *subtitles, const char *text, size_t size, size_t line)
{
    struct extract *out = subtitles->writer->out;
    long ms;
    size_t n;

    if (size == 0 || text[0] != '[')
        return 0;
    if (starts_with(text, size, "[ti:") && text[size - 1] == ']')
        metadata_set_title(out, text + 4, size - 5);
    else if (starts_with(text, size, "[ar:") && text[size - 1] == ']')
        metadata_set_author(out, text + 4, size - 5);
    n = read_time(text + 1, size - 1, &ms);
    if (n == 0 || n + 1 >= size || text[n + 1] != ']')
        return n == 0 && size > 3 && text[3] == ':';
    begin_cue(subtitles, ms, ms);
    while (n > 0 && n + 1 < size && text[n + 1] == ']') {
        text += n + 2;
        size -= n + 2;
        n = size > 0 && text[0] == '[' ? read_time(text + 1, size - 1, &ms) : 0;
    }
    add_line(subtitles, text, size, line);
    end_cue(subtitles);
    return 1;
}

/* ---- the whole --------------------------------------------------------- */

/* Lines outside cues are their numbers, headers and comments. */
void subtitles_extract(struct writer *writer, const char *text, size_t size)
{
    struct subtitles subtitles = { .writer = writer };
    int in_cue = 0;
    size_t line = 1;

    for (size_t i = 0, n; i < size; i += n + 1, line++) {
        const char *start = text + i;
        long start_ms, end_ms;

        n = line_size(start, size - i);
        if (n == 0) {
            end_cue(&subtitles);
            in_cue = 0;
        } else if (read_times(start, n, &start_ms, &end_ms)) {
            begin_cue(&subtitles, start_ms, end_ms);
            in_cue = 1;
        } else if (starts_with(start, n, "Dialogue:")) {
            read_dialogue(&subtitles, start + 9, n - 9, line);
        } else if (starts_with(start, n, "Title:") && !in_cue) {
            metadata_set_title(writer->out, start + 6, n - 6);
        } else if (in_cue) {
            add_line(&subtitles, start, n, line);
        } else {
            read_lyric(&subtitles, start, n, line);
        }
    }
    end_cue(&subtitles);
    writer->out->text.failed |= subtitles.cue.failed | subtitles.last.failed;
    buffer_reset(&subtitles.cue);
    buffer_reset(&subtitles.last);
}
