# One program a module. Each links the convenience libraries it tests, so that
# `make check TESTS=check_chunk` builds no more than that.
# Seconds before a test counts as hung: machines that run them may be busy.
AM_TESTS_ENVIRONMENT = CK_DEFAULT_TIMEOUT=600 ; export CK_DEFAULT_TIMEOUT ; \
	XDG_STATE_HOME='$(abs_builddir)/state' ; export XDG_STATE_HOME ; srcdir='$(srcdir)' builddir='$(builddir)' SQLITE3='$(SQLITE3)' ; \
	export srcdir builddir SQLITE3 ;
TEST_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests $(CHECK_CFLAGS)
EXTRA_DIST += tests/suite.h

if HAVE_CHECK
check_PROGRAMS += check_base

check_base_SOURCES = tests/check_base.c tests/faults.h
check_base_CPPFLAGS = $(TEST_CPPFLAGS)
check_base_LDADD = libbase.la $(CHECK_LIBS)

check_PROGRAMS += check_vocab check_tokenizer

check_vocab_SOURCES = tests/check_vocab.c
check_vocab_CPPFLAGS = $(TEST_CPPFLAGS)
check_vocab_LDADD = libmodel.la libbase.la $(CHECK_LIBS)

check_tokenizer_SOURCES = tests/check_tokenizer.c
check_tokenizer_CPPFLAGS = $(TEST_CPPFLAGS)
check_tokenizer_LDADD = libmodel.la libbase.la $(CHECK_LIBS)

check_PROGRAMS += check_tokenizer_json

check_tokenizer_json_SOURCES = tests/check_tokenizer_json.c tests/faults.h
check_tokenizer_json_CPPFLAGS = $(TEST_CPPFLAGS)
check_tokenizer_json_LDADD = libmodel.la libbase.la $(CHECK_LIBS)

check_PROGRAMS += check_unigram

check_unigram_SOURCES = tests/check_unigram.c tests/faults.h tests/unigram_file.h
check_unigram_CPPFLAGS = $(TEST_CPPFLAGS)
check_unigram_LDADD = libmodel.la libbase.la $(CHECK_LIBS)

check_PROGRAMS += check_stream

check_stream_SOURCES = tests/check_stream.c tests/faults.h
check_stream_CPPFLAGS = $(TEST_CPPFLAGS)
check_stream_LDADD = libindex.la libkernel.la libbase.la $(CHECK_LIBS)

check_PROGRAMS += check_index

check_index_SOURCES = tests/check_index.c tests/faults.h tests/table.h
check_index_CPPFLAGS = $(TEST_CPPFLAGS)
check_index_LDADD = libindex.la libkernel.la libbase.la $(CHECK_LIBS)

check_PROGRAMS += check_index_file

check_index_file_SOURCES = tests/check_index_file.c tests/faults.h tests/table.h
check_index_file_CPPFLAGS = $(TEST_CPPFLAGS)
check_index_file_LDADD = libindex.la libkernel.la libbase.la $(CHECK_LIBS)

check_PROGRAMS += check_store

check_store_SOURCES = tests/check_store.c tests/folder.h
check_store_CPPFLAGS = $(TEST_CPPFLAGS) $(SQLITE_CFLAGS)
check_store_LDADD = libstore.la libbase.la $(CHECK_LIBS)

check_PROGRAMS += check_word_index

check_word_index_SOURCES = tests/check_word_index.c tests/faults.h
check_word_index_CPPFLAGS = $(TEST_CPPFLAGS) $(SQLITE_CFLAGS)
check_word_index_LDADD = libstore.la libbase.la $(CHECK_LIBS) $(SQLITE_LIBS)

check_PROGRAMS += check_kernel check_encoder check_model

check_kernel_SOURCES = tests/check_kernel.c
check_kernel_CPPFLAGS = $(TEST_CPPFLAGS)
check_kernel_LDADD = libkernel.la $(CHECK_LIBS)

check_encoder_SOURCES = tests/check_encoder.c tests/faults.h
check_encoder_CPPFLAGS = $(TEST_CPPFLAGS)
check_encoder_LDADD = libencode.la libmodel.la libkernel.la libbase.la $(CHECK_LIBS)

check_model_SOURCES = tests/check_model.c tests/faults.h tests/folder.h
check_model_CPPFLAGS = $(TEST_CPPFLAGS)
check_model_LDADD = libmodel.la libkernel.la libbase.la $(CHECK_LIBS)

check_PROGRAMS += check_head

check_head_SOURCES = tests/check_head.c tests/faults.h
check_head_CPPFLAGS = $(TEST_CPPFLAGS)
check_head_LDADD = libencode.la libmodel.la libkernel.la libbase.la $(CHECK_LIBS)

check_PROGRAMS += check_modules

check_modules_SOURCES = tests/check_modules.c tests/faults.h tests/folder.h
check_modules_CPPFLAGS = $(TEST_CPPFLAGS)
check_modules_LDADD = libencode.la libmodel.la libkernel.la libbase.la $(CHECK_LIBS)

check_PROGRAMS += check_host check_hostile check_linear

check_linear_SOURCES = tests/check_linear.c
check_linear_CPPFLAGS = $(TEST_CPPFLAGS)
check_linear_LDADD = libencode.la libdocument.la libmodel.la libkernel.la libbase.la $(CHECK_LIBS)

check_host_SOURCES = tests/check_host.c
check_host_CPPFLAGS = $(TEST_CPPFLAGS)
check_host_LDADD = libencode.la libmodel.la libkernel.la libbase.la $(CHECK_LIBS)

check_hostile_SOURCES = tests/check_hostile.c
check_hostile_CPPFLAGS = $(TEST_CPPFLAGS)
check_hostile_LDADD = libencode.la libmodel.la libkernel.la libbase.la $(CHECK_LIBS)

check_PROGRAMS += check_quantize

check_quantize_SOURCES = tests/check_quantize.c tests/faults.h tests/folder.h src/quantize.c
check_quantize_CPPFLAGS = $(TEST_CPPFLAGS)
check_quantize_LDADD = libencode.la libmodel.la libkernel.la libbase.la $(CHECK_LIBS)

check_PROGRAMS += check_vocabulary

check_vocabulary_SOURCES = tests/check_vocabulary.c tests/faults.h tests/folder.h src/vocabulary.c
check_vocabulary_CPPFLAGS = $(TEST_CPPFLAGS)
check_vocabulary_LDADD = libencode.la libmodel.la libkernel.la libbase.la $(CHECK_LIBS)
check_PROGRAMS += check_convert

check_convert_SOURCES = tests/check_convert.c tests/faults.h tests/folder.h src/convert.c
check_convert_CPPFLAGS = $(TEST_CPPFLAGS)
check_convert_LDADD = libencode.la libmodel.la libkernel.la libbase.la $(CHECK_LIBS)

check_PROGRAMS += check_document

check_document_SOURCES = tests/check_document.c tests/faults.h
check_document_CPPFLAGS = $(TEST_CPPFLAGS)
check_document_LDADD = libdocument.la libbase.la $(CHECK_LIBS)

check_PROGRAMS += check_jail check_helper

check_jail_SOURCES = tests/check_jail.c
check_jail_CPPFLAGS = $(TEST_CPPFLAGS)
check_jail_LDADD = libextractor.la $(CHECK_LIBS)

check_helper_SOURCES = tests/check_helper.c tests/faults.h tests/folder.h
check_helper_CPPFLAGS = $(TEST_CPPFLAGS)
check_helper_LDADD = libdocument.la libbase.la $(CHECK_LIBS)

if HAVE_GMIME
check_PROGRAMS += check_office

check_office_SOURCES = tests/check_office.c tests/faults.h tests/zip.h
check_office_CPPFLAGS = $(TEST_CPPFLAGS) $(LIBARCHIVE_CFLAGS) $(LIBXML_CFLAGS)
check_office_LDADD = libformats.la libbase.la $(CHECK_LIBS) $(LIBARCHIVE_LIBS) $(LIBXML_LIBS)
endif
EXTRA_DIST += tests/data/office tests/compare_office.py

check_PROGRAMS += check_charset check_plain

check_charset_SOURCES = tests/check_charset.c
check_charset_CPPFLAGS = $(TEST_CPPFLAGS)
check_charset_LDADD = libdocument.la libbase.la $(CHECK_LIBS)

check_plain_SOURCES = tests/check_plain.c tests/faults.h
check_plain_CPPFLAGS = $(TEST_CPPFLAGS)
check_plain_LDADD = libdocument.la libbase.la $(CHECK_LIBS)

check_SCRIPTS += tests/check_hostile_files.sh
EXTRA_DIST += tests/data/image tests/check_hostile_files.sh tests/make_hostile.py
tests/check_hostile_files.sh: hostile_files$(EXEEXT)
EXTRA_PROGRAMS += hostile_files
hostile_files_SOURCES = tests/hostile_files.c
hostile_files_LDADD = libdocument.la libbase.la

# The extension in a host written in C.
check_PROGRAMS += check_register

check_register_SOURCES = tests/check_register.c
check_register_CPPFLAGS = $(TEST_CPPFLAGS) $(SQLITE_CFLAGS)
check_register_LDADD = $(CHECK_LIBS) $(SQLITE_LIBS)
EXTRA_check_register_DEPENDENCIES = ernie.so
check_PROGRAMS += check_cut

check_cut_SOURCES = tests/check_cut.c tests/faults.h
check_cut_CPPFLAGS = $(TEST_CPPFLAGS)
check_cut_LDADD = libsearch.la libencode.la libchunk.la libmodel.la libkernel.la libbase.la \
	$(CHECK_LIBS)

check_PROGRAMS += check_quality

check_quality_SOURCES = tests/check_quality.c tests/faults.h src/quality.c \
	src/embedder.c src/ingest.c src/ingest_complex.c src/ingest_file.c src/mounts.c \
	src/pace.c src/scan.c
check_quality_CPPFLAGS = $(TEST_CPPFLAGS)
check_quality_LDADD = libsearch.la libencode.la libdocument.la libmodel.la libindex.la libkernel.la \
	libstore.la libbase.la $(CHECK_LIBS) -lm

check_PROGRAMS += check_nearest

check_nearest_SOURCES = tests/check_nearest.c tests/faults.h tests/table.h
check_nearest_CPPFLAGS = $(TEST_CPPFLAGS) $(SQLITE_CFLAGS)
check_nearest_LDADD = libsearch.la libencode.la libmodel.la libindex.la libkernel.la libstore.la \
	libchunk.la libbase.la $(CHECK_LIBS) $(SQLITE_LIBS)

check_PROGRAMS += check_words check_fts

check_words_SOURCES = tests/check_words.c tests/faults.h
check_words_CPPFLAGS = $(TEST_CPPFLAGS)
check_words_LDADD = libwords.la libbase.la $(CHECK_LIBS)

check_fts_SOURCES = tests/check_fts.c tests/faults.h
check_fts_CPPFLAGS = $(TEST_CPPFLAGS) $(SQLITE_CFLAGS)
check_fts_LDADD = libstore.la libbase.la $(CHECK_LIBS) $(SQLITE_LIBS)

check_PROGRAMS += check_database

check_database_SOURCES = tests/check_database.c tests/folder.h
check_database_CPPFLAGS = $(TEST_CPPFLAGS) $(SQLITE_CFLAGS)
check_database_LDADD = libernie.la $(CHECK_LIBS) $(SQLITE_LIBS)

check_PROGRAMS += check_pace

check_pace_SOURCES = tests/check_pace.c tests/faults.h src/pace.c
check_pace_CPPFLAGS = $(TEST_CPPFLAGS)
check_pace_LDADD = libbase.la $(CHECK_LIBS) -lm

check_PROGRAMS += check_watch

check_watch_SOURCES = tests/check_watch.c tests/faults.h tests/folder.h \
	src/embedder.c src/ingest.c src/ingest_complex.c src/ingest_file.c src/mounts.c \
	src/pace.c src/scan.c src/watch.c
check_watch_CPPFLAGS = $(TEST_CPPFLAGS) $(SQLITE_CFLAGS)
check_watch_LDADD = libsearch.la libencode.la libdocument.la libmodel.la libindex.la libkernel.la \
	libstore.la libbase.la $(CHECK_LIBS) $(SQLITE_LIBS)
check_PROGRAMS += check_fusion

check_fusion_SOURCES = tests/check_fusion.c tests/faults.h
check_fusion_CPPFLAGS = $(TEST_CPPFLAGS)
check_fusion_LDADD = libernie.la $(CHECK_LIBS)
# For the table of allocations, which the shared library keeps to itself.
check_fusion_LDFLAGS = $(AM_LDFLAGS) -static

check_PROGRAMS += check_vectors check_vectors_words

check_vectors_words_SOURCES = tests/check_vectors_words.c tests/faults.h \
	tests/sql_host.h
check_vectors_words_CPPFLAGS = $(TEST_CPPFLAGS) $(SQLITE_CFLAGS)
check_vectors_words_LDADD = libernie.la $(CHECK_LIBS) $(SQLITE_LIBS)
check_vectors_words_LDFLAGS = $(AM_LDFLAGS) -static

# The extension is loaded, not linked.
check_vectors_SOURCES = tests/check_vectors.c tests/sql_host.h
check_vectors_CPPFLAGS = $(TEST_CPPFLAGS) $(SQLITE_CFLAGS)
check_vectors_LDADD = $(CHECK_LIBS) $(SQLITE_LIBS) -lm
tests/check_vectors.log check_vectors.log: ernie.so
endif

# Ours in compare_tokenizer.py; built on request.
EXTRA_PROGRAMS += tokenize_lines
tokenize_lines_SOURCES = tests/tokenize_lines.c
tokenize_lines_LDADD = libmodel.la libbase.la

# Ours in compare_unigram.py; built on request.
EXTRA_PROGRAMS += unigram_lines
unigram_lines_SOURCES = tests/unigram_lines.c tests/unigram_file.h
unigram_lines_LDADD = libmodel.la libbase.la

# Ours in compare_words.py; built on request.
EXTRA_PROGRAMS += words_lines
words_lines_SOURCES = tests/words_lines.c
words_lines_LDADD = libwords.la libbase.la
EXTRA_DIST += tests/compare_words.py tests/data/words

# Ours in compare_office.py; built on request.
if HAVE_GMIME
EXTRA_PROGRAMS += office_text
office_text_SOURCES = tests/office_text.c
office_text_LDADD = libformats.la libbase.la

EXTRA_PROGRAMS += fuzz_office fuzz_rtf fuzz_mail
fuzz_office_SOURCES = tests/fuzz_office.c tests/fuzz_text.h tests/zip.h
fuzz_office_LDADD = libformats.la libbase.la
fuzz_office_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
fuzz_rtf_SOURCES = tests/fuzz_rtf.c tests/fuzz_text.h
fuzz_rtf_LDADD = libformats.la libbase.la
fuzz_rtf_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
fuzz_mail_SOURCES = tests/fuzz_mail.c tests/fuzz_text.h
fuzz_mail_LDADD = libformats.la libbase.la
fuzz_mail_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
endif

# For libFuzzer; built on request, with clang (see the head of each).
EXTRA_PROGRAMS += fuzz_tokenizer fuzz_vocab fuzz_extract fuzz_chunk fuzz_safetensors fuzz_config
fuzz_tokenizer_SOURCES = tests/fuzz_tokenizer.c
fuzz_tokenizer_LDADD = libmodel.la libbase.la
fuzz_tokenizer_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
EXTRA_PROGRAMS += fuzz_vector
fuzz_vector_SOURCES = tests/fuzz_vector.c
fuzz_vector_LDADD = libsearch.la libbase.la
fuzz_vector_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
EXTRA_PROGRAMS += fuzz_charsmap fuzz_unigram
fuzz_charsmap_SOURCES = tests/fuzz_charsmap.c
fuzz_charsmap_LDADD = libmodel.la libbase.la
fuzz_charsmap_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
fuzz_unigram_SOURCES = tests/fuzz_unigram.c
fuzz_unigram_LDADD = libmodel.la libbase.la
fuzz_unigram_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
EXTRA_PROGRAMS += fuzz_tokenizer_json
fuzz_tokenizer_json_SOURCES = tests/fuzz_tokenizer_json.c
fuzz_tokenizer_json_LDADD = libmodel.la libbase.la
fuzz_tokenizer_json_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
EXTRA_PROGRAMS += fuzz_words
fuzz_words_SOURCES = tests/fuzz_words.c
fuzz_words_CPPFLAGS = $(AM_CPPFLAGS) $(SQLITE_CFLAGS)
fuzz_words_LDADD = libstore.la libbase.la
fuzz_words_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
fuzz_vocab_SOURCES = tests/fuzz_vocab.c
fuzz_vocab_LDADD = libmodel.la libbase.la
fuzz_vocab_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
EXTRA_PROGRAMS += fuzz_wire
fuzz_wire_SOURCES = tests/fuzz_wire.c
fuzz_wire_LDADD = libdocument.la libbase.la
fuzz_wire_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
fuzz_extract_SOURCES = tests/fuzz_extract.c
fuzz_extract_LDADD = libdocument.la libbase.la
fuzz_extract_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
fuzz_chunk_SOURCES = tests/fuzz_chunk.c
fuzz_chunk_LDADD = libchunk.la libbase.la
fuzz_chunk_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
fuzz_safetensors_SOURCES = tests/fuzz_safetensors.c
fuzz_safetensors_LDADD = libmodel.la libkernel.la libbase.la
fuzz_safetensors_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
fuzz_config_SOURCES = tests/fuzz_config.c
fuzz_config_LDADD = libmodel.la libkernel.la libbase.la
fuzz_config_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
EXTRA_PROGRAMS += fuzz_definition
fuzz_definition_SOURCES = tests/fuzz_definition.c sql/vectors_definition.c
fuzz_definition_CPPFLAGS = $(AM_CPPFLAGS) $(SQLITE_CFLAGS)
fuzz_definition_LDADD = libbase.la $(SQLITE_LIBS)
fuzz_definition_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer

EXTRA_DIST += \
	tests/compare_tokenizer.py tests/data/make_tokenizer_reference.py \
	tests/compare_unigram.py tests/data/unigram \
	tests/data/tokenizer/README.md \
	tests/compare_added_tokens.py tests/compare_add_tokens_model.py tests/compare_tokenizer_json.py \
	tests/data/tokenizer/added/lines.txt \
	tests/data/tokenizer/added/tokenizer.json \
	tests/data/tokenizer/blocks.txt \
	tests/data/tokenizer/ingredients.txt \
	tests/data/tokenizer/order.txt \
	tests/data/tokenizer/spans.txt \
	tests/data/tokenizer/sweep.txt \
	tests/data/tokenizer/tricky.txt \
	tests/data/tokenizer/truncation.txt \
	tests/data/tokenizer/vocab_odd.txt \
	tests/data/tokenizer/vocab_odd_ids.txt \
	tests/data/tokenizer/vocab_small.txt

check_SCRIPTS += tests/check_cli.sh
EXTRA_DIST += tests/check_cli.sh tests/cli.sh tests/compare_encoder.py \
	tests/compare_heads.py \
	tests/compare_convert.py tests/compare_modules.py tests/data/modules tests/questions.sh \
	tests/questions.tsv tests/data/encoder tests/data/store
# What the scripts run; examples/search.sql is run by check_extension.sh.
tests/check_cli.log: ernie$(EXEEXT)

check_SCRIPTS += tests/check_extension.sh
EXTRA_DIST += tests/check_extension.sh tests/extension.sh

check_SCRIPTS += tests/check_vtab.sh
EXTRA_DIST += tests/check_vtab.sh
tests/check_vtab.log: ernie$(EXEEXT) ernie.so
tests/check_extension.log: ernie$(EXEEXT) ernie.so

check_SCRIPTS += tests/check_sql.sh
EXTRA_DIST += tests/check_sql.sh tests/sql_prompt.py
tests/check_sql.log: ernie$(EXEEXT)

check_SCRIPTS += tests/check_watch.sh
EXTRA_DIST += tests/check_watch.sh
tests/check_watch.log: ernie$(EXEEXT) data/ernie.service
