#include "base/power.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/system.h"

/* One word of a supply; "" when it does not say. */
static void read_word(int supply, const char *name, char out[32])
{
    int fd = system_table.openat(supply, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK, 0);
    ssize_t size = -1;

    if (fd >= 0) {
        do
            size = system_table.read(fd, out, 31);
        while (size < 0 && errno == EINTR);
        system_table.close(fd);
    }
    out[size > 0 ? size : 0] = '\0';
    out[strcspn(out, "\n")] = '\0';
}

static void look_at_supply(int supply, int *is_discharging, int *is_connected)
{
    char type[32], scope[32], status[32], online[32];

    read_word(supply, "type", type);
    read_word(supply, "scope", scope);
    if (strcmp(scope, "Device") == 0)
        return;
    if (strcmp(type, "Battery") == 0) {
        read_word(supply, "status", status);
        *is_discharging |= strcmp(status, "Discharging") == 0;
    } else {
        read_word(supply, "online", online);
        *is_connected |= strcmp(online, "1") == 0;
    }
}

int power_is_battery(const char *folder)
{
    int fd = system_table.openat(AT_FDCWD, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    int is_discharging = 0, is_connected = 0;
    const struct dirent *found;
    DIR *directory;

    if (fd < 0)
        return 0;
    directory = system_table.fdopendir(fd);
    if (directory == NULL) {
        system_table.close(fd);
        return 0;
    }
    while ((found = system_table.readdir(directory)) != NULL) {
        int supply;

        if (found->d_name[0] == '.')
            continue;
        supply = system_table.openat(fd, found->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
        if (supply >= 0) {
            look_at_supply(supply, &is_discharging, &is_connected);
            system_table.close(supply);
        }
    }
    system_table.closedir(directory);
    return is_discharging && !is_connected;
}
