/*
 * The boot side of an ESP32 for the agent: ESP-IDF's own esp_ota_* functions, as boot.ts calls them, a watchdog for the
 * time until the running image is confirmed, and what ESP-IDF has no function for: an entry in otadata for the image that
 * runs, and a mark by which a boot loader shows whether it rolls back. ESP-IDF 5.5 or later.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "xsmc.h"
#include "xsHost.h"

#include "app_update/include/esp_ota_ops.h"
#include "esp_app_desc.h"
#include "esp_app_format.h"
#include "esp_chip_info.h"
#include "esp_flash.h"
#include "esp_partition.h"
#include "esp_system.h"
#include "esp_timer.h"
#include "sdkconfig.h"

/* Seconds from start until an image that nobody has decided about is given up; "defines": {"ota": {"watchdog": n}}. */
#ifndef MODDEF_OTA_WATCHDOG
	#define MODDEF_OTA_WATCHDOG 300
#endif

/* esp_ota_select_entry_t (bootloader_support, esp_flash_partitions.h), the same from ESP-IDF 4.4 to 6.0. */
typedef struct {
	uint32_t seq;
	uint8_t label[20];
	uint32_t state;
	uint32_t crc;
} otaEntry;

/* Sequence number of an empty entry. */
#define kNone 0xFFFFFFFF
/* Entries are a sector apart. */
#define kSector 0x1000

/* Label of the mark, before the boot loader it is for. ESP-IDF neither interprets a label nor changes it. */
static const uint8_t kMark[16] = "xs-ota-agent";

static esp_timer_handle_t gWatchdog;

static void otaFail(xsMachine *the, const char *what, esp_err_t error)
{
	xsUnknownError("%s failed: 0x%x", what, (int)error);
}

static const esp_partition_t *runningPartition(xsMachine *the)
{
	const esp_partition_t *partition = esp_ota_get_running_partition();
	if (!partition)
		xsUnknownError("no running partition");
	return partition;
}

static const esp_partition_t *otherPartition(xsMachine *the)
{
	const esp_partition_t *partition = esp_ota_get_next_update_partition(NULL);
	if (!partition || (partition->address == runningPartition(the)->address))
		xsUnknownError("no second OTA partition");
	return partition;
}

/* An esp_ota_img_states_t, or -1: not recorded, or not an OTA partition. */
static int partitionState(const esp_partition_t *partition)
{
	esp_ota_img_states_t state;
	if (ESP_OK != esp_ota_get_state_partition(partition, &state))
		return -1;
	return (ESP_OTA_IMG_UNDEFINED == state) ? -1 : (int)state;
}

static const esp_partition_t *otadataPartition(xsMachine *the)
{
	const esp_partition_t *partition =
		esp_partition_find_first(ESP_PARTITION_TYPE_DATA, ESP_PARTITION_SUBTYPE_DATA_OTA, NULL);
	if (!partition)
		xsUnknownError("no otadata partition");
	return partition;
}

/* CRC-32 of the sequence number as ESP-IDF has it: the register begins at 0, the result is inverted. */
static uint32_t crcOf(uint32_t seq)
{
	int bit;

	for (bit = 0; bit < 32; bit++)
		seq = (seq >> 1) ^ ((seq & 1) ? 0xEDB88320 : 0);
	return ~seq;
}

static void readEntries(xsMachine *the, otaEntry entries[2])
{
	const esp_partition_t *otadata = otadataPartition(the);
	esp_err_t error = ESP_OK;
	int i;

	for (i = 0; (i < 2) && (ESP_OK == error); i++)
		error = esp_partition_read(otadata, i * kSector, &entries[i], sizeof(otaEntry));
	if (ESP_OK != error)
		otaFail(the, "reading otadata", error);
}

static void eraseEntry(xsMachine *the, int index)
{
	esp_err_t error = esp_partition_erase_range(otadataPartition(the), index * kSector, kSector);
	if (ESP_OK != error)
		otaFail(the, "erasing otadata", error);
}

/* In one go, as ESP-IDF does it, and read back. */
static void writeEntry(xsMachine *the, int index, const otaEntry *entry)
{
	otaEntry entries[2];
	esp_err_t error;

	eraseEntry(the, index);
	error = esp_partition_write(otadataPartition(the), index * kSector, entry, sizeof(otaEntry));
	if (ESP_OK != error)
		otaFail(the, "writing otadata", error);
	readEntries(the, entries);
	if (memcmp(&entries[index], entry, sizeof(otaEntry)))
		xsUnknownError("otadata does not hold what was written");
}

/* bootloader_common_ota_select_valid */
static int isValid(const otaEntry *entry)
{
	return (kNone != entry->seq) && (ESP_OTA_IMG_INVALID != entry->state) && (ESP_OTA_IMG_ABORTED != entry->state) &&
		(crcOf(entry->seq) == entry->crc);
}

/* bootloader_common_get_active_otadata: the entry that says what boots, -1 for none. */
static int activeEntry(const otaEntry entries[2])
{
	if (!isValid(&entries[0]))
		return isValid(&entries[1]) ? 1 : -1;
	return isValid(&entries[1]) && (entries[1].seq > entries[0].seq);
}

static uint32_t slotOf(const otaEntry *entry)
{
	return (entry->seq - 1) % esp_ota_get_app_partition_count();
}

/* Of the running image; -1 when it is not in an OTA slot. */
static int runningSlot(xsMachine *the)
{
	int slot = (int)runningPartition(the)->subtype - ESP_PARTITION_SUBTYPE_APP_OTA_MIN;
	return ((slot >= 0) && (slot < esp_ota_get_app_partition_count())) ? slot : -1;
}

/* Confirming and giving up act on the entry that otadata holds for active, whatever runs after a fallback. */
static void requireBooted(xsMachine *the)
{
	const esp_partition_t *boot = esp_ota_get_boot_partition();
	if (!boot || (boot->address != runningPartition(the)->address))
		xsUnknownError("the boot loader has started another image than otadata names");
}

static void watchdogExpired(void *unused)
{
	(void)unused;
	esp_restart();
}

static void watchdogStop(void)
{
	if (!gWatchdog)
		return;
	esp_timer_stop(gWatchdog);
	esp_timer_delete(gWatchdog);
	gWatchdog = NULL;
}

static void watchdogStart(xsMachine *the, uint64_t milliseconds)
{
	static const esp_timer_create_args_t args = {
		.callback = watchdogExpired,
		.name = "ota self-test"
	};
	esp_err_t error;

	watchdogStop();
	error = esp_timer_create(&args, &gWatchdog);
	if (ESP_OK == error)
		error = esp_timer_start_once(gWatchdog, milliseconds * 1000);
	if (ESP_OK != error)
		otaFail(the, "watchdog", error);
}

static void setString(xsMachine *the, const char *property, const char *text, size_t size)
{
	char copy[33];
	size_t length = 0;

	while ((length < size) && text[length])
		length++;
	memcpy(copy, text, length);
	copy[length] = 0;
	xsmcSetString(xsVar(0), copy);
	xsmcSet(xsResult, xsID(property), xsVar(0));
}

static void setInteger(xsMachine *the, const char *property, int value)
{
	xsmcSetInteger(xsVar(0), value);
	xsmcSet(xsResult, xsID(property), xsVar(0));
}

void xs_ota_describe(xsMachine *the)
{
	static const char digits[] = "0123456789abcdef";
	const esp_app_desc_t *app = esp_app_get_description();
	esp_image_header_t header;
	char build[8];
	esp_err_t error;
	int i;

	error = esp_partition_read(runningPartition(the), 0, &header, sizeof(header));
	if (ESP_OK != error)
		otaFail(the, "reading the running image", error);
	for (i = 0; i < 4; i++) {
		build[2 * i] = digits[app->app_elf_sha256[i] >> 4];
		build[2 * i + 1] = digits[app->app_elf_sha256[i] & 15];
	}
	xsmcVars(1);
	xsmcSetNewObject(xsResult);
	setInteger(the, "chipId", header.chip_id);
	setString(the, "projectName", app->project_name, sizeof(app->project_name));
	setString(the, "version", app->version, sizeof(app->version));
	xsmcSetNumber(xsVar(0), app->secure_version);
	xsmcSet(xsResult, xsID("secureVersion"), xsVar(0));
	setString(the, "buildId", build, sizeof(build));
}

/* Of the chip, major * 100 + minor, as in an image's header. */
void xs_ota_chipRevision(xsMachine *the)
{
	esp_chip_info_t info;

	esp_chip_info(&info);
	xsmcSetInteger(xsResult, info.revision);
}

/* Whether the application was built for rollback. The boot loader may have been built otherwise: see the proof below. */
void xs_ota_builtForRollback(xsMachine *the)
{
#if CONFIG_BOOTLOADER_APP_ROLLBACK_ENABLE
	xsmcSetBoolean(xsResult, 1);
#else
	xsmcSetBoolean(xsResult, 0);
#endif
}

/*
 * Options of the build that rollback needs and this build has not, a bit each, by the order of their names in boot.ts; the
 * last one: mods are linked in place, and there is a partition for them.
 */
void xs_ota_lacks(xsMachine *the)
{
	int bits = 0;

#if !CONFIG_BOOTLOADER_APP_ROLLBACK_ENABLE
	bits |= 1 << 0;
#endif
#if CONFIG_BOOTLOADER_SKIP_VALIDATE_ALWAYS
	bits |= 1 << 1;
#endif
#if CONFIG_BOOTLOADER_SKIP_VALIDATE_ON_POWER_ON
	bits |= 1 << 2;
#endif
#if CONFIG_BOOTLOADER_SKIP_VALIDATE_IN_DEEP_SLEEP
	bits |= 1 << 3;
#endif
	/* Otherwise a panic halts, or waits for a debugger, with the watchdogs off. */
#if !CONFIG_ESP_SYSTEM_PANIC_PRINT_REBOOT && !CONFIG_ESP_SYSTEM_PANIC_SILENT_REBOOT
	bits |= 1 << 4;
#endif
#if !CONFIG_ESP_INT_WDT
	bits |= 1 << 5;
#endif
#if !CONFIG_ESP_TASK_WDT_EN
	bits |= 1 << 6;
#endif
#if !CONFIG_ESP_TASK_WDT_INIT
	bits |= 1 << 7;
#endif
#if !CONFIG_ESP_TASK_WDT_PANIC
	bits |= 1 << 8;
#endif
#if !CONFIG_BOOTLOADER_WDT_ENABLE
	bits |= 1 << 9;
#endif
#if MODDEF_XS_MODS
	if (esp_partition_find_first((esp_partition_type_t)0x40, (esp_partition_subtype_t)1, NULL))
		bits |= 1 << 10;
#endif
	xsmcSetInteger(xsResult, bits);
}

/*
 * The proof that the boot loader rolls back. The mark is an entry of otadata that is empty, so that nothing boots by it, and
 * pending: at the next start a boot loader with rollback turns every pending entry into an aborted one, empty or not
 * (bootloader_utility.c), and one without leaves it.
 */

/* Tells one boot loader from another: the CRC-32 of what lies before the partition table. */
static uint32_t bootLoader(xsMachine *the)
{
	uint8_t bytes[256];
	uint32_t crc = 0, at;
	size_t i;

	for (at = CONFIG_BOOTLOADER_OFFSET_IN_FLASH; at < CONFIG_PARTITION_TABLE_OFFSET; at += sizeof(bytes)) {
		esp_err_t error = esp_flash_read(NULL, bytes, at, sizeof(bytes));
		if (ESP_OK != error)
			otaFail(the, "reading the boot loader", error);
		for (i = 0; i < sizeof(bytes); i++) {
			int bit;

			crc ^= bytes[i];
			for (bit = 0; bit < 8; bit++)
				crc = (crc >> 1) ^ ((crc & 1) ? 0xEDB88320 : 0);
		}
	}
	return crc;
}

void xs_ota_bootLoader(xsMachine *the)
{
	xsmcSetNumber(xsResult, bootLoader(the));
}

static void setMark(xsMachine *the, otaEntry *entry)
{
	uint32_t loader = bootLoader(the);

	entry->seq = kNone;
	memcpy(entry->label, kMark, sizeof(kMark));
	memcpy(entry->label + sizeof(kMark), &loader, sizeof(loader));
	entry->state = ESP_OTA_IMG_PENDING_VERIFY;
	/* A wrong checksum: whoever looks for the state of a slot passes it by. */
	entry->crc = 0;
}

/* 0: there is no mark for this boot loader; 1: it is pending; 2: the boot loader has seen it. */
void xs_ota_proof(xsMachine *the)
{
	otaEntry entries[2], mark;
	int i;

	setMark(the, &mark);
	readEntries(the, entries);
	xsmcSetInteger(xsResult, 0);
	for (i = 0; i < 2; i++) {
		if ((mark.seq != entries[i].seq) || memcmp(mark.label, entries[i].label, sizeof(mark.label)))
			continue;
		if (ESP_OTA_IMG_PENDING_VERIFY == entries[i].state)
			xsmcSetInteger(xsResult, 1);
		else if (ESP_OTA_IMG_ABORTED == entries[i].state)
			xsmcSetInteger(xsResult, 2);
	}
}

/* Into the entry that is not active: what boots does not change, wherever the power goes. */
void xs_ota_beginProof(xsMachine *the)
{
	otaEntry entries[2], mark;
	int active;

	setMark(the, &mark);
	readEntries(the, entries);
	active = activeEntry(entries);
	writeEntry(the, (active < 0) ? 1 : 1 - active, &mark);
}

void xs_ota_imageState(xsMachine *the)
{
	xsmcSetInteger(xsResult, partitionState(runningPartition(the)));
}

void xs_ota_otherState(xsMachine *the)
{
	xsmcSetInteger(xsResult, partitionState(otherPartition(the)));
}

/* An entry for the running slot in place of the one that is not active. */
static void nameRunning(xsMachine *the, const otaEntry entries[2], int active, int slot)
{
	otaEntry entry;
	uint32_t slots = esp_ota_get_app_partition_count();
	uint64_t seq = slot + 1;

	while ((active >= 0) && (seq < entries[active].seq))
		seq += slots;
	if (seq >= kNone)
		xsUnknownError("otadata has no sequence number left");
	memset(&entry, 0xFF, sizeof(entry));
	entry.seq = (uint32_t)seq;
	entry.state = ESP_OTA_IMG_UNDEFINED;
	entry.crc = crcOf(entry.seq);
	writeEntry(the, (active < 0) ? 0 : 1 - active, &entry);
}

void xs_ota_keepWayBack(xsMachine *the)
{
	otaEntry entries[2];
	int active, slot = runningSlot(the);

	otherPartition(the);
	readEntries(the, entries);
	active = activeEntry(entries);
	if (slot < 0) {
		/* A factory application boots when no entry is good. ESP-IDF erases both for it. */
		esp_err_t error = (active < 0) ? ESP_OK : esp_ota_set_boot_partition(runningPartition(the));
		if (ESP_OK != error)
			otaFail(the, "making the factory application the one to boot", error);
		return;
	}
	if ((active >= 0) && (slotOf(&entries[active]) == (uint32_t)slot)) {
		if (ESP_OTA_IMG_PENDING_VERIFY == entries[active].state)
			xsUnknownError("the running image is not confirmed");
		return;
	}
	nameRunning(the, entries, active, slot);
}

/* ESP-IDF's function first, whose result esp_ota_begin ignores as well; then what it leaves when no entry is active. */
void xs_ota_clearOther(xsMachine *the)
{
	otaEntry entries[2];
	int i, slot = runningSlot(the);

	otherPartition(the);
	esp_ota_invalidate_inactive_ota_data_slot();
	readEntries(the, entries);
	for (i = 0; i < 2; i++)
		if ((kNone != entries[i].seq) && (crcOf(entries[i].seq) == entries[i].crc) &&
				((slot < 0) || (slotOf(&entries[i]) != (uint32_t)slot)))
			eraseEntry(the, i);
}

void xs_ota_setBoot(xsMachine *the)
{
	esp_err_t error = esp_ota_set_boot_partition(otherPartition(the));
	if (ESP_OK != error)
		otaFail(the, "setting the boot partition", error);
}

void xs_ota_markValid(xsMachine *the)
{
	esp_err_t error;

	requireBooted(the);
	error = esp_ota_mark_app_valid_cancel_rollback();
	if (ESP_OK != error)
		otaFail(the, "confirming the image", error);
	watchdogStop();
}

void xs_ota_markInvalid(xsMachine *the)
{
	esp_err_t error;

	requireBooted(the);
	error = esp_ota_mark_app_invalid_rollback();
	if (ESP_OK != error)
		otaFail(the, "giving up the image", error);
	watchdogStop();
}

/*
 * An entry that a power cut has left unstable decides about booting no longer: one that gives up another slot is written
 * anew, and behind one for the running slot comes a second one, with the slot's next sequence number. What boots stays as
 * it is at every moment. With more slots, or a factory application, a second cut could start a third image.
 */
void xs_ota_secure(xsMachine *the)
{
	otaEntry entries[2], entry;
	uint32_t slots = esp_ota_get_app_partition_count();
	int i, active, given = 0, slot = runningSlot(the);

	otherPartition(the);
	readEntries(the, entries);
	for (i = 0; i < 2; i++) {
		entry = entries[i];
		if ((kNone == entry.seq) || (crcOf(entry.seq) != entry.crc) ||
				((slot >= 0) && (slotOf(&entry) == (uint32_t)slot)) ||
				((ESP_OTA_IMG_INVALID != entry.state) && (ESP_OTA_IMG_ABORTED != entry.state)))
			continue;
		writeEntry(the, i, &entry);
		given = 1;
	}
	active = activeEntry(entries);
	if (given || (slot < 0))
		return;
	/* What read well at the start may read otherwise now. */
	if ((active < 0) || (slotOf(&entries[active]) != (uint32_t)slot)) {
		nameRunning(the, entries, active, slot);
		return;
	}
	entry = entries[active];
	if ((slots != 2) || (ESP_OTA_IMG_NEW == entry.state) || (ESP_OTA_IMG_PENDING_VERIFY == entry.state) ||
			(entry.seq >= kNone - slots) ||
			esp_partition_find_first(ESP_PARTITION_TYPE_APP, ESP_PARTITION_SUBTYPE_APP_FACTORY, NULL))
		return;
	entry.seq += slots;
	entry.crc = crcOf(entry.seq);
	if (ESP_OTA_IMG_VALID != entry.state)
		entry.state = ESP_OTA_IMG_UNDEFINED;
	writeEntry(the, 1 - active, &entry);
}

void xs_ota_restart(xsMachine *the)
{
	(void)the;
	esp_restart();
}

void xs_ota_resetReason(xsMachine *the)
{
	xsmcSetInteger(xsResult, esp_reset_reason());
}

/* Argument: milliseconds from now; absent: what the build says. Nothing happens to an image not on trial. */
void xs_ota_guard(xsMachine *the)
{
	double milliseconds = MODDEF_OTA_WATCHDOG * 1000.0;

	if (ESP_OTA_IMG_PENDING_VERIFY != partitionState(runningPartition(the)))
		return;
	if (xsmcArgc > 0)
		milliseconds = xsmcToNumber(xsArg(0));
	if (!((milliseconds >= 1) && (milliseconds <= 1e12)))
		xsRangeError("watchdog of %g ms", milliseconds);
	watchdogStart(the, (uint64_t)milliseconds);
}
