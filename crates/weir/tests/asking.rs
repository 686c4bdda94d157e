//! `weir flows`, `weir summary` and `weir map` over a server that holds known rows of each layer.

use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};
use weir_schema::Table;
use weir_store::Store;
use weir_store::conformance::rows::{batch_of, row_of};
use weir_store_parquet::{Options, ParquetStore};
use weir_testkit::Running;

const START: Duration = Duration::from_secs(60);

/// Rows of one minute ago.
fn fill(data: &Path) {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("a clock");
    let time_ms = now.as_millis() as i64 - 60_000;
    let store = ParquetStore::open(Options::new(data)).expect("the store opens");
    let rows = |table: Table| match table {
        Table::L4Flows => vec![json!({"bytes_sent": 100, "connections": 1})],
        Table::L7Flows => vec![
            json!({"requests": 30, "errors": 3, "status_5xx": 3, "response_sketch": vec![2_000; 30]}),
        ],
        Table::L7Samples => vec![
            json!({"path": "/users/1", "template": "/users/{id}", "weight": 27}),
            json!({"path": "/buy", "status": 500, "weight": 3, "response_us": 7_000}),
        ],
        Table::DnsFlows => vec![json!({"dns_queries": 5, "dns_failures": 1})],
    };
    for table in Table::ALL {
        let row = |changes| {
            let mut row = row_of(table, time_ms, changes);
            row.insert("local_process".to_owned(), "curl".into());
            row
        };
        let rows: Vec<_> = rows(table).into_iter().map(row).collect();
        store.ingest(&batch_of(table, "a", 1, &rows)).expect("rows are stored");
    }
    store.close().expect("the store closes");
}

fn weir(url: &str, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_weir"));
    command.args(arguments).args(["--url", url]).output().expect("weir runs")
}

fn lines(url: &str, arguments: &[&str]) -> Vec<Value> {
    let output = weir(url, &[arguments, &["--json"]].concat());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{arguments:?}: {said}");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    text.lines().map(|line| serde_json::from_str(line).expect("one object a line")).collect()
}

#[test]
fn each_layer_answers_in_a_shell() {
    let dir = tempfile::tempdir().expect("a folder");
    fill(dir.path());
    let mut command = Command::new(env!("CARGO_BIN_EXE_weir"));
    command.args(["server", "--listen", "127.0.0.1:0", "--data-dir"]).arg(dir.path());
    let mut server = Running::start(&mut command).expect("weir server starts");
    let url = server.line_after("ready ", START).expect("it serves");

    let l4 = lines(&url, &["summary"]);
    assert_eq!(l4[0]["metrics"]["bytes_sent"], 100);
    let l7 = lines(&url, &["summary", "--layer", "l7"]);
    assert_eq!(l7[0]["client"]["name"], "curl");
    assert_eq!(
        (&l7[0]["metrics"]["requests"], &l7[0]["metrics"]["error_rate"]),
        (&json!(30), &json!(0.1))
    );
    let edges = lines(&url, &["map", "--layer", "l7"]);
    assert_eq!(edges[0]["metrics"]["requests"], 30);
    let dns = lines(&url, &["summary", "--layer", "dns"]);
    assert_eq!(dns[0]["metrics"]["dns_queries"], 5);
    let requests = lines(&url, &["flows", "--layer", "l7", "--filter", "path:/users/{id}"]);
    assert_eq!((requests.len(), &requests[0]["weight"]), (1, &json!(27)));

    let shown = |arguments: &[&str]| {
        let output = weir(&url, arguments);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("UTF-8")
    };
    let table = shown(&["flows", "--layer", "l7"]);
    assert!(table.contains("/buy") && table.contains("7.0 ms") && table.contains("500"), "{table}");
    let table = shown(&["summary", "--layer", "l7"]);
    assert!(table.contains("10.0 %") && table.contains("P95"), "{table}");
    assert!(shown(&["map", "--layer", "dns"]).contains("NAME SERVER"));

    let wrong = weir(&url, &["flows", "--layer", "l7", "--filter", "rtt_us>5"]);
    let said = String::from_utf8_lossy(&wrong.stderr).into_owned();
    assert_eq!(wrong.status.code(), Some(64), "{said}");
    assert!(said.contains("single requests"), "{said}");
    assert_eq!(weir(&url, &["flows", "--layer", "l9"]).status.code(), Some(64));
}
