/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * UDP: the local address of a socket that is bound to none, where no packet is at hand to tell.
 *
 * Owns a guess that is the kernel's own choice unless routes were made by hand, or is not made: the
 * address on the remote end's subnet, or the only one that there is. The kernel chooses by route,
 * which nothing tells to a program; a host with several addresses that talks through a router is
 * left without.
 */
#ifndef WEIR_UDP_LOCAL_BPF_H
#define WEIR_UDP_LOCAL_BPF_H

#include "udp_kernel.bpf.h"

enum {
	/* Interfaces and addresses of each that are looked at; with more, no guess is made. */
	DEVICES_MAX = 64,
	ADDRESSES_MAX = 4,
	/* RT_SCOPE_UNIVERSE, and what ipv6_addr_scope() makes of a global address. */
	SCOPE_GLOBAL = 0,
};

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct list_head {
	struct list_head *next;
};

struct in_ifaddr {
	struct in_ifaddr *ifa_next;
	__be32 ifa_local;
	__be32 ifa_mask;
	unsigned char ifa_scope;
};

struct in_device {
	struct in_ifaddr *ifa_list;
};

struct inet6_ifaddr {
	struct in6_addr addr;
	__u32 prefix_len;
	__u16 scope;
	struct list_head if_list;
};

struct inet6_dev {
	struct list_head addr_list;
};

struct net_device {
	struct list_head dev_list;
	struct in_device *ip_ptr;
	struct inet6_dev *ip6_ptr;
};

struct net___with_devices {
	struct list_head dev_base_head;
};

#pragma clang attribute pop

/* Whether there is need to guess: where packets are at hand, they tell. */
const volatile bool guesses_local = false;

struct search {
	union address remote;
	union address found;
	struct list_head *head;
	struct list_head *link;
	__u32 count;
	bool is_on_link;
};

static __always_inline void consider(struct search *search, const union address *address,
				     bool is_on_link)
{
	search->found = *address;
	search->count++;
	search->is_on_link = is_on_link;
}

static __noinline int search_ipv4(struct search *search, const struct in_device *device)
{
	const struct in_ifaddr *at = BPF_CORE_READ(device, ifa_list);

	for (int i = 0; i < ADDRESSES_MAX && at && !search->is_on_link; i++) {
		__be32 local = BPF_CORE_READ(at, ifa_local);
		__be32 differing = (local ^ search->remote.words[3]) & BPF_CORE_READ(at, ifa_mask);
		union address address;

		address_from_ipv4(&address, local);
		if (BPF_CORE_READ(at, ifa_scope) == SCOPE_GLOBAL)
			consider(search, &address, !differing);
		at = BPF_CORE_READ(at, ifa_next);
	}
	return 0;
}

static __always_inline bool shares_prefix(const union address *a, const union address *b,
					  __u32 bits)
{
	__u64 high = bpf_be64_to_cpu(a->halves[0] ^ b->halves[0]);
	__u64 low = bpf_be64_to_cpu(a->halves[1] ^ b->halves[1]);

	if (bits == 0 || bits > 128)
		return false;
	if (bits <= 64)
		return !(high >> (64 - bits));
	return !high && !(low >> (128 - bits));
}

static __noinline int search_ipv6(struct search *search, struct inet6_dev *device)
{
	struct list_head *head = __builtin_preserve_access_index(&device->addr_list);
	struct list_head *link = BPF_CORE_READ(head, next);

	for (int i = 0; i < ADDRESSES_MAX && link != head && !search->is_on_link; i++) {
		struct inet6_ifaddr *at =
			(void *)link - bpf_core_field_offset(struct inet6_ifaddr, if_list);
		union address address;

		bpf_core_read(&address, sizeof(address), &at->addr);
		if (BPF_CORE_READ(at, scope) == SCOPE_GLOBAL)
			consider(search, &address,
				 shares_prefix(&address, &search->remote,
					       BPF_CORE_READ(at, prefix_len)));
		link = BPF_CORE_READ(link, next);
	}
	return 0;
}

/* One interface; not 0: enough. */
static long search_device(__u32 index, struct search *search)
{
	struct list_head *link = search->link;
	struct net_device *device =
		(void *)link - bpf_core_field_offset(struct net_device, dev_list);

	if (link == search->head || search->is_on_link)
		return 1;
	if (address_is_mapped(&search->remote)) {
		struct in_device *ipv4 = BPF_CORE_READ(device, ip_ptr);

		if (ipv4)
			search_ipv4(search, ipv4);
	} else {
		struct inet6_dev *ipv6 = BPF_CORE_READ(device, ip6_ptr);

		if (ipv6)
			search_ipv6(search, ipv6);
	}
	search->link = BPF_CORE_READ(link, next);
	return 0;
}

/*
 * Leaves `local` as it is where no address can be told. Not static, so that the verifier looks at
 * it once and not for each caller's every state; such a function takes no pointer to the kernel's
 * memory but as a number.
 */
__noinline int guess_local_toward(union address *local, const union address *remote,
				  __u64 namespace)
{
	struct net___with_devices *net = (void *)namespace;
	struct search search = {};
	struct list_head *head;

	if (!guesses_local || !local || !remote)
		return 0;
	if (address_is_loopback(remote)) {
		*local = *remote;
		return 0;
	}
	head = __builtin_preserve_access_index(&net->dev_base_head);
	search.remote = *remote;
	search.head = head;
	search.link = BPF_CORE_READ(head, next);
	bpf_loop(DEVICES_MAX, search_device, &search, 0);
	if (search.is_on_link || (search.count == 1 && search.link == head))
		*local = search.found;
	return 0;
}

static __always_inline void guess_local(union address *local, struct sock *sk,
					const union address *remote)
{
	if (guesses_local)
		guess_local_toward(local, remote,
				   (__u64)BPF_CORE_READ(sk, __sk_common.skc_net.net));
}

#endif
