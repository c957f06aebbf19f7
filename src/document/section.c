/* Looking up sections of a text: apart from the making of them, for those that only cut. */
#include "document/extract.h"

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
