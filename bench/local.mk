
EXTRA_PROGRAMS += bench_ann
bench_ann_SOURCES = bench/ann.c
bench_ann_LDADD = libindex.la libbase.la
