/* src/document/wire.c and helper.c: what a helper program says, and what becomes of one that
 * misbehaves. The misbehaving ones here are shell scripts in the place of ours. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/file.h"
#include "document/helper.h"
#include "document/wire.h"
#include "document/writer.h"
#include "faults.h"
#include "folder.h"
#include "suite.h"

static ernie_error err;

/* ---- wire ---- */

/* What a function writes to a pipe: small enough for it to hold. */
static struct buffer written(int (*write_it)(int fd))
{
    struct buffer out = { 0 };
    char bytes[4096];
    int fds[2];
    ssize_t n;

    ck_assert_int_eq(pipe(fds), 0);
    ck_assert_int_eq(write_it(fds[1]), ERNIE_OK);
    close(fds[1]);
    while ((n = read(fds[0], bytes, sizeof bytes)) > 0)
        buffer_append(&out, bytes, (size_t)n);
    close(fds[0]);
    return out;
}

static int parse(const struct buffer *bytes, struct wire_message *out)
{
    enum wire_type type;
    size_t size;
    int status = wire_parse_header((const uint8_t *)bytes->data, &type, &size, &err);

    if (status != ERNIE_OK)
        return status;
    ck_assert_uint_eq(size, bytes->size - WIRE_HEADER_BYTES);
    return wire_parse(type, (const uint8_t *)bytes->data + WIRE_HEADER_BYTES, size, out, &err);
}

static void write_book(struct extract *out)
{
    struct writer writer = { .out = out, .line = 1 };

    out->format = DOCUMENT_PDF;
    writer_page(&writer, 1);
    writer_heading_begin(&writer, 1);
    writer_words(&writer, "第一章 备份", strlen("第一章 备份"));
    writer_heading_end(&writer);
    writer_words(&writer, "每天备份。", strlen("每天备份。"));
    writer_page(&writer, 2);
    writer_words(&writer, "\nEvery day.", 11);
    writer_finish(&writer);
    buffer_append_text(&out->title, "书");
    buffer_append_text(&out->author, "某人");
    strcpy(out->language, "zh-CN");
    strcpy(out->date, "2024-01-31");
}

static int write_text_message(int fd)
{
    struct extract book = { 0 };
    int status;

    write_book(&book);
    status = wire_write_text(fd, "a/书.pdf", 1234, &book, &err);
    extract_reset(&book);
    return status;
}

START_TEST(test_a_text_comes_through_whole)
{
    struct buffer bytes = written(write_text_message);
    struct wire_message message = { 0 };
    struct extract book = { 0 };
    const struct extract *got = &message.extract;

    write_book(&book);
    ck_assert_int_eq(parse(&bytes, &message), ERNIE_OK);
    ck_assert_int_eq(message.type, WIRE_TEXT);
    ck_assert_str_eq(message.name, "a/书.pdf");
    ck_assert_uint_eq(message.size_bytes, 1234);
    ck_assert_str_eq(got->text.data, book.text.data);
    ck_assert_str_eq(got->title.data, "书");
    ck_assert_str_eq(got->author.data, "某人");
    ck_assert_str_eq(got->language, "zh-CN");
    ck_assert_str_eq(got->date, "2024-01-31");
    ck_assert_int_eq(got->format, DOCUMENT_PDF);
    ck_assert_uint_eq(got->n_sections, book.n_sections);
    for (size_t i = 0; i < book.n_sections; i++) {
        ck_assert_uint_eq(got->sections[i].offset, book.sections[i].offset);
        ck_assert_uint_eq(got->sections[i].page, book.sections[i].page);
        ck_assert_uint_eq(got->sections[i].level, book.sections[i].level);
        ck_assert_str_eq(extract_heading(got, &got->sections[i]),
                         extract_heading(&book, &book.sections[i]));
    }
    ck_assert_uint_eq(got->n_marks, book.n_marks);
    for (size_t i = 0; i < book.text.size; i++)
        ck_assert_uint_eq(extract_line(got, i), extract_line(&book, i));
    wire_message_reset(&message);
    extract_reset(&book);
    buffer_reset(&bytes);
}
END_TEST

static int write_member_message(int fd)
{
    return wire_write_member(fd, "x.pdf", DOCUMENT_PDF, (const uint8_t *)"%PDF", 4, &err);
}

static int write_failure_message(int fd)
{
    return wire_write_failure(fd, "", "no\n\1good\xff", &err);
}

START_TEST(test_other_messages)
{
    struct buffer bytes = written(write_member_message);
    struct wire_message message = { 0 };

    ck_assert_int_eq(parse(&bytes, &message), ERNIE_OK);
    ck_assert_int_eq(message.type, WIRE_MEMBER);
    ck_assert_int_eq(message.format, DOCUMENT_PDF);
    ck_assert_uint_eq(message.n_bytes, 4);
    ck_assert_int_eq(memcmp(message.bytes, "%PDF", 4), 0);
    wire_message_reset(&message);
    buffer_reset(&bytes);

    bytes = written(write_failure_message);
    ck_assert_int_eq(parse(&bytes, &message), ERNIE_OK);
    ck_assert_int_eq(message.type, WIRE_FAILURE);
    ck_assert_str_eq(message.name, "");
    ck_assert_str_eq(message.words, "no\\x0a\\x01good\\xff");
    wire_message_reset(&message);
    buffer_reset(&bytes);
}
END_TEST

/* Cut short or with any byte changed it is refused or gives what can be used; sanitizers see
 * to the rest. */
START_TEST(test_any_byte_may_lie)
{
    struct buffer bytes = written(write_text_message);
    const uint8_t *payload = (const uint8_t *)bytes.data + WIRE_HEADER_BYTES;
    const size_t size = bytes.size - WIRE_HEADER_BYTES;
    struct wire_message message = { 0 };

    for (size_t n = 0; n < size; n++) {
        wire_parse(WIRE_TEXT, payload, n, &message, &err);
        wire_message_reset(&message);
    }
    for (size_t i = 0; i < size; i++) {
        for (int bit = 0; bit < 8; bit++) {
            bytes.data[WIRE_HEADER_BYTES + i] ^= (char)(1 << bit);
            if (wire_parse(WIRE_TEXT, payload, size, &message, &err) == ERNIE_OK) {
                const struct extract *got = &message.extract;

                for (size_t j = 0; j < got->n_sections; j++)
                    ck_assert_uint_le(strlen(extract_heading(got, &got->sections[j])), size);
                for (size_t j = 0; j <= got->text.size; j++)
                    extract_line(got, j), extract_section(got, j);
            } else {
                ck_assert_int_eq(err.code, ERNIE_EFORMAT);
            }
            wire_message_reset(&message);
            bytes.data[WIRE_HEADER_BYTES + i] ^= (char)(1 << bit);
        }
    }
    buffer_reset(&bytes);
}
END_TEST

START_TEST(test_names_that_are_paths)
{
    static const char *const clean[] = { "a", "a/b.txt", "书/第一章", "..a", "a b", "...", ".x" };
    static const char *const dirty[] = { "/a",   "a/",    "a//b",  ".",       "..",   "a/../b",
                                         "../a", "a/./b", "a\nb",  "a\xff",   "a/..", "\x7f" };

    for (size_t i = 0; i < sizeof clean / sizeof *clean; i++)
        ck_assert_msg(wire_name_is_clean(clean[i], strlen(clean[i])), "%s", clean[i]);
    for (size_t i = 0; i < sizeof dirty / sizeof *dirty; i++)
        ck_assert_msg(!wire_name_is_clean(dirty[i], strlen(dirty[i])), "%s", dirty[i]);
    ck_assert(!wire_name_is_clean("a\0b", 3));
}
END_TEST

START_TEST(test_parsing_runs_out_of_memory)
{
    struct buffer bytes = written(write_text_message);
    int status = ERNIE_ENOMEM;

    for (int k = 0; status != ERNIE_OK; k++) {
        struct wire_message message = { 0 };

        ck_assert_int_lt(k, 1000);
        fail_allocations_from(k);
        status = parse(&bytes, &message);
        stop_failing();
        ck_assert(status == ERNIE_OK || status == ERNIE_ENOMEM);
        wire_message_reset(&message);
    }
    buffer_reset(&bytes);
}
END_TEST

/* ---- helper ---- */


static void make_folder(void)
{
    folder_make("check_helper");
}

static void remove_folder(void)
{
    run("rm -rf %s", folder);
}

/* What was heard of a file, one line for each document in it. */
struct heard {
    struct buffer lines;
    int end_after; /* so many, with an error; 0: never */
    int n;
};

static int hear(void *data, const struct helper_document *document, ernie_error *e)
{
    struct heard *heard = data;

    buffer_printf(&heard->lines, "%s|%s|%s\n", document->name,
                  document->failure != NULL ? document->failure : "",
                  document->extract != NULL ? document->extract->text.data : "");
    return ++heard->n == heard->end_after ? error_set(e, ERNIE_ECANCELED, "enough") : ERNIE_OK;
}

static int extract_file(struct helper *helper, const char *path, enum document_format format,
                        struct heard *heard)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    int status;

    ck_assert_int_ge(fd, 0);
    status = helper_extract(helper, fd, path, format, hear, heard, &err);
    close(fd);
    buffer_append(&heard->lines, "", 0);
    return status;
}

/* Reads a file with a script in the place of ernie-extract, which has its functions: header
 * TYPE SIZE, u32 N. Gives what is heard. */
static char *hear_script(const char *script, unsigned timeout_ms)
{
    struct helper helper = { .timeout_ms = timeout_ms };
    struct heard heard = { 0 };
    char path[128];
    FILE *file;

    helper.folder = memory_copy_text(folder, strlen(folder));
    snprintf(path, sizeof path, "%s/ernie-extract", folder);
    file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    fprintf(file,
            "#!/bin/bash\n"
            "byte() { printf \"\\\\x$(printf %%02x $1)\"; }\n"
            "u32() { byte $(($1 & 255)); byte $(($1 >> 8 & 255)); byte $(($1 >> 16 & 255)); byte $(($1 >> 24 & 255)); }\n"
            "header() { byte $1; u32 $2; }\n"
            "%s\n",
            script);
    ck_assert_int_eq(fclose(file), 0);
    chmod(path, 0700);
    ck_assert_int_eq(extract_file(&helper, path, DOCUMENT_ARCHIVE, &heard), ERNIE_OK);
    helper_reset(&helper);
    return buffer_take(&heard.lines);
}

START_TEST(test_a_program_that_misbehaves_costs_the_file)
{
    static const struct {
        const char *script, *said;
    } cases[] = {
        { "exit 2", "|its reader failed|\n" },
        { "kill -SEGV $$", "|its reader crashed (Segmentation fault)|\n" },
        { "kill -SYS $$", "|its reader was stopped: it asked for what no reader may have|\n" },
        { "kill -XCPU $$", "|takes too much processor time to read|\n" },
        { "kill -ABRT $$", "|its reader gave up, perhaps for want of memory|\n" },
        { "kill -KILL $$", "|its reader was killed|\n" },
        { "echo garbage", "|its reader failed|\n" },
        { "header 9 4; u32 0", "|its reader failed|\n" },
        { "header 1 4294967295; u32 0", "|its reader failed|\n" },
        { "header 3 100; u32 0; printf cut", "|its reader failed|\n" },
        { "header 3 8; u32 4294967295; printf '....'", "|its reader failed|\n" },
        { "header 3 6; u32 0; printf no; header 5 4; u32 0", "|no|\n" },
        /* Nothing that was said of the file itself is taken back. */
        { "header 3 6; u32 0; printf no; kill -SEGV $$", "|no|\n" },
        /* A name that leads out. */
        { "header 3 8; u32 2; printf '..no'; header 5 4; u32 0", "|its reader failed|\n" },
        { "header 3 7; u32 1; printf 'ano'; kill -SEGV $$",
          "a|no|\n|its reader crashed (Segmentation fault)|\n" },
        { "header 5 4; u32 0", "" },
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *said = hear_script(cases[i].script, 0);

        ck_assert_msg(strcmp(said, cases[i].said) == 0, "%s: %s", cases[i].script, said);
        memory_free(said);
    }
}
END_TEST

static double seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

START_TEST(test_one_that_hangs_is_ended)
{
    static const char *const scripts[] = {
        "exec sleep 100",
        "header 3 100; exec sleep 100",
        "while :; do :; done",
        "trap '' TERM INT HUP; exec sleep 100",
    };

    for (size_t i = 0; i < sizeof scripts / sizeof *scripts; i++) {
        const double started = seconds();
        char *said = hear_script(scripts[i], 300);

        ck_assert_str_eq(said, "|takes more than 0.3 s to read|\n");
        ck_assert(seconds() - started < 20);
        memory_free(said);
    }
}
END_TEST

/* One that only closes its pipe is not waited for. */
START_TEST(test_one_that_closes_its_pipe_is_ended)
{
    const double started = seconds();
    char *said = hear_script("exec >&-; exec sleep 100", 0);

    ck_assert_str_eq(said, "|its reader was killed|\n");
    ck_assert(seconds() - started < 20);
    memory_free(said);
}
END_TEST

/* What never ends is ended by its size, and none of it is kept. */
START_TEST(test_one_that_floods_is_ended)
{
    char *said = hear_script("while :; do header 2 60000009; u32 1; printf a; u32 10; "
                             "head -c 60000000 /dev/zero; done", 60000);

    ck_assert_str_eq(said, "|holds more than 512 MiB|\n");
    memory_free(said);
}
END_TEST

START_TEST(test_a_missing_program_is_not_the_files_fault)
{
    struct helper helper = { .folder = memory_copy_text("/no/such", 8) };
    struct heard heard = { 0 };
    char path[128];

    run("echo >%s/x.pdf", folder);
    snprintf(path, sizeof path, "%s/x.pdf", folder);
    ck_assert_int_eq(extract_file(&helper, path, DOCUMENT_PDF, &heard), ERNIE_ENOTFOUND);
    ck_assert_str_eq(err.message, "ernie-extract-pdf is not installed");
    ck_assert_int_eq(heard.n, 0);
    buffer_reset(&heard.lines);
    helper_reset(&helper);
}
END_TEST

/* ---- our own program ---- */

static struct helper own_helper(void)
{
    const char *builddir = getenv("builddir");
    struct helper helper = { 0 };

    builddir = builddir != NULL ? builddir : ".";
    helper.folder = memory_copy_text(builddir, strlen(builddir));
    return helper;
}

START_TEST(test_members_come_before_their_archive)
{
    struct helper helper = own_helper();
    struct heard heard = { 0 };
    char path[128];

    run("cd %s && mkdir -p a/b && echo one >a/one.txt && printf '# Two\\n' >a/b/two.md &&"
        " printf 'x\\0y' >a/three.bin && ln -s one.txt a/link.txt && tar czf in.tar.gz a &&"
        " rm -r a && echo four >four.txt && tar cf x.tar in.tar.gz four.txt", folder);
    snprintf(path, sizeof path, "%s/x.tar", folder);
    ck_assert_int_eq(extract_file(&helper, path, DOCUMENT_ARCHIVE, &heard), ERNIE_OK);
    /* The order in a folder is the file system's. */
    ck_assert_ptr_nonnull(strstr(heard.lines.data, "in.tar.gz/a/one.txt||one\n\n"));
    ck_assert_ptr_nonnull(strstr(heard.lines.data, "in.tar.gz/a/b/two.md||Two\n\n"));
    ck_assert_ptr_nonnull(strstr(heard.lines.data, "in.tar.gz||\nfour.txt||four\n\n||\n"));
    ck_assert_int_eq(heard.n, 5);
    buffer_reset(&heard.lines);
    helper_reset(&helper);
}
END_TEST

static void put(FILE *file, unsigned n_bytes, uint64_t value)
{
    for (unsigned i = 0; i < n_bytes; i++)
        putc((int)(value >> 8 * i & 255), file);
}

/* An empty file in a zip, as the archivers of Chinese Windows name it: in GBK, and without
 * saying so. APPNOTE.TXT 4.3. */
static unsigned put_member(FILE *file, const char *name)
{
    put(file, 4, 0x04034b50), put(file, 2, 20), put(file, 4, 0), put(file, 8, 0);
    put(file, 4, 0), put(file, 4, 0), put(file, 2, (unsigned)strlen(name)), put(file, 2, 0);
    fputs(name, file);
    return 30 + (unsigned)strlen(name);
}

static unsigned put_entry(FILE *file, const char *name, unsigned offset)
{
    put(file, 4, 0x02014b50), put(file, 4, 0x00140014), put(file, 4, 0), put(file, 8, 0);
    put(file, 4, 0), put(file, 4, 0), put(file, 2, (unsigned)strlen(name)), put(file, 4, 0);
    put(file, 4, 0), put(file, 4, 0), put(file, 4, offset);
    fputs(name, file);
    return 46 + (unsigned)strlen(name);
}

START_TEST(test_names_of_members_in_gbk)
{
    static const char *const names[] = {
        "\xbb\xe1\xd2\xe9\xbc\xcd\xd2\xaa.txt", /* 会议纪要 */
        "\xba\xcf\xcd\xac/\xb5\xda\xd2\xbb\xb7\xdd.txt", /* 合同/第一份 */
    };
    struct helper helper = own_helper();
    struct heard heard = { 0 };
    unsigned offset = 0, size = 0, offsets[2];
    char path[128];
    FILE *file;

    snprintf(path, sizeof path, "%s/x.zip", folder);
    file = fopen(path, "w");
    for (int i = 0; i < 2; i++) {
        offsets[i] = offset;
        offset += put_member(file, names[i]);
    }
    for (int i = 0; i < 2; i++)
        size += put_entry(file, names[i], offsets[i]);
    put(file, 4, 0x06054b50), put(file, 4, 0), put(file, 4, 0x00020002), put(file, 4, size);
    put(file, 4, offset), put(file, 2, 0);
    ck_assert_int_eq(fclose(file), 0);
    ck_assert_int_eq(extract_file(&helper, path, DOCUMENT_ARCHIVE, &heard), ERNIE_OK);
    ck_assert_str_eq(heard.lines.data, "会议纪要.txt||\n合同/第一份.txt||\n||\n");
    buffer_reset(&heard.lines);
    helper_reset(&helper);
}
END_TEST

/* This process and those it starts from now on have no filters of system calls to set: as
 * with a kernel that was built without. */
static void take_seccomp_away(void)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_prctl, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PR_SET_SECCOMP, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EINVAL),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const struct sock_fprog program = { .len = sizeof code / sizeof *code, .filter = code };

    ck_assert_int_eq(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
    ck_assert_int_eq(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), 0);
}

START_TEST(test_nothing_is_read_where_it_cannot_be_confined)
{
    struct helper helper = own_helper();
    struct heard heard = { 0 };
    char path[128];

    run("cd %s && echo one >one.txt && gzip one.txt", folder);
    snprintf(path, sizeof path, "%s/one.txt.gz", folder);
    take_seccomp_away();
    ck_assert_int_eq(extract_file(&helper, path, DOCUMENT_ARCHIVE, &heard), ERNIE_ENOTFOUND);
    ck_assert_str_eq(err.message, "this kernel has no filter of system calls (seccomp)");
    ck_assert_int_eq(heard.n, 0);
    helper.may_be_unconfined = 1;
    ck_assert_int_eq(extract_file(&helper, path, DOCUMENT_ARCHIVE, &heard), ERNIE_OK);
    ck_assert_str_eq(heard.lines.data, "one.txt||one\n\n||\n");
    buffer_reset(&heard.lines);
    helper_reset(&helper);
}
END_TEST

START_TEST(test_the_caller_may_end_it)
{
    struct helper helper = own_helper();
    struct heard heard = { .end_after = 1 };
    char path[128];

    run("cd %s && echo one >one.txt && echo two >two.txt && tar cf x.tar one.txt two.txt", folder);
    snprintf(path, sizeof path, "%s/x.tar", folder);
    ck_assert_int_eq(extract_file(&helper, path, DOCUMENT_ARCHIVE, &heard), ERNIE_ECANCELED);
    ck_assert_int_eq(heard.n, 1);
    buffer_reset(&heard.lines);
    helper_reset(&helper);
}
END_TEST

START_TEST(test_a_descriptor_stays_as_it_was)
{
    struct helper helper = own_helper();
    struct heard heard = { 0 };
    char path[128];
    int fd, next = dup(0);

    close(next);
    run("cd %s && echo one >one.txt && gzip one.txt", folder);
    snprintf(path, sizeof path, "%s/one.txt.gz", folder);
    fd = open(path, O_RDONLY);
    ck_assert_int_eq(lseek(fd, 3, SEEK_SET), 3);
    ck_assert_int_eq(helper_extract(&helper, fd, path, DOCUMENT_ARCHIVE, hear, &heard, &err),
                     ERNIE_OK);
    ck_assert_int_eq(lseek(fd, 0, SEEK_CUR), 3);
    close(fd);
    ck_assert_str_eq(heard.lines.data, "one.txt||one\n\n||\n");
    ck_assert_int_eq(waitpid(-1, NULL, 0), -1); /* no child is left */
    ck_assert_int_eq(dup(0), next);             /* nor a descriptor */
    buffer_reset(&heard.lines);
    helper_reset(&helper);
}
END_TEST

START_TEST(test_running_out_of_memory_at_each_allocation)
{
    int status = ERNIE_ENOMEM;
    char path[128];

    run("cd %s && echo one >one.txt && gzip one.txt", folder);
    snprintf(path, sizeof path, "%s/one.txt.gz", folder);
    for (int k = 0; status != ERNIE_OK; k++) {
        struct helper helper = own_helper();
        struct heard heard = { 0 };

        ck_assert_int_lt(k, 1000);
        fail_allocations_from(k);
        status = extract_file(&helper, path, DOCUMENT_ARCHIVE, &heard);
        stop_failing();
        ck_assert(status == ERNIE_OK || status == ERNIE_ENOMEM);
        /* What is heard is in memory too. */
        if (status == ERNIE_OK && heard.lines.failed)
            status = ERNIE_ENOMEM;
        buffer_reset(&heard.lines);
        helper_reset(&helper);
    }
}
END_TEST

int main(void)
{
    const struct {
        const char *name;
        const TTest *tests[12];
    } cases[] = {
        { "wire",
          { test_a_text_comes_through_whole, test_other_messages, test_any_byte_may_lie,
            test_names_that_are_paths, test_parsing_runs_out_of_memory } },
        { "helper",
          { test_a_program_that_misbehaves_costs_the_file, test_one_that_hangs_is_ended,
            test_one_that_closes_its_pipe_is_ended, test_one_that_floods_is_ended,
            test_a_missing_program_is_not_the_files_fault, test_members_come_before_their_archive,
            test_names_of_members_in_gbk, test_nothing_is_read_where_it_cannot_be_confined, test_the_caller_may_end_it, test_a_descriptor_stays_as_it_was,
            test_running_out_of_memory_at_each_allocation } },
    };
    Suite *s = suite_create("helper");

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        TCase *tcase = tcase_create(cases[i].name);

        if (strcmp(cases[i].name, "helper") == 0)
            tcase_add_checked_fixture(tcase, make_folder, remove_folder);
        tcase_set_timeout(tcase, 60);
        for (size_t j = 0; j < 12 && cases[i].tests[j] != NULL; j++)
            tcase_add_test(tcase, cases[i].tests[j]);
        suite_add_tcase(s, tcase);
    }
    return run_suite(s);
}
