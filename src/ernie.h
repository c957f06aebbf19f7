/* ernie.h - search documents by meaning, in Chinese and English, offline.
 *
 * A model turns text into embeddings: vectors of length 1 whose dot product is
 * the cosine between two meanings. A database keeps documents, their chunks and
 * the embeddings as rows of SQLite, and answers a question with the chunks
 * nearest to it. The shortest whole program:
 *
 *     ernie_model_open(NULL, &model, &err);
 *     ernie_open("notes.db", ERNIE_CREATE, model, &database, &err);
 *     ernie_add_text(database, "note-1", NULL, "深度学习推动AI进步", &err);
 *     ernie_search(database, "人工智能", NULL, &hits, &err);
 *
 * Every function that can fail returns ERNIE_OK (0) or another code below, and
 * writes one line of explanation into err, which may be NULL. Results are set
 * only on success. Nothing here prints, exits, opens a network connection or
 * keeps global state. Text is UTF-8; bytes that are not become U+FFFD. */
#ifndef ERNIE_H
#define ERNIE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define ERNIE_API __attribute__((visibility("default")))
#else
#define ERNIE_API
#endif

struct sqlite3;

/* ---- errors ------------------------------------------------------------ */

enum {
    ERNIE_OK = 0,
    ERNIE_ENOMEM,    /* memory ran out */
    ERNIE_EINVAL,    /* an argument cannot be used: an empty query, no such encoding */
    ERNIE_EIO,       /* the system refused to read or write; the message has its reason */
    ERNIE_EFORMAT,   /* a file is not what it should be; the message names file and field */
    ERNIE_ENOTFOUND, /* no such file, model, database or document */
    ERNIE_EMISMATCH, /* the database was made by another model or version */
    ERNIE_EBUSY,     /* another process is writing to the database */
    ERNIE_ECANCELED, /* the caller's progress function asked to stop */
    ERNIE_ECORRUPT   /* the database contradicts itself */
};

typedef struct ernie_error {
    int code;
    char message[508]; /* "what: why", UTF-8, no line break */
} ernie_error;

ERNIE_API const char *ernie_version(void);

/* ---- models ------------------------------------------------------------ */

/* A model is the weights, the vocabulary and the configuration of one ERNIE or
 * BERT checkpoint. It never changes once opened, so threads may share it. An
 * encoder adds the scratch memory and the threads of forward passes; give each
 * thread of yours its own. An encoder borrows its model, and so does a database:
 * free those first. */
typedef struct ernie_model ernie_model;
typedef struct ernie_encoder ernie_encoder;

/* Opens a Hugging Face or sentence-transformers directory (config.json,
 * vocab.txt, model.safetensors or the files of its index). NULL means the default model: $ERNIE_MODEL when
 * set, else "ernie-micro-zh-en" in $XDG_DATA_HOME/ernie/models, beside the
 * library, or in the installation's data directory. */
ERNIE_API int ernie_model_open(const char *directory, ernie_model **out, ernie_error *err);
ERNIE_API void ernie_model_close(ernie_model *model);

ERNIE_API size_t ernie_model_dim(const ernie_model *model);        /* floats an embedding */
/* Floats of a token's vector, which may be another number than an embedding's. */
ERNIE_API size_t ernie_model_hidden_size(const ernie_model *model);
ERNIE_API size_t ernie_model_max_tokens(const ernie_model *model); /* [CLS] and [SEP] included */
/* The directory the model came from; belongs to the model. */
ERNIE_API const char *ernie_model_directory(const ernie_model *model);
/* The labels of a sequence classifier; 0 when the model is none. */
ERNIE_API size_t ernie_model_n_labels(const ernie_model *model);
/* Label i, or NULL past the last; belongs to the model. */
ERNIE_API const char *ernie_model_label(const ernie_model *model, size_t i);
/* What the model wants put before a text of a kind, by the names of its
 * config_sentence_transformers.json: "query", "passage", ... ("document", "passage"
 * and "corpus" mean the same); or NULL when it names none. A model with a default
 * prompt and none of these has that one for both. Belongs to the model. */
ERNIE_API const char *ernie_model_prompt(const ernie_model *model, const char *name);
/* 32 hexadecimal digits over weights, vocabulary, modules, prompts and limits: two models
 * with the same fingerprint give the same embeddings. Belongs to the model. */
ERNIE_API const char *ernie_model_fingerprint(const ernie_model *model);

/* What a model is. */
struct ernie_model_info {
    size_t n_layers, hidden_size, n_heads, intermediate_size;
    size_t vocab_size, max_tokens, dim;
    uint64_t n_parameters, n_int8_parameters; /* of them */
    uint64_t weights_bytes;                   /* of model.safetensors */
    char pooling[64];                         /* "mean", "cls+max" */
    const char *model_type;                   /* "ernie", "bert", "roformer", ... */
    const char *positions;                    /* "learned" or "rotary" */
    /* "single_label_classification", "multi_label_classification" or "regression", or
     * NULL when the model has no head that classifies */
    const char *head;
    size_t n_labels;
    const char *kernel; /* the instruction set that its products use here: "avx512vnni" */
};

ERNIE_API int ernie_model_info(const ernie_model *model, struct ernie_model_info *out,
                               ernie_error *err);

/* What the numbers of a model are written as; AS_IS: what they were. */
enum ernie_dtype { ERNIE_AS_IS, ERNIE_F32, ERNIE_F16, ERNIE_BF16 };

struct ernie_convert_report {
    uint64_t bytes_before, bytes_after; /* of the weights */
    size_t n_tensors, n_left_out;       /* written, and of training alone */
    int transposed;                     /* linear layers were [inputs][outputs], as Paddle's */
};

/* Writes a checkpoint as people have it into a new directory as transformers has it: one
 * model.safetensors, whatever it was in before (F32, F16 or BF16, in several files with an
 * index); names without "bert." or "ernie.", weight and bias for gamma and beta; linear
 * layers [outputs][inputs]. The result has been opened once when this returns. Returns
 * ERNIE_EINVAL when out exists, or when a number is too large for dtype. report may be
 * NULL. */
ERNIE_API int ernie_model_convert(const char *directory, const char *out, enum ernie_dtype dtype,
                                  struct ernie_convert_report *report, ernie_error *err);

struct ernie_quantize_report {
    uint64_t bytes_before, bytes_after;                /* of model.safetensors */
    size_t n_matrices;                                 /* made int8 */
    size_t n_texts;                                    /* that the cosines are of */
    double cosine_mean, cosine_least;                  /* to the original's embeddings */
    double tokens_per_s_before, tokens_per_s_after;    /* on all cores */
    const char *clipping; /* what a row's scale is: "greatest" weight to 127, or the least
                             sum of "squares" lost by weights, or by "outputs" over texts */
};

/* Writes the model with int8 weights into a new directory, a quarter of the size, which
 * opens like any other. n_texts texts, when there are two or more, choose how rows are
 * clipped (the first half of them) and judge the result (the second half); else a few of
 * our own judge. Returns ERNIE_EINVAL when out exists or the weights are int8 already.
 * report may be NULL. */
ERNIE_API int ernie_model_quantize(const char *directory, const char *out, size_t n_texts,
                                   const char *const *texts, struct ernie_quantize_report *report,
                                   ernie_error *err);

/* Writes the model with n more tokens into a new directory, which opens like any other:
 * they are found in a text before its words are, as with transformers' add_tokens. The
 * embedding of a new token is the mean of its pieces'. Tokens that the model has already
 * are passed over; is_added [n] says which ones were not, and may be NULL. Returns
 * ERNIE_EINVAL when none is new, one is not UTF-8 or too long, or out exists. */
ERNIE_API int ernie_model_add_tokens(const char *directory, const char *out, size_t n,
                                     const char *const *tokens, unsigned char *is_added,
                                     ernie_error *err);

/* What the model reads of a text: [CLS] text [SEP], or [CLS] text [SEP] pair
 * [SEP] with token type 1 from the second text on. */
struct ernie_tokens {
    size_t n;
    int32_t *input_ids;      /* [n] */
    int32_t *token_type_ids; /* [n] */
    int32_t *attention_mask; /* [n], all 1: nothing is padded */
    /* [n] the bytes of the text that each token came from, start up to end: of the pair
     * where the token is the pair's; 0 and 0 for [CLS] and [SEP] */
    size_t *start, *end;
};

/* Splits a text, and a second one when pair is not NULL, into the model's
 * tokens. When there are more than max_tokens (0: no limit) the longer text is
 * cut from its end, token by token, as Hugging Face's "longest_first" does. */
ERNIE_API int ernie_tokenize(const ernie_model *model, const char *text, const char *pair,
                             size_t max_tokens, struct ernie_tokens *out, ernie_error *err);
ERNIE_API void ernie_tokens_reset(struct ernie_tokens *tokens);
/* The vocabulary's word for a token id, or NULL; belongs to the model. */
ERNIE_API const char *ernie_token(const ernie_model *model, int32_t id);

/* A piece of a text that is embedded by itself. */
struct ernie_chunk {
    size_t start, end; /* bytes [start, end) of the chunks' text, whole characters */
    size_t n_tokens;
};

struct ernie_chunks {
    size_t n;
    struct ernie_chunk *chunk; /* [n], in the order of the text */
    char *text; /* [size], what start and end count: the text given, with U+FFFD for bytes
                 * that are not UTF-8 */
    size_t size;
};

/* Cuts a plain text as ernie_index and ernie_add_text do: whole sentences packed to about
 * 200 tokens, each chunk beginning with the last sentence of the one before when that is
 * short. */
ERNIE_API int ernie_chunk(const ernie_model *model, const char *text, struct ernie_chunks *out,
                          ernie_error *err);
ERNIE_API void ernie_chunks_reset(struct ernie_chunks *chunks);

/* n_threads: how many threads share the texts of one call (0: what $ERNIE_THREADS says, else
 * one a core). */
ERNIE_API int ernie_encoder_new(const ernie_model *model, size_t n_threads, ernie_encoder **out,
                                ernie_error *err);
ERNIE_API void ernie_encoder_free(ernie_encoder *encoder);
/* How many threads it has: fewer than were asked for when they cannot be started. */
ERNIE_API size_t ernie_encoder_n_threads(const ernie_encoder *encoder);

/* Turns n texts into n embeddings: the token vectors of the last layer pooled
 * as the model says (mean unless it names another way), put through the dense
 * layers it may have, then always scaled to length 1, so a dot product is a
 * cosine. Reimers & Gurevych 2019, section 3.
 *
 *   texts  [n]       UTF-8; tokens past the model's limit are cut off
 *   out    [n][dim]  float32, row-major; the caller's memory
 *
 * Returns ERNIE_EINVAL for a NULL text, and ERNIE_EFORMAT when the weights are so large
 * that a number of out is not finite. Allocates nothing. */
ERNIE_API int ernie_encode(ernie_encoder *encoder, size_t n, const char *const *texts, float *out,
                           ernie_error *err);

struct ernie_encode_options {
    const char *prompt; /* put before each text, as ernie_model_prompt gives it; or NULL */
    size_t dim; /* keep the first so many numbers of each embedding, scaled to length 1
                 * again (0: all): Matryoshka models are trained for it. Kusupati et
                 * al. 2022 */
    const char *const *pairs; /* [n] a second text for each, read with it as ernie_tokenize
                               * does; or NULL */
    int32_t task_type; /* of every token, where the model has task types, as ERNIE 3.0 */
};

/* The same as ernie_encode in other ways; out [n][options' dim]. A text that is too
 * long is cut, the prompt is not. Whether pooling counts the prompt's tokens is the
 * model's to say. Texts with a prompt are copied, which may return ERNIE_ENOMEM.
 * ERNIE_EINVAL: dim is more than the model's, or it has no such task type. */
ERNIE_API int ernie_encode_with(ernie_encoder *encoder, size_t n, const char *const *texts,
                                const struct ernie_encode_options *options, float *out,
                                ernie_error *err);

/* What each token of one text means where it stands: the vectors of the last layer, one
 * a token, as long as the model makes them. A word has other vectors in other sentences.
 *
 *   tokens   released with ernie_tokens_reset
 *   vectors  [tokens->n][ernie_model_hidden_size], released with ernie_free
 *
 * Of options, which may be NULL, the first pair and the task type count; a prompt or a
 * dim is ERNIE_EINVAL. */
ERNIE_API int ernie_encode_tokens(ernie_encoder *encoder, const char *text,
                                  const struct ernie_encode_options *options,
                                  struct ernie_tokens *tokens, float **vectors, ernie_error *err);

/* What a sequence classifier says of n texts, or of pairs of texts.
 *
 *   logits         [n][ernie_model_n_labels], what the model gives; or NULL
 *   probabilities  the same as numbers in 0..1, which for a model that gives each text
 *                  one label add up to 1 (softmax), else stand each for itself (sigmoid);
 *                  a regression's stay as they are. Or NULL
 *
 * A text that is too long is cut. ERNIE_EINVAL: the model has no head that classifies, or
 * options, which may be NULL, have a dim. */
ERNIE_API int ernie_classify(ernie_encoder *encoder, size_t n, const char *const *texts,
                             const struct ernie_encode_options *options, float *logits,
                             float *probabilities, ernie_error *err);

/* How well each of n texts answers a query, by a cross-encoder (a sequence classifier
 * with one label, which reads query and text together): scores [n], higher is better, in
 * 0..1 unless the model says otherwise. Slower than comparing embeddings, and better:
 * meant for the best few hits. Nogueira & Cho 2019, "Passage Re-ranking with BERT".
 * ERNIE_EINVAL: the model is no cross-encoder. */
ERNIE_API int ernie_rerank(ernie_encoder *encoder, const char *query, size_t n,
                           const char *const *texts, float *scores, ernie_error *err);

/* The cosine of two vectors of dim floats; 0 when one of them is all zero. */
ERNIE_API double ernie_cosine(size_t dim, const float *a, const float *b);

/* ---- databases --------------------------------------------------------- */

/* A database is one SQLite connection with one collection of documents in it.
 * One thread at a time may use it; open one for each thread. */
typedef struct ernie_database ernie_database;

enum {
    ERNIE_READ = 0,  /* search only: works on a read-only file too */
    ERNIE_WRITE = 1, /* may change an existing database */
    ERNIE_CREATE = 3 /* may change it, and makes it first when there is none */
};

/* Opens a database file. The model may be NULL where nothing is embedded
 * (status, verify). Returns ERNIE_EMISMATCH when another model made its
 * embeddings: they cannot be compared. */
ERNIE_API int ernie_open(const char *path, unsigned mode, const ernie_model *model,
                         ernie_database **out, ernie_error *err);
/* The same over a connection the caller owns and keeps open; made for the SQLite
 * extension. Changes made through it are part of the caller's transaction. */
ERNIE_API int ernie_attach(struct sqlite3 *connection, const ernie_model *model,
                           ernie_database **out, ernie_error *err);
ERNIE_API void ernie_close(ernie_database *database);

/* Adds the SQL functions and tables of the extension (ernie_search, ernie_embed, ...) to a
 * connection, for programs and machines that cannot load extensions. The connection must be
 * of the libsqlite3 that this library is linked to. model: NULL for the default one, opened
 * when it is first needed; else it must outlive the connection. */
ERNIE_API int ernie_register(struct sqlite3 *connection, const ernie_model *model,
                             ernie_error *err);

/* Keeps only the first dim numbers of each embedding, 1..ernie_model_dim, scaled to
 * length 1 again: less room and faster search, for models trained for it (Matryoshka;
 * Kusupati et al. 2022). It is for a collection with nothing in it, and noted there with
 * the first text embedded: later it need not be said again. ERNIE_EMISMATCH when the
 * collection has vectors of another length. On a database opened without a model it
 * says how long ernie_reembed makes them. */
ERNIE_API int ernie_set_dim(ernie_database *database, size_t dim, ernie_error *err);

/* ---- indexing ---------------------------------------------------------- */

enum ernie_stage {
    ERNIE_STAGE_SCAN,  /* finding files; n_files_total still grows */
    ERNIE_STAGE_EMBED, /* reading, embedding and storing them */
    ERNIE_STAGE_INDEX  /* building the vector index */
};

struct ernie_progress {
    enum ernie_stage stage;
    size_t n_files_total; /* found so far */
    size_t n_files_done;
    uint64_t n_bytes_total; /* of the files that need work */
    uint64_t n_bytes_done;
    size_t n_chunks;     /* embedded so far */
    const char *path;    /* the file just finished, printable UTF-8, or NULL */
    const char *failure; /* why that file was not indexed, or NULL */
    double seconds_left; /* until all are embedded, or NAN while that cannot be told */
};

/* Called from the thread that called the library. Anything but 0 stops the work
 * after the current documents; what was reported done stays done. */
typedef int (*ernie_progress_fn)(void *data, const struct ernie_progress *progress);

struct ernie_index_options {
    size_t n_threads; /* 0: $ERNIE_THREADS, else one a core */
    size_t n_excludes;
    const char *const *excludes; /* [n_excludes], patterns as in .gitignore */
    int hidden;                  /* take files and folders whose name starts with a dot */
    int ocr; /* look for words in images, by Tesseract where that was built in; those of
              * before stay without it */
    int unconfined;              /* read PDF, Office, mail and archives also where the system
                                  * cannot confine the programs that do: for trusted files */
    int prune; /* remove what is indexed of a path that is missing or an empty folder: else
                * it is kept, for it may be on a drive that is not there at present */
    ernie_progress_fn progress;  /* may be NULL */
    void *progress_data;
};

struct ernie_index_report {
    size_t n_added, n_changed, n_unchanged, n_removed, n_failed, n_skipped; /* files */
    size_t n_moved;  /* files that have another name now, and were not embedded again */
    size_t n_kept;   /* documents of paths that are missing or empty */
    size_t n_chunks; /* embedded */
};

/* Brings the collection up to date with files and folders: new and changed
 * files are read, cut into chunks and embedded with the model's passage prompt, deleted ones are
 * removed, those of another name keep their rows, and the rest are left alone. Each document is
 * written whole or not at all; some share a transaction. options and report may be NULL. A file that cannot be read is counted and reported, and does not
 * stop the others. */
ERNIE_API int ernie_index(ernie_database *database, size_t n_paths, const char *const *paths,
                          const struct ernie_index_options *options,
                          struct ernie_index_report *report, ernie_error *err);

/* A watcher keeps the collection up to date with folders: first as ernie_index does, and from
 * then on with what changes in them. It does its work in the thread that calls
 * ernie_watcher_step, and borrows its database, which others may use between the calls. */
typedef struct ernie_watcher ernie_watcher;

struct ernie_watch_options {
    struct ernie_index_options index; /* prune does not count; what is pointed to is borrowed */
    int pauses_on_battery; /* indexes nothing while the machine runs on its battery */
    unsigned quiet_ms;     /* changes are indexed when there was none for so long; 0: 1000 */
    unsigned max_wait_ms;  /* and after so long at most; 0: 15,000 */
    unsigned rescan_s;     /* how often folders that cannot be watched are read; 0: 600 */
    unsigned rescan_all_s; /* how often all are: another machine's changes on a network's disk
                            * are not told of; 0: 3600 */
};

struct ernie_watch_state {
    size_t n_watched;   /* folders */
    size_t n_unwatched; /* folders that are read every rescan_s instead */
    int is_paused;      /* on the battery */
};

/* paths: folders, that may be missing when something is indexed of them; n_paths 0: all that
 * was indexed. options may be NULL. ERNIE_ENOTFOUND when nothing was. */
ERNIE_API int ernie_watcher_new(ernie_database *database, size_t n_paths,
                                const char *const *paths,
                                const struct ernie_watch_options *options, ernie_watcher **out,
                                ernie_error *err);
/* Waits for what there is to index, timeout_ms at most, and indexes it. *is_done is 1 when it
 * did, and report, which may be NULL, says what. A file that cannot be read, and a limit that
 * keeps folders from being watched, are told to the options' progress. When another process
 * writes to the database it tries again later. After any failure the watcher is to be freed:
 * what was reported done stays done, and a new one finds the rest. */
ERNIE_API int ernie_watcher_step(ernie_watcher *watcher, int timeout_ms,
                                 struct ernie_index_report *report, int *is_done,
                                 ernie_error *err);
ERNIE_API void ernie_watcher_state(const ernie_watcher *watcher, struct ernie_watch_state *out);
ERNIE_API void ernie_watcher_free(ernie_watcher *watcher);

/* Stores a text of the caller's own under a name, replacing what that name held.
 * title may be NULL. */
ERNIE_API int ernie_add_text(ernie_database *database, const char *name, const char *title,
                             const char *text, ernie_error *err);

/* Removes a document added by ernie_add_text, or what was indexed of a file or
 * folder, named by its absolute path; the files stay. ERNIE_ENOTFOUND when
 * nothing of that name is indexed. */
ERNIE_API int ernie_remove(ernie_database *database, const char *name, size_t *n_removed,
                           ernie_error *err);

/* ---- searching --------------------------------------------------------- */

/* How a query finds chunks. By keywords: those that have some of its words, more and rarer
 * ones first. In the query "a phrase" must be there, -word must not, and start* is the start
 * of a word. By vector: those that mean what it means. Hybrid: both rankings fused, and phrases
 * and -words are conditions for both. */
enum ernie_search_mode { ERNIE_HYBRID, ERNIE_VECTOR, ERNIE_KEYWORD };

/* All zero is no limit: all documents are searched. */
struct ernie_search_options {
    size_t k;       /* hits wanted; 0: 10 */
    enum ernie_search_mode mode;
    int all_chunks; /* list every chunk; else only the best one of each document */
    int no_snippets; /* leave snippets "", without marks, and places out: for whoever shows few
                      * of the hits and asks ernie_snippet for theirs */
    ernie_encoder *reranker; /* reads the question with the passage of each of the best 50
                              * hits (or k, when that is more) and orders them anew, as
                              * ernie_rerank does; or NULL */
    /* Which documents. A date is that which the document states, else that of its file. */
    size_t n_formats;
    const char *const *formats; /* [n_formats], "pdf", "markdown", ...: only these; 0: all */
    const char *after, *before; /* from that day on, until before that day: "2024-01-31", or
                                 * "2024-01", "2024" for the first day of it; or NULL */
    const char *path;           /* at or below this file, folder or archive; or NULL */
};

/* Bytes [start, end) of a snippet: whole characters. */
struct ernie_mark {
    size_t start, end;
};

/* Another passage of a hit's document. */
struct ernie_place {
    int64_t chunk_id;
    size_t page, line; /* as of a hit */
};

struct ernie_hit {
    size_t rank;  /* from 1 */
    double score; /* cosine in [-1, 1], higher is nearer; whatever the mode */
    double bm25;  /* how much the query's words say for it; 0 when it has none of them */
    double fused_score;  /* what hits are ordered by, made of these two; no scale of its own */
    size_t vector_rank;  /* by cosine, from 1 among all chunks; 0 where it was not needed */
    size_t keyword_rank; /* by bm25, from 1; 0 when it has none of the words */
    double rerank_score; /* what the reranker gave, by which hits are ordered then; else NAN */
    int64_t document_id, chunk_id;
    size_t page;         /* or slide or sheet, from 1; 0 when the document has none */
    size_t line;         /* of the document's file, from 1 */
    const char *path;    /* of the file, or the name given to ernie_add_text */
    const char *title;   /* "" when the document has none */
    const char *heading; /* the headings that it stands under, "第1章 › 备份", or "" */
    const char *format;  /* "text", "markdown", "pdf", ... */
    const char *author;  /* as the document says, or ""; so is the language: "zh-CN", "en" */
    const char *language;
    const char *date;    /* ISO 8601, that the document states, else that of its file; or "" */
    const char *snippet; /* of the chunk, on one line: from the sentence nearest the query */
    size_t n_marks;
    const struct ernie_mark *marks; /* [n_marks], in order: the query's words in the snippet */
    size_t n_more; /* other passages of the document that fit the query better than the last
                    * hit; 0 with all_chunks, where they are hits */
    size_t n_places;
    const struct ernie_place *places; /* [n_places] the best five of these, in the document's
                                       * order */
};

struct ernie_hits {
    size_t n;
    struct ernie_hit *hit; /* [n], best first */
};

/* The hits of one question, best first; what is plain text of it is embedded with the model's
 * query prompt. options may be NULL. The strings belong
 * to the hits. Returns ERNIE_EINVAL when the query holds no word, ERNIE_EFORMAT when the options
 * name a format that there is none of, or what is no date. */
ERNIE_API int ernie_search(ernie_database *database, const char *query,
                           const struct ernie_search_options *options, struct ernie_hits **out,
                           ernie_error *err);
ERNIE_API void ernie_hits_free(struct ernie_hits *hits);
/* The snippet that a hit on a chunk has for a query, for whoever searches with no_snippets.
 * Release with ernie_free.
 * ERNIE_ENOTFOUND when the chunk is gone. */
ERNIE_API int ernie_snippet(ernie_database *database, const char *query, int64_t chunk_id,
                            char **out, ernie_error *err);

/* How well a collection answers, from 0 to 1: means over the queries of what trec_eval has for
 * each. */
struct ernie_quality {
    size_t n_queries; /* that some document answers: the others do not count */
    double ndcg_10;   /* Järvelin & Kekäläinen 2002 */
    double mrr_10;    /* 1 / the rank of the first that answers, among ten */
    double recall_1, recall_10, recall_100; /* the part of those that answer, found among so many */
};

/* Asks queries and compares the hits with judgements, both as the lines of files that retrieval
 * sets come in; empty ones are passed over.
 *
 *   queries     [n_queries]     {"_id": "q1", "text": "..."} (BEIR), or "q1<TAB>text"
 *   judgements  [n_judgements]  "query<TAB>document<TAB>score" (BEIR, with its first line or
 *                               without), or "query 0 document score" (TREC); a score of 1 or
 *                               more answers
 *
 * A document is called by its name, or by any end of its path: "d7.txt" is ".../corpus/d7.txt".
 * Of options, which may be NULL, k and what is about chunks and snippets do not count.
 * ERNIE_EFORMAT: a line is none of these. ERNIE_ENOTFOUND: no query counts. */
ERNIE_API int ernie_quality(ernie_database *database, size_t n_queries, const char *const *queries,
                            size_t n_judgements, const char *const *judgements,
                            const struct ernie_search_options *options, struct ernie_quality *out,
                            ernie_error *err);

/* JSON of a hit (an object), of hits (an array), of any text (a quoted string).
 * Release with ernie_free. */
ERNIE_API int ernie_hit_to_json(const struct ernie_hit *hit, char **out, ernie_error *err);
ERNIE_API int ernie_hits_to_json(const struct ernie_hits *hits, char **out, ernie_error *err);
ERNIE_API int ernie_text_to_json(const char *text, char **out, ernie_error *err);
/* JSON of a vector: an array of numbers that read back as the same floats. */
ERNIE_API int ernie_vector_to_json(size_t dim, const float *vector, char **out, ernie_error *err);
/* The vector [*dim] of such an array, release with ernie_free. ERNIE_EFORMAT when the text
 * is anything but an array of one or more numbers that floats can hold. */
ERNIE_API int ernie_vector_from_json(const char *text, size_t *dim, float **out,
                                     ernie_error *err);
ERNIE_API void ernie_free(void *memory);

/* ---- upkeep ------------------------------------------------------------ */

struct ernie_status {
    size_t n_documents, n_failed, n_chunks;
    size_t n_roots;
    size_t dim;       /* numbers of each vector; 0: nothing embedded yet */
    size_t model_dim; /* numbers the model gives, of which the first dim are kept */
    char model_fingerprint[33];
    char model_name[128];
    char index_kind[64];    /* "flat", "ivf", FAISS's word for another, or "none" */
    size_t n_index_vectors; /* in the vector index file */
    size_t n_tail_vectors;  /* newer than it */
    uint64_t database_bytes, index_bytes; /* of the files */
    uint64_t memory_bytes;                /* that the index takes */
};

ERNIE_API int ernie_status(ernie_database *database, struct ernie_status *out, ernie_error *err);

/* Compares rows, vectors and vector index with each other and asks SQLite for
 * its own integrity check. report is called once for each finding, with one
 * line. Returns ERNIE_ECORRUPT when there was a finding. */
ERNIE_API int ernie_verify(ernie_database *database,
                           void (*report)(void *data, const char *finding), void *data,
                           ernie_error *err);

/* Makes the words and the vector index again from the rows. */
ERNIE_API int ernie_rebuild(ernie_database *database, ernie_error *err);

/* Embeds every stored chunk again with another model and rebuilds the index: the
 * way from one model to another. The database must be opened for writing with no
 * model. Vectors get all of the model's numbers unless ernie_set_dim said how many. It is one transaction: readers get the old vectors until it is done, and
 * stopping it changes nothing. */
ERNIE_API int ernie_reembed(ernie_database *database, const ernie_model *model,
                            const struct ernie_index_options *options, ernie_error *err);

#ifdef __cplusplus
}
#endif

#endif
