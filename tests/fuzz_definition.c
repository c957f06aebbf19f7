/* Any arguments of CREATE VIRTUAL TABLE … USING ernie(…), a line each: what is accepted
 * makes a table with the columns it should have, and nothing else, or SQLite refuses it (a
 * type that is a word of SQL). For libFuzzer, built on
 * request:
 *
 *     ./configure CC=clang CFLAGS='-g -O1 -fsanitize=fuzzer-no-link,address,undefined' LIBS=-lgomp
 *     make fuzz_definition && ./fuzz_definition -max_len=400
 */
#include <sqlite3.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "sql/vectors_definition.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MAX_ARGUMENTS 16

/* What sqlite3_declare_vtab does with it, where anybody can look. */
static void check_declaration(const struct vectors_definition *definition, const char *sql)
{
    sqlite3_stmt *columns;
    sqlite3 *db;
    size_t n = 0;

    sqlite3_open(":memory:", &db);
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK) {
        sqlite3_close(db);
        return;
    }
    sqlite3_prepare_v2(db, "SELECT name FROM pragma_table_xinfo('x')", -1, &columns, NULL);
    while (sqlite3_step(columns) == SQLITE_ROW) {
        if (n < definition->n && strcmp((const char *)sqlite3_column_text(columns, 0),
                                        definition->column[n].name) != 0)
            abort();
        n++;
    }
    if (n != definition->n + N_HIDDEN)
        abort();
    sqlite3_finalize(columns);
    /* One statement, and one table. */
    sqlite3_prepare_v2(db, "SELECT count(*) FROM sqlite_master", -1, &columns, NULL);
    if (sqlite3_step(columns) != SQLITE_ROW || sqlite3_column_int(columns, 0) != 1)
        abort();
    sqlite3_finalize(columns);
    sqlite3_close(db);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *arguments[MAX_ARGUMENTS];
    struct vectors_definition definition;
    char *text = memory_copy_text((const char *)data, size), *declaration;
    size_t n = 0;
    ernie_error err;

    for (char *line = strtok(text, "\n"); line != NULL && n < MAX_ARGUMENTS;
         line = strtok(NULL, "\n"))
        arguments[n++] = line;
    if (vectors_definition_parse("notes", n, arguments, &definition, &err) == ERNIE_OK) {
        declaration = vectors_definition_declare(&definition, "notes");
        check_declaration(&definition, declaration);
        memory_free(declaration);
        vectors_definition_reset(&definition);
    } else if (err.code == ERNIE_OK || err.message[0] == '\0') {
        abort();
    }
    memory_free(text);
    return 0;
}
