/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * TCP: the sockets that exist when the agent starts, and whose they are.
 *
 * Owns two iterators that run once. The end of tcp.bpf.c, whose maps and marks it uses.
 */
#ifndef WEIR_TCP_ADOPT_BPF_H
#define WEIR_TCP_ADOPT_BPF_H

struct listen_address {
	__u8 local[ADDRESS_BYTES];
	__u32 netns;
	__u32 port;
};

/* Where something listened when the agent started: tells servers from clients, then. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	/* Set to listeners_max before loading. */
	__uint(max_entries, 1);
	__type(key, struct listen_address);
	__type(value, __u8);
} listen_addresses SEC(".maps");

static __always_inline bool something_listened(struct sock *sk)
{
	struct listen_address at = { .netns = netns_of_sock(sk, TYPED), .port = local_port(sk) };
	union address *local = (union address *)at.local;

	local_address(local, sk, TYPED);
	if (bpf_map_lookup_elem(&listen_addresses, &at))
		return true;
	/* 0.0.0.0 takes IPv4; :: takes both, unless told otherwise. */
	if (address_is_mapped(local)) {
		address_from_ipv4(local, 0);
		if (bpf_map_lookup_elem(&listen_addresses, &at))
			return true;
	}
	__builtin_memset(at.local, 0, sizeof(at.local));
	return bpf_map_lookup_elem(&listen_addresses, &at);
}

static __always_inline void adopt_listener(struct sock *sk, __u64 cookie)
{
	struct listen_address at = { .netns = netns_of_sock(sk, TYPED), .port = local_port(sk) };
	__u8 yes = 1;

	local_address((union address *)at.local, sk, TYPED);
	if (bpf_map_update_elem(&listen_addresses, &at, &yes, BPF_ANY))
		count_loss(TCP_LOSS_LISTENERS_FULL);
	put_listener(sk, cookie, NULL);
}

/*
 * Once, at start, in each network namespace: what is there already. Counting begins here. The
 * kernel walks listeners first, and holds each socket's lock meanwhile.
 */
SEC("iter/tcp")
int tcp_adopt_sockets(struct bpf_iter__tcp *ctx)
{
	struct sock_common *common = ctx->sk_common;
	struct translated translated;
	struct mark mark = {};
	struct reading now;
	struct tcp_sock *tp;
	struct sock *sk;
	__u64 cookie;
	int state;

	if (!common)
		return 0;
	tp = bpf_skc_to_tcp_sock(common);
	if (!tp)
		return 0;
	sk = (struct sock *)tp;
	state = sk->__sk_common.skc_state;
	cookie = bpf_get_socket_cookie(sk);
	if (state == TCP_LISTEN) {
		adopt_listener(sk, cookie);
		return 0;
	}
	if (state == TCP_CLOSE || state == TCP_SYN_RECV || !is_watched(sk))
		return 0;
	read_counters(&now, tp, TYPED);
	set_baseline(&mark, &now);
	mark.cookie = cookie;
	mark.role = something_listened(sk) ? TCP_ROLE_SERVER : TCP_ROLE_CLIENT;
	if (state == TCP_SYN_SENT)
		mark.connect_us = now_us();
	else
		mark.flags = MARK_ESTABLISHED | MARK_ADOPTED;
	translate(sk, &translated);
	set_translated(&mark, &translated);
	add_mark(sk, &mark, BPF_NOEXIST);
	return 0;
}

/* Once, after that: who holds what was found. The first process that holds a socket owns it. */
SEC("iter/task_file")
int tcp_find_owners(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;
	struct tcp_listener *listener;
	struct process process;
	struct socket *socket;
	struct mark *mark;
	struct sock *sk;
	__u64 cookie;

	if (!task || !file)
		return 0;
	if ((BPF_CORE_READ(file, f_inode, i_mode) & S_IFMT) != S_IFSOCK)
		return 0;
	socket = BPF_CORE_READ(file, private_data);
	sk = BPF_CORE_READ(socket, sk);
	if (!sk)
		return 0;
	mark = find_mark(sk);
	if (mark && !mark->process.tgid && read_process(&process, task)) {
		bpf_spin_lock(&mark->lock);
		if (!(mark->flags & MARK_OPENING_TOLD))
			mark->process = process;
		bpf_spin_unlock(&mark->lock);
		return 0;
	}
	if (mark)
		return 0;
	cookie = BPF_CORE_READ(sk, __sk_common.skc_cookie.counter);
	listener = bpf_map_lookup_elem(&listeners, &cookie);
	if (listener && !listener->process.tgid && read_process(&process, task))
		listener->process = process;
	return 0;
}

#endif
