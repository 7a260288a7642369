/*
 * The boot side of an ESP32 for the agent: ESP-IDF's own esp_ota_* functions, as boot.ts calls them, and a
 * watchdog for the time until the running image is confirmed. ESP-IDF 5.5 or later.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "xsmc.h"
#include "xsHost.h"

#include "app_update/include/esp_ota_ops.h"
#include "esp_app_desc.h"
#include "esp_app_format.h"
#include "esp_system.h"
#include "esp_timer.h"
#include "sdkconfig.h"

/* Seconds from start until an image that nobody has decided about is given up; "defines": {"ota": {"watchdog": n}}. */
#ifndef MODDEF_OTA_WATCHDOG
	#define MODDEF_OTA_WATCHDOG 300
#endif

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

/*
 * The application was built for rollback, and the boot loader does its part: it turns NEW into PENDING_VERIFY
 * before it starts an image, so that no image ever sees itself as NEW.
 */
void xs_ota_rollbackEnabled(xsMachine *the)
{
#if CONFIG_BOOTLOADER_APP_ROLLBACK_ENABLE
	xsmcSetBoolean(xsResult, ESP_OTA_IMG_NEW != partitionState(runningPartition(the)));
#else
	(void)the;
	xsmcSetBoolean(xsResult, 0);
#endif
}

void xs_ota_imageState(xsMachine *the)
{
	xsmcSetInteger(xsResult, partitionState(runningPartition(the)));
}

void xs_ota_otherState(xsMachine *the)
{
	xsmcSetInteger(xsResult, partitionState(otherPartition(the)));
}

void xs_ota_clearOther(xsMachine *the)
{
	esp_ota_img_states_t state;
	esp_err_t error;

	if (ESP_OK != esp_ota_get_state_partition(otherPartition(the), &state))
		return;
	error = esp_ota_invalidate_inactive_ota_data_slot();
	if (ESP_OK != error)
		otaFail(the, "clearing otadata", error);
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
