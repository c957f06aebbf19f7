/* Prints what is read from documents, for compare_office.py and for the eye: the format's name
 * and a file on the command line. Built on request: make office_text. */
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "extractor/formats.h"

static int print_member(void *data, const char *name, const uint8_t *bytes, size_t size,
                        ernie_error *err)
{
    (void)data, (void)bytes, (void)err;
    printf("member %s: %zu bytes\n", name, size);
    return ERNIE_OK;
}

static int read_document(struct writer *writer, const char *format, const uint8_t *bytes,
                         size_t size, ernie_error *err)
{
    static const struct {
        const char *name;
        int (*extract)(struct writer *, const uint8_t *, size_t, ernie_error *);
    } formats[] = {
        { "docx", docx_extract },
        { "epub", epub_extract },
        { "mhtml", mhtml_extract },
        { "odp", odp_extract },
        { "ods", ods_extract },
        { "odt", odt_extract },
        { "pptx", pptx_extract },
        { "rtf", rtf_extract },
        { "xlsx", xlsx_extract },
    };

    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
        if (strcmp(formats[i].name, format) == 0)
            return formats[i].extract(writer, bytes, size, err);
    if (strcmp(format, "email") == 0)
        return mail_extract(writer, bytes, size, print_member, NULL, err);
    if (strcmp(format, "mbox") == 0)
        return mbox_extract(bytes, size, print_member, NULL, err);
    return error_set(err, ERNIE_EINVAL, "%s: not a format", format);
}

static void print(const struct extract *out)
{
    printf("title: %s\nauthor: %s\nlanguage: %s\ndate: %s\n",
           out->title.data != NULL ? out->title.data : "",
           out->author.data != NULL ? out->author.data : "", out->language, out->date);
    for (size_t i = 0; i < out->n_sections; i++)
        printf("section at %zu: page %u, level %u, %s\n", out->sections[i].offset,
               out->sections[i].page, out->sections[i].level,
               extract_heading(out, &out->sections[i]));
    putchar('\n');
    fwrite(out->text.data, 1, out->text.size, stdout);
}

int main(int argc, char **argv)
{
    struct extract out = { 0 };
    struct writer writer = { .out = &out, .line = 1 };
    struct file file;
    ernie_error err;
    int status;

    if (argc != 3) {
        fprintf(stderr, "usage: office_text FORMAT FILE\n");
        return 2;
    }
    status = file_read(argv[2], 1u << 30, &file, &err);
    if (status == ERNIE_OK) {
        status = read_document(&writer, argv[1], file.data, file.size, &err);
        file_reset(&file);
    }
    if (status == ERNIE_OK)
        print(&out);
    else
        fprintf(stderr, "office_text: %s\n", err.message);
    extract_reset(&out);
    return status != ERNIE_OK;
}
