#include "extractor/relations.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "extractor/properties.h"
#include "extractor/xml.h"

#define MAX_RELATIONS 65536
#define MAX_TARGET    1024

enum { RELATIONSHIP = 1 };

static const struct xml_name names[] = { { "rel:Relationship", RELATIONSHIP } };

struct reading {
    struct relations *relations;
    size_t capacity;
    const char *from; /* the part that the targets are relative to */
    int failed;       /* memory ran out */
};

static struct relation *add(struct reading *reading)
{
    struct relations *relations = reading->relations;

    if (relations->n == reading->capacity) {
        size_t capacity = reading->capacity < 16 ? 16 : reading->capacity * 2;
        struct relation *grown = memory_resize(relations->relations, capacity, sizeof *grown);

        if (grown == NULL) {
            reading->failed = 1;
            return NULL;
        }
        relations->relations = grown;
        reading->capacity = capacity;
    }
    return &relations->relations[relations->n++];
}

static int start(void *data, int kind, const struct xml_element *element)
{
    struct reading *reading = data;
    struct relation *relation;
    char value[MAX_TARGET];
    const char *type;
    size_t n;

    (void)kind;
    xml_attribute(element, "TargetMode", value, sizeof value);
    if (strcmp(value, "External") == 0 || reading->relations->n >= MAX_RELATIONS)
        return 1;
    relation = add(reading);
    if (relation == NULL)
        return 1;
    xml_attribute(element, "Id", relation->id, sizeof relation->id);
    xml_attribute(element, "Type", value, sizeof value);
    type = strrchr(value, '/');
    type = type != NULL ? type + 1 : value;
    n = strlen(type) < sizeof relation->type ? strlen(type) : sizeof relation->type - 1;
    memcpy(relation->type, type, n);
    relation->type[n] = '\0';
    xml_attribute(element, "Target", value, sizeof value);
    package_resolve(reading->from, value, relation->target, sizeof relation->target);
    return 1;
}

/* "word/document.xml" has its own in "word/_rels/document.xml.rels". */
static int part_of(const char *part, char *name, size_t capacity)
{
    const char *slash = strrchr(part, '/');
    const int n_folder = slash != NULL ? (int)(slash - part) + 1 : 0;

    return snprintf(name, capacity, "%.*s_rels/%s.rels", n_folder, part, part + n_folder) <
           (int)capacity;
}

int relations_read(struct relations *relations, const struct package *package, const char *from,
                   ernie_error *err)
{
    static const struct xml_handler handler = {
        .names = names,
        .n_names = sizeof names / sizeof *names,
        .start = start,
    };
    struct reading reading = { .relations = relations, .from = from };
    const struct part *part;
    char name[300];
    int status = ERNIE_OK;

    part = part_of(from, name, sizeof name) ? package_part(package, name) : NULL;
    if (part != NULL)
        status = xml_read(name, &part->bytes, &handler, &reading, NULL, err);
    if (status == ERNIE_OK && reading.failed)
        status = error_set(err, ERNIE_ENOMEM, "%s: out of memory", name);
    return status;
}

void relations_reset(struct relations *relations)
{
    memory_free(relations->relations);
    memset(relations, 0, sizeof *relations);
}

const struct part *relations_by_id(const struct relations *relations,
                                   const struct package *package, const char *id)
{
    for (size_t i = 0; i < relations->n; i++)
        if (strcmp(relations->relations[i].id, id) == 0)
            return package_part(package, relations->relations[i].target);
    return NULL;
}

const struct part *relations_by_type(const struct relations *relations,
                                     const struct package *package, const char *type)
{
    for (size_t i = 0; i < relations->n; i++)
        if (strcmp(relations->relations[i].type, type) == 0)
            return package_part(package, relations->relations[i].target);
    return NULL;
}

static int is_wanted(const char *name)
{
    return package_name_ends(name, ".xml") || package_name_ends(name, ".rels");
}

int office_open(struct package *package, const uint8_t *bytes, size_t size, const char *usually,
                const struct part **main_part, struct extract *out, ernie_error *err)
{
    struct relations relations = { 0 };
    const struct part *properties;
    int status;

    status = package_open(package, bytes, size, is_wanted, err);
    if (status == ERNIE_OK)
        status = relations_read(&relations, package, "", err);
    if (status != ERNIE_OK)
        goto done;
    *main_part = relations_by_type(&relations, package, "officeDocument");
    if (*main_part == NULL)
        *main_part = package_part(package, usually);
    if (*main_part == NULL) {
        status = error_set(err, ERNIE_EFORMAT, "%s: missing", usually);
        goto done;
    }
    properties = relations_by_type(&relations, package, "core-properties");
    status = properties_read(out, package,
                             properties != NULL ? properties->name : "docProps/core.xml", err);
done:
    relations_reset(&relations);
    return status;
}
