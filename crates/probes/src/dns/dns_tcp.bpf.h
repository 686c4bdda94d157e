/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * DNS over TCP: what a send or receive call passed, buffer by buffer.
 *
 * Owns the way from such a call to records. Messages are put together in user space, from where the
 * bytes lie in the stream: nothing is kept here.
 */
#ifndef WEIR_DNS_TCP_BPF_H
#define WEIR_DNS_TCP_BPF_H

#include "dns.bpf.h"

enum {
	/* Buffers of one call that are looked into: the length, the message, and as much again. */
	DNS_BUFFERS_MAX = 4,
	/* include/linux/socket.h */
	MSG_TRUNC = 0x20,
};

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct tcp_sock___positions {
	__u32 write_seq;
	__u32 copied_seq;
};

#pragma clang attribute pop

/* Buffers of a call, one after the other in user space's memory. */
struct buffers {
	struct user_iovec only;
	/* 0: there is only one. */
	__u64 vectors;
	__u64 count;
};

static __always_inline bool find_buffers(struct buffers *out)
{
	struct user_msghdr header;
	struct call call;

	if (bpf_get_current_task_btf()->flags & PF_KTHREAD)
		return false;
	current_call(&call);
	switch (call.number) {
	case CALL_READ:
	case CALL_WRITE:
	case CALL_RECVFROM:
	case CALL_SENDTO:
		out->only.base = call.second;
		out->only.len = call.third;
		out->count = 1;
		return true;
	case CALL_READV:
	case CALL_WRITEV:
	case CALL_PREADV2:
	case CALL_PWRITEV2:
		out->vectors = call.second;
		out->count = call.third;
		return true;
	case CALL_SENDMSG:
	case CALL_RECVMSG:
		if (bpf_probe_read_user(&header, sizeof(header), (void *)call.second))
			return false;
		out->vectors = header.iov;
		out->count = header.iovlen;
		return true;
	}
	return false;
}

/* One record for each buffer; the last one stands for what is in further ones as well. */
static __always_inline void tell_buffers(struct sock *sk, struct traffic *traffic,
					 struct payload *payload, const struct buffers *buffers)
{
	__u32 left = traffic->bytes;

	for (__u32 i = 0; i < DNS_BUFFERS_MAX && i < buffers->count && left; i++) {
		bool is_last = i + 1 == DNS_BUFFERS_MAX || i + 1 == buffers->count;

		payload->at = (void *)buffers->only.base;
		payload->bytes = buffers->only.len;
		if (buffers->vectors &&
		    !user_vector(payload, buffers->vectors + i * sizeof(struct user_iovec))) {
			count_loss(UDP_LOSS_DNS_UNREADABLE, 1);
			return;
		}
		traffic->bytes = left;
		if (!is_last && payload->bytes < left)
			traffic->bytes = payload->bytes;
		if (!traffic->bytes)
			continue;
		hand_over(sk, traffic, payload);
		payload->sequence += traffic->bytes;
		left -= traffic->bytes;
	}
}

/* A call on a socket with a name server's port at one end. */
static __noinline int dns_tcp_call(struct sock *sk, int result, int flags, enum way way)
{
	struct traffic traffic = { .bytes = result, .way = way, .is_remote_known = true };
	struct payload payload = { .is_user = true, .is_tcp = true };
	const struct tcp_sock___positions *tp;
	struct buffers buffers = {};

	tp = (const void *)bpf_skc_to_tcp_sock(sk);
	if (!tp || flags & (MSG_PEEK | MSG_ERRQUEUE))
		return 0;
	remote_address(&traffic.remote.address, sk, TYPED);
	traffic.remote.port = remote_port(sk, TYPED);
	if (!count_loopback && address_is_loopback(&traffic.remote.address))
		return 0;
	payload.sequence = (way == SENT ? tp->write_seq : tp->copied_seq) - (__u32)result;
	if (flags & MSG_TRUNC || !find_buffers(&buffers))
		count_loss(UDP_LOSS_DNS_UNREADABLE, 1);
	else
		tell_buffers(sk, &traffic, &payload, &buffers);
	return 0;
}

static __always_inline void tcp_passed(struct sock *sk, int result, int flags, enum way way)
{
	if (is_dns_socket(sk) && result > 0 && sk->sk_protocol == IPPROTO_TCP)
		dns_tcp_call(sk, result, flags, way);
}

#endif
