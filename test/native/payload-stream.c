/*
 * The native decoder under test. As a program:  payload-stream base… < cases > outcomes
 * A case, in words of 32 bits: number of its base, bytes of the payload, header (4 words), count of segments, of steps, of
 * segments of data, and these: rows of 3, rows of 2, and offset, end and kind of each. Then the payload. An outcome: error
 * code, bytes of whole sectors that were made, FNV-1a of them. Built with -fsanitize=fuzzer and FUZZER defined, the cases are
 * libFuzzer's.
 */
#include <stdio.h>
#include <stdlib.h>
#include "../../hosts/esp32/payload-core.h"

#define SECTOR 4096
#define MOST (1u << 21)
/* Words of a case before its tables. */
#define LEAD 9

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
static int decode(const uint32_t *lead, const uint32_t *tables, const uint8_t *payload, const uint8_t *base,
	uint32_t baseLength, uint8_t *image, uint32_t *made)
{
	payload_t *p = malloc(sizeof(*p));
	/* Reads of output are in blocks, which may go beyond the image. */
	sources_t sources = { { payload, base, image }, { lead[1], baseLength, MOST } };
	const uint32_t *data = tables + 3 * lead[6] + 2 * lead[7];
	uint8_t *sector = malloc(SECTOR);
	payload_header_t header;
	uint32_t at = 0, segment = 0;
	int error;

	*made = 0;
	memcpy(&header, lead + 2, sizeof(header));
	error = payload_open(p, &header, (const payload_segment_t *)tables, lead[6],
		(const payload_step_t *)(tables + 3 * lead[6]), lead[7], readSource, &sources);
	while (!error && at < header.imageLength && at < MOST) {
		uint32_t end = header.imageLength - at < SECTOR ? header.imageLength - at : SECTOR;
		if (!(at & ((1u << header.log2) - 1)) && segment < lead[8]) {
			error = payload_begin(p, at, data[3 * segment], data[3 * segment + 1], data[3 * segment + 2], readSource, &sources);
			segment++;
		}
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

#ifdef FUZZER
static const uint8_t *gBases[16];
static uint32_t gLengths[16], gCount;

/* Arguments behind -ignore_remaining_args=1 are the bases. */
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	int n = 1;
	gImage = calloc(1, MOST);
	while (n < *argc && strcmp((*argv)[n], "-ignore_remaining_args=1"))
		n++;
	for (n++; n < *argc && gCount < 16; n++, gCount++)
		gBases[gCount] = load((*argv)[n], &gLengths[gCount]);
	if (!gCount)
		exit(64);
	return 0;
}

/* What src/payload/header.ts has refused before: segments outside of the image, steps and shifts out of their range. */
static void keepTables(const uint32_t *lead, uint32_t *tables)
{
	uint32_t n, room = lead[2] + 1;
	int32_t *steps = (int32_t *)(tables + 3 * lead[6]);
	for (n = 0; n < 3 * lead[6]; n += 3) {
		tables[n] %= room;
		tables[n + 2] %= room - tables[n];
	}
	for (n = 0; n < 2 * lead[7]; n += 2) {
		steps[n] &= PL_MAX_LENGTH - 1;
		steps[n + 1] %= (int32_t)PL_MAX_LENGTH;
	}
}

/* A case as the program reads it, with whatever numbers the fuzzer comes upon; the payload is what is left. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint32_t lead[LEAD], words, made;
	uint32_t *tables;
	uint8_t *payload;

	if (size < sizeof(lead))
		return 0;
	memcpy(lead, data, sizeof(lead));
	data += sizeof(lead);
	size -= sizeof(lead);
	lead[0] %= gCount;
	/* Longer images take longer and show nothing more; longer tables than any header has are to be refused. */
	lead[2] %= 3 * SECTOR + 1;
	lead[6] %= 2 * PL_SEGMENTS;
	lead[7] %= 2 * PL_STEPS;
	lead[8] %= 64;
	words = 3 * lead[6] + 2 * lead[7] + 3 * lead[8];
	if (size < 4 * words)
		return 0;
	lead[1] = (uint32_t)size - 4 * words;
	tables = malloc(4 * words + 4);
	memcpy(tables, data, 4 * words);
	keepTables(lead, tables);
	payload = malloc(lead[1] + !lead[1]);
	memcpy(payload, data + 4 * words, lead[1]);
	decode(lead, tables, payload, gBases[lead[0]], gLengths[lead[0]], gImage, &made);
	free(payload);
	free(tables);
	return 0;
}
#else
int main(int argc, char *argv[])
{
	uint8_t *bases[16], row[12];
	uint32_t lengths[16], lead[LEAD], n;

	if (argc > 16)
		return 64;
	for (n = 1; n < (uint32_t)argc; n++)
		bases[n - 1] = load(argv[n], &lengths[n - 1]);
	gImage = calloc(1, MOST);
	while (fread(lead, 4, LEAD, stdin) == LEAD) {
		uint32_t base = lead[0], words = 3 * lead[6] + 2 * lead[7] + 3 * lead[8], made, sum = 2166136261u;
		uint32_t *tables = malloc(4 * words + 4);
		uint8_t *payload = malloc(lead[1] + !lead[1]);
		int error;
		if (base >= (uint32_t)argc - 1 || fread(tables, 4, words, stdin) != words ||
			fread(payload, 1, lead[1], stdin) != lead[1])
			return 65;
		error = decode(lead, tables, payload, bases[base], lengths[base], gImage, &made);
		for (n = 0; n < made; n++)
			sum = (sum ^ gImage[n]) * 16777619u;
		pl_put(row, (uint32_t)error);
		pl_put(row + 4, made);
		pl_put(row + 8, sum);
		fwrite(row, 1, 12, stdout);
		fflush(stdout);
		free(payload);
		free(tables);
	}
	return 0;
}
#endif
