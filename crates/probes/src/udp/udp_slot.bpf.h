/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * UDP: what one program tells the next about the datagram that the current thread is passing.
 *
 * Owns the table of slots. A thread's slot is found by the low bits of its id, which is an array
 * access; a thread in whose slot another one is busy loses the slot and notices it by the id.
 */
#ifndef WEIR_UDP_SLOT_BPF_H
#define WEIR_UDP_SLOT_BPF_H

#include "udp_sums.bpf.h"

enum {
	/* A power of two; threads in the middle of passing a datagram, over all CPUs. */
	SLOTS_MAX = 8192,
};

struct slot {
	/* The socket that the ends are of; 0: none. */
	__u64 sk;
	union address remote;
	union address local;
	/* Next element of the vector that recvmmsg() or sendmmsg() works on. */
	__u64 vector;
	/* The element that next_message() gave last. */
	__u64 message;
	__u32 vector_next;
	__u32 tid;
	__u32 bytes;
	__u32 packets;
	__u16 remote_port;
	__u8 pad[6];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, SLOTS_MAX);
	__type(key, __u32);
	__type(value, struct slot);
} slots SEC(".maps");

/* The current thread's; emptied where it was another's. */
static __always_inline struct slot *current_slot(void)
{
	__u32 tid = bpf_get_current_pid_tgid();
	__u32 index = tid & (SLOTS_MAX - 1);
	struct slot *slot = bpf_map_lookup_elem(&slots, &index);

	if (!slot || slot->tid == tid)
		return slot;
	slot->sk = 0;
	slot->vector = 0;
	slot->tid = tid;
	return slot;
}

static __always_inline void fill_slot(struct slot *slot, struct sock *sk,
				      const struct end *remote, const union address *local)
{
	slot->sk = (__u64)sk;
	slot->remote = remote->address;
	slot->remote_port = remote->port;
	slot->local = *local;
}

/* Whether the slot holds the ends of what the socket passes; it is empty then. */
static __always_inline bool take_slot(struct slot *slot, struct sock *sk,
				      struct traffic *traffic)
{
	if (slot->sk != (__u64)sk)
		return false;
	slot->sk = 0;
	traffic->remote.address = slot->remote;
	traffic->remote.port = slot->remote_port;
	traffic->local = slot->local;
	traffic->is_remote_known = true;
	return true;
}

/*
 * Which element of a vector of messages this is. The kernel works through the vector in order and
 * stops at an error, each message ends in one run of a program, so counting runs tells.
 */
static __always_inline __u64 next_message(struct slot *slot, const struct call *call,
					  bool is_error)
{
	__u32 index = slot->vector == call->second ? slot->vector_next : 0;

	if (is_error || index + 1 >= (__u32)call->third) {
		slot->vector = 0;
	} else {
		slot->vector = call->second;
		slot->vector_next = index + 1;
	}
	slot->message = call->second + index * sizeof(struct user_mmsghdr);
	return slot->message;
}

/* Value of an ancillary message of user space, in the first `bytes` of it; false: there is none. */
static __always_inline bool read_ancillary(const struct user_msghdr *message, int type,
					   void *value, __u32 bytes)
{
	const int messages_max = 8;
	struct user_cmsghdr header;
	__u64 offset = 0;

	if (!message->control)
		return false;
	for (int i = 0; i < messages_max; i++) {
		const void *at = (const void *)(message->control + offset);

		if (offset + sizeof(header) + bytes > message->controllen ||
		    bpf_probe_read_user(&header, sizeof(header), at) ||
		    header.len < sizeof(header))
			return false;
		if (header.level == SOL_UDP && header.type == type)
			return !bpf_probe_read_user(value, bytes, at + sizeof(header));
		offset += (header.len + 7) & ~7ULL;
	}
	return false;
}

static __always_inline __u32 datagrams(__u32 bytes, __u32 segment_bytes)
{
	if (!segment_bytes || bytes <= segment_bytes)
		return 1;
	return (bytes + segment_bytes - 1) / segment_bytes;
}

#endif
