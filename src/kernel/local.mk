# Each instruction set is one file, compiled with its own flags; which table is used
# is decided when the program runs.
noinst_LTLIBRARIES += libkernel.la
libkernel_la_SOURCES = \
	src/kernel/blas.c src/kernel/blas.h \
	src/kernel/kernel.c src/kernel/kernel.h \
	src/kernel/kernel_loops.h \
	src/kernel/kernel_scalar.c
libkernel_la_CPPFLAGS = $(AM_CPPFLAGS) $(OPENBLAS_CFLAGS)
libkernel_la_LIBADD = $(OPENBLAS_LIBS)

if X86_64
noinst_LTLIBRARIES += libkernel_avx2.la libkernel_avx512.la
libkernel_avx2_la_SOURCES = src/kernel/kernel_avx2.c
libkernel_avx2_la_CFLAGS = $(AM_CFLAGS) -mavx2 -mfma
libkernel_avx512_la_SOURCES = src/kernel/kernel_avx512.c
libkernel_avx512_la_CFLAGS = $(AM_CFLAGS) -mavx512f -mavx512dq -mprefer-vector-width=512
libkernel_la_LIBADD += libkernel_avx2.la libkernel_avx512.la
endif
