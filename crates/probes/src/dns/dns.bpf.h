/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * DNS: copies what passes between a client and port 53, at either end, into a ring buffer.
 *
 * Owns the ring buffer and where the payload is found. Included by the UDP programs, which know
 * the socket and the remote end already: traffic with other ports pays two comparisons. What is
 * particular to TCP is dns_tcp.bpf.h's.
 */
#ifndef WEIR_DNS_BPF_H
#define WEIR_DNS_BPF_H

#include "../udp/udp_slot.bpf.h"
#include "dns_port.bpf.h"

enum {
	/* User space looks ten times a second; it is woken where this much waits already. */
	DNS_WAKE_BYTES = 1 << 18,
	/* include/uapi/linux/bpf.h */
	DNS_RB_NO_WAKEUP = 1 << 0,
	DNS_RB_FORCE_WAKEUP = 1 << 1,
	DNS_RB_AVAIL_DATA = 0,
};

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	/* Set to RING_BYTES_MAX before loading. */
	__uint(max_entries, 4096);
} dns_messages SEC(".maps");

/* Where a payload is, and how much of it in one piece. */
struct payload {
	const void *at;
	__u64 bytes;
	bool is_user;
	bool is_tcp;
	__u32 sequence;
};

static __always_inline bool user_vector(struct payload *out, __u64 at)
{
	struct user_iovec vector;

	if (bpf_probe_read_user(&vector, sizeof(vector), (void *)at))
		return false;
	out->at = (void *)vector.base;
	out->bytes = vector.len;
	return true;
}

/* The first buffer of a message of user space. */
static __always_inline bool first_buffer(struct payload *out, __u64 message)
{
	struct user_msghdr header;

	return !bpf_probe_read_user(&header, sizeof(header), (void *)message) &&
	       user_vector(out, header.iov);
}

/* What the system call that is ending has passed: still, or just now, in the process's memory. */
static __always_inline bool user_buffer(struct payload *out, struct slot *slot)
{
	struct call call;

	out->is_user = true;
	current_call(&call);
	switch (call.number) {
	case CALL_READ:
	case CALL_WRITE:
	case CALL_RECVFROM:
	case CALL_SENDTO:
		out->at = (void *)call.second;
		out->bytes = call.third;
		return true;
	case CALL_READV:
	case CALL_WRITEV:
		return user_vector(out, call.second);
	case CALL_RECVMSG:
	case CALL_SENDMSG:
		return first_buffer(out, call.second);
	case CALL_RECVMMSG:
		return first_buffer(out, next_message(slot, &call, false));
	case CALL_SENDMMSG:
		return first_buffer(out, slot->message);
	}
	return false;
}

static __always_inline __u64 wake_flags(__u32 bytes)
{
	__u64 waiting = bpf_ringbuf_query(&dns_messages, DNS_RB_AVAIL_DATA);

	return waiting >= DNS_WAKE_BYTES && waiting < DNS_WAKE_BYTES + bytes + sizeof(__u64) ?
		       DNS_RB_FORCE_WAKEUP :
		       DNS_RB_NO_WAKEUP;
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
	record->cookie = bpf_get_socket_cookie(sk);
	read_current_process(&record->process);
}

/* Fills a record with room for `room` bytes of payload, and hands it over. */
static __always_inline void tell_message(struct dns_record *record, __u8 *to, __u32 room,
					 struct sock *sk, const struct traffic *traffic,
					 const struct payload *payload)
{
	__u64 bytes = traffic->bytes;
	long failed;

	if (bytes > payload->bytes)
		bytes = payload->bytes;
	barrier_var(bytes);
	if (bytes > room)
		bytes = room;
	record->mono_ns = bpf_ktime_get_boot_ns();
	record->passed_bytes = traffic->bytes;
	record->payload_bytes = bytes;
	record->way = traffic->way;
	record->is_tcp = payload->is_tcp;
	record->sequence = payload->sequence;
	fill_ends(record, sk, traffic);
	if (payload->is_user)
		failed = bpf_probe_read_user(to, bytes, payload->at);
	else
		failed = bpf_probe_read_kernel(to, bytes, payload->at);
	if (failed) {
		count_loss(UDP_LOSS_DNS_UNREADABLE, 1);
		bpf_ringbuf_discard(record, DNS_RB_NO_WAKEUP);
		return;
	}
	bpf_ringbuf_submit(record, wake_flags(sizeof(*record) + room));
}

static __noinline int hand_over_question(struct sock *sk, const struct traffic *traffic,
					 const struct payload *payload)
{
	struct dns_question *question =
		bpf_ringbuf_reserve(&dns_messages, sizeof(*question), 0);

	if (question)
		tell_message(&question->record, question->payload, sizeof(question->payload), sk,
			     traffic, payload);
	else
		count_loss(UDP_LOSS_DNS_RING_FULL, 1);
	return 0;
}

static __noinline int hand_over_whole(struct sock *sk, const struct traffic *traffic,
				      const struct payload *payload)
{
	struct dns_message *message = bpf_ringbuf_reserve(&dns_messages, sizeof(*message), 0);

	if (message)
		tell_message(&message->record, message->payload, sizeof(message->payload), sk,
			     traffic, payload);
	else
		count_loss(UDP_LOSS_DNS_RING_FULL, 1);
	return 0;
}

/* Addresses are wanted of the answers that a client receives; of all else, question and code. */
static __always_inline void hand_over(struct sock *sk, const struct traffic *traffic,
				      const struct payload *payload)
{
	bool has_addresses = traffic->way == RECEIVED && traffic->remote.port == DNS_PORT;

	if (traffic->bytes > DNS_QUESTION_BYTES_MAX && (has_addresses || payload->is_tcp))
		hand_over_whole(sk, traffic, payload);
	else
		hand_over_question(sk, traffic, payload);
}

static __always_inline bool is_dns(struct sock *sk, const struct traffic *traffic)
{
	return reads_dns && (traffic->remote.port == DNS_PORT ||
			     sk->__sk_common.skc_num == DNS_PORT);
}

/* A datagram in the memory of the process: one that was received, or is still there once sent. */
static __noinline int user_message(struct sock *sk, const struct traffic *traffic)
{
	struct slot *slot = current_slot();
	struct payload payload = {};

	if (slot && traffic->packets == 1 && user_buffer(&payload, slot))
		hand_over(sk, traffic, &payload);
	else
		count_loss(UDP_LOSS_DNS_UNREADABLE, 1);
	return 0;
}

#endif
