/*
 * The decoder of src/payload in C: the same bytes, the same refusals. Pure: no allocation, no state but the caller's, which
 * holds no pointer and may be moved between calls. Bits in docs/SPEC.md, "Payloads".
 */
#ifndef XS_OTA_PAYLOAD_CORE
#define XS_OTA_PAYLOAD_CORE

#include <stdint.h>
#include <string.h>

enum { PAYLOAD_OK = 0, PAYLOAD_BAD = -1, PAYLOAD_UNREADABLE = -2 };
enum { PAYLOAD_FILE, PAYLOAD_BASE, PAYLOAD_OUTPUT };

/* Fills `into` with bytes of one of the three. Returns 0, or anything else when it can not. */
typedef int (*payload_read_t)(void *context, int what, uint32_t offset, uint8_t *into, uint32_t length);

#define PL_HEADER 128
#define PL_START 4096
#define PL_MAX_LENGTH 0x8000000u
#define PL_STEPS 256
#define PL_SEGMENTS 16
#define PL_BLOCK 1024
#define PL_MARGIN 64
#define PL_INPUT 256
#define PL_CACHE 512
#define PL_NONE 0xffffffffu

/* Places of the probabilities: src/payload/model.ts. */
enum {
	PL_NUMBER = 160,
	PL_IS_COPY = 0, PL_IS_OTHER = 4, PL_IS_NEW = 8, PL_IS_MINUS = 9, PL_IS_REPEATED = 10,
	PL_DIFFERENCE = 11, PL_LITERAL = PL_DIFFERENCE + 256,
	PL_OLD_LENGTH = PL_LITERAL + 256, PL_NEW_LENGTH = PL_OLD_LENGTH + PL_NUMBER,
	PL_SHORT = PL_NEW_LENGTH + PL_NUMBER, PL_LONG = PL_SHORT + PL_NUMBER,
	PL_SHIFT = PL_LONG + PL_NUMBER, PL_ODDS = PL_SHIFT + PL_NUMBER
};

typedef struct { uint32_t offset; uint32_t address; uint32_t length; } payload_segment_t;
typedef struct { int32_t from; int32_t shift; } payload_step_t;

typedef struct {
	uint32_t imageLength, baseLength;
	/* Offset in the payload of the lengths of the segments, and of the first one's data. */
	uint32_t lengths, data;
	uint8_t predictor, log2, isDelta, raw;
	uint16_t steps;
	uint8_t newCount, oldCount;
	payload_segment_t new[PL_SEGMENTS], old[PL_SEGMENTS];
	payload_step_t map[PL_STEPS];
	uint16_t odds[PL_ODDS];
	uint8_t input[PL_INPUT], cache[PL_CACHE];
	uint8_t plain[PL_BLOCK + 2 * PL_MARGIN], bytes[PL_BLOCK + 2 * PL_MARGIN];
	/* What `bytes` is of: start of the block, offset of its first byte, shift. */
	uint32_t blockStart, blockFrom;
	int32_t blockShift;
	uint32_t cachedAt;
	/* Input: next and last in `input`; where the rest is, and ends. */
	uint32_t next, filled, at, end;
	uint32_t range, code;
	uint32_t position, limit, left, distance;
	int32_t shift, run;
	uint8_t last;
	/* Set at the first failure, and for good. */
	int8_t error;
} payload_t;

/* Of one call alone. */
typedef struct { payload_t *p; payload_read_t read; void *context; } payload_call_t;

static uint32_t pl_word(const uint8_t *at)
{
	return at[0] | ((uint32_t)at[1] << 8) | ((uint32_t)at[2] << 16) | ((uint32_t)at[3] << 24);
}

static void pl_put(uint8_t *at, uint32_t word)
{
	int n;
	for (n = 0; n < 4; n++, word >>= 8)
		at[n] = (uint8_t)word;
}

static int pl_fail(payload_t *p, int error)
{
	if (!p->error)
		p->error = (int8_t)error;
	return p->error;
}

static int pl_read(const payload_call_t *c, int what, uint32_t offset, uint8_t *into, uint32_t length)
{
	if (c->read(c->context, what, offset, into, length))
		return pl_fail(c->p, PAYLOAD_UNREADABLE);
	return 0;
}

/* A number of the tables; PL_NONE and a failure for what is none. */
static int pl_varint(const uint8_t *start, uint32_t *at, uint32_t end, uint64_t *value)
{
	int shift;
	*value = 0;
	for (shift = 0; *at < end && shift < 35; shift += 7) {
		uint8_t byte = start[(*at)++];
		*value += (uint64_t)(byte & 127) << shift;
		if (byte < 128 && *value <= 0xffffffffu)
			return 0;
	}
	return PAYLOAD_BAD;
}

static int pl_segments(payload_call_t *c)
{
	payload_t *p = c->p;
	uint8_t head[24];
	uint32_t at = sizeof(head), n;

	if (p->baseLength < sizeof(head))
		return pl_fail(p, PAYLOAD_BAD);
	if (pl_read(c, PAYLOAD_BASE, 0, head, sizeof(head)))
		return p->error;
	if (head[0] != 0xe9 || head[1] > PL_SEGMENTS)
		return pl_fail(p, PAYLOAD_BAD);
	p->oldCount = head[1];
	for (n = 0; n < p->oldCount; n++) {
		payload_segment_t *segment = &p->old[n];
		uint8_t row[8];
		if (at + 8 > p->baseLength)
			return pl_fail(p, PAYLOAD_BAD);
		if (pl_read(c, PAYLOAD_BASE, at, row, sizeof(row)))
			return p->error;
		at += 8;
		segment->offset = at;
		segment->address = pl_word(row);
		segment->length = pl_word(row + 4);
		if (segment->length > p->baseLength - at)
			return pl_fail(p, PAYLOAD_BAD);
		at += segment->length;
	}
	return 0;
}

/*
 * Begins a payload: `start` holds its first 4096 bytes, or all of it.
 */
static int payload_open(payload_t *p, const uint8_t *start, uint32_t startLength, uint32_t length,
	payload_read_t read, void *context)
{
	static const uint8_t magic[8] = "XSOTAP1";
	payload_call_t c = { p, read, context };
	uint32_t steps, segments, head, tables, end, at, count, k, n;
	uint64_t total, offset = 0;
	int64_t shift = 0;

	memset(p, 0, sizeof(*p));
	p->blockStart = p->cachedAt = PL_NONE;
	if (startLength > PL_START)
		startLength = PL_START;
	if (startLength < PL_HEADER || memcmp(start, magic, sizeof(magic)))
		return pl_fail(p, PAYLOAD_BAD);
	p->isDelta = start[8];
	p->predictor = start[9];
	p->log2 = start[10];
	p->imageLength = pl_word(start + 12);
	p->baseLength = pl_word(start + 16);
	steps = pl_word(start + 20);
	segments = start[24] | (start[25] << 8);
	head = start[26] | (start[27] << 8);
	tables = pl_word(start + 28);
	if (p->isDelta > 1 || p->predictor > 2 || p->log2 < 12 || p->log2 > 16 || start[11] ||
		p->imageLength < 1 || p->imageLength > PL_MAX_LENGTH || p->baseLength > PL_MAX_LENGTH ||
		(p->baseLength > 0) != p->isDelta || (p->predictor && !p->isDelta) ||
		(segments > 0) != (p->predictor > 0) || segments > PL_SEGMENTS || steps > PL_STEPS ||
		(steps && !p->predictor) || head > p->imageLength || tables > startLength ||
		PL_HEADER + head + tables > startLength)
		return pl_fail(p, PAYLOAD_BAD);
	at = PL_HEADER + head;
	end = at + tables;
	p->newCount = (uint8_t)segments;
	for (n = 0; n < segments; n++, at += 12) {
		payload_segment_t *segment = &p->new[n];
		if (at + 12 > end)
			return pl_fail(p, PAYLOAD_BAD);
		segment->offset = pl_word(start + at);
		segment->address = pl_word(start + at + 4);
		segment->length = pl_word(start + at + 8);
		if (segment->offset > p->imageLength || segment->length > p->imageLength - segment->offset)
			return pl_fail(p, PAYLOAD_BAD);
	}
	p->steps = (uint16_t)steps;
	for (n = 0; n < steps; n++) {
		uint64_t delta, zigzag;
		if (pl_varint(start, &at, end, &delta) || pl_varint(start, &at, end, &zigzag))
			return pl_fail(p, PAYLOAD_BAD);
		offset += delta;
		shift += (zigzag & 1) ? -(int64_t)((zigzag + 1) / 2) : (int64_t)(zigzag / 2);
		if ((n && delta < 1) || offset > p->baseLength || shift > (int64_t)PL_MAX_LENGTH ||
			shift < -(int64_t)PL_MAX_LENGTH)
			return pl_fail(p, PAYLOAD_BAD);
		p->map[n].from = (int32_t)offset;
		p->map[n].shift = (int32_t)shift;
	}
	count = (p->imageLength + (1u << p->log2) - 1) >> p->log2;
	if (at + 3 * count != end)
		return pl_fail(p, PAYLOAD_BAD);
	p->lengths = at;
	p->data = end;
	total = end;
	for (k = 0; k < count; k++, at += 3) {
		uint32_t size = start[at] | (start[at + 1] << 8) | ((uint32_t)(start[at + 2] & 127) << 16);
		uint32_t whole = p->imageLength - (k << p->log2);
		if (whole > 1u << p->log2)
			whole = 1u << p->log2;
		if ((start[at + 2] & 128) ? size != whole : size >= whole)
			return pl_fail(p, PAYLOAD_BAD);
		total += size;
	}
	if (total != length)
		return pl_fail(p, PAYLOAD_BAD);
	return p->predictor ? pl_segments(&c) : 0;
}

/* Prediction */

static int pl_isPointer(uint32_t word)
{
	uint32_t top = word >> 24;
	return top == 0x3c || top == 0x3f || top == 0x40 || top == 0x42;
}

static int pl_isCode(uint32_t address)
{
	return address >> 28 == 4;
}

/* The address of an offset in the new image; 0: none. */
static uint32_t pl_located(const payload_t *p, int32_t offset)
{
	int n;
	for (n = 0; n < p->newCount; n++) {
		int32_t distance = offset - (int32_t)p->new[n].offset;
		if (distance >= 0 && distance <= (int32_t)p->new[n].length)
			return p->new[n].address + (uint32_t)distance;
	}
	return 0;
}

/* Where what stands at an address of the base is in the new image; 0: nowhere. */
static uint32_t pl_map(const payload_t *p, uint32_t address)
{
	int n;
	for (n = 0; n < p->oldCount; n++) {
		uint32_t distance = address - p->old[n].address;
		if (distance <= p->old[n].length) {
			int32_t offset = (int32_t)(p->old[n].offset + distance);
			int low = 0, high = p->steps;
			if (!high)
				return pl_located(p, offset);
			/* The last step at or below; the first when there is none. */
			while (high - low > 1) {
				int middle = (low + high) >> 1;
				if (p->map[middle].from <= offset)
					low = middle;
				else
					high = middle;
			}
			return pl_located(p, offset + p->map[low].shift);
		}
	}
	return 0;
}

/* A part of the block: where the segment begins, what may be looked at, where the block ends, all in `plain`. */
typedef struct { int32_t first, low, high, stop; uint32_t address; int32_t shift; } payload_sweep_t;

static uint32_t pl_here(const payload_t *p, const payload_sweep_t *s, int32_t at)
{
	return pl_located(p, (int32_t)p->blockFrom + at - s->shift);
}

static void pl_pointers(payload_t *p, const payload_sweep_t *s)
{
	int32_t at;
	for (at = s->low + ((s->first - s->low) & 3); at + 4 <= s->high && at < s->stop; at += 4) {
		uint32_t word = pl_word(p->plain + at), there = pl_isPointer(word) ? pl_map(p, word) : 0;
		if (there)
			pl_put(p->bytes + at, there);
		else if (p->predictor == 2 && word + 0x10000000 > 0x100000) {
			uint32_t target = s->address + (uint32_t)at + word, here = pl_isCode(target) ? pl_here(p, s, at) : 0;
			if (here && (there = pl_map(p, target)) != 0)
				pl_put(p->bytes + at, there - here);
		}
	}
}

static void pl_xtensa(payload_t *p, const payload_sweep_t *s)
{
	const uint8_t *plain = p->plain;
	int32_t phase = s->first & 3, at = s->low;

	while (at < s->stop) {
		int32_t code = plain[at] & 15, length = code < 8 ? 3 : 2, aligned;
		if ((at & 3) == phase && at + 4 <= s->high) {
			uint32_t word = pl_word(plain + at), there = pl_isPointer(word) ? pl_map(p, word) : 0;
			if (there) {
				pl_put(p->bytes + at, there);
				at += 4;
				continue;
			}
		}
		if ((code == 5 || code == 1) && at + 3 <= s->high) {
			uint32_t pc = s->address + (uint32_t)at, here = pl_here(p, s, at);
			uint32_t operand = (uint32_t)(plain[at + 1] << 8) | ((uint32_t)plain[at + 2] << 16);
			if (code == 5) {
				int32_t offset = (int32_t)((operand | plain[at]) << 8) >> 14;
				uint32_t there = here ? pl_map(p, (pc & ~3u) + 4 + 4 * (uint32_t)offset) : 0;
				int64_t far = (int64_t)(int32_t)there - (((int64_t)(int32_t)here & ~(int64_t)3) + 4);
				if (there && !(far & 3) && far >= -0x80000 && far < 0x80000) {
					uint32_t bits = ((uint32_t)(far >> 2) << 6) | (plain[at] & 63);
					p->bytes[at] = (uint8_t)bits;
					p->bytes[at + 1] = (uint8_t)(bits >> 8);
					p->bytes[at + 2] = (uint8_t)(bits >> 16);
				}
			}
			else {
				uint32_t there = here ? pl_map(p, ((pc + 3) & ~3u) + 4 * ((operand >> 8) - 65536)) : 0;
				int64_t far = (int64_t)(int32_t)there - (int64_t)(int32_t)((here + 3) & ~3u) + 4 * 65536;
				if (there && !(far & 3) && far >= 0 && far < 4 * 65536) {
					p->bytes[at + 1] = (uint8_t)(far >> 2);
					p->bytes[at + 2] = (uint8_t)(far >> 10);
				}
			}
		}
		/* The `entry` that a function begins with, aligned, shows where the sweep was out of step. */
		aligned = at + 1 + ((phase - at - 1) & 3);
		if (aligned < at + length && aligned + 1 < s->high && plain[aligned] == 0x36 && (plain[aligned + 1] & 15) == 1)
			length = aligned - at;
		at += length;
	}
}

static int pl_hasLow(uint32_t word, uint32_t rd, int jumps)
{
	uint32_t code = word & 127;
	if (((word >> 15) & 31) != rd)
		return 0;
	if (code == 0x03 || code == 0x23)
		return 1;
	return (code == 0x13 || (jumps && code == 0x67)) && !(word & 0x7000);
}

static uint32_t pl_lowOf(uint32_t word)
{
	int32_t high = (int32_t)word >> 20;
	return (uint32_t)((word & 127) == 0x23 ? (int32_t)((uint32_t)high & ~31u) | (int32_t)((word >> 7) & 31) : high);
}

static uint32_t pl_withLow(uint32_t word, uint32_t value)
{
	if ((word & 127) != 0x23)
		return (word & 0xfffff) | (value << 20);
	return (word & 0x1fff07f) | ((value & 0xfe0) << 20) | ((value & 31) << 7);
}

static void pl_lui(payload_t *p, int32_t at, uint32_t word, uint32_t rd, int32_t high)
{
	const uint8_t *plain = p->plain;
	int32_t low = at + 4, n, set = 0;

	if (word >> 24 < 0x3c || word >> 24 > 0x42)
		return;
	for (n = 0; n < 10 && low + 2 <= high; n++) {
		uint32_t next, code;
		if ((plain[low] & 3) != 3) {
			low += 2;
			continue;
		}
		if (low + 4 > high)
			return;
		next = pl_word(plain + low);
		if (pl_hasLow(next, rd, 0)) {
			uint32_t there = pl_map(p, (word & ~0xfffu) + pl_lowOf(next));
			if (there) {
				if (!set)
					pl_put(p->bytes + at, (word & 0xfff) | ((there + 0x800) & ~0xfffu));
				set = 1;
				pl_put(p->bytes + low, pl_withLow(next, there));
			}
		}
		code = next & 127;
		if (code != 0x23 && code != 0x63 && ((next >> 7) & 31) == rd)
			return;
		low += 4;
	}
}

static void pl_riscv(payload_t *p, const payload_sweep_t *s)
{
	const uint8_t *plain = p->plain;
	int32_t at = s->low;

	while (at < s->stop && at + 2 <= s->high) {
		uint32_t code = plain[at] & 127, word, rd;
		if ((code & 3) != 3) {
			at += 2;
			continue;
		}
		if (at + 4 > s->high)
			return;
		word = pl_word(plain + at);
		rd = (word >> 7) & 31;
		if (code == 0x6f && rd) {
			uint32_t offset = (((uint32_t)((int32_t)word >> 31)) << 20) | (word & 0xff000) |
				((word >> 9) & 0x800) | ((word >> 20) & 0x7fe);
			uint32_t there = pl_map(p, s->address + (uint32_t)at + offset), here = there ? pl_here(p, s, at) : 0;
			int64_t far = (int64_t)(int32_t)there - (int32_t)here;
			if (here && !(far & 1) && far >= -0x100000 && far < 0x100000)
				pl_put(p->bytes + at, (word & 0xfff) | (((uint32_t)far & 0x100000) << 11) | ((uint32_t)far & 0xff000) |
					(((uint32_t)far & 0x800) << 9) | (((uint32_t)far & 0x7fe) << 20));
		}
		else if (code == 0x17 && at + 8 <= s->high) {
			uint32_t next = pl_word(plain + at + 4);
			if (pl_hasLow(next, rd, 1)) {
				uint32_t target = s->address + (uint32_t)at + (word & ~0xfffu) + pl_lowOf(next);
				uint32_t here = pl_here(p, s, at);
				if (here) {
					uint32_t there = pl_map(p, target), far = (there ? there : target) - here;
					pl_put(p->bytes + at, (word & 0xfff) | ((far + 0x800) & ~0xfffu));
					pl_put(p->bytes + at + 4, pl_withLow(next, far));
				}
			}
		}
		else if (code == 0x37)
			pl_lui(p, at, word, rd, s->high);
		at += 4;
	}
}

/* Predicts the block of the byte at `at`, which is within the base. Returns that byte's place in `bytes`; below 0: failed. */
static int32_t pl_block(payload_call_t *c, uint32_t at)
{
	payload_t *p = c->p;
	uint32_t start = at & ~(uint32_t)(PL_BLOCK - 1), margin = p->predictor ? PL_MARGIN : 0, end, n;

	if (start == p->blockStart && p->shift == p->blockShift)
		return (int32_t)(at - p->blockFrom);
	p->blockStart = PL_NONE;
	p->blockFrom = start > margin ? start - margin : 0;
	end = start + PL_BLOCK + margin;
	if (end > p->baseLength)
		end = p->baseLength;
	if (pl_read(c, PAYLOAD_BASE, p->blockFrom, p->plain, end - p->blockFrom))
		return p->error;
	memcpy(p->bytes, p->plain, end - p->blockFrom);
	for (n = 0; n < p->oldCount; n++) {
		payload_sweep_t s;
		int32_t last;
		s.high = (int32_t)(end - p->blockFrom);
		s.stop = (int32_t)(start + PL_BLOCK - p->blockFrom);
		if (s.stop > s.high)
			s.stop = s.high;
		s.first = (int32_t)p->old[n].offset - (int32_t)p->blockFrom;
		last = s.first + (int32_t)p->old[n].length;
		s.low = s.first > 0 ? s.first : 0;
		if (s.high > last)
			s.high = last;
		if (s.low >= s.high)
			continue;
		/* A segment that ends in the block ends the sweep: bytes behind it are not its. */
		if (s.stop > s.high)
			s.stop = s.high;
		s.address = p->old[n].address - (uint32_t)s.first;
		s.shift = p->shift;
		if (!pl_isCode(p->old[n].address))
			pl_pointers(p, &s);
		else if (p->predictor == 1)
			pl_xtensa(p, &s);
		else
			pl_riscv(p, &s);
	}
	p->blockStart = start;
	p->blockShift = p->shift;
	return (int32_t)(at - p->blockFrom);
}

/* Bits. After a failure they are whatever they are: the caller looks at `error`. */

static uint32_t pl_byte(payload_call_t *c)
{
	payload_t *p = c->p;
	if (p->next == p->filled) {
		uint32_t rest = p->end - p->at;
		/* Zeros at the end are cut off. */
		if (!rest || p->error)
			return 0;
		p->filled = rest < PL_INPUT ? rest : PL_INPUT;
		p->next = 0;
		if (pl_read(c, PAYLOAD_FILE, p->at, p->input, p->filled))
			return 0;
		p->at += p->filled;
	}
	return p->input[p->next++];
}

static void pl_settle(payload_call_t *c)
{
	payload_t *p = c->p;
	while (p->range < 0x800000) {
		p->range <<= 8;
		p->code = (p->code << 8) | pl_byte(c);
	}
}

static uint32_t pl_bit(payload_call_t *c, uint32_t place)
{
	payload_t *p = c->p;
	uint16_t *odds = &p->odds[place];
	uint32_t bound = (p->range >> 11) * *odds, bit = 0;
	if (p->code < bound) {
		p->range = bound;
		*odds += (2048 - *odds) >> 4;
	}
	else {
		p->code -= bound;
		p->range -= bound;
		*odds -= *odds >> 4;
		bit = 1;
	}
	pl_settle(c);
	return bit;
}

static uint32_t pl_tree(payload_call_t *c, uint32_t place, uint32_t bits)
{
	uint32_t node = 1, n;
	for (n = 0; n < bits; n++)
		node = (node << 1) | pl_bit(c, place + node);
	return node - (1u << bits);
}

static uint32_t pl_number(payload_call_t *c, uint32_t place)
{
	payload_t *p = c->p;
	uint32_t exponent = pl_tree(c, place, 5), modelled = exponent < 2 ? exponent : 2, value, n;
	if (exponent > 24) {
		pl_fail(p, PAYLOAD_BAD);
		return 0;
	}
	value = (1u << modelled) | pl_tree(c, place + 32 + 4 * exponent, modelled);
	for (n = exponent - modelled; n > 0; n--) {
		uint32_t bit;
		p->range >>= 1;
		bit = p->code >= p->range;
		if (bit)
			p->code -= p->range;
		value = (value << 1) | bit;
		pl_settle(c);
	}
	if (p->code >= p->range)
		pl_fail(p, PAYLOAD_BAD);
	return value - 1;
}

/* Begins segment `k`, which is one of the image, at its first byte. */
static int payload_begin(payload_t *p, uint32_t k, payload_read_t read, void *context)
{
	payload_call_t c = { p, read, context };
	uint32_t n, at;

	if (p->error)
		return p->error;
	if (k >= (p->imageLength + (1u << p->log2) - 1) >> p->log2)
		return pl_fail(p, PAYLOAD_BAD);
	p->position = k << p->log2;
	p->limit = p->imageLength - p->position > 1u << p->log2 ? p->position + (1u << p->log2) : p->imageLength;
	p->at = p->data;
	p->end = p->data;
	for (n = 0, at = p->lengths; n <= k; n++, at += 3) {
		/* By many at a time: PL_INPUT holds 85 of them. */
		uint32_t place = 3 * (n % 85);
		if (!place) {
			uint32_t rest = 3 * (k + 1 - n);
			if (pl_read(&c, PAYLOAD_FILE, at, p->input, rest < 255 ? rest : 255))
				return p->error;
		}
		p->at = p->end;
		p->end += p->input[place] | (p->input[place + 1] << 8) | ((uint32_t)(p->input[place + 2] & 127) << 16);
		p->raw = p->input[place + 2] >> 7;
	}
	p->next = p->filled = p->left = p->code = 0;
	p->shift = 0;
	p->last = 0;
	p->cachedAt = PL_NONE;
	p->distance = 1;
	p->run = 99;
	for (n = 0; n < PL_ODDS; n++)
		p->odds[n] = 1024;
	p->range = 0x7fffffff;
	if (p->raw)
		return 0;
	for (n = 0; n < 4; n++)
		p->code = (p->code << 8) | pl_byte(&c);
	if (p->code >= p->range)
		pl_fail(p, PAYLOAD_BAD);
	return p->error;
}

/* A literal, or the beginning of a copy. */
static void pl_token(payload_call_t *c, uint8_t *out)
{
	payload_t *p = c->p;
	uint32_t last = p->last, other, length;
	int64_t place = (int64_t)p->position + p->shift;

	if (!pl_bit(c, PL_IS_COPY + last)) {
		if (p->isDelta && p->run < 6 && place >= 0 && place < p->baseLength) {
			uint32_t difference = pl_tree(c, PL_DIFFERENCE, 8);
			int32_t n = pl_block(c, (uint32_t)place);
			if (n < 0)
				return;
			*out = (uint8_t)(difference + p->bytes[n]);
			p->last = 2;
		}
		else {
			*out = (uint8_t)pl_tree(c, PL_LITERAL, 8);
			p->last = 0;
		}
		p->run++;
		p->position++;
		return;
	}
	other = pl_bit(c, PL_IS_OTHER + last);
	if (other && pl_bit(c, PL_IS_NEW)) {
		uint32_t repeated = pl_bit(c, PL_IS_REPEATED);
		length = pl_number(c, PL_NEW_LENGTH) + 2;
		if (!repeated)
			p->distance = pl_number(c, length > 3 ? PL_LONG : PL_SHORT) + 1;
		if (p->distance > p->position)
			pl_fail(p, PAYLOAD_BAD);
		p->last = 3;
		p->run = 99;
	}
	else {
		if (other) {
			uint32_t minus = pl_bit(c, PL_IS_MINUS);
			int32_t by = (int32_t)pl_number(c, PL_SHIFT) + 1;
			p->shift += minus ? -by : by;
		}
		length = pl_number(c, PL_OLD_LENGTH) + 1;
		place = (int64_t)p->position + p->shift;
		if (place < 0 || place + length > p->baseLength)
			pl_fail(p, PAYLOAD_BAD);
		p->last = 1;
		p->run = 0;
	}
	if (length > p->limit - p->position)
		pl_fail(p, PAYLOAD_BAD);
	p->left = length;
}

/* Goes on with the copy at hand; `start` is the position of out[0]. */
static void pl_copy(payload_call_t *c, uint8_t *out, uint32_t start, uint32_t room)
{
	payload_t *p = c->p;
	uint32_t n = p->position - start, end = room - n < p->left ? room : n + p->left, place = p->position;

	p->left -= end - n;
	p->position += end - n;
	if (p->last == 1) {
		uint32_t at = (uint32_t)((int32_t)place + p->shift);
		while (n < end) {
			int32_t from = pl_block(c, at);
			uint32_t rest = PL_BLOCK - (at & (PL_BLOCK - 1));
			if (from < 0)
				return;
			if (rest > end - n)
				rest = end - n;
			memcpy(out + n, p->bytes + from, rest);
			n += rest;
			at += rest;
		}
		return;
	}
	/* What stands before this call's output is on flash. */
	for (; n < end && n < p->distance; n++) {
		uint32_t at = start + n - p->distance, within = at % PL_CACHE;
		if (at - within != p->cachedAt) {
			p->cachedAt = at - within;
			if (pl_read(c, PAYLOAD_OUTPUT, p->cachedAt, p->cache, PL_CACHE))
				return;
		}
		out[n] = p->cache[within];
	}
	for (; n < end; n++)
		out[n] = out[n - p->distance];
}

/* Decodes the bytes of the segment that follow: it has `length` or more left. */
static int payload_decode(payload_t *p, uint8_t *out, uint32_t length, payload_read_t read, void *context)
{
	payload_call_t c = { p, read, context };
	uint32_t start = p->position;

	if (p->error)
		return p->error;
	if (length > p->limit - start)
		return pl_fail(p, PAYLOAD_BAD);
	if (p->raw) {
		if (pl_read(&c, PAYLOAD_FILE, p->at, out, length))
			return p->error;
		p->at += length;
		p->position += length;
		return 0;
	}
	while (!p->error && p->position - start < length) {
		if (!p->left)
			pl_token(&c, out + (p->position - start));
		if (!p->error && p->left)
			pl_copy(&c, out, start, length);
	}
	/* A block that was not all there yet may not be taken for what it is later. */
	if (p->cachedAt != PL_NONE && p->cachedAt + PL_CACHE > start)
		p->cachedAt = PL_NONE;
	if (!p->error && p->position == p->limit && (p->at < p->end || p->next < p->filled))
		pl_fail(p, PAYLOAD_BAD);
	return p->error;
}

#endif
