noinst_LTLIBRARIES += libmodel.la
libmodel_la_SOURCES = \
	src/model/config.h \
	src/model/encoder.h \
	src/model/model.h \
	src/model/normalize.c src/model/normalize.h \
	src/model/tokenize.c \
	src/model/tokenizer.c src/model/tokenizer.h \
	src/model/vocab.c src/model/vocab.h
libmodel_la_CPPFLAGS = $(AM_CPPFLAGS) $(UTF8PROC_CFLAGS)
libmodel_la_LIBADD = $(UTF8PROC_LIBS)
