/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Kernel types and constants that only UDP needs; kernel.h says how they are used.
 *
 * Owns declarations and the shims that read them.
 */
#ifndef WEIR_UDP_KERNEL_BPF_H
#define WEIR_UDP_KERNEL_BPF_H

#include "call.bpf.h"
#include "socket.bpf.h"

/* include/linux/net.h, include/linux/socket.h, include/net/sock.h, include/uapi/linux/udp.h. */
enum {
	SOCK_DGRAM = 2,
	MSG_PEEK = 0x2,
	MSG_ERRQUEUE = 0x2000,
	RCV_SHUTDOWN = 1,
	SOCK_BINDADDR_LOCK = 4,
	SOCK_BINDPORT_LOCK = 8,
	SOL_UDP = 17,
	UDP_SEGMENT = 103,
	UDP_GRO = 104,
};

/* A bit of udp_sock.udp_flags; its enum has no name to relocate by. */
enum {
	UDP_FLAGS_GRO_ENABLED = 3,
};

/* RFC 768, RFC 791, RFC 8200. */
enum {
	UDP_HEADER_BYTES = 8,
	IPV4_SOURCE_OFFSET = 12,
	IPV4_DESTINATION_OFFSET = 16,
	IPV6_SOURCE_OFFSET = 8,
	IPV6_DESTINATION_OFFSET = 24,
};

/* Contexts of cgroup programs, include/uapi/linux/bpf.h; stable ABI, so no relocations. */
struct bpf_sock {
	__u32 bound_dev_if;
	__u32 family;
	__u32 type;
	__u32 protocol;
	__u32 mark;
	__u32 priority;
	__u32 src_ip4;
	__u32 src_ip6[4];
	__u32 src_port;
	__be16 dst_port;
	__u32 dst_ip4;
	__u32 dst_ip6[4];
	__u32 state;
};

struct bpf_sock_addr {
	__u32 user_family;
	__u32 user_ip4;
	__u32 user_ip6[4];
	__u32 user_port;
	__u32 family;
	__u32 type;
	__u32 protocol;
	__u32 msg_src_ip4;
	__u32 msg_src_ip6[4];
	struct bpf_sock *sk __attribute__((aligned(8)));
};

/* User space's own structures on 64-bit machines; the others are in call.bpf.h. */
struct user_mmsghdr {
	struct user_msghdr header;
	__u64 len;
};

struct user_cmsghdr {
	__u64 len;
	__s32 level;
	__s32 type;
};

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct udp_sock {
	int pending;
	__u16 gso_size;
	unsigned long udp_flags;
};

/* Until "udp: move udp->gro_enabled to udp->udp_flags" (6.7). */
struct udp_sock___until_6_7 {
	unsigned char gro_enabled : 1;
};

typedef struct {
	int counter;
} atomic_t;

struct refcount_struct {
	atomic_t refs;
};

typedef struct refcount_struct refcount_t;

struct sk_buff {
	struct sock *sk;
	unsigned int len;
	unsigned int data_len;
	unsigned char *head;
	unsigned char *data;
	unsigned int end;
	__u16 transport_header;
	__u16 network_header;
	refcount_t users;
};

struct skb_shared_info {
	unsigned short gso_size;
};

struct bpf_iter__udp {
	struct bpf_iter_meta *meta;
	struct udp_sock *udp_sk;
};

struct bpf_iter__bpf_sk_storage_map {
	struct bpf_iter_meta *meta;
	struct bpf_map *map;
	struct sock *sk;
	void *value;
};

#pragma clang attribute pop

/* The same socket, with the fields that only UDP's have; since 6.2. */
static __always_inline const struct udp_sock *udp_sock(struct sock *sk)
{
	return bpf_rdonly_cast(sk, bpf_core_type_id_kernel(struct udp_sock));
}

static __always_inline bool receives_merged(struct sock *sk)
{
	const struct udp_sock *up = udp_sock(sk);

	if (bpf_core_field_exists(up->udp_flags))
		return up->udp_flags & (1UL << UDP_FLAGS_GRO_ENABLED);
	return BPF_CORE_READ_BITFIELD((const struct udp_sock___until_6_7 *)up, gro_enabled);
}

#endif
