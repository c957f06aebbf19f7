
EXTRA_PROGRAMS += bench_ann
bench_ann_SOURCES = bench/ann.c
bench_ann_LDADD = libindex.la libbase.la

EXTRA_DIST += bench/README.md bench/encode.sh bench/encode_onnxruntime.py bench/search.sh
CLEANFILES += $(EXTRA_PROGRAMS)

EXTRA_PROGRAMS += bench_quality
bench_quality_SOURCES = bench/quality.c
bench_quality_LDADD = libencode.la libmodel.la libkernel.la libbase.la
