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

/* Fills `into` with bytes of one of the three. Returns 0, or anything else when it cannot. */
typedef int (*payload_read_t)(void *context, int what, uint32_t offset, uint8_t *into, uint32_t length);

/* Called from many places: once in the code. */
#define PL_ONCE static __attribute__((noinline))

#define PL_MAX_LENGTH 0x8000000u
#define PL_STEPS 256
#define PL_SEGMENTS 16
#define PL_BLOCK 1024
#define PL_MARGIN 64
#define PL_INPUT 256
#define PL_CACHE 512
#define PL_NONE 0xffffffffu

/* A chip runs code of its own kind: the other predictor is left out where the build says which that is. */
#if CONFIG_IDF_TARGET_ARCH_XTENSA
	#define PL_KNOWS(PREDICTOR) ((PREDICTOR) < 2)
#elif CONFIG_IDF_TARGET_ARCH_RISCV
	#define PL_KNOWS(PREDICTOR) (!(PREDICTOR) || (PREDICTOR) == 2)
#else
	#define PL_KNOWS(PREDICTOR) ((PREDICTOR) <= 2)
#endif

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
/* `baseLength` is 0 for an image by itself. */
typedef struct { uint32_t imageLength, baseLength, predictor, log2; } payload_header_t;

/* What is used most comes first: nearer than 2 KB it takes one instruction to reach. */
typedef struct {
	payload_header_t header;
	/* Input: next and last in `input`; where the rest is, and ends. */
	uint32_t next, filled, at, end;
	uint32_t range, code;
	uint32_t position, limit, left, distance;
	int32_t shift, run;
	/* What `bytes` is of: start of the block, offset of its first byte, shift. */
	uint32_t blockStart, blockFrom;
	int32_t blockShift;
	uint32_t cachedAt;
	uint32_t raw, last, steps, newCount, oldCount;
	/* Set at the first failure, and for good. */
	int32_t error;
	uint8_t input[PL_INPUT];
	payload_segment_t new[PL_SEGMENTS], old[PL_SEGMENTS];
	uint16_t odds[PL_ODDS];
	payload_step_t map[PL_STEPS];
	uint8_t cache[PL_CACHE];
	uint8_t plain[PL_BLOCK + 2 * PL_MARGIN], bytes[PL_BLOCK + 2 * PL_MARGIN];
} payload_t;

/* Of one call alone. */
typedef struct { payload_t *p; payload_read_t read; void *context; } payload_call_t;

PL_ONCE uint32_t pl_word(const uint8_t *at)
{
	return at[0] | ((uint32_t)at[1] << 8) | ((uint32_t)at[2] << 16) | ((uint32_t)at[3] << 24);
}

PL_ONCE void pl_put(uint8_t *at, uint32_t word)
{
	int n;
	for (n = 0; n < 4; n++, word >>= 8)
		at[n] = (uint8_t)word;
}

PL_ONCE int pl_fail(payload_t *p, int error)
{
	if (!p->error)
		p->error = error;
	return p->error;
}

PL_ONCE int pl_read(const payload_call_t *c, int what, uint32_t offset, uint8_t *into, uint32_t length)
{
	if (c->read(c->context, what, offset, into, length))
		return pl_fail(c->p, PAYLOAD_UNREADABLE);
	return 0;
}

static int pl_segments(payload_call_t *c)
{
	payload_t *p = c->p;
	uint8_t head[24];
	uint32_t at = sizeof(head), n;

	if (p->header.baseLength < sizeof(head))
		return pl_fail(p, PAYLOAD_BAD);
	if (pl_read(c, PAYLOAD_BASE, 0, head, sizeof(head)))
		return p->error;
	if (head[0] != 0xe9 || head[1] > PL_SEGMENTS)
		return pl_fail(p, PAYLOAD_BAD);
	p->oldCount = head[1];
	for (n = 0; n < p->oldCount; n++) {
		payload_segment_t *segment = &p->old[n];
		uint8_t row[8];
		if (at + 8 > p->header.baseLength)
			return pl_fail(p, PAYLOAD_BAD);
		if (pl_read(c, PAYLOAD_BASE, at, row, sizeof(row)))
			return p->error;
		at += 8;
		segment->offset = at;
		segment->address = pl_word(row);
		segment->length = pl_word(row + 4);
		if (segment->length > p->header.baseLength - at)
			return pl_fail(p, PAYLOAD_BAD);
		at += segment->length;
	}
	return 0;
}

/*
 * Begins a payload whose header and tables have been checked (src/payload/header.ts): segments of the image as rows of
 * offset, address and length, steps of the map as rows of offset and shift.
 */
static int payload_open(payload_t *p, const payload_header_t *header, const payload_segment_t *segments,
	uint32_t segmentCount, const payload_step_t *steps, uint32_t stepCount, payload_read_t read, void *context)
{
	payload_call_t c = { p, read, context };

	memset(p, 0, sizeof(*p));
	p->blockStart = p->cachedAt = PL_NONE;
	p->header = *header;
	if (segmentCount > PL_SEGMENTS || stepCount > PL_STEPS || header->imageLength > PL_MAX_LENGTH ||
		header->baseLength > PL_MAX_LENGTH || header->log2 > 16 || !PL_KNOWS(header->predictor))
		return pl_fail(p, PAYLOAD_BAD);
	memcpy(p->new, segments, segmentCount * sizeof(*segments));
	memcpy(p->map, steps, stepCount * sizeof(*steps));
	p->newCount = segmentCount;
	p->steps = stepCount;
	return header->predictor ? pl_segments(&c) : 0;
}

/* Prediction */

PL_ONCE int pl_isPointer(uint32_t word)
{
	uint32_t top = word >> 24;
	return top == 0x3c || top == 0x3f || top == 0x40 || top == 0x42;
}

static int pl_isCode(uint32_t address)
{
	return address >> 28 == 4;
}

/* The address of an offset in the new image; 0: none. */
PL_ONCE uint32_t pl_located(const payload_t *p, int32_t offset)
{
	uint32_t n;
	for (n = 0; n < p->newCount; n++) {
		int32_t distance = offset - (int32_t)p->new[n].offset;
		if (distance >= 0 && distance <= (int32_t)p->new[n].length)
			return p->new[n].address + (uint32_t)distance;
	}
	return 0;
}

/* Where what stands at an address of the base is in the new image; 0: nowhere. */
PL_ONCE uint32_t pl_map(const payload_t *p, uint32_t address)
{
	uint32_t n;
	for (n = 0; n < p->oldCount; n++) {
		uint32_t distance = address - p->old[n].address;
		if (distance <= p->old[n].length) {
			int32_t offset = (int32_t)(p->old[n].offset + distance);
			uint32_t low = 0, high = p->steps;
			if (!high)
				return pl_located(p, offset);
			/* The last step at or below; the first when there is none. */
			while (high - low > 1) {
				uint32_t middle = (low + high) >> 1;
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

PL_ONCE uint32_t pl_here(const payload_t *p, const payload_sweep_t *s, int32_t at)
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
		else if (PL_KNOWS(2) && p->header.predictor == 2 && word + 0x10000000 > 0x100000) {
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
				int32_t far = (int32_t)(there - (here & ~3u) - 4);
				if (there && !(far & 3) && far >= -0x80000 && far < 0x80000) {
					uint32_t bits = ((uint32_t)(far >> 2) << 6) | (plain[at] & 63);
					p->bytes[at] = (uint8_t)bits;
					p->bytes[at + 1] = (uint8_t)(bits >> 8);
					p->bytes[at + 2] = (uint8_t)(bits >> 16);
				}
			}
			else {
				uint32_t there = here ? pl_map(p, ((pc + 3) & ~3u) + 4 * ((operand >> 8) - 65536)) : 0;
				int32_t far = (int32_t)(there - ((here + 3) & ~3u));
				if (there && !(far & 3) && far >= -4 * 65536 && far < 0) {
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

PL_ONCE int pl_hasLow(uint32_t word, uint32_t rd, int jumps)
{
	uint32_t code = word & 127;
	if (((word >> 15) & 31) != rd)
		return 0;
	if (code == 0x03 || code == 0x23)
		return 1;
	return (code == 0x13 || (jumps && code == 0x67)) && !(word & 0x7000);
}

PL_ONCE uint32_t pl_lowOf(uint32_t word)
{
	int32_t high = (int32_t)word >> 20;
	return (uint32_t)((word & 127) == 0x23 ? (int32_t)((uint32_t)high & ~31u) | (int32_t)((word >> 7) & 31) : high);
}

PL_ONCE uint32_t pl_withLow(uint32_t word, uint32_t value)
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
			int32_t far = (int32_t)(there - here);
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
PL_ONCE int32_t pl_block(payload_call_t *c, uint32_t at)
{
	payload_t *p = c->p;
	uint32_t start = at & ~(uint32_t)(PL_BLOCK - 1), margin = p->header.predictor ? PL_MARGIN : 0, end, n;

	if (start == p->blockStart && p->shift == p->blockShift)
		return (int32_t)(at - p->blockFrom);
	p->blockStart = PL_NONE;
	p->blockFrom = start > margin ? start - margin : 0;
	end = start + PL_BLOCK + margin;
	if (end > p->header.baseLength)
		end = p->header.baseLength;
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
		else if (PL_KNOWS(1) && p->header.predictor == 1)
			pl_xtensa(p, &s);
		else if (PL_KNOWS(2))
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

PL_ONCE void pl_settle(payload_call_t *c)
{
	payload_t *p = c->p;
	while (p->range < 0x800000) {
		p->range <<= 8;
		p->code = (p->code << 8) | pl_byte(c);
	}
}

PL_ONCE uint32_t pl_bit(payload_call_t *c, uint32_t place)
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

PL_ONCE uint32_t pl_tree(payload_call_t *c, uint32_t place, uint32_t bits)
{
	uint32_t node = 1, n;
	for (n = 0; n < bits; n++)
		node = (node << 1) | pl_bit(c, place + node);
	return node - (1u << bits);
}

PL_ONCE uint32_t pl_number(payload_call_t *c, uint32_t place)
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

/* Begins a segment: its first byte in the image, its data from `at` up to `end` in the payload, `raw` when stored. */
static int payload_begin(payload_t *p, uint32_t position, uint32_t at, uint32_t end, uint32_t raw, payload_read_t read,
	void *context)
{
	payload_call_t c = { p, read, context };
	uint32_t n;

	if (p->error)
		return p->error;
	if (position >= p->header.imageLength || at > end)
		return pl_fail(p, PAYLOAD_BAD);
	p->position = position;
	n = p->header.imageLength - position;
	p->limit = position + (n >> p->header.log2 ? 1u << p->header.log2 : n);
	p->at = at;
	p->end = end;
	p->raw = raw;
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
	int32_t place = (int32_t)p->position + p->shift;

	if (!pl_bit(c, PL_IS_COPY + last)) {
		if (p->run < 6 && place >= 0 && (uint32_t)place < p->header.baseLength) {
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
		place = (int32_t)p->position + p->shift;
		if (place < 0 || (uint32_t)place + length > p->header.baseLength)
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
