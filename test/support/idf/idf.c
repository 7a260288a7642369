/*
 * A stand-in for ESP-IDF v6.0's app_update on a flash file, with rollback enabled. What the real functions check of an
 * image is here its first byte alone.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "app_update/include/esp_ota_ops.h"
#include "esp_app_format.h"
#include "esp_chip_info.h"
#include "esp_flash.h"
#include "esp_system.h"
#include "esp_timer.h"
#include "idf.h"

#define OTADATA 0xd000
#define SECTOR 0x1000
#define MAX_PARTITIONS 20
#define NONE 0xffffffff

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
static int gFate = IDF_FLASH_WORKS;
static int gEncrypted;
static int gResetReason;
static const esp_partition_t *gRunning;
static esp_partition_t gPartitions[MAX_PARTITIONS];
static int gCount;
static struct esp_timer *gTimer;

static const esp_partition_t *add(const char *label, int type, int subtype, uint32_t address, uint32_t size)
{
	esp_partition_t *partition = &gPartitions[gCount++];

	partition->type = (esp_partition_type_t)type;
	partition->subtype = (esp_partition_subtype_t)subtype;
	partition->address = address;
	partition->size = size;
	snprintf(partition->label, sizeof(partition->label), "%s", label);
	return partition;
}

void idf_open(const char *path, const idf_device_t *device)
{
	uint32_t end = 0x10000;
	int i;

	gFlash = fopen(path, "rb+");
	if (!gFlash) {
		perror(path);
		exit(66);
	}
	gEncrypted = device->encrypted;
	gResetReason = device->resetReason;
	add("otadata", ESP_PARTITION_TYPE_DATA, ESP_PARTITION_SUBTYPE_DATA_OTA, OTADATA, 2 * SECTOR);
	for (i = device->factory ? -1 : 0; i < device->slots; i++, end += device->slotSize) {
		const int subtype = i < 0 ? ESP_PARTITION_SUBTYPE_APP_FACTORY : ESP_PARTITION_SUBTYPE_APP_OTA_MIN + i;
		char label[17] = "factory";
		const esp_partition_t *partition;

		if (i >= 0)
			snprintf(label, sizeof(label), "ota_%d", i);
		partition = add(label, ESP_PARTITION_TYPE_APP, subtype, end, device->slotSize);
		if (i == device->running)
			gRunning = partition;
	}
	if (device->mods)
		add("xs", 0x40, 1, end, device->slotSize);
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

static void flashWrite(uint32_t address, const void *from, size_t size)
{
	if (fseek(gFlash, (long)address, SEEK_SET) || fwrite(from, 1, size, gFlash) != size)
		exit(74);
	fflush(gFlash);
}

static void scramble(uint8_t *bytes, uint32_t address, size_t size)
{
	size_t i;

	if (gEncrypted)
		for (i = 0; i < size; i++)
			bytes[i] ^= (uint8_t)(((address + i + 1) * 0x85ebca6b) >> 13);
}

esp_err_t esp_flash_read(esp_flash_t *chip, void *into, uint32_t address, uint32_t length)
{
	if (chip)
		return ESP_ERR_INVALID_ARG;
	flashRead(address, into, length);
	return ESP_OK;
}

esp_err_t esp_partition_read(const esp_partition_t *partition, size_t offset, void *into, size_t size)
{
	if (offset + size > partition->size)
		return ESP_ERR_INVALID_SIZE;
	flashRead(partition->address + offset, into, size);
	scramble(into, partition->address + offset, size);
	return ESP_OK;
}

/* Clears bits. Under encryption only whole units of 16 bytes, which have to be erased. */
esp_err_t esp_partition_write(const esp_partition_t *partition, size_t offset, const void *from, size_t size)
{
	const uint32_t address = partition->address + offset;
	uint8_t bits[SECTOR], present[SECTOR];
	size_t i;

	if (offset + size > partition->size || size > sizeof(bits))
		return ESP_ERR_INVALID_SIZE;
	if (gEncrypted && (offset % 16 || size % 16))
		return ESP_ERR_INVALID_ARG;
	if (gFate != IDF_FLASH_WORKS)
		return gFate == IDF_FLASH_FAILS ? ESP_ERR_FLASH_OP_FAIL : ESP_OK;
	flashRead(address, present, size);
	memcpy(bits, from, size);
	scramble(bits, address, size);
	for (i = 0; i < size; i++) {
		if (gEncrypted && present[i] != 0xff)
			return ESP_FAIL;
		bits[i] &= present[i];
	}
	flashWrite(address, bits, size);
	return ESP_OK;
}

esp_err_t esp_partition_erase_range(const esp_partition_t *partition, size_t offset, size_t size)
{
	uint8_t blank[SECTOR];

	if (offset % SECTOR || size % SECTOR)
		return ESP_ERR_INVALID_ARG;
	if (offset + size > partition->size)
		return ESP_ERR_INVALID_SIZE;
	if (gFate != IDF_FLASH_WORKS)
		return gFate == IDF_FLASH_FAILS ? ESP_ERR_FLASH_OP_FAIL : ESP_OK;
	memset(blank, 0xff, sizeof(blank));
	for (; size; offset += SECTOR, size -= SECTOR)
		flashWrite(partition->address + offset, blank, SECTOR);
	return ESP_OK;
}

const esp_partition_t *esp_partition_find_first(
	esp_partition_type_t type, esp_partition_subtype_t subtype, const char *label)
{
	int i;

	for (i = 0; i < gCount; i++)
		if (gPartitions[i].type == type && gPartitions[i].subtype == subtype &&
				(!label || !strcmp(label, gPartitions[i].label)))
			return &gPartitions[i];
	return NULL;
}

static const esp_partition_t *slotPartition(uint32_t slot)
{
	return esp_partition_find_first(
		ESP_PARTITION_TYPE_APP, (esp_partition_subtype_t)(ESP_PARTITION_SUBTYPE_APP_OTA_MIN + slot), NULL);
}

static const esp_partition_t *factoryPartition(void)
{
	return esp_partition_find_first(ESP_PARTITION_TYPE_APP, ESP_PARTITION_SUBTYPE_APP_FACTORY, NULL);
}

static const esp_partition_t *otadataPartition(void)
{
	return esp_partition_find_first(ESP_PARTITION_TYPE_DATA, ESP_PARTITION_SUBTYPE_DATA_OTA, NULL);
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
		esp_partition_read(otadataPartition(), (size_t)i * SECTOR, &entries[i], sizeof(entry_t));
}

/* What erase and write answer is handed on, as by rewrite_ota_seq and set_new_state_otadata; nothing is read back. */
static esp_err_t writeEntry(int index, entry_t entry)
{
	esp_err_t error;

	entry.crc = crcOf(entry.seq);
	error = esp_partition_erase_range(otadataPartition(), (size_t)index * SECTOR, SECTOR);
	if (error != ESP_OK)
		return error;
	return esp_partition_write(otadataPartition(), (size_t)index * SECTOR, &entry, sizeof(entry));
}

static int invalid(const entry_t *entry)
{
	return entry->seq == NONE || entry->state == ESP_OTA_IMG_INVALID || entry->state == ESP_OTA_IMG_ABORTED;
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

static const esp_partition_t *partitionOf(const entry_t *entry)
{
	return slotPartition((entry->seq - 1) % esp_ota_get_app_partition_count());
}

static int bootable(const esp_partition_t *partition)
{
	uint8_t first;

	return partition && esp_partition_read(partition, 0, &first, 1) == ESP_OK && first == 0xe9;
}

uint8_t esp_ota_get_app_partition_count(void)
{
	uint8_t count = 0;

	while (slotPartition(count))
		count++;
	return count;
}

const esp_app_desc_t *esp_app_get_description(void)
{
	static esp_app_desc_t app;

	esp_partition_read(gRunning, 32, &app, sizeof(app));
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
	if (active >= 0)
		return partitionOf(&entries[active]);
	return factoryPartition() ? factoryPartition() : slotPartition(0);
}

const esp_partition_t *esp_ota_get_next_update_partition(const esp_partition_t *from)
{
	const esp_partition_t *start = from ? from : gRunning;
	const uint8_t count = esp_ota_get_app_partition_count();
	uint8_t i;

	for (i = 0; i + 1 < count; i++)
		if (slotPartition(i) == start)
			return slotPartition(i + 1u);
	return slotPartition(0);
}

esp_err_t esp_ota_get_state_partition(const esp_partition_t *partition, esp_ota_img_states_t *state)
{
	entry_t entries[2];
	int i;

	if (partition->type != ESP_PARTITION_TYPE_APP || partition->subtype < ESP_PARTITION_SUBTYPE_APP_OTA_MIN)
		return ESP_ERR_NOT_SUPPORTED;
	readEntries(entries);
	for (i = 0; i < 2; i++) {
		if (entries[i].crc != crcOf(entries[i].seq) || partitionOf(&entries[i]) != partition)
			continue;
		*state = (esp_ota_img_states_t)entries[i].state;
		return ESP_OK;
	}
	return ESP_ERR_NOT_FOUND;
}

esp_err_t esp_ota_set_boot_partition(const esp_partition_t *partition)
{
	const uint32_t count = esp_ota_get_app_partition_count();
	entry_t entries[2], fresh;
	uint32_t slot, seq;
	int active, target;

	if (!bootable(partition))
		return ESP_ERR_OTA_VALIDATE_FAILED;
	if (partition->subtype == ESP_PARTITION_SUBTYPE_APP_FACTORY)
		return esp_partition_erase_range(otadataPartition(), 0, otadataPartition()->size);
	slot = (uint32_t)partition->subtype - ESP_PARTITION_SUBTYPE_APP_OTA_MIN;
	readEntries(entries);
	active = activeOf(entries);
	if (active < 0) {
		target = 0;
		seq = slot + 1;
	}
	else if ((entries[active].seq - 1) % count == slot) {
		target = active;
		seq = entries[active].seq;
	}
	else {
		target = 1 - active;
		for (seq = (slot + 1) % count; entries[active].seq > seq; )
			seq += count;
	}
	fresh = entries[target];
	fresh.seq = seq;
	fresh.state = ESP_OTA_IMG_NEW;
	return writeEntry(target, fresh);
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
		return writeEntry(active, entries[active]);
	}
	return ESP_OK;
}

esp_err_t esp_ota_mark_app_valid_cancel_rollback(void)
{
	return rewrite(ESP_OTA_IMG_VALID);
}

/* esp_ota_check_rollback_is_possible */
static int rollbackIsPossible(void)
{
	entry_t entries[2];
	int active;

	readEntries(entries);
	active = activeOf(entries);
	if (active < 0)
		return 0;
	if (!valid(&entries[1 - active]))
		return bootable(factoryPartition());
	return bootable(partitionOf(&entries[1 - active]));
}

esp_err_t esp_ota_mark_app_invalid_rollback(void)
{
	entry_t entries[2];

	readEntries(entries);
	if (activeOf(entries) < 0)
		return ESP_FAIL;
	if (!rollbackIsPossible())
		return ESP_ERR_OTA_ROLLBACK_FAILED;
	return rewrite(ESP_OTA_IMG_INVALID);
}

static esp_err_t eraseLastBoot(int withApplication)
{
	const esp_partition_t *last;
	entry_t entries[2];
	int active, other;

	readEntries(entries);
	active = activeOf(entries);
	if (active < 0)
		return ESP_FAIL;
	other = 1 - active;
	if (entries[other].seq == NONE || entries[other].crc != crcOf(entries[other].seq))
		return ESP_FAIL;
	last = partitionOf(&entries[other]);
	if (!last || last == gRunning)
		return ESP_FAIL;
	if (withApplication) {
		esp_err_t error = esp_partition_erase_range(last, 0, last->size);
		if (error != ESP_OK)
			return error;
	}
	return esp_partition_erase_range(otadataPartition(), (size_t)other * SECTOR, SECTOR);
}

esp_err_t esp_ota_erase_last_boot_app_partition(void)
{
	return eraseLastBoot(1);
}

esp_err_t esp_ota_invalidate_inactive_ota_data_slot(void)
{
	return eraseLastBoot(0);
}

/* v1.1 */
void esp_chip_info(esp_chip_info_t *info)
{
	info->revision = 101;
}

esp_reset_reason_t esp_reset_reason(void)
{
	return (esp_reset_reason_t)gResetReason;
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

void idf_flash(int fate)
{
	gFate = fate;
}
