/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What every record header needs: fixed-size types on both sides, and shapes shared by probes.
 *
 * Read by clang for BPF (after kernel.h) and by bindgen for Rust. Addresses are always 16 bytes;
 * IPv4 is v4-mapped. Ports are in host order.
 */
#ifndef WEIR_RECORD_H
#define WEIR_RECORD_H

#ifndef __bpf__
#include <linux/types.h>

/* The kernel's own lock type (include/uapi/linux/bpf.h): user space copies it and looks away. */
struct bpf_spin_lock {
	__u32 val;
};
#endif

enum {
	/* TASK_COMM_LEN of include/linux/sched.h, the terminating 0 included. */
	COMM_BYTES = 16,
	ADDRESS_BYTES = 16,
};

/* A process as the kernel named it in the event's own context; tgid 0: nobody in user space. */
struct process {
	__u32 tgid;
	char comm[COMM_BYTES];
};

_Static_assert(sizeof(struct process) == 20, "struct process has padding");

#endif
