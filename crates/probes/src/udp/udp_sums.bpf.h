/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * UDP: what is kept per socket, and the sums by key.
 *
 * Owns the maps of sockets and sums, who is client and who is server, and how counting stays exact
 * without locks. When a datagram is seen, and how its ends are found, is udp.bpf.c's.
 *
 * The first remote end that a socket deals with is counted in the socket's own storage: a compare
 * and an addition. Most sockets never have a second one (every client does, and every connected
 * socket). Datagrams of further remote ends are summed by key straight away.
 */
#ifndef WEIR_UDP_SUMS_BPF_H
#define WEIR_UDP_SUMS_BPF_H

#include "udp_local.bpf.h"
#include "udp.record.h"

enum {
	/* Roles of further remote ends remembered, over all sockets; the oldest are forgotten. */
	PEERS_MAX = 16384,
};

enum way {
	SENT,
	RECEIVED,
};

/*
 * Bytes and packets of one way in one number, so that counting is one atomic addition: packets in
 * the low bits, bytes above. It is emptied into the sums when half the packets' bits are used: no
 * packet has more bytes than fit beside it then, and no CPUs are enough to use the other half up.
 */
typedef __u64 packed_count;

enum {
	PACKETS_BITS = 24,
	PACKETS_HALF = 1 << (PACKETS_BITS - 1),
	PACKETS_MASK = (1 << PACKETS_BITS) - 1,
};

enum socket_state {
	/* Not used yet: new, or it existed at start. */
	SOCKET_UNUSED = 0,
	SOCKET_BEING_SET = 1,
	/* key and comm do not change any more. */
	SOCKET_SET = 2,
};

enum socket_flag {
	/* Existed at start: who spoke first was not seen. */
	SOCKET_ADOPTED = 1 << 0,
	/* A datagram is being put together (MSG_MORE, UDP_CORK). */
	SOCKET_CORKED = 1 << 1,
	SOCKET_HAS_MORE_REMOTES = 1 << 2,
	/* Connected, and yet it names the remote end of what it sends. */
	SOCKET_NAMES_REMOTES = 1 << 3,
};

/* The socket and the first remote end that it dealt with. */
struct udp_socket {
	packed_count counts[2];
	struct udp_key key;
	union address local;
	char comm[COMM_BYTES];
	__u32 state;
	__u32 flags;
};

struct end {
	union address address;
	__u16 port;
};

/* Datagrams that went one way between two ends. */
struct traffic {
	struct end remote;
	/* Unspecified: the socket's own. */
	union address local;
	__u32 bytes;
	__u32 packets;
	enum way way;
	bool is_remote_known;
};

struct peer {
	__u64 cookie;
	union address remote;
};

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct udp_socket);
} sockets SEC(".maps");

/*
 * Two tables of sums: programs add to one while user space empties the other, after a grace
 * period of RCU in which no program holds a pointer into it (tcp_sums.bpf.h does the same).
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	/* Set to sums_max before loading. */
	__uint(max_entries, 1);
	__type(key, struct udp_key);
	__type(value, struct udp_sum);
} sums_0 SEC(".maps"), sums_1 SEC(".maps");

/* Who is client, of the further remote ends: kept when a window's sums are taken. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, PEERS_MAX);
	__type(key, struct peer);
	__type(value, __u8);
} peers SEC(".maps");

/* By socket cookie; user space takes them out. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	/* Set to listeners_max before loading. */
	__uint(max_entries, 1);
	__type(key, __u64);
	__type(value, struct udp_listener);
} listeners SEC(".maps");

volatile __u32 sums_in_use;
volatile __u64 losses[UDP_LOSS_REASONS];
/* Listeners told so far, so that user space looks only when it must. */
volatile __u64 listener_changes;

/* Whether conversations with a loopback address count. */
const volatile bool count_loopback = true;

/* Whether a client's port is left out of the key. */
const volatile bool fold_client_port = true;

static __always_inline void count_loss(enum udp_loss reason, __u64 packets)
{
	__sync_fetch_and_add(&losses[reason], packets);
}

static __always_inline bool is_udp(struct sock *sk)
{
	return sk->sk_protocol == IPPROTO_UDP && sk->sk_type == SOCK_DGRAM;
}

static __always_inline bool is_connected(struct sock *sk)
{
	return sk->__sk_common.skc_state == TCP_ESTABLISHED;
}

static __always_inline bool is_same_address(const union address *a, const union address *b)
{
	return a->halves[0] == b->halves[0] && a->halves[1] == b->halves[1];
}

static __always_inline bool is_unspecified(const union address *address)
{
	return address->halves[0] == 0 &&
	       (address->halves[1] == 0 ||
		(address->words[2] == bpf_htonl(0xffff) && address->words[3] == 0));
}

/* Gives what was counted before. */
static __always_inline packed_count add_packed(packed_count *count, __u32 bytes, __u32 packets)
{
	return __sync_fetch_and_add(count, (__u64)bytes << PACKETS_BITS | packets);
}

/* Whether the traffic is with the socket's first remote end, as far as that is set. */
static __always_inline bool is_first_remote(const struct udp_socket *socket,
					    const struct traffic *traffic)
{
	const union address *first = (const union address *)socket->key.remote;

	if (socket->state != SOCKET_SET)
		return false;
	if (!traffic->is_remote_known)
		return socket->key.role == UDP_ROLE_CLIENT &&
		       !(socket->flags & SOCKET_HAS_MORE_REMOTES);
	if (!is_same_address(first, &traffic->remote.address))
		return false;
	return socket->key.remote_port == traffic->remote.port ||
	       (fold_client_port && socket->key.role == UDP_ROLE_SERVER);
}

/*
 * Who spoke first is the client. Of a socket that existed at start this was not seen: an address
 * or port that a program asked for is a server's, one that the kernel chose a client's; a program
 * that asked for its port and now speaks to a privileged one may be either.
 */
static __always_inline enum udp_role role_at_first_sight(struct sock *sk, bool is_adopted,
							 const struct traffic *traffic)
{
	const __u16 privileged_ports = 1024;
	__u8 locks;

	if (!is_adopted)
		return traffic->way == SENT ? UDP_ROLE_CLIENT : UDP_ROLE_SERVER;
	locks = BPF_CORE_READ_BITFIELD_PROBED(sk, sk_userlocks);
	if (!(locks & (SOCK_BINDPORT_LOCK | SOCK_BINDADDR_LOCK)))
		return UDP_ROLE_CLIENT;
	if (traffic->way == SENT && traffic->remote.port < privileged_ports)
		return UDP_ROLE_UNKNOWN;
	return UDP_ROLE_SERVER;
}

static __always_inline void set_remote(struct udp_key *key, struct sock *sk,
				       const struct traffic *traffic, enum udp_role role)
{
	__builtin_memcpy(key->remote, &traffic->remote.address, sizeof(key->remote));
	key->local_port = local_port(sk);
	key->remote_port = traffic->remote.port;
	if (fold_client_port && role == UDP_ROLE_CLIENT)
		key->local_port = 0;
	if (fold_client_port && role == UDP_ROLE_SERVER)
		key->remote_port = 0;
	key->role = role;
}

/* What is known without a guess: 0.0.0.0 where the remote end is IPv4, also of an IPv6 socket. */
static __always_inline void known_local(union address *local, struct sock *sk,
					const struct traffic *traffic)
{
	*local = traffic->local;
	if (is_unspecified(local))
		local_address(local, sk, TYPED);
	if (is_unspecified(local) && address_is_mapped(&traffic->remote.address))
		address_from_ipv4(local, 0);
}

/* The key of the socket's first remote end, in the context of the process that acts. */
static __always_inline void identify(struct udp_socket *socket, struct sock *sk,
				     const struct traffic *traffic, enum udp_role role)
{
	struct udp_key *key = &socket->key;
	struct process process;

	known_local(&socket->local, sk, traffic);
	__builtin_memcpy(key->local, &socket->local, sizeof(key->local));
	if (is_unspecified(&socket->local))
		guess_local(&socket->local, sk, &traffic->remote.address);
	key->cgroup_id = cgroup_id_of_sock(sk, TYPED);
	key->netns = netns_of_sock(sk, TYPED);
	read_current_process(&process);
	key->tgid = process.tgid;
	__builtin_memcpy(socket->comm, process.comm, sizeof(socket->comm));
	set_remote(key, sk, traffic, role);
}

static __noinline int tell_listener(struct sock *sk, const struct udp_socket *socket)
{
	struct udp_listener listener = {};
	__u64 cookie = bpf_get_socket_cookie(sk);

	local_address((union address *)listener.local, sk, TYPED);
	listener.cgroup_id = socket->key.cgroup_id;
	listener.netns = socket->key.netns;
	listener.process.tgid = socket->key.tgid;
	__builtin_memcpy(listener.process.comm, socket->comm, sizeof(socket->comm));
	listener.port = local_port(sk);
	if (bpf_map_update_elem(&listeners, &cookie, &listener, BPF_ANY))
		count_loss(UDP_LOSS_LISTENERS_FULL, 1);
	__sync_fetch_and_add(&listener_changes, 1);
	return 0;
}

static const struct udp_sum no_sum;

static __always_inline struct udp_sum *find_sum(void *sums, const struct udp_key *key,
						const union address *local, const char *comm)
{
	struct udp_sum *sum = bpf_map_lookup_elem(sums, key);

	if (sum)
		return sum;
	/* Another CPU may be first: the lookup below finds its element. */
	bpf_map_update_elem(sums, key, &no_sum, BPF_NOEXIST);
	sum = bpf_map_lookup_elem(sums, key);
	if (!sum)
		return NULL;
	/* The same by whoever gets here, and read only when nobody does any more. */
	__builtin_memcpy(sum->local, local, sizeof(sum->local));
	__builtin_memcpy(sum->comm, comm, sizeof(sum->comm));
	return sum;
}

static __always_inline void add_to_sum(struct udp_sum *sum, const struct traffic *traffic)
{
	if (traffic->way == SENT) {
		__sync_fetch_and_add(&sum->bytes_sent, traffic->bytes);
		__sync_fetch_and_add(&sum->packets_sent, traffic->packets);
	} else {
		__sync_fetch_and_add(&sum->bytes_received, traffic->bytes);
		__sync_fetch_and_add(&sum->packets_received, traffic->packets);
	}
}

static __always_inline packed_count take(packed_count *count)
{
	return *count ? __sync_lock_test_and_set(count, 0) : 0;
}

/*
 * Moves what a socket counted, here or there, to the sum of its key. What two CPUs take at once,
 * one of them gets. Where there is no room it stays where it is: false.
 */
static __always_inline bool fold_into(void *sums, const struct udp_socket *socket,
				      packed_count *counts)
{
	struct udp_sum *sum = find_sum(sums, &socket->key, &socket->local, socket->comm);
	packed_count sent, received;

	if (!sum)
		return false;
	sent = take(&counts[SENT]);
	received = take(&counts[RECEIVED]);
	__sync_fetch_and_add(&sum->bytes_sent, sent >> PACKETS_BITS);
	__sync_fetch_and_add(&sum->bytes_received, received >> PACKETS_BITS);
	__sync_fetch_and_add(&sum->packets_sent, sent & PACKETS_MASK);
	__sync_fetch_and_add(&sum->packets_received, received & PACKETS_MASK);
	return true;
}

static __always_inline bool fold(const struct udp_socket *socket, packed_count *counts)
{
	if (!(counts[SENT] | counts[RECEIVED]))
		return true;
	return sums_in_use ? fold_into(&sums_1, socket, counts) :
			     fold_into(&sums_0, socket, counts);
}

/* What finds no room in the sums, and cannot stay, is lost. */
static __noinline int fold_or_lose(const struct udp_socket *socket, packed_count *counts)
{
	packed_count sent, received;

	if (fold(socket, counts))
		return 0;
	sent = take(&counts[SENT]);
	received = take(&counts[RECEIVED]);
	count_loss(UDP_LOSS_SUMS_FULL, (sent & PACKETS_MASK) + (received & PACKETS_MASK));
	return 0;
}

/* Gives how many packets were counted before. */
static __always_inline __u32 add_to_socket(struct udp_socket *socket, enum way way, __u32 bytes,
					   __u32 packets)
{
	packed_count *count = way == SENT ? &socket->counts[SENT] : &socket->counts[RECEIVED];
	packed_count before = add_packed(count, bytes, packets);

	if (before & PACKETS_HALF)
		fold_or_lose(socket, socket->counts);
	return before & PACKETS_MASK;
}

static __always_inline void add_traffic(struct udp_socket *socket, const struct traffic *traffic)
{
	add_to_socket(socket, traffic->way, traffic->bytes, traffic->packets);
}

/* Remembered from the first datagram on, so that a window that begins with an answer is right. */
static __always_inline enum udp_role role_of_further(struct sock *sk, bool is_adopted,
						     const struct traffic *traffic)
{
	struct peer peer = { .cookie = bpf_get_socket_cookie(sk),
			     .remote = traffic->remote.address };
	__u8 *known = bpf_map_lookup_elem(&peers, &peer);
	__u8 role;

	if (known)
		return *known;
	role = role_at_first_sight(sk, is_adopted, traffic);
	bpf_map_update_elem(&peers, &peer, &role, BPF_ANY);
	return role;
}

/*
 * Counts by key. The role is looked up only where this window has no sum yet under the role that
 * the socket has with its first remote end, which is nearly always the same.
 */
static __always_inline bool count_in(void *sums, struct sock *sk, const struct udp_socket *socket,
				     const struct traffic *traffic)
{
	struct udp_key key = socket->key;
	union address local;
	struct udp_sum *sum;

	known_local(&local, sk, traffic);
	__builtin_memcpy(key.local, &local, sizeof(key.local));
	set_remote(&key, sk, traffic, socket->key.role);
	sum = bpf_map_lookup_elem(sums, &key);
	if (!sum) {
		bool is_adopted = socket->flags & SOCKET_ADOPTED;

		set_remote(&key, sk, traffic, role_of_further(sk, is_adopted, traffic));
		if (is_unspecified(&local))
			guess_local(&local, sk, &traffic->remote.address);
		sum = find_sum(sums, &key, &local, socket->comm);
	}
	if (sum)
		add_to_sum(sum, traffic);
	return sum;
}

static __noinline int count_further(struct sock *sk, const struct udp_socket *socket,
				    const struct traffic *traffic)
{
	bool is_counted = sums_in_use ? count_in(&sums_1, sk, socket, traffic) :
					count_in(&sums_0, sk, socket, traffic);

	if (!is_counted)
		count_loss(UDP_LOSS_SUMS_FULL, traffic->packets);
	return 0;
}

/* The first use of a socket; of two CPUs that get here at once, the first one decides. */
static __always_inline void set_socket(struct sock *sk, struct udp_socket *socket,
				       const struct traffic *traffic)
{
	enum udp_role role = role_at_first_sight(sk, socket->flags & SOCKET_ADOPTED, traffic);

	identify(socket, sk, traffic, role);
	add_traffic(socket, traffic);
	__sync_lock_test_and_set(&socket->state, SOCKET_SET);
	if (role == UDP_ROLE_SERVER && !is_connected(sk))
		tell_listener(sk, socket);
}

/* Another CPU may be at the same socket's first datagram, which takes a microsecond. */
static __always_inline bool wait_until_set(const volatile struct udp_socket *socket)
{
	const int looks_max = 512;

	for (int i = 0; i < looks_max; i++)
		if (socket->state == SOCKET_SET)
			return true;
	return false;
}

/* Whatever is not with the first remote end of a socket that is set already. */
static __noinline int count_other(struct sock *sk, const struct traffic *traffic)
{
	struct udp_socket *socket =
		bpf_sk_storage_get(&sockets, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);

	if (!socket) {
		count_loss(UDP_LOSS_SOCKET_STATE, traffic->packets);
		return 0;
	}
	if (__sync_val_compare_and_swap(&socket->state, SOCKET_UNUSED, SOCKET_BEING_SET) ==
	    SOCKET_UNUSED) {
		set_socket(sk, socket, traffic);
		return 0;
	}
	if (!wait_until_set(socket)) {
		count_loss(UDP_LOSS_SOCKET_STATE, traffic->packets);
		return 0;
	}
	if (is_first_remote(socket, traffic)) {
		add_traffic(socket, traffic);
		return 0;
	}
	if (!(socket->flags & SOCKET_HAS_MORE_REMOTES))
		__sync_fetch_and_or(&socket->flags, SOCKET_HAS_MORE_REMOTES);
	return count_further(sk, socket, traffic);
}

static __always_inline void count(struct sock *sk, struct udp_socket *socket,
				  const struct traffic *traffic)
{
	if (!traffic->is_remote_known && !(socket && is_first_remote(socket, traffic)))
		count_loss(UDP_LOSS_REMOTE_UNKNOWN, traffic->packets);
	if (socket && is_first_remote(socket, traffic))
		add_traffic(socket, traffic);
	else
		count_other(sk, traffic);
}

#endif
