// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * TCP, accounted per connection: nothing here runs per packet or per system call.
 *
 * Owns when a socket is marked (state change), read (once a window, and at its close) and
 * forgotten (destroyed). Sums and locking are tcp_sums.bpf.h's, sockets that were there before
 * are tcp_adopt.bpf.h's.
 *
 * Which states matter: SYN_SENT and LISTEN are entered in the context of the process that calls
 * connect() or listen(); ESTABLISHED, mostly in softirq; FIN_WAIT1 and LAST_ACK in the context of
 * who closes or shuts down (tcp_close_state()); CLOSE by anyone.
 *
 * The kernel does not run a program that would interrupt itself on one CPU: a change in softirq
 * while another one in process context is being dealt with goes unseen (2 of 60,000 on a
 * busy machine). That can befall ESTABLISHED and CLOSE only, and each is made up for: the states
 * that follow tell that a connection was established, and a socket that is destroyed has closed.
 */
#include "tcp_sums.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* Whether conversations with a loopback address count. */
const volatile bool count_loopback = true;

/* Sockets that listen, and their processes. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	/* Set to listeners_max before loading. */
	__uint(max_entries, 1);
	__type(key, __u64);
	__type(value, struct tcp_listener);
} listeners SEC(".maps");

/* Set once all sockets that existed at start have a mark. One without is new, from then on. */
volatile bool is_adoption_complete;

/* Changes of the table of listeners, so that user space reads it only when it must. */
volatile __u64 listener_changes;

static __always_inline __u32 now_us(void)
{
	return bpf_ktime_get_ns() / 1000;
}

static __always_inline void add_mark(struct sock *sk, const struct mark *mark, __u64 flags)
{
	__u64 key = (__u64)sk;

	if (bpf_map_update_elem(&marks, &key, mark, flags) && flags == BPF_ANY)
		count_loss(TCP_LOSS_SOCKETS_FULL);
}

static __always_inline struct mark *find_mark(struct sock *sk)
{
	__u64 key = (__u64)sk;

	return bpf_map_lookup_elem(&marks, &key);
}

static __always_inline void set_baseline(struct mark *mark, const struct reading *now)
{
	mark->bytes_sent = now->bytes_sent;
	mark->bytes_received = now->bytes_received;
	mark->segs_out = now->segs_out;
	mark->segs_in = now->segs_in;
	mark->retransmits = now->retransmits;
}

static __always_inline bool is_watched(struct sock *sk)
{
	union address remote;

	if (count_loopback)
		return true;
	remote_address(&remote, sk, TYPED);
	return !address_is_loopback(&remote);
}

/*
 * connect() begins. A socket whose last attempt failed keeps its counters: what they are now is
 * where this attempt starts.
 */
static __always_inline void connecting(struct sock *sk)
{
	struct tcp_sock *tp = bpf_skc_to_tcp_sock(sk);
	struct mark mark = {};
	struct reading now;

	if (!tp || !is_watched(sk))
		return;
	read_counters(&now, tp, TYPED);
	set_baseline(&mark, &now);
	mark.cookie = bpf_get_socket_cookie(sk);
	mark.connect_us = now_us();
	read_current_process(&mark.process);
	mark.role = TCP_ROLE_CLIENT;
	add_mark(sk, &mark, BPF_ANY);
}

/* The caller holds mark->lock, if others can see the mark. */
static __always_inline void set_translated(struct mark *mark, const struct translated *translated)
{
	if (!translated->is_translated)
		return;
	mark->flags |= MARK_TRANSLATED;
	mark->dialled = translated->dialled;
}

/* Its counters start at 0, and its process is the listener's until another shows (claimed()). */
static __always_inline struct mark *mark_accepted(struct sock *sk)
{
	struct mark mark = {
		.cookie = bpf_get_socket_cookie(sk),
		.role = TCP_ROLE_SERVER,
		.flags = MARK_ESTABLISHED,
	};
	struct translated translated;

	translate(sk, &translated);
	set_translated(&mark, &translated);
	add_mark(sk, &mark, BPF_ANY);
	return find_mark(sk);
}

/*
 * A socket that was marked when it connected is a client, by simultaneous open too; one that was
 * not was made by a listener.
 */
static __always_inline void established(struct sock *sk, int from)
{
	struct mark *mark = find_mark(sk);
	__u32 cookie = bpf_get_socket_cookie(sk);
	struct translated translated;
	__u32 now = now_us();

	if (mark && mark->cookie == cookie) {
		translate(sk, &translated);
		bpf_spin_lock(&mark->lock);
		set_translated(mark, &translated);
		/* 0 is for what was not seen. */
		mark->connect_us = now - mark->connect_us ?: 1;
		mark->flags |= MARK_ESTABLISHED;
		bpf_spin_unlock(&mark->lock);
		return;
	}
	if (from != TCP_SYN_RECV || !is_watched(sk))
		return;
	if (mark)
		count_loss(TCP_LOSS_CLOSE_MISSED);
	mark_accepted(sk);
}

/*
 * The end of an accepted connection is the first state change that runs in the context of a
 * process that holds it (a worker, or a service whose listener is systemd's). It is that process's
 * connection, unless it was told as the listener's already; user space doubts it where the names
 * differ (decode.rs).
 */
static __always_inline void claimed(struct sock *sk)
{
	struct mark *mark = find_mark(sk);
	struct process process;

	if (!mark || mark->role != TCP_ROLE_SERVER || mark->process.tgid)
		return;
	if (!read_current_process(&process))
		return;
	bpf_spin_lock(&mark->lock);
	if (!(mark->flags & MARK_OPENING_TOLD))
		mark->process = process;
	bpf_spin_unlock(&mark->lock);
}

/*
 * Why a connection was never established. ETIMEDOUT is the kernel's own verdict; no error at all
 * means that the application gave up, which is a timeout if the SYN had to be repeated.
 */
static __always_inline __u32 failure_of(const struct sock *sk, const struct tcp_sock *tp)
{
	switch (sk->sk_err) {
	case ECONNREFUSED:
		return DELTA_REFUSED;
	case ETIMEDOUT:
		return DELTA_TIMED_OUT;
	case ECONNRESET:
		return DELTA_RESET;
	case 0:
		/* Of this attempt, whichever window they were told in. */
		return tp->inet_conn.icsk_retransmits ? DELTA_TIMED_OUT : DELTA_FAILED;
	default:
		return DELTA_FAILED;
	}
}

/* States that a connection reaches only after its handshake. */
static __always_inline bool is_past_handshake(int state)
{
	const __u32 states = 1 << TCP_ESTABLISHED | 1 << TCP_FIN_WAIT1 | 1 << TCP_FIN_WAIT2 |
			     1 << TCP_CLOSE_WAIT | 1 << TCP_LAST_ACK | 1 << TCP_CLOSING;

	return states >> (state & 31) & 1;
}

/* The caller holds mark->lock. When it was established was not seen. */
static __always_inline void establish_late(struct mark *mark)
{
	if (mark->flags & MARK_ESTABLISHED)
		return;
	mark->flags |= MARK_ESTABLISHED;
	mark->connect_us = 0;
}

/* The last reading; `from` is the state before, TCP_CLOSE where that is not known any more. */
static __always_inline void closed(struct sock *sk, struct mark *mark, int from)
{
	struct tcp_sock *tp = bpf_skc_to_tcp_sock(sk);
	struct translated translated = {};
	bool was_closed, was_established;
	struct delta delta = {};
	struct reading now;

	if (!tp)
		return;
	read_counters(&now, tp, TYPED);
	/* An attempt that failed was translated as well. */
	if (!(mark->flags & MARK_ESTABLISHED))
		translate(sk, &translated);
	bpf_spin_lock(&mark->lock);
	set_translated(mark, &translated);
	was_closed = mark->flags & MARK_CLOSED;
	if (is_past_handshake(from))
		establish_late(mark);
	was_established = mark->flags & MARK_ESTABLISHED;
	take_delta(mark, &now, &delta);
	mark->flags |= MARK_CLOSED;
	bpf_spin_unlock(&mark->lock);

	if (was_closed) {
		/* Only what left the socket after its close: its own RST. */
		if (!delta.segs_out)
			return;
		delta.events = 0;
	} else if (was_established) {
		delta.events |= DELTA_CLOSED;
	} else {
		delta.events |= failure_of(sk, tp);
	}
	tell(sk, &delta, TYPED);
}

static __always_inline void put_listener(struct sock *sk, __u64 cookie,
					 const struct process *process)
{
	struct tcp_listener listener = {};

	local_address((union address *)listener.local, sk, TYPED);
	listener.cgroup_id = cgroup_id_of_sock(sk, TYPED);
	listener.netns = netns_of_sock(sk, TYPED);
	listener.port = local_port(sk);
	if (process)
		listener.process = *process;
	if (bpf_map_update_elem(&listeners, &cookie, &listener, process ? BPF_ANY : BPF_NOEXIST) &&
	    process)
		count_loss(TCP_LOSS_LISTENERS_FULL);
	__sync_fetch_and_add(&listener_changes, 1);
}

static __always_inline void listening(struct sock *sk)
{
	struct process process;

	read_current_process(&process);
	put_listener(sk, bpf_get_socket_cookie(sk), &process);
}

static __always_inline void listener_closed(struct sock *sk)
{
	__u64 cookie = bpf_get_socket_cookie(sk);
	struct tcp_listener *listener = bpf_map_lookup_elem(&listeners, &cookie);

	if (!listener)
		return;
	listener->is_closed = 1;
	__sync_fetch_and_add(&listener_changes, 1);
}

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(tcp_state, struct sock *sk, int from, int to)
{
	struct mark *mark;

	if (sk->sk_protocol != IPPROTO_TCP)
		return 0;
	switch (to) {
	case TCP_SYN_SENT:
		connecting(sk);
		break;
	case TCP_ESTABLISHED:
		established(sk, from);
		break;
	case TCP_LISTEN:
		listening(sk);
		break;
	case TCP_FIN_WAIT1:
		/* Fast Open lets a server close before the handshake has ended. */
		if (from == TCP_SYN_RECV)
			established(sk, from);
		claimed(sk);
		break;
	case TCP_LAST_ACK:
		claimed(sk);
		break;
	case TCP_CLOSE:
		if (from == TCP_LISTEN) {
			listener_closed(sk);
			break;
		}
		mark = find_mark(sk);
		if (!mark && is_adoption_complete && is_past_handshake(from) && is_watched(sk))
			mark = mark_accepted(sk);
		if (mark)
			closed(sk, mark, from);
		break;
	}
	return 0;
}

/* A socket that has closed may still have sent its RST. */
static __always_inline bool sent_since(struct sock *sk, const struct mark *mark)
{
	struct tcp_sock *tp = bpf_skc_to_tcp_sock(sk);

	return tp && tp->segs_out != mark->segs_out;
}

/* The socket goes away. Runs with softirqs off, so this is never skipped. */
SEC("tp_btf/tcp_destroy_sock")
int BPF_PROG(tcp_destroy, struct sock *sk)
{
	struct mark *mark = find_mark(sk);
	__u64 key = (__u64)sk;

	if (!mark)
		return 0;
	if (!(mark->flags & MARK_CLOSED) || sent_since(sk, mark))
		closed(sk, mark, TCP_CLOSE);
	if (mark->flags & MARK_TRANSLATED)
		bpf_map_delete_elem(&peers, &key);
	bpf_map_delete_elem(&marks, &key);
	return 0;
}

static __always_inline void tell_event(struct sock *sk, __u32 event)
{
	struct mark *mark = find_mark(sk);
	struct delta delta = {};

	if (!mark)
		return;
	bpf_spin_lock(&mark->lock);
	take_owner(mark, &delta);
	bpf_spin_unlock(&mark->lock);
	delta.events = event;
	tell(sk, &delta, TYPED);
}

/* The socket may be none, or a listener, or one in TIME_WAIT: those have no mark. */
SEC("tp_btf/tcp_send_reset")
int BPF_PROG(tcp_reset_sent, struct sock *sk)
{
	if (sk)
		tell_event(sk, DELTA_RESET_SENT);
	return 0;
}

SEC("tp_btf/tcp_receive_reset")
int BPF_PROG(tcp_reset_received, struct sock *sk)
{
	tell_event(sk, DELTA_RESET_RECEIVED);
	return 0;
}

/* Nothing moves on a connection without moving one of these. */
static __always_inline bool is_idle(struct tcp_sock *tp, const struct mark *mark,
				    enum pointer_kind kind)
{
	return mark->flags & MARK_OPENING_TOLD && FIELD(kind, tp, segs_in) == mark->segs_in &&
	       FIELD(kind, tp, segs_out) == mark->segs_out &&
	       FIELD(kind, tp, bytes_received) == mark->bytes_received;
}

static __always_inline __u32 cookie_at(struct sock *sk, enum pointer_kind kind)
{
	return FIELD(kind, sk, __sk_common.skc_cookie.counter);
}

/*
 * Once a window, for each mark. The socket is not locked and may be closing meanwhile, and another
 * may begin where it was: what was read is used only if the same socket was there all the time, and
 * the mark, locked, is that socket's and not closed. A mark that is another's than the socket at
 * its address is given up the second time: the first time it may have come in between.
 */
static __always_inline void read_socket(__u64 key, const struct mark *seen, struct tcp_sock *tp,
					enum pointer_kind kind)
{
	struct sock *sk = (struct sock *)tp;
	struct delta delta = {};
	struct reading now;
	struct mark *mark;
	bool is_same, is_lost;
	__u32 cookie;
	int state;

	if (is_idle(tp, seen, kind))
		return;
	cookie = cookie_at(sk, kind);
	read_counters(&now, tp, kind);
	state = FIELD(kind, sk, __sk_common.skc_state);
	mark = bpf_map_lookup_elem(&marks, &key);
	if (!mark || cookie_at(sk, kind) != cookie)
		return;
	bpf_spin_lock(&mark->lock);
	is_same = mark->cookie == cookie && !(mark->flags & MARK_CLOSED);
	is_lost = mark->cookie != cookie && mark->flags & MARK_DOUBTED;
	if (mark->cookie == cookie)
		mark->flags &= ~MARK_DOUBTED;
	else
		mark->flags |= MARK_DOUBTED;
	if (is_same && is_past_handshake(state))
		establish_late(mark);
	if (is_same)
		take_delta(mark, &now, &delta);
	bpf_spin_unlock(&mark->lock);
	if (is_same)
		tell(sk, &delta, kind);
	else if (is_lost && !bpf_map_delete_elem(&marks, &key))
		count_loss(TCP_LOSS_CLOSE_MISSED);
}

SEC("iter/bpf_map_elem")
int tcp_read_sockets(struct bpf_iter__bpf_map_elem *ctx)
{
	const struct mark *seen = ctx->value;
	const __u64 *address = ctx->key;
	__u64 key;

	if (!seen || !address || seen->flags & MARK_CLOSED)
		return 0;
	key = *address;
	/* A load through what was cast gives 0 where there is no memory, and costs no call. */
	if (bpf_ksym_exists(bpf_rdonly_cast))
		read_socket(key, seen,
			    bpf_rdonly_cast((void *)key, bpf_core_type_id_kernel(struct tcp_sock)),
			    TYPED);
	else
		read_socket(key, seen, (struct tcp_sock *)key, UNTYPED);
	return 0;
}

#include "tcp_adopt.bpf.h"
