modeldir = $(pkgdatadir)/models/ernie-micro-zh-en
dist_model_DATA = \
	models/ernie-micro-zh-en/README.md \
	models/ernie-micro-zh-en/config.json \
	models/ernie-micro-zh-en/model.safetensors \
	models/ernie-micro-zh-en/modules.json \
	models/ernie-micro-zh-en/sentence_bert_config.json \
	models/ernie-micro-zh-en/special_tokens_map.json \
	models/ernie-micro-zh-en/tokenizer_config.json \
	models/ernie-micro-zh-en/vocab.txt
modelpoolingdir = $(modeldir)/1_Pooling
dist_modelpooling_DATA = models/ernie-micro-zh-en/1_Pooling/config.json

# Where programs of the build tree look for it, when that is another folder.
ALL_LOCAL += models-link
models-link:
	@test -e models || $(LN_S) $(abs_top_srcdir)/models models
distclean-local: models-unlink
models-unlink:
	@if test -L models; then rm -f models; fi
.PHONY: models-link models-unlink
