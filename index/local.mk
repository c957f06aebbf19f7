noinst_LTLIBRARIES += libindex.la
libindex_la_SOURCES = \
	index/ann.h index/ann_faiss.c \
	index/cluster.h index/cluster_faiss.c \
	index/codes.c index/codes.h \
	index/distinct.c index/distinct.h \
	index/faiss.c index/faiss.h \
	index/index.c index/index.h index/index_parts.h \
	index/index_file.c index/index_file.h \
	index/ivf.c index/ivf.h \
	index/registry.c index/registry.h \
	index/select.c index/select.h \
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
