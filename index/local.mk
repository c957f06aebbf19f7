noinst_LTLIBRARIES += libindex.la
libindex_la_SOURCES = \
	index/ann.h \
	index/ann_bytes.h \
	index/ann_faiss.c \
	index/ann_file.c \
	index/codes.c index/codes.h \
	index/distinct.c index/distinct.h \
	index/recall.c index/recall.h \
	index/stream.c index/stream.h
if !HAVE_FAISS_C
libindex_la_SOURCES += index/faiss_c.cpp
endif
libindex_la_LIBADD = $(FAISS_LIBS)
# Put together as C although one source may be C++: linking as C++, libtool takes
# -lstdc++ for granted and forgets it, and what uses this library is linked as C.
libindex_la_LINK = $(LIBTOOL) $(AM_V_lt) --tag=CC $(AM_LIBTOOLFLAGS) $(LIBTOOLFLAGS) \
	--mode=link $(CCLD) $(AM_CFLAGS) $(CFLAGS) $(AM_LDFLAGS) $(LDFLAGS) -o $@
EXTRA_DIST += index/README.md
