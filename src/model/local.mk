noinst_LTLIBRARIES += libmodel.la
libmodel_la_SOURCES = \
	src/model/added_tokens.c src/model/added_tokens.h \
	src/model/charsmap.c src/model/charsmap.h \
	src/model/checkpoint.c src/model/checkpoint.h \
	src/model/config.c src/model/config.h \
	src/model/directory.c src/model/directory.h \
	src/model/encoder.c src/model/encoder.h \
	src/model/head.c src/model/head.h \
	src/model/linear.c src/model/linear.h \
	src/model/metaspace.c src/model/metaspace.h \
	src/model/model.c src/model/model.h \
	src/model/module.c src/model/module.h \
	src/model/normalize.c src/model/normalize.h \
	src/model/pooling.c src/model/pooling.h \
	src/model/safetensors.c src/model/safetensors.h \
	src/model/sentencepiece.c src/model/sentencepiece.h \
	src/model/text_normalizer.c src/model/text_normalizer.h \
	src/model/tokenize.c src/model/tokenize.h \
	src/model/tokenizer.c src/model/tokenizer.h \
	src/model/token_span.h \
	src/model/unigram.c src/model/unigram.h \
	src/model/tokenizer_json.c src/model/tokenizer_json.h \
	src/model/vocab.c src/model/vocab.h \
	src/model/weights.c src/model/weights.h \
	src/model/word_bag.c src/model/word_bag.h \
	src/model/wordpiece.c src/model/wordpiece.h
libmodel_la_CPPFLAGS = $(AM_CPPFLAGS) $(UTF8PROC_CFLAGS)
libmodel_la_LIBADD = $(UTF8PROC_LIBS)
