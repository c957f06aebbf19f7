noinst_LTLIBRARIES += libindex.la
libindex_la_SOURCES = \
	index/ann.h
libindex_la_LIBADD = $(FAISS_LIBS)
