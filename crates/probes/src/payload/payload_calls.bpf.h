/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A call: what becomes of a connection by its first bytes, and how much of it is copied.
 *
 * Owns the judging of calls and the handing over of their bytes.
 */
#ifndef WEIR_PAYLOAD_CALLS_BPF_H
#define WEIR_PAYLOAD_CALLS_BPF_H

#include "payload_connection.bpf.h"

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
				       __u32 length, enum payload_way way)
{
	struct source source = {};
	enum source_kind kind = find_source(scratch, &source);

	if (kind == SOURCE_UNKNOWN)
		count_loss(PAYLOAD_LOSS_UNREADABLE);
	if (kind < SOURCE_BUFFER)
		return 0;
	if (connection->class == CLASS_HTTP1)
		return copy_message(scratch, connection, length, kind, &source, way);
	return gather(scratch, 0, kind, &source,
		      length < frame_bytes_max ? length : frame_bytes_max);
}

static __always_inline bool is_ignored(struct sock *sk, struct connection *connection)
{
	__u32 changes = ignored_changes;

	if (connection->ignored_changes == changes)
		return false;
	connection->ignored_changes = changes;
	if (ignored[connection->id & (PAYLOAD_IGNORED_MAX - 1)] != connection->id)
		return false;
	connection->class = CLASS_IGNORED;
	tell_closed(sk, connection);
	return true;
}

/* A call of a connection that user space knows. */
static __noinline int hand_over(struct sock *sk, struct connection *connection, int result,
				int flags, enum payload_way way)
{
	struct scratch *scratch;
	__u32 copied = 0;
	__u64 position;

	if (is_ignored(sk, connection))
		return 0;
	position = advance(sk, connection, result, way);
	if (!take_scratch(&scratch))
		return 0;
	/* With MSG_TRUNC the bytes are thrown away. */
	if (!(flags & MSG_TRUNC))
		copied = copy_call(scratch, connection, result, way);
	scratch->record.mono_ns = bpf_ktime_get_boot_ns();
	tell_passed(scratch, connection, position, result, copied, way);
	leave_scratch(scratch);
	return 0;
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
					       struct connection *connection, int result,
					       enum payload_way way)
{
	struct source source = {};
	enum source_kind kind = find_source(scratch, &source);
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
	if (wanted > (__u32)result)
		wanted = result;
	count = gather(scratch, kept, kind, &source, wanted);
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

static __always_inline void recognised(struct sock *sk, struct scratch *scratch,
				       struct connection *connection, enum verdict verdict,
				       __u64 position, enum payload_way way)
{
	bool is_joined = connection->flags & CONNECTION_JOINED;
	bool is_http1 = verdict == VERDICT_REQUEST || verdict == VERDICT_ANSWER;

	connection->id = bpf_get_socket_cookie(sk);
	connection->class = is_http1 ? CLASS_HTTP1 : CLASS_HTTP2;
	if (!tell_opened(sk, connection, role_of(verdict, way, is_joined)))
		return;
	if (connection->start_bytes)
		tell_start(scratch, connection, position - connection->start_bytes);
}

/* A call of a connection of which it is not known yet what it speaks. */
static __noinline int next_call(struct sock *sk, struct connection *connection, int result,
				int flags, enum payload_way way)
{
	enum verdict verdict = VERDICT_NOTHING;
	struct scratch *scratch;
	__u64 position;

	position = advance(sk, connection, result, way);
	if (!take_scratch(&scratch))
		return 0;
	if (!(flags & MSG_TRUNC))
		verdict = judge_call(scratch, connection, result, way);
	switch (verdict) {
	case VERDICT_MORE:
		break;
	case VERDICT_TLS:
		connection->class = CLASS_TLS;
		break;
	case VERDICT_FRAME:
		if (!(connection->flags & CONNECTION_JOINED)) {
			judged_in_vain(connection);
			break;
		}
		recognised(sk, scratch, connection, verdict, position, way);
		break;
	case VERDICT_PROXY:
		connection->flags |= CONNECTION_JOINED;
		judged_in_vain(connection);
		break;
	case VERDICT_NOTHING:
		judged_in_vain(connection);
		break;
	default:
		recognised(sk, scratch, connection, verdict, position, way);
	}
	leave_scratch(scratch);
	if (connection->class >= CLASS_HTTP1)
		hand_over(sk, connection, result, flags, way);
	return 0;
}

static __noinline int first_call(struct sock *sk, int result, int flags, enum payload_way way)
{
	struct connection *connection;

	if (!is_tcp(sk))
		return 0;
	connection = bpf_sk_storage_get(&connections, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);
	if (!connection) {
		count_loss(PAYLOAD_LOSS_SOCKET_STATE);
		return 0;
	}
	if (!is_adoption_complete)
		connection->flags |= CONNECTION_JOINED;
	return next_call(sk, connection, result, flags, way);
}

#endif
