/* Keeps two texts in a database in memory and asks which one is meant.
 *
 *     cc search.c $(pkg-config --cflags --libs ernie) && ./a.out
 */
#include <stdio.h>

#include <ernie.h>

int main(void)
{
    ernie_model *model = NULL;
    ernie_database *database = NULL;
    struct ernie_hits *hits = NULL;
    ernie_error err;
    int status;

    status = ernie_model_open(NULL, &model, &err);
    if (status == ERNIE_OK)
        status = ernie_open(":memory:", ERNIE_CREATE, model, &database, &err);
    if (status == ERNIE_OK)
        status = ernie_add_text(database, "tea", NULL, "绿茶要用八十度的水来泡。", &err);
    if (status == ERNIE_OK)
        status = ernie_add_text(database, "network", NULL,
                                "深度学习让计算机从大量数据中自己学会识别图像。", &err);
    if (status == ERNIE_OK)
        status = ernie_search(database, "人工智能", NULL, &hits, &err);
    if (status != ERNIE_OK) {
        fprintf(stderr, "search: %s\n", err.message);
        ernie_close(database);
        ernie_model_close(model);
        return 1;
    }
    for (size_t i = 0; i < hits->n; i++)
        printf("%.2f  %s  %s\n", hits->hit[i].score, hits->hit[i].path, hits->hit[i].snippet);
    ernie_hits_free(hits);
    ernie_close(database);
    ernie_model_close(model);
    return 0;
}
