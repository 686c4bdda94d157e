/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * DNS: which sockets may pass it.
 *
 * Owns the switch. Read by the counting of UDP too, which leaves its shortest ways to others.
 */
#ifndef WEIR_DNS_PORT_BPF_H
#define WEIR_DNS_PORT_BPF_H

#include "dns.record.h"
#include "kernel.h"

/* Whether DNS is handed over. */
const volatile bool reads_dns = true;

/* A name server's socket, or one that is connected to one. */
static __always_inline bool is_dns_socket(struct sock *sk)
{
	return reads_dns && (sk->__sk_common.skc_dport == bpf_htons(DNS_PORT) ||
			     sk->__sk_common.skc_num == DNS_PORT);
}

#endif
