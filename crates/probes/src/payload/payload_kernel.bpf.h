/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Kernel types and constants that only the payload programs need; kernel.h says how they are used.
 *
 * Owns declarations and the shims that read them.
 */
#ifndef WEIR_PAYLOAD_KERNEL_BPF_H
#define WEIR_PAYLOAD_KERNEL_BPF_H

#include "call.bpf.h"
#include "socket.bpf.h"

/* include/linux/socket.h, include/net/sock.h. */
enum {
	MSG_PEEK = 0x2,
	MSG_TRUNC = 0x20,
	MSG_ERRQUEUE = 0x2000,
	SEND_SHUTDOWN = 2,
};

/* include/uapi/linux/bpf.h; stable ABI. */
enum {
	BPF_RB_NO_WAKEUP = 1 << 0,
	BPF_RB_FORCE_WAKEUP = 1 << 1,
	BPF_RB_AVAIL_DATA = 0,
};

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

#if defined(__TARGET_ARCH_x86)
struct pt_regs___function {
	unsigned long di;
	unsigned long si;
	unsigned long dx;
	unsigned long cx;
	unsigned long ax;
	unsigned long bx;
	unsigned long r14;
};
#endif

struct super_block {
	__u32 s_dev;
};

struct inode___place {
	unsigned long i_ino;
	struct super_block *i_sb;
};

struct linux_binprm {
	struct file *file;
};

struct fdtable {
	unsigned int max_fds;
	struct file **fd;
};

struct files_struct {
	struct fdtable *fdt;
};

struct task_struct___files {
	struct files_struct *files;
};

struct tcp_sock___sequences {
	__u32 write_seq;
	__u32 copied_seq;
	__u32 rcv_nxt;
};

#pragma clang attribute pop

/* The same socket, with the fields that only TCP's have; the caller knows that it is TCP's. */
static __always_inline const struct tcp_sock___sequences *tcp_sequences(struct sock *sk)
{
	if (bpf_ksym_exists(bpf_rdonly_cast))
		return bpf_rdonly_cast(sk, bpf_core_type_id_kernel(struct tcp_sock___sequences));
	return (const struct tcp_sock___sequences *)bpf_skc_to_tcp_sock(sk);
}

/* Arguments and result of a function in user space, by the calling conventions of C. */
static __always_inline __u64 argument(const struct pt_regs *registers, int index)
{
#if defined(__TARGET_ARCH_x86)
	const struct pt_regs___function *function = (const void *)registers;

	switch (index) {
	case 0:
		return function->di;
	case 1:
		return function->si;
	case 2:
		return function->dx;
	default:
		return function->cx;
	}
#elif defined(__TARGET_ARCH_arm64)
	return registers->regs[index];
#endif
}

static __always_inline int returned(const struct pt_regs *registers)
{
#if defined(__TARGET_ARCH_x86)
	return ((const struct pt_regs___function *)registers)->ax;
#elif defined(__TARGET_ARCH_arm64)
	return registers->regs[0];
#endif
}

/*
 * Arguments and result of a function of Go, and the goroutine that runs it, by the calling
 * conventions that Go has between its own functions since 1.17 (abi-internal.md of its source).
 */
static __always_inline __u64 go_argument(const struct pt_regs *registers, int index)
{
#if defined(__TARGET_ARCH_x86)
	const struct pt_regs___function *function = (const void *)registers;

	switch (index) {
	case 0:
		return function->ax;
	case 1:
		return function->bx;
	default:
		return function->cx;
	}
#elif defined(__TARGET_ARCH_arm64)
	return registers->regs[index];
#endif
}

static __always_inline __u64 goroutine(const struct pt_regs *registers)
{
#if defined(__TARGET_ARCH_x86)
	return ((const struct pt_regs___function *)registers)->r14;
#elif defined(__TARGET_ARCH_arm64)
	return registers->regs[28];
#endif
}

static __always_inline bool is_tcp(struct sock *sk)
{
	__u16 family = sk->__sk_common.skc_family;

	return sk->sk_protocol == IPPROTO_TCP && (family == AF_INET || family == AF_INET6);
}

#endif
