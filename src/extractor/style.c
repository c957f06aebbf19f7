#include "extractor/style.h"

#include <string.h>
#include <strings.h>

int style_level(const char *name)
{
    static const char *const headings[] = {
        "heading", "标题", "標題", "Überschrift", "Titre",
    };
    static const char *const titles[] = { "title", "标题", "標題" };
    const char *at;

    for (size_t i = 0; i < sizeof titles / sizeof *titles; i++)
        if (strcasecmp(name, titles[i]) == 0)
            return 1;
    for (size_t i = 0; i < sizeof headings / sizeof *headings; i++) {
        const size_t n = strlen(headings[i]);

        if (strncasecmp(name, headings[i], n) != 0)
            continue;
        for (at = name + n; *at == ' '; at++)
            ;
        if (*at >= '1' && *at <= '9' && at[1] == '\0')
            return *at - '0';
    }
    return STYLE_NO_LEVEL;
}

int style_is_contents(const char *name)
{
    static const char *const starts[] = { "toc", "目录", "目錄" };

    for (size_t i = 0; i < sizeof starts / sizeof *starts; i++) {
        const char *rest = name + strlen(starts[i]);

        if (strncasecmp(name, starts[i], strlen(starts[i])) == 0)
            return *rest == ' ' || (*rest >= '1' && *rest <= '9');
    }
    return 0;
}
