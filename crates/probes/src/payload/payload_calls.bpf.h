/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A call: what becomes of a connection by its first bytes, and how much of it is copied.
 *
 * Owns the judging of calls and the handing over of their bytes, wherever these are found.
 */
#ifndef WEIR_PAYLOAD_CALLS_BPF_H
#define WEIR_PAYLOAD_CALLS_BPF_H

#include "payload_frames.bpf.h"

enum {
	/* And of an answer's beginning, or of the calls after a beginning. */
	ANSWER_BYTES = 1024,
	/* Calls from the beginning of a message on that may belong to its head. */
	HEAD_CALLS_MAX = 4,
	/* Longer than this is no size of a chunk. */
	CHUNK_LINE_BYTES = 16,
};

enum beginning {
	BEGINNING_NONE,
	BEGINNING_REQUEST,
	BEGINNING_ANSWER,
	BEGINNING_PREFACE,
};

/* What a call's first eight bytes look like, on a connection that speaks HTTP/1. */
static __always_inline enum beginning beginning_of(__u64 word)
{
	if ((word & mask_of(7)) == (WORD("HTTP/1. ") & mask_of(7)))
		return BEGINNING_ANSWER;
	if (word == WORD("PRI * HT"))
		return BEGINNING_PREFACE;
	for (int i = 0; i < METHOD_BYTES_MIN; i++) {
		__u8 byte = word >> i * 8;

		if (byte < 'A' || byte > 'Z')
			return BEGINNING_NONE;
	}
	return BEGINNING_REQUEST;
}

/* How much to copy of a call. */
static __always_inline __u32 bytes_wanted(struct connection *connection, __u64 word,
					  enum payload_way way)
{
	__u32 calls;

	switch (beginning_of(word)) {
	case BEGINNING_REQUEST:
		connection->head_calls[way] = 0;
		return head_bytes_max;
	case BEGINNING_PREFACE:
		connection->class = CLASS_HTTP2;
		lose_frames(connection);
		return frame_bytes_max;
	case BEGINNING_ANSWER:
		connection->head_calls[way] = 0;
		break;
	case BEGINNING_NONE:
		calls = connection->head_calls[way];
		if (calls >= HEAD_CALLS_MAX)
			return BODY_BYTES;
		connection->head_calls[way] = calls + 1;
		break;
	}
	return head_bytes_max < ANSWER_BYTES ? head_bytes_max : ANSWER_BYTES;
}

/*
 * Whether the first buffer is a whole head and the next one more than the size of a chunk (RFC 9112,
 * section 7.1): then it is of the body, and not worth reading.
 */
static __always_inline bool is_rest_body(const struct scratch *scratch, __u32 copied)
{
	const __u32 empty_line = 0x0a0d0a0d;
	__u32 last;

	if (scratch->vectors[1].len <= CHUNK_LINE_BYTES)
		return false;
	copied -= sizeof(last);
	if (copied >= PAYLOAD_BYTES_MAX)
		return false;
	__builtin_memcpy(&last, scratch->bytes + copied, sizeof(last));
	return last == empty_line;
}

/* The beginning of a message tells how much of it is wanted. */
static __always_inline __u32 copy_message(struct scratch *scratch,
					  struct connection *connection, __u32 length,
					  enum source_kind kind, const struct source *source,
					  enum payload_way way)
{
	__u64 first = length < source->length ? length : source->length;
	__u32 wanted, copied;

	scratch->word = 0;
	copied = copy_to(scratch, 0, source->base, first < BODY_BYTES ? first : BODY_BYTES);
	wanted = bytes_wanted(connection, scratch->word, way);
	if (wanted > length)
		wanted = length;
	if (first > wanted)
		first = wanted;
	if (copied == BODY_BYTES && first > BODY_BYTES)
		copied = copy_to(scratch, BODY_BYTES, source->base + BODY_BYTES,
				 first - BODY_BYTES);
	if (kind != SOURCE_VECTOR || copied < source->length || copied >= wanted ||
	    is_rest_body(scratch, copied))
		return copied;
	return gather_rest(scratch, copied, source, wanted);
}

static __always_inline __u32 copy_call(struct scratch *scratch, struct connection *connection,
				       enum source_kind kind, const struct source *source,
				       __u32 length, enum payload_way way)
{
	if (kind == SOURCE_UNKNOWN)
		count_loss(PAYLOAD_LOSS_UNREADABLE);
	if (kind < SOURCE_BUFFER)
		return 0;
	if (connection->class == CLASS_HTTP1)
		return copy_message(scratch, connection, length, kind, source, way);
	return gather(scratch, 0, kind, source,
		      length < frame_bytes_max ? length : frame_bytes_max);
}

/* A call of a connection that user space knows; the caller has the scratch memory. */
static __always_inline void hand_over(struct scratch *scratch, struct connection *connection,
				      enum source_kind kind, const struct source *source,
				      __u64 position, __u32 length, enum payload_way way)
{
	__u32 copied;

	scratch->record.mono_ns = bpf_ktime_get_boot_ns();
	if (connection->class == CLASS_HTTP2 &&
	    tell_frames(scratch, connection, kind, source, position, length, way))
		return;
	copied = copy_call(scratch, connection, kind, source, length, way);
	tell_passed(scratch, connection, position, length, copied, way);
}

/* Whether user space has had enough of it. */
static __always_inline bool is_ignored(struct connection *connection)
{
	__u32 changes = ignored_changes;

	if (connection->ignored_changes == changes)
		return false;
	connection->ignored_changes = changes;
	return ignored[connection->id & (PAYLOAD_IGNORED_MAX - 1)] == connection->id;
}

/* Who asks is the client. */
static __always_inline __u8 role_of(enum verdict verdict, enum payload_way way, bool is_joined)
{
	bool asks;

	switch (verdict) {
	case VERDICT_REQUEST:
	case VERDICT_PREFACE:
		asks = true;
		break;
	case VERDICT_ANSWER:
		asks = false;
		break;
	case VERDICT_SETTINGS:
		/* The client's come after its preface, so the server's they are if they are first. */
		if (is_joined)
			return PAYLOAD_ROLE_UNKNOWN;
		asks = false;
		break;
	default:
		return PAYLOAD_ROLE_UNKNOWN;
	}
	return asks == (way == PAYLOAD_SENT) ? PAYLOAD_ROLE_CLIENT : PAYLOAD_ROLE_SERVER;
}

/* Nothing known: that is the last look, unless it may be in the middle. */
static __always_inline void judged_in_vain(struct connection *connection)
{
	connection->start_bytes = 0;
	if (!(connection->flags & CONNECTION_JOINED) || ++connection->calls >= JOINED_CALLS_MAX)
		connection->class = CLASS_IGNORED;
}

/* What was kept while it could have become anything; the scratch memory begins with it. */
static __always_inline void tell_start(struct scratch *scratch, struct connection *connection,
				       __u64 position)
{
	__u32 bytes = connection->start_bytes & (START_BYTES - 1);

	scratch->record.mono_ns = connection->start_ns;
	tell_passed(scratch, connection, position, bytes, bytes, connection->start_way);
}

/* The beginning of the call, behind what was kept of calls before it. */
static __always_inline enum verdict judge_call(struct scratch *scratch,
					       struct connection *connection,
					       enum source_kind kind,
					       const struct source *source, __u32 length,
					       enum payload_way way)
{
	__u32 kept, wanted, count;
	enum verdict verdict;

	if (kind == SOURCE_UNKNOWN)
		count_loss(PAYLOAD_LOSS_UNREADABLE);
	if (kind < SOURCE_BUFFER)
		return VERDICT_NOTHING;
	if (connection->start_way != way)
		connection->start_bytes = 0;
	kept = connection->start_bytes & (START_BYTES - 1);
	scratch->start = connection->start;
	wanted = START_BYTES - kept;
	if (wanted > length)
		wanted = length;
	count = gather(scratch, kept, kind, source, wanted);
	verdict = judge(&scratch->start, count);
	if (verdict != VERDICT_MORE || count >= START_BYTES)
		return verdict;
	if (!kept)
		connection->start_ns = bpf_ktime_get_boot_ns();
	connection->start_way = way;
	connection->start_bytes = count;
	connection->start = scratch->start;
	return verdict;
}

/* Whether the verdict is HTTP; else what follows of it. */
static __always_inline bool is_recognised(struct connection *connection, enum verdict verdict)
{
	bool is_joined = connection->flags & CONNECTION_JOINED;

	switch (verdict) {
	case VERDICT_REQUEST:
	case VERDICT_ANSWER:
		connection->class = CLASS_HTTP1;
		return true;
	case VERDICT_PREFACE:
	case VERDICT_SETTINGS:
		connection->class = CLASS_HTTP2;
		return true;
	case VERDICT_FRAME:
		if (is_joined) {
			connection->class = CLASS_HTTP2;
			return true;
		}
		break;
	case VERDICT_MORE:
	case VERDICT_TLS:
		return false;
	case VERDICT_PROXY:
		connection->flags |= CONNECTION_JOINED;
		break;
	case VERDICT_RECORD:
	case VERDICT_NOTHING:
		break;
	}
	judged_in_vain(connection);
	return false;
}

/* The connection turned out to speak HTTP with this call. */
static __always_inline void begin(struct scratch *scratch, struct connection *connection,
				  struct payload_opened *opened, enum verdict verdict,
				  enum source_kind kind, const struct source *source,
				  __u64 position, __u32 length, enum payload_way way)
{
	opened->role = role_of(verdict, way, connection->flags & CONNECTION_JOINED);
	if (!tell_opened(opened, connection))
		return;
	if (connection->start_bytes)
		tell_start(scratch, connection, position - connection->start_bytes);
	if (connection->class == CLASS_HTTP2)
		begin_frames(connection, verdict, position, connection->start_bytes, way);
	hand_over(scratch, connection, kind, source, position, length, way);
}

#endif
