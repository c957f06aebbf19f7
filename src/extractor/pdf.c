#include "extractor/pdf.h"

#include <math.h>
#include <poppler.h>
#include <string.h>

#include "base/memory.h"
#include "document/charset.h"
#include "extractor/formats.h"

/* Headings of an outline at most: past it the text has none that help. */
#define MAX_ENTRIES 16384
/* How much of a page's height, above and below, running heads and page numbers are in. */
#define MARGIN 0.085
/* What two gaps part is a row of a table; an item of a list has one gap. */
#define MIN_CELLS 3
/* What a line may begin with before the words of its heading: "第十二章", "1.2.10". */
#define MAX_NUMBER_BYTES 24

/* A line as Poppler gives it, up to a wide gap, or what stands in one row. Coordinates in points,
 * from the page's upper left corner. */
struct line {
    size_t start, size; /* of words */
    double x1, y1, x2, y2;
    double first_word; /* how wide it is */
    uint64_t likeness; /* of lines that differ only in numbers and spaces */
    int is_marginal;   /* high or low on the page, where a running head may be */
    int is_continued;  /* Poppler's line goes on with the next, past a wide gap */
    unsigned n_cells;  /* of a row: what wide gaps part */
};

struct page {
    size_t first, n_lines;
};

/* A heading of the outline. */
struct entry {
    char *title;
    unsigned level, page; /* from 1 */
};

struct pdf {
    PopplerDocument *document;
    struct writer *writer;
    struct buffer words;
    struct line *lines;
    size_t n_lines, lines_capacity;
    struct page *pages;
    size_t n_pages;
    struct entry *entries; /* in the outline's order */
    size_t n_entries, entries_capacity;
};

/* ---- outline ----------------------------------------------------------- */

static unsigned page_of(PopplerDocument *document, const PopplerAction *action)
{
    const PopplerDest *dest;
    PopplerDest *found = NULL;
    int page = 0;

    if (action->type != POPPLER_ACTION_GOTO_DEST || action->goto_dest.dest == NULL)
        return 0;
    dest = action->goto_dest.dest;
    if (dest->type == POPPLER_DEST_NAMED && dest->named_dest != NULL)
        dest = found = poppler_document_find_dest(document, dest->named_dest);
    if (dest != NULL)
        page = dest->page_num;
    if (found != NULL)
        poppler_dest_free(found);
    return page > 0 ? (unsigned)page : 0;
}

static int add_entry(struct pdf *pdf, const char *title, unsigned level, unsigned page)
{
    if (pdf->n_entries == pdf->entries_capacity) {
        size_t capacity = pdf->entries_capacity < 64 ? 64 : pdf->entries_capacity * 2;
        struct entry *grown = memory_resize(pdf->entries, capacity, sizeof *grown);

        if (grown == NULL)
            return ERNIE_ENOMEM;
        pdf->entries = grown;
        pdf->entries_capacity = capacity;
    }
    pdf->entries[pdf->n_entries] = (struct entry){ .title = memory_copy_text(title, strlen(title)),
                                                   .level = level, .page = page };
    if (pdf->entries[pdf->n_entries].title == NULL)
        return ERNIE_ENOMEM;
    pdf->n_entries++;
    return ERNIE_OK;
}

/* Appends the entries of iter and those below. Some outlines lead in circles. */
static int read_outline(struct pdf *pdf, PopplerIndexIter *iter, unsigned level)
{
    int status = ERNIE_OK;

    do {
        PopplerAction *action = poppler_index_iter_get_action(iter);
        PopplerIndexIter *below;
        unsigned page;

        if (action == NULL)
            continue;
        page = page_of(pdf->document, action);
        if (page > 0 && action->any.title != NULL)
            status = add_entry(pdf, action->any.title, level, page);
        poppler_action_free(action);
        below = level < WRITER_MAX_LEVEL ? poppler_index_iter_get_child(iter) : NULL;
        if (below != NULL && status == ERNIE_OK)
            status = read_outline(pdf, below, level + 1);
        if (below != NULL)
            poppler_index_iter_free(below);
    } while (status == ERNIE_OK && pdf->n_entries < MAX_ENTRIES &&
             poppler_index_iter_next(iter));
    return status;
}

/* ---- pages to lines ---------------------------------------------------- */

/* What Unicode has for typesetters only, as people write it. */
static void append_character(struct buffer *out, gunichar c)
{
    static const char *const ligatures[] = { "ff", "fi", "fl", "ffi", "ffl", "st", "st" };
    char bytes[6];

    if (c >= 0xfb00 && c <= 0xfb06)
        buffer_append_text(out, ligatures[c - 0xfb00]);
    else
        buffer_append(out, bytes, (size_t)g_unichar_to_utf8(c < ' ' ? ' ' : c, bytes));
}

static struct line *add_line(struct pdf *pdf)
{
    if (pdf->n_lines == pdf->lines_capacity) {
        size_t capacity = pdf->lines_capacity < 256 ? 256 : pdf->lines_capacity * 2;
        struct line *grown = memory_resize(pdf->lines, capacity, sizeof *grown);

        if (grown == NULL)
            return NULL;
        pdf->lines = grown;
        pdf->lines_capacity = capacity;
    }
    pdf->lines[pdf->n_lines] = (struct line){ .start = pdf->words.size,
                                              .likeness = 14695981039346656037u,
                                              .n_cells = 1 };
    return &pdf->lines[pdf->n_lines++];
}

/* FNV-1a over the characters, numbers all alike and spaces left out. */
static uint64_t add_likeness(uint64_t likeness, gunichar c)
{
    if (c == ' ')
        return likeness;
    return (likeness ^ (g_unichar_isdigit(c) ? '0' : c)) * 1099511628211u;
}

/* Whether a character that stands in box is past a gap that no space between words has: numbers of
 * headings, items of lists and cells of tables stand so, and Poppler has no space there. */
static int is_past_gap(const struct line *line, const PopplerRectangle *box)
{
    return line->size > 0 && line->y2 > line->y1 && box->x1 - line->x2 > line->y2 - line->y1;
}

/* One more character on a line, which stands in box. */
static void extend_line(struct pdf *pdf, struct line *line, gunichar c,
                        const PopplerRectangle *box, int *in_first_word)
{
    const int is_first = line->size == 0;

    append_character(&pdf->words, c);
    line->size = pdf->words.size - line->start;
    line->likeness = add_likeness(line->likeness, c);
    if (box == NULL)
        return;
    line->x1 = is_first ? box->x1 : fmin(line->x1, box->x1);
    line->y1 = is_first ? box->y1 : fmin(line->y1, box->y1);
    line->x2 = is_first ? box->x2 : fmax(line->x2, box->x2);
    line->y2 = is_first ? box->y2 : fmax(line->y2, box->y2);
    /* Chinese may be broken after any character. */
    *in_first_word = *in_first_word && c > ' ' && (c < 0x2e80 || is_first);
    if (*in_first_word)
        line->first_word = line->x2 - line->x1;
}

static int read_page(struct pdf *pdf, PopplerPage *page)
{
    char *text = poppler_page_get_text(page);
    PopplerRectangle *boxes = NULL;
    guint n_boxes = 0;
    struct line *line = NULL;
    double width, height;
    size_t i = 0;
    int in_first_word = 0, status = ERNIE_OK;

    if (text == NULL)
        return ERNIE_OK;
    poppler_page_get_size(page, &width, &height);
    if (!poppler_page_get_text_layout(page, &boxes, &n_boxes))
        n_boxes = 0;
    for (const char *c = text; *c != '\0' && status == ERNIE_OK; c = g_utf8_next_char(c), i++) {
        if (*c == '\n') {
            line = NULL;
            continue;
        }
        /* The box of a space may go from one word to the next. */
        if (line != NULL && i + 1 < n_boxes && is_past_gap(line, &boxes[i + (*c == ' ')])) {
            line->is_continued = 1;
            line = NULL;
            if (*c == ' ')
                continue;
        }
        if (line == NULL) {
            line = add_line(pdf);
            in_first_word = 1;
        }
        if (line == NULL)
            status = ERNIE_ENOMEM;
        else
            extend_line(pdf, line, g_utf8_get_char(c), i < n_boxes ? &boxes[i] : NULL,
                        &in_first_word);
        if (line != NULL)
            line->is_marginal = line->y2 < height * MARGIN || line->y1 > height * (1 - MARGIN);
    }
    g_free(text);
    g_free(boxes);
    return status;
}

static int read_pages(struct pdf *pdf)
{
    int status = ERNIE_OK;

    pdf->pages = memory_new(pdf->n_pages, sizeof *pdf->pages);
    if (pdf->pages == NULL)
        return ERNIE_ENOMEM;
    for (size_t i = 0; i < pdf->n_pages && status == ERNIE_OK; i++) {
        PopplerPage *page = poppler_document_get_page(pdf->document, (int)i);

        pdf->pages[i].first = pdf->n_lines;
        if (page != NULL) {
            status = read_page(pdf, page);
            g_object_unref(page);
        }
        pdf->pages[i].n_lines = pdf->n_lines - pdf->pages[i].first;
    }
    return status == ERNIE_OK && pdf->words.failed ? ERNIE_ENOMEM : status;
}

/* ---- lines to paragraphs ----------------------------------------------- */

static double height_of(const struct line *line)
{
    return line->y2 - line->y1;
}

/* Whether a line is on a page near by too, at the same place: the title of the book, of the
 * chapter, the number of the page. Left and right pages may have theirs apart. */
static int is_running(const struct pdf *pdf, size_t page, const struct line *line)
{
    const size_t from = page < 2 ? 0 : page - 2,
                 to = page + 2 < pdf->n_pages ? page + 2 : pdf->n_pages - 1;

    if (!line->is_marginal)
        return 0;
    for (size_t i = from; i <= to; i++) {
        for (size_t j = 0; i != page && j < pdf->pages[i].n_lines; j++) {
            const struct line *other = &pdf->lines[pdf->pages[i].first + j];

            if (other->is_marginal && other->likeness == line->likeness &&
                fabs(other->y1 - line->y1) < 3)
                return 1;
        }
    }
    return 0;
}

/* Whether b stands in the row of a, right of it. */
static int is_same_row(const struct line *a, const struct line *b)
{
    const double lower = fmin(height_of(a), height_of(b));

    return a->is_continued ||
           (fabs((a->y1 + a->y2) - (b->y1 + b->y2)) < lower && b->x1 > a->x2 - 1 &&
            b->x1 - a->x2 < 4 * lower);
}

/* The lines of a page without those that run through all pages, rows put together. The
 * words of a row are appended once more, since lines between them may have been left out.
 * What remains is at the front of the page's lines. */
static void clean_page(struct pdf *pdf, size_t page, struct line *kept, size_t *n_kept)
{
    const struct page *p = &pdf->pages[page];
    size_t n = 0;

    for (size_t i = 0; i < p->n_lines; i++) {
        const struct line *line = &pdf->lines[p->first + i];
        struct line *last = n > 0 ? &kept[n - 1] : NULL;

        if (is_running(pdf, page, line))
            continue;
        if (last == NULL || !is_same_row(last, line)) {
            kept[n++] = *line;
            continue;
        }
        if (buffer_reserve(&pdf->words, last->size + line->size + 1) == NULL)
            continue;
        {
            const size_t start = pdf->words.size;

            buffer_append(&pdf->words, pdf->words.data + last->start, last->size);
            if (last->is_continued || line->x1 - last->x2 > 0.15 * height_of(line))
                buffer_append_char(&pdf->words, ' ');
            buffer_append(&pdf->words, pdf->words.data + line->start, line->size);
            last->start = start;
            last->size = pdf->words.size - start;
        }
        last->n_cells += last->is_continued || line->x1 - last->x2 > height_of(line);
        last->is_continued = line->is_continued;
        last->x2 = line->x2;
        last->y1 = fmin(last->y1, line->y1);
        last->y2 = fmax(last->y2, line->y2);
    }
    *n_kept = n;
}

static int compare_numbers(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* The space between lines that most of a page has. scratch [n]. */
static double usual_gap(const struct line *lines, size_t n, double *scratch)
{
    size_t n_gaps = 0;

    for (size_t i = 1; i < n; i++) {
        const double gap = lines[i].y1 - lines[i - 1].y2;

        if (gap > -height_of(&lines[i]) && gap < 2 * height_of(&lines[i]))
            scratch[n_gaps++] = gap;
    }
    if (n_gaps == 0)
        return 0;
    qsort(scratch, n_gaps, sizeof *scratch, compare_numbers);
    return scratch[n_gaps / 2];
}

/* How far right the lines around i go that begin about where it does. */
static double right_edge(const struct line *lines, size_t n, size_t i)
{
    const size_t from = i < 20 ? 0 : i - 20, to = i + 20 < n ? i + 20 : n;
    const double near = 4 * height_of(&lines[i]);
    double edge = lines[i].x2;

    for (size_t j = from; j < to; j++)
        if (fabs(lines[j].x1 - lines[i].x1) <= near && lines[j].x2 > edge)
            edge = lines[j].x2;
    return edge;
}

/* How many line breaks end line i: 2 after a paragraph, 1 where a line was ended with room
 * left for what follows, 0 within a paragraph. */
static unsigned breaks_after(const struct line *lines, size_t n, size_t i, double gap)
{
    const struct line *a = &lines[i], *b = &lines[i + 1];
    const double height = height_of(a), other = height_of(b);

    if (fmax(height, other) > 1.15 * fmin(height, other))
        return 2;
    if (b->y1 - a->y2 > gap + 0.3 * height)
        return 2;
    if (a->n_cells >= MIN_CELLS || b->n_cells >= MIN_CELLS)
        return 1;
    /* Half a character for the space between words and what justification moves. */
    return right_edge(lines, n, i) - a->x2 > b->first_word + 0.5 * height;
}

/* A word that was parted at the end of a line is written whole: true when the line ends in a
 * hyphen after a letter and the next one begins with a small letter. */
static int is_parted(const char *line, size_t size, const char *next, size_t next_size)
{
    return size > 1 && next_size > 0 && line[size - 1] == '-' && g_ascii_isalpha(line[size - 2]) &&
           g_ascii_islower(next[0]) && memchr(line, '-', size - 1) == NULL;
}

/* ---- headings ---------------------------------------------------------- */

/* Whether text ends in title, spaces aside, with no more than a number before it. */
static int ends_in_title(const char *text, size_t size, const char *title)
{
    size_t n = strlen(title);

    while (size > 0 && n > 0) {
        if (text[size - 1] == ' ')
            size--;
        else if ((unsigned char)title[n - 1] <= ' ')
            n--;
        else if (text[size - 1] != title[n - 1])
            return 0;
        else
            size--, n--;
    }
    while (n > 0 && (unsigned char)title[n - 1] <= ' ')
        n--;
    return n == 0 && size <= MAX_NUMBER_BYTES;
}

/* The line from `from` on that has the title of an entry, or n. */
static size_t find_title(const struct pdf *pdf, const struct line *lines, size_t n, size_t from,
                         const char *title)
{
    for (size_t i = from; i < n; i++)
        if (ends_in_title(pdf->words.data + lines[i].start, lines[i].size, title))
            return i;
    return n;
}

/* ---- writing ----------------------------------------------------------- */

static void write_line(struct pdf *pdf, const struct line *line, const struct line *next)
{
    const char *text = pdf->words.data + line->start;

    if (next != NULL && is_parted(text, line->size, pdf->words.data + next->start, next->size)) {
        writer_words(pdf->writer, text, line->size - 1);
        return;
    }
    writer_words(pdf->writer, text, line->size);
    /* Between two Chinese characters the writer makes nothing of it. */
    writer_words(pdf->writer, "\n", 1);
}

/* Writes the headings that are due before line i of a page, and gives the line, i or a later
 * one, that is the next one itself; n for none. */
static size_t write_due_headings(struct pdf *pdf, size_t page, size_t *entry,
                                 const struct line *lines, size_t n, size_t i)
{
    for (; *entry < pdf->n_entries && pdf->entries[*entry].page <= page + 1; ++*entry) {
        const struct entry *e = &pdf->entries[*entry];
        size_t at = e->page == page + 1 ? find_title(pdf, lines, n, i, e->title) : n;

        if (at < n)
            return at;
        /* The page lacks the words, or the outline goes back. */
        writer_heading(pdf->writer, e->level, e->title, strlen(e->title));
    }
    return n;
}

/* The lines of a page; those of the outline's entries from *entry on are headings. */
static void write_page(struct pdf *pdf, size_t page, size_t *entry, const struct line *lines,
                       size_t n, double *scratch)
{
    struct writer *writer = pdf->writer;
    const double gap = usual_gap(lines, n, scratch);
    size_t heading;

    writer_page(writer, (unsigned)page + 1);
    writer_break(writer, 1);
    writer->line = page + 1;
    heading = write_due_headings(pdf, page, entry, lines, n, 0);
    for (size_t i = 0; i < n; i++) {
        if (i == heading) {
            writer_heading_begin(writer, pdf->entries[(*entry)++].level);
            writer_words(writer, pdf->words.data + lines[i].start, lines[i].size);
            writer_heading_end(writer);
            heading = write_due_headings(pdf, page, entry, lines, n, i + 1);
        } else {
            const unsigned breaks = i + 1 < n ? breaks_after(lines, n, i, gap) : 0;

            write_line(pdf, &lines[i], breaks == 0 && i + 1 < n ? &lines[i + 1] : NULL);
            if (breaks > 0)
                writer_break(writer, breaks);
            writer->line = page + 1;
        }
    }
}

static int write_pages(struct pdf *pdf)
{
    size_t longest = 0, entry = 0, n;
    struct line *kept;
    double *scratch;
    int status = ERNIE_OK;

    for (size_t i = 0; i < pdf->n_pages; i++)
        longest = pdf->pages[i].n_lines > longest ? pdf->pages[i].n_lines : longest;
    kept = memory_new(longest, sizeof *kept);
    scratch = memory_new(longest, sizeof *scratch);
    if (kept == NULL || scratch == NULL)
        status = ERNIE_ENOMEM;
    for (size_t i = 0; i < pdf->n_pages && status == ERNIE_OK; i++) {
        clean_page(pdf, i, kept, &n);
        write_page(pdf, i, &entry, kept, n, scratch);
    }
    memory_free(kept);
    memory_free(scratch);
    return status;
}

/* ---- the whole --------------------------------------------------------- */

static void take_text(struct buffer *out, char *text)
{
    if (text != NULL)
        buffer_append_text(out, text);
    g_free(text);
}

static void read_metadata(struct pdf *pdf)
{
    struct extract *out = pdf->writer->out;
    GDateTime *date = poppler_document_get_creation_date_time(pdf->document);
    char *written = NULL;

    take_text(&out->title, poppler_document_get_title(pdf->document));
    take_text(&out->author, poppler_document_get_author(pdf->document));
    if (date != NULL)
        written = g_date_time_format(date, "%Y-%m-%dT%H:%M:%SZ");
    if (written != NULL && strlen(written) < sizeof out->date)
        strcpy(out->date, written);
    g_free(written);
    if (date != NULL)
        g_date_time_unref(date);
}

static int fail(GError *why, ernie_error *err)
{
    const int is_encrypted = g_error_matches(why, POPPLER_ERROR, POPPLER_ERROR_ENCRYPTED);

    if (is_encrypted)
        error_set(err, ERNIE_EFORMAT, "encrypted");
    else
        error_set(err, ERNIE_EFORMAT, "%s", why != NULL ? why->message : "not a PDF");
    g_clear_error(&why);
    return ERNIE_EFORMAT;
}

static void pdf_reset(struct pdf *pdf)
{
    for (size_t i = 0; i < pdf->n_entries; i++)
        memory_free(pdf->entries[i].title);
    memory_free(pdf->entries);
    memory_free(pdf->lines);
    memory_free(pdf->pages);
    buffer_reset(&pdf->words);
    if (pdf->document != NULL)
        g_object_unref(pdf->document);
}

int pdf_extract(struct writer *writer, const uint8_t *bytes, size_t size, ernie_error *err)
{
    struct pdf pdf = { .writer = writer };
    PopplerIndexIter *outline;
    GBytes *data = g_bytes_new_static(bytes, size);
    GError *why = NULL;
    int status = ERNIE_OK;

    pdf.document = poppler_document_new_from_bytes(data, NULL, &why);
    g_bytes_unref(data);
    if (pdf.document == NULL)
        return fail(why, err);
    pdf.n_pages = (size_t)poppler_document_get_n_pages(pdf.document);
    read_metadata(&pdf);
    outline = poppler_index_iter_new(pdf.document);
    if (outline != NULL) {
        status = read_outline(&pdf, outline, 1);
        poppler_index_iter_free(outline);
    }
    if (status == ERNIE_OK)
        status = read_pages(&pdf);
    if (status == ERNIE_OK)
        status = write_pages(&pdf);
    if (status == ERNIE_OK && pdf.words.failed)
        status = ERNIE_ENOMEM;
    if (status != ERNIE_OK)
        error_set(err, status, "takes too much memory");
    pdf_reset(&pdf);
    return status;
}

void pdf_prepare(void)
{
    /* The first document makes Poppler look through its folders, and the last one makes it
     * forget them: this one, which has no page, stays. */
    static const char empty[] =
        "%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n"
        "2 0 obj<</Type/Pages/Kids[]/Count 0>>endobj\n"
        "xref\n0 3\n0000000000 65535 f \n0000000009 00000 n \n0000000054 00000 n \n"
        "trailer<</Size 3/Root 1 0 R>>\nstartxref\n97\n%%EOF\n";
    GBytes *data = g_bytes_new_static(empty, sizeof empty - 1);
    GDateTime *now;

    charset_prepare(); /* titles are in UTF-16 */
    poppler_document_new_from_bytes(data, NULL, NULL);
    g_bytes_unref(data);
    now = g_date_time_new_now_local(); /* reads the time zone */
    if (now != NULL)
        g_date_time_unref(now);
}
