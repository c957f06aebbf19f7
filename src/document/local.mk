noinst_LTLIBRARIES += libdocument.la
libdocument_la_SOURCES = \
	src/document/chunk.h \
	src/document/extract.h \
	src/document/walk.h
libdocument_la_CPPFLAGS = $(AM_CPPFLAGS) $(LIBXML_CFLAGS) $(MD4C_CFLAGS) $(UCHARDET_CFLAGS)
libdocument_la_LIBADD = $(LIBXML_LIBS) $(MD4C_LIBS) $(UCHARDET_LIBS)
