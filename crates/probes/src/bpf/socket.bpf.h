/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Reading a socket's ends, its place and the current process, shared by all probes.
 *
 * Owns no map and no policy. Where the kernel hands over a typed pointer, fields are plain loads.
 * Where the pointer comes out of a map they are copied by a helper, some five times slower, before
 * 6.2: there is no way to a typed pointer from there.
 */
#ifndef WEIR_SOCKET_BPF_H
#define WEIR_SOCKET_BPF_H

#include "kernel.h"
#include "record.h"

enum pointer_kind {
	TYPED,
	UNTYPED,
};

/* `kind` is a constant wherever this is expanded, so one of the two branches remains. */
#define FIELD(kind, pointer, field)                                                     \
	({                                                                              \
		typeof((pointer)->field) value__;                                       \
		if ((kind) == TYPED)                                                    \
			value__ = (pointer)->field;                                     \
		else                                                                    \
			bpf_core_read((void *)&value__, sizeof(value__),                \
				      &(pointer)->field);                               \
		value__;                                                                \
	})

/*
 * For loads of pointers. Since 6.3 the verifier asks of each that comes out of a trusted pointer
 * whether it may be trusted, too, and searches the names of all the kernel's types for that: some
 * milliseconds, each time it gets there. Of a pointer that was cast it does not ask.
 */
#define WITHOUT_TRUST(pointer)                                                          \
	({                                                                              \
		typeof(pointer) pointer__ = (pointer);                                  \
		if (bpf_ksym_exists(bpf_rdonly_cast))                                   \
			pointer__ = bpf_rdonly_cast(                                    \
				pointer__, bpf_core_type_id_kernel(typeof(*pointer__))); \
		pointer__;                                                              \
	})

/* An address as records carry it; halves[] makes comparing and copying two instructions. */
union address {
	__u8 bytes[ADDRESS_BYTES];
	__u32 words[4];
	__u64 halves[2];
};

static __always_inline void address_from_ipv4(union address *out, __be32 ip)
{
	out->halves[0] = 0;
	out->words[2] = bpf_htonl(0xffff);
	out->words[3] = ip;
}

static __always_inline bool address_is_mapped(const union address *address)
{
	return address->halves[0] == 0 && address->words[2] == bpf_htonl(0xffff);
}

static __always_inline bool address_is_loopback(const union address *address)
{
	if (address_is_mapped(address))
		return address->bytes[12] == 127;
	return address->halves[0] == 0 && address->words[2] == 0 &&
	       address->words[3] == bpf_htonl(1);
}

static __always_inline void remote_address(union address *out, struct sock *sk,
					   enum pointer_kind kind)
{
	if (FIELD(kind, sk, __sk_common.skc_family) == AF_INET6) {
		out->words[0] = FIELD(kind, sk, __sk_common.skc_v6_daddr.in6_u.u6_addr32[0]);
		out->words[1] = FIELD(kind, sk, __sk_common.skc_v6_daddr.in6_u.u6_addr32[1]);
		out->words[2] = FIELD(kind, sk, __sk_common.skc_v6_daddr.in6_u.u6_addr32[2]);
		out->words[3] = FIELD(kind, sk, __sk_common.skc_v6_daddr.in6_u.u6_addr32[3]);
	} else {
		address_from_ipv4(out, FIELD(kind, sk, __sk_common.skc_daddr));
	}
}

static __always_inline void local_address(union address *out, struct sock *sk,
					  enum pointer_kind kind)
{
	if (FIELD(kind, sk, __sk_common.skc_family) == AF_INET6) {
		out->words[0] = FIELD(kind, sk, __sk_common.skc_v6_rcv_saddr.in6_u.u6_addr32[0]);
		out->words[1] = FIELD(kind, sk, __sk_common.skc_v6_rcv_saddr.in6_u.u6_addr32[1]);
		out->words[2] = FIELD(kind, sk, __sk_common.skc_v6_rcv_saddr.in6_u.u6_addr32[2]);
		out->words[3] = FIELD(kind, sk, __sk_common.skc_v6_rcv_saddr.in6_u.u6_addr32[3]);
	} else {
		address_from_ipv4(out, FIELD(kind, sk, __sk_common.skc_rcv_saddr));
	}
}

static __always_inline __u16 remote_port(struct sock *sk, enum pointer_kind kind)
{
	return bpf_ntohs(FIELD(kind, sk, __sk_common.skc_dport));
}

/* inet_sport outlives the port's release at the close; skc_num does not (inet_put_port()). */
static __always_inline __u16 local_port(struct sock *sk)
{
	return bpf_ntohs(BPF_CORE_READ((struct inet_sock *)sk, inet_sport));
}

static __always_inline __u32 netns_of_sock(struct sock *sk, enum pointer_kind kind)
{
	struct sock *from = WITHOUT_TRUST(sk);
	struct net *net = FIELD(kind, from, __sk_common.skc_net.net);

	return FIELD(kind, net, ns.inum);
}

/* cgroup v2 id, 0 where there is none. */
static __always_inline __u64 cgroup_id_of_sock(struct sock *sk, enum pointer_kind kind)
{
	struct sock *from = WITHOUT_TRUST(sk);
	struct cgroup *cgroup = FIELD(kind, from, sk_cgrp_data.cgroup);
	struct kernfs_node *kn;

	if (!cgroup)
		return 0;
	kn = FIELD(kind, cgroup, kn);
	return FIELD(kind, kn, id);
}

/* A kernel thread is nobody's process: its sockets have a cgroup and no owner. */
static __always_inline bool read_process(struct process *out, struct task_struct *task)
{
	if (task->flags & PF_KTHREAD) {
		__builtin_memset(out, 0, sizeof(*out));
		return false;
	}
	out->tgid = task->tgid;
	task = WITHOUT_TRUST(task);
	bpf_core_read(out->comm, sizeof(out->comm), &task->group_leader->comm);
	return true;
}

/* Only where the caller knows that the current task is the one that acts. */
static __always_inline bool read_current_process(struct process *out)
{
	return read_process(out, bpf_get_current_task_btf());
}

#endif
