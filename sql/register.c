/* ernie_register: the extension's functions and tables for programs that link libernie. */
#include "base/error.h"
#include "sql/extension.h"

int ernie_register(struct sqlite3 *connection, const ernie_model *model, ernie_error *err)
{
    int status;

    if (connection == NULL)
        return error_set(err, ERNIE_EINVAL, "register: no connection given");
    status = extension_register(connection, model);
    if (status == SQLITE_NOMEM)
        return error_set(err, ERNIE_ENOMEM, "register: out of memory");
    if (status != SQLITE_OK)
        return error_set(err, ERNIE_EBUSY, "register: %s", sqlite3_errmsg(connection));
    return ERNIE_OK;
}
