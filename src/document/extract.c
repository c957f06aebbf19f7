#include "document/extract.h"

#include <string.h>
#include <strings.h>

#include "base/memory.h"
#include "base/utf8.h"
#include "document/charset.h"
#include "document/extract_html.h"
#include "document/extract_markdown.h"
#include "document/extract_text.h"
#include "document/writer.h"

#define LOOKED_AT_BYTES 65536

/* ---- formats ----------------------------------------------------------- */

static const char *extension_of(const char *name)
{
    const char *slash = strrchr(name, '/'), *dot;

    if (slash != NULL)
        name = slash + 1;
    dot = strrchr(name, '.');
    return dot == NULL || dot == name ? "" : dot + 1;
}

static int is_one_of(const char *extension, const char *const *list, size_t n)
{
    size_t low = 0, high = n;

    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = strcasecmp(list[middle], extension);

        if (order == 0)
            return 1;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return 0;
}

int document_name_is_promising(const char *name)
{
    /* In order. What has text in it for a later extractor (PDF, Office, EPUB, mail
     * folders) is here as well, for as long as there is none. */
    static const char *const hopeless[] = {
        "3gp", "7z", "a", "aac", "ai", "aiff", "ann", "apk", "ar", "avi", "avif", "azw3", "bin",
        "blend", "bmp", "br", "bz2", "cab", "class", "cpio", "cur", "dat", "db", "deb", "djvu",
        "dll", "dmg", "doc", "docx", "dvi", "dylib", "elc", "eot", "epub", "exe", "flac", "flv",
        "gif", "gz", "h5", "heic", "icns", "ico", "img", "iso", "jar", "jp2", "jpeg", "jpg",
        "jxl", "ko", "la", "lo", "lz", "lz4", "lzma", "m4a", "m4v", "mdb", "mid", "midi", "mkv",
        "mo", "mobi", "mov", "mp3", "mp4", "mpeg", "mpg", "msi", "npy", "npz", "o", "obj", "odp",
        "ods", "odt", "ogg", "ogv", "onnx", "opus", "otf", "parquet", "pcap", "pdf", "pickle",
        "pkl", "png", "ppt", "pptx", "psd", "pt", "pth", "pyc", "pyo", "qcow2", "rar", "rlib",
        "rpm", "safetensors", "so", "sqlite", "sqlite3", "swf", "tar", "tbz2", "tgz", "tif",
        "tiff", "ttc", "ttf", "txz", "vdi", "vmdk", "war", "wasm", "wav", "webm", "webp", "whl",
        "wma", "wmv", "woff", "woff2", "xcf", "xls", "xlsx", "xz", "z", "zip", "zst",
    };

    return !is_one_of(extension_of(name), hopeless, sizeof hopeless / sizeof *hopeless);
}

/* What the first bytes of files that are no text look like, for those that might
 * pass for text otherwise. */
static int has_magic(const uint8_t *bytes, size_t size)
{
    static const struct {
        const char *bytes;
        size_t size;
    } magics[] = {
        { "%PDF-", 5 },      { "%!PS-Adobe", 10 },      { "{\\rtf", 5 },
        { "PK\3\4", 4 },     { "PK\5\6", 4 },           { "\x7f" "ELF", 4 },
        { "\x89PNG", 4 },    { "\x1f\x8b", 2 },         { "\xfd" "7zXZ", 5 },
        { "7z\xbc\xaf", 4 }, { "Rar!\x1a\7", 6 },       { "\xff\xd8\xff", 3 },
        { "!<arch>\n", 8 },  { "\x28\xb5\x2f\xfd", 4 }, { "SQLite format 3", 16 },
        { "\xca\xfe\xba\xbe", 4 }, { "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", 8 },
    };

    for (size_t i = 0; i < sizeof magics / sizeof *magics; i++)
        if (size >= magics[i].size && memcmp(bytes, magics[i].bytes, magics[i].size) == 0)
            return 1;
    return 0;
}

/* Control characters that no text has; ESC starts the colours of logs, backspace the
 * bold letters of old manuals, SUB ends files of DOS. */
static int is_binary(const uint8_t *bytes, size_t size)
{
    size_t n_control = 0, n_zero = 0;

    for (size_t i = 0; i < size; i++) {
        uint8_t c = bytes[i];

        n_zero += c == 0;
        n_control += (c < 0x20 && (c < 7 || c > 13) && c != 0x1b && c != 0x1a) || c == 0x7f;
    }
    /* A file with a few stray zero bytes is text; anything else has many. */
    return n_control * 50 > size || n_zero * 200 > size;
}

static int starts_like_html(const uint8_t *bytes, size_t size)
{
    static const char *const starts[] = { "<!doctype html", "<html", "<head", "<body" };
    const char *text = (const char *)bytes;
    size_t i = size >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;

    for (; i < size; i++) {
        if (text[i] == ' ' || (text[i] >= '\t' && text[i] <= '\r'))
            continue;
        if (text[i] != '<')
            return 0;
        for (size_t j = 0; j < sizeof starts / sizeof *starts; j++)
            if (size - i > strlen(starts[j]) && strncasecmp(text + i, starts[j], strlen(starts[j])) == 0)
                return 1;
        /* XHTML begins with a declaration and perhaps a comment. */
        if (size - i < 4 || (memcmp(text + i, "<?xm", 4) != 0 && memcmp(text + i, "<!--", 4) != 0))
            return 0;
        while (i < size && text[i] != '>')
            i++;
    }
    return 0;
}

const char *document_format_name(enum document_format format)
{
    static const char *const names[] = {
        [DOCUMENT_UNKNOWN] = "",
        [DOCUMENT_TEXT] = "text",
        [DOCUMENT_MARKDOWN] = "markdown",
        [DOCUMENT_HTML] = "html",
    };

    return names[format];
}

enum document_format document_format(const char *name, const uint8_t *bytes, size_t size)
{
    static const char *const markdown[] = { "markdown", "md", "mdown", "mdwn", "mkd", "mkdn" };
    static const char *const html[] = { "htm", "html", "shtml", "xht", "xhtml" };
    const char *extension = extension_of(name);
    struct charset wide;

    if (size > LOOKED_AT_BYTES)
        size = LOOKED_AT_BYTES;
    if (!charset_is_wide(bytes, size, &wide) &&
        (has_magic(bytes, size) || is_binary(bytes, size)))
        return DOCUMENT_UNKNOWN;
    if (is_one_of(extension, markdown, sizeof markdown / sizeof *markdown))
        return DOCUMENT_MARKDOWN;
    if (is_one_of(extension, html, sizeof html / sizeof *html))
        return DOCUMENT_HTML;
    /* Pages saved without a name that says so. A .txt is shown as it is. */
    if ((*extension == '\0' || strcasecmp(extension, "php") == 0 ||
         strcasecmp(extension, "asp") == 0) && starts_like_html(bytes, size))
        return DOCUMENT_HTML;
    return DOCUMENT_TEXT;
}

/* ---- extraction -------------------------------------------------------- */

static int write_document(struct extract *out, const struct buffer *source, ernie_error *err)
{
    struct writer writer = { .out = out, .line = 1 };
    int status = ERNIE_OK;

    if (source->size == 0)
        return ERNIE_OK;
    if (out->format == DOCUMENT_HTML)
        html_extract(&writer, source->data, source->size);
    else
        status = markdown_extract(&writer, source->data, source->size, err);
    writer_finish(&writer);
    return status;
}

int extract(const char *name, const uint8_t *bytes, size_t size, struct extract *out,
            ernie_error *err)
{
    struct charset charset;
    struct buffer source = { 0 };
    const char *declared = NULL;
    size_t declared_size = 0;
    int status;

    out->format = document_format(name, bytes, size);
    if (out->format == DOCUMENT_UNKNOWN)
        return error_set(err, ERNIE_EFORMAT, "%s: not a text", name);
    if (out->format == DOCUMENT_HTML)
        declared = html_declared_charset(bytes, size, &declared_size);
    status = charset_detect(bytes, size, declared, declared_size, &charset, err);
    if (status != ERNIE_OK)
        return status;
    strncpy(out->encoding, charset.name, sizeof out->encoding - 1);
    status = charset_decode(&charset, bytes, size, &source, &out->n_replaced, err);
    if (status == ERNIE_OK && out->format == DOCUMENT_MARKDOWN &&
        !markdown_is_tame(source.data, source.size))
        out->format = DOCUMENT_TEXT;
    if (status != ERNIE_OK || out->format == DOCUMENT_TEXT) {
        out->text = source;
        memset(&source, 0, sizeof source);
        if (status == ERNIE_OK)
            text_mark_lines(out);
    } else {
        status = write_document(out, &source, err);
    }
    buffer_append(&out->text, "", 0); /* so that an empty one is "" */
    buffer_append(&out->title, "", 0);
    buffer_append(&out->author, "", 0);
    if (status == ERNIE_OK && (out->text.failed || out->title.failed || out->author.failed))
        status = error_set(err, ERNIE_ENOMEM, "%s: out of memory", name);
    buffer_reset(&source);
    return status;
}

void extract_reset(struct extract *extract)
{
    buffer_reset(&extract->text);
    buffer_reset(&extract->title);
    buffer_reset(&extract->author);
    buffer_reset(&extract->headings);
    memory_free(extract->sections);
    memory_free(extract->marks);
    memset(extract, 0, sizeof *extract);
}

size_t extract_line(const struct extract *extract, size_t offset)
{
    size_t low = 0, high = extract->n_marks, line;

    while (low + 1 < high) {
        size_t middle = (low + high) / 2;

        if (extract->marks[middle].offset <= offset)
            low = middle;
        else
            high = middle;
    }
    if (extract->n_marks == 0)
        return 1;
    line = extract->marks[low].line;
    if (extract->format == DOCUMENT_TEXT) /* marked here and there only */
        for (size_t i = extract->marks[low].offset; i < offset && i < extract->text.size; i++)
            line += extract->text.data[i] == '\n';
    return line;
}

const struct section *extract_section(const struct extract *extract, size_t offset)
{
    size_t low = 0, high = extract->n_sections;

    while (low < high) {
        size_t middle = (low + high) / 2;

        if (extract->sections[middle].offset <= offset)
            low = middle + 1;
        else
            high = middle;
    }
    return low > 0 ? &extract->sections[low - 1] : NULL;
}

const char *extract_heading(const struct extract *extract, const struct section *section)
{
    return section != NULL && extract->headings.data != NULL
               ? extract->headings.data + section->heading
               : "";
}
