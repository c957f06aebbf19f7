#include "extractor/image.h"

#include <leptonica/allheaders.h>
#include <string.h>
#include <tesseract/capi.h>

#include "base/utf8.h"
#include "extractor/formats.h"

/* A page at 300 points an inch has 2,500 by 3,500; larger ones are photographs, and take
 * longer without showing more words. Past MAX_PIXELS an image is not unpacked at all. */
#define MAX_SIDE   3600
#define MAX_PIXELS 100000000.0
/* Of 100. Clear print has 85 to 96, leaves and clouds have 10 to 40. */
#define MIN_CONFIDENCE 55

/* Made by image_prepare, since making it reads files; the process reads one image. */
static TessBaseAPI *engine;

void image_prepare(void)
{
    static const char *const languages[] = { "chi_sim+eng", "eng", "chi_sim" };

    setMsgSeverity(L_SEVERITY_NONE);
    for (size_t i = 0; i < sizeof languages / sizeof *languages; i++) {
        engine = TessBaseAPICreate();
        if (engine == NULL || TessBaseAPIInit3(engine, NULL, languages[i]) == 0)
            return;
        TessBaseAPIDelete(engine);
        engine = NULL;
    }
}

/* ---- the picture ------------------------------------------------------- */

static int read_picture(const uint8_t *bytes, size_t size, PIX **out, ernie_error *err)
{
    l_int32 format, width, height, bits, samples, has_palette;
    PIX *whole, *smaller;
    double longest;

    /* The head says how large it is; believed only so far as to refuse it. */
    if (pixReadHeaderMem(bytes, size, &format, &width, &height, &bits, &samples,
                         &has_palette) != 0)
        return error_set(err, ERNIE_EFORMAT, "not an image that can be read");
    if (width <= 0 || height <= 0 || (double)width * height > MAX_PIXELS)
        return error_set(err, ERNIE_EFORMAT, "an image of %d x %d points", width, height);
    whole = pixReadMem(bytes, size);
    if (whole == NULL)
        return error_set(err, ERNIE_EFORMAT, "not an image that can be read");
    longest = pixGetWidth(whole) > pixGetHeight(whole) ? pixGetWidth(whole) : pixGetHeight(whole);
    *out = whole;
    if (longest <= MAX_SIDE)
        return ERNIE_OK;
    smaller = pixScale(whole, (l_float32)(MAX_SIDE / longest), (l_float32)(MAX_SIDE / longest));
    pixDestroy(&whole);
    *out = smaller;
    return smaller != NULL ? ERNIE_OK : error_set(err, ERNIE_ENOMEM, "takes too much memory");
}

/* ---- the words --------------------------------------------------------- */

static int is_chinese(uint32_t c)
{
    return (c >= 0x2e80 && c <= 0x9fff) || (c >= 0xf900 && c <= 0xfaff) ||
           (c >= 0xff01 && c <= 0xff60) || (c >= 0x20000 && c <= 0x3ffff);
}

/* Writes a line without the spaces that Tesseract puts between Chinese characters. */
static void write_line(struct writer *writer, const char *line, size_t size)
{
    uint32_t last = 0;
    size_t n;

    for (size_t i = 0; i < size; i += n) {
        const uint32_t c = utf8_decode(line + i, size - i, &n, NULL);
        size_t after = i, m = 0;

        while (after < size && line[after] == ' ')
            after++;
        if (after > i && after < size && is_chinese(last) &&
            is_chinese(utf8_decode(line + after, size - after, &m, NULL))) {
            n = after - i;
            continue;
        }
        writer_words(writer, line + i, n);
        last = c;
    }
}

/* The lines that are read with some certainty: of what is no writing Tesseract makes words
 * too. */
static void write_lines(struct writer *writer, TessResultIterator *lines)
{
    const TessPageIterator *place = TessResultIteratorGetPageIteratorConst(lines);

    do {
        char *line = TessResultIteratorGetUTF8Text(lines, RIL_TEXTLINE);
        size_t size = line != NULL ? strlen(line) : 0;

        while (size > 0 && (line[size - 1] == '\n' || line[size - 1] == ' '))
            size--;
        if (TessPageIteratorIsAtBeginningOf(place, RIL_PARA))
            writer_break(writer, 2);
        if (size > 0 && TessResultIteratorConfidence(lines, RIL_TEXTLINE) >= MIN_CONFIDENCE) {
            write_line(writer, line, size);
            writer_words(writer, "\n", 1);
        }
        TessDeleteText(line);
    } while (TessResultIteratorNext(lines, RIL_TEXTLINE));
}

int image_extract(struct writer *writer, const uint8_t *bytes, size_t size, ernie_error *err)
{
    PIX *picture = NULL;
    TessResultIterator *lines;
    int status;

    if (engine == NULL)
        return error_set(err, ERNIE_EFORMAT, "Tesseract has no language installed");
    status = read_picture(bytes, size, &picture, err);
    if (status != ERNIE_OK)
        return status;
    TessBaseAPISetImage2(engine, picture);
    TessBaseAPISetPageSegMode(engine, PSM_AUTO);
    if (TessBaseAPIRecognize(engine, NULL) != 0)
        status = error_set(err, ERNIE_EFORMAT, "an image that Tesseract cannot read");
    lines = status == ERNIE_OK ? TessBaseAPIGetIterator(engine) : NULL;
    if (lines != NULL) { /* else there is no word in it */
        write_lines(writer, lines);
        TessResultIteratorDelete(lines);
    }
    pixDestroy(&picture);
    return status;
}
