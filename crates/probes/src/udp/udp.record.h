/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * UDP: what crosses from the kernel to the agent. The one definition for C and for Rust.
 */
#ifndef WEIR_UDP_RECORD_H
#define WEIR_UDP_RECORD_H

#include "record.h"

enum udp_role {
	UDP_ROLE_UNKNOWN = 0,
	UDP_ROLE_CLIENT = 1,
	UDP_ROLE_SERVER = 2,
};

/* What datagrams are summed by. */
struct udp_key {
	/* What the socket is bound to, unless more is known of each datagram. */
	__u8 local[ADDRESS_BYTES];
	__u8 remote[ADDRESS_BYTES];
	__u64 cgroup_id;
	__u32 netns;
	/* 0: a kernel thread's. */
	__u32 tgid;
	__u16 local_port;
	__u16 remote_port;
	/* enum udp_role */
	__u8 role;
	__u8 pad[3];
};

/* The sum over all datagrams of a key since it was last taken. Bytes are payload. */
struct udp_sum {
	__u64 bytes_sent;
	__u64 bytes_received;
	__u64 packets_sent;
	__u64 packets_received;
	/* The key's, or what it must be where that is unspecified. */
	__u8 local[ADDRESS_BYTES];
	char comm[COMM_BYTES];
};

/* An unconnected socket that was spoken to first. */
struct udp_listener {
	__u8 local[ADDRESS_BYTES];
	__u64 cgroup_id;
	__u32 netns;
	struct process process;
	__u16 port;
	__u8 pad[6];
};

/* Why something was lost; counted where it was lost, in datagrams. Not counted, unless said. */
enum udp_loss {
	/* No memory for a socket's state, or another CPU was held up while setting it. */
	UDP_LOSS_SOCKET_STATE = 0,
	/* The table of sums was full. */
	UDP_LOSS_SUMS_FULL = 1,
	/* The remote end is not known: counted, under the unspecified address. */
	UDP_LOSS_REMOTE_UNKNOWN = 2,
	/* The table of listeners was full: a listener is not told. */
	UDP_LOSS_LISTENERS_FULL = 3,
	/* The ring buffer was full: a DNS message is not handed over. */
	UDP_LOSS_DNS_RING_FULL = 4,
	/* A DNS message passed by a call whose buffer cannot be found (io_uring, 32-bit programs). */
	UDP_LOSS_DNS_UNREADABLE = 5,
	UDP_LOSS_REASONS = 6,
};

_Static_assert(sizeof(struct udp_key) == 56, "struct udp_key has padding");
_Static_assert(sizeof(struct udp_sum) == 64, "struct udp_sum has padding");
_Static_assert(sizeof(struct udp_listener) == 56, "struct udp_listener has padding");

#endif
