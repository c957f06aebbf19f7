bin_PROGRAMS += ernie
ernie_SOURCES = \
	src/cli/cli.h \
	src/cli/cmd_bench.c \
	src/cli/cmd_classify.c \
	src/cli/cmd_embed.c \
	src/cli/cmd_index.c \
	src/cli/cmd_model.c \
	src/cli/cmd_rerank.c \
	src/cli/cmd_search.c \
	src/cli/cmd_status.c \
	src/cli/cmd_tokenize.c \
	src/cli/cmd_upkeep.c \
	src/cli/common.c \
	src/cli/main.c \
	src/cli/options.c \
	src/cli/terminal.c
# The library inside the program: it starts faster, and needs no installed copy.
ernie_LDADD = libernie.la
ernie_LDFLAGS = $(AM_LDFLAGS) -static
