/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * TCP: what is kept per socket (mark), what one reading adds (delta), and the sums by key.
 *
 * Owns the maps of marks and sums and their locking. When a socket is read is tcp.bpf.c's.
 *
 * A plain hash by the socket's address holds the marks, not socket storage: socket storage costs
 * 192 bytes a socket for its list head alone and as much again for the mark (6.18), this costs
 * 128 in all. An address is only a key here: a mark is believed while the socket's cookie is the
 * one in it, and a socket's mark is removed when the socket is destroyed.
 */
#ifndef WEIR_TCP_SUMS_BPF_H
#define WEIR_TCP_SUMS_BPF_H

#include "socket.bpf.h"
#include "tcp.record.h"

enum mark_flag {
	/* The connection is, or was, established. */
	MARK_ESTABLISHED = 1 << 0,
	/* Its opening is in the sums, so its key must not change any more. */
	MARK_OPENING_TOLD = 1 << 1,
	/* It was open before it was watched. */
	MARK_ADOPTED = 1 << 2,
	/* The last reading was taken. */
	MARK_CLOSED = 1 << 3,
	/* Its other end is not the one that the socket sees (tcp_nat.bpf.h). */
	MARK_TRANSLATED = 1 << 4,
	/* Another socket was found at its address, once (tcp_read_sockets()). */
	MARK_DOUBTED = 1 << 5,
};

/* What was read last, and whose it is. 64 bytes make an element of the hash fill 128. */
struct mark {
	__u64 bytes_sent;
	__u64 bytes_received;
	__u32 segs_out;
	__u32 segs_in;
	__u32 retransmits;
	/* Low half of the socket's cookie. */
	__u32 cookie;
	/* While connecting: when that began, in microseconds. Then: how long it took; 0: unseen. */
	__u32 connect_us;
	struct process process;
	struct bpf_spin_lock lock;
	__u8 role;
	__u8 flags;
	/* struct tcp_key */
	__u16 dialled;
};

_Static_assert(sizeof(struct mark) == 64, "a larger mark doubles what a connection costs");

/* The socket's own counters, with the corrections that make bytes the application's. */
struct reading {
	__u64 bytes_sent;
	__u64 bytes_received;
	__u32 segs_out;
	__u32 segs_in;
	__u32 retransmits;
	__u32 rtt_us;
	__u32 jitter_us;
};

enum delta_event {
	DELTA_OPENED = 1 << 0,
	DELTA_ADOPTED = 1 << 1,
	DELTA_CLOSED = 1 << 2,
	DELTA_REFUSED = 1 << 3,
	DELTA_TIMED_OUT = 1 << 4,
	DELTA_RESET = 1 << 5,
	DELTA_FAILED = 1 << 6,
	DELTA_RESET_SENT = 1 << 7,
	DELTA_RESET_RECEIVED = 1 << 8,
	/* A reading whose delay is worth a sample. */
	DELTA_SAMPLED = 1 << 9,
};

struct delta {
	__u64 bytes_sent;
	__u64 bytes_received;
	__u32 segs_out;
	__u32 segs_in;
	__u32 retransmits;
	__u32 rtt_us;
	__u32 jitter_us;
	__u32 connect_us;
	__u32 events;
	struct process process;
	__u8 role;
	bool is_translated;
	__u16 dialled;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	/* Set to sockets_max before loading. */
	__uint(max_entries, 1);
	__type(key, __u64);
	__type(value, struct mark);
} marks SEC(".maps");

/*
 * Two tables of sums: programs add to one while user space empties the other. User space changes
 * sums_in_use and waits for a grace period of RCU, after which no program can hold a pointer into
 * the table that it is about to empty: nothing is lost between reading an element and deleting it.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	/* Set to sums_max before loading. */
	__uint(max_entries, 1);
	__type(key, struct tcp_key);
	__type(value, struct tcp_sum);
} sums_0 SEC(".maps"), sums_1 SEC(".maps");

volatile __u32 sums_in_use;
volatile __u64 losses[TCP_LOSS_REASONS];

/* Whether a client's port is left out of the key. */
const volatile bool fold_client_port = true;

static const struct tcp_sum no_sum;

static __always_inline void count_loss(enum tcp_loss reason)
{
	__sync_fetch_and_add(&losses[reason], 1);
}

#include "tcp_nat.bpf.h"

/* One lookup where the key is known already, which is nearly always. */
static __always_inline struct tcp_sum *find_sum(void *sums, const struct tcp_key *key)
{
	struct tcp_sum *sum = bpf_map_lookup_elem(sums, key);

	if (sum)
		return sum;
	/* Another CPU may be first: the lookup below finds its element. */
	bpf_map_update_elem(sums, key, &no_sum, BPF_NOEXIST);
	return bpf_map_lookup_elem(sums, key);
}

static __always_inline void add_sample(__u32 value, __u64 *total, __u32 *min, __u32 *max,
				       bool is_first)
{
	*total += value;
	if (is_first || value < *min)
		*min = value;
	if (is_first || value > *max)
		*max = value;
}

/*
 * 1 if the event is there, without a branch: as a condition, each of these would double the paths
 * that the verifier walks, and 6.1 gives up after a million instructions. (A function of its own
 * is no way out: until 6.2, be2ef8161572, a program with functions is hardly pruned at all.)
 */
static __always_inline __u32 has(__u32 events, enum delta_event event)
{
	return (events >> __builtin_ctz(event)) & 1;
}

static __always_inline void add_events(struct tcp_sum *sum, __u32 events)
{
	sum->connections += has(events, DELTA_OPENED);
	sum->adopted += has(events, DELTA_ADOPTED);
	sum->closures += has(events, DELTA_CLOSED);
	sum->connect_refused += has(events, DELTA_REFUSED);
	sum->connect_timeout += has(events, DELTA_TIMED_OUT);
	sum->connect_reset += has(events, DELTA_RESET);
	sum->connect_failed_other += has(events, DELTA_FAILED);
	sum->resets_sent += has(events, DELTA_RESET_SENT);
	sum->resets_received += has(events, DELTA_RESET_RECEIVED);
}

static __always_inline void add_delta(struct tcp_sum *sum, const struct delta *delta)
{
	bpf_spin_lock(&sum->lock);
	sum->bytes_sent += delta->bytes_sent;
	sum->bytes_received += delta->bytes_received;
	sum->packets_sent += delta->segs_out;
	sum->packets_received += delta->segs_in;
	sum->retransmits += delta->retransmits;
	add_events(sum, delta->events);
	if (delta->events & DELTA_SAMPLED) {
		bool is_first = sum->rtt_count++ == 0;

		add_sample(delta->rtt_us, &sum->rtt_us_sum, &sum->rtt_us_min, &sum->rtt_us_max,
			   is_first);
		add_sample(delta->jitter_us, &sum->jitter_us_sum, &sum->jitter_us_min,
			   &sum->jitter_us_max, is_first);
	}
	if ((delta->events & DELTA_OPENED) && delta->connect_us)
		add_sample(delta->connect_us, &sum->connect_us_sum, &sum->connect_us_min,
			   &sum->connect_us_max, sum->connect_count++ == 0);
	__builtin_memcpy(sum->comm, delta->process.comm, sizeof(sum->comm));
	bpf_spin_unlock(&sum->lock);
}

static __always_inline void read_peer(struct tcp_key *key, struct sock *sk)
{
	__u64 address = (__u64)sk;
	struct nat_end *peer = bpf_map_lookup_elem(&peers, &address);

	if (!peer)
		return;
	__builtin_memcpy(key->remote, peer->address, sizeof(key->remote));
	key->remote_port = peer->port;
}

static __always_inline void read_key(struct tcp_key *key, struct sock *sk,
				     const struct delta *delta, enum pointer_kind kind)
{
	local_address((union address *)key->local, sk, kind);
	remote_address((union address *)key->remote, sk, kind);
	key->cgroup_id = cgroup_id_of_sock(sk, kind);
	key->netns = netns_of_sock(sk, kind);
	key->tgid = delta->process.tgid;
	key->local_port = local_port(sk);
	key->remote_port = remote_port(sk, kind);
	key->dialled = delta->dialled;
	if (delta->is_translated)
		read_peer(key, sk);
	if (fold_client_port && delta->role == TCP_ROLE_CLIENT)
		key->local_port = 0;
	if (fold_client_port && delta->role == TCP_ROLE_SERVER)
		key->remote_port = 0;
	key->role = delta->role;
	key->pad = 0;
}

/* Adds what happened on a socket to the sum of its key. */
static __always_inline void tell(struct sock *sk, const struct delta *delta,
				 enum pointer_kind kind)
{
	struct tcp_key key;
	struct tcp_sum *sum;

	read_key(&key, sk, delta, kind);
	sum = sums_in_use ? find_sum(&sums_1, &key) : find_sum(&sums_0, &key);
	if (sum)
		add_delta(sum, delta);
	else
		count_loss(TCP_LOSS_SUMS_FULL);
}

/*
 * bytes_sent counts retransmitted payload again; bytes_received counts a received FIN as one byte,
 * and SOCK_DONE says that there was one (tcp_fin()). The smoothed delay is kept times 8 and its
 * variation times 4 (RFC 6298); TCP_INFO's tcpi_rttvar is mdev_us and not rttvar_us.
 */
static __always_inline void read_counters(struct reading *out, struct tcp_sock *tp,
					  enum pointer_kind kind)
{
	struct sock *sk = (struct sock *)tp;
	__u64 done = 1ULL << bpf_core_enum_value(enum sock_flags, SOCK_DONE);
	__u64 retransmitted = FIELD(kind, tp, bytes_retrans);

	out->bytes_received = FIELD(kind, tp, bytes_received);
	if (out->bytes_received && (FIELD(kind, sk, __sk_common.skc_flags) & done))
		out->bytes_received--;
	out->bytes_sent = FIELD(kind, tp, bytes_sent) - retransmitted;
	out->segs_out = FIELD(kind, tp, segs_out);
	out->segs_in = FIELD(kind, tp, segs_in);
	out->retransmits = FIELD(kind, tp, total_retrans);
	out->rtt_us = FIELD(kind, tp, srtt_us) >> 3;
	out->jitter_us = FIELD(kind, tp, mdev_us) >> 2;
}

/*
 * Differences of counters, without branches (see has()): a negative one is 0, but for the one byte
 * that a byte counter may give back (struct tcp_sum).
 */
static __always_inline __u64 bytes_since(__u64 now, __u64 last)
{
	__s64 difference = now - last;
	__s64 is_below = (difference + 1) >> 63;

	barrier_var(is_below);
	return difference & ~is_below;
}

static __always_inline __u32 segments_since(__u32 now, __u32 last)
{
	__s64 difference = (__s32)(now - last);
	__s64 is_below = difference >> 63;

	barrier_var(is_below);
	return difference & ~is_below;
}

/* Whose it is, and with whom. The caller holds mark->lock. */
static __always_inline void take_owner(const struct mark *mark, struct delta *delta)
{
	delta->process = mark->process;
	delta->role = mark->role;
	delta->is_translated = mark->flags & MARK_TRANSLATED;
	delta->dialled = mark->dialled;
}

/*
 * What changed since the last reading, which this reading becomes. The caller holds mark->lock,
 * so that a socket closing on one CPU and the reading of all sockets on another count once.
 */
static __always_inline void take_delta(struct mark *mark, const struct reading *now,
				       struct delta *delta)
{
	delta->bytes_sent = bytes_since(now->bytes_sent, mark->bytes_sent);
	delta->bytes_received = bytes_since(now->bytes_received, mark->bytes_received);
	delta->segs_out = segments_since(now->segs_out, mark->segs_out);
	delta->segs_in = segments_since(now->segs_in, mark->segs_in);
	delta->retransmits = segments_since(now->retransmits, mark->retransmits);
	mark->bytes_sent = now->bytes_sent;
	mark->bytes_received = now->bytes_received;
	mark->segs_out = now->segs_out;
	mark->segs_in = now->segs_in;
	mark->retransmits = now->retransmits;
	delta->rtt_us = now->rtt_us;
	delta->jitter_us = now->jitter_us;
	delta->events = now->rtt_us ? DELTA_SAMPLED : 0;
	if ((mark->flags & MARK_ESTABLISHED) && !(mark->flags & MARK_OPENING_TOLD)) {
		delta->events |= mark->flags & MARK_ADOPTED ? DELTA_ADOPTED : DELTA_OPENED;
		mark->flags |= MARK_OPENING_TOLD;
	}
	delta->connect_us = mark->connect_us;
	take_owner(mark, delta);
}

#endif
