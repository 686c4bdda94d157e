// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Payload: what TCP connections pass that speak HTTP, in clear or inside TLS, call by call.
 *
 * Owns the hooks: the end of every call that sends or receives, a socket's end, and the calls of
 * TLS libraries. What is kept of a connection and told of it is payload_connection.bpf.h's, what
 * becomes of a call payload_calls.bpf.h's, or payload_frames.bpf.h's if it passes HTTP/2, the
 * judgement of first bytes payload_class.bpf.h's, finding them payload_bytes.bpf.h's,
 * payload_sockets.bpf.h's and payload_tls.bpf.h's.
 *
 * A connection is judged by the first bytes that either end passes. From then on it costs a look
 * into its socket's storage where it is not read; where it is, a copy of the beginning of each call
 * of HTTP/1, and of all but long bodies of HTTP/2.
 */
#include "payload_go.bpf.h"
#include "payload_sockets.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* Whether tcp_recvmsg() has a parameter more: "nonblock", until 5.18. */
const volatile bool receive_has_nonblock = false;

/* --- functions: TCP's own --- */

SEC("fexit/tcp_sendmsg")
int BPF_PROG(payload_sent, struct sock *sk, void *message, __u64 bytes, int result)
{
	passed(sk, result, 0, PAYLOAD_SENT);
	return 0;
}

SEC("fexit/tcp_recvmsg")
int payload_received(__u64 *ctx)
{
	struct sock *sk = (void *)ctx[0];

	if (receive_has_nonblock)
		passed(sk, ctx[6], ctx[4], PAYLOAD_RECEIVED);
	else
		passed(sk, ctx[5], ctx[3], PAYLOAD_RECEIVED);
	return 0;
}

/* --- calls: what a send or receive call returned, of any socket --- */

/*
 * Another probe's program for the same tracepoint, if there is one. Two programs cost every call
 * of every process twice the way to a program; a jump from one to the other costs next to nothing.
 * One array for each tracepoint, because the kernel asks that all of an array be of one kind.
 */
struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} next_of_send SEC(".maps"), next_of_receive SEC(".maps");

SEC("tp_btf/sock_send_length")
int payload_send_length(__u64 *ctx)
{
	passed((struct sock *)ctx[0], ctx[1], 0, PAYLOAD_SENT);
	bpf_tail_call(ctx, &next_of_send, 0);
	return 0;
}

SEC("tp_btf/sock_recv_length")
int payload_recv_length(__u64 *ctx)
{
	passed((struct sock *)ctx[0], ctx[1], ctx[2], PAYLOAD_RECEIVED);
	bpf_tail_call(ctx, &next_of_receive, 0);
	return 0;
}

/* --- both --- */

/* The socket may be none, or one that has no storage. */
SEC("tp_btf/tcp_send_reset")
int BPF_PROG(payload_reset_sent, struct sock *sk)
{
	if (sk)
		note_reset(sk);
	return 0;
}

SEC("tp_btf/tcp_receive_reset")
int BPF_PROG(payload_reset_received, struct sock *sk)
{
	note_reset(sk);
	return 0;
}

SEC("tp_btf/tcp_destroy_sock")
int BPF_PROG(payload_destroy, struct sock *sk)
{
	destroyed(sk);
	return 0;
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(payload_exec, struct task_struct *task, int old_pid, struct linux_binprm *binary)
{
	program_begins(binary, task->tgid);
	return 0;
}

/* Once, at start, in each network namespace: connections of whose past nothing is known. */
SEC("iter/tcp")
int payload_adopt(struct bpf_iter__tcp *ctx)
{
	struct connection fresh = { .flags = CONNECTION_JOINED };
	struct sock_common *common = ctx->sk_common;
	struct tcp_sock *tp;
	struct sock *sk;

	if (!common)
		return 0;
	tp = bpf_skc_to_tcp_sock(common);
	if (!tp)
		return 0;
	sk = (struct sock *)tp;
	if (sk->__sk_common.skc_state == TCP_LISTEN || sk->__sk_common.skc_state == TCP_SYN_SENT)
		return 0;
	bpf_sk_storage_get(&connections, tp, &fresh, BPF_SK_STORAGE_GET_F_CREATE);
	return 0;
}

/* --- TLS libraries; user space finds them and attaches --- */

/* SSL_read(), SSL_write(), gnutls_record_recv(), gnutls_record_send(): all return the length. */
SEC("uprobe")
int payload_tls_begins(struct pt_regs *ctx)
{
	tls_call_begins(argument(ctx, 0), argument(ctx, 1), 0);
	return 0;
}

/* SSL_read_ex(), SSL_write_ex(): the fourth argument says where to write it. */
SEC("uprobe")
int payload_tls_ex_begins(struct pt_regs *ctx)
{
	tls_call_begins(argument(ctx, 0), argument(ctx, 1), argument(ctx, 3));
	return 0;
}

SEC("uretprobe")
int payload_tls_wrote(struct pt_regs *ctx)
{
	tls_call_ends(returned(ctx), PAYLOAD_SENT);
	return 0;
}

SEC("uretprobe")
int payload_tls_read(struct pt_regs *ctx)
{
	tls_call_ends(returned(ctx), PAYLOAD_RECEIVED);
	return 0;
}

/* crypto/tls.(*Conn).Read(), and .Write(); the others at their return instructions. */
SEC("uprobe")
int payload_go_begins(struct pt_regs *ctx)
{
	go_call_begins(ctx);
	return 0;
}

SEC("uprobe")
int payload_go_writes(struct pt_regs *ctx)
{
	go_write_begins(ctx);
	return 0;
}

SEC("uprobe")
int payload_go_wrote(struct pt_regs *ctx)
{
	go_call_ends(ctx, PAYLOAD_SENT);
	return 0;
}

SEC("uprobe")
int payload_go_read(struct pt_regs *ctx)
{
	go_call_ends(ctx, PAYLOAD_RECEIVED);
	return 0;
}
