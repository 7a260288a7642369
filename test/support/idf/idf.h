#pragma once
#include <stdint.h>

/* Exit code of a chip that was reset. */
#define IDF_RESTART 99

/* What becomes of the flash's erase and write commands: done, answered with an error, or answered well and not done. */
enum { IDF_FLASH_WORKS, IDF_FLASH_FAILS, IDF_FLASH_IGNORES };

typedef struct {
	uint32_t slotSize;
	int slots;
	/* There is a factory application, before the slots. */
	int factory;
	/* Application slots and otadata are encrypted, after the manner of hosts/emulated/flash-partition.ts. */
	int encrypted;
	/* There is a partition for mods. */
	int mods;
	/* Slot of the running application; -1: the factory application. */
	int running;
	/* esp_reset_reason_t */
	int resetReason;
} idf_device_t;

void idf_open(const char *path, const idf_device_t *device);
long idf_watchdog(void);
void idf_let_time_pass(void);
void idf_flash(int fate);
