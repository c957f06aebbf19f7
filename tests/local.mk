# One program a module. Each links the convenience libraries it tests, so that
# `make check TESTS=check_chunk` builds no more than that.
AM_TESTS_ENVIRONMENT = srcdir='$(srcdir)' builddir='$(builddir)' SQLITE3='$(SQLITE3)' ; \
	export srcdir builddir SQLITE3 ;
TEST_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests $(CHECK_CFLAGS)

if HAVE_CHECK
check_PROGRAMS += check_base

check_base_SOURCES = tests/check_base.c
check_base_CPPFLAGS = $(TEST_CPPFLAGS)
check_base_LDADD = libbase.la $(CHECK_LIBS)
endif
