/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the current thread asked of the kernel: the number and arguments of its system call.
 *
 * Owns where the registers are found. Believes nothing of what they point to: that is user
 * space's memory, and nonsense in a kernel thread.
 */
#ifndef WEIR_CALL_BPF_H
#define WEIR_CALL_BPF_H

#include "kernel.h"

/* User space's own structures on 64-bit machines. */
struct user_iovec {
	__u64 base;
	__u64 len;
};

struct user_msghdr {
	__u64 name;
	__u64 namelen;
	__u64 iov;
	__u64 iovlen;
	__u64 control;
	__u64 controllen;
	__u64 flags;
};

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

#if defined(__TARGET_ARCH_x86)
struct pt_regs {
	unsigned long orig_ax;
	unsigned long si;
	unsigned long dx;
};
#elif defined(__TARGET_ARCH_arm64)
struct pt_regs {
	__u64 regs[31];
	int syscallno;
};
#endif

#pragma clang attribute pop

/*
 * A system call, as far as it may pass data through a socket. Numbers are those of 64-bit programs
 * (arch/x86/entry/syscalls/syscall_64.tbl, include/uapi/asm-generic/unistd.h).
 */
struct call {
	__u64 number;
	__u64 second;
	__u64 third;
};

#if defined(__TARGET_ARCH_x86)
enum {
	CALL_READ = 0,
	CALL_WRITE = 1,
	CALL_READV = 19,
	CALL_WRITEV = 20,
	CALL_SENDFILE = 40,
	CALL_SENDTO = 44,
	CALL_RECVFROM = 45,
	CALL_SENDMSG = 46,
	CALL_RECVMSG = 47,
	CALL_SPLICE = 275,
	CALL_RECVMMSG = 299,
	CALL_SENDMMSG = 307,
	CALL_PREADV2 = 327,
	CALL_PWRITEV2 = 328,
};
#elif defined(__TARGET_ARCH_arm64)
enum {
	CALL_READ = 63,
	CALL_WRITE = 64,
	CALL_READV = 65,
	CALL_WRITEV = 66,
	CALL_SENDFILE = 71,
	CALL_SPLICE = 76,
	CALL_SENDTO = 206,
	CALL_RECVFROM = 207,
	CALL_SENDMSG = 211,
	CALL_RECVMSG = 212,
	CALL_RECVMMSG = 243,
	CALL_SENDMMSG = 269,
	CALL_PREADV2 = 286,
	CALL_PWRITEV2 = 287,
};
#endif

/* From the bottom of a stack to the registers saved at its top; the same for every task. */
volatile __u64 registers_offset;

/*
 * The verifier lets two pointers be subtracted, but not a pointer and a number; the address of
 * the task is to be had as both.
 */
static __always_inline __u64 find_registers(struct task_struct *task)
{
	__u64 from_task = bpf_task_pt_regs(task) - (long)task;

	barrier_var(from_task);
	return from_task + bpf_get_current_task() - (__u64)task->stack;
}

/*
 * What the current task asked of the kernel; nonsense for a kernel thread. Where the kernel can
 * cast, the helper is asked once: it costs 10 ns, its answer is an addition.
 */
static __always_inline void current_call(struct call *call)
{
	struct task_struct *task = bpf_get_current_task_btf();
	const struct pt_regs *registers;

	if (!bpf_ksym_exists(bpf_rdonly_cast)) {
		registers = (const struct pt_regs *)bpf_task_pt_regs(task);
	} else {
		if (!registers_offset)
			registers_offset = find_registers(task);
		registers = bpf_rdonly_cast(task->stack + registers_offset,
					    bpf_core_type_id_kernel(struct pt_regs));
	}
#if defined(__TARGET_ARCH_x86)
	call->number = registers->orig_ax;
	call->second = registers->si;
	call->third = registers->dx;
#elif defined(__TARGET_ARCH_arm64)
	call->number = registers->syscallno;
	call->second = registers->regs[1];
	call->third = registers->regs[2];
#endif
}

#endif
