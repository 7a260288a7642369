/*
 * The native decoder of payloads, as payload-native.ts calls it: payload-core.h over the running and the next slot. Its state
 * is a buffer of the application's, which is given with every call.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "xsmc.h"
#include "xsHost.h"

#include "app_update/include/esp_ota_ops.h"
#include "sdkconfig.h"

#include "payload-core.h"

#define SECTOR 4096

typedef struct {
	/* Where the payload lies in the slot, and how long it is. */
	uint32_t start, length;
	payload_t payload;
} state_t;

/* The payload's first sector stands behind its others. */
static int readPayload(const state_t *state, const esp_partition_t *slot, uint32_t offset, uint8_t *into, uint32_t length)
{
	uint32_t sectors = (state->length + SECTOR - 1) / SECTOR;

	if (offset > state->length || length > state->length - offset)
		return -1;
	while (length) {
		uint32_t sector = offset / SECTOR, within = offset % SECTOR;
		/* From the second one on they are in their order. */
		uint32_t part = sector || length < SECTOR - within ? length : SECTOR - within;
		uint32_t place = sector ? sector - 1 : sectors - 1;
		if (ESP_OK != esp_partition_read(slot, state->start + place * SECTOR + within, into, part))
			return -1;
		offset += part;
		into += part;
		length -= part;
	}
	return 0;
}

static int readFlash(void *context, int what, uint32_t offset, uint8_t *into, uint32_t length)
{
	const esp_partition_t *slot = esp_ota_get_next_update_partition(NULL);

	if (!slot)
		return -1;
	if (PAYLOAD_FILE == what)
		return readPayload(context, slot, offset, into, length);
	if (PAYLOAD_BASE == what)
		slot = esp_ota_get_running_partition();
	if (!slot || ESP_OK != esp_partition_read(slot, offset, into, length))
		return -1;
	return 0;
}

static state_t *stateOf(xsMachine *the)
{
	void *data;
	xsUnsignedValue size;

	xsmcGetBufferWritable(xsArg(0), &data, &size);
	if (size < sizeof(state_t))
		xsRangeError("state of %d bytes", (int)size);
	return data;
}

/* How many bytes the state takes. */
void xs_ota_payloadSize(xsMachine *the)
{
	xsmcSetInteger(xsResult, sizeof(state_t));
}

/* state, numbers, segments, steps, start */
void xs_ota_payloadOpen(xsMachine *the)
{
	state_t *state;
	payload_header_t header;
	void *numbers, *segments, *steps;
	xsUnsignedValue size, segmentSize, stepSize;
	uint32_t start = (uint32_t)xsmcToInteger(xsArg(4));

	xsmcGetBufferReadable(xsArg(1), &numbers, &size);
	xsmcGetBufferReadable(xsArg(2), &segments, &segmentSize);
	xsmcGetBufferReadable(xsArg(3), &steps, &stepSize);
	if (size < sizeof(header) + sizeof(uint32_t))
		xsRangeError("header of %d bytes", (int)size);
	state = stateOf(the);
	memcpy(&header, numbers, sizeof(header));
	memcpy(&state->length, (uint8_t *)numbers + sizeof(header), sizeof(uint32_t));
	state->start = start;
	xsmcSetInteger(xsResult, payload_open(&state->payload, &header, segments, segmentSize / sizeof(payload_segment_t),
		steps, stepSize / sizeof(payload_step_t), readFlash, state));
}

/* state, position, at, end, raw */
void xs_ota_payloadBegin(xsMachine *the)
{
	uint32_t position = (uint32_t)xsmcToInteger(xsArg(1));
	uint32_t at = (uint32_t)xsmcToInteger(xsArg(2));
	uint32_t end = (uint32_t)xsmcToInteger(xsArg(3));
	uint32_t raw = (uint32_t)xsmcToInteger(xsArg(4));
	state_t *state = stateOf(the);

	xsmcSetInteger(xsResult, payload_begin(&state->payload, position, at, end, raw, readFlash, state));
}

/* state, out */
void xs_ota_payloadDecode(xsMachine *the)
{
	state_t *state;
	void *out;
	xsUnsignedValue size;

	xsmcGetBufferWritable(xsArg(1), &out, &size);
	state = stateOf(the);
	xsmcSetInteger(xsResult, payload_decode(&state->payload, out, size, readFlash, state));
}
