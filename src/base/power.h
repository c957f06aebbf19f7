/* Where the machine's power comes from. */
#ifndef ERNIE_BASE_POWER_H
#define ERNIE_BASE_POWER_H

/* As Linux lists its supplies (Documentation/ABI/testing/sysfs-class-power). */
#define POWER_SUPPLIES "/sys/class/power_supply"

/* Whether a battery of the machine's own is being used up, and no other supply is connected.
 * A mouse's battery is none; where nothing is known it is 0. folder: POWER_SUPPLIES. */
int power_is_battery(const char *folder);

#endif
