# The complex formats, for the helper programs and the tests.
noinst_LTLIBRARIES += libextractor.la
libextractor_la_SOURCES = \
	src/extractor/archive.c \
	src/extractor/formats.h \
	src/extractor/jail.c src/extractor/jail.h \
	src/extractor/program.c src/extractor/program.h
libextractor_la_CPPFLAGS = $(AM_CPPFLAGS) $(LIBXML_CFLAGS) $(LIBARCHIVE_CFLAGS)
libextractor_la_LIBADD = libdocument.la libbase.la $(LIBXML_LIBS) $(LIBARCHIVE_LIBS)

# Office documents, books and mail.
noinst_LTLIBRARIES += libformats.la
libformats_la_SOURCES = \
	src/extractor/docx.c \
	src/extractor/epub.c \
	src/extractor/flow.c src/extractor/flow.h \
	src/extractor/formats.h \
	src/extractor/odf.c \
	src/extractor/package.c src/extractor/package.h \
	src/extractor/pptx.c \
	src/extractor/properties.c src/extractor/properties.h \
	src/extractor/relations.c src/extractor/relations.h \
	src/extractor/rtf.c \
	src/extractor/style.c src/extractor/style.h \
	src/extractor/xlsx.c \
	src/extractor/xml.c src/extractor/xml.h
if HAVE_GMIME
libformats_la_SOURCES += \
	src/extractor/mail.c \
	src/extractor/mhtml.c \
	src/extractor/mime.c src/extractor/mime.h
endif
libformats_la_CPPFLAGS = $(AM_CPPFLAGS) $(LIBXML_CFLAGS) $(LIBARCHIVE_CFLAGS) $(GMIME_CFLAGS)
libformats_la_LIBADD = libdocument.la $(LIBXML_LIBS) $(LIBARCHIVE_LIBS) $(GMIME_LIBS)

# One run reads one file; src/document/helper.h says how they are started.
helpersdir = $(libexecdir)/ernie
helpers_PROGRAMS += ernie-extract
ernie_extract_SOURCES = src/extractor/main.c
ernie_extract_CPPFLAGS = $(AM_CPPFLAGS) $(GMIME_CFLAGS)
ernie_extract_LDADD = libformats.la libextractor.la

if HAVE_POPPLER
helpers_PROGRAMS += ernie-extract-pdf
endif
if HAVE_TESSERACT
helpers_PROGRAMS += ernie-extract-image
endif
EXTRA_PROGRAMS += ernie-extract-pdf ernie-extract-image
ernie_extract_image_SOURCES = src/extractor/image.c src/extractor/image.h src/extractor/main_image.c
ernie_extract_image_CPPFLAGS = $(AM_CPPFLAGS) $(TESSERACT_CFLAGS)
ernie_extract_image_LDADD = libextractor.la $(TESSERACT_LIBS)
ernie_extract_pdf_SOURCES = src/extractor/main_pdf.c src/extractor/pdf.c src/extractor/pdf.h
ernie_extract_pdf_CPPFLAGS = $(AM_CPPFLAGS) $(POPPLER_CFLAGS) -DPOPPLER_DATADIR='"$(POPPLER_DATADIR)"'
ernie_extract_pdf_LDADD = libextractor.la $(POPPLER_LIBS)
