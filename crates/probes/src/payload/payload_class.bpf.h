/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a connection speaks, from the first bytes that one of its ends passed.
 *
 * Owns the judgement, and no state: bytes in, verdict out. RFC 9112 (HTTP/1.1), RFC 9113 (HTTP/2),
 * RFC 8446 (TLS), and the PROXY protocol of HAProxy.
 */
#ifndef WEIR_PAYLOAD_CLASS_BPF_H
#define WEIR_PAYLOAD_CLASS_BPF_H

#include "kernel.h"

enum {
	/* Enough to judge by; a power of two, with room for what is read beyond. */
	START_BYTES = 32,
	/* RFC 9110 registers none that is longer. */
	METHOD_BYTES_MAX = 18,
	METHOD_BYTES_MIN = 3,
	FRAME_HEADER_BYTES = 9,
};

/* What a connection begins with; less than all of it may be known. */
struct start {
	union {
		__u8 bytes[START_BYTES];
		__u64 words[START_BYTES / 8];
	};
};

enum verdict {
	/* Nothing that is known. */
	VERDICT_NOTHING,
	/* The beginning of something that is known. */
	VERDICT_MORE,
	VERDICT_REQUEST,
	VERDICT_ANSWER,
	/* What an HTTP/2 client begins with. */
	VERDICT_PREFACE,
	/* The SETTINGS that an HTTP/2 server begins with, maybe before its client. */
	VERDICT_SETTINGS,
	/* Another frame of HTTP/2, in the middle of a connection. */
	VERDICT_FRAME,
	VERDICT_TLS,
	/* A record of TLS in the middle of a connection. */
	VERDICT_RECORD,
	/* A proxy says for whom it speaks; the protocol comes after that. */
	VERDICT_PROXY,
};

/* Types of HTTP/2 frames. */
enum {
	FRAME_DATA = 0,
	FRAME_HEADERS = 1,
	FRAME_RST_STREAM = 3,
	FRAME_SETTINGS = 4,
	FRAME_PING = 6,
	FRAME_GOAWAY = 7,
	FRAME_WINDOW_UPDATE = 8,
};

/* Types of TLS records. */
enum {
	RECORD_CHANGE_CIPHER_SPEC = 20,
	RECORD_HANDSHAKE = 22,
	RECORD_APPLICATION_DATA = 23,
};

enum agreement {
	AGREES_NOT,
	/* As far as there are bytes. */
	AGREES_SO_FAR,
	AGREES,
};

/* Eight characters as they are in memory. */
#define WORD(text)                                                              \
	({                                                                      \
		__u64 word__;                                                   \
		__builtin_memcpy(&word__, text, sizeof(word__));                \
		word__;                                                         \
	})

/* The lowest bytes of a word, as many as `count` if that is less than eight. */
static __always_inline __u64 mask_of(__u32 count)
{
	return count >= 8 ? ~0ULL : (1ULL << count * 8) - 1;
}

/* Whether the bytes begin with the `length` first of two words; without a branch for each byte. */
static __always_inline enum agreement agrees(const struct start *start, __u32 count, __u64 first,
					     __u64 second, __u32 length)
{
	__u32 compared = count < length ? count : length;
	__u64 difference = (start->words[0] ^ first) & mask_of(compared);

	if (compared > 8)
		difference |= (start->words[1] ^ second) & mask_of(compared - 8);
	if (difference)
		return AGREES_NOT;
	return count < length ? AGREES_SO_FAR : AGREES;
}

/* One word in capitals, a blank, and the beginning of a target (RFC 9112, section 3.2). */
static __always_inline enum verdict judge_request(const struct start *start, __u32 count)
{
	const __u8 *bytes = start->bytes;
	__u32 i;

	for (i = 0; i < METHOD_BYTES_MAX; i++) {
		if (i >= count)
			return VERDICT_MORE;
		if (!(bytes[i] >= 'A' && bytes[i] <= 'Z') && bytes[i] != '-')
			break;
	}
	if (i < METHOD_BYTES_MIN || i >= METHOD_BYTES_MAX || bytes[i] != ' ')
		return VERDICT_NOTHING;
	if (agrees(start, count, WORD("CONNECT "), 0, 8) == AGREES)
		return VERDICT_REQUEST;
	if (i + 1 >= count)
		return VERDICT_MORE;
	switch (bytes[i + 1]) {
	case '/':
	case '*':
	case 'h':
	case 'H':
		return VERDICT_REQUEST;
	}
	return VERDICT_NOTHING;
}

/* The header of an HTTP/2 frame (RFC 9113, section 4.1), of those that are told by it alone. */
static __always_inline enum verdict judge_frame(const __u8 *bytes, __u32 count)
{
	__u32 length = bytes[0] << 16 | bytes[1] << 8 | bytes[2];
	__u32 stream = bytes[5] << 24 | bytes[6] << 16 | bytes[7] << 8 | bytes[8];
	__u8 flags = bytes[4];

	if (bytes[0] || (count > 1 && bytes[1] >= 0x40))
		return VERDICT_NOTHING;
	if (count > 3 && bytes[3] > FRAME_WINDOW_UPDATE)
		return VERDICT_NOTHING;
	if (count < FRAME_HEADER_BYTES)
		return VERDICT_MORE;
	switch (bytes[3]) {
	case FRAME_SETTINGS:
		if (stream || flags > 1 || length % 6 || length > 256 || (flags && length))
			return VERDICT_NOTHING;
		return VERDICT_SETTINGS;
	case FRAME_HEADERS:
		return stream & 1 && stream < 1U << 31 && !(flags & ~0x2d) && length ?
			       VERDICT_FRAME :
			       VERDICT_NOTHING;
	case FRAME_PING:
		return !stream && flags <= 1 && length == 8 ? VERDICT_FRAME : VERDICT_NOTHING;
	case FRAME_WINDOW_UPDATE:
		return stream < 1U << 31 && !flags && length == 4 ? VERDICT_FRAME :
								    VERDICT_NOTHING;
	case FRAME_RST_STREAM:
		return stream & 1 && stream < 1U << 31 && !flags && length == 4 ?
			       VERDICT_FRAME :
			       VERDICT_NOTHING;
	}
	return VERDICT_NOTHING;
}

/* A type and a version 3.x (RFC 8446, section 5.1). A connection begins with a handshake. */
static __always_inline enum verdict judge_record(const __u8 *bytes, __u32 count)
{
	if (count >= 2 && bytes[1] != 3)
		return VERDICT_NOTHING;
	if (count >= 3 && bytes[2] > 4)
		return VERDICT_NOTHING;
	if (count < 3)
		return VERDICT_MORE;
	return bytes[0] == RECORD_HANDSHAKE ? VERDICT_TLS : VERDICT_RECORD;
}

struct known {
	__u64 first;
	__u64 second;
	__u32 length;
	enum verdict verdict;
};

/* Gives an enum verdict. The verifier takes on global functions once, not at each call. */
__noinline int judge(const struct start *start, __u32 count)
{
	const struct known known[] = {
		{ WORD("HTTP/1. "), 0, 7, VERDICT_ANSWER },
		{ WORD("PRI * HT"), WORD("TP/2.0\r\n"), 16, VERDICT_PREFACE },
		{ WORD("PROXY   "), 0, 6, VERDICT_PROXY },
		{ WORD("\r\n\r\n\0\r\nQ"), WORD("UIT\n    "), 12, VERDICT_PROXY },
	};

	if (!start || !count)
		return VERDICT_NOTHING;
	if (start->bytes[0] == 0)
		return judge_frame(start->bytes, count);
	if (start->bytes[0] >= RECORD_CHANGE_CIPHER_SPEC &&
	    start->bytes[0] <= RECORD_APPLICATION_DATA)
		return judge_record(start->bytes, count);
	/* As one piece: 6.1 refuses a loop into whose head the code before it just runs on. */
#pragma clang loop unroll(full)
	for (__u32 i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		switch (agrees(start, count, known[i].first, known[i].second, known[i].length)) {
		case AGREES:
			return known[i].verdict;
		case AGREES_SO_FAR:
			return VERDICT_MORE;
		case AGREES_NOT:
			break;
		}
	}
	return judge_request(start, count);
}

#endif
