/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Payload: what crosses from the kernel to the agent. The one definition for C and for Rust.
 *
 * Every record begins with the connection's cookie and a time, and has its kind at the same place.
 */
#ifndef WEIR_PAYLOAD_RECORD_H
#define WEIR_PAYLOAD_RECORD_H

#include "record.h"

enum payload_kind {
	PAYLOAD_OPENED = 1,
	PAYLOAD_PASSED = 2,
	PAYLOAD_CLOSED = 3,
	PAYLOAD_PROCESS = 4,
};

enum payload_way {
	PAYLOAD_SENT = 0,
	PAYLOAD_RECEIVED = 1,
	PAYLOAD_WAYS = 2,
};

enum payload_role {
	PAYLOAD_ROLE_UNKNOWN = 0,
	PAYLOAD_ROLE_CLIENT = 1,
	PAYLOAD_ROLE_SERVER = 2,
};

enum {
	/* The most that is copied of one call, or of one stretch of it. */
	PAYLOAD_BYTES_MAX = 16384,
	/* Connections that user space has had enough of, by the low bits of their cookies. */
	PAYLOAD_IGNORED_MAX = 4096,
};

/* A connection turned out to speak a protocol that is parsed. */
struct payload_opened {
	__u64 id;
	__u64 mono_ns;
	/* enum payload_kind */
	__u8 kind;
	/* enum payload_role */
	__u8 role;
	__u8 is_tls;
	/* What its socket sees is not the real other end; NAT's table says who that is. */
	__u8 is_translated;
	__u32 netns;
	__u64 cgroup_id;
	__u8 local[ADDRESS_BYTES];
	__u8 remote[ADDRESS_BYTES];
	__u16 local_port;
	__u16 remote_port;
	struct process process;
};

/* What one call passed, or a stretch of it; the first `captured` bytes of it follow. */
struct payload_passed {
	__u64 id;
	__u64 mono_ns;
	__u8 kind;
	/* enum payload_way */
	__u8 way;
	__u16 captured;
	__u32 length;
	/* Bytes that passed that way before, since the connection was first looked at. */
	__u64 position;
};

/* The connection is gone, or was given up because user space asked for that. */
struct payload_closed {
	__u64 id;
	__u64 mono_ns;
	__u8 kind;
	__u8 is_reset;
	__u8 is_ignored;
	__u8 pad[5];
	/* Bytes that passed each way in all. */
	__u64 positions[PAYLOAD_WAYS];
};

/* A process whose program, or whose libraries, may be some to attach to. */
struct payload_process {
	__u64 id;
	__u64 mono_ns;
	__u8 kind;
	/* It has just begun, and its libraries are not loaded yet; else it speaks TLS. */
	__u8 is_new;
	__u8 pad[2];
	__u32 tgid;
};

/* Why something was lost; counted where it was lost. */
enum payload_loss {
	/* The ring buffer was full: what a call passed is not handed over. */
	PAYLOAD_LOSS_RING_FULL = 0,
	/* No memory for a socket's state: its connection is not looked at. */
	PAYLOAD_LOSS_SOCKET_STATE = 1,
	/* Passed in a way in which the bytes cannot be found: io_uring, 32-bit programs. */
	PAYLOAD_LOSS_UNREADABLE = 2,
	/* A program was interrupted by another one on its CPU, which found the buffer in use. */
	PAYLOAD_LOSS_BUSY = 3,
	PAYLOAD_LOSS_REASONS = 4,
};

_Static_assert(sizeof(struct payload_opened) == 88, "struct payload_opened has padding");
_Static_assert(sizeof(struct payload_passed) == 32, "struct payload_passed has padding");
_Static_assert(sizeof(struct payload_process) == 24, "struct payload_process has padding");
_Static_assert(sizeof(struct payload_closed) == 40, "struct payload_closed has padding");

#endif
