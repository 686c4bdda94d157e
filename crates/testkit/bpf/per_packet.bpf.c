// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The yardstick of `make bench`: the least that accounting per packet costs.
 *
 * Adds bytes and packets to a hash by 5-tuple, at a TC hook, and lets the packet pass. Owns no
 * names, no direction, no TCP state: every tool that works per packet does this and more.
 * Needs nothing but the kernel's own user-space headers; `scripts/bench` compiles and loads it.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/pkt_cls.h>

#define SEC(name) __attribute__((section(name), used))
#define ENTRIES_MAX 524288

enum {
	ETH_IPV4 = 0x0008, /* ETH_P_IP and ETH_P_IPV6 as they are in the packet */
	ETH_IPV6 = 0xdd86,
	FRAGMENT_OFFSET = 0xff1f, /* network order */
};

struct tuple {
	__u32 source[4];
	__u32 destination[4];
	__u16 source_port;
	__u16 destination_port;
	__u8 protocol;
	__u8 pad[3];
};

struct counts {
	__u64 bytes;
	__u64 packets;
};

struct {
	int (*type)[BPF_MAP_TYPE_HASH];
	int (*max_entries)[ENTRIES_MAX];
	struct tuple *key;
	struct counts *value;
} flows SEC(".maps");

/* Packets of flows that found no room: [0]. */
struct {
	int (*type)[BPF_MAP_TYPE_ARRAY];
	int (*max_entries)[1];
	__u32 *key;
	__u64 *value;
} lost SEC(".maps");

static void *(*const map_lookup)(void *map, const void *key) = (void *)BPF_FUNC_map_lookup_elem;
static long (*const map_update)(void *map, const void *key, const void *value,
				__u64 flags) = (void *)BPF_FUNC_map_update_elem;

static inline __attribute__((always_inline)) void count_lost(void)
{
	__u32 zero = 0;
	__u64 *count = map_lookup(&lost, &zero);

	if (count)
		__sync_fetch_and_add(count, 1);
}

/* Fills the ports from what follows the IP header; false where the packet is too short. */
static inline __attribute__((always_inline)) int ports(struct tuple *tuple, void *transport,
						       void *end)
{
	__u16 *pair = transport;

	if (tuple->protocol != IPPROTO_TCP && tuple->protocol != IPPROTO_UDP)
		return 1;
	if ((void *)(pair + 2) > end)
		return 0;
	tuple->source_port = pair[0];
	tuple->destination_port = pair[1];
	return 1;
}

static inline __attribute__((always_inline)) int read_tuple(struct __sk_buff *skb,
							    struct tuple *tuple)
{
	void *data = (void *)(long)skb->data;
	void *end = (void *)(long)skb->data_end;
	struct ethhdr *ethernet = data;
	struct ipv6hdr *ipv6 = (void *)(ethernet + 1);
	struct iphdr *ipv4 = (void *)(ethernet + 1);

	if ((void *)(ethernet + 1) > end)
		return 0;
	if (ethernet->h_proto == ETH_IPV4) {
		if ((void *)(ipv4 + 1) > end)
			return 0;
		tuple->source[0] = ipv4->saddr;
		tuple->destination[0] = ipv4->daddr;
		tuple->protocol = ipv4->protocol;
		if (ipv4->frag_off & FRAGMENT_OFFSET)
			return 1;
		return ports(tuple, (void *)ipv4 + ipv4->ihl * 4, end);
	}
	if (ethernet->h_proto == ETH_IPV6) {
		if ((void *)(ipv6 + 1) > end)
			return 0;
		__builtin_memcpy(tuple->source, &ipv6->saddr, sizeof(tuple->source));
		__builtin_memcpy(tuple->destination, &ipv6->daddr, sizeof(tuple->destination));
		tuple->protocol = ipv6->nexthdr;
		return ports(tuple, ipv6 + 1, end);
	}
	return 0;
}

SEC("tc")
int per_packet(struct __sk_buff *skb)
{
	struct tuple tuple = {};
	struct counts *counts;

	if (!read_tuple(skb, &tuple))
		return TC_ACT_UNSPEC; /* not IP: nothing to account */
	counts = map_lookup(&flows, &tuple);
	if (counts) {
		__sync_fetch_and_add(&counts->bytes, skb->len);
		__sync_fetch_and_add(&counts->packets, 1);
	} else {
		struct counts first = { .bytes = skb->len, .packets = 1 };

		if (map_update(&flows, &tuple, &first, BPF_ANY))
			count_lost();
	}
	return TC_ACT_UNSPEC;
}

char dual_license[] SEC("license") = "Dual BSD/GPL";
