/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * UDP: what a send or receive call passed, as far as its end tells: how many datagrams, and whose.
 *
 * Owns what of that is remembered with the socket. The programs are udp.bpf.c's.
 */
#ifndef WEIR_UDP_CALLS_BPF_H
#define WEIR_UDP_CALLS_BPF_H

#include "udp_hot.bpf.h"
#include "udp_slot.bpf.h"

/* Segments that a message asks for; the socket's option stands where it does not. */
static __noinline int segments_asked(const struct call *call, int result, __u16 bytes)
{
	__u64 message = call->second;
	struct user_msghdr header;

	if (call->number == CALL_SENDMMSG) {
		struct slot *slot = current_slot();

		if (!slot)
			return 1;
		message = next_message(slot, call, result < 0);
	}
	if (!bpf_probe_read_user(&header, sizeof(header), (void *)message))
		read_ancillary(&header, UDP_SEGMENT, &bytes, sizeof(bytes));
	return datagrams(result, bytes);
}

static __always_inline __u32 segments_sent(struct sock *sk, int result)
{
	__u16 bytes = udp_sock(sk)->gso_size;
	struct call call;

	current_call(&call);
	if (call.number == CALL_SENDMSG || call.number == CALL_SENDMMSG)
		return segments_asked(&call, result, bytes);
	return datagrams(result, bytes);
}

/* Datagrams that GRO merged: the size of each is told in an ancillary message. */
static __noinline int segments_received(int result)
{
	struct slot *slot = current_slot();
	struct user_msghdr header;
	struct call call;
	__s32 bytes = 0;
	__u64 message;

	current_call(&call);
	if (!slot || (call.number != CALL_RECVMSG && call.number != CALL_RECVMMSG))
		return 1;
	message = call.second;
	if (call.number == CALL_RECVMMSG)
		message = next_message(slot, &call, false);
	if (!bpf_probe_read_user(&header, sizeof(header), (void *)message))
		read_ancillary(&header, UDP_GRO, &bytes, sizeof(bytes));
	return datagrams(result, bytes);
}

/* The call ends here: so does the vector it worked on. */
static __always_inline void receive_failed(struct sock *sk)
{
	struct slot *slot = current_slot();

	if (slot) {
		slot->sk = 0;
		slot->vector = 0;
	}
}

/* The remote end of what a call passed: the socket's, or what a hook below put into the slot. */
static __always_inline void find_remote(struct traffic *traffic, struct sock *sk,
					const struct udp_socket *socket)
{
	bool names_remotes = socket && (socket->flags & SOCKET_NAMES_REMOTES);
	struct slot *slot;

	if (!is_connected(sk) || names_remotes) {
		slot = current_slot();
		if (slot && take_slot(slot, sk, traffic))
			return;
	}
	if (is_connected(sk)) {
		remote_address(&traffic->remote.address, sk, TYPED);
		traffic->remote.port = remote_port(sk, TYPED);
		traffic->is_remote_known = true;
	}
}

/*
 * Whether a connected socket's remote end is the first one that it dealt with: the common case,
 * for which one addition is all there is to do (a third of the price of the general way).
 */
static __always_inline bool is_still_first(const struct udp_socket *socket, struct sock *sk)
{
	const union address *first = (const union address *)socket->key.remote;

	if (!is_connected(sk) || socket->state != SOCKET_SET ||
	    socket->flags & (SOCKET_NAMES_REMOTES | SOCKET_CORKED))
		return false;
	if (sk->__sk_common.skc_family == AF_INET6) {
		union address remote;

		remote_address(&remote, sk, TYPED);
		if (!is_same_address(first, &remote))
			return false;
	} else if (!address_is_mapped(first) || first->words[3] != sk->__sk_common.skc_daddr) {
		return false;
	}
	return socket->key.remote_port == remote_port(sk, TYPED) ||
	       (fold_client_port && socket->key.role == UDP_ROLE_SERVER);
}

static __always_inline void note_corked(struct sock *sk, bool is_corked)
{
	struct udp_socket *socket = bpf_sk_storage_get(&sockets, sk, NULL, 0);

	if (!socket)
		return;
	if (!is_corked) {
		__sync_fetch_and_and(&socket->flags, ~SOCKET_CORKED);
		return;
	}
	__sync_fetch_and_or(&socket->flags, SOCKET_CORKED);
	cool(sk);
}

/* IPv6 sockets that are connected to IPv4 have every send call name their remote end so. */
static __always_inline bool is_own_remote(const struct bpf_sock *sk, const struct end *named)
{
	union address own;

	if (sk->dst_port != bpf_htons(named->port))
		return false;
	if (sk->family == AF_INET) {
		address_from_ipv4(&own, sk->dst_ip4);
	} else {
		own.words[0] = sk->dst_ip6[0];
		own.words[1] = sk->dst_ip6[1];
		own.words[2] = sk->dst_ip6[2];
		own.words[3] = sk->dst_ip6[3];
	}
	return is_same_address(&own, &named->address);
}

/* Else the socket's own remote end would be believed, without a look at the slot. */
static __always_inline void note_naming(struct bpf_sock *sk)
{
	struct udp_socket *socket =
		bpf_sk_storage_get(&sockets, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);

	if (!socket || socket->flags & SOCKET_NAMES_REMOTES)
		return;
	__sync_fetch_and_or(&socket->flags, SOCKET_NAMES_REMOTES);
	cool(sk);
}

#endif
