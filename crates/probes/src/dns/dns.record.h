/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * DNS: one answer as a client on this host read it. The one definition for C and for Rust.
 */
#ifndef WEIR_DNS_RECORD_H
#define WEIR_DNS_RECORD_H

#include "record.h"

enum {
	DNS_PORT = 53,
	/* What servers limit a UDP answer to (DNS flag day 2020); what is longer is cut. */
	DNS_PAYLOAD_BYTES_MAX = 1232,
};

struct dns_record {
	__u64 mono_ns;
	__u64 cgroup_id;
	__u8 local[ADDRESS_BYTES];
	__u8 remote[ADDRESS_BYTES];
	struct process process;
	__u32 netns;
	__u16 local_port;
	__u16 remote_port;
	/* Bytes of the datagram, of which at most DNS_PAYLOAD_BYTES_MAX are in payload. */
	__u16 datagram_bytes;
	__u16 payload_bytes;
	__u8 payload[DNS_PAYLOAD_BYTES_MAX];
};

_Static_assert(sizeof(struct dns_record) == 80 + DNS_PAYLOAD_BYTES_MAX,
	       "struct dns_record has padding");

#endif
