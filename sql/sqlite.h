/* SQLite as this file is compiled for: the host's function table inside the
 * extension, libsqlite3 in the library. */
#ifndef ERNIE_SQL_SQLITE_H
#define ERNIE_SQL_SQLITE_H

#ifdef ERNIE_EXTENSION
#include <sqlite3ext.h>
SQLITE_EXTENSION_INIT3
#else
#include <sqlite3.h>
#endif

#endif
