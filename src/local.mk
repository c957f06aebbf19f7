include_HEADERS = src/ernie.h
pkgconfigdir = $(libdir)/pkgconfig
pkgconfig_DATA = src/ernie.pc

# ernie_encoder alone, for tests and benchmarks.
noinst_LTLIBRARIES += libencode.la
libencode_la_SOURCES = src/encode.c src/encode.h

# The part of the library that searches, for whatever SQLite its store is compiled
# for: the extension takes this, and not what reads documents.
noinst_LTLIBRARIES += libsearch.la
libsearch_la_SOURCES = \
	src/cut.c src/cut.h \
	src/database.c src/database.h \
	src/ernie.h \
	src/filter.c src/filter.h \
	src/fusion.c src/fusion.h \
	src/highlight.c src/highlight.h \
	src/hits.c \
	src/nearest.c src/nearest.h \
	src/rerank.c src/rerank.h \
	src/search.c \
	src/snippet.c src/snippet.h
libsearch_la_CPPFLAGS = $(AM_CPPFLAGS) -DPACKAGE_VERSION='"$(PACKAGE_VERSION)"'

lib_LTLIBRARIES += libernie.la
libernie_la_SOURCES = \
	src/convert.c \
	src/embedder.c src/embedder.h \
	src/ingest.c src/ingest.h src/ingest_parts.h \
	src/ingest_complex.c \
	src/ingest_file.c \
	src/mounts.c src/mounts.h \
	src/pace.c src/pace.h \
	src/quality.c \
	src/quantize.c \
	src/vocabulary.c \
	src/reembed.c \
	src/scan.c src/scan.h \
	src/watch.c
libernie_la_LIBADD = libregister.la libsearch.la libencode.la libdocument.la libmodel.la libkernel.la libindex.la libstore.la \
	libbase.la
libernie_la_LDFLAGS = $(AM_LDFLAGS) -version-info 0:0:0 -no-undefined \
	-export-symbols-regex '^ernie_'
