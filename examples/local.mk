EXTRA_DIST += examples/documents examples/search.sql

if HAVE_CHECK
check_PROGRAMS += example_search
example_search_SOURCES = examples/search.c
example_search_CPPFLAGS = -I$(top_srcdir)/src
example_search_LDADD = libernie.la

check_PROGRAMS += example_senses
example_senses_SOURCES = examples/senses.c
example_senses_CPPFLAGS = -I$(top_srcdir)/src
example_senses_LDADD = libernie.la
endif
