// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * UDP, accounted per datagram in the context of the process that passes it: TCP packets never
 * come here.
 *
 * Owns the hooks and how each finds the two ends, bytes and number of datagrams. There are two
 * sets, of which user space loads one (support.rs): `functions`, the kernel's own UDP functions,
 * where everything is read from the packet; and `calls`, the end of every send and receive call,
 * where functions cannot be hooked. Counting is udp_sums.bpf.h's.
 */
#include "../dns/dns_tcp.bpf.h"
#include "udp_calls.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* Whether tcp_recvmsg() has a parameter more: "nonblock", until 5.18. */
const volatile bool receive_has_nonblock = false;

static __always_inline bool is_watched(const struct traffic *traffic)
{
	return count_loopback || !address_is_loopback(&traffic->remote.address);
}

/* --- functions: what the kernel's UDP code does with the packet itself --- */

/*
 * Addresses and ports of a packet, as source and destination. The version is the header's own:
 * skb->protocol is set after ip_send_skb() was called.
 */
static __always_inline void read_headers(const struct sk_buff *skb, struct end *source,
					 struct end *destination)
{
	const unsigned char *ip = skb->head + skb->network_header;
	const unsigned char *udp = skb->head + skb->transport_header;
	__be16 ports[2];
	__u8 version;

	bpf_probe_read_kernel(&version, sizeof(version), ip);
	version >>= 4;
	bpf_probe_read_kernel(ports, sizeof(ports), udp);
	source->port = bpf_ntohs(ports[0]);
	destination->port = bpf_ntohs(ports[1]);
	if (version == 4) {
		__be32 addresses[2];

		bpf_probe_read_kernel(addresses, sizeof(addresses), ip + IPV4_SOURCE_OFFSET);
		address_from_ipv4(&source->address, addresses[0]);
		address_from_ipv4(&destination->address, addresses[1]);
	} else {
		bpf_probe_read_kernel(&source->address, sizeof(source->address),
				      ip + IPV6_SOURCE_OFFSET);
		bpf_probe_read_kernel(&destination->address, sizeof(destination->address),
				      ip + IPV6_DESTINATION_OFFSET);
	}
}

static __always_inline __u32 segment_bytes(const struct sk_buff *skb)
{
	const struct skb_shared_info *info = (const void *)(skb->head + skb->end);

	return BPF_CORE_READ(info, gso_size);
}

/*
 * A datagram, or several merged by GRO, was copied to the process and leaves the socket. len is
 * negative when it was only peeked at; a peeked datagram of no bytes is still held by the queue.
 */
SEC("fentry/skb_consume_udp")
int BPF_PROG(udp_consumed, struct sock *sk, struct sk_buff *skb, int len)
{
	struct traffic traffic = { .way = RECEIVED, .is_remote_known = true };
	struct end local;

	if (!is_udp(sk) || len < 0 || (len == 0 && skb->users.refs.counter > 1))
		return 0;
	read_headers(skb, &traffic.remote, &local);
	if (!is_watched(&traffic))
		return 0;
	traffic.local = local.address;
	traffic.bytes = skb->len;
	traffic.packets = datagrams(skb->len, segment_bytes(skb));
	count(sk, bpf_sk_storage_get(&sockets, sk, NULL, 0), &traffic);
	if (is_dns(sk, &traffic)) {
		struct payload payload = { .at = skb->data, .bytes = skb->len };

		if (!skb->data_len)
			hand_over(sk, &traffic, &payload);
		else
			user_message(sk, &traffic);
	}
	return 0;
}

/*
 * A DNS message on its way, before anybody can have received it. One that a packet filter of this
 * host then stops is a message that was sent, and lost.
 */
static __noinline int message_sending(struct sock *sk, struct sk_buff *skb, const struct slot *slot)
{
	const __u64 offset = skb->transport_header + UDP_HEADER_BYTES;
	struct traffic traffic = {
		.remote.address = slot->remote,
		.remote.port = slot->remote_port,
		.local = slot->local,
		.bytes = slot->bytes,
		.way = SENT,
	};
	struct payload payload = { .at = skb->head + offset, .bytes = slot->bytes };

	if (!is_watched(&traffic))
		return 0;
	if (skb->data_len || slot->packets != 1)
		count_loss(UDP_LOSS_DNS_UNREADABLE, 1);
	else
		hand_over(sk, &traffic, &payload);
	return 0;
}

/* A datagram, or several in one packet, is complete. Whether it can be sent is not known yet. */
static __always_inline void sending(struct sk_buff *skb)
{
	struct slot *slot = current_slot();
	struct sock *sk = skb->sk;
	struct end local, remote;

	if (!sk || !slot || !is_udp(sk))
		return;
	read_headers(skb, &local, &remote);
	fill_slot(slot, sk, &remote, &local.address);
	slot->bytes = skb->len - UDP_HEADER_BYTES -
		      (skb->transport_header - skb->network_header);
	slot->packets = datagrams(slot->bytes, segment_bytes(skb));
	if (reads_dns && (remote.port == DNS_PORT || local.port == DNS_PORT))
		message_sending(sk, skb, slot);
}

SEC("fentry/ip_send_skb")
int BPF_PROG(udp_sending4, struct net *net, struct sk_buff *skb)
{
	sending(skb);
	return 0;
}

SEC("fentry/ip6_send_skb")
int BPF_PROG(udp_sending6, struct sk_buff *skb)
{
	sending(skb);
	return 0;
}

/* The call that completed it ends: now it counts, or it failed. */
static __always_inline void sent(struct sock *sk, int result)
{
	struct slot *slot = current_slot();
	struct traffic traffic = { .way = SENT };

	if (!slot || !is_udp(sk) || !take_slot(slot, sk, &traffic))
		return;
	if (result < 0 || !is_watched(&traffic))
		return;
	traffic.bytes = slot->bytes;
	traffic.packets = slot->packets;
	count(sk, bpf_sk_storage_get(&sockets, sk, NULL, 0), &traffic);
}

SEC("fexit/udp_sendmsg")
int BPF_PROG(udp_sent4, struct sock *sk, void *message, __u64 bytes, int result)
{
	sent(sk, result);
	return 0;
}

SEC("fexit/udpv6_sendmsg")
int BPF_PROG(udp_sent6, struct sock *sk, void *message, __u64 bytes, int result)
{
	sent(sk, result);
	return 0;
}

/* UDP_CORK was taken off: the datagram leaves without a call that sends. */
SEC("fexit/udp_push_pending_frames")
int BPF_PROG(udp_pushed4, struct sock *sk, int result)
{
	sent(sk, result);
	return 0;
}

SEC("fexit/udp_v6_push_pending_frames")
int BPF_PROG(udp_pushed6, struct sock *sk, int result)
{
	sent(sk, result);
	return 0;
}

static __always_inline void closing(struct udp_socket *socket)
{
	if (socket && socket->state == SOCKET_SET)
		fold_or_lose(socket, socket->counts);
}

SEC("fentry/udp_lib_unhash")
int BPF_PROG(udp_unhashed, struct sock *sk)
{
	closing(bpf_sk_storage_get(&sockets, sk, NULL, 0));
	return 0;
}

/* DNS over TCP: TCP's other calls pay for being looked at. */
SEC("fexit/tcp_sendmsg")
int BPF_PROG(dns_tcp_sent, struct sock *sk, void *message, __u64 bytes, int result)
{
	tcp_passed(sk, result, 0, SENT);
	return 0;
}

SEC("fexit/tcp_recvmsg")
int dns_tcp_received(__u64 *ctx)
{
	struct sock *sk = (void *)ctx[0];

	if (receive_has_nonblock)
		tcp_passed(sk, ctx[6], ctx[4], RECEIVED);
	else
		tcp_passed(sk, ctx[5], ctx[3], RECEIVED);
	return 0;
}

/* --- calls: what a send or receive call returned --- */

/*
 * Any send call. A datagram that is put together from several calls counts with the first of
 * them.
 */
static __noinline int call_sent(struct sock *sk, int result, __u32 packets)
{
	struct udp_socket *socket = bpf_sk_storage_get(&sockets, sk, NULL, 0);
	struct traffic traffic = { .way = SENT, .bytes = result, .packets = packets };
	bool was_corked = socket && (socket->flags & SOCKET_CORKED);
	bool is_corked = udp_sock(sk)->pending;

	find_remote(&traffic, sk, socket);
	if (result < 0 || !is_watched(&traffic))
		return 0;
	if (was_corked || is_corked)
		traffic.packets = !was_corked;
	count(sk, socket, &traffic);
	if (was_corked != is_corked)
		note_corked(sk, is_corked);
	if (is_dns(sk, &traffic)) {
		/* One that is put together from several calls is in no buffer. */
		traffic.packets = was_corked || is_corked ? 0 : packets;
		user_message(sk, &traffic);
	}
	return 0;
}

/* A send call on a socket that has no slot, or may not use it this time. */
static __noinline int send_ended(struct sock *sk, int result)
{
	struct udp_socket *socket;
	__u32 packets;

	if (!is_udp(sk))
		return 0;
	packets = segments_sent(sk, result);
	socket = bpf_sk_storage_get(&sockets, sk, NULL, 0);
	if (!socket || result < 0 || udp_sock(sk)->pending || is_dns_socket(sk) ||
	    !is_still_first(socket, sk))
		return call_sent(sk, result, packets);
	if (add_to_socket(socket, SENT, result, packets) >= HOT_AFTER)
		heat(sk, socket);
	return 0;
}

SEC("tp_btf/sock_send_length")
int BPF_PROG(udp_send_length, struct sock *sk, int result, int flags)
{
	struct hot_socket *hot = hot_of(sk);

	if (sk->sk_protocol != IPPROTO_UDP) {
		tcp_passed(sk, result, 0, SENT);
		return 0;
	}
	if (result < 0 || !is_hot(hot, sk) || udp_sock(sk)->pending)
		return send_ended(sk, result);
	add_hot(sk, hot, SENT, result, segments_sent(sk, result));
	return 0;
}

/* Failed, empty, only peeked at, or of more than one datagram, maybe. */
static __always_inline bool is_special_receive(struct sock *sk, int result, int flags)
{
	return result <= 0 || flags & (MSG_PEEK | MSG_ERRQUEUE) || receives_merged(sk);
}

/* Any receive call. */
static __noinline int call_received(struct sock *sk, int result, int flags)
{
	struct udp_socket *socket = bpf_sk_storage_get(&sockets, sk, NULL, 0);
	struct traffic traffic = { .way = RECEIVED, .bytes = result, .packets = 1 };

	if (result < 0) {
		receive_failed(sk);
		return 0;
	}
	find_remote(&traffic, sk, socket);
	if (flags & (MSG_PEEK | MSG_ERRQUEUE) || !is_watched(&traffic))
		return 0;
	if (result == 0 && sk->sk_shutdown & RCV_SHUTDOWN)
		return 0;
	if (receives_merged(sk))
		traffic.packets = segments_received(result);
	count(sk, socket, &traffic);
	if (is_dns(sk, &traffic))
		user_message(sk, &traffic);
	return 0;
}

/* A receive call on a socket that has no slot, or may not use it this time. */
static __noinline int receive_ended(struct sock *sk, int result, int flags)
{
	struct udp_socket *socket;

	if (!is_udp(sk))
		return 0;
	if (is_special_receive(sk, result, flags))
		return call_received(sk, result, flags);
	socket = bpf_sk_storage_get(&sockets, sk, NULL, 0);
	if (!socket || is_dns_socket(sk) || !is_still_first(socket, sk))
		return call_received(sk, result, flags);
	if (add_to_socket(socket, RECEIVED, result, 1) >= HOT_AFTER)
		heat(sk, socket);
	return 0;
}

SEC("tp_btf/sock_recv_length")
int BPF_PROG(udp_recv_length, struct sock *sk, int result, int flags)
{
	struct hot_socket *hot = hot_of(sk);

	if (sk->sk_protocol != IPPROTO_UDP) {
		tcp_passed(sk, result, flags, RECEIVED);
		return 0;
	}
	if (!is_hot(hot, sk) || is_special_receive(sk, result, flags))
		return receive_ended(sk, result, flags);
	add_hot(sk, hot, RECEIVED, result, 1);
	return 0;
}

/*
 * These run for UDP alone: before an address is used that the send call named, and after one was
 * found for a receive call that asks for it. The ends wait in the slot for the call's end.
 */
static __always_inline void name_ends(struct bpf_sock_addr *ctx, const union address *remote,
				      const union address *local, bool is_send)
{
	struct end end = { .address = *remote, .port = bpf_ntohs(ctx->user_port) };
	struct slot *slot = current_slot();

	if (is_send && ctx->sk->state == TCP_ESTABLISHED) {
		if (is_own_remote(ctx->sk, &end)) {
			if (slot && slot->sk == (__u64)ctx->sk)
				slot->sk = 0;
			return;
		}
		note_naming(ctx->sk);
	}
	if (slot)
		fill_slot(slot, (struct sock *)ctx->sk, &end, local);
}

static __always_inline void user_ip6(union address *out, const struct bpf_sock_addr *ctx)
{
	out->words[0] = ctx->user_ip6[0];
	out->words[1] = ctx->user_ip6[1];
	out->words[2] = ctx->user_ip6[2];
	out->words[3] = ctx->user_ip6[3];
}

SEC("cgroup/sendmsg4")
int udp_names4(struct bpf_sock_addr *ctx)
{
	union address remote, local;

	address_from_ipv4(&remote, ctx->user_ip4);
	address_from_ipv4(&local, ctx->msg_src_ip4);
	name_ends(ctx, &remote, &local, true);
	return 1;
}

SEC("cgroup/sendmsg6")
int udp_names6(struct bpf_sock_addr *ctx)
{
	union address remote, local;

	user_ip6(&remote, ctx);
	local.words[0] = ctx->msg_src_ip6[0];
	local.words[1] = ctx->msg_src_ip6[1];
	local.words[2] = ctx->msg_src_ip6[2];
	local.words[3] = ctx->msg_src_ip6[3];
	name_ends(ctx, &remote, &local, true);
	return 1;
}

SEC("cgroup/recvmsg4")
int udp_named4(struct bpf_sock_addr *ctx)
{
	union address remote, local = {};

	address_from_ipv4(&remote, ctx->user_ip4);
	name_ends(ctx, &remote, &local, false);
	return 1;
}

SEC("cgroup/recvmsg6")
int udp_named6(struct bpf_sock_addr *ctx)
{
	union address remote, local = {};

	user_ip6(&remote, ctx);
	name_ends(ctx, &remote, &local, false);
	return 1;
}

SEC("cgroup/sock_release")
int udp_released(struct bpf_sock *sk)
{
	struct udp_socket *socket;

	if (sk->protocol != IPPROTO_UDP)
		return 1;
	socket = bpf_sk_storage_get(&sockets, sk, NULL, 0);
	closing(socket);
	if (socket)
		release_hot(sk, socket);
	return 1;
}

/* --- both --- */

/* Once, at start, in each network namespace: sockets of whose past nothing is known. */
SEC("iter/udp")
int udp_adopt_sockets(struct bpf_iter__udp *ctx)
{
	struct udp_socket fresh = { .flags = SOCKET_ADOPTED };
	struct sock *sk = (struct sock *)ctx->udp_sk;

	if (sk && is_udp(sk))
		bpf_sk_storage_get(&sockets, sk, &fresh, BPF_SK_STORAGE_GET_F_CREATE);
	return 0;
}

/* Once a window: what each socket counted goes to the sums. */
SEC("iter/bpf_sk_storage_map")
int udp_read_sockets(struct bpf_iter__bpf_sk_storage_map *ctx)
{
	struct udp_socket *socket;
	struct sock *sk = ctx->sk;

	if (!sk)
		return 0;
	socket = bpf_sk_storage_get(&sockets, sk, NULL, 0);
	if (!socket || socket->state != SOCKET_SET)
		return 0;
	fold(socket, socket->counts);
	read_hot(sk, socket);
	return 0;
}
