/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * DNS: copies the answer that a client has just received into a ring buffer.
 *
 * Owns the ring buffer and where the payload is found. Included by the UDP programs, which know
 * the socket and the remote end already: traffic with other ports pays one comparison.
 */
#ifndef WEIR_DNS_BPF_H
#define WEIR_DNS_BPF_H

#include "../udp/udp_slot.bpf.h"
#include "dns.record.h"

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	/* Set to dns_ring_bytes before loading. */
	__uint(max_entries, 4096);
} dns_answers SEC(".maps");

/* Where a payload is, and how much of it in one piece. */
struct payload {
	const void *at;
	__u64 bytes;
	bool is_user;
};

/* The first buffer of a message of user space. */
static __always_inline bool first_buffer(struct payload *out, __u64 message)
{
	struct user_msghdr header;
	struct user_iovec vector;

	if (bpf_probe_read_user(&header, sizeof(header), (void *)message) ||
	    bpf_probe_read_user(&vector, sizeof(vector), (void *)header.iov))
		return false;
	out->at = (void *)vector.base;
	out->bytes = vector.len;
	return true;
}

/* Where the system call that is returning has put what it received. */
static __always_inline bool received_buffer(struct payload *out, struct slot *slot)
{
	struct user_iovec vector;
	struct call call;

	out->is_user = true;
	current_call(&call);
	switch (call.number) {
	case CALL_READ:
	case CALL_RECVFROM:
		out->at = (void *)call.second;
		out->bytes = call.third;
		return true;
	case CALL_READV:
		if (bpf_probe_read_user(&vector, sizeof(vector), (void *)call.second))
			return false;
		out->at = (void *)vector.base;
		out->bytes = vector.len;
		return true;
	case CALL_RECVMSG:
		return first_buffer(out, call.second);
	case CALL_RECVMMSG:
		return first_buffer(out, next_message(slot, &call, false));
	}
	return false;
}

static __always_inline void fill_ends(struct dns_record *record, struct sock *sk,
				      const struct traffic *traffic)
{
	union address *local = (union address *)record->local;

	known_local(local, sk, traffic);
	if (is_unspecified(local))
		guess_local(local, sk, &traffic->remote.address);
	__builtin_memcpy(record->remote, &traffic->remote.address, sizeof(record->remote));
	record->local_port = local_port(sk);
	record->remote_port = traffic->remote.port;
	record->netns = netns_of_sock(sk, TYPED);
	record->cgroup_id = cgroup_id_of_sock(sk, TYPED);
	read_current_process(&record->process);
}

static __noinline int hand_over_answer(struct sock *sk, const struct traffic *traffic,
				       const struct payload *payload)
{
	struct dns_record *record = bpf_ringbuf_reserve(&dns_answers, sizeof(*record), 0);
	__u64 bytes = traffic->bytes;
	long failed;

	if (!record) {
		count_loss(UDP_LOSS_DNS_RING_FULL, 1);
		return 0;
	}
	if (bytes > payload->bytes)
		bytes = payload->bytes;
	if (bytes > sizeof(record->payload))
		bytes = sizeof(record->payload);
	record->mono_ns = bpf_ktime_get_boot_ns();
	record->datagram_bytes = traffic->bytes;
	record->payload_bytes = bytes;
	fill_ends(record, sk, traffic);
	if (payload->is_user)
		failed = bpf_probe_read_user(record->payload, bytes, payload->at);
	else
		failed = bpf_probe_read_kernel(record->payload, bytes, payload->at);
	if (failed) {
		count_loss(UDP_LOSS_DNS_UNREADABLE, 1);
		bpf_ringbuf_discard(record, 0);
		return 0;
	}
	bpf_ringbuf_submit(record, 0);
	return 0;
}

/* An answer that is in the memory of the process already. */
static __noinline int answer_received(struct sock *sk, const struct traffic *traffic)
{
	struct slot *slot = current_slot();
	struct payload payload = {};

	if (slot && received_buffer(&payload, slot))
		hand_over_answer(sk, traffic, &payload);
	else
		count_loss(UDP_LOSS_DNS_UNREADABLE, 1);
	return 0;
}

#endif
