/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * NAT: the table of translated conversations, which nat.bpf.c fills and other probes read.
 */
#ifndef WEIR_NAT_BPF_H
#define WEIR_NAT_BPF_H

#include "socket.bpf.h"
#include "nat.record.h"

/* By what each end's socket knows. The least used go first: most ends are on other hosts. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	/* Set to translations_max before loading, or another object's. */
	__uint(max_entries, 1);
	__type(key, struct nat_key);
	__type(value, struct nat_translation);
} translations SEC(".maps");

static __always_inline bool nat_is_scoped(const struct nat_key *key)
{
	return address_is_loopback((const union address *)key->local) ||
	       address_is_loopback((const union address *)key->remote);
}

static __always_inline struct nat_translation *find_translation(struct sock *sk, __u8 protocol)
{
	struct nat_key key = { .protocol = protocol };

	local_address((union address *)key.local, sk, TYPED);
	remote_address((union address *)key.remote, sk, TYPED);
	key.local_port = local_port(sk);
	key.remote_port = remote_port(sk, TYPED);
	if (nat_is_scoped(&key))
		key.netns = netns_of_sock(sk, TYPED);
	return bpf_map_lookup_elem(&translations, &key);
}

#endif
