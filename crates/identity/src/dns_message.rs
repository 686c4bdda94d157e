//! DNS messages (RFC 1035, section 4), read as far as they go. Pure.
//!
//! Owns what is taken out of a message: its header, its question, and the addresses that answer it.
//! Nothing else of a message is kept.

use std::borrow::Cow;
use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::Arc;

use hickory_proto::op::{Header, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::{Name, RData, Record, RecordType};
use hickory_proto::serialize::binary::{BinDecodable, BinDecoder};

/// What was asked.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DnsQuestion {
    /// In lower case, without the dot at its end; `.` is the root.
    pub name: Arc<str>,
    /// Type of record, as on the wire; [`dns_type_name`] names it.
    pub kind: u16,
}

/// A query or an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DnsReading {
    pub id: u16,
    pub is_answer: bool,
    /// Whether it is about a lookup, and not an update, a notification...
    pub is_lookup: bool,
    /// Code of the answer as the header has it: 0 to 15. [`dns_code_name`] names it.
    pub code: u8,
    /// Whether the answer says that it is not whole (TC): the client may ask again over TCP.
    pub is_partial: bool,
    /// Absent in some answers that report an error.
    pub question: Option<DnsQuestion>,
    /// The addresses that answer the question, through aliases too, with their TTL in seconds.
    pub addresses: Vec<(IpAddr, u32)>,
    /// Whether the message ends or goes wrong before its last answer.
    pub is_cut: bool,
}

impl DnsReading {
    /// Reads a message; `None` when not even its question can be read. Answers are read only
    /// where `with_addresses` asks for them.
    pub fn of(payload: &[u8], with_addresses: bool) -> Option<Self> {
        let mut decoder = BinDecoder::new(payload);
        let header = Header::read(&mut decoder).ok()?;
        let metadata = &header.metadata;
        let mut asked = None;
        for _ in 0..header.counts.queries {
            let query = Query::read(&mut decoder).ok()?;
            asked.get_or_insert(query);
        }
        let mut reading = Self {
            id: metadata.id,
            is_answer: metadata.message_type == MessageType::Response,
            is_lookup: metadata.op_code == OpCode::Query,
            code: metadata.response_code.low(),
            is_partial: metadata.truncation,
            question: None,
            addresses: Vec::new(),
            is_cut: false,
        };
        let Some(asked) = asked else { return Some(reading) };
        let name = asked.name.to_lowercase();
        reading.question = Some(question(&name, asked.query_type));
        let has_addresses = reading.is_answer && metadata.response_code == ResponseCode::NoError;
        if with_addresses && has_addresses {
            reading.read_addresses(&mut decoder, name, header.counts.answers);
        }
        Some(reading)
    }

    fn read_addresses(&mut self, decoder: &mut BinDecoder<'_>, asked: Name, answers: u16) {
        let mut aliases: HashSet<Name> = HashSet::from([asked]);
        let mut found = Vec::new();
        for _ in 0..answers {
            let Ok(record) = Record::<RData>::read(decoder) else {
                self.is_cut = true;
                break;
            };
            let owner = record.name.to_lowercase();
            match record.data {
                RData::CNAME(target) if aliases.contains(&owner) => {
                    aliases.insert(target.0.to_lowercase());
                }
                RData::A(a) => found.push((owner, IpAddr::V4(a.0), record.ttl)),
                RData::AAAA(aaaa) => found.push((owner, IpAddr::V6(aaaa.0), record.ttl)),
                _ => {}
            }
        }
        found.retain(|(owner, ip, _)| aliases.contains(owner) && !ip.is_unspecified());
        self.addresses = found.into_iter().map(|(_, ip, ttl)| (ip.to_canonical(), ttl)).collect();
    }
}

fn question(name: &Name, kind: RecordType) -> DnsQuestion {
    let text = name.to_ascii();
    let name = match text.trim_end_matches('.') {
        "" => Arc::from("."),
        name => Arc::from(name),
    };
    DnsQuestion { name, kind: kind.into() }
}

/// `A`, `AAAA`...; `TYPE65280` where it has no name (RFC 3597, section 5).
pub fn dns_type_name(kind: u16) -> Cow<'static, str> {
    match RecordType::from(kind) {
        RecordType::Unknown(kind) => Cow::Owned(format!("TYPE{kind}")),
        known => Cow::Borrowed(known.into()),
    }
}

/// `NOERROR`, `NXDOMAIN`...: the names of IANA's registry of DNS RCODEs.
pub fn dns_code_name(code: u8) -> Cow<'static, str> {
    let name = match code {
        0 => "NOERROR",
        1 => "FORMERR",
        2 => "SERVFAIL",
        3 => "NXDOMAIN",
        4 => "NOTIMP",
        5 => "REFUSED",
        6 => "YXDOMAIN",
        7 => "YXRRSET",
        8 => "NXRRSET",
        9 => "NOTAUTH",
        10 => "NOTZONE",
        11 => "DSOTYPENI",
        _ => return Cow::Owned(format!("RCODE{code}")),
    };
    Cow::Borrowed(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A header with one question for `shop.Test`, of any type and class IN.
    fn message(flags: u16, kind: u16) -> Vec<u8> {
        let mut bytes = vec![0x12, 0x34];
        bytes.extend(flags.to_be_bytes());
        bytes.extend([0, 1, 0, 0, 0, 0, 0, 0]);
        bytes.extend(b"\x04shop\x04Test\0");
        bytes.extend(kind.to_be_bytes());
        bytes.extend([0, 1]);
        bytes
    }

    #[test]
    fn header_and_question_are_read() {
        let cases = [
            ("query", message(0x0100, 1), (false, true, 0, "A")),
            ("answer", message(0x8180, 28), (true, true, 0, "AAAA")),
            ("no such name", message(0x8183, 65), (true, true, 3, "HTTPS")),
            ("unheard of type", message(0x8184, 65_280), (true, true, 4, "TYPE65280")),
            ("notification", message(0x2000, 6), (false, false, 0, "SOA")),
        ];
        for (case, bytes, (is_answer, is_lookup, code, kind)) in cases {
            let reading = DnsReading::of(&bytes, true).expect(case);
            assert_eq!(reading.id, 0x1234, "{case}");
            assert_eq!((reading.is_answer, reading.is_lookup), (is_answer, is_lookup), "{case}");
            assert_eq!(reading.code, code, "{case}");
            let question = reading.question.expect(case);
            assert_eq!(&*question.name, "shop.test", "{case}");
            assert_eq!(dns_type_name(question.kind), kind, "{case}");
        }
        let partial = DnsReading::of(&message(0x8380, 1), true).expect("read");
        assert!(partial.is_partial && partial.is_answer);
        assert_eq!(DnsReading::of(&message(0, 1)[..20], true), None, "cut in its question");
        let bare = DnsReading::of(&[0, 9, 0x80, 1, 0, 0, 0, 0, 0, 0, 0, 0], true).expect("read");
        assert_eq!((bare.code, bare.question), (1, None), "an error without its question");
    }

    #[test]
    fn the_root_has_a_name() {
        let bytes = [0, 9, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 1];
        let question = DnsReading::of(&bytes, false).and_then(|reading| reading.question);
        assert_eq!(question, Some(DnsQuestion { name: Arc::from("."), kind: 2 }));
    }

    #[test]
    fn every_code_and_type_has_one_name() {
        let codes: HashSet<_> = (0..16).map(dns_code_name).collect();
        assert_eq!(codes.len(), 16);
        let types: HashSet<_> = (0..=u16::MAX).map(dns_type_name).collect();
        assert_eq!(types.len(), 65_536);
    }
}
