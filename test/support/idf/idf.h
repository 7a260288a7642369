#pragma once
#include <stdint.h>

/* Exit code of a chip that was reset. */
#define IDF_RESTART 99

void idf_open(const char *path, uint32_t slotSize, int running);
long idf_watchdog(void);
void idf_let_time_pass(void);
