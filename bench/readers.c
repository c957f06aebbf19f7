/* How long readers of one database wait while somebody writes to it, and whether they ever
 * see half a document.
 *
 *     make bench_readers && ./bench_readers ERNIE.so [SECONDS [READERS [VECTORS]]]
 *
 * A table of documents of eight vectors each, in a write-ahead log. Every reader has a thread
 * and a connection of its own and asks, one question after the other, for the eight nearest
 * to the middle of a document, which are that document's, all of one version, or all gone.
 * First they ask alone, then as long while a writer replaces or removes documents, one a
 * transaction, a hundred times a second at most.
 *
 * Of each question's time by the clock, part was spent computing and part waiting for a core:
 * for those that did not go to sleep of their own will (getrusage's voluntary switches), all
 * the rest; for the others, what /proc/thread-self/schedstat says. What is left is time
 * asleep: for a lock of ours, of SQLite's or of the memory's, or for the disk. */
#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { DIM = 384, PARTS = 8, PAUSE_US = 10000 };

static const char *extension;
static char path[256];
static int64_t n_documents;
static atomic_int is_over;

/* ---- the clocks, in ms ------------------------------------------------- */

static double clock_ms(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return 1e3 * (double)now.tv_sec + 1e-6 * (double)now.tv_nsec;
}

/* What the thread waited for a core so far; 0 where the kernel does not say. */
static double wait_ms(int schedstat)
{
    char text[96];
    const ssize_t n = schedstat >= 0 ? pread(schedstat, text, sizeof text - 1, 0) : -1;
    unsigned long long waited = 0;

    if (n <= 0)
        return 0;
    text[n] = '\0';
    return sscanf(text, "%*u %llu", &waited) == 1 ? 1e-6 * (double)waited : 0;
}

static long n_sleeps(void)
{
    struct rusage usage;

    return getrusage(RUSAGE_THREAD, &usage) == 0 ? usage.ru_nvcsw : 0;
}

/* ---- vectors ----------------------------------------------------------- */

static float random_number(uint64_t *state)
{
    /* splitmix64 (Steele, Lea & Flood 2014) */
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return (float)((z ^ z >> 31) >> 40) / (1 << 23) - 1;
}

/* Near the middle of its document, which is far from every other one's. */
static void make_vector(int64_t document, uint64_t seed, float *out)
{
    uint64_t middle = (uint64_t)document * 1000003;

    for (int i = 0; i < DIM; i++)
        out[i] = random_number(&middle) + 0.2f * random_number(&seed);
}

/* ---- SQLite ------------------------------------------------------------ */

static void must(sqlite3 *db, int code, const char *what)
{
    if (code == SQLITE_OK || code == SQLITE_ROW || code == SQLITE_DONE)
        return;
    fprintf(stderr, "%s: %s\n", what, sqlite3_errmsg(db));
    exit(2);
}

static void run(sqlite3 *db, const char *sql)
{
    must(db, sqlite3_exec(db, sql, NULL, NULL, NULL), sql);
}

static sqlite3_stmt *prepare(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *statement;

    must(db, sqlite3_prepare_v2(db, sql, -1, &statement, NULL), sql);
    return statement;
}

static sqlite3 *open_database(void)
{
    sqlite3 *db;
    char *message = NULL;

    must(NULL, sqlite3_open(path, &db), path);
    sqlite3_busy_timeout(db, 10000);
    sqlite3_enable_load_extension(db, 1);
    if (sqlite3_load_extension(db, extension, NULL, &message) != SQLITE_OK) {
        fprintf(stderr, "%s: %s\n", extension, message);
        exit(2);
    }
    run(db, "PRAGMA journal_mode = WAL");
    run(db, "PRAGMA synchronous = NORMAL");
    return db;
}

static void put_document(sqlite3 *db, sqlite3_stmt *put, int64_t document, int64_t version)
{
    float vector[DIM];

    for (int64_t part = 0; part < PARTS; part++) {
        make_vector(document, (uint64_t)(document * 1009 + version * PARTS + part), vector);
        sqlite3_bind_int64(put, 1, document * PARTS + part);
        sqlite3_bind_blob(put, 2, vector, sizeof vector, SQLITE_STATIC);
        sqlite3_bind_int64(put, 3, document);
        sqlite3_bind_int64(put, 4, version);
        must(db, sqlite3_step(put), "writing");
        sqlite3_reset(put);
    }
}

static const char put_sql[] = "REPLACE INTO v(rowid, embedding, document, version)"
                              " VALUES (?, ?, ?, ?)";

static void fill(void)
{
    sqlite3 *db = open_database();
    sqlite3_stmt *put;

    run(db, "CREATE VIRTUAL TABLE v USING ernie(embedding float[384], document, version)");
    put = prepare(db, put_sql);
    run(db, "BEGIN");
    for (int64_t i = 0; i < n_documents; i++)
        put_document(db, put, i, 0);
    run(db, "COMMIT");
    sqlite3_finalize(put);
    sqlite3_close(db);
}

/* ---- reading ----------------------------------------------------------- */

struct times {
    size_t n, capacity;
    float *ms; /* [n] */
};

static void times_add(struct times *times, double ms)
{
    if (times->n == times->capacity) {
        times->capacity = 2 * times->capacity + 1024;
        times->ms = realloc(times->ms, times->capacity * sizeof *times->ms);
        if (times->ms == NULL)
            abort();
    }
    times->ms[times->n++] = (float)ms;
}

enum { ALL, COMPUTING, WAITING, ASLEEP, N_TIMES };

struct reader {
    pthread_t thread;
    uint64_t random;
    struct times times[N_TIMES];
    size_t n_halves, n_asleep;
};

/* Whether what was found of the document is all of one version, or nothing. */
static int is_whole(sqlite3 *db, sqlite3_stmt *ask, int64_t document)
{
    int64_t version = -1;
    int n = 0, is_mixed = 0, code;

    while ((code = sqlite3_step(ask)) == SQLITE_ROW) {
        if (sqlite3_column_int64(ask, 0) != document)
            continue;
        is_mixed |= n > 0 && sqlite3_column_int64(ask, 1) != version;
        version = sqlite3_column_int64(ask, 1);
        n++;
    }
    must(db, code, "reading");
    return !is_mixed && (n == 0 || n == PARTS);
}

static void *read_on(void *data)
{
    struct reader *reader = data;
    sqlite3 *db = open_database();
    sqlite3_stmt *ask = prepare(db, "SELECT document, version FROM v WHERE embedding MATCH ?"
                                    " ORDER BY rank LIMIT 8");
    const int schedstat = open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC);
    float vector[DIM];

    /* The first question finds the index, and prepares what later ones use again. */
    make_vector(0, 0, vector);
    sqlite3_bind_blob(ask, 1, vector, sizeof vector, SQLITE_STATIC);
    is_whole(db, ask, 0);
    sqlite3_reset(ask);
    while (!atomic_load(&is_over)) {
        const int64_t document = (int64_t)((random_number(&reader->random) + 1) / 2 *
                                           (float)n_documents);
        double start, computing, waiting, all;
        long sleeps;

        make_vector(document, reader->random, vector);
        start = clock_ms(CLOCK_MONOTONIC);
        computing = clock_ms(CLOCK_THREAD_CPUTIME_ID);
        waiting = wait_ms(schedstat);
        sleeps = n_sleeps();
        sqlite3_bind_blob(ask, 1, vector, sizeof vector, SQLITE_STATIC);
        reader->n_halves += !is_whole(db, ask, document);
        sqlite3_reset(ask);
        sleeps = n_sleeps() - sleeps;
        waiting = wait_ms(schedstat) - waiting;
        computing = clock_ms(CLOCK_THREAD_CPUTIME_ID) - computing;
        all = clock_ms(CLOCK_MONOTONIC) - start;
        if (sleeps == 0)
            waiting = fmax(0, all - computing);
        reader->n_asleep += sleeps > 0;
        times_add(&reader->times[ALL], all);
        times_add(&reader->times[COMPUTING], computing);
        times_add(&reader->times[WAITING], waiting);
        times_add(&reader->times[ASLEEP], fmax(0, all - computing - waiting));
    }
    if (schedstat >= 0)
        close(schedstat);
    sqlite3_finalize(ask);
    sqlite3_close(db);
    return NULL;
}

/* ---- writing ----------------------------------------------------------- */

static void write_for(double seconds, struct times *commits)
{
    sqlite3 *db = open_database();
    sqlite3_stmt *put = prepare(db, put_sql);
    sqlite3_stmt *remove = prepare(db, "DELETE FROM v WHERE rowid = ?");
    const double end = clock_ms(CLOCK_MONOTONIC) + 1e3 * seconds;
    uint64_t random = 1;

    for (int64_t version = 1; clock_ms(CLOCK_MONOTONIC) < end; version++) {
        const int64_t document = (int64_t)((random_number(&random) + 1) / 2 * (float)n_documents);
        const double start = clock_ms(CLOCK_MONOTONIC);

        run(db, "BEGIN IMMEDIATE");
        if (version % 10 != 0)
            put_document(db, put, document, version);
        for (int64_t part = 0; version % 10 == 0 && part < PARTS; part++) {
            sqlite3_bind_int64(remove, 1, document * PARTS + part);
            must(db, sqlite3_step(remove), "deleting");
            sqlite3_reset(remove);
        }
        run(db, "COMMIT");
        times_add(commits, clock_ms(CLOCK_MONOTONIC) - start);
        usleep(PAUSE_US);
    }
    sqlite3_finalize(put);
    sqlite3_finalize(remove);
    sqlite3_close(db);
}

/* ---- both -------------------------------------------------------------- */

static int compare_floats(const void *a, const void *b)
{
    const float *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

static void print_times(const char *what, struct times *times)
{
    const size_t n = times->n;

    if (n == 0)
        return;
    qsort(times->ms, n, sizeof *times->ms, compare_floats);
    printf("  %-20s %9.3f %9.3f %9.3f %9.3f\n", what, (double)times->ms[n / 2],
           (double)times->ms[n * 99 / 100], (double)times->ms[n * 999 / 1000],
           (double)times->ms[n - 1]);
}

/* Returns how often half a document was seen. */
static size_t round_of(size_t n_readers, double seconds, int writes)
{
    static const char *const names[N_TIMES] = { "question", "  computing",
                                                "  waiting for a core", "  asleep" };
    struct reader *readers = calloc(n_readers, sizeof *readers);
    struct times commits = { 0 }, times[N_TIMES] = { 0 };
    size_t n_halves = 0, n_asleep = 0;

    if (readers == NULL)
        abort();
    atomic_store(&is_over, 0);
    for (size_t i = 0; i < n_readers; i++) {
        readers[i].random = i + 100;
        if (pthread_create(&readers[i].thread, NULL, read_on, &readers[i]) != 0)
            abort();
    }
    if (writes)
        write_for(seconds, &commits);
    else
        for (double end = clock_ms(CLOCK_MONOTONIC) + 1e3 * seconds;
             clock_ms(CLOCK_MONOTONIC) < end;)
            usleep(PAUSE_US);
    atomic_store(&is_over, 1);
    for (size_t i = 0; i < n_readers; i++) {
        pthread_join(readers[i].thread, NULL);
        n_halves += readers[i].n_halves;
        n_asleep += readers[i].n_asleep;
        for (int j = 0; j < N_TIMES; j++) {
            for (size_t k = 0; k < readers[i].times[j].n; k++)
                times_add(&times[j], (double)readers[i].times[j].ms[k]);
            free(readers[i].times[j].ms);
        }
    }
    printf("%s: %zu questions by %zu readers, of which %zu slept; %zu commits; %zu halves of"
           " documents\n", writes ? "with a writer" : "alone", times[ALL].n, n_readers, n_asleep,
           commits.n, n_halves);
    printf("  %-20s %9s %9s %9s %9s\n", "ms", "p50", "p99", "p99.9", "greatest");
    for (int j = 0; j < N_TIMES; j++) {
        print_times(names[j], &times[j]);
        free(times[j].ms);
    }
    print_times("commit", &commits);
    free(commits.ms);
    free(readers);
    return n_halves;
}

int main(int argc, char **argv)
{
    const double seconds = argc > 2 ? atof(argv[2]) : 60;
    const size_t n_readers = argc > 3 ? strtoul(argv[3], NULL, 10) : 8;
    const unsigned long n_vectors = argc > 4 ? strtoul(argv[4], NULL, 10) : 100000;
    char folder[] = "/tmp/bench_readers.XXXXXX", command[300];
    size_t n_halves;

    if (argc < 2 || argc > 5 || seconds <= 0 || n_readers < 1 || n_readers > 1000 ||
        n_vectors < PARTS || n_vectors > 10000000) {
        fprintf(stderr, "usage: bench_readers ERNIE.so [SECONDS [READERS [VECTORS]]]\n");
        return 2;
    }
    extension = argv[1];
    n_documents = (int64_t)n_vectors / PARTS;
    if (mkdtemp(folder) == NULL) {
        perror(folder);
        return 2;
    }
    snprintf(path, sizeof path, "%s/readers.db", folder);
    fill();
    n_halves = round_of(n_readers, seconds, 0);
    n_halves += round_of(n_readers, seconds, 1);
    snprintf(command, sizeof command, "rm -r %s", folder);
    return system(command) == 0 && n_halves == 0 ? 0 : 1;
}
