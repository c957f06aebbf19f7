# The store, compiled for libsqlite3 ...
noinst_LTLIBRARIES += libstore.la
libstore_la_SOURCES = \
	sql/collection.c sql/collection.h \
	sql/findings.c sql/findings.h \
	sql/fts_tokenizer.c sql/fts_tokenizer.h \
	sql/sqlite.h \
	sql/statement.c sql/statement.h \
	sql/store.c sql/store.h sql/store_parts.h \
	sql/store_documents.c \
	sql/store_roots.c \
	sql/word_index.c sql/word_index.h
nodist_libstore_la_SOURCES = sql/schema_sql.h sql/upgrade_1_2_sql.h sql/words_sql.h
libstore_la_CPPFLAGS = $(AM_CPPFLAGS) -Isql $(SQLITE_CFLAGS)
libstore_la_LIBADD = libwords.la $(SQLITE_LIBS)

EXTRA_DIST += sql/schema.sql sql/upgrade_1_2.sql sql/vectors.sql sql/words.sql sql/README.md

# The schema and its upgrades, each as a C string: sql/x.sql is x_sql.
store_sql = sql/schema_sql.h sql/upgrade_1_2_sql.h sql/words_sql.h
$(store_sql): sql/%_sql.h: sql/%.sql
	$(AM_V_GEN)$(MKDIR_P) sql && { \
	  echo 'static const char $*_sql[] ='; \
	  $(SED) -e 's/[\\"]/\\&/g' -e 's/^/    "/' -e 's/$$/\\n"/' $(srcdir)/sql/$*.sql; \
	  echo '    "";'; } > $@.tmp && mv $@.tmp $@
BUILT_SOURCES += $(store_sql)
CLEANFILES += $(store_sql)
# Built sources are made first by `make` and `make check`, not by `make check_store`.
sql/libstore_la-store.lo sql/libstore_ext_la-store.lo \
sql/libstore_la-word_index.lo sql/libstore_ext_la-word_index.lo: $(store_sql)

# The tables behind a virtual table, with "$_" for the prefix of their names
# (collection_sql).
sql/vectors_sql.h: sql/vectors.sql
	$(AM_V_GEN)$(MKDIR_P) sql && { \
	  echo 'static const char vectors_sql[] ='; \
	  $(SED) -e '/^--/d' -e 's/ *--.*//' -e 's/notes_/$$_/g' -e 's/[\\"]/\\&/g' \
	    -e 's/^/    "/' -e 's/$$/\\n"/' $(srcdir)/sql/vectors.sql; \
	  echo '    "";'; } > $@.tmp && mv $@.tmp $@
BUILT_SOURCES += sql/vectors_sql.h
CLEANFILES += sql/vectors_sql.h
sql/ernie_la-vectors_rows.lo sql/libregister_la-vectors_rows.lo: sql/vectors_sql.h

# ... and for the function table of the host, in the extension. It exports its entry
# points only, and brings no SQLite and nothing that reads documents.
noinst_LTLIBRARIES += libstore_ext.la
libstore_ext_la_SOURCES = $(libstore_la_SOURCES)
nodist_libstore_ext_la_SOURCES = $(nodist_libstore_la_SOURCES)
libstore_ext_la_CPPFLAGS = $(AM_CPPFLAGS) -Isql -DERNIE_EXTENSION $(SQLITE_CFLAGS)

# So with the functions and tables: in libernie for programs that call ernie_register ...
extension_sources = \
	sql/extension.c sql/extension.h \
	sql/function_classify.c \
	sql/function_embed.c \
	sql/function_highlight.c \
	sql/function_info.c \
	sql/function_search.c \
	sql/function_vector.c \
	sql/models.c sql/models.h \
	sql/table_arguments.c sql/table_arguments.h \
	sql/table_embed.c \
	sql/table_search.c \
	sql/table_text.c \
	sql/table_vectors.c \
	sql/vectors_columns.c \
	sql/vectors_commands.c \
	sql/vectors_cursor.h \
	sql/vectors_definition.c sql/vectors_definition.h \
	sql/vectors_model.c \
	sql/vectors_plan.c sql/vectors_plan.h \
	sql/vectors_question.c \
	sql/vectors_read.c \
	sql/vectors_rows.c sql/vectors_rows.h \
	sql/vectors_table.h \
	sql/vectors_waiting.c \
	sql/vectors_words.c sql/vectors_words.h \
	sql/vectors_write.c
noinst_LTLIBRARIES += libregister.la
libregister_la_SOURCES = $(extension_sources) sql/register.c
nodist_libregister_la_SOURCES = sql/vectors_sql.h
libregister_la_CPPFLAGS = $(AM_CPPFLAGS) -Isql $(SQLITE_CFLAGS)

# ... and in the extension for its host.
sqliteextensiondir = $(libdir)
sqliteextension_LTLIBRARIES = ernie.la
ernie_la_SOURCES = $(extension_sources) sql/entry.c
nodist_ernie_la_SOURCES = sql/vectors_sql.h
ernie_la_CPPFLAGS = $(AM_CPPFLAGS) -Isql -DERNIE_EXTENSION $(SQLITE_CFLAGS)
ernie_la_LIBADD = libsearch.la libencode.la libmodel.la libkernel.la libindex.la \
	libstore_ext.la libwords.la libchunk.la libbase.la
# nodelete: OpenMP and OpenBLAS keep threads in it after a host closes its connection,
# which is when SQLite would take it out of memory. defs: what is missing shall fail
# here, not in a host.
ernie_la_LDFLAGS = $(AM_LDFLAGS) -module -avoid-version -shared -no-undefined \
	-Wl,-z,nodelete -Wl,-z,defs \
	-export-symbols-regex '^sqlite3_(extension|ernie|modernie)_init$$'

# Where `sqlite3 x.db '.load ./ernie'` finds it in the build tree.
ALL_LOCAL += ernie.so
ernie.so: ernie.la
	$(AM_V_at)$(LN_S) -f .libs/ernie.so $@
CLEANFILES += ernie.so
