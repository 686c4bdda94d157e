/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * NAT: what is known of translated conversations. The one definition for C and for Rust.
 */
#ifndef WEIR_NAT_RECORD_H
#define WEIR_NAT_RECORD_H

#include "record.h"

/* A conversation as the socket at one of its ends knows it. */
struct nat_key {
	__u8 local[ADDRESS_BYTES];
	__u8 remote[ADDRESS_BYTES];
	/* 0, but where an address is a loopback one: it means something only within its namespace. */
	__u32 netns;
	__u16 local_port;
	__u16 remote_port;
	/* IPPROTO_TCP or IPPROTO_UDP */
	__u8 protocol;
	__u8 pad[3];
};

struct nat_end {
	__u8 address[ADDRESS_BYTES];
	__u16 port;
	__u8 pad[2];
};

/* What that socket cannot know. */
struct nat_translation {
	/* Who is at the other end. */
	struct nat_end peer;
	/* What the client dialled. */
	struct nat_end dialled;
};

_Static_assert(sizeof(struct nat_key) == 44, "struct nat_key has padding");
_Static_assert(sizeof(struct nat_end) == 20, "struct nat_end has padding");
_Static_assert(sizeof(struct nat_translation) == 40, "struct nat_translation has padding");

#endif
