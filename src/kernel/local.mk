noinst_LTLIBRARIES += libkernel.la
libkernel_la_SOURCES = \
	src/kernel/kernel.h
libkernel_la_CPPFLAGS = $(AM_CPPFLAGS) $(OPENBLAS_CFLAGS)
libkernel_la_LIBADD = $(OPENBLAS_LIBS)
