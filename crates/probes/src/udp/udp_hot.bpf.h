/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * UDP: a shorter way to count what a busy connected socket passes.
 *
 * Owns the table of hot sockets: which socket has a slot, and how a slot changes hands without
 * losing or mixing up a datagram. A socket's slot is found from its address in three instructions,
 * where asking for its storage costs 20 ns; of sockets that share a slot the first one to be busy
 * has it until it is closed, and the others count in their storage.
 *
 * Only calls on a socket use its slot, and no call is under way when it is released: so whoever
 * found itself the owner is still that when it adds. The reading once a window runs beside all of
 * this; it holds the slot meanwhile, so that a release hands the slot on only after it.
 */
#ifndef WEIR_UDP_HOT_BPF_H
#define WEIR_UDP_HOT_BPF_H

#include "../dns/dns_port.bpf.h"
#include "udp_sums.bpf.h"

enum {
	/* A power of two. */
	HOT_SOCKETS_MAX = 8192,
	/* A cache line. */
	HOT_BYTES = 64,
	/* Datagrams one way in a window that make a socket busy: most sockets pass a few and go. */
	HOT_AFTER = 16,
};

/* In the low bits of hot_socket.owner. */
enum hot_mark {
	/* Being folded by the reading: the socket counts in its storage meanwhile. */
	HOT_HELD = 1 << 0,
	/* Released while it was held: the reading frees the slot. */
	HOT_RELEASED = 1 << 1,
	HOT_MARKS = HOT_HELD | HOT_RELEASED,
};

struct hot_socket {
	/* The socket's address; 0: the slot is free. */
	__u64 owner;
	packed_count counts[2];
	/* The first remote end that the socket dealt with, as far as its key tells it. */
	union address remote;
	__be16 remote_port;
	/* The socket's; 0: it must count in its storage. */
	__u16 family;
	__u8 pad[HOT_BYTES - 3 * sizeof(__u64) - sizeof(union address) - 2 * sizeof(__u16)];
};

/* A variable and not a map of its own: those must be looked up, and do not begin at a line. */
struct hot_socket hot_sockets[HOT_SOCKETS_MAX] SEC(".bss.hot")
	__attribute__((aligned(HOT_BYTES)));

/*
 * The verifier forbids arithmetic on pointers, and a copy of half of one is none. Sockets lie at
 * few places within some pages: the bits above tell those apart.
 */
static __always_inline struct hot_socket *hot_of(const void *sk)
{
	__u32 low;

	asm("%0 = %1" : "=w"(low) : "w"((__u32)(__u64)sk));
	return (void *)hot_sockets + ((low ^ low >> 12) & (HOT_SOCKETS_MAX - 1) * HOT_BYTES);
}

/*
 * Whether the slot is the socket's, and its remote end is still the first one. What is not
 * connected any more has no remote port.
 */
static __always_inline bool is_hot(const struct hot_socket *hot, struct sock *sk)
{
	const __u32 *first = hot->remote.words;

	if (hot->owner != (__u64)sk || sk->__sk_common.skc_family != hot->family ||
	    sk->__sk_common.skc_dport != hot->remote_port)
		return false;
	if (sk->__sk_common.skc_family != AF_INET6)
		return sk->__sk_common.skc_daddr == first[3];
	return sk->__sk_common.skc_v6_daddr.in6_u.u6_addr32[3] == first[3] &&
	       sk->__sk_common.skc_v6_daddr.in6_u.u6_addr32[2] == first[2] &&
	       sk->__sk_common.skc_v6_daddr.in6_u.u6_addr32[1] == first[1] &&
	       sk->__sk_common.skc_v6_daddr.in6_u.u6_addr32[0] == first[0];
}

/*
 * The slot's owner without its marks, if that is the socket, or 0. It is the address again, but as
 * a number, which the compiler shall not replace by the pointer.
 */
static __always_inline __u64 owner_if(const struct hot_socket *hot, const void *sk)
{
	__u64 owner = hot->owner & ~(__u64)HOT_MARKS;
	__u64 number = owner;

	barrier_var(number);
	return owner == (__u64)sk ? number : 0;
}

/* The socket counts in its storage from now on, which tells more cases apart. */
static __always_inline void cool(const void *sk)
{
	struct hot_socket *hot = hot_of(sk);

	if (owner_if(hot, sk))
		*(volatile __u16 *)&hot->family = 0;
}

/*
 * Gives a free slot to a connected socket whose remote end is its first. What passes between name
 * servers and clients is looked at one by one, and nobody tells of the release of the kernel's own
 * sockets.
 */
static __noinline int heat(struct sock *sk, const struct udp_socket *socket)
{
	struct hot_socket *hot = hot_of(sk);
	__be16 port = bpf_htons(socket->key.remote_port);

	/* A server's key leaves the port out: any is right then. */
	if (!port)
		port = sk->__sk_common.skc_dport;
	if (hot->owner || !port || is_dns_socket(sk) ||
	    BPF_CORE_READ_BITFIELD_PROBED(sk, sk_kern_sock))
		return 0;
	if (__sync_val_compare_and_swap(&hot->owner, 0, HOT_HELD))
		return 0;
	__builtin_memcpy(&hot->remote, socket->key.remote, sizeof(hot->remote));
	hot->remote_port = port;
	hot->family = sk->__sk_common.skc_family;
	__sync_lock_test_and_set(&hot->owner, (__u64)sk);
	/* Whoever set these before did not find the slot to be the socket's. */
	if (socket->flags & (SOCKET_NAMES_REMOTES | SOCKET_CORKED))
		cool(sk);
	return 0;
}

/* The storage was not asked for, and is needed at most once in 2^23 datagrams. */
static __noinline int fold_hot(struct sock *sk, struct hot_socket *hot)
{
	struct udp_socket *socket = bpf_sk_storage_get(&sockets, sk, NULL, 0);

	if (socket)
		fold_or_lose(socket, hot->counts);
	return 0;
}

static __always_inline void add_hot(struct sock *sk, struct hot_socket *hot, enum way way,
				    __u32 bytes, __u32 packets)
{
	if (add_packed(&hot->counts[way], bytes, packets) & PACKETS_HALF)
		fold_hot(sk, hot);
}

static __always_inline bool hold(struct hot_socket *hot, __u64 owner)
{
	return __sync_val_compare_and_swap(&hot->owner, owner, owner | HOT_HELD) == owner;
}

static __always_inline bool leave_to_holder(struct hot_socket *hot, __u64 owner)
{
	__u64 held = owner | HOT_HELD;

	return __sync_val_compare_and_swap(&hot->owner, held, held | HOT_RELEASED) == held;
}

/* What finds no room in the sums, and cannot stay, is lost. */
static __always_inline void fold_and_free(struct hot_socket *hot, const struct udp_socket *socket)
{
	fold_or_lose(socket, hot->counts);
	__sync_lock_test_and_set(&hot->owner, 0);
}

/* Once a window; the socket may be released meanwhile. */
static __always_inline void read_hot(const void *sk, const struct udp_socket *socket)
{
	struct hot_socket *hot = hot_of(sk);
	__u64 owner = owner_if(hot, sk);
	__u64 held = owner | HOT_HELD;

	if (!owner || !hold(hot, owner))
		return;
	fold(socket, hot->counts);
	if (__sync_val_compare_and_swap(&hot->owner, held, owner) != held)
		fold_and_free(hot, socket);
}

/* The socket's last act. The reading comes to each socket once, so it cannot hold it twice. */
static __always_inline void release_hot(const void *sk, const struct udp_socket *socket)
{
	struct hot_socket *hot = hot_of(sk);
	__u64 owner = owner_if(hot, sk);

	if (!owner || leave_to_holder(hot, owner))
		return;
	if (!hold(hot, owner) && leave_to_holder(hot, owner))
		return;
	fold_and_free(hot, socket);
}

#endif
