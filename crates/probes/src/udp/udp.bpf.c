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
#include "../dns/dns.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* Whether conversations with a loopback address count. */
const volatile bool count_loopback = true;

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
	if (traffic.remote.port == DNS_PORT) {
		struct payload payload = { .at = skb->data, .bytes = skb->len };

		if (!skb->data_len)
			hand_over_answer(sk, &traffic, &payload);
		else
			answer_received(sk, &traffic);
	}
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
		fold_or_lose(socket);
}

SEC("fentry/udp_lib_unhash")
int BPF_PROG(udp_unhashed, struct sock *sk)
{
	closing(bpf_sk_storage_get(&sockets, sk, NULL, 0));
	return 0;
}

/* --- calls: what a send or receive call returned --- */

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

static __always_inline void note_corked(struct sock *sk, bool is_corked)
{
	struct udp_socket *socket = bpf_sk_storage_get(&sockets, sk, NULL, 0);

	if (!socket)
		return;
	if (is_corked)
		__sync_fetch_and_or(&socket->flags, SOCKET_CORKED);
	else
		__sync_fetch_and_and(&socket->flags, ~SOCKET_CORKED);
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
	return 0;
}

SEC("tp_btf/sock_send_length")
int BPF_PROG(udp_send_length, struct sock *sk, int result, int flags)
{
	struct udp_socket *socket;
	__u32 packets;

	if (!is_udp(sk))
		return 0;
	packets = segments_sent(sk, result);
	socket = bpf_sk_storage_get(&sockets, sk, NULL, 0);
	if (socket && result >= 0 && !udp_sock(sk)->pending && is_still_first(socket, sk)) {
		add_to_socket(socket, SENT, result, packets);
		return 0;
	}
	return call_sent(sk, result, packets);
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
	if (traffic.remote.port == DNS_PORT)
		answer_received(sk, &traffic);
	return 0;
}

SEC("tp_btf/sock_recv_length")
int BPF_PROG(udp_recv_length, struct sock *sk, int result, int flags)
{
	struct udp_socket *socket;

	if (!is_udp(sk))
		return 0;
	if (result <= 0 || flags & (MSG_PEEK | MSG_ERRQUEUE) || receives_merged(sk))
		return call_received(sk, result, flags);
	socket = bpf_sk_storage_get(&sockets, sk, NULL, 0);
	if (!socket || socket->key.remote_port == DNS_PORT || !is_still_first(socket, sk))
		return call_received(sk, result, flags);
	add_to_socket(socket, RECEIVED, result, 1);
	return 0;
}

/*
 * These run for UDP alone: before an address is used that the send call named, and after one was
 * found for a receive call that asks for it. The ends wait in the slot for the call's end.
 */
static __always_inline void name_ends(struct bpf_sock_addr *ctx, const union address *remote,
				      const union address *local)
{
	struct end end = { .address = *remote, .port = bpf_ntohs(ctx->user_port) };
	struct slot *slot = current_slot();

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

/* Else the socket's own remote end would be believed, without a look at the slot. */
static __always_inline void note_naming(struct bpf_sock *sk)
{
	struct udp_socket *socket;

	if (sk->state != TCP_ESTABLISHED)
		return;
	socket = bpf_sk_storage_get(&sockets, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);
	if (socket && !(socket->flags & SOCKET_NAMES_REMOTES))
		__sync_fetch_and_or(&socket->flags, SOCKET_NAMES_REMOTES);
}

SEC("cgroup/sendmsg4")
int udp_names4(struct bpf_sock_addr *ctx)
{
	union address remote, local;

	address_from_ipv4(&remote, ctx->user_ip4);
	address_from_ipv4(&local, ctx->msg_src_ip4);
	name_ends(ctx, &remote, &local);
	note_naming(ctx->sk);
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
	name_ends(ctx, &remote, &local);
	note_naming(ctx->sk);
	return 1;
}

SEC("cgroup/recvmsg4")
int udp_named4(struct bpf_sock_addr *ctx)
{
	union address remote, local = {};

	address_from_ipv4(&remote, ctx->user_ip4);
	name_ends(ctx, &remote, &local);
	return 1;
}

SEC("cgroup/recvmsg6")
int udp_named6(struct bpf_sock_addr *ctx)
{
	union address remote, local = {};

	user_ip6(&remote, ctx);
	name_ends(ctx, &remote, &local);
	return 1;
}

SEC("cgroup/sock_release")
int udp_released(struct bpf_sock *sk)
{
	if (sk->protocol == IPPROTO_UDP)
		closing(bpf_sk_storage_get(&sockets, sk, NULL, 0));
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
	if (socket && socket->state == SOCKET_SET)
		fold(socket);
	return 0;
}
