# Each instruction set is one file, compiled with its own flags; which table is used
# is decided when the program runs.
noinst_LTLIBRARIES += libkernel.la
libkernel_la_SOURCES = \
	src/kernel/attention_bf16.h \
	src/kernel/attention_i8.h \
	src/kernel/attention_loops.h \
	src/kernel/bfloat16.h \
	src/kernel/blas.c src/kernel/blas.h \
	src/kernel/kernel.c src/kernel/kernel.h \
	src/kernel/kernel_loops.h \
	src/kernel/kernel_scalar.c \
	src/kernel/pack.c src/kernel/pack.h \
	src/kernel/product_avx512.h \
	src/kernel/product_loops.h \
	src/kernel/product_vnni.h \
	src/kernel/rows_avx512.h \
	src/kernel/scan_vnni512.h \
	src/kernel/tile_madd.h \
	src/kernel/tile_vnni.h
libkernel_la_CPPFLAGS = $(AM_CPPFLAGS) $(OPENBLAS_CFLAGS)
libkernel_la_LIBADD = $(OPENBLAS_LIBS)

if X86_64
avx2_flags = -mavx2 -mfma
avx512_flags = -mavx512f -mavx512bw -mavx512dq -mavx512vl -mfma -mprefer-vector-width=512

noinst_LTLIBRARIES += libkernel_avx2.la libkernel_avxvnni.la libkernel_avx512.la \
	libkernel_avx512vnni.la libkernel_amx.la
libkernel_avx2_la_SOURCES = src/kernel/kernel_avx2.c
libkernel_avx2_la_CFLAGS = $(AM_CFLAGS) $(avx2_flags)
libkernel_avxvnni_la_SOURCES = src/kernel/kernel_avxvnni.c
libkernel_avxvnni_la_CFLAGS = $(AM_CFLAGS) $(avx2_flags) -mavxvnni
libkernel_avx512_la_SOURCES = src/kernel/kernel_avx512.c
libkernel_avx512_la_CFLAGS = $(AM_CFLAGS) $(avx512_flags)
libkernel_avx512vnni_la_SOURCES = src/kernel/kernel_avx512vnni.c
libkernel_avx512vnni_la_CFLAGS = $(AM_CFLAGS) $(avx512_flags) -mavx512vnni
libkernel_amx_la_SOURCES = src/kernel/kernel_amx.c
libkernel_amx_la_CFLAGS = $(AM_CFLAGS) $(avx512_flags) -mavx512vnni -mamx-tile -mamx-int8 \
	-mamx-bf16 -mavx512bf16
libkernel_la_LIBADD += libkernel_avx2.la libkernel_avxvnni.la libkernel_avx512.la \
	libkernel_avx512vnni.la libkernel_amx.la
endif
