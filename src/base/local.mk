noinst_LTLIBRARIES += libbase.la
libbase_la_SOURCES = \
	src/base/barrier.c src/base/barrier.h \
	src/base/buffer.c src/base/buffer.h \
	src/base/error.c src/base/error.h \
	src/base/file.c src/base/file.h \
	src/base/float_state.c src/base/float_state.h \
	src/base/half.c src/base/half.h \
	src/base/hash.c src/base/hash.h \
	src/base/id_set.c src/base/id_set.h \
	src/base/json.c src/base/json.h \
	src/base/mac.c src/base/mac.h \
	src/base/memory.c src/base/memory.h \
	src/base/pool.c src/base/pool.h \
	src/base/power.c src/base/power.h \
	src/base/system.c src/base/system.h \
	src/base/utf8.c src/base/utf8.h
libbase_la_CPPFLAGS = $(AM_CPPFLAGS) $(JANSSON_CFLAGS) $(SODIUM_CFLAGS) $(XXHASH_CFLAGS)
libbase_la_LIBADD = $(JANSSON_LIBS) $(SODIUM_LIBS) $(XXHASH_LIBS)
