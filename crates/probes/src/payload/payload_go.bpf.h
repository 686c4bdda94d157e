/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Payload of TLS in programs of Go: crypto/tls.(*Conn).Read and .Write.
 *
 * Owns the calls that goroutines are in: they change threads while they wait, so that a call is
 * known by its goroutine. A function's end is hooked at each of its return instructions, because a
 * goroutine's stack may move, and with it the place where a uretprobe keeps its own way back.
 */
#ifndef WEIR_PAYLOAD_GO_BPF_H
#define WEIR_PAYLOAD_GO_BPF_H

#include "payload_tls.bpf.h"

enum {
	/* Goroutines in the middle of a call; of more, the oldest are forgotten. */
	GO_CALLS_MAX = 65536,
	/*
	 * net.netFD begins with poll.FD, and that with the lock of 16 bytes and then the file's
	 * descriptor (internal/poll/fd_unix.go).
	 */
	GO_DESCRIPTOR_AT = 16,
};

struct goroutine {
	__u64 address;
	__u32 tgid;
	__u32 pad;
};

struct go_call {
	__u64 session;
	__u64 buffer;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, GO_CALLS_MAX);
	__type(key, struct goroutine);
	__type(value, struct go_call);
} go_calls SEC(".maps");

static __always_inline __u64 pointer_at(__u64 address)
{
	__u64 pointer = 0;

	bpf_probe_read_user(&pointer, sizeof(pointer), (void *)address);
	return pointer;
}

/* The cookie of the socket behind a descriptor of the current process, or 0. */
static __always_inline __u64 cookie_of_descriptor(__u32 descriptor)
{
	struct task_struct___files *task = (void *)bpf_get_current_task_btf();
	struct fdtable *table = BPF_CORE_READ(task, files, fdt);
	struct file **files = BPF_CORE_READ(table, fd);
	struct socket *socket;
	struct file *file;

	if (descriptor >= BPF_CORE_READ(table, max_fds) ||
	    bpf_probe_read_kernel(&file, sizeof(file), files + descriptor) || !file)
		return 0;
	if ((BPF_CORE_READ(file, f_inode, i_mode) & S_IFMT) != S_IFSOCK)
		return 0;
	socket = BPF_CORE_READ(file, private_data);
	return BPF_CORE_READ(socket, sk, __sk_common.skc_cookie.counter);
}

/*
 * tls.Conn begins with the net.Conn below it, whose second word points to the net.TCPConn, which
 * begins with a pointer to its net.netFD. What is below may be of another type: then the
 * descriptor is nonsense, and hardly that of a socket that is known to speak TLS.
 */
static __always_inline __u64 cookie_of_go_session(__u64 session)
{
	__u64 connection = pointer_at(session + sizeof(__u64));
	__u64 descriptor = connection ? pointer_at(connection) : 0;
	__u64 cookie;

	if (!descriptor)
		return 0;
	cookie = cookie_of_descriptor(pointer_at(descriptor + GO_DESCRIPTOR_AT));
	return bpf_map_lookup_elem(&tls_sockets, &cookie) ? cookie : 0;
}

/* The session's socket, if the session or its descriptor tells. */
static __always_inline struct tls_socket *known_go_socket(const struct tls_session *session)
{
	__u64 *bound = bpf_map_lookup_elem(&tls_sessions, session);
	struct tls_slot found = { .is_socket_used = 1 };

	if (bound)
		return bpf_map_lookup_elem(&tls_sockets, bound);
	found.socket = cookie_of_go_session(session->session);
	return found.socket ? tls_socket_of(session, &found) : NULL;
}

/* Or else the one that the thread used last: something in between passes the records on. */
static __always_inline struct tls_socket *socket_of_go_session(const struct tls_session *session)
{
	struct tls_socket *socket = known_go_socket(session);
	struct tls_slot *slot;
	struct tls_slot found = {};

	if (socket)
		return socket;
	slot = tls_slot();
	if (!slot)
		return NULL;
	found.socket = slot->socket;
	return tls_socket_of(session, &found);
}

static __always_inline void go_call_begins(const struct pt_regs *registers)
{
	struct goroutine key = {
		.address = goroutine(registers),
		.tgid = bpf_get_current_pid_tgid() >> 32,
	};
	struct go_call call = {
		.session = go_argument(registers, 0),
		.buffer = go_argument(registers, 1),
	};

	if (bpf_map_update_elem(&go_calls, &key, &call, BPF_ANY))
		count_loss(PAYLOAD_LOSS_SOCKET_STATE);
}

/*
 * What is written is told when the call begins, because another goroutine may read the answer before
 * it returns; it is written whole, or the connection is done for. With the call that begins the
 * connection, the socket is known when it ends.
 */
static __always_inline void go_write_begins(const struct pt_regs *registers)
{
	struct tls_session session = {
		.session = go_argument(registers, 0),
		.tgid = bpf_get_current_pid_tgid() >> 32,
	};
	__s64 length = go_argument(registers, 2);
	struct tls_socket *socket = known_go_socket(&session);

	if (!socket)
		go_call_begins(registers);
	else if (length > 0 && length < 1L << 31)
		tls_passed(socket, go_argument(registers, 1), length, PAYLOAD_SENT);
}

static __always_inline void go_call_ends(const struct pt_regs *registers, enum payload_way way)
{
	struct goroutine key = {
		.address = goroutine(registers),
		.tgid = bpf_get_current_pid_tgid() >> 32,
	};
	struct go_call *call = bpf_map_lookup_elem(&go_calls, &key);
	struct tls_session session = { .tgid = key.tgid };
	__s64 length = go_argument(registers, 0);
	struct tls_socket *socket;
	__u64 buffer;

	if (!call)
		return;
	session.session = call->session;
	buffer = call->buffer;
	bpf_map_delete_elem(&go_calls, &key);
	socket = socket_of_go_session(&session);
	if (socket && length > 0 && length < 1L << 31)
		tls_passed(socket, buffer, length, way);
}

#endif
