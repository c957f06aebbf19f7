bin_PROGRAMS += ernie
ernie_SOURCES = \
	src/cli/cli.h \
	src/cli/cmd_bench.c \
	src/cli/cmd_classify.c \
	src/cli/cmd_embed.c \
	src/cli/cmd_index.c \
	src/cli/cmd_model.c \
	src/cli/cmd_open.c \
	src/cli/cmd_quality.c \
	src/cli/cmd_rerank.c \
	src/cli/cmd_search.c \
	src/cli/cmd_status.c \
	src/cli/cmd_tokenize.c \
	src/cli/cmd_upkeep.c \
	src/cli/cmd_watch.c \
	src/cli/common.c \
	src/cli/main.c \
	src/cli/options.c \
	src/cli/terminal.c \
	src/shell/commands.c \
	src/shell/line_editor.c src/shell/line_editor.h \
	src/shell/output.c \
	src/shell/shell.c src/shell/shell.h
ernie_CPPFLAGS = $(AM_CPPFLAGS) $(SQLITE_CFLAGS) $(LIBEDIT_CFLAGS)
# The library inside the program: it starts faster, and needs no installed copy.
ernie_LDADD = libernie.la $(SQLITE_LIBS) $(LIBEDIT_LIBS)
ernie_LDFLAGS = $(AM_LDFLAGS) -static
