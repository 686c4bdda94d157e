/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * TCP: who is really at the other end of a translated connection, and what its client dialled.
 *
 * Owns what is kept of it per socket. The table of translations is nat.bpf.h's. A connection that
 * is not translated costs one lookup there, and no memory.
 */
#ifndef WEIR_TCP_NAT_BPF_H
#define WEIR_TCP_NAT_BPF_H

#include "../nat/nat.bpf.h"
#include "tcp.record.h"

/* Whether connection tracking is listened to. */
const volatile bool reads_nat;

/* The other end of sockets with MARK_TRANSLATED. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	/* Set to sockets_max before loading. */
	__uint(max_entries, 1);
	__type(key, __u64);
	__type(value, struct nat_end);
} peers SEC(".maps");

/*
 * Numbers, from 1, of what clients dialled: a number in the key of a sum is smaller than an end.
 * They are those of Services, so few, and none is given back.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, TCP_DIALLED_MAX);
	__type(key, struct nat_end);
	__type(value, __u32);
} dialled_numbers SEC(".maps");

/* How many numbers were given, and how many of those are in the table. */
volatile __u32 dialled_given, dialled_changes;

struct translated {
	bool is_translated;
	__u16 dialled;
};

/* 0: nothing was dialled elsewhere, or too much by all. */
static __always_inline __u16 number_of_dialled(const struct nat_end *dialled)
{
	__u32 *known = bpf_map_lookup_elem(&dialled_numbers, dialled);
	__u32 number;

	if (known)
		return *known;
	number = __sync_fetch_and_add(&dialled_given, 1) + 1;
	if (number > TCP_DIALLED_MAX ||
	    bpf_map_update_elem(&dialled_numbers, dialled, &number, BPF_NOEXIST)) {
		/* Another CPU may be first. */
		known = bpf_map_lookup_elem(&dialled_numbers, dialled);
		if (!known)
			count_loss(TCP_LOSS_DIALLED_FULL);
		return known ? *known : 0;
	}
	__sync_fetch_and_add(&dialled_changes, 1);
	return number;
}

/* Looks whether the socket's connection is translated, and keeps its other end if so. */
static __always_inline void translate(struct sock *sk, struct translated *out)
{
	struct nat_translation *found;
	struct nat_end peer, dialled;
	__u64 key = (__u64)sk;

	out->is_translated = false;
	out->dialled = 0;
	if (!reads_nat)
		return;
	found = find_translation(sk, IPPROTO_TCP);
	if (!found)
		return;
	/* Copies: an element of the table may be given to another conversation at any time. */
	peer = found->peer;
	dialled = found->dialled;
	if (bpf_map_update_elem(&peers, &key, &peer, BPF_ANY)) {
		count_loss(TCP_LOSS_PEERS_FULL);
		return;
	}
	out->is_translated = true;
	out->dialled = number_of_dialled(&dialled);
}

#endif
