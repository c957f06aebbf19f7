
EXTRA_DIST += bench/README.md bench/encode.sh bench/encode_llama.mjs bench/encode_peer.py \
	bench/make_gguf.py bench/make_pages.py bench/make_texts.py bench/scale.py bench/search.sh
CLEANFILES += $(EXTRA_PROGRAMS)

EXTRA_PROGRAMS += bench_quality
bench_quality_SOURCES = bench/quality.c
bench_quality_LDADD = libencode.la libmodel.la libkernel.la libbase.la

# With oneDNN too: make bench_gemm DNNL_LIBS=-ldnnl (after make clean, if made without).
EXTRA_PROGRAMS += bench_gemm
bench_gemm_SOURCES = bench/gemm.c
bench_gemm_CPPFLAGS = $(AM_CPPFLAGS) $(OPENBLAS_CFLAGS) $(DNNL_LIBS:-ldnnl=-DWITH_DNNL)
bench_gemm_LDADD = libkernel.la libbase.la $(DNNL_LIBS)

EXTRA_PROGRAMS += bench_index
bench_index_SOURCES = bench/index.c
bench_index_LDADD = libindex.la libkernel.la libbase.la -lm

EXTRA_PROGRAMS += bench_readers
bench_readers_SOURCES = bench/readers.c
bench_readers_CPPFLAGS = $(AM_CPPFLAGS) $(SQLITE_CFLAGS)
bench_readers_LDADD = $(SQLITE_LIBS) -lm
