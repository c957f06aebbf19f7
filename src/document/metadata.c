#include "document/metadata.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* Of an author: lists of a hundred names are cut. */
#define MAX_LINE_BYTES 400

struct scanner {
    const char *text;
    size_t size, at;
};

struct date {
    unsigned year, month, day;
    unsigned hour, minute, second;
    int has_time;
    char zone[8]; /* "Z", "+08:00", or "" */
};

/* ---- pieces ------------------------------------------------------------ */

static void skip_spaces(struct scanner *scanner)
{
    while (scanner->at < scanner->size && (unsigned char)scanner->text[scanner->at] <= ' ')
        scanner->at++;
}

/* The digits that come next, at most max of them; how many there are. */
static unsigned take_number(struct scanner *scanner, unsigned max, unsigned *out)
{
    unsigned n = 0;

    *out = 0;
    while (n < max && scanner->at < scanner->size && scanner->text[scanner->at] >= '0' &&
           scanner->text[scanner->at] <= '9') {
        *out = *out * 10 + (unsigned)(scanner->text[scanner->at++] - '0');
        n++;
    }
    return n;
}

static int take(struct scanner *scanner, const char *what)
{
    const size_t n = strlen(what);

    if (scanner->size - scanner->at < n || memcmp(scanner->text + scanner->at, what, n) != 0)
        return 0;
    scanner->at += n;
    return 1;
}

/* A month by its English name, or the first three letters of it. 0: none. */
static unsigned take_month(struct scanner *scanner)
{
    static const char *const months[] = { "january",   "february", "march",    "april",
                                          "may",       "june",     "july",     "august",
                                          "september", "october",  "november", "december" };
    size_t n = 0;

    while (scanner->at + n < scanner->size && (scanner->text[scanner->at + n] | 0x20) >= 'a' &&
           (scanner->text[scanner->at + n] | 0x20) <= 'z')
        n++;
    for (unsigned i = 0; n >= 3 && i < 12; i++) {
        if (n > strlen(months[i]) || strncasecmp(scanner->text + scanner->at, months[i], n) != 0)
            continue;
        scanner->at += n;
        return i + 1;
    }
    return 0;
}

/* ---- times ------------------------------------------------------------- */

static void read_zone(struct scanner *scanner, struct date *date)
{
    unsigned hours, minutes = 0;
    char sign;

    skip_spaces(scanner);
    if (take(scanner, "Z") || take(scanner, "GMT") || take(scanner, "UTC") || take(scanner, "UT")) {
        strcpy(date->zone, "Z");
        return;
    }
    if (scanner->at == scanner->size)
        return;
    sign = scanner->text[scanner->at];
    if (sign != '+' && sign != '-')
        return;
    scanner->at++;
    if (take_number(scanner, 2, &hours) != 2)
        return;
    take(scanner, ":");
    take_number(scanner, 2, &minutes);
    if (hours <= 14 && minutes < 60)
        snprintf(date->zone, sizeof date->zone, "%c%02u:%02u", sign, hours, minutes);
}

static void read_time(struct scanner *scanner, struct date *date)
{
    unsigned fraction;

    if (!take(scanner, "T"))
        skip_spaces(scanner);
    if (take_number(scanner, 2, &date->hour) == 0 || !take(scanner, ":") ||
        take_number(scanner, 2, &date->minute) != 2)
        return;
    date->second = 0;
    if (take(scanner, ":") && take_number(scanner, 2, &date->second) == 2 && take(scanner, "."))
        take_number(scanner, 9, &fraction);
    date->has_time = date->hour < 24 && date->minute < 60 && date->second <= 60;
    if (date->has_time)
        read_zone(scanner, date);
}

/* ---- days -------------------------------------------------------------- */

/* 2024-1-31, 2024/01/31, 2024.1.31, 2024年1月31日, 20240131 */
static int read_year_first(struct scanner *scanner, struct date *date)
{
    static const char *const marks[][3] = {
        { "-", "-", "" }, { "/", "/", "" }, { ".", ".", "" },
        { "\xe5\xb9\xb4", "\xe6\x9c\x88", "\xe6\x97\xa5" }, { "", "", "" },
    };

    if (take_number(scanner, 4, &date->year) != 4)
        return 0;
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++) {
        const unsigned least = marks[i][0][0] == '\0' ? 2 : 1;

        if (take(scanner, marks[i][0]))
            return take_number(scanner, 2, &date->month) >= least && take(scanner, marks[i][1]) &&
                   take_number(scanner, 2, &date->day) >= least && take(scanner, marks[i][2]);
    }
    return 0;
}

/* [Wed,] 31 Jan 2024 */
static int read_day_first(struct scanner *scanner, struct date *date)
{
    const char *comma = memchr(scanner->text, ',', scanner->size < 12 ? scanner->size : 12);

    if (comma != NULL && (scanner->text[0] < '0' || scanner->text[0] > '9'))
        scanner->at = (size_t)(comma - scanner->text) + 1;
    skip_spaces(scanner);
    if (take_number(scanner, 2, &date->day) == 0)
        return 0;
    skip_spaces(scanner);
    date->month = take_month(scanner);
    take(scanner, ",");
    skip_spaces(scanner);
    return date->month > 0 && take_number(scanner, 4, &date->year) == 4;
}

/* January 31, 2024 */
static int read_month_first(struct scanner *scanner, struct date *date)
{
    date->month = take_month(scanner);
    skip_spaces(scanner);
    if (date->month == 0 || take_number(scanner, 2, &date->day) == 0)
        return 0;
    take(scanner, ",");
    skip_spaces(scanner);
    return take_number(scanner, 4, &date->year) == 4;
}

static int is_a_day(const struct date *date)
{
    static const unsigned n_days[] = { 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    const int leap = date->year % 4 == 0 && (date->year % 100 != 0 || date->year % 400 == 0);

    return date->year > 0 && date->month >= 1 && date->month <= 12 && date->day >= 1 &&
           date->day <= n_days[date->month - 1] && (date->month != 2 || date->day < 29 || leap);
}

int metadata_date(const char *text, size_t size, char out[32])
{
    static int (*const readers[])(struct scanner *, struct date *) = {
        read_year_first, read_day_first, read_month_first
    };

    while (size > 0 && (unsigned char)*text <= ' ')
        text++, size--;
    for (size_t i = 0; i < sizeof readers / sizeof *readers; i++) {
        struct scanner scanner = { .text = text, .size = size };
        struct date date = { 0 };

        if (size == 0 || !readers[i](&scanner, &date) || !is_a_day(&date))
            continue;
        read_time(&scanner, &date);
        if (date.has_time)
            snprintf(out, 32, "%04u-%02u-%02uT%02u:%02u:%02u%s", date.year % 10000,
                     date.month % 100, date.day % 100, date.hour % 100, date.minute % 100,
                     date.second % 100, date.zone);
        else
            snprintf(out, 32, "%04u-%02u-%02u", date.year % 10000, date.month % 100,
                     date.day % 100);
        return 1;
    }
    return 0;
}

/* ---- into the extract -------------------------------------------------- */

void metadata_set_date(struct extract *out, const char *text, size_t size)
{
    char date[32];

    if (out->date[0] == '\0' && metadata_date(text, size, date))
        memcpy(out->date, date, sizeof date);
}

void metadata_set_language(struct extract *out, const char *text, size_t size)
{
    char tag[sizeof out->language];
    size_t n = 0;

    if (out->language[0] != '\0')
        return;
    for (; n < size && n < sizeof tag - 1; n++) {
        const char c = text[n] == '_' ? '-' : text[n];

        if (c != '-' && (c < '0' || c > '9') && ((c | 0x20) < 'a' || (c | 0x20) > 'z'))
            break;
        tag[n] = c;
    }
    /* Two letters at least; cut where a subtag ends. */
    if (n == sizeof tag - 1 && n < size)
        while (n > 0 && tag[n] != '-')
            n--;
    if (n < 2 || tag[0] == '-' || tag[1] == '-')
        return;
    memcpy(out->language, tag, n);
    out->language[n] = '\0';
}

static void set_line(struct buffer *line, const char *text, size_t size)
{
    int space = 0;

    if (line->size > 0)
        return;
    for (size_t i = 0; i < size; i++) {
        if ((unsigned char)text[i] <= ' ') {
            space = line->size > 0;
            continue;
        }
        if (line->size >= MAX_LINE_BYTES && ((unsigned char)text[i] & 0xc0) != 0x80)
            break; /* before a whole character */
        if (space)
            buffer_append_char(line, ' ');
        space = 0;
        buffer_append_char(line, text[i]);
    }
}

void metadata_set_author(struct extract *out, const char *text, size_t size)
{
    set_line(&out->author, text, size);
}

void metadata_set_title(struct extract *out, const char *text, size_t size)
{
    set_line(&out->title, text, size);
}
