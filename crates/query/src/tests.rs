//! The filter language, as data: text in, canonical text or error out.

use expect_test::{Expect, expect};
use proptest::prelude::*;
use weir_schema::Table;

use crate::{Expr, parse_filter};

fn check(text: &str, expected: Expect) {
    check_of(Table::L4Flows, text, expected);
}

fn check_of(table: Table, text: &str, expected: Expect) {
    let shown = match parse_filter(table, text) {
        Ok(expr) => {
            let canonical = expr.to_string();
            let again = parse_filter(table, &canonical);
            assert_eq!(again.as_ref(), Ok(&expr), "{text} became {canonical}");
            canonical
        }
        Err(error) => {
            let (from, to) = (error.position, error.position + error.length);
            format!("{error} [{from}..{to}]")
        }
    };
    expected.assert_eq(&shown);
}

#[test]
fn everything_that_the_language_has() {
    check("", expect![[""]]);
    check("server_port:443", expect!["server_port:443"]);
    check("-client_process:curl", expect!["-client_process:curl"]);
    check("client_process:ngi* transport:tcp", expect!["client_process:ngi* transport:tcp"]);
    check("client_process:n?inx", expect!["client_process:n?inx"]);
    check("remote_domain:*", expect!["remote_domain:*"]);
    check("-remote_domain:*", expect!["-remote_domain:*"]);
    check("host:(a OR b)", expect!["host:a OR host:b"]);
    check("rtt_us:[1000 - 5000]", expect!["rtt_us:[1000 - 5000]"]);
    check("rtt_us:[1ms - 5ms]", expect!["rtt_us:[1000 - 5000]"]);
    check("rtt_us:[1000 - *]", expect!["rtt_us:[1000 - *]"]);
    check("bytes_sent:>=1.5MB", expect!["bytes_sent:[1500000 - *]"]);
    check("bytes_sent>=1KiB", expect!["bytes_sent:[1024 - *]"]);
    check("retransmits>0", expect!["retransmits:>0"]);
    check(
        "retransmits < 10",
        expect![
            "no field in front at character 13: expected field:[low - high] or field>=value [12..13]"
        ],
    );
    check("remote_port=8080", expect!["remote_port:8080"]);
    check("server_ip:10.0.0.0/8", expect!["server_ip:10.0.0.0/8"]);
    check("server_ip:10.1.*", expect!["server_ip:10.1.*"]);
    check("server_ip:::1", expect!["server_ip:::1"]);
    check("ip:fd00::/8", expect!["ip:fd00::/8"]);
    check("server_ip:(fe80::1 OR ::1)", expect!["server_ip:fe80::1 OR server_ip:::1"]);
    check("\"two words\"", expect![[r#""two words""#]]);
    check("client_process:\"my app\"", expect![[r#"client_process:"my app""#]]);
    check("nginx", expect!["nginx"]);
    check("a AND b OR c", expect!["(a b) OR c"]);
    check("a AND (b OR c)", expect!["a (b OR c)"]);
    check("NOT (a OR b)", expect!["NOT (a OR b)"]);
    check("-(a OR b) c", expect!["NOT (a OR b) c"]);
    check("client_process:web-1", expect!["client_process:web-1"]);
    check("client_process:-x", expect![[r#"client_process:"-x""#]]);
    check("remote_domain:a\\*b", expect![[r#"remote_domain:"a*b""#]]);
}

#[test]
fn fields_of_requests_and_lookups() {
    let flows = |text: &str, expected| check_of(Table::L7Flows, text, expected);
    flows("path:/users/{id}", expect![[r#"path:"/users/{id}""#]]);
    flows("path:/users/*", expect!["path:/users/*"]);
    flows(
        "method:(GET OR POST) status:[400 - 599]",
        expect!["(method:get OR method:post) status:[400 - 599]"],
    );
    flows("protocol:http/1.1", expect!["protocol:http/1.1"]);
    flows("protocol:(http/2 OR grpc)", expect!["protocol:http/2 OR protocol:grpc"]);
    flows(
        "protocol:http3",
        expect![
            "no protocol is called http3 at character 10: expected http/1.0 or http/1.1 or http/2 or grpc [9..14]"
        ],
    );
    flows(
        "error_rate>0.05 response_us_p95>=250ms",
        expect!["error_rate:>0.05 response_us_p95:[250000 - *]"],
    );
    flows("grpc_status:* -status:200", expect!["grpc_status:* -status:200"]);
    flows(
        "rtt_us>5",
        expect![
            "summed-up requests (layer l7) have no field rtt_us at character 1: expected a field of l7_flows; rtt_us is one of transport flows (layer l4) [0..6]"
        ],
    );
    flows(
        "trace_id:4bf92f3577b34da6a3ce929d0e0e4736",
        expect![
            "summed-up requests (layer l7) have no field trace_id at character 1: expected a field of l7_flows; trace_id is one of single requests (flows of layer l7) [0..8]"
        ],
    );
    let samples = |text: &str, expected| check_of(Table::L7Samples, text, expected);
    samples(
        "trace_id:4bf92f3577b34da6a3ce929d0e0e4736 outcome:aborted",
        expect!["trace_id:4bf92f3577b34da6a3ce929d0e0e4736 outcome:aborted"],
    );
    samples(
        "template:/users/{id} path:/users/42 response_us>1s",
        expect![[r#"template:"/users/{id}" path:/users/42 response_us:>1000000"#]],
    );
    samples(
        "error_rate:1",
        expect![
            "single requests (flows of layer l7) have no field error_rate at character 1: expected a field of l7_samples; error_rate is one of summed-up requests (layer l7) [0..10]"
        ],
    );
    check_of(
        Table::DnsFlows,
        "dns_name:*.example.com rcode:NXDOMAIN dns_us>10ms",
        expect!["dns_name:*.example.com rcode:nxdomain dns_us:>10000"],
    );
    check(
        "status:500",
        expect![
            "transport flows (layer l4) have no field status at character 1: expected a field of l4_flows; status is one of summed-up requests (layer l7) [0..6]"
        ],
    );
}

#[test]
fn everything_that_can_be_wrong() {
    check("(a", expect!["unbalanced ( at character 1: expected a closing ) [0..1]"]);
    check(
        "a)",
        expect![["unbalanced ) at character 2: expected the end of the filter or a term [1..2]"]],
    );
    check(
        "a OR",
        expect![[
            "the filter ends too early at character 5: expected a term such as server_port:443, -client_process:curl or a word [4..4]"
        ]],
    );
    check(
        "servr_port:1",
        expect![[
            "unknown field servr_port at character 1: expected a known field; did you mean server_port? [0..10]"
        ]],
    );
    check(
        "server_port:",
        expect![[
            "the filter ends too early at character 13: expected a number, [low - high], >=number or * [12..12]"
        ]],
    );
    check(
        "server_port:http",
        expect![[
            "http is not a number that server_port can have at character 13: expected a number, [low - high], >=number or * [12..16]"
        ]],
    );
    check(
        "client_process:>5",
        expect![[
            r#"client_process is not a number at character 16: expected a value, a "phrase", *, or (a OR b) [15..16]"#
        ]],
    );
    check(
        "server_ip:10.0.0.0/33",
        expect![[
            "/33 is not a prefix length of 0 to 32 at character 11: expected an address, a block such as 10.0.0.0/8, * or (a OR b) [10..21]"
        ]],
    );
    check(
        "server_ip:nginx",
        expect![[
            "nginx is not an IP address at character 11: expected an address, a block such as 10.0.0.0/8, * or (a OR b) [10..15]"
        ]],
    );
    check(
        "rtt_us:[5000 - 1000]",
        expect![["the range is empty at character 8: expected the lower value first [7..20]"]],
    );
    check(
        "rtt_us:[1000",
        expect!["a range is not closed at character 8: expected [low - high] [7..12]"],
    );
    check(
        "rtt_us:5GB",
        expect![[
            "5GB is not a number that rtt_us can have at character 8: expected a number, [low - high], >=number or * [7..10]"
        ]],
    );
    check(
        "\"open",
        expect![["a phrase is not closed at character 1: expected a closing \" [0..5]"]],
    );
    check(
        "transport:tpc",
        expect![["no transport is called tpc at character 11: expected tcp or udp [10..13]"]],
    );
    check(
        "host:(a b)",
        expect!["a list of values at character 9: expected OR between values, or ) [8..9]"],
    );
    check(
        &"(".repeat(100),
        expect!["nested too deeply at character 65: expected at most 64 levels [64..65]"],
    );
}

proptest! {
    #[test]
    fn any_text_gives_an_answer(text in "\\PC{0,60}") {
        let _ = parse_filter(Table::L4Flows, &text);
    }

    #[test]
    fn what_parses_prints_and_parses_again(
        text in "(((-|NOT )?(server_port:|host:|ip:|bytes_sent>=|)[a-z0-9.*?\"()\\[\\]]{1,6})( | OR | AND )){0,4}"
    ) {
        if let Ok(expr) = parse_filter(Table::L4Flows, &text) {
            let printed = expr.to_string();
            let again = parse_filter(Table::L4Flows, &printed);
            prop_assert!(again.is_ok(), "{} became {}: {:?}", text, printed, again);
            prop_assert_eq!(again.unwrap_or_else(|_| Expr::all()).to_string(), printed);
        }
    }
}
