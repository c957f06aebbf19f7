# The store, compiled for libsqlite3 ...
noinst_LTLIBRARIES += libstore.la
libstore_la_SOURCES = sql/sqlite.h sql/store.h
nodist_libstore_la_SOURCES = sql/schema_sql.h
libstore_la_CPPFLAGS = $(AM_CPPFLAGS) -Isql $(SQLITE_CFLAGS)
libstore_la_LIBADD = $(SQLITE_LIBS)

EXTRA_DIST += sql/schema.sql
