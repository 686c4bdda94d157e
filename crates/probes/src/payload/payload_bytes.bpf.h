/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Where the bytes are that the call which is ending has passed, and a copy of the first of them.
 *
 * Owns the scratch memory. The bytes are in the memory of the process: what it sends is still
 * there, what it receives has just been put there.
 */
#ifndef WEIR_PAYLOAD_BYTES_BPF_H
#define WEIR_PAYLOAD_BYTES_BPF_H

#include "payload_class.bpf.h"
#include "payload_kernel.bpf.h"
#include "payload.record.h"

enum {
	/* Buffers of one call that are looked into; of HTTP/2, at once. */
	VECTORS_MAX = 64,
	/* What is copied of a call that is neither the beginning of a message nor near it. */
	BODY_BYTES = 256,
	/* Of one buffer that is not a call's only one. */
	PIECE_BYTES_MAX = PAYLOAD_BYTES_MAX / 2,
};

enum source_kind {
	/* The bytes are nowhere in user space: sendfile() and splice(). */
	SOURCE_NONE,
	SOURCE_UNKNOWN,
	SOURCE_BUFFER,
	/* Several buffers, which are in the scratch memory. */
	SOURCE_VECTOR,
};

/* The first buffer of a call, and where all of them are and how many, if there are several. */
struct source {
	__u64 base;
	__u64 length;
	__u64 vectors_at;
	__u32 vectors;
};

/* Where the frames of HTTP/2 are, one way of a connection. */
struct frames {
	/* The position of which this is true. */
	__u32 at;
	/* Bytes of the frame in progress, or of the preface, that are still to come. */
	__u32 left;
	/* The first bytes of a frame's header that goes on in the next call, and how many came. */
	__u32 header;
	__u8 header_bytes;
	/* Whether the frame in progress is one of DATA. */
	__u8 is_data;
	/* Where the next one begins is not known. */
	__u8 is_lost;
	__u8 pad;
};

/*
 * A record as it is put together; at most 32 KiB can be had of a CPU's own memory. What every call
 * touches comes first, in one cache line.
 */
struct scratch {
	/* Kernels may interrupt a program for another thread's. */
	__u32 is_busy;
	/* While buffers are gathered: which is next, where bytes end, and how many are wanted. */
	volatile __u32 next;
	volatile __u32 end;
	volatile __u32 left;
	struct payload_passed record;
	union {
		struct start start;
		__u64 word;
		__u8 bytes[PAYLOAD_BYTES_MAX + PIECE_BYTES_MAX];
	};
	/* The buffers of the call, where it has several. */
	struct user_iovec vectors[VECTORS_MAX];
	/* While a call of HTTP/2 is walked: what is left of it, the window into it, and where in that. */
	volatile __u32 call_left;
	volatile __u32 wanted;
	volatile __u32 window;
	volatile __u32 here;
	/* The first buffer that is not behind, and how much of it and the next ones to step over. */
	volatile __u32 first;
	volatile __u32 skipped;
	__u32 is_vector;
	__u32 pad;
	struct frames frames;
	struct source source;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct scratch);
} scratches SEC(".maps");

/* All in one: each read of user space's memory costs some 50 ns, however little it is. */
static __always_inline enum source_kind read_vectors(struct scratch *scratch,
						     struct source *source, __u64 at,
						     __u64 count)
{
	__u64 bytes = count * sizeof(scratch->vectors[0]);

	/* So that the register that is compared is the one that is used. */
	barrier_var(bytes);
	if (bytes > sizeof(scratch->vectors))
		bytes = sizeof(scratch->vectors);
	if (!bytes || bpf_probe_read_user(scratch->vectors, bytes, (void *)at))
		return SOURCE_UNKNOWN;
	source->base = scratch->vectors[0].base;
	source->length = scratch->vectors[0].len;
	source->vectors_at = at;
	source->vectors = count;
	return count == 1 ? SOURCE_BUFFER : SOURCE_VECTOR;
}

static __always_inline enum source_kind find_source(struct scratch *scratch,
						    struct source *source)
{
	struct user_msghdr header;
	struct call call;

	/* Kernel threads have no registers of user space: theirs are zeroes, a read() of nothing. */
	if (bpf_get_current_task_btf()->flags & PF_KTHREAD)
		return SOURCE_NONE;
	current_call(&call);
	switch (call.number) {
	case CALL_READ:
	case CALL_WRITE:
	case CALL_RECVFROM:
	case CALL_SENDTO:
		source->base = call.second;
		source->length = call.third;
		return SOURCE_BUFFER;
	case CALL_READV:
	case CALL_WRITEV:
	case CALL_PREADV2:
	case CALL_PWRITEV2:
		return read_vectors(scratch, source, call.second, call.third);
	case CALL_SENDMSG:
	case CALL_RECVMSG:
		if (bpf_probe_read_user(&header, sizeof(header), (void *)call.second))
			return SOURCE_UNKNOWN;
		return read_vectors(scratch, source, header.iov, header.iovlen);
	case CALL_SENDFILE:
	case CALL_SPLICE:
		return SOURCE_NONE;
	}
	return SOURCE_UNKNOWN;
}

/* Copies bytes to `at`, which is at most BODY_BYTES; gives where they end. */
static __always_inline __u32 copy_to(struct scratch *scratch, __u32 at, __u64 from, __u64 bytes)
{
	barrier_var(bytes);
	if (bytes > PAYLOAD_BYTES_MAX)
		bytes = PAYLOAD_BYTES_MAX;
	if (bpf_probe_read_user(scratch->bytes + at, bytes, (void *)from))
		return at;
	return at + bytes;
}

/*
 * Of several buffers, without a gap between them: it ends where one could not be copied whole. What
 * changes is in the scratch memory, where the verifier forgets it: so it finds each turn of the
 * loop like the one before. It takes on global functions once, not at each call.
 */
__noinline int gather_vector(struct scratch *scratch, __u32 vectors)
{
	if (!scratch)
		return 0;
	for (__u32 i = 0; i < VECTORS_MAX; i++) {
		__u32 end = scratch->end, left = scratch->left, next = scratch->next;
		__u64 length;
		__u32 bytes;

		if (next >= vectors || next >= VECTORS_MAX)
			break;
		length = scratch->vectors[next].len;
		bytes = length < left ? length : left;
		if (bytes > PIECE_BYTES_MAX)
			bytes = PIECE_BYTES_MAX;
		if (end >= PAYLOAD_BYTES_MAX ||
		    bpf_probe_read_user(scratch->bytes + end, bytes,
					(void *)scratch->vectors[next].base))
			break;
		scratch->end = end + bytes;
		scratch->left = left - bytes;
		scratch->next = next + 1;
		if (bytes < length || bytes == left)
			break;
	}
	return 0;
}

/* Up to `wanted` bytes from the call's beginning on, to `at`, which is below START_BYTES. */
static __always_inline __u32 gather(struct scratch *scratch, __u32 at, enum source_kind kind,
				    const struct source *source, __u32 wanted)
{
	at &= START_BYTES - 1;
	if (kind != SOURCE_VECTOR)
		return copy_to(scratch, at, source->base,
			       wanted < source->length ? wanted : source->length);
	scratch->next = 0;
	scratch->end = at;
	scratch->left = wanted;
	gather_vector(scratch, source->vectors);
	return scratch->end;
}

/* And from the second buffer on, behind `at` bytes of the first. */
static __always_inline __u32 gather_rest(struct scratch *scratch, __u32 at,
					 const struct source *source, __u32 wanted)
{
	scratch->next = 1;
	scratch->end = at;
	scratch->left = wanted - at;
	gather_vector(scratch, source->vectors);
	return scratch->end;
}

#endif
