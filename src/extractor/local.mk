# The complex formats, for the helper programs and the tests.
noinst_LTLIBRARIES += libextractor.la
libextractor_la_SOURCES = \
	src/extractor/formats.h
libextractor_la_CPPFLAGS = $(AM_CPPFLAGS) $(LIBXML_CFLAGS)
libextractor_la_LIBADD = libdocument.la $(LIBXML_LIBS)
