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
