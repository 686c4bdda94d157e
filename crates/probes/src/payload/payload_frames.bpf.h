/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The frames of HTTP/2 (RFC 9113, section 4): what is copied of a call, however long it is.
 *
 * Owns where frames begin, each way of a connection, and the records of a call. A record is a
 * stretch of the call: bytes that are copied, then bytes that are not. What is not copied is of
 * DATA frames alone, unless a bound is reached. User space walks the same frames, and so knows
 * what it is that it does not get.
 *
 * A call is read in windows. What is within one is copied as it is, bodies too, because short
 * ones cost less than another record; a DATA frame that goes on behind it is stepped over.
 */
#ifndef WEIR_PAYLOAD_FRAMES_BPF_H
#define WEIR_PAYLOAD_FRAMES_BPF_H

#include "payload_connection.bpf.h"

enum {
	/* Of a call's first window, and of one behind a body. */
	WINDOW_BYTES = 1024,
	/* Of one behind a stretch most of which was copied; a power of two. */
	WINDOW_BYTES_MAX = 4096,
	/* Of one call: windows and frames that are looked at; what comes behind is not copied. */
	STEPS_MAX = 4096,
	PREFACE_BYTES = 24,
	/* The highest type of frame in use: PRIORITY_UPDATE (RFC 9218). */
	FRAME_TYPE_MAX = 16,
	/* The length and the type of a frame. */
	FRAME_WORD_BYTES = 4,
};

/* Helpers since 5.17; the one declaration that is needed to ask for them. */
enum bpf_func_id___loops {
	BPF_FUNC_loop___loops = 181,
};

/* What a step says to bpf_loop(). */
enum {
	STEP_GO_ON = 0,
	STEP_STOP = 1,
};

static __always_inline void lose_frames(struct connection *connection)
{
	connection->frames[PAYLOAD_SENT].is_lost = 1;
	connection->frames[PAYLOAD_RECEIVED].is_lost = 1;
}

/*
 * The connection turned out to speak HTTP/2 with a call this way, at `position`; `kept` bytes of it
 * were told before. A client's frames come behind its preface.
 */
static __always_inline void begin_frames(struct connection *connection, enum verdict verdict,
					 __u64 position, __u32 kept, enum payload_way way)
{
	struct frames *this = &connection->frames[way & 1], *other = &connection->frames[!way];
	bool is_joined = connection->flags & CONNECTION_JOINED;

	__builtin_memset(connection->frames, 0, sizeof(connection->frames));
	this->at = position;
	this->is_lost = other->is_lost = is_joined;
	if (verdict == VERDICT_PREFACE) {
		this->left = PREFACE_BYTES - kept;
		this->is_lost = 0;
	} else {
		this->is_lost |= kept != 0;
		other->left = PREFACE_BYTES;
	}
}

/* What the process passed since the last call that was followed, if anything: bytes unseen. */
static __always_inline void settle_frames(struct frames *frames, __u64 position)
{
	__u32 missed = (__u32)position - frames->at;

	if (missed > frames->left)
		frames->is_lost = 1;
	else
		frames->left -= missed;
}

/* A frame, of bytes of which it is not known that one begins there. */
static __always_inline bool begins_like_frames(const __u8 *bytes)
{
	const __u8 flags_of_type[] = { 0x09, 0x2d, 0, 0, 0x01, 0x0c, 0x01, 0, 0, 0x04 };
	__u32 type = bytes[3], stream = bytes[5] | bytes[6] | bytes[7] | bytes[8];

	if (bytes[0] || bytes[5] & 0x80 || type >= sizeof(flags_of_type))
		return false;
	if (bytes[4] & ~flags_of_type[type])
		return false;
	switch (type) {
	case FRAME_SETTINGS:
	case FRAME_PING:
	case FRAME_GOAWAY:
		return !stream;
	case FRAME_WINDOW_UPDATE:
		return true;
	}
	return stream;
}

/* A frame, of bytes where one should begin. */
static __always_inline bool can_be_frame(const __u8 *bytes)
{
	__u32 type = bytes[3], stream = bytes[5] | bytes[6] | bytes[7] | bytes[8];

	return !(bytes[5] & 0x80) && type <= FRAME_TYPE_MAX && (stream || type > FRAME_HEADERS);
}

/* Steps over bytes of the call; of several buffers, those that are left begin behind them. */
__noinline int skip_vector(struct scratch *scratch, __u32 vectors)
{
	if (!scratch)
		return 0;
	for (__u32 i = 0; i < VECTORS_MAX; i++) {
		__u32 at = scratch->first, skipped = scratch->skipped;
		__u64 length;

		if (at >= vectors || at >= VECTORS_MAX)
			break;
		length = scratch->vectors[at].len;
		if (skipped < length) {
			scratch->vectors[at].base += skipped;
			scratch->vectors[at].len = length - skipped;
			scratch->skipped = 0;
			break;
		}
		scratch->skipped = skipped - length;
		scratch->first = at + 1;
	}
	return 0;
}

/* Tells a stretch of the call, and goes on behind it. */
static __always_inline long tell_stretch(struct scratch *scratch, __u32 captured, __u32 length)
{
	struct payload_passed *record = &scratch->record;

	record->captured = captured;
	record->length = length;
	if (captured <= WINDOW_BYTES_MAX &&
	    bpf_ringbuf_output(&payloads, record, sizeof(*record) + captured, wakeup()))
		count_loss(PAYLOAD_LOSS_RING_FULL);
	record->position += length;
	scratch->call_left -= length;
	scratch->window = 0;
	scratch->here = 0;
	scratch->wanted = captured > length / 2 ? WINDOW_BYTES_MAX : WINDOW_BYTES;
	if (scratch->is_vector) {
		scratch->skipped = length;
		skip_vector(scratch, scratch->source.vectors);
	} else {
		scratch->source.base += length;
	}
	return scratch->call_left ? STEP_GO_ON : STEP_STOP;
}

/* The frame in progress goes on behind what is here of it, `captured` bytes into the window. */
static __always_inline long step_over(struct scratch *scratch, __u32 captured)
{
	__u32 left = scratch->frames.left, room = scratch->call_left - captured;

	if (left < room)
		room = left;
	scratch->frames.left = left - room;
	return tell_stretch(scratch, captured, captured + room);
}

/* The call has more buffers than there is room for: those behind the ones that were stepped over. */
static __always_inline long next_vectors(struct scratch *scratch)
{
	__u32 vectors = scratch->source.vectors - VECTORS_MAX;
	__u64 bytes = vectors * sizeof(scratch->vectors[0]);

	if (scratch->source.vectors <= VECTORS_MAX)
		return STEP_STOP;
	scratch->source.vectors = vectors;
	scratch->source.vectors_at += sizeof(scratch->vectors);
	barrier_var(bytes);
	if (bytes > sizeof(scratch->vectors))
		bytes = sizeof(scratch->vectors);
	if (bpf_probe_read_user(scratch->vectors, bytes, (void *)scratch->source.vectors_at))
		return STEP_STOP;
	scratch->first = 0;
	skip_vector(scratch, vectors);
	return STEP_GO_ON;
}

/* Reads the next window. */
static __always_inline long open_window(struct scratch *scratch)
{
	__u32 wanted = scratch->wanted, left = scratch->call_left, got = 0;

	if (!left)
		return STEP_STOP;
	if (scratch->is_vector && scratch->first >= VECTORS_MAX)
		return next_vectors(scratch);
	if (scratch->frames.left && scratch->frames.is_data)
		return step_over(scratch, 0);
	if (wanted > left)
		wanted = left;
	barrier_var(wanted);
	if (wanted > WINDOW_BYTES_MAX)
		wanted = WINDOW_BYTES_MAX;
	if (scratch->is_vector) {
		scratch->next = scratch->first;
		scratch->end = 0;
		scratch->left = wanted;
		gather_vector(scratch, scratch->source.vectors);
		got = scratch->end;
	} else if (!bpf_probe_read_user(scratch->bytes, wanted, (void *)scratch->source.base)) {
		got = wanted;
	}
	scratch->window = got;
	return got ? STEP_GO_ON : STEP_STOP;
}

/* In the middle of a frame, or of the preface. */
static __always_inline long step_payload(struct scratch *scratch, __u32 here, __u32 window)
{
	__u32 left = scratch->frames.left, there = window - here;

	if (left < there) {
		scratch->frames.left = 0;
		scratch->here = here + left;
		return STEP_GO_ON;
	}
	if (scratch->frames.is_data)
		return step_over(scratch, here);
	scratch->frames.left = left - there;
	return tell_stretch(scratch, window, window);
}

/* The length and the type of a frame: as they are in memory, behind what came with the call before. */
static __always_inline __u32 frame_word(const struct scratch *scratch, const __u8 *bytes)
{
	__u32 before = scratch->frames.header_bytes, word;

	__builtin_memcpy(&word, bytes, sizeof(word));
	if (before >= FRAME_WORD_BYTES)
		return scratch->frames.header;
	return scratch->frames.header | word << before * 8;
}

/* A header that is not whole: it goes on in the next window, or in the next call. */
static __always_inline long step_part(struct scratch *scratch, __u32 here, __u32 window,
				      const __u8 *bytes)
{
	__u32 there = window - here, before = scratch->frames.header_bytes;

	scratch->frames.header = frame_word(scratch, bytes);
	if (before + there < FRAME_WORD_BYTES)
		scratch->frames.header &= (1U << (before + there) * 8) - 1;
	scratch->frames.header_bytes = before + there;
	return tell_stretch(scratch, window, window);
}

/* One step through a call: a window, or a frame of it. What changes is in the scratch memory. */
static long step(__u32 turn, struct scratch **of)
{
	struct scratch *scratch = *of;
	__u32 window = scratch->window, here = scratch->here, before, word, end;
	const __u8 *bytes;

	if (!window) {
		if (open_window(scratch) == STEP_STOP)
			return STEP_STOP;
		window = scratch->window;
		here = 0;
		if (!window)
			return STEP_GO_ON;
	}
	if (window > WINDOW_BYTES_MAX || here > window)
		return STEP_STOP;
	if (scratch->frames.left)
		return step_payload(scratch, here, window);
	bytes = scratch->bytes + (here & (2 * WINDOW_BYTES_MAX - 1));
	before = scratch->frames.header_bytes;
	if (before + window - here < FRAME_HEADER_BYTES)
		return step_part(scratch, here, window, bytes);
	if (!before && !can_be_frame(bytes))
		return STEP_STOP;
	word = frame_word(scratch, bytes);
	here += FRAME_HEADER_BYTES - before;
	word = __builtin_bswap32(word);
	end = here + (word >> 8);
	scratch->frames.header = 0;
	scratch->frames.header_bytes = 0;
	scratch->frames.is_data = (word & 0xff) == FRAME_DATA;
	scratch->frames.left = end <= window ? 0 : word >> 8;
	scratch->here = end <= window ? end : here;
	if (end == window)
		return tell_stretch(scratch, window, window);
	return STEP_GO_ON;
}

/*
 * Tells of a call; all about it is in the scratch memory. What is left of it where frames got lost,
 * a buffer could not be read or a bound was reached is told by its length.
 */
__noinline int walk_frames(struct scratch *scratch)
{
	struct scratch *of = scratch;

	if (!scratch || !bpf_core_enum_value_exists(enum bpf_func_id___loops, BPF_FUNC_loop___loops))
		return 0;
	bpf_loop(STEPS_MAX, step, &of, 0);
	if (!scratch->call_left)
		return 0;
	scratch->frames.is_lost = 1;
	tell_stretch(scratch, scratch->window, scratch->call_left);
	return 0;
}

/* Whether the call is told: where frames begin is known, or it begins with one. */
static __always_inline bool tell_frames(struct scratch *scratch, struct connection *connection,
					enum source_kind kind, const struct source *source,
					__u64 position, __u32 length, enum payload_way way)
{
	struct frames *frames = &connection->frames[way & 1];

	if (!bpf_core_enum_value_exists(enum bpf_func_id___loops, BPF_FUNC_loop___loops))
		return false;
	if (kind < SOURCE_BUFFER)
		return false;
	if (!frames->is_lost)
		settle_frames(frames, position);
	if (frames->is_lost) {
		if (gather(scratch, 0, kind, source, FRAME_HEADER_BYTES) < FRAME_HEADER_BYTES ||
		    length < FRAME_HEADER_BYTES || !begins_like_frames(scratch->bytes))
			return false;
		__builtin_memset(frames, 0, sizeof(*frames));
	}
	scratch->frames = *frames;
	scratch->source = *source;
	scratch->is_vector = kind == SOURCE_VECTOR;
	scratch->call_left = length;
	scratch->window = 0;
	scratch->here = 0;
	scratch->wanted = WINDOW_BYTES;
	scratch->first = 0;
	scratch->record.id = connection->id;
	scratch->record.kind = PAYLOAD_PASSED;
	scratch->record.way = way;
	scratch->record.position = position;
	walk_frames(scratch);
	*frames = scratch->frames;
	frames->at = position + length;
	return true;
}

#endif
