# What both the library and the extension need to search for words.
noinst_LTLIBRARIES += libwords.la
libwords_la_SOURCES = \
	src/words/fold.c src/words/fold.h \
	src/words/marker.c src/words/marker.h \
	src/words/match.c src/words/match.h \
	src/words/segment.c src/words/segment.h \
	src/words/simplified.h \
	src/words/words.c src/words/words.h
libwords_la_CPPFLAGS = $(AM_CPPFLAGS) $(UTF8PROC_CFLAGS)
libwords_la_LIBADD = $(UTF8PROC_LIBS) $(STEMMER_LIBS)
EXTRA_DIST += src/words/make_simplified.py
