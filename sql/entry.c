/* Where SQLite enters ernie.so. It derives the name from the file's: ernie.so and
 * libernie.so look for sqlite3_ernie_init, Debian's mod_ernie.so for sqlite3_modernie_init,
 * and any other name finds the first. */
#include <pthread.h>
#include <sqlite3ext.h>
SQLITE_EXTENSION_INIT1

#include "sql/extension.h"

ERNIE_API int sqlite3_extension_init(sqlite3 *connection, char **message,
                                     const sqlite3_api_routines *api);
ERNIE_API int sqlite3_ernie_init(sqlite3 *connection, char **message,
                                 const sqlite3_api_routines *api);
ERNIE_API int sqlite3_modernie_init(sqlite3 *connection, char **message,
                                    const sqlite3_api_routines *api);

int sqlite3_extension_init(sqlite3 *connection, char **message, const sqlite3_api_routines *api)
{
    static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

    /* Other connections' threads read it while this one is being loaded: it is written no
     * second time. */
    pthread_mutex_lock(&mutex);
    if (sqlite3_api != api)
        SQLITE_EXTENSION_INIT2(api);
    pthread_mutex_unlock(&mutex);
    (void)message;
    return extension_register(connection, NULL);
}

int sqlite3_ernie_init(sqlite3 *connection, char **message, const sqlite3_api_routines *api)
{
    return sqlite3_extension_init(connection, message, api);
}

int sqlite3_modernie_init(sqlite3 *connection, char **message, const sqlite3_api_routines *api)
{
    return sqlite3_extension_init(connection, message, api);
}
