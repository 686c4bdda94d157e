/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A connection: what is kept of it, how far it has come, and the records that tell of it.
 *
 * Owns the storage of sockets, the ring buffer, the lists of what is left out and the counting of
 * losses. When a connection is looked at is payload_calls.bpf.h's.
 *
 * Positions are taken from the socket's own sequence numbers, so that what no program saw (a
 * splice(), a full ring) leaves a gap of the right size. Two threads in one socket at once may
 * see each other's numbers: a position is late then, and right again with the next call.
 */
#ifndef WEIR_PAYLOAD_CONNECTION_BPF_H
#define WEIR_PAYLOAD_CONNECTION_BPF_H

#include "../nat/nat.bpf.h"
#include "payload_bytes.bpf.h"

enum class {
	CLASS_UNKNOWN = 0,
	CLASS_IGNORED,
	CLASS_TLS,
	CLASS_HTTP1,
	CLASS_HTTP2,
};

enum connection_flag {
	/* It may be in the middle: open before it was watched, or behind a proxy's greeting. */
	CONNECTION_JOINED = 1 << 0,
	/* User space knows of it. */
	CONNECTION_TOLD = 1 << 1,
	CONNECTION_RESET = 1 << 2,
	/* One for each way: its sequence numbers are known. */
	CONNECTION_PLACED = 1 << 3,
};

enum {
	/* Calls of a connection joined in the middle that are judged. */
	JOINED_CALLS_MAX = 8,
};

struct connection {
	/* Sequence number after the last call, each way; the high half counts its turns. */
	__u64 end[PAYLOAD_WAYS];
	__u64 id;
	/* When the first of the bytes in `start` were passed. */
	__u64 start_ns;
	/* Sequence number of what is position 0, each way. */
	__u32 origin[PAYLOAD_WAYS];
	/* enum class */
	__u8 class;
	/* enum connection_flag */
	__u8 flags;
	/* Calls that were judged without a verdict. */
	__u8 calls;
	__u8 start_way;
	__u8 start_bytes;
	/* Calls since the beginning of a message, each way. */
	__u8 head_calls[PAYLOAD_WAYS];
	__u8 pad[5];
	/* The table of ignored connections as it was when it was last looked into. */
	__u32 ignored_changes;
	union {
		/* Bytes that could be the beginning of something known. */
		struct start start;
		/* And once that turned out to be HTTP/2, where its frames are. */
		struct frames frames[PAYLOAD_WAYS];
	};
};

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct connection);
} connections SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	/* Set to payload_ring_bytes before loading. */
	__uint(max_entries, 4096);
} payloads SEC(".maps");

/* What is left out, or what alone is let in. Sizes are set before loading. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, __u16);
	__type(value, __u8);
} ports SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, char[COMM_BYTES]);
	__type(value, __u8);
} processes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1);
	__type(key, __u64);
	__type(value, __u8);
} cgroups SEC(".maps");

/* Whether the list of processes says who is let in, not who is left out. */
const volatile bool processes_are_let_in = false;
/* Whether conversations with a loopback address count. */
const volatile bool count_loopback = true;
/* Whether of two ends in one network namespace the server's alone is told. */
const volatile bool one_end = true;
/* Whether NAT's table is another object's, which fills it. */
const volatile bool reads_nat;
/* What is copied of one call. */
const volatile __u32 head_bytes_max = 4096;
const volatile __u32 frame_bytes_max = PAYLOAD_BYTES_MAX;
/* More than this in the ring wakes user space. */
const volatile __u32 wake_bytes = 1;

/* Set by user space before it sleeps. */
volatile __u32 is_asleep;

/* Set once all connections that existed at start are known to be such. */
volatile bool is_adoption_complete;

/* Written by user space, which has had enough of a connection; then it counts the change. */
volatile __u64 ignored[PAYLOAD_IGNORED_MAX];
volatile __u32 ignored_changes;

volatile __u64 losses[PAYLOAD_LOSS_REASONS];

static __always_inline void count_loss(enum payload_loss reason)
{
	__sync_fetch_and_add(&losses[reason], 1);
}

/* User space looks often enough; it is woken only where the ring fills faster than that. */
static __always_inline __u64 wakeup(void)
{
	if (!is_asleep || bpf_ringbuf_query(&payloads, BPF_RB_AVAIL_DATA) < wake_bytes)
		return BPF_RB_NO_WAKEUP;
	is_asleep = 0;
	return BPF_RB_FORCE_WAKEUP;
}

/* For what cannot wait. */
static __always_inline __u64 wake_always(void)
{
	if (!is_asleep)
		return BPF_RB_NO_WAKEUP;
	is_asleep = 0;
	return BPF_RB_FORCE_WAKEUP;
}

static __always_inline bool take_scratch(struct scratch **scratch)
{
	__u32 zero = 0;

	*scratch = bpf_map_lookup_elem(&scratches, &zero);
	if (!*scratch)
		return false;
	if ((*scratch)->is_busy) {
		count_loss(PAYLOAD_LOSS_BUSY);
		return false;
	}
	(*scratch)->is_busy = 1;
	barrier();
	return true;
}

static __always_inline void leave_scratch(struct scratch *scratch)
{
	barrier();
	scratch->is_busy = 0;
}

/* Whether the other end's FIN was read: it takes one sequence number. */
static __always_inline bool has_read_fin(struct sock *sk, const struct tcp_sock___sequences *tp)
{
	return sk->__sk_common.skc_flags & 1UL << SOCK_DONE && tp->copied_seq == tp->rcv_nxt;
}

/* Notes how far the way has come; gives the position of what this call passed. */
static __always_inline __u64 advance(struct sock *sk, struct connection *connection, int result,
				     enum payload_way way)
{
	const struct tcp_sock___sequences *tp = tcp_sequences(sk);
	__u64 end = connection->end[way];
	__u32 now;

	if (!tp)
		return 0;
	/* The call that reads the last bytes may read the FIN, too. */
	now = way == PAYLOAD_SENT ? tp->write_seq : tp->copied_seq - has_read_fin(sk, tp);
	if (!(connection->flags & CONNECTION_PLACED << way)) {
		connection->flags |= CONNECTION_PLACED << way;
		connection->origin[way] = now - result;
		end = connection->origin[way];
	}
	end += (__s32)(now - (__u32)end);
	connection->end[way] = end;
	return end - result - connection->origin[way];
}

static __always_inline bool is_let_in(const struct payload_opened *opened)
{
	__u64 cgroup_id = opened->cgroup_id;
	__u16 port = opened->local_port;

	if (bpf_map_lookup_elem(&ports, &port))
		return false;
	port = opened->remote_port;
	if (bpf_map_lookup_elem(&ports, &port) || bpf_map_lookup_elem(&cgroups, &cgroup_id))
		return false;
	return !bpf_map_lookup_elem(&processes, opened->process.comm) != processes_are_let_in;
}

/*
 * Whether the other end is a socket of the same network namespace. Ends in two namespaces of one
 * host are found by user space, which sees both.
 */
static __always_inline bool is_other_end_here(const struct payload_opened *opened)
{
	const union address *local = (const union address *)opened->local;
	const union address *remote = (const union address *)opened->remote;

	return address_is_loopback(remote) || (local->halves[0] == remote->halves[0] &&
					       local->halves[1] == remote->halves[1]);
}

/*
 * Asked here: of most connections nothing is known, and user space need not ask the kernel. Not
 * inlined, so that the key is not on the stack of those who call on; 512 bytes are all there is.
 */
static __noinline bool is_translated(struct sock *sk)
{
	return find_translation(sk, IPPROTO_TCP);
}

static __always_inline void fill_opened(struct payload_opened *opened, struct sock *sk)
{
	__builtin_memset(opened, 0, sizeof(*opened));
	opened->id = bpf_get_socket_cookie(sk);
	opened->kind = PAYLOAD_OPENED;
	opened->netns = netns_of_sock(sk, TYPED);
	opened->cgroup_id = cgroup_id_of_sock(sk, TYPED);
	local_address((union address *)opened->local, sk, TYPED);
	remote_address((union address *)opened->remote, sk, TYPED);
	opened->local_port = local_port(sk);
	opened->remote_port = remote_port(sk, TYPED);
	opened->is_translated = reads_nat && is_translated(sk);
}

/*
 * Whether user space now knows of the connection and waits for what it passes. Of a client whose
 * server is here too it learns who it is, and the rest from the server's end. Whether the other
 * end of TLS can be read is not known here.
 */
static __always_inline bool tell_opened(struct payload_opened *opened,
					struct connection *connection)
{
	bool is_told, is_silent;

	opened->mono_ns = bpf_ktime_get_boot_ns();
	read_current_process(&opened->process);
	is_told = is_let_in(opened);
	if (is_told && address_is_loopback((union address *)opened->remote))
		is_told = count_loopback;
	is_silent = one_end && opened->role == PAYLOAD_ROLE_CLIENT && !opened->is_tls &&
		    is_other_end_here(opened);
	if (!is_told) {
		connection->class = CLASS_IGNORED;
		return false;
	}
	if (bpf_ringbuf_output(&payloads, opened, sizeof(*opened), wakeup())) {
		count_loss(PAYLOAD_LOSS_RING_FULL);
		connection->class = CLASS_IGNORED;
		return false;
	}
	connection->flags |= CONNECTION_TOLD;
	if (is_silent)
		connection->class = CLASS_IGNORED;
	return !is_silent;
}

/* How far a way has come, without a call. */
static __always_inline void settle(struct connection *connection, __u32 sequence,
				   enum payload_way way)
{
	__s32 unseen = sequence - (__u32)connection->end[way];

	if (connection->flags & CONNECTION_PLACED << way && unseen > 0)
		connection->end[way] += unseen;
}

static __always_inline void settle_both(struct sock *sk, struct connection *connection)
{
	const struct tcp_sock___sequences *tp = tcp_sequences(sk);

	if (!tp)
		return;
	/* A FIN of ours is sent with the shutdown. */
	settle(connection, tp->write_seq - !!(sk->sk_shutdown & SEND_SHUTDOWN), PAYLOAD_SENT);
	settle(connection, tp->copied_seq - has_read_fin(sk, tp), PAYLOAD_RECEIVED);
}

/* Afterwards the numbers may mean nothing: tcp_disconnect() makes them jump. */
static __always_inline void note_reset(struct sock *sk)
{
	struct connection *connection = bpf_sk_storage_get(&connections, sk, NULL, 0);

	if (!connection || connection->flags & CONNECTION_RESET)
		return;
	settle_both(sk, connection);
	connection->flags |= CONNECTION_RESET;
}

static __always_inline __u64 position_of(const struct connection *connection,
					 enum payload_way way)
{
	if (!(connection->flags & CONNECTION_PLACED << way))
		return 0;
	return connection->end[way] - connection->origin[way];
}

static __noinline int tell_closed(struct connection *connection)
{
	struct payload_closed closed = {
		.id = connection->id,
		.mono_ns = bpf_ktime_get_boot_ns(),
		.kind = PAYLOAD_CLOSED,
		.is_reset = !!(connection->flags & CONNECTION_RESET),
		.is_ignored = connection->class == CLASS_IGNORED,
	};

	connection->flags &= ~CONNECTION_TOLD;
	closed.positions[PAYLOAD_SENT] = position_of(connection, PAYLOAD_SENT);
	closed.positions[PAYLOAD_RECEIVED] = position_of(connection, PAYLOAD_RECEIVED);
	if (bpf_ringbuf_output(&payloads, &closed, sizeof(closed), wakeup()))
		count_loss(PAYLOAD_LOSS_RING_FULL);
	return 0;
}

/* The record is in the scratch memory, up to `captured` bytes. */
static __always_inline void tell_passed(struct scratch *scratch, struct connection *connection,
					__u64 position, __u32 length, __u32 captured,
					enum payload_way way)
{
	struct payload_passed *record = &scratch->record;

	record->id = connection->id;
	record->kind = PAYLOAD_PASSED;
	record->way = way;
	record->captured = captured;
	record->length = length;
	record->position = position;
	if (captured > PAYLOAD_BYTES_MAX + PIECE_BYTES_MAX)
		return;
	if (bpf_ringbuf_output(&payloads, record, sizeof(*record) + captured, wakeup()))
		count_loss(PAYLOAD_LOSS_RING_FULL);
}

#endif
