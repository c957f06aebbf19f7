/* Model directories that mean harm: some thousand made from a small good one, each opened
 * in a process of its own. What must be refused is refused, in one line that names the
 * file and the field; what is harmless gives finite embeddings. Neither takes a second,
 * nor more memory than twice the directory and a constant. */
#include <check.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/buffer.h"
#include "ernie.h"
#include "suite.h"

/* Besides twice the directory: the tree of a JSON file's 100,000 values at most (some 100
 * bytes each, where "1," is two in the file), the places of 16,384 tensors (112 bytes), the
 * table of 65,536 characters (4 bytes each) and what the heap and the loaded pages of the
 * program round up. */
#define CONSTANT_BYTES ((size_t)12 << 20)
#define MAX_SECONDS 1.0

/* Under a sanitizer memory and time say nothing about the library. */
#if defined(__has_feature)
#define HAS_FEATURE(name) __has_feature(name)
#else
#define HAS_FEATURE(name) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || HAS_FEATURE(address_sanitizer)
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

/* ---- a good model ------------------------------------------------------ */

enum part {
    CONFIG, VOCAB, WEIGHTS, TOKENIZER, SENTENCE_BERT, PROMPTS, MODULES, POOLING, DENSE, DENSE_WEIGHTS,
    TOKENIZER_JSON, N_PARTS
};

static const char *const part_name[N_PARTS] = {
    "config.json", "vocab.txt", "model.safetensors", "tokenizer_config.json",
    "sentence_bert_config.json", "config_sentence_transformers.json", "modules.json",
    "1_Pooling/config.json", "2_Dense/config.json", "2_Dense/model.safetensors", "tokenizer.json",
};

static const char *const good_json[N_PARTS] = {
    [CONFIG] = "{\n\"model_type\": \"ernie\",\n\"hidden_size\": 32,\n\"num_hidden_layers\": 2,\n"
               "\"num_attention_heads\": 4,\n\"intermediate_size\": 48,\n\"hidden_act\": \"gelu\",\n"
               "\"layer_norm_eps\": 1e-12,\n\"vocab_size\": 40,\n"
               "\"max_position_embeddings\": 24,\n\"type_vocab_size\": 2,\n"
               "\"use_task_id\": true,\n\"task_type_vocab_size\": 3\n}\n",
    [TOKENIZER] = "{\n\"do_lower_case\": true,\n\"tokenize_chinese_chars\": true,\n"
                  "\"strip_accents\": null,\n\"model_max_length\": 20,\n\"cls_token\": \"[CLS]\",\n"
                  "\"unk_token\": {\"content\": \"[UNK]\"}\n}\n",
    [SENTENCE_BERT] = "{\n\"max_seq_length\": 16\n}\n",
    [PROMPTS] = "{\n\"prompts\": {\"query\": \"ask: \", \"document\": \"\"},\n"
                "\"default_prompt_name\": null\n}\n",
    [MODULES] = "[\n{\"idx\": 0, \"name\": \"0\", \"path\": \"\", \"type\": \"a.Transformer\"},\n"
                "{\"idx\": 1, \"name\": \"1\", \"path\": \"1_Pooling\", \"type\": \"a.Pooling\"},\n"
                "{\"idx\": 2, \"name\": \"2\", \"path\": \"2_Dense\", \"type\": \"a.Dense\"},\n"
                "{\"idx\": 3, \"name\": \"3\", \"path\": \"3\", \"type\": \"a.Normalize\"}\n]\n",
    [POOLING] = "{\n\"pooling_mode\": \"mean\",\n\"include_prompt\": true\n}\n",
    [DENSE] = "{\n\"in_features\": 32,\n\"out_features\": 8,\n\"bias\": true,\n"
              "\"activation_function\": \"torch.nn.modules.activation.Tanh\"\n}\n",
    /* Of which the good model, a BERT with vocab.txt, takes the added tokens. */
    [TOKENIZER_JSON] =
        "{\n\"added_tokens\": [{\"id\": 4, \"content\": \"[MASK]\", \"special\": true, \"lstrip\": true}],\n"
        "\"normalizer\": {\"type\": \"Sequence\", \"normalizers\": [{\"type\": \"NFKC\"},\n"
        "{\"type\": \"Replace\", \"pattern\": {\"String\": \"q\"}, \"content\": \"a\"}]},\n"
        "\"pre_tokenizer\": {\"type\": \"Metaspace\", \"replacement\": \"\xe2\x96\x81\"},\n"
        "\"post_processor\": {\"type\": \"BertProcessing\", \"sep\": [\"[SEP]\", 3], \"cls\": [\"[CLS]\", 2]},\n"
        "\"model\": {\"type\": \"Unigram\", \"unk_id\": 1, \"vocab\": [[\"[PAD]\", 0], [\"[UNK]\", 0],\n"
        "[\"[CLS]\", 0], [\"[SEP]\", 0], [\"[MASK]\", 0], [\"a\", -1.5], [\"\xe4\xba\xba\", -2.5]]}\n}\n",
};

enum { F32, F16, BF16, I8 };
static const char *const type_name[] = { "F32", "F16", "BF16", "I8" };
static const size_t type_size[] = { 4, 2, 2, 1 };

struct tensor_plan {
    char name[80];
    int type;
    size_t rows, columns; /* columns 0: a vector */
    size_t start, size;   /* of the data, once it is written */
};

static struct tensor_plan plan[80], dense_plan[2];
static size_t n_plan;

/* The parts of the good model, and those of the case being made. */
static struct buffer good[N_PARTS], part[N_PARTS];

static uint64_t random_state;

static uint32_t random_below(uint32_t n)
{
    random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)((random_state >> 33) % n);
}

static void plan_tensor(int type, size_t rows, size_t columns, const char *format, ...)
{
    struct tensor_plan *tensor = &plan[n_plan++];
    va_list values;

    va_start(values, format);
    vsnprintf(tensor->name, sizeof tensor->name, format, values);
    va_end(values);
    tensor->type = type;
    tensor->rows = rows;
    tensor->columns = columns;
}

static void plan_linear(int type, size_t n_out, size_t n_in, size_t layer, const char *name)
{
    plan_tensor(type, n_out, n_in, "ernie.encoder.layer.%zu.%s.weight", layer, name);
    if (type == I8)
        plan_tensor(F32, n_out, 0, "ernie.encoder.layer.%zu.%s.weight_scale", layer, name);
    plan_tensor(F32, n_out, 0, "ernie.encoder.layer.%zu.%s.bias", layer, name);
}

/* One layer of int8 weights and one of float32, every type of number somewhere. */
static void plan_tensors(void)
{
    plan_tensor(I8, 40, 32, "ernie.embeddings.word_embeddings.weight");
    plan_tensor(F32, 40, 0, "ernie.embeddings.word_embeddings.weight_scale");
    plan_tensor(F16, 24, 32, "ernie.embeddings.position_embeddings.weight");
    plan_tensor(BF16, 2, 32, "ernie.embeddings.token_type_embeddings.weight");
    plan_tensor(F32, 3, 32, "ernie.embeddings.task_type_embeddings.weight");
    plan_tensor(F32, 32, 0, "ernie.embeddings.LayerNorm.weight");
    plan_tensor(F32, 32, 0, "ernie.embeddings.LayerNorm.bias");
    for (size_t i = 0; i < 2; i++) {
        const int type = i == 0 ? I8 : F32;

        plan_linear(type, 32, 32, i, "attention.self.query");
        plan_linear(type, 32, 32, i, "attention.self.key");
        plan_linear(type, 32, 32, i, "attention.self.value");
        plan_linear(type, 32, 32, i, "attention.output.dense");
        plan_tensor(F16, 32, 0, "ernie.encoder.layer.%zu.attention.output.LayerNorm.gamma", i);
        plan_tensor(F32, 32, 0, "ernie.encoder.layer.%zu.attention.output.LayerNorm.beta", i);
        plan_linear(i == 0 ? I8 : F16, 48, 32, i, "intermediate.dense");
        plan_linear(i == 0 ? I8 : BF16, 32, 48, i, "output.dense");
        plan_tensor(F32, 32, 0, "ernie.encoder.layer.%zu.output.LayerNorm.weight", i);
        plan_tensor(F32, 32, 0, "ernie.encoder.layer.%zu.output.LayerNorm.bias", i);
    }
    dense_plan[0] = (struct tensor_plan){
        .name = "linear.weight", .type = F32, .rows = 8, .columns = 32
    };
    dense_plan[1] = (struct tensor_plan){ .name = "linear.bias", .type = F32, .rows = 8 };
}

/* A few bits of any type's numbers between 0.5 and 1, or small int8 ones. */
static void append_number(struct buffer *out, int type)
{
    const uint32_t bits = type == F32 ? 0x3f000000 | random_below(128) << 16
                          : type == F16 ? 0x3800 | random_below(128)
                          : type == BF16 ? 0x3f00 | random_below(128)
                                         : random_below(255) - 127;

    for (size_t i = 0; i < type_size[type]; i++)
        buffer_append_char(out, (char)(bits >> 8 * i));
}

static void append_length(struct buffer *out, uint64_t length)
{
    for (int i = 0; i < 8; i++)
        buffer_append_char(out, (char)(length >> 8 * i));
}

static void write_tensors(struct buffer *out, size_t n, struct tensor_plan *tensors)
{
    struct buffer header = { 0 };
    size_t offset = 0;

    buffer_append_text(&header, "{\"__metadata__\":{\"format\":\"pt\"}");
    for (size_t i = 0; i < n; i++) {
        struct tensor_plan *tensor = &tensors[i];

        tensor->size = tensor->rows * (tensor->columns > 0 ? tensor->columns : 1) *
                       type_size[tensor->type];
        buffer_printf(&header, ",\n\"%s\":{\"dtype\":\"%s\",\"shape\":[%zu", tensor->name,
                      type_name[tensor->type], tensor->rows);
        if (tensor->columns > 0)
            buffer_printf(&header, ",%zu", tensor->columns);
        buffer_printf(&header, "],\"data_offsets\":[%zu,%zu]}", offset, offset + tensor->size);
        tensor->start = offset;
        offset += tensor->size;
    }
    buffer_append_text(&header, "}");
    append_length(out, header.size);
    buffer_append(out, header.data, header.size);
    for (size_t i = 0; i < n; i++) {
        tensors[i].start += 8 + header.size;
        for (size_t j = 0; j < tensors[i].size / type_size[tensors[i].type]; j++)
            append_number(out, tensors[i].type);
    }
    buffer_reset(&header);
}

static void make_good_model(void)
{
    random_state = 1;
    plan_tensors();
    for (size_t i = 0; i < N_PARTS; i++)
        if (good_json[i] != NULL)
            buffer_append_text(&good[i], good_json[i]);
    buffer_append_text(&good[VOCAB], "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n\xe4\xba\xba\n\xe5\xb7\xa5\n");
    for (int i = 0; i < 33; i++)
        buffer_printf(&good[VOCAB], "%s%c\n", i < 26 ? "" : "##", 'a' + i % 26);
    write_tensors(&good[WEIGHTS], n_plan, plan);
    write_tensors(&good[DENSE_WEIGHTS], 2, dense_plan);
}

/* ---- one case ---------------------------------------------------------- */

static char folder[64], model_directory[80];
static size_t n_cases, n_wrong;

enum wish { REFUSED, EITHER };

/* What the process that opened the directory tells. */
struct outcome {
    int status;
    int encoded; /* and all numbers were finite */
    size_t bytes; /* of memory that opening took */
    double seconds;
    ernie_error err;
};

static const char *path_of(const char *name)
{
    static char path[256];

    snprintf(path, sizeof path, "%s%s", model_directory, name);
    return path;
}

static void run(const char *format, ...)
{
    char command[1024];
    va_list values;

    va_start(values, format);
    vsnprintf(command, sizeof command, format, values);
    va_end(values);
    ck_assert_msg(system(command) == 0, "%s", command);
}

static void write_part(enum part i)
{
    FILE *file;

    unlink(path_of(part_name[i]));
    file = fopen(path_of(part_name[i]), "w");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(part[i].data, 1, part[i].size, file), part[i].size);
    ck_assert_int_eq(fclose(file), 0);
}

static void set_part(enum part i, const void *data, size_t size)
{
    buffer_clear(&part[i]);
    buffer_append(&part[i], data, size);
}

/* The good model, for a case to spoil. */
static void begin(void)
{
    for (size_t i = 0; i < N_PARTS; i++)
        set_part((enum part)i, good[i].data, good[i].size);
}

static void write_all(void)
{
    for (size_t i = 0; i < N_PARTS; i++)
        write_part((enum part)i);
}

static size_t directory_bytes(void)
{
    size_t total = 0;

    for (size_t i = 0; i < N_PARTS; i++) {
        struct stat st;

        if (stat(path_of(part_name[i]), &st) == 0 && S_ISREG(st.st_mode))
            total += (size_t)st.st_size;
    }
    return total;
}

/* Kilobytes on a line of /proc/self/status. */
static size_t status_bytes(const char *name)
{
    FILE *file = fopen("/proc/self/status", "r");
    char line[256];
    size_t kilobytes = 0;

    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, name, strlen(name)) == 0)
            kilobytes = strtoul(line + strlen(name) + 1, NULL, 10);
    if (file != NULL)
        fclose(file);
    return kilobytes * 1024;
}

static double cpu_seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static int encodes_finite_numbers(const ernie_model *model, ernie_error *err)
{
    static const char *const texts[] = { "", "abc \xe4\xba\xba\xe5\xb7\xa5", "ask: z [MASK] \xff" };
    const size_t dim = ernie_model_dim(model);
    float *out = calloc(3 * dim, sizeof *out);
    ernie_encoder *encoder = NULL;
    int finite = out != NULL && ernie_encoder_new(model, 1, &encoder, err) == ERNIE_OK &&
                 ernie_encode(encoder, 3, texts, out, err) == ERNIE_OK;

    for (size_t i = 0; finite && i < 3 * dim; i++)
        finite = isfinite(out[i]);
    ernie_encoder_free(encoder);
    free(out);
    return finite;
}

static void open_in_child(const char *directory, size_t limit, int to_parent)
{
    struct outcome outcome = { 0 };
    const size_t resident = status_bytes("VmRSS:");
    struct rlimit memory = { status_bytes("VmSize:") + limit + CONSTANT_BYTES, RLIM_INFINITY };
    ernie_model *model = NULL;
    double start;

    alarm(60); /* a FIFO that is waited for */
    if (!SANITIZED)
        setrlimit(RLIMIT_AS, &memory);
    start = cpu_seconds();
    outcome.status = ernie_model_open(directory, &model, &outcome.err);
    outcome.seconds = cpu_seconds() - start;
    outcome.bytes = status_bytes("VmHWM:") - resident;
    memory.rlim_cur = RLIM_INFINITY;
    setrlimit(RLIMIT_AS, &memory);
    outcome.encoded = outcome.status == ERNIE_OK && encodes_finite_numbers(model, &outcome.err);
    ernie_model_close(model);
    /* exit, not _exit: it is there that leaks are looked for. */
    exit(write(to_parent, &outcome, sizeof outcome) == sizeof outcome ? 0 : 1);
}

static const char *find_wrong(const struct outcome *outcome, enum wish wish, const char *directory,
                              const char *words, size_t limit)
{
    const char *message = outcome->err.message;

    if (!SANITIZED && outcome->seconds > MAX_SECONDS)
        return "takes too long";
    if (!SANITIZED && outcome->bytes > limit + CONSTANT_BYTES)
        return "takes too much memory";
    if (outcome->status == ERNIE_OK)
        return wish == REFUSED                              ? "is not refused"
               : outcome->encoded                           ? NULL
               : strstr(message, "not finite") != NULL      ? NULL
                                                            : "gives no finite numbers";
    if (outcome->status == ERNIE_ENOMEM)
        return "asks for too much memory";
    if (strncmp(message, directory, strcspn(directory, "\n")) != 0 || strpbrk(message, "\r\n") != NULL)
        return "is refused without the file's name";
    return strstr(message, words) == NULL ? "is refused for another reason" : NULL;
}

static double slowest;
static size_t largest;

/* Opens the directory as it lies there. */
static void open_case(enum wish wish, const char *directory, const char *words, const char *label)
{
    const size_t limit = 2 * directory_bytes();
    struct outcome outcome = { 0 };
    int ends[2], how;
    const char *wrong;
    pid_t child;

    ck_assert_int_eq(pipe(ends), 0);
    fflush(NULL);
    child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0)
        open_in_child(directory, limit, ends[1]);
    close(ends[1]);
    wrong = read(ends[0], &outcome, sizeof outcome) == sizeof outcome ? NULL : "tells nothing";
    close(ends[0]);
    ck_assert_int_eq(waitpid(child, &how, 0), child);
    if (WIFSIGNALED(how))
        wrong = strsignal(WTERMSIG(how));
    else if (WEXITSTATUS(how) != 0)
        wrong = "ends otherwise than it should";
    if (wrong == NULL)
        wrong = find_wrong(&outcome, wish, directory, words, limit);
    n_cases++;
    if (outcome.seconds > slowest)
        slowest = outcome.seconds;
    if (outcome.bytes > limit && outcome.bytes - limit > largest)
        largest = outcome.bytes - limit;
    if (wrong == NULL)
        return;
    n_wrong++;
    printf("%s: %s (\"%s\" wanted; %.3f s, %zu bytes for %zu; %d \"%s\")\n", label, wrong, words,
           outcome.seconds, outcome.bytes, limit / 2, outcome.status, outcome.err.message);
}

static void try(enum wish wish, const char *words, const char *format, ...)
{
    char label[200];
    va_list values;

    va_start(values, format);
    vsnprintf(label, sizeof label, format, values);
    va_end(values);
    write_all();
    open_case(wish, model_directory, words, label);
}

/* ---- ways to spoil ----------------------------------------------------- */

/* The first place of from in the part becomes to. */
static void replace(enum part i, const char *from, const char *to)
{
    struct buffer out = { 0 };
    const size_t size = strlen(from);
    char *found = memmem(part[i].data, part[i].size, from, size);

    ck_assert_msg(found != NULL, "%s has no %s", part_name[i], from);
    buffer_append(&out, part[i].data, (size_t)(found - part[i].data));
    buffer_append_text(&out, to);
    buffer_append(&out, found + size, part[i].size - (size_t)(found - part[i].data) - size);
    set_part(i, out.data, out.size);
    buffer_reset(&out);
}

/* A field's value, to the end of its line, becomes another. */
static void set_field(enum part i, const char *field, const char *value)
{
    char key[80], old[200], *start, *end;
    const char *comma;

    snprintf(key, sizeof key, "\"%s\": ", field);
    start = memmem(part[i].data, part[i].size, key, strlen(key));
    ck_assert_msg(start != NULL, "%s has no %s", part_name[i], field);
    end = strchr(start, '\n');
    snprintf(old, sizeof old, "%.*s", (int)(end - start), start);
    comma = end[-1] == ',' ? "," : "";
    if (value == NULL) /* a field of no meaning instead */
        snprintf(key, sizeof key, "\"x\": 0%s", comma);
    else
        snprintf(key, sizeof key, "\"%s\": %s%s", field, value, comma);
    replace(i, old, key);
}

/* A change in a header of tensors, whose length is put right. */
static void replace_in_header(enum part i, const char *from, const char *to)
{
    uint64_t length = 0;

    for (int j = 7; j >= 0; j--)
        length = length << 8 | (uint8_t)part[i].data[j];
    replace(i, from, to);
    length += strlen(to) - strlen(from);
    for (int j = 0; j < 8; j++)
        part[i].data[j] = (char)(length >> 8 * j);
}

static void replace_header(enum part i, const char *header, size_t size, size_t n_data)
{
    buffer_clear(&part[i]);
    append_length(&part[i], size);
    buffer_append(&part[i], header, size);
    for (size_t j = 0; j < n_data; j++)
        buffer_append_char(&part[i], 0);
}

static void cut_part(enum part i, size_t size)
{
    part[i].size = size;
}

static void repeat(struct buffer *out, const char *text, size_t n)
{
    while (n-- > 0)
        buffer_append_text(out, text);
}

#define COUNT(array) (sizeof(array) / sizeof *(array))

static void check_none_wrong(void)
{
    const size_t n = n_wrong;

    n_wrong = 0;
    ck_assert_msg(n == 0, "%zu directories, named above", n);
}

/* ---- the cases --------------------------------------------------------- */

START_TEST(test_the_good_model_is_opened)
{
    begin();
    write_all();
    {
        ernie_model *model;
        ernie_error err;

        /* Here as well, so that what is loaded once and for all counts to no case. */
        ck_assert_msg(ernie_model_open(model_directory, &model, &err) == ERNIE_OK, "%s", err.message);
        ck_assert_msg(encodes_finite_numbers(model, &err), "%s", err.message);
        ernie_model_close(model);
    }
    try(EITHER, "", "the good model");
    check_none_wrong();
}
END_TEST

START_TEST(test_header_lengths_that_lie)
{
    const uint64_t size = good[WEIGHTS].size;
    const uint64_t lengths[] = { 0, 1, 7, 8, 100, size - 9, size - 8, size - 7, size,
                                 100000000, 100000001, INT32_MAX, UINT32_MAX,
                                 (uint64_t)UINT32_MAX + 1, INT64_MAX, (uint64_t)INT64_MAX + 1,
                                 UINT64_MAX - 8, UINT64_MAX - 7, UINT64_MAX };

    for (size_t i = 0; i < COUNT(lengths); i++) {
        for (int which = 0; which < 2; which++) {
            const enum part at = which ? DENSE_WEIGHTS : WEIGHTS;

            begin();
            for (int j = 0; j < 8; j++)
                part[at].data[j] = (char)(lengths[i] >> 8 * j);
            try(REFUSED, part_name[at], "header length %llu", (unsigned long long)lengths[i]);
        }
    }
    /* As long as the file is, a hundred megabytes of hole. */
    for (int over = 0; over < 2; over++) {
        begin();
        buffer_clear(&part[WEIGHTS]);
        append_length(&part[WEIGHTS], 100000000u + (unsigned)over);
        buffer_append_char(&part[WEIGHTS], '{');
        write_all();
        ck_assert_int_eq(truncate(path_of(part_name[WEIGHTS]), 100000020), 0);
        open_case(REFUSED, model_directory, over ? "longer than" : "header", "a sparse header");
    }
    check_none_wrong();
}
END_TEST

START_TEST(test_headers_that_are_not_the_formats)
{
    static const char type[] = "\"dtype\":\"I8\"", shape[] = "\"shape\":[40,32]",
                      offsets[] = "\"data_offsets\":[0,1280]",
                      name[] = "ernie.embeddings.word_embeddings.weight";
    static const struct {
        const char *from, *to, *words;
    } cases[] = {
        { "{\"__m", " {\"__m", "does not begin with {" },
        { "{\"__m", "[\"__m", "does not begin with {" },
        { "{\"__m", "\xef\xbb\xbf{\"__m", "does not begin with {" },
        { "{\"__m", "{{\"__m", "a text in quotes" },
        { "{\"__m", "{,\"__m", "a text in quotes" },
        { "\"pt\"}", "\"pt\"},", "a text in quotes" },
        { "\"pt\"}", "1}", "__metadata__: not texts alone" },
        { "\"pt\"}", "null}", "__metadata__: not texts alone" },
        { "\"pt\"}", "{}}", "__metadata__: not texts alone" },
        { "\"pt\"}", "[\"pt\"]}", "__metadata__: not texts alone" },
        { "{\"format\":\"pt\"}", "[]", "__metadata__: not an object" },
        { "{\"format\":\"pt\"}", "null", "__metadata__: not an object" },
        { "{\"format\":\"pt\"}", "{},\"__metadata__\":{}", "__metadata__: there twice" },
        { "\"pt\"", "\"p\\u0000t\"", "not texts alone" },
        { "\"pt\"", "\"p\\ud800t\"", "not texts alone" },
        { "\"pt\"", "\"p\\xt\"", "not texts alone" },
        { "\"pt\"", "\"p\xfft\"", "not texts alone" },
        { "\"pt\"", "\"p\nt\"", "not texts alone" },
        { type, "\"dtype\":\"F8\"", "dtype: unknown" },
        { type, "\"dtype\":\"i8\"", "dtype: unknown" },
        { type, "\"dtype\":\"\"", "dtype: unknown" },
        { type, "\"dtype\":8", "dtype: unknown" },
        { type, "\"dtype\":null", "dtype: unknown" },
        { type, "\"dtype\":[\"I8\"]", "dtype: unknown" },
        { type, "\"dtype\":\"I8\",\"dtype\":\"I8\"", name },
        { type, "\"dtyp\":\"I8\"", name },
        { type, "\"x\":{},\"dtype\":\"I8\"", name },
        { shape, "\"shape\":[40,32],\"shape\":[40,32]", name },
        { shape, "\"shape\":[40,32.0]", "shape: not a few whole numbers" },
        { shape, "\"shape\":[40,3.2e1]", "shape: not a few whole numbers" },
        { shape, "\"shape\":[40,-32]", "shape: not a few whole numbers" },
        { shape, "\"shape\":[-40,-32]", "shape: not a few whole numbers" },
        { shape, "\"shape\":[40,032]", "shape: not a few whole numbers" },
        { shape, "\"shape\":[40,+32]", "shape: not a few whole numbers" },
        { shape, "\"shape\":[40,0x20]", "shape: not a few whole numbers" },
        { shape, "\"shape\":[40,\"32\"]", "shape: not a few whole numbers" },
        { shape, "\"shape\":[40,[32]]", "shape: not a few whole numbers" },
        { shape, "\"shape\":[[[[[[[[[[40]]]]]]]]]]", "shape: not a few whole numbers" },
        { shape, "\"shape\":[40,32", "shape" },
        { shape, "\"shape\":[40 32]", "shape" },
        { shape, "\"shape\":40", "shape: not an array" },
        { shape, "\"shape\":null", "shape: not an array" },
        { shape, "\"shape\":[9223372036854775808]", "shape: not a few whole numbers" },
        { shape, "\"shape\":[18446744073709551616]", "shape: not a few whole numbers" },
        { shape, "\"shape\":[99999999999999999999999999999]", "shape: not a few whole numbers" },
        { shape, "\"shape\":[9223372036854775807,9223372036854775807]", "shape: too large" },
        { shape, "\"shape\":[4294967296,4294967296]", "shape: too large" },
        { shape, "\"shape\":[4611686018427387904,4]", "shape: too large" },
        { shape, "\"shape\":[1,1,1,1,1,1,1,1,1280]", "shape: too many dimensions" },
        { shape, "\"shape\":[32,40]", "shape is not 40 x 32" },
        { shape, "\"shape\":[1280]", "shape is not 40 x 32" },
        { shape, "\"shape\":[1,40,32]", "shape is not 40 x 32" },
        { shape, "\"shape\":[40,32,1]", "shape is not 40 x 32" },
        { shape, "\"shape\":[20,64]", "shape is not 40 x 32" },
        { shape, "\"shape\":[40,31]", "data_offsets: not as long" },
        { shape, "\"shape\":[]", "data_offsets: not as long" },
        { shape, "\"shape\":[0]", "data_offsets: not as long" },
        { shape, "\"shape\":[40,0,32]", "data_offsets: not as long" },
        { offsets, "\"data_offsets\":[1280,0]", "data_offsets: outside" },
        { offsets, "\"data_offsets\":[0,1279]", "data_offsets: not as long" },
        { offsets, "\"data_offsets\":[0,1281]", "data_offsets: not as long" },
        { offsets, "\"data_offsets\":[1,1281]", "data_offsets: a hole or an overlap" },
        { offsets, "\"data_offsets\":[8,1288]", "data_offsets: a hole or an overlap" },
        { offsets, "\"data_offsets\":[0,4611686018427387904]", "data_offsets: outside" },
        { offsets, "\"data_offsets\":[9223372036854775807,9223372036854775807]", "outside" },
        { offsets, "\"data_offsets\":[18446744073709551615,1279]", "not two whole numbers" },
        { offsets, "\"data_offsets\":[-1280,0]", "data_offsets: not two whole numbers" },
        { offsets, "\"data_offsets\":[0,1280.0]", "data_offsets: not two whole numbers" },
        { offsets, "\"data_offsets\":[0,1.28e3]", "data_offsets: not two whole numbers" },
        { offsets, "\"data_offsets\":[0]", "data_offsets: not two whole numbers" },
        { offsets, "\"data_offsets\":[]", "data_offsets: not two whole numbers" },
        { offsets, "\"data_offsets\":[0,1280,1280]", "data_offsets: not two whole numbers" },
        { offsets, "\"data_offsets\":{\"0\":1280}", "data_offsets: not two whole numbers" },
        { offsets, "\"data_offsets\":null", "data_offsets: not two whole numbers" },
        { "{\"dtype\":\"I8\",\"shape\":[40,32],\"data_offsets\":[0,1280]}", "{}", name },
        { "{\"dtype\":\"I8\",\"shape\":[40,32],\"data_offsets\":[0,1280]}", "[]", name },
        { "{\"dtype\":\"I8\",\"shape\":[40,32],\"data_offsets\":[0,1280]}", "null", name },
        { "{\"dtype\":\"I8\",\"shape\":[40,32],\"data_offsets\":[0,1280]}", "\"I8\"", name },
        { name, "", "" },
        { name, "\xff", "not UTF-8" },
        { name, "\xed\xa0\x80", "not UTF-8" },
        { name, "a\\u0000", "an escape that is none" },
        { name, "\\ud800", "an escape that is none" },
        { name, "\\u12", "an escape that is none" },
        { name, "__metadata__", "__metadata__" },
        { name, "../../../etc/passwd", "word_embeddings.weight: missing" },
        { name, "embeddings.word_embeddings.weight", ": missing" },
        { name, "bert.embeddings.word_embeddings.weight", ": missing" },
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        begin();
        replace_in_header(WEIGHTS, cases[i].from, cases[i].to);
        try(REFUSED, cases[i].words, "header: %s for %s", cases[i].to, cases[i].from);
    }
    check_none_wrong();
}
END_TEST

START_TEST(test_headers_that_are_large_or_deep)
{
    struct buffer header = { 0 };
    static const char *const endless[] = { "[", "{\"a\":", "{\"a\":[", "{\"a\":\"", "{\"\\\"",
                                           "{\"a\\u0041" };

    for (size_t i = 0; i < COUNT(endless); i++) {
        buffer_clear(&header);
        repeat(&header, endless[i], 1000000 / strlen(endless[i]));
        begin();
        replace_header(WEIGHTS, header.data, header.size, 0);
        try(REFUSED, "model.safetensors: ", "a megabyte of %s", endless[i]);
    }
    /* Too many tensors, and just few enough, all of no bytes. */
    for (int too_many = 0; too_many < 2; too_many++) {
        buffer_clear(&header);
        for (int j = 0; j < 16384 + too_many; j++)
            buffer_printf(&header, "%c\"%x\":{\"dtype\":\"I8\",\"shape\":[0],\"data_offsets\":[0,0]}",
                          j > 0 ? ',' : '{', (unsigned)j);
        buffer_append_char(&header, '}');
        begin();
        replace_header(WEIGHTS, header.data, header.size, 0);
        try(REFUSED, too_many ? "more than 16384 tensors" : "missing", "16384 tensors");
    }
    /* All of one name, and all at one place. */
    for (int same_name = 0; same_name < 2; same_name++) {
        buffer_clear(&header);
        for (int j = 0; j < 16000; j++)
            buffer_printf(&header, "%c\"%x\":{\"dtype\":\"I8\",\"shape\":[%d],\"data_offsets\":[0,%d]}",
                          j > 0 ? ',' : '{', same_name ? 0 : (unsigned)j, !same_name, !same_name);
        buffer_append_char(&header, '}');
        begin();
        replace_header(WEIGHTS, header.data, header.size, 1);
        try(REFUSED, same_name ? "" : "a hole or an overlap", "tensors alike");
    }
    /* A name of a megabyte, and spaces for a header. */
    buffer_clear(&header);
    buffer_append_text(&header, "{\"");
    repeat(&header, "n", 1000000);
    buffer_append_text(&header, "\":{\"dtype\":\"I8\",\"shape\":[2],\"data_offsets\":[0,1]}}");
    begin();
    replace_header(WEIGHTS, header.data, header.size, 1);
    try(REFUSED, "model.safetensors: nnn", "a long name");
    buffer_clear(&header);
    buffer_append_text(&header, "{");
    repeat(&header, " \n", 500000);
    begin();
    replace_header(WEIGHTS, header.data, header.size, 1);
    try(REFUSED, "header: line 500001", "spaces");
    buffer_reset(&header);
    check_none_wrong();
}
END_TEST

static void check_each_tensor(enum part at, size_t n, const struct tensor_plan *tensors)
{
    for (size_t i = 0; i < n; i++) {
        const char *bare = strncmp(tensors[i].name, "ernie.", 6) == 0 ? tensors[i].name + 6
                                                                      : tensors[i].name;
        char key[160], other[400];
        const int optional = strstr(bare, "task_type") != NULL;

        snprintf(key, sizeof key, "\"%s\"", tensors[i].name);
        begin();
        replace_in_header(at, key, "\"another\"");
        try(optional ? EITHER : REFUSED, "missing", "%s renamed", bare);

        snprintf(other, sizeof other, "\"%s\":{\"dtype\":\"I8\",\"shape\":[0],\"data_offsets\":[0,0]},%s",
                 tensors[i].name, key);
        begin();
        replace_in_header(at, key, other);
        try(REFUSED, "there twice", "%s twice", bare);

        /* The same bytes said to be of a type that no weights have. */
        snprintf(key, sizeof key, "\"%s\":{\"dtype\":\"%s\"", tensors[i].name,
                 type_name[tensors[i].type]);
        snprintf(other, sizeof other, "\"%s\":{\"dtype\":\"%s\"", tensors[i].name,
                 type_size[tensors[i].type] == 4   ? "I32"
                 : type_size[tensors[i].type] == 2 ? "U16"
                                                   : "BOOL");
        begin();
        replace_in_header(at, key, other);
        try(REFUSED, bare, "%s of another type", bare);

        snprintf(key, sizeof key, "\"%s\":{\"dtype\":\"%s\",\"shape\":[%zu", tensors[i].name,
                 type_name[tensors[i].type], tensors[i].rows);
        snprintf(other, sizeof other, "%s,1,1", key);
        begin();
        replace_in_header(at, key, other);
        try(REFUSED, bare, "%s of another shape", bare);
    }
}

START_TEST(test_each_tensor_is_wanted_as_it_is)
{
    check_each_tensor(WEIGHTS, n_plan, plan);
    check_each_tensor(DENSE_WEIGHTS, COUNT(dense_plan), dense_plan);
    check_none_wrong();
}
END_TEST

static void check_finite(enum part at, size_t n, const struct tensor_plan *tensors)
{
    static const uint32_t bad[3][3] = { /* NaN, infinity and its negative */
                                        { 0x7fc00001, 0x7f800000, 0xff800000 },
                                        { 0x7e01, 0x7c00, 0xfc00 },
                                        { 0x7fc1, 0x7f80, 0xff80 } };

    for (size_t i = 0; i < n; i++) {
        const size_t size = type_size[tensors[i].type], n_numbers = tensors[i].size / size;

        for (size_t j = 0; tensors[i].type != I8 && j < 3; j++) {
            const size_t place = j == 0 ? 0 : j == 1 ? n_numbers - 1 : n_numbers / 2;

            begin();
            for (size_t k = 0; k < size; k++)
                part[at].data[tensors[i].start + place * size + k] =
                    (char)(bad[tensors[i].type][j] >> 8 * k);
            try(REFUSED, "holds infinity or NaN", "%s number %zu", tensors[i].name, place);
        }
    }
}

START_TEST(test_numbers_are_finite)
{
    check_finite(WEIGHTS, n_plan, plan);
    check_finite(DENSE_WEIGHTS, COUNT(dense_plan), dense_plan);
    check_none_wrong();
}
END_TEST

/* Finite, and so large that what is computed of them is not. */
START_TEST(test_numbers_that_overflow_give_no_vectors)
{
    for (size_t i = 0; i < n_plan; i++) {
        begin();
        for (size_t j = 0; plan[i].type == F32 && j < plan[i].size; j += 4)
            memcpy(part[WEIGHTS].data + plan[i].start + j, "\xff\xff\x7f\x7f", 4);
        if (plan[i].type == F32)
            try(EITHER, "", "%s of the largest numbers", plan[i].name);
    }
    check_none_wrong();
}
END_TEST

START_TEST(test_numbers_of_settings_have_bounds)
{
    static const struct {
        enum part part;
        const char *field;
        int required;
    } fields[] = {
        { CONFIG, "hidden_size", 1 },        { CONFIG, "num_hidden_layers", 1 },
        { CONFIG, "num_attention_heads", 1 }, { CONFIG, "intermediate_size", 1 },
        { CONFIG, "vocab_size", 1 },         { CONFIG, "max_position_embeddings", 1 },
        { CONFIG, "type_vocab_size", 0 },    { CONFIG, "task_type_vocab_size", 0 },
        { CONFIG, "layer_norm_eps", 0 },     { SENTENCE_BERT, "max_seq_length", 0 },
        { DENSE, "in_features", 1 },         { DENSE, "out_features", 1 },
    };
    static const char *const values[] = {
        "0", "-1", "-9223372036854775808", "2147483648", "4294967296", "4294967328",
        "9223372036854775807", "1.5", "-0.5", "1e3", "\"32\"", "\"\"", "[]", "[32]", "{}",
        "{\"a\": {\"a\": {}}}", "true",
    };
    static const char *const broken[] = { "9223372036854775808", "1e999", "-1e999", "NaN", "Infinity",
                                          "032", "+32", "0x20", "32,,", "'32'", "" };

    for (size_t i = 0; i < COUNT(fields); i++) {
        for (size_t j = 0; j < COUNT(values); j++) {
            begin();
            set_field(fields[i].part, fields[i].field, values[j]);
            try(REFUSED, fields[i].field, "%s %s", fields[i].field, values[j]);
        }
        for (size_t j = 0; j < COUNT(broken); j++) {
            begin();
            set_field(fields[i].part, fields[i].field, broken[j]);
            try(REFUSED, part_name[fields[i].part], "%s %s", fields[i].field, broken[j]);
        }
        for (int none = 0; none < 2; none++) {
            begin();
            set_field(fields[i].part, fields[i].field, none ? NULL : "null");
            try(fields[i].required ? REFUSED : EITHER, fields[i].required ? fields[i].field : "",
                "%s not there", fields[i].field);
        }
    }
    check_none_wrong();
}
END_TEST

/* Within their bounds, and not what the weights are. */
START_TEST(test_settings_that_do_not_fit_the_weights)
{
    static const struct {
        const char *field, *value, *words;
    } cases[] = {
        { "hidden_size", "31", "num_attention_heads: 4 does not divide" },
        { "hidden_size", "8192", "in_features: 32, but the module before gives 8192" },
        { "hidden_size", "4", "in_features: 32, but the module before gives 4" },
        { "num_attention_heads", "3", "num_attention_heads: 3 does not divide" },
        { "num_attention_heads", "64", "num_attention_heads: 64 does not divide" },
        { "num_hidden_layers", "3", "layer.2.attention.self.query.weight: missing" },
        { "num_hidden_layers", "128", "layer.2.attention.self.query.weight: missing" },
        { "intermediate_size", "47", "intermediate.dense.weight: shape" },
        { "intermediate_size", "512", "intermediate.dense.weight: shape" },
        { "intermediate_size", "65536", "intermediate_size: 65536 is more than 16 times" },
        { "vocab_size", "39", "word_embeddings.weight: shape" },
        { "vocab_size", "41", "word_embeddings.weight: shape" },
        { "vocab_size", "2000000", "word_embeddings.weight: shape" },
        { "max_position_embeddings", "23", "position_embeddings.weight: shape" },
        { "max_position_embeddings", "65536", "position_embeddings.weight: shape" },
        { "type_vocab_size", "3", "token_type_embeddings.weight: shape" },
        { "task_type_vocab_size", "4", "task_type_embeddings.weight: shape" },
        { "model_type", "\"gpt2\"", "model_type" },
        { "model_type", "\"../../etc\"", "model_type" },
        { "model_type", "7", "model_type" },
        { "hidden_act", "\"relu\"", "hidden_act" },
        { "hidden_act", "[\"gelu\"]", "hidden_act" },
        { "use_task_id", "1", "use_task_id" },
        { "use_task_id", "\"true\"", "use_task_id" },
    };
    static const char *const harmless[][2] = {
        { "num_attention_heads", "32" }, { "num_attention_heads", "1" }, { "num_hidden_layers", "1" },
        { "use_task_id", "false" },      { "model_type", "null" },       { "hidden_act", "null" },
        { "layer_norm_eps", "0.9" },     { "layer_norm_eps", "5e-324" },
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        begin();
        set_field(CONFIG, cases[i].field, cases[i].value);
        try(REFUSED, cases[i].words, "%s %s", cases[i].field, cases[i].value);
    }
    for (size_t i = 0; i < COUNT(harmless); i++) {
        begin();
        set_field(CONFIG, harmless[i][0], harmless[i][1]);
        try(EITHER, "", "%s %s", harmless[i][0], harmless[i][1]);
    }
    check_none_wrong();
}
END_TEST

START_TEST(test_other_settings_that_cannot_be)
{
    static const char *const prompts = "{\"query\": \"ask: \", \"document\": \"\"}";
    static const struct {
        enum part part;
        const char *from, *to, *words;
    } cases[] = {
        { TOKENIZER, "true", "\"yes\"", "do_lower_case" },
        { TOKENIZER, "true", "1", "do_lower_case" },
        { TOKENIZER, "chars\": true", "chars\": []", "tokenize_chinese_chars" },
        { TOKENIZER, "\"strip_accents\": null", "\"strip_accents\": {}", "strip_accents" },
        { TOKENIZER, "\"[CLS]\"", "\"[NONE]\"", "[NONE]" },
        { TOKENIZER, "\"[CLS]\"", "\"\"", "cls_token" },
        { TOKENIZER, "\"[CLS]\"", "7", "cls_token" },
        { TOKENIZER, "\"[CLS]\"", "[\"[CLS]\"]", "cls_token" },
        { TOKENIZER, "\"[CLS]\"", "\"\\u0000\"", "tokenizer_config.json" },
        { TOKENIZER, "\"[CLS]\"",
          "\"a word as long as no special token of any model has ever been, nor will any be\"",
          "cls_token" },
        { TOKENIZER, "{\"content\": \"[UNK]\"}", "{\"content\": 7}", "unk_token" },
        { TOKENIZER, "{\"content\": \"[UNK]\"}", "{\"content\": {\"content\": \"x\"}}", "unk_token" },
        { SENTENCE_BERT, "16", "2", "max_seq_length" },
        { SENTENCE_BERT, "16", "1048577", "max_seq_length" },
        { POOLING, "\"mean\"", "\"weightedmean\"", "pooling_mode" },
        { POOLING, "\"mean\"", "\"none\"", "pooling_mode" },
        { POOLING, "\"mean\"", "{}", "pooling_mode" },
        { POOLING, "\"mean\"", "3", "pooling_mode" },
        { POOLING, "\"mean\"", "[\"mean\", 3]", "pooling_mode" },
        { POOLING, "\"mean\"", "[\"mean\", \"mean\", \"mean\", \"mean\", \"mean\", \"mean\"]",
          "pooling_mode: more than" },
        { POOLING, "\"mean\"", "[\"mean\", \"max\"]", "in_features: 32, but the module before" },
        { POOLING, "\"pooling_mode\": \"mean\"", "\"pooling_mode_weightedmean_tokens\": true",
          "pooling_mode_weightedmean_tokens" },
        { POOLING, "\"pooling_mode\": \"mean\"", "\"pooling_mode_mean_tokens\": \"yes\"",
          "pooling_mode_mean_tokens" },
        { POOLING, "true", "\"true\"", "include_prompt" },
        { MODULES, "\"1_Pooling\"", "\"..\"", "path" },
        { MODULES, "\"1_Pooling\"", "\".\"", "path" },
        { MODULES, "\"1_Pooling\"", "\"../m/1_Pooling\"", "path" },
        { MODULES, "\"1_Pooling\"", "\"/etc\"", "path" },
        { MODULES, "\"1_Pooling\"", "\"1_Pooling/\"", "path" },
        { MODULES, "\"1_Pooling\"", "\"\"", "path" },
        { MODULES, "\"1_Pooling\"", "7", "path" },
        { MODULES, "\"1_Pooling\"", "null", "path" },
        { MODULES, "\"2_Dense\"", "\"../../2_Dense\"", "path" },
        { MODULES, "\"2_Dense\"", "\"/proc/self\"", "path" },
        { MODULES, "\"2_Dense\"", "\"none\"", "in_features: missing" },
        { MODULES, "\"2_Dense\"", "\"1_Pooling\"", "in_features: missing" },
        { MODULES, "\"2_Dense\"", "\"a/b/c\"", "path" },
        { MODULES, "\"2_Dense\"",
          "\"0123456789012345678901234567890123456789012345678901234567890123\"", "path" },
        { MODULES, "\"a.Dense\"", "\"os.system\"", "type" },
        { MODULES, "\"a.Dense\"", "7", "type" },
        { MODULES, "\"a.Dense\"", "null", "type" },
        { MODULES, "\"a.Dense\"", "\"a.Pooling\"", "type" },
        { MODULES, "\"a.Dense\"", "\"a.Transformer\"", "type" },
        { MODULES, "\"a.Pooling\"", "\"a.Dense\"", "type" },
        { MODULES, "\"a.Pooling\"", "\"a.Normalize\"", "type" },
        { MODULES, "[\n{", "[\n[[]], {", "type" },
        { MODULES, "[\n{", "[\nnull, {", "type" },
        { DENSE, "32", "31", "in_features: 31, but the module before gives 32" },
        { DENSE, "32", "65536", "in_features: 65536, but the module before gives 32" },
        { DENSE, "8", "9", "linear.weight: shape" },
        { DENSE, "8", "65536", "linear.weight: shape" },
        { DENSE, "8", "65537", "out_features" },
        { DENSE, "true", "null, \"use_residual\": true", "use_residual" },
        { DENSE, "true", "\"\"", "bias" },
        { DENSE, "torch.nn.modules.activation.Tanh", "os.system", "activation_function" },
        { DENSE, "\"torch.nn.modules.activation.Tanh\"", "[]", "activation_function" },
        { DENSE, "\"bias\"", "\"module_input_name\": \"x\", \"bias\"", "module_input_name" },
        { PROMPTS, prompts, "[]", "prompts" },
        { PROMPTS, prompts, "\"ask: \"", "prompts" },
        { PROMPTS, prompts, "{\"query\": 7}", "prompts" },
        { PROMPTS, prompts, "{\"query\": [\"\"]}", "prompts" },
        { PROMPTS, prompts, "{\"query\": \"\\u0000\"}", "config_sentence_transformers.json" },
        { PROMPTS, prompts, "{\"query\": \"\", \"query\": \"\"}", "config_sentence_transformers.json" },
        { PROMPTS, "_name\": null", "_name\": 7", "default_prompt_name" },
        { PROMPTS, "_name\": null", "_name\": {}", "default_prompt_name" },
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        begin();
        replace(cases[i].part, cases[i].from, cases[i].to);
        try(REFUSED, cases[i].words, "%s: %s", part_name[cases[i].part], cases[i].to);
    }
    check_none_wrong();
}
END_TEST

START_TEST(test_words_that_cannot_be)
{
    struct buffer words = { 0 };
    static const struct {
        const char *name, *text;
        size_t n;
        const char *reason;
    } cases[] = {
        { "an endless word", "x", 1000000, "bytes, more than" },
        { "empty lines", "\n", 2000000, "vocab.txt: " },
        { "empty lines of Windows", "\r\n", 2000000, "vocab.txt: " },
        { "old Macintosh lines", "\r", 2000000, "vocab.txt: " },
        { "short words", "a\n", 2000000, "vocab.txt: " },
        { "too many words", "a\n", 2200000, "vocab.txt: " },
        { "continued words", "##a\n", 500000, "vocab.txt: " },
        { "one word too many", "a\n", 1, "vocab.txt: 41 words" },
    };
    static const struct {
        const char *from, *to, *reason;
    } lines[] = {
        { "b\n", "\xff\n", "line 9: not UTF-8" },       { "b\n", "\xc0\x80\n", "line 9: not UTF-8" },
        { "b\n", "\xed\xa0\x80\n", "line 9: not UTF-8" }, { "b\n", "\xe4\xba\n", "line 9: not UTF-8" },
        { "b\n", "\xf4\x90\x80\x80\n", "line 9: not UTF-8" },
        { "[CLS]", "[CLZ]", "vocab.txt: the special token [CLS]" },
        { "[SEP]", "[SEQ]", "vocab.txt: the special token [SEP]" },
        { "[UNK]", "[UNL]", "vocab.txt: the special token [UNK]" },
        { "[PAD]\n", "[PAD]\n\n", "vocab.txt: 41 words" },
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        begin();
        buffer_clear(&words);
        repeat(&words, cases[i].text, cases[i].n);
        buffer_append(&part[VOCAB], words.data, words.size);
        try(REFUSED, cases[i].reason, "%s", cases[i].name);
    }
    for (size_t i = 0; i < COUNT(lines); i++) {
        begin();
        replace(VOCAB, lines[i].from, lines[i].to);
        try(REFUSED, lines[i].reason, "vocab.txt: %zu", i);
    }
    begin();
    *(char *)memchr(part[VOCAB].data, 'b', part[VOCAB].size) = '\0';
    try(REFUSED, "line 9: a 0 byte", "a 0 byte");
    /* As many words as the settings allow, which the weights do not. */
    begin();
    set_field(CONFIG, "vocab_size", "2000000");
    buffer_clear(&words);
    repeat(&words, "a\n", 1999960);
    buffer_append(&part[VOCAB], words.data, words.size);
    try(REFUSED, "word_embeddings.weight: shape", "two million words");
    buffer_reset(&words);
    check_none_wrong();
}
END_TEST

/* A model whose tokenizer.json counts, and not its vocab.txt. */
static void begin_json(void)
{
    begin();
    replace(TOKENIZER, "{\n", "{\n\"tokenizer_class\": \"TokenizersBackend\",\n");
}

/* What check_tokenizer_json does not: much of anything. */
START_TEST(test_tokenizers_that_are_too_much)
{
    static const struct {
        const char *from, *begin, *unit, *end;
        size_t n;
        const char *words;
    } cases[] = {
        { "[\"a\", -1.5]", "", "[\"a\",0],", "[\"a\", 0]", 30000, "model.vocab: not an array of 1..vocab_size" },
        { "[\"a\", -1.5]", "", "[\"a\",0],", "[\"a\", 0]", 2000000, "values" },
        { "\"a\", -1.5", "\"", "a", "\", -1.5", 1000000, "model.vocab: entry 5 is no piece" },
        { "[MASK]", "", "x", "", 1000000, "added token 4: not a word" },
        { "\"added_tokens\": [", "\"added_tokens\": [", "{\"id\":4,\"content\":\"x\"},", "", 16000,
          "added tokens: x: id 4, but the vocabulary says otherwise" },
        { "{\"type\": \"NFKC\"}", "", "{\"type\":\"NFKC\"},", "{\"type\": \"NFKC\"}", 16,
          "normalizer: more than 16 steps" },
        { "{\"type\": \"NFKC\"}", "", "{\"type\":\"NFKC\"},", "{\"type\": \"NFKC\"}", 30000,
          "normalizer: more than 16 steps" },
        { "{\"type\": \"NFKC\"}", "", "{\"type\":\"Sequence\",\"normalizers\":[", "", 1000, "brackets deep" },
        { "\"String\": \"q\"}, \"content\": \"a\"", "\"String\": \"a\"}, \"content\": \"", "a", "\"", 5,
          "normalizer: makes a text more than 4 times" },
        { "\"String\": \"q\"}, \"content\": \"a\"", "\"Regex\": \" +\"}, \"content\": \"", " ", "\"", 1000000,
          "normalizer: makes a text more than 4 times" },
        { "{\"type\": \"NFKC\"}", "", "{\"type\":\"Replace\",\"pattern\":{\"String\":\"a\"},\"content\":\"aa\"},",
          "{\"type\": \"NFKC\"}", 3, "normalizer: makes a text more than 4 times" },
        { "{\"type\": \"NFKC\"}", "{\"type\": \"Precompiled\", \"precompiled_charsmap\": \"", "AAAA", "\"}",
          250000, "precompiled_charsmap: the trie is not whole" },
        { "{\"type\": \"NFKC\"}", "{\"type\": \"Precompiled\", \"precompiled_charsmap\": \"", "/", "\"}",
          1000000, "precompiled_charsmap: the trie runs past" },
        { "{\"type\": \"NFKC\"}", "{\"type\": \"Precompiled\", \"precompiled_charsmap\": \"BAAAAAAAAA",
          "BBBB", "\"}", 1000, "precompiled_charsmap: a string of more than 64" },
    };
    struct buffer to = { 0 };

    begin_json();
    try(EITHER, "", "a good tokenizer.json");
    for (size_t i = 0; i < COUNT(cases); i++) {
        begin_json();
        buffer_clear(&to);
        buffer_append_text(&to, cases[i].begin);
        repeat(&to, cases[i].unit, cases[i].n);
        buffer_append_text(&to, cases[i].end);
        replace(TOKENIZER_JSON, cases[i].from, to.data);
        try(REFUSED, cases[i].words, "tokenizer.json: %zu times %.40s", cases[i].n, cases[i].unit);
    }
    buffer_reset(&to);
    check_none_wrong();
}
END_TEST

/* What no JSON file may be, whichever it is. */
START_TEST(test_json_that_is_none)
{
    static const enum part files[] = { CONFIG, TOKENIZER, SENTENCE_BERT, PROMPTS, MODULES,
                                       POOLING, DENSE, TOKENIZER_JSON };
    static const struct {
        const char *text;
        size_t n;
    } contents[] = {
        { "", 0 }, { "{", 1 }, { "[", 1 }, { "nul", 1 }, { "{\"a\": }", 1 }, { "{\"a\": 1,}", 1 },
        { "{} {}", 1 }, { "{\"a\": 1, \"a\": 1}", 1 }, { "{\"\xff\": 1}", 1 }, { "\"\xed\xa0\x80\"", 1 },
        { "{\"a\": \"\\ud800\"}", 1 }, { "\xef\xbb\xbf{}", 1 }, { "\xff\xfe{\1}\1", 1 },
        { "// no\n{}", 1 },
        { "[", 100000 }, { "{\"a\":", 100000 }, { "[1,", 100000 }, { "[{\"a\":[", 100000 },
        { "\"", 99999 },
        { " ", 1000000 }, { "\\", 1000000 }, { "0123456789", 100000 }, { "-", 100000 },
    };
    struct buffer text = { 0 };

    for (size_t i = 0; i < COUNT(files); i++) {
        for (size_t j = 0; j < COUNT(contents); j++) {
            begin();
            buffer_clear(&text);
            repeat(&text, contents[j].text, contents[j].n);
            set_part(files[i], text.data, text.size);
            try(REFUSED, part_name[files[i]], "%s: %.10s", part_name[files[i]], contents[j].text);
        }
        /* Large and right: as many small values as are allowed, and more. */
        for (size_t n = 99000; n <= 120000; n += 21000) {
            begin();
            buffer_clear(&text);
            buffer_append_text(&text, "{\"a\":[0");
            repeat(&text, ",1", n);
            buffer_append_text(&text, "],");
            buffer_append(&text, good[files[i]].data + 1, good[files[i]].size - 1);
            set_part(files[i], text.data, text.size);
            try(files[i] == MODULES || n > 100000 ? REFUSED : EITHER, part_name[files[i]],
                "%s: %zu values", part_name[files[i]], n);
        }
        begin();
        buffer_clear(&text);
        for (int k = 0; k < 49000; k++)
            buffer_printf(&text, "%s\"%x\":0", k > 0 ? "," : "{", (unsigned)k);
        buffer_append_text(&text, ",");
        buffer_append(&text, good[files[i]].data + 1, good[files[i]].size - 1);
        set_part(files[i], text.data, text.size);
        try(files[i] == MODULES ? REFUSED : EITHER, part_name[files[i]], "%s: many members",
            part_name[files[i]]);
        begin();
        write_all();
        ck_assert_int_eq(truncate(path_of(part_name[files[i]]),
                                  files[i] == TOKENIZER_JSON ? (64 << 20) + 1 : (17 << 20) + 1), 0);
        open_case(REFUSED, model_directory, "more than the limit", part_name[files[i]]);
    }
    buffer_reset(&text);
    check_none_wrong();
}
END_TEST

START_TEST(test_files_that_are_cut_or_too_long)
{
    for (size_t i = 0; i < N_PARTS; i++) {
        const size_t size = good[i].size;
        const size_t sizes[] = { 0, 1, 7, 8, 9, size / 4, size / 2, size - 9, size - 8,
                                 size - 4, size - 3 };
        const int is_text = i == VOCAB;

        for (size_t j = 0; j < COUNT(sizes); j++) {
            begin();
            if (sizes[j] >= size)
                continue;
            cut_part((enum part)i, sizes[j]);
            /* A vocabulary without its last words is one. */
            try(is_text && sizes[j] > 23 ? EITHER : REFUSED, part_name[i], "%s cut to %zu", part_name[i],
                sizes[j]);
        }
        begin();
        if (i == WEIGHTS || i == DENSE_WEIGHTS) {
            buffer_append_char(&part[i], 0);
            try(REFUSED, "bytes after the last tensor", "%s and a byte", part_name[i]);
            begin();
            for (size_t j = 0; j < 1000; j++)
                buffer_append(&part[i], good[i].data, good[i].size);
            try(REFUSED, "bytes after the last tensor", "%s a thousand times", part_name[i]);
        } else if (i != VOCAB) {
            buffer_append_text(&part[i], "{}");
            try(REFUSED, part_name[i], "%s and more", part_name[i]);
        }
    }
    check_none_wrong();
}
END_TEST

/* Something else under the name of a file; or nothing. */
START_TEST(test_what_is_no_file)
{
    static const char *const commands[] = {
        "mkfifo %s", "mkdir %s", "ln -s /dev/zero %s", "ln -s /dev/full %s", "ln -s / %s",
        "ln -s itself %s && ln -s itself $(dirname %s)/itself", "ln -s /proc/self/mem %s",
        "ln -s /proc/self/environ %s", "true %s", "ln -s nowhere %s",
    };
    char path[300];

    for (size_t i = 0; i < N_PARTS; i++) {
        for (size_t j = 0; j < COUNT(commands); j++) {
            /* What is not there, an optional file may be, and an empty one is none. Of the
             * two files of words the other is enough. */
            const int absent = j >= COUNT(commands) - 2;
            const int needed = i == CONFIG || i == WEIGHTS || i == DENSE || i == DENSE_WEIGHTS;

            begin();
            write_all();
            snprintf(path, sizeof path, "%s", path_of(part_name[i]));
            unlink(path);
            run(commands[j], path, path);
            open_case(absent && !needed ? EITHER : REFUSED, model_directory, part_name[i], commands[j]);
            run("rm -rf %s $(dirname %s)/itself", path, path);
        }
    }
    check_none_wrong();
}
END_TEST

START_TEST(test_what_is_no_directory)
{
    static const char *const names[] = { "/dev/null", "/dev/zero", "/proc/self/mem", "/nowhere", "/",
                                         "/etc/passwd", "\xff\xfe" };
    char longest[5000];

    begin();
    write_all();
    for (size_t i = 0; i < COUNT(names); i++)
        open_case(REFUSED, names[i], "", names[i]);
    open_case(REFUSED, "/no\nwhere", "", "a name of two lines");
    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    longest[200] = '\0';
    open_case(REFUSED, longest, "", "a long name");
    snprintf(longest, sizeof longest, "%s", path_of("config.json"));
    open_case(REFUSED, longest, "config.json: not a directory", "a file");
    run("mkfifo %s/fifo", folder);
    snprintf(longest, sizeof longest, "%s/fifo", folder);
    open_case(REFUSED, longest, "fifo: not a directory", "a FIFO");
    check_none_wrong();
}
END_TEST

START_TEST(test_other_formats_are_refused_with_a_hint)
{
    static const char *const names[] = {
        "pytorch_model.bin", "model_state.pdparams", "ernie_3.0.pdparams", "model.onnx",
        "onnx/model.onnx", "tf_model.h5", "flax_model.msgpack", "model.gguf",
        "ernie-Q4_K_M.gguf", "ggml-model.bin", "model.pt", "model.pth", "data.pkl",
        "pytorch_model-00001-of-00002.bin", "model-00001-of-00002.safetensors",
    };

    for (size_t i = 0; i < COUNT(names); i++) {
        for (int with_config = 0; with_config < 2; with_config++) {
            begin();
            write_all();
            unlink(path_of("model.safetensors"));
            if (!with_config)
                unlink(path_of("config.json"));
            run("mkdir -p %s", path_of("onnx"));
            run("printf 'cos\\nsystem\\n(S\"touch %s/ran\"\\ntR.' > %s", folder, path_of(names[i]));
            open_case(REFUSED, model_directory, "convert", names[i]);
            unlink(path_of(names[i]));
        }
    }
    run("test ! -e %s/ran", folder);
    /* An index whose shards are elsewhere is not followed. */
    begin();
    write_all();
    unlink(path_of("model.safetensors"));
    run("echo '{\"weight_map\":{\"a\":\"../../etc/passwd\",\"b\":\"/dev/zero\"}}' > %s",
        path_of("model.safetensors.index.json"));
    open_case(REFUSED, model_directory, "weight_map: a: not the name", "an index");
    unlink(path_of("model.safetensors.index.json"));
    check_none_wrong();
}
END_TEST

/* ---- chance ------------------------------------------------------------ */

static void mutate(struct buffer *file)
{
    static const char interesting[] = { 0, 1, -1, 127, -128, '"', '{', '}', '[', ',', '9',
                                        '-', '.', '\n' };
    const uint32_t size = (uint32_t)file->size, at = random_below(size);
    const uint32_t n = 1 + random_below(size - at < 64 ? size - at : 64);

    switch (random_below(6)) {
    case 0:
        file->data[at] ^= (char)(1 << random_below(8));
        break;
    case 1:
        file->data[at] = interesting[random_below(sizeof interesting)];
        break;
    case 2: /* left out */
        memmove(file->data + at, file->data + at + n, size - at - n);
        file->size -= n < size ? n : 0;
        break;
    case 3: /* over another place */
        memmove(file->data + random_below(size - n + 1), file->data + at, n);
        break;
    case 4:
        file->size = at + 1;
        break;
    default:
        for (uint32_t i = 0; i < n; i++)
            file->data[at + i] = (char)random_below(256);
    }
}

START_TEST(test_random_changes)
{
    for (unsigned seed = 1; seed <= 400; seed++) {
        const unsigned n = seed % 4 + 1;

        random_state = seed;
        if (seed % 3 == 0)
            begin_json();
        else
            begin();
        for (unsigned i = 0; i < n; i++) {
            enum part at = (enum part)random_below(N_PARTS);

            /* Nearly all of the weights are numbers: their header is spoilt as often. */
            if (at == WEIGHTS && random_below(2) == 0) {
                struct buffer head = { part[at].data, 8000, part[at].capacity, 0 };
                const size_t size = part[at].size;

                if (size <= 8000)
                    continue;
                mutate(&head);
                memmove(part[at].data + head.size, part[at].data + 8000, size - 8000);
                part[at].size = head.size + size - 8000;
            } else {
                mutate(&part[at]);
            }
        }
        try(EITHER, "", "random changes %u", seed);
    }
    check_none_wrong();
}
END_TEST

/* ---- files that change while they are read ----------------------------- */

static atomic_int racing;

/* Cuts the weights and the words short, writes them again, puts others in their place. */
static void *race(void *data)
{
    char path[2][256], spare[300];

    (void)data;
    snprintf(path[0], sizeof path[0], "%smodel.safetensors", model_directory);
    snprintf(path[1], sizeof path[1], "%svocab.txt", model_directory);
    for (uint32_t i = 0; atomic_load(&racing); i++) {
        const struct buffer *bytes = &good[i / 2 % 2 == 0 ? WEIGHTS : VOCAB];
        const char *target = path[i / 2 % 2];
        FILE *file;

        if (i % 2 == 0) {
            if (truncate(target, (off_t)(bytes->size * (i % 7) / 7)) != 0)
                break;
            continue;
        }
        snprintf(spare, sizeof spare, "%s%s", target, i % 3 == 0 ? "" : ".new");
        file = fopen(spare, "w");
        if (file == NULL || fwrite(bytes->data, 1, bytes->size, file) != bytes->size)
            break;
        fclose(file);
        if (i % 3 != 0 && rename(spare, target) != 0)
            break;
    }
    return NULL;
}

START_TEST(test_files_that_change_meanwhile)
{
    size_t n_opened = 0, n_refused = 0;
    const double start = cpu_seconds();
    pthread_t racer;

    begin();
    write_all();
    atomic_store(&racing, 1);
    ck_assert_int_eq(pthread_create(&racer, NULL, race, NULL), 0);
    for (int i = 0; i < 100000 && (cpu_seconds() - start < 2 || n_opened == 0 || n_refused == 0); i++) {
        ernie_model *model;
        ernie_error err;

        if (ernie_model_open(model_directory, &model, &err) == ERNIE_OK) {
            n_opened++;
            ernie_model_close(model);
        } else {
            n_refused++;
            ck_assert_msg(strncmp(err.message, model_directory, strlen(model_directory)) == 0,
                          "%s", err.message);
        }
    }
    atomic_store(&racing, 0);
    pthread_join(racer, NULL);
    ck_assert_uint_gt(n_opened, 0);
    ck_assert_uint_gt(n_refused, 0);
}
END_TEST

START_TEST(test_there_were_enough)
{
    ck_assert_uint_ge(n_cases, 500);
    printf("%zu directories; the slowest took %.3f s, the largest %.1f MB more than twice its size\n",
           n_cases, slowest, (double)largest / 1e6);
}
END_TEST

static void make_folder(void)
{
    strcpy(folder, "/tmp/check_hostile.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(model_directory, sizeof model_directory, "%s/m/", folder);
    run("mkdir -p %s1_Pooling %s2_Dense", model_directory, model_directory);
    make_good_model();
}

static void remove_folder(void)
{
    for (size_t i = 0; i < N_PARTS; i++) {
        buffer_reset(&good[i]);
        buffer_reset(&part[i]);
    }
    run("rm -rf %s", folder);
}

int main(void)
{
    Suite *suite = suite_create("hostile");
    TCase *all = tcase_create("directories");

    tcase_add_unchecked_fixture(all, make_folder, remove_folder);
    tcase_add_test(all, test_the_good_model_is_opened);
    tcase_add_test(all, test_header_lengths_that_lie);
    tcase_add_test(all, test_headers_that_are_not_the_formats);
    tcase_add_test(all, test_headers_that_are_large_or_deep);
    tcase_add_test(all, test_each_tensor_is_wanted_as_it_is);
    tcase_add_test(all, test_numbers_are_finite);
    tcase_add_test(all, test_numbers_that_overflow_give_no_vectors);
    tcase_add_test(all, test_numbers_of_settings_have_bounds);
    tcase_add_test(all, test_settings_that_do_not_fit_the_weights);
    tcase_add_test(all, test_other_settings_that_cannot_be);
    tcase_add_test(all, test_words_that_cannot_be);
    tcase_add_test(all, test_tokenizers_that_are_too_much);
    tcase_add_test(all, test_json_that_is_none);
    tcase_add_test(all, test_files_that_are_cut_or_too_long);
    tcase_add_test(all, test_what_is_no_file);
    tcase_add_test(all, test_what_is_no_directory);
    tcase_add_test(all, test_other_formats_are_refused_with_a_hint);
    tcase_add_test(all, test_random_changes);
    tcase_add_test(all, test_files_that_change_meanwhile);
    tcase_add_test(all, test_there_were_enough);
    suite_add_tcase(suite, all);
    /* Each case has a process of its own already, and all are counted in this one. */
    setenv("CK_FORK", "no", 1);
    return run_suite(suite);
}
