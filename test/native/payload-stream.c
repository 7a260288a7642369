/*
 * The native decoder under test. As a program:  payload-stream base… < cases > outcomes
 * A case: number of its base and length, 32 bits little-endian each, then the payload. An outcome: error code, bytes of
 * whole sectors that were made, FNV-1a of them, 32 bits each. Built with -fsanitize=fuzzer the cases are the fuzzer's.
 */
#include <stdio.h>
#include <stdlib.h>
#include "../../hosts/esp32/payload-core.h"

#define SECTOR 4096
#define MOST (1u << 20)

typedef struct { const uint8_t *bytes[3]; uint32_t lengths[3]; } sources_t;

static int readSource(void *context, int what, uint32_t offset, uint8_t *into, uint32_t length)
{
	const sources_t *sources = context;
	if (offset > sources->lengths[what] || length > sources->lengths[what] - offset)
		return -1;
	/* Each source in memory of its own: AddressSanitizer sees what is read beyond it. */
	memcpy(into, sources->bytes[what] + offset, length);
	return 0;
}

/* Returns the error; `made` bytes of whole sectors are in `image`. */
static int decode(const uint8_t *payload, uint32_t length, const uint8_t *base, uint32_t baseLength, uint8_t *image,
	uint32_t *made)
{
	payload_t *p = malloc(sizeof(*p));
	sources_t sources = { { payload, base, image }, { length, baseLength, 0 } };
	uint8_t *sector = malloc(SECTOR);
	uint32_t at = 0, segment = 0;
	int error;

	*made = 0;
	error = payload_open(p, payload, length < 4096 ? length : 4096, length, readSource, &sources);
	if (!error && p->imageLength > MOST)
		error = PAYLOAD_BAD;
	/* Reads of output are in blocks, which may go beyond the image. */
	sources.lengths[PAYLOAD_OUTPUT] = MOST;
	while (!error && at < p->imageLength) {
		uint32_t end = p->imageLength - at < SECTOR ? p->imageLength - at : SECTOR;
		if (!(at & ((1u << p->log2) - 1)))
			error = payload_begin(p, segment++, readSource, &sources);
		if (!error)
			error = payload_decode(p, sector, end, readSource, &sources);
		if (error)
			break;
		memcpy(image + at, sector, end);
		*made = at += end;
	}
	free(sector);
	free(p);
	return error;
}

static uint8_t *gImage;

#ifdef FUZZER
/* A base that has segments of code and data for both predictors. */
static uint8_t gBase[3072];

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint32_t made, n;
	if (!gImage) {
		gImage = calloc(1, MOST);
		for (n = 0; n < sizeof(gBase); n++)
			gBase[n] = (uint8_t)((n * 2654435761u) >> 24);
		memset(gBase, 0, 24);
		gBase[0] = 0xe9;
		gBase[1] = 2;
		pl_put(gBase + 24, 0x3c000020);
		pl_put(gBase + 28, 1000);
		pl_put(gBase + 1032, 0x42000400);
		pl_put(gBase + 1036, 2000);
	}
	decode(data, (uint32_t)size, gBase, sizeof(gBase), gImage, &made);
	return 0;
}
#else
static uint8_t *load(const char *path, uint32_t *length)
{
	FILE *file = fopen(path, "rb");
	uint8_t *bytes;
	if (!file || fseek(file, 0, SEEK_END))
		exit(66);
	*length = (uint32_t)ftell(file);
	bytes = malloc(*length + 1);
	rewind(file);
	if (fread(bytes, 1, *length, file) != *length)
		exit(66);
	fclose(file);
	return bytes;
}

int main(int argc, char *argv[])
{
	uint8_t *bases[16], row[12];
	uint32_t lengths[16], n;

	if (argc > 16)
		return 64;
	for (n = 1; n < (uint32_t)argc; n++)
		bases[n - 1] = load(argv[n], &lengths[n - 1]);
	gImage = calloc(1, MOST);
	while (fread(row, 1, 8, stdin) == 8) {
		uint32_t base = pl_word(row), length = pl_word(row + 4), made, sum = 2166136261u;
		uint8_t *payload = malloc(length + !length);
		int error;
		if (base >= (uint32_t)argc - 1 || fread(payload, 1, length, stdin) != length)
			return 65;
		error = decode(payload, length, bases[base], lengths[base], gImage, &made);
		for (n = 0; n < made; n++)
			sum = (sum ^ gImage[n]) * 16777619u;
		pl_put(row, (uint32_t)error);
		pl_put(row + 4, made);
		pl_put(row + 8, sum);
		fwrite(row, 1, 12, stdout);
		fflush(stdout);
		free(payload);
	}
	return 0;
}
#endif
