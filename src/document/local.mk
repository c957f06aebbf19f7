# Apart from the rest: the extension, which reads no files, needs it for snippets.
noinst_LTLIBRARIES += libchunk.la
libchunk_la_SOURCES = \
	src/document/chunk.c src/document/chunk.h \
	src/document/format_name.c \
	src/document/section.c \
	src/document/sentence.c src/document/sentence.h

noinst_LTLIBRARIES += libdocument.la
libdocument_la_SOURCES = \
	src/document/changes.c src/document/changes.h \
	src/document/charset.c src/document/charset.h \
	src/document/common_characters.h \
	src/document/extract.c src/document/extract.h \
	src/document/extract_csv.c src/document/extract_csv.h \
	src/document/extract_html.c src/document/extract_html.h \
	src/document/extract_json.c src/document/extract_json.h \
	src/document/extract_markdown.c src/document/extract_markdown.h \
	src/document/extract_source.c src/document/extract_source.h \
	src/document/extract_subtitles.c src/document/extract_subtitles.h \
	src/document/extract_text.c src/document/extract_text.h \
	src/document/extract_xml.c src/document/extract_xml.h \
	src/document/format.c src/document/format.h \
	src/document/helper.c src/document/helper.h \
	src/document/glob.c src/document/glob.h \
	src/document/metadata.c src/document/metadata.h \
	src/document/tags.c src/document/tags.h \
	src/document/walk.c src/document/walk.h \
	src/document/wire.c src/document/wire.h \
	src/document/writer.c src/document/writer.h
libdocument_la_CPPFLAGS = $(AM_CPPFLAGS) $(LIBXML_CFLAGS) $(MD4C_CFLAGS) $(UCHARDET_CFLAGS)
libdocument_la_LIBADD = libchunk.la $(LIBXML_LIBS) $(MD4C_LIBS) $(UCHARDET_LIBS)
