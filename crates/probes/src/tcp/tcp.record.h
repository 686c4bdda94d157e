/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * TCP: what crosses from the kernel to the agent. The one definition for C and for Rust.
 */
#ifndef WEIR_TCP_RECORD_H
#define WEIR_TCP_RECORD_H

#include "record.h"

enum tcp_role {
	TCP_ROLE_UNKNOWN = 0,
	TCP_ROLE_CLIENT = 1,
	TCP_ROLE_SERVER = 2,
};

/* What connections are summed by. */
struct tcp_key {
	__u8 local[ADDRESS_BYTES];
	__u8 remote[ADDRESS_BYTES];
	__u64 cgroup_id;
	__u32 netns;
	/* 0: not known from the connection; the listener's, then. */
	__u32 tgid;
	__u16 local_port;
	__u16 remote_port;
	/* enum tcp_role */
	__u8 role;
	__u8 pad;
	/* Number of what the client dialled, where that was translated; 0: not known to be. */
	__u16 dialled;
};

/* The sum over all connections of a key since it was last taken. */
struct tcp_sum {
	/* Two's complement: a reading may take back the one byte that a FIN had lent it. */
	__u64 bytes_sent;
	__u64 bytes_received;
	__u64 rtt_us_sum;
	__u64 jitter_us_sum;
	__u64 connect_us_sum;
	__u32 packets_sent;
	__u32 packets_received;
	__u32 connections;
	/* Connections that were open before they were watched, when first read. */
	__u32 adopted;
	__u32 closures;
	__u32 connect_refused;
	__u32 connect_timeout;
	__u32 connect_reset;
	__u32 connect_failed_other;
	__u32 resets_sent;
	__u32 resets_received;
	__u32 retransmits;
	/* Round trip time and its variation are always sampled together. */
	__u32 rtt_count;
	__u32 rtt_us_min;
	__u32 rtt_us_max;
	__u32 jitter_us_min;
	__u32 jitter_us_max;
	__u32 connect_count;
	__u32 connect_us_min;
	__u32 connect_us_max;
	struct bpf_spin_lock lock;
	char comm[COMM_BYTES];
	__u32 pad;
};

/* A listening socket, by its cookie; kept after it closed until user space has seen that. */
struct tcp_listener {
	__u8 local[ADDRESS_BYTES];
	__u64 cgroup_id;
	__u32 netns;
	struct process process;
	__u16 port;
	__u8 is_closed;
	__u8 pad[5];
};

/* Why something was lost; counted where it was lost. */
enum tcp_loss {
	/* The table of watched sockets was full: a connection is not counted. */
	TCP_LOSS_SOCKETS_FULL = 0,
	/* The table of sums was full: a reading is not counted. */
	TCP_LOSS_SUMS_FULL = 1,
	/* The table of listeners was full: a server's process may stay unnamed. */
	TCP_LOSS_LISTENERS_FULL = 2,
	/* A socket went away unseen: its last reading is missing. */
	TCP_LOSS_CLOSE_MISSED = 3,
	/* The table of other ends was full: a translated connection is counted as its socket saw it. */
	TCP_LOSS_PEERS_FULL = 4,
	/* The numbers of dialled ends are used up: what a connection's client dialled is not told. */
	TCP_LOSS_DIALLED_FULL = 5,
	TCP_LOSS_REASONS = 6,
};

enum {
	/* Ends that clients dialled and that were translated, from the start of the agent on. */
	TCP_DIALLED_MAX = 32768,
};

_Static_assert(sizeof(struct tcp_key) == 56, "struct tcp_key has padding");
_Static_assert(sizeof(struct tcp_sum) == 144, "struct tcp_sum has padding");
_Static_assert(sizeof(struct tcp_listener) == 56, "struct tcp_listener has padding");

#endif
