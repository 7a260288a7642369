/*
 * A stand-in for ESP-IDF v6.0's app_update on a flash file: two slots, otadata, rollback enabled. What the real
 * functions check of an image is here its first byte alone.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "app_update/include/esp_ota_ops.h"
#include "esp_app_format.h"
#include "esp_system.h"
#include "esp_timer.h"
#include "idf.h"

#define OTADATA 0xd000
#define SECTOR 0x1000
#define SLOTS 2

typedef struct {
	uint32_t seq;
	uint8_t label[20];
	uint32_t state;
	uint32_t crc;
} entry_t;

struct esp_timer {
	esp_timer_cb_t callback;
	uint64_t due;
};

static FILE *gFlash;
static const esp_partition_t *gRunning;
static esp_partition_t gSlots[SLOTS];
static struct esp_timer *gTimer;

void idf_open(const char *path, uint32_t slotSize, int running)
{
	int i;

	gFlash = fopen(path, "rb+");
	if (!gFlash) {
		perror(path);
		exit(66);
	}
	for (i = 0; i < SLOTS; i++) {
		gSlots[i].address = 0x10000 + i * slotSize;
		gSlots[i].size = slotSize;
		snprintf(gSlots[i].label, sizeof(gSlots[i].label), "ota_%d", i);
	}
	gRunning = &gSlots[running];
}

/* Milliseconds until the watchdog restarts the chip, or -1. */
long idf_watchdog(void)
{
	return gTimer && gTimer->due ? (long)(gTimer->due / 1000) : -1;
}

void idf_let_time_pass(void)
{
	if (gTimer && gTimer->due)
		gTimer->callback(NULL);
}

static void flashRead(uint32_t address, void *into, size_t size)
{
	if (fseek(gFlash, (long)address, SEEK_SET) || fread(into, 1, size, gFlash) != size)
		exit(74);
}

static void eraseEntry(int index)
{
	uint8_t blank[SECTOR];

	memset(blank, 0xff, sizeof(blank));
	if (fseek(gFlash, OTADATA + index * SECTOR, SEEK_SET) || fwrite(blank, 1, SECTOR, gFlash) != SECTOR)
		exit(74);
	fflush(gFlash);
}

static uint32_t crcOf(uint32_t seq)
{
	uint32_t crc = 0;
	int byte, bit;

	for (byte = 0; byte < 4; byte++) {
		crc ^= (seq >> (8 * byte)) & 0xff;
		for (bit = 0; bit < 8; bit++)
			crc = (crc >> 1) ^ ((crc & 1) ? 0xedb88320 : 0);
	}
	return crc ^ 0xffffffff;
}

static void readEntries(entry_t entries[2])
{
	int i;

	for (i = 0; i < 2; i++)
		flashRead(OTADATA + i * SECTOR, &entries[i], sizeof(entry_t));
}

static void writeEntry(int index, entry_t entry)
{
	entry.crc = crcOf(entry.seq);
	eraseEntry(index);
	if (fseek(gFlash, OTADATA + index * SECTOR, SEEK_SET) || fwrite(&entry, sizeof(entry), 1, gFlash) != 1)
		exit(74);
	fflush(gFlash);
}

static int invalid(const entry_t *entry)
{
	return entry->seq == 0xffffffff || entry->state == ESP_OTA_IMG_INVALID || entry->state == ESP_OTA_IMG_ABORTED;
}

static int valid(const entry_t *entry)
{
	return !invalid(entry) && entry->crc == crcOf(entry->seq);
}

static int activeOf(const entry_t entries[2])
{
	if (valid(&entries[0]) && valid(&entries[1]))
		return entries[1].seq > entries[0].seq;
	return valid(&entries[0]) ? 0 : valid(&entries[1]) ? 1 : -1;
}

static int bootable(const esp_partition_t *partition)
{
	uint8_t first;

	flashRead(partition->address, &first, 1);
	return first == 0xe9;
}

esp_err_t esp_partition_read(const esp_partition_t *partition, size_t offset, void *into, size_t size)
{
	if (offset + size > partition->size)
		return ESP_ERR_INVALID_SIZE;
	flashRead(partition->address + offset, into, size);
	return ESP_OK;
}

const esp_app_desc_t *esp_app_get_description(void)
{
	static esp_app_desc_t app;

	flashRead(gRunning->address + 32, &app, sizeof(app));
	return &app;
}

const esp_partition_t *esp_ota_get_running_partition(void)
{
	return gRunning;
}

const esp_partition_t *esp_ota_get_boot_partition(void)
{
	entry_t entries[2];
	int active;

	readEntries(entries);
	active = activeOf(entries);
	return active < 0 ? &gSlots[0] : &gSlots[(entries[active].seq - 1) % SLOTS];
}

const esp_partition_t *esp_ota_get_next_update_partition(const esp_partition_t *from)
{
	return (from ? from : gRunning) == &gSlots[0] ? &gSlots[1] : &gSlots[0];
}

esp_err_t esp_ota_get_state_partition(const esp_partition_t *partition, esp_ota_img_states_t *state)
{
	entry_t entries[2];
	int i;

	readEntries(entries);
	for (i = 0; i < 2; i++) {
		if (entries[i].seq == 0xffffffff || entries[i].crc != crcOf(entries[i].seq))
			continue;
		if (&gSlots[(entries[i].seq - 1) % SLOTS] != partition)
			continue;
		*state = (esp_ota_img_states_t)entries[i].state;
		return ESP_OK;
	}
	return ESP_ERR_NOT_FOUND;
}

esp_err_t esp_ota_set_boot_partition(const esp_partition_t *partition)
{
	entry_t entries[2], fresh;
	uint32_t seq = (uint32_t)(partition - gSlots) + 1;
	int active, target;

	if (!bootable(partition))
		return ESP_ERR_OTA_VALIDATE_FAILED;
	readEntries(entries);
	active = activeOf(entries);
	target = 0;
	if (active >= 0) {
		while (seq < entries[active].seq)
			seq += SLOTS;
		target = seq == entries[active].seq ? active : 1 - active;
	}
	fresh = entries[target];
	fresh.seq = seq;
	fresh.state = ESP_OTA_IMG_NEW;
	writeEntry(target, fresh);
	return ESP_OK;
}

static esp_err_t rewrite(esp_ota_img_states_t state)
{
	entry_t entries[2];
	int active;

	readEntries(entries);
	active = activeOf(entries);
	if (active < 0)
		return ESP_FAIL;
	if (entries[active].state != (uint32_t)state) {
		entries[active].state = state;
		writeEntry(active, entries[active]);
	}
	return ESP_OK;
}

esp_err_t esp_ota_mark_app_valid_cancel_rollback(void)
{
	return rewrite(ESP_OTA_IMG_VALID);
}

esp_err_t esp_ota_mark_app_invalid_rollback(void)
{
	entry_t entries[2];
	int active, other;

	readEntries(entries);
	active = activeOf(entries);
	if (active < 0)
		return ESP_FAIL;
	other = 1 - active;
	if (!valid(&entries[other]) || !bootable(&gSlots[(entries[other].seq - 1) % SLOTS]))
		return ESP_ERR_OTA_ROLLBACK_FAILED;
	return rewrite(ESP_OTA_IMG_INVALID);
}

esp_err_t esp_ota_invalidate_inactive_ota_data_slot(void)
{
	entry_t entries[2];
	int active, other;

	readEntries(entries);
	active = activeOf(entries);
	if (active < 0)
		return ESP_FAIL;
	other = 1 - active;
	if (entries[other].crc == crcOf(entries[other].seq) && &gSlots[(entries[other].seq - 1) % SLOTS] != gRunning)
		eraseEntry(other);
	return ESP_OK;
}

esp_reset_reason_t esp_reset_reason(void)
{
	return ESP_RST_SW;
}

/* The host's program sees by its exit code that the chip was reset. */
void esp_restart(void)
{
	fflush(NULL);
	_Exit(IDF_RESTART);
}

esp_err_t esp_timer_create(const esp_timer_create_args_t *args, esp_timer_handle_t *timer)
{
	if (!args->callback || gTimer)
		return ESP_ERR_INVALID_ARG;
	gTimer = *timer = calloc(1, sizeof(**timer));
	gTimer->callback = args->callback;
	return ESP_OK;
}

esp_err_t esp_timer_start_once(esp_timer_handle_t timer, uint64_t microseconds)
{
	timer->due = microseconds;
	return ESP_OK;
}

esp_err_t esp_timer_stop(esp_timer_handle_t timer)
{
	timer->due = 0;
	return ESP_OK;
}

esp_err_t esp_timer_delete(esp_timer_handle_t timer)
{
	if (timer->due)
		return ESP_FAIL;
	free(timer);
	gTimer = NULL;
	return ESP_OK;
}
