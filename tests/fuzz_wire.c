/* Any bytes as what a helper program says: refused, or of the form that wire.h promises. For
 * libFuzzer, built on request:
 *
 *     ./configure CC=clang CFLAGS='-g -O1 -fsanitize=fuzzer-no-link,address,undefined' LIBS=-lgomp
 *     make fuzz_wire && ./fuzz_wire -max_len=4000
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "document/wire.h"

#define HOLDS(condition) \
    do { \
        if (!(condition)) { \
            fprintf(stderr, "fuzz_wire: %s\n", #condition); \
            abort(); \
        } \
    } while (0)

static int is_line(const char *text)
{
    return strpbrk(text, "\n\r\t") == NULL && utf8_valid(text, strlen(text));
}

static void check_extract(const struct extract *extract)
{
    size_t line = 0;

    HOLDS(extract->text.data != NULL);
    HOLDS(strlen(extract->text.data) == extract->text.size);
    HOLDS(utf8_valid(extract->text.data, extract->text.size));
    HOLDS(is_line(extract->title.data) && is_line(extract->author.data));
    HOLDS(extract->format > DOCUMENT_UNKNOWN && extract->format < DOCUMENT_N_FORMATS);
    for (size_t i = 0; i < extract->n_sections; i++) {
        HOLDS(extract->sections[i].offset <= extract->text.size);
        HOLDS(is_line(extract_heading(extract, &extract->sections[i])));
    }
    for (size_t i = 0; i <= extract->text.size; i++) {
        const struct section *section = extract_section(extract, i);

        HOLDS(section == NULL || section->offset <= i);
        line += extract_line(extract, i);
    }
    HOLDS(line > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct wire_message message = { 0 };
    enum wire_type type;
    size_t payload_size;
    ernie_error err;

    if (size < WIRE_HEADER_BYTES)
        return 0;
    if (wire_parse_header(bytes, &type, &payload_size, &err) == ERNIE_OK &&
        wire_parse(type, bytes + WIRE_HEADER_BYTES, size - WIRE_HEADER_BYTES, &message, &err) ==
            ERNIE_OK) {
        HOLDS(message.name[0] == '\0' || wire_name_is_clean(message.name, strlen(message.name)));
        if (type == WIRE_TEXT)
            check_extract(&message.extract);
        if (type == WIRE_MEMBER)
            HOLDS(message.bytes + message.n_bytes == bytes + size && message.name[0] != '\0');
        if (type == WIRE_FAILURE || type == WIRE_UNREAD)
            HOLDS(is_line(message.words));
    }
    wire_message_reset(&message);
    return 0;
}
