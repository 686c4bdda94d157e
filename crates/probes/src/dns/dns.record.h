/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * DNS: one datagram, or what one TCP call passed through one buffer, with a name server's port at
 * either end. The one definition for C and for Rust.
 */
#ifndef WEIR_DNS_RECORD_H
#define WEIR_DNS_RECORD_H

#include "record.h"

enum {
	DNS_PORT = 53,
	/* What servers limit a UDP answer to (DNS flag day 2020); what is longer is cut. */
	DNS_PAYLOAD_BYTES_MAX = 1232,
	/* Room for a header and the longest question (RFC 1035, section 4: 12 + 255 + 4 bytes). */
	DNS_QUESTION_BYTES_MAX = 288,
};

enum dns_way {
	DNS_SENT = 0,
	DNS_RECEIVED = 1,
};

/* The payload follows. */
struct dns_record {
	__u64 mono_ns;
	__u64 cgroup_id;
	/* The socket's. */
	__u64 cookie;
	__u8 local[ADDRESS_BYTES];
	__u8 remote[ADDRESS_BYTES];
	struct process process;
	__u32 netns;
	/* Where in its direction's stream the bytes begin (TCP). */
	__u32 sequence;
	/* Bytes that were passed, of which the first payload_bytes follow. */
	__u32 passed_bytes;
	__u16 local_port;
	__u16 remote_port;
	__u16 payload_bytes;
	/* enum dns_way */
	__u8 way;
	__u8 is_tcp;
};

struct dns_question {
	struct dns_record record;
	__u8 payload[DNS_QUESTION_BYTES_MAX];
};

struct dns_message {
	struct dns_record record;
	__u8 payload[DNS_PAYLOAD_BYTES_MAX];
};

_Static_assert(sizeof(struct dns_record) == 96, "struct dns_record has padding");
_Static_assert(sizeof(struct dns_question) == 96 + DNS_QUESTION_BYTES_MAX, "padding");
_Static_assert(sizeof(struct dns_message) == 96 + DNS_PAYLOAD_BYTES_MAX, "padding");

#endif
