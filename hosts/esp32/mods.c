/*
 * What a mod needs of the XS machine and of the chip, as mods-native.ts calls it. Linking is done in JavaScript (src/mods);
 * here the engine only tells the ids of names and how long its instructions are, and takes an archive for loaded once its
 * own linker finds nothing to be written. Moddable SDK 8.2; on ESP32 ESP-IDF 5.5 or later.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "xsAll.h"
#include "xsmc.h"

#ifdef ESP_PLATFORM
	#include "esp_attr.h"
	#include "esp_err.h"
	#include "esp_partition.h"
	#include "esp_system.h"
	#include "esp_timer.h"
#endif

#ifdef mx32bitID
	#error "ids of mods have 16 bits"
#endif

/* Longest name with its NUL: what the engine's linker has room for. */
#define kName 1023
/* What the engine's linker looks at together. */
#define kPart 4096

typedef struct {
	const uint8_t *bytes;
	size_t length;
} modArchive;

static txPreparation *preparationOf(xsMachine *the)
{
	txPreparation *preparation = the->preparation;
	if (!preparation)
		xsUnknownError("the machine was not prepared by the linker");
	return preparation;
}

/* Major, minor and patch version of XS, a byte each. */
void xs_ota_modVersion(xsMachine *the)
{
	xsmcSetInteger(xsResult, (XS_MAJOR_VERSION << 16) | (XS_MINOR_VERSION << 8) | XS_PATCH_VERSION);
}

void xs_ota_modProfile(xsMachine *the)
{
	xsmcSetInteger(xsResult, XS_CODE_PROFILE);
}

void xs_ota_modCodeSizes(xsMachine *the)
{
	xsmcSetArrayBuffer(xsResult, (void *)gxCodeSizes, sizeof(gxCodeSizes[0]) * XS_CODE_COUNT);
}

void xs_ota_modHost(xsMachine *the)
{
	txPreparation *preparation = preparationOf(the);
	xsmcSetArrayBuffer(xsResult, preparation->checksum, sizeof(preparation->checksum));
}

/* A table of keys that does not grow has the room it was made with. */
void xs_ota_modKeyRoom(xsMachine *the)
{
	uint32_t end = preparationOf(the)->creation.incrementalKeyCount ? 0xFFFF : (uint32_t)the->keyCount;
	xsmcSetInteger(xsResult, (end > (uint32_t)the->keyIndex) ? (int)(end - the->keyIndex) : 0);
}

/* The argument's bytes, a text with its NUL. A copy: they may move. */
static void nameOf(xsMachine *the, char name[kName])
{
	void *data;
	xsUnsignedValue size;

	xsmcGetBufferReadable(xsArg(0), &data, &size);
	if ((size < 2) || (size > kName) || (strnlen(data, size) != size - 1))
		xsRangeError("a name of %d bytes", (int)size);
	memcpy(name, data, size);
}

void xs_ota_modHas(xsMachine *the)
{
	char name[kName];

	nameOf(the, name);
	xsmcSetBoolean(xsResult, fxFindName(the, name) != XS_NO_ID);
}

void xs_ota_modId(xsMachine *the)
{
	char name[kName];

	nameOf(the, name);
	xsmcSetInteger(xsResult, fxID(the, name));
}

static txBoolean readArchive(void *source, size_t offset, void *buffer, size_t size)
{
	const modArchive *archive = source;

	if ((offset > archive->length) || (size > archive->length - offset))
		return 0;
	memcpy(buffer, archive->bytes + offset, size);
	return 1;
}

/* Nothing is ever written: what would have to be is not linked. */
static txBoolean refuseWrite(void *source, size_t offset, void *buffer, size_t size)
{
	(void)source;
	(void)offset;
	(void)buffer;
	(void)size;
	return 0;
}

/* The argument becomes an archive for module descriptors. Its memory is the machine's from now on. */
static void setArchive(xsMachine *the, const uint8_t *bytes, size_t length)
{
	modArchive archive = { bytes, length };

	if (!fxMapArchive(the, preparationOf(the), &archive, kPart, readArchive, refuseWrite))
		xsUnknownError("the engine does not take the archive for linked");
	xsResult = xsNewHostObject(NULL);
	xsmcSetHostData(xsResult, (void *)bytes);
}

static size_t lengthOf(xsMachine *the, const xsSlot *argument)
{
	xsSlot slot = *argument;
	double value = xsmcToNumber(slot);

	if (!((value >= 0) && (value <= 0x7FFFFFFF) && (value == (double)(size_t)value)))
		xsRangeError("a length or offset of %g", value);
	return (size_t)value;
}

#ifdef ESP_PLATFORM

/* label, offset, length */
void xs_ota_modOpen(xsMachine *the)
{
	char label[17];
	const esp_partition_t *partition;
	esp_partition_mmap_handle_t handle;
	const void *address;
	size_t offset = lengthOf(the, &xsArg(1)), length = lengthOf(the, &xsArg(2));
	esp_err_t error;

	xsmcToStringBuffer(xsArg(0), label, sizeof(label));
	partition = esp_partition_find_first(ESP_PARTITION_TYPE_DATA, ESP_PARTITION_SUBTYPE_ANY, label);
	if (!partition)
		xsUnknownError("no data partition \"%s\"", label);
	if ((offset > partition->size) || (length > partition->size - offset))
		xsRangeError("bytes beyond the end of \"%s\"", label);
	/* Stays mapped: byte code runs where it lies. */
	error = esp_partition_mmap(partition, 0, offset + length, ESP_PARTITION_MMAP_DATA, &address, &handle);
	if (ESP_OK != error)
		xsUnknownError("mapping \"%s\" failed: 0x%x", label, (int)error);
	setArchive(the, (const uint8_t *)address + offset, length);
}

static esp_timer_handle_t gGuard;

static void guardExpired(void *unused)
{
	(void)unused;
	esp_restart();
}

/* Milliseconds until the chip restarts; 0: it does not. */
void xs_ota_modGuard(xsMachine *the)
{
	static const esp_timer_create_args_t args = {
		.callback = guardExpired,
		.name = "mod on trial"
	};
	size_t milliseconds = lengthOf(the, &xsArg(0));
	esp_err_t error;

	if (gGuard) {
		esp_timer_stop(gGuard);
		esp_timer_delete(gGuard);
		gGuard = NULL;
	}
	if (!milliseconds)
		return;
	error = esp_timer_create(&args, &gGuard);
	if (ESP_OK == error)
		error = esp_timer_start_once(gGuard, (uint64_t)milliseconds * 1000);
	if (ESP_OK != error)
		xsUnknownError("guard of the mod failed: 0x%x", (int)error);
}

/* What is in this memory after the power was off is chance: the second word tells. */
static RTC_NOINIT_ATTR uint32_t gStarts[2];
#define kStarts 0x58534F4D

/* Without an argument: the number; otherwise it becomes that. */
void xs_ota_modStarts(xsMachine *the)
{
	if (xsmcArgc > 0) {
		gStarts[0] = (uint32_t)lengthOf(the, &xsArg(0));
		gStarts[1] = gStarts[0] ^ kStarts;
	}
	xsmcSetInteger(xsResult, (gStarts[1] == (gStarts[0] ^ kStarts)) ? (int)(gStarts[0] & 0xFF) : 0);
}

#else

/* bytes, offset, length: a copy, as nothing is mapped here */
void xs_ota_modOpen(xsMachine *the)
{
	size_t offset = lengthOf(the, &xsArg(1)), length = lengthOf(the, &xsArg(2));
	void *data;
	uint8_t *copy;
	xsUnsignedValue size;

	xsmcGetBufferReadable(xsArg(0), &data, &size);
	if ((offset > size) || (length > size - offset))
		xsRangeError("bytes beyond the end of the mod");
	copy = malloc(length ? length : 1);
	if (!copy)
		xsUnknownError("no memory for the mod");
	memcpy(copy, (uint8_t *)data + offset, length);
	setArchive(the, copy, length);
}

#endif

/* archive: the paths of its modules */
void xs_ota_modPaths(xsMachine *the)
{
	void *archive = xsmcGetHostData(xsArg(0));
	int count = fxGetArchiveCodeCount(the, archive), i;

	xsmcVars(1);
	xsmcSetNewArray(xsResult, count);
	for (i = 0; i < count; i++) {
		xsmcSetString(xsVar(0), fxGetArchiveCodeName(the, archive, i));
		xsmcSetIndex(xsResult, i, xsVar(0));
	}
}
