#include "document/format.h"

#include <string.h>
#include <strings.h>

#include "document/charset.h"

/* ---- names ------------------------------------------------------------- */

int document_format_is_complex(enum document_format format)
{
    return format >= DOCUMENT_PDF;
}

int document_format_is_container(enum document_format format)
{
    return format == DOCUMENT_ARCHIVE || format == DOCUMENT_EMAIL || format == DOCUMENT_MBOX;
}

/* ---- by name ----------------------------------------------------------- */

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
    static const char *const hopeless[] = { /* in order */
        "3gp", "a", "aac", "ai", "aiff", "ann", "apk", "ar", "avi", "avif", "azw3", "bin", "blend",
        "bmp", "br", "cab", "class", "cpio", "cur", "dat", "db", "db-ann", "db-journal", "db-shm",
        "db-wal", "deb", "djvu", "dll", "dmg", "doc", "dvi", "dylib", "elc", "eot", "exe", "flac",
        "flv", "gif", "h5", "heic", "icns", "ico", "img", "iso", "jar", "jp2", "jpeg", "jpg",
        "jxl", "ko", "la", "lo", "lz", "lz4", "lzma", "m4a", "m4v", "mdb", "mid", "midi", "mkv",
        "mo", "mobi", "mov", "mp3", "mp4", "mpeg", "mpg", "msi", "npy", "npz", "o", "obj", "ogg",
        "ogv", "onnx", "opus", "otf", "parquet", "pcap", "pickle", "pkl", "png", "ppt", "psd",
        "pt", "pth", "pyc", "pyo", "qcow2", "rar", "rlib", "rpm", "safetensors", "so", "sqlite",
        "sqlite-journal", "sqlite-shm", "sqlite-wal", "sqlite3", "swf", "tif", "tiff", "ttc",
        "ttf", "vdi", "vmdk", "war", "wasm", "wav", "webm", "webp", "whl", "wma", "wmv", "woff",
        "woff2", "xcf", "xls", "z",
    };

    return !is_one_of(extension_of(name), hopeless, sizeof hopeless / sizeof *hopeless);
}

int document_name_is_image(const char *name)
{
    static const char *const images[] = { /* in order */
        "bmp", "gif", "jpeg", "jpg", "png", "tif", "tiff", "webp",
    };

    return is_one_of(extension_of(name), images, sizeof images / sizeof *images);
}

/* What an extension promises; DOCUMENT_UNKNOWN for those that promise nothing. */
static enum document_format format_of_extension(const char *extension)
{
    static const struct {
        const char *extension;
        enum document_format format;
    } known[] = {
        { "markdown", DOCUMENT_MARKDOWN }, { "md", DOCUMENT_MARKDOWN },
        { "mdown", DOCUMENT_MARKDOWN },    { "mdwn", DOCUMENT_MARKDOWN },
        { "mkd", DOCUMENT_MARKDOWN },      { "mkdn", DOCUMENT_MARKDOWN },
        { "htm", DOCUMENT_HTML },          { "html", DOCUMENT_HTML },
        { "shtml", DOCUMENT_HTML },        { "xht", DOCUMENT_HTML },
        { "xhtml", DOCUMENT_HTML },        { "csv", DOCUMENT_CSV },
        { "tsv", DOCUMENT_CSV },           { "geojson", DOCUMENT_JSON },
        { "ipynb", DOCUMENT_JSON },        { "json", DOCUMENT_JSON },
        { "jsonl", DOCUMENT_JSON },        { "ndjson", DOCUMENT_JSON },
        { "atom", DOCUMENT_XML },          { "dbk", DOCUMENT_XML },
        { "rss", DOCUMENT_XML },           { "svg", DOCUMENT_XML },
        { "xml", DOCUMENT_XML },           { "xsd", DOCUMENT_XML },
        { "xsl", DOCUMENT_XML },           { "ass", DOCUMENT_SUBTITLES },
        { "lrc", DOCUMENT_SUBTITLES },     { "srt", DOCUMENT_SUBTITLES },
        { "ssa", DOCUMENT_SUBTITLES },     { "vtt", DOCUMENT_SUBTITLES },
        { "docx", DOCUMENT_DOCX },         { "docm", DOCUMENT_DOCX },
        { "dotx", DOCUMENT_DOCX },         { "pptx", DOCUMENT_PPTX },
        { "pptm", DOCUMENT_PPTX },         { "ppsx", DOCUMENT_PPTX },
        { "xlsx", DOCUMENT_XLSX },         { "xlsm", DOCUMENT_XLSX },
        { "odt", DOCUMENT_ODT },           { "ott", DOCUMENT_ODT },
        { "odp", DOCUMENT_ODP },           { "otp", DOCUMENT_ODP },
        { "ods", DOCUMENT_ODS },           { "ots", DOCUMENT_ODS },
        { "epub", DOCUMENT_EPUB },         { "mht", DOCUMENT_MHTML },
        { "mhtml", DOCUMENT_MHTML },       { "eml", DOCUMENT_EMAIL },
        { "mbox", DOCUMENT_MBOX },         { "zip", DOCUMENT_ARCHIVE },
    };
    /* In order. */
    static const char *const source[] = {
        "ada",   "adb", "ads",  "asm",  "awk", "bas",  "bash", "c",   "cc",    "clj", "cljs",
        "cpp",   "cr",  "cs",   "cu",   "cxx", "d",    "dart", "el",  "erl",   "ex",  "exs",
        "f",     "f90", "f95",  "fs",   "go",  "groovy", "h",  "hh",  "hpp",   "hrl", "hs",
        "hxx",   "ino", "java", "jl",   "js",  "jsx",  "kt",   "kts", "lisp",  "lua", "m",
        "mjs",   "ml",  "mli",  "mm",   "nim", "pas",  "php",  "pl",  "pm",    "ps1", "py",
        "pyi",   "r",   "rb",   "rkt",  "rs",  "s",    "scala", "scm", "sh",   "sql", "sv",
        "swift", "tcl", "ts",   "tsx",  "v",   "vala", "vb",   "vhd", "vhdl",  "vue", "zig",
        "zsh",
    };

    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcasecmp(known[i].extension, extension) == 0)
            return known[i].format;
    return is_one_of(extension, source, sizeof source / sizeof *source) ? DOCUMENT_SOURCE
                                                                         : DOCUMENT_UNKNOWN;
}

/* Of a document of one file: the declaration and the first element, with its namespaces. */
#define FLAT_HEAD_BYTES 8192

/* ---- by the first bytes ------------------------------------------------ */

static int has(const uint8_t *bytes, size_t size, size_t offset, const char *what, size_t n)
{
    return size >= offset && size - offset >= n && memcmp(bytes + offset, what, n) == 0;
}

static int contains(const uint8_t *bytes, size_t size, const char *what)
{
    return size > 0 && memmem(bytes, size, what, strlen(what)) != NULL;
}

/* A zip is many things. The documents that say so themselves do it in their first member;
 * those of Office are known by the folders that the members are in. */
static enum document_format format_of_zip(const char *extension, const uint8_t *bytes, size_t size)
{
    static const struct {
        const char *type;
        enum document_format format;
    } types[] = {
        { "mimetypeapplication/epub+zip", DOCUMENT_EPUB },
        { "mimetypeapplication/vnd.oasis.opendocument.text", DOCUMENT_ODT },
        { "mimetypeapplication/vnd.oasis.opendocument.presentation", DOCUMENT_ODP },
        { "mimetypeapplication/vnd.oasis.opendocument.spreadsheet", DOCUMENT_ODS },
    };
    const enum document_format promised = format_of_extension(extension);

    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (has(bytes, size, 30, types[i].type, strlen(types[i].type)))
            return types[i].format;
    if (promised >= DOCUMENT_DOCX && promised <= DOCUMENT_EPUB)
        return promised;
    if (contains(bytes, size, "[Content_Types].xml")) {
        if (contains(bytes, size, "word/"))
            return DOCUMENT_DOCX;
        if (contains(bytes, size, "ppt/"))
            return DOCUMENT_PPTX;
        if (contains(bytes, size, "xl/"))
            return DOCUMENT_XLSX;
    }
    return DOCUMENT_ARCHIVE;
}

/* Its three letters might begin a text; the digits of pi (or those of its square root, in an
 * empty file) follow one byte later. */
static int is_bzip2(const uint8_t *bytes, size_t size)
{
    return has(bytes, size, 0, "BZh", 3) &&
           (has(bytes, size, 4, "1AY&SY", 6) || has(bytes, size, 4, "\x17rE8P\x90", 6));
}

/* What begins with the mark of a format that is not text. 0: nothing we know the mark of. */
static int format_of_mark(const char *name, const uint8_t *bytes, size_t size,
                          enum document_format *out)
{
    static const struct {
        size_t offset;
        const char *bytes;
        size_t size;
        enum document_format format;
    } marks[] = {
        { 0, "{\\rtf", 5, DOCUMENT_RTF },
        { 0, "\x1f\x8b", 2, DOCUMENT_ARCHIVE },         /* gzip */
        { 0, "\xfd" "7zXZ", 5, DOCUMENT_ARCHIVE },      /* xz */
        { 0, "\x28\xb5\x2f\xfd", 4, DOCUMENT_ARCHIVE }, /* Zstandard */
        { 0, "7z\xbc\xaf", 4, DOCUMENT_ARCHIVE },
        { 257, "ustar", 5, DOCUMENT_ARCHIVE },
        { 0, "\x89PNG", 4, DOCUMENT_IMAGE },
        { 0, "\xff\xd8\xff", 3, DOCUMENT_IMAGE }, /* JPEG */
        { 0, "GIF8", 4, DOCUMENT_IMAGE },
        { 0, "II*\0", 4, DOCUMENT_IMAGE }, /* TIFF */
        { 0, "MM\0*", 4, DOCUMENT_IMAGE },
        { 0, "%!PS-Adobe", 10, DOCUMENT_UNKNOWN },
        { 0, "\x7f" "ELF", 4, DOCUMENT_UNKNOWN },
        { 0, "Rar!\x1a\7", 6, DOCUMENT_UNKNOWN },
        { 0, "!<arch>\n", 8, DOCUMENT_UNKNOWN },
        { 0, "SQLite format 3", 16, DOCUMENT_UNKNOWN },
        { 0, "\xca\xfe\xba\xbe", 4, DOCUMENT_UNKNOWN },
        { 0, "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", 8, DOCUMENT_UNKNOWN }, /* Office before 2007 */
    };

    if (has(bytes, size, 0, "PK\3\4", 4) || has(bytes, size, 0, "PK\5\6", 4)) {
        *out = format_of_zip(extension_of(name), bytes, size);
        return 1;
    }
    /* Mail programs and printers put lines before it; readers accept a kilobyte of them. */
    if (has(bytes, size, 0, "%PDF-", 5) ||
        (strcasecmp(extension_of(name), "pdf") == 0 &&
         contains(bytes, size < 1024 ? size : 1024, "%PDF-"))) {
        *out = DOCUMENT_PDF;
        return 1;
    }
    /* The two letters of a bitmap may begin a text; four reserved bytes are 0. */
    if ((has(bytes, size, 0, "RIFF", 4) && has(bytes, size, 8, "WEBP", 4)) ||
        (has(bytes, size, 0, "BM", 2) && has(bytes, size, 6, "\0\0\0\0", 4))) {
        *out = DOCUMENT_IMAGE;
        return 1;
    }
    if (is_bzip2(bytes, size)) {
        *out = DOCUMENT_ARCHIVE;
        return 1;
    }
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++) {
        if (has(bytes, size, marks[i].offset, marks[i].bytes, marks[i].size)) {
            *out = marks[i].format;
            return 1;
        }
    }
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

/* Whether the text begins as mail does (RFC 5322): lines of headers, among them two that
 * all mail has and little else. Mail folders give their messages no extension. */
static int starts_like_mail(const uint8_t *bytes, size_t size)
{
    static const char *const telling[] = { "from:", "date:", "message-id:", "received:",
                                           "return-path:", "delivered-to:", "mime-version:" };
    const char *line = (const char *)bytes, *const end = line + size, *line_end;
    size_t n_telling = 0;

    for (; line < end && *line != '\n' && *line != '\r'; line = line_end + 1) {
        size_t n = 0;

        line_end = memchr(line, '\n', (size_t)(end - line));
        if (line_end == NULL)
            break;
        if (*line == ' ' || *line == '\t')
            continue; /* the header before goes on */
        while (line + n < line_end && line[n] > ' ' && line[n] != ':' && line[n] != 0x7f)
            n++;
        if (n == 0 || line[n] != ':')
            return 0;
        for (size_t i = 0; i < sizeof telling / sizeof *telling; i++)
            n_telling += n + 1 == strlen(telling[i]) &&
                         strncasecmp(line, telling[i], n + 1) == 0;
    }
    return n_telling >= 2;
}

static int starts_like_mbox(const uint8_t *bytes, size_t size)
{
    const uint8_t *line_end;

    if (!has(bytes, size, 0, "From ", 5))
        return 0;
    line_end = memchr(bytes, '\n', size);
    return line_end != NULL && starts_like_mail(line_end + 1, size - (size_t)(line_end + 1 - bytes));
}

/* OpenDocument in one XML file, which says in its first element what it is. */
static enum document_format format_of_flat_document(const uint8_t *bytes, size_t size)
{
    static const struct {
        const char *type;
        enum document_format format;
    } types[] = {
        { "office:mimetype=\"application/vnd.oasis.opendocument.text", DOCUMENT_ODT },
        { "office:mimetype=\"application/vnd.oasis.opendocument.presentation", DOCUMENT_ODP },
        { "office:mimetype=\"application/vnd.oasis.opendocument.graphics", DOCUMENT_ODP },
        { "office:mimetype=\"application/vnd.oasis.opendocument.spreadsheet", DOCUMENT_ODS },
    };

    size = size < FLAT_HEAD_BYTES ? size : FLAT_HEAD_BYTES;
    if (!contains(bytes, size, "<office:document"))
        return DOCUMENT_UNKNOWN;
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (contains(bytes, size, types[i].type))
            return types[i].format;
    return DOCUMENT_UNKNOWN;
}

/* A text that has no mark: its name says of which kind it is, where its start agrees. */
static enum document_format format_of_text(const char *name, const uint8_t *bytes, size_t size)
{
    const char *extension = extension_of(name);
    const enum document_format promised = format_of_extension(extension);
    const enum document_format flat = format_of_flat_document(bytes, size);

    if (flat != DOCUMENT_UNKNOWN && (promised == DOCUMENT_UNKNOWN || promised == DOCUMENT_XML) &&
        strcasecmp(extension, "txt") != 0)
        return flat;
    switch (promised) {
    case DOCUMENT_SOURCE: /* a template of PHP is a page with a few instructions in it */
        return strcasecmp(extension, "php") == 0 && starts_like_html(bytes, size)
                   ? DOCUMENT_HTML
                   : DOCUMENT_SOURCE;
    case DOCUMENT_MARKDOWN:
    case DOCUMENT_HTML:
    case DOCUMENT_CSV:
    case DOCUMENT_JSON:
    case DOCUMENT_XML:
    case DOCUMENT_SUBTITLES:
    case DOCUMENT_MHTML:
    case DOCUMENT_EMAIL:
    case DOCUMENT_MBOX:
        return promised;
    case DOCUMENT_UNKNOWN:
        break;
    default: /* a .docx without a zip in it */
        return DOCUMENT_TEXT;
    }
    /* Pages saved without a name that says so. A .txt is shown as it is. */
    if ((*extension == '\0' || strcasecmp(extension, "asp") == 0) && starts_like_html(bytes, size))
        return DOCUMENT_HTML;
    if (strcasecmp(extension, "txt") != 0 && starts_like_mbox(bytes, size))
        return DOCUMENT_MBOX;
    if (strcasecmp(extension, "txt") != 0 && starts_like_mail(bytes, size))
        return DOCUMENT_EMAIL;
    return DOCUMENT_TEXT;
}

enum document_format document_format(const char *name, const uint8_t *bytes, size_t size)
{
    enum document_format format;
    struct charset wide;

    if (size > DOCUMENT_FORMAT_BYTES)
        size = DOCUMENT_FORMAT_BYTES;
    /* Before UTF-16 without a mark is thought of: compressed bytes can look like it. */
    if (format_of_mark(name, bytes, size, &format))
        return format;
    if (!charset_is_wide(bytes, size, &wide) && is_binary(bytes, size))
        return DOCUMENT_UNKNOWN;
    return format_of_text(name, bytes, size);
}
