noinst_LTLIBRARIES += libindex.la
libindex_la_SOURCES = \
	index/ann.h \
	index/ann_bytes.h \
	index/ann_faiss.c \
	index/ann_file.c \
	index/recall.c index/recall.h
if !HAVE_FAISS_C
libindex_la_SOURCES += index/faiss_c.cpp
endif
libindex_la_LIBADD = $(FAISS_LIBS)
EXTRA_DIST += index/README.md
