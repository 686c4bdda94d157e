/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What sockets pass themselves: clear text, or the records of TLS.
 *
 * Owns the way from a call on a socket to the connection and the bytes that it passed.
 */
#ifndef WEIR_PAYLOAD_SOCKETS_BPF_H
#define WEIR_PAYLOAD_SOCKETS_BPF_H

#include "payload_tls.bpf.h"

enum {
	/* A power of two. */
	IGNORED_SOCKETS_MAX = 1 << 17,
};

/* A call of a connection that speaks HTTP in clear. */
static __noinline int http_call(struct sock *sk, struct connection *connection, int result,
				int flags, enum payload_way way)
{
	enum source_kind kind = SOURCE_NONE;
	struct source source = {};
	struct scratch *scratch;
	__u64 position;

	if (is_ignored(connection)) {
		connection->class = CLASS_IGNORED;
		tell_closed(connection);
		return 0;
	}
	position = advance(sk, connection, result, way);
	if (!take_scratch(&scratch))
		return 0;
	/* With MSG_TRUNC the bytes are thrown away. */
	if (!(flags & MSG_TRUNC))
		kind = find_source(scratch, &source);
	hand_over(scratch, connection, kind, &source, position, result, way);
	leave_scratch(scratch);
	return 0;
}

/*
 * Sockets that are looked at no more, by their addresses; most connections are such, and need no
 * memory of their own. Of two that share a place the last one has it: the other is judged anew by
 * its next call, as if it began there.
 */
__u64 ignored_sockets[IGNORED_SOCKETS_MAX] SEC(".bss.ignored");

/* A connection until it is worth a storage of its own; whoever has the scratch memory has this. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct connection);
} fresh_connections SEC(".maps");

/* The verifier forbids arithmetic on pointers, and a copy of half of one is none. */
static __always_inline __u64 *place_of(const void *sk)
{
	__u32 low;

	asm("%0 = %1" : "=w"(low) : "w"((__u32)(__u64)sk));
	low = low >> 6 ^ low >> 18;
	/* 6.1 loses sight of limits that are set before an exclusive or. */
	barrier_var(low);
	return &ignored_sockets[low & (IGNORED_SOCKETS_MAX - 1)];
}

/* What is ignored needs no storage, unless its end is to be told. */
static __always_inline void forget_ignored(struct sock *sk, const struct connection *connection)
{
	if (connection->class != CLASS_IGNORED)
		return;
	*place_of(sk) = (__u64)sk;
	if (!(connection->flags & CONNECTION_TOLD))
		bpf_sk_storage_delete(&connections, sk);
}

/* What follows of the verdict on a call; the scratch memory begins with what was judged. */
static __always_inline void follow(struct sock *sk, struct connection *connection,
				   struct scratch *scratch, enum verdict verdict,
				   enum source_kind kind, const struct source *source,
				   __u64 position, int result, enum payload_way way)
{
	if (verdict == VERDICT_RECORD && connection->flags & CONNECTION_JOINED)
		verdict = VERDICT_TLS;
	if (verdict == VERDICT_TLS) {
		tls_begins(sk, connection);
	} else if (is_recognised(connection, verdict)) {
		struct payload_opened opened;

		fill_opened(&opened, sk);
		connection->id = opened.id;
		begin(scratch, connection, &opened, verdict, kind, source, position, result,
		      way);
	}
}

/* A call of a connection of which it is not known yet what it speaks. */
static __noinline int next_call(struct sock *sk, struct connection *connection, int result,
				int flags, enum payload_way way)
{
	enum source_kind kind = SOURCE_NONE;
	struct source source = {};
	struct scratch *scratch;
	enum verdict verdict;
	__u64 position;

	position = advance(sk, connection, result, way);
	if (!take_scratch(&scratch))
		return 0;
	if (!(flags & MSG_TRUNC))
		kind = find_source(scratch, &source);
	verdict = judge_call(scratch, connection, kind, &source, result, way);
	follow(sk, connection, scratch, verdict, kind, &source, position, result, way);
	leave_scratch(scratch);
	return 0;
}

/* A call of a connection of which nothing is known. */
static __noinline int first_call(struct sock *sk, int result, int flags, enum payload_way way)
{
	enum source_kind kind = SOURCE_NONE;
	struct connection *connection, *fresh;
	struct source source = {};
	struct scratch *scratch;
	enum verdict verdict;
	__u64 position;
	__u32 zero = 0;

	if (!is_tcp(sk) || !take_scratch(&scratch))
		return 0;
	fresh = bpf_map_lookup_elem(&fresh_connections, &zero);
	if (!fresh) {
		leave_scratch(scratch);
		return 0;
	}
	__builtin_memset(fresh, 0, sizeof(*fresh));
	if (!is_adoption_complete)
		fresh->flags |= CONNECTION_JOINED;
	position = advance(sk, fresh, result, way);
	if (!(flags & MSG_TRUNC))
		kind = find_source(scratch, &source);
	verdict = judge_call(scratch, fresh, kind, &source, result, way);
	if (verdict == VERDICT_NOTHING && !(fresh->flags & CONNECTION_JOINED)) {
		*place_of(sk) = (__u64)sk;
		leave_scratch(scratch);
		return 0;
	}
	connection = bpf_sk_storage_get(&connections, sk, fresh, BPF_SK_STORAGE_GET_F_CREATE);
	if (connection) {
		follow(sk, connection, scratch, verdict, kind, &source, position, result, way);
		forget_ignored(sk, connection);
	} else {
		count_loss(PAYLOAD_LOSS_SOCKET_STATE);
	}
	leave_scratch(scratch);
	return 0;
}

static __always_inline void passed(struct sock *sk, int result, int flags, enum payload_way way)
{
	struct connection *connection;

	if (result <= 0 || sk->sk_protocol != IPPROTO_TCP || flags & (MSG_PEEK | MSG_ERRQUEUE))
		return;
	if (*place_of(sk) == (__u64)sk)
		return;
	connection = bpf_sk_storage_get(&connections, sk, NULL, 0);
	if (!connection) {
		first_call(sk, result, flags, way);
		return;
	}
	switch (connection->class) {
	case CLASS_UNKNOWN:
		next_call(sk, connection, result, flags, way);
		break;
	case CLASS_TLS:
		note_tls_call(connection);
		return;
	case CLASS_HTTP1:
	case CLASS_HTTP2:
		http_call(sk, connection, result, flags, way);
		break;
	}
	forget_ignored(sk, connection);
}

/* The socket goes away; until then its process may still read what had come before a reset. */
static __always_inline void destroyed(struct sock *sk)
{
	struct connection *connection;

	if (*place_of(sk) == (__u64)sk)
		*place_of(sk) = 0;
	connection = bpf_sk_storage_get(&connections, sk, NULL, 0);
	if (!connection)
		return;
	if (connection->class == CLASS_TLS) {
		tls_ends(connection);
		return;
	}
	if (!(connection->flags & CONNECTION_TOLD))
		return;
	if (!(connection->flags & CONNECTION_RESET))
		settle_both(sk, connection);
	tell_closed(connection);
}

#endif
