// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * NAT: what connection tracking says of new conversations, kept in a table.
 *
 * A filter of netlink sockets that listen to new entries of connection tracking, one socket a
 * network namespace. The kernel hands over an entry before the packet that made it goes on, and
 * runs the filter there and then: a translation is in the table before the other end has heard of
 * the conversation. The filter takes nothing, so no message is queued and nobody wakes.
 */
#include "nat.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

struct __sk_buff;

/* include/uapi/linux/netfilter/nfnetlink.h, nfnetlink_conntrack.h; stable ABI. */
enum {
	NFNL_SUBSYS_CTNETLINK = 1,
	IPCTNL_MSG_CT_NEW = 0,
	CTA_TUPLE_ORIG = 1,
	CTA_TUPLE_REPLY = 2,
	CTA_TUPLE_IP = 1,
	CTA_TUPLE_PROTO = 2,
	CTA_IP_V4_SRC = 1,
	CTA_IP_V6_SRC = 3,
	CTA_PROTO_NUM = 1,
	CTA_PROTO_SRC_PORT = 2,
	CTA_PROTO_DST_PORT = 3,
	NLA_TYPE_MASK = 0x3fff,
};

struct attribute {
	__u16 length;
	__u16 type;
};

/* include/uapi/linux/netlink.h: struct nlmsghdr and struct nfgenmsg. */
struct message {
	__u32 length;
	__u16 type;
	__u16 flags;
	__u32 sequence;
	__u32 port;
	__u8 family;
	__u8 version;
	__u16 resource;
};

/* A tuple as ctnetlink_dump_tuples() writes it. */
struct tuple_ipv4 {
	struct attribute tuple, ip, source;
	__be32 source_ip;
	struct attribute destination;
	__be32 destination_ip;
};

struct tuple_ipv6 {
	struct attribute tuple, ip, source;
	__u32 source_ip[4];
	struct attribute destination;
	__u32 destination_ip[4];
};

struct tuple_ports {
	struct attribute ports, protocol;
	__u8 protocol_number;
	__u8 pad1[3];
	struct attribute source;
	__be16 source_port;
	__u16 pad2;
	struct attribute destination;
	__be16 destination_port;
	__u16 pad3;
};

_Static_assert(sizeof(struct tuple_ipv4) == 24, "struct tuple_ipv4 is not as netlink has it");
_Static_assert(sizeof(struct tuple_ipv6) == 48, "struct tuple_ipv6 is not as netlink has it");
_Static_assert(sizeof(struct tuple_ports) == 28, "struct tuple_ports is not as netlink has it");

struct tuple {
	struct nat_end source;
	struct nat_end destination;
	__u8 protocol;
};

enum outcome {
	READ,
	/* Of a protocol without ports, or not as expected. */
	OTHER,
	UNREAD,
};

/* Network namespaces (inode numbers) by the cookie of the socket that listens there. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1024);
	__type(key, __u64);
	__type(value, __u32);
} namespaces SEC(".maps");

/* Entries of connection tracking that could not be read. */
volatile __u64 unread;

static __always_inline bool is(const struct attribute *attribute, __u16 type)
{
	return (attribute->type & NLA_TYPE_MASK) == type;
}

static __always_inline enum outcome read_ends(struct __sk_buff *skb, __u32 at, __u8 family,
					      __u16 type, struct tuple *tuple, __u32 *head,
					      __u32 *length)
{
	struct tuple_ipv4 ipv4;
	struct tuple_ipv6 ipv6;
	bool is_expected;

	if (family == AF_INET) {
		if (bpf_skb_load_bytes(skb, at, &ipv4, sizeof(ipv4)))
			return UNREAD;
		is_expected = is(&ipv4.tuple, type) && is(&ipv4.ip, CTA_TUPLE_IP) &&
			      is(&ipv4.source, CTA_IP_V4_SRC);
		address_from_ipv4((union address *)tuple->source.address, ipv4.source_ip);
		address_from_ipv4((union address *)tuple->destination.address, ipv4.destination_ip);
		*length = ipv4.tuple.length;
		*head = sizeof(ipv4);
	} else {
		if (bpf_skb_load_bytes(skb, at, &ipv6, sizeof(ipv6)))
			return UNREAD;
		is_expected = is(&ipv6.tuple, type) && is(&ipv6.ip, CTA_TUPLE_IP) &&
			      is(&ipv6.source, CTA_IP_V6_SRC);
		__builtin_memcpy(tuple->source.address, ipv6.source_ip, ADDRESS_BYTES);
		__builtin_memcpy(tuple->destination.address, ipv6.destination_ip, ADDRESS_BYTES);
		*length = ipv6.tuple.length;
		*head = sizeof(ipv6);
	}
	return is_expected ? READ : UNREAD;
}

/* Reads the tuple at *at, and moves *at behind it. */
static __always_inline enum outcome read_tuple(struct __sk_buff *skb, __u32 *at, __u8 family,
					       __u16 type, struct tuple *tuple)
{
	struct tuple_ports ports;
	__u32 head, length;
	enum outcome outcome = read_ends(skb, *at, family, type, tuple, &head, &length);

	if (outcome != READ)
		return outcome;
	if (bpf_skb_load_bytes(skb, *at + head, &ports, sizeof(ports)))
		return UNREAD;
	if (!is(&ports.ports, CTA_TUPLE_PROTO) || !is(&ports.protocol, CTA_PROTO_NUM))
		return UNREAD;
	if (ports.protocol_number != IPPROTO_TCP && ports.protocol_number != IPPROTO_UDP)
		return OTHER;
	if (!is(&ports.source, CTA_PROTO_SRC_PORT) || !is(&ports.destination, CTA_PROTO_DST_PORT))
		return UNREAD;
	tuple->protocol = ports.protocol_number;
	tuple->source.port = bpf_ntohs(ports.source_port);
	tuple->destination.port = bpf_ntohs(ports.destination_port);
	*at += (length + 3) & ~3;
	return READ;
}

static __always_inline bool is_same(const struct nat_end *a, const struct nat_end *b)
{
	const union address *at_a = (const union address *)a->address;
	const union address *at_b = (const union address *)b->address;

	return a->port == b->port && at_a->words[0] == at_b->words[0] &&
	       at_a->words[1] == at_b->words[1] && at_a->words[2] == at_b->words[2] &&
	       at_a->words[3] == at_b->words[3];
}

/*
 * What the socket at one end knows (`local`, `remote`), and what is so. Where that is the same,
 * what an earlier conversation of the same ports left is removed.
 */
static __always_inline void note(__u32 netns, __u8 protocol, const struct nat_end *local,
				 const struct nat_end *remote, const struct nat_end *peer,
				 const struct nat_end *dialled, bool is_translated)
{
	struct nat_key key = { .protocol = protocol };
	struct nat_translation translation;

	__builtin_memcpy(key.local, local->address, ADDRESS_BYTES);
	__builtin_memcpy(key.remote, remote->address, ADDRESS_BYTES);
	key.local_port = local->port;
	key.remote_port = remote->port;
	if (nat_is_scoped(&key))
		key.netns = netns;
	if (!is_translated) {
		bpf_map_delete_elem(&translations, &key);
		return;
	}
	translation.peer = *peer;
	translation.dialled = *dialled;
	bpf_map_update_elem(&translations, &key, &translation, BPF_ANY);
}

/*
 * An entry has the packets' ends in both ways: `out` as the client sent them, `back` as the
 * server's answers have them.
 */
static __always_inline void note_entry(__u32 netns, const struct tuple *out,
				       const struct tuple *back)
{
	bool is_dialled_elsewhere = !is_same(&out->destination, &back->source);
	bool is_client_hidden = !is_same(&out->source, &back->destination);

	note(netns, out->protocol, &out->source, &out->destination, &back->source,
	     &out->destination, is_dialled_elsewhere);
	note(netns, out->protocol, &back->source, &back->destination, &out->source,
	     &out->destination, is_dialled_elsewhere || is_client_hidden);
}

SEC("socket")
int nat_note(struct __sk_buff *skb)
{
	struct tuple out = {}, back = {};
	struct message message;
	__u32 at = sizeof(message);
	enum outcome outcome;
	__u32 *netns;
	__u64 cookie;

	if (bpf_skb_load_bytes(skb, 0, &message, sizeof(message)))
		return 0;
	if (message.type != (NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_NEW))
		return 0;
	if (message.family != AF_INET && message.family != AF_INET6)
		return 0;
	outcome = read_tuple(skb, &at, message.family, CTA_TUPLE_ORIG, &out);
	if (outcome == READ)
		outcome = read_tuple(skb, &at, message.family, CTA_TUPLE_REPLY, &back);
	if (outcome == UNREAD)
		__sync_fetch_and_add(&unread, 1);
	if (outcome != READ)
		return 0;
	cookie = bpf_get_socket_cookie(skb);
	netns = bpf_map_lookup_elem(&namespaces, &cookie);
	note_entry(netns ? *netns : 0, &out, &back);
	return 0;
}
