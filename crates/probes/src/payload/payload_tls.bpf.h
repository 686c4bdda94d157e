/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Payload of TLS: what a process gives to its TLS library, and gets from it.
 *
 * Owns which socket a session of a library uses, and what is known of each. A library calls the
 * kernel in the thread that called the library: the socket of that call is the session's. Where
 * the program itself passes the records on (memory BIOs, as Node.js does), it is the socket that
 * the thread has used last, if that has no session yet.
 */
#ifndef WEIR_PAYLOAD_TLS_BPF_H
#define WEIR_PAYLOAD_TLS_BPF_H

#include "payload_calls.bpf.h"

enum {
	/* A power of two; threads in the middle of a call of a TLS library, over all CPUs. */
	TLS_SLOTS_MAX = 8192,
	/* Processes of which it is remembered that they were told. */
	TLS_PROCESSES_MAX = 4096,
	/* Programs, likewise. */
	TLS_PROGRAMS_MAX = 4096,
};

/* Whether user space attaches to TLS libraries. */
const volatile bool read_tls = false;

/* A thread, by the low bits of its id; a thread whose place another one takes loses a call. */
struct tls_slot {
	/* What the library knows the connection by, while a call of it runs; else 0. */
	__u64 session;
	__u64 buffer;
	/* Where the library will write how many bytes it passed; 0: it returns that. */
	__u64 count_at;
	/* The TLS socket that the thread used last, and whether in this call. */
	__u64 socket;
	__u32 tid;
	__u8 is_socket_used;
	__u8 pad[3];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, TLS_SLOTS_MAX);
	__type(key, __u32);
	__type(value, struct tls_slot);
} tls_slots SEC(".maps");

struct tls_session {
	__u64 session;
	__u32 tgid;
	__u32 pad;
};

/* A connection inside TLS. Its positions begin at 0: sequence numbers count records. */
struct tls_socket {
	struct connection connection;
	struct payload_opened opened;
	struct tls_session session;
};

/* By cookie. Sizes are set before loading. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1);
	__type(key, __u64);
	__type(value, struct tls_socket);
} tls_sockets SEC(".maps");

/* The cookie of a session's socket. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1);
	__type(key, struct tls_session);
	__type(value, __u64);
} tls_sessions SEC(".maps");

/* When user space was told to look for the libraries of a process. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, TLS_PROCESSES_MAX);
	__type(key, __u32);
	__type(value, __u64);
} tls_processes SEC(".maps");

/* A file of a program. */
struct tls_program {
	__u64 inode;
	__u64 device;
};

/* Whether user space was told of it. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, TLS_PROGRAMS_MAX);
	__type(key, struct tls_program);
	__type(value, __u8);
} tls_programs SEC(".maps");

static __always_inline struct tls_slot *tls_slot(void)
{
	__u32 tid = bpf_get_current_pid_tgid();
	__u32 index = tid & (TLS_SLOTS_MAX - 1);
	struct tls_slot *slot = bpf_map_lookup_elem(&tls_slots, &index);

	if (!slot || slot->tid == tid)
		return slot;
	if (slot->session)
		count_loss(PAYLOAD_LOSS_BUSY);
	slot->session = 0;
	slot->socket = 0;
	slot->tid = tid;
	return slot;
}

/* The kernel passed records of this connection. */
static __always_inline void note_tls_call(const struct connection *connection)
{
	struct tls_slot *slot = tls_slot();

	if (!slot)
		return;
	slot->socket = connection->id;
	slot->is_socket_used = 1;
}

static __always_inline void tell_process(__u32 tgid, bool is_new)
{
	struct payload_process told = {
		.mono_ns = bpf_ktime_get_boot_ns(),
		.kind = PAYLOAD_PROCESS,
		.is_new = is_new,
		.tgid = tgid,
	};

	if (bpf_ringbuf_output(&payloads, &told, sizeof(told), wake_always()))
		count_loss(PAYLOAD_LOSS_RING_FULL);
}

/* A process begins with a program; one that was never seen may have a library inside. */
static __always_inline void program_begins(const struct linux_binprm *binary, __u32 tgid)
{
	const struct inode___place *inode = (const void *)binary->file->f_inode;
	struct tls_program program = {
		.inode = inode->i_ino,
		.device = inode->i_sb->s_dev,
	};
	__u8 told = 1;

	if (!read_tls || bpf_map_lookup_elem(&tls_programs, &program))
		return;
	bpf_map_update_elem(&tls_programs, &program, &told, BPF_ANY);
	tell_process(tgid, true);
}

/*
 * A process speaks TLS: now its library is there. Libraries that come later are found later. Gives
 * whether it was told.
 */
static __always_inline bool tell_tls_process(void)
{
	const __u64 again_ns = 30ULL * 1000 * 1000 * 1000;
	__u32 tgid = bpf_get_current_pid_tgid() >> 32;
	__u64 *last = bpf_map_lookup_elem(&tls_processes, &tgid);
	__u64 now_ns = bpf_ktime_get_boot_ns();

	if (last && now_ns - *last < again_ns)
		return false;
	bpf_map_update_elem(&tls_processes, &tgid, &now_ns, BPF_ANY);
	tell_process(tgid, false);
	return true;
}

/* A socket's first bytes are of TLS. */
static __always_inline void tls_begins(struct sock *sk, struct connection *connection)
{
	struct tls_socket socket = {};

	if (!read_tls) {
		connection->class = CLASS_IGNORED;
		return;
	}
	connection->class = CLASS_TLS;
	fill_opened(&socket.opened, sk);
	socket.opened.is_tls = 1;
	connection->id = socket.opened.id;
	socket.connection.id = socket.opened.id;
	socket.connection.flags = (connection->flags & CONNECTION_JOINED) |
				  CONNECTION_PLACED << PAYLOAD_SENT |
				  CONNECTION_PLACED << PAYLOAD_RECEIVED;
	/* Its beginning may pass before user space has found the library. */
	if (tell_tls_process())
		socket.connection.flags |= CONNECTION_JOINED;
	if (bpf_map_update_elem(&tls_sockets, &connection->id, &socket, BPF_ANY)) {
		count_loss(PAYLOAD_LOSS_SOCKET_STATE);
		connection->class = CLASS_IGNORED;
		return;
	}
	note_tls_call(connection);
}

/* The socket goes away. */
static __always_inline void tls_ends(const struct connection *connection)
{
	struct tls_socket *socket = bpf_map_lookup_elem(&tls_sockets, &connection->id);
	__u64 *bound;

	if (!socket)
		return;
	socket->connection.flags |= connection->flags & CONNECTION_RESET;
	if (socket->connection.flags & CONNECTION_TOLD)
		tell_closed(&socket->connection);
	bound = bpf_map_lookup_elem(&tls_sessions, &socket->session);
	if (bound && *bound == connection->id)
		bpf_map_delete_elem(&tls_sessions, &socket->session);
	bpf_map_delete_elem(&tls_sockets, &connection->id);
}

/* The session's socket, if it is known by now. */
static __always_inline struct tls_socket *tls_socket_of(const struct tls_session *session,
							struct tls_slot *slot)
{
	__u64 *bound = bpf_map_lookup_elem(&tls_sessions, session);
	struct tls_socket *socket;
	__u64 cookie = slot->socket;

	if (bound && (!slot->is_socket_used || *bound == cookie))
		return bpf_map_lookup_elem(&tls_sockets, bound);
	socket = bpf_map_lookup_elem(&tls_sockets, &cookie);
	if (!socket || (!slot->is_socket_used && socket->session.session))
		return NULL;
	/* A library uses the memory of a session that has ended for a new one. */
	if (bpf_map_update_elem(&tls_sessions, session, &cookie, BPF_ANY)) {
		count_loss(PAYLOAD_LOSS_SOCKET_STATE);
		return NULL;
	}
	socket->session = *session;
	return socket;
}

/* What a library passed on behalf of a process. */
static __always_inline void tls_passed(struct tls_socket *socket, __u64 buffer, __u32 length,
				       enum payload_way way)
{
	struct source source = { .base = buffer, .length = length };
	struct connection *connection = &socket->connection;
	__u64 position = connection->end[way];
	struct scratch *scratch;
	enum verdict verdict;

	if (connection->class == CLASS_IGNORED)
		return;
	connection->end[way] = position + length;
	if (!take_scratch(&scratch))
		return;
	if (connection->class != CLASS_UNKNOWN) {
		if (is_ignored(connection)) {
			connection->class = CLASS_IGNORED;
			tell_closed(connection);
		} else {
			hand_over(scratch, connection, SOURCE_BUFFER, &source, position, length,
				  way);
		}
		leave_scratch(scratch);
		return;
	}
	verdict = judge_call(scratch, connection, SOURCE_BUFFER, &source, length, way);
	if (is_recognised(connection, verdict))
		begin(scratch, connection, &socket->opened, verdict, SOURCE_BUFFER, &source,
		      position, length, way);
	leave_scratch(scratch);
}

/*
 * A call of a library begins: the session, the buffer and its length, and maybe where to write how
 * many bytes were passed.
 */
static __always_inline void tls_call_begins(__u64 session, __u64 buffer, __u64 count_at)
{
	struct tls_slot *slot = tls_slot();

	if (!slot)
		return;
	slot->session = session;
	slot->buffer = buffer;
	slot->count_at = count_at;
	slot->is_socket_used = 0;
}

/* It ends: with a length, or with 1 and the length in memory. */
static __always_inline void tls_call_ends(int result, enum payload_way way)
{
	struct tls_session session = {};
	struct tls_slot *slot = tls_slot();
	struct tls_socket *socket;
	__u64 length = result;

	if (!slot || !slot->session)
		return;
	session.session = slot->session;
	session.tgid = bpf_get_current_pid_tgid() >> 32;
	slot->session = 0;
	/* Those of a handshake pass nothing, and tell best whose the socket is. */
	socket = tls_socket_of(&session, slot);
	if (!socket || result <= 0)
		return;
	if (slot->count_at &&
	    bpf_probe_read_user(&length, sizeof(length), (void *)slot->count_at))
		return;
	if (length && length < 1U << 31)
		tls_passed(socket, slot->buffer, length, way);
}

#endif
