//! What is wrong with usage, configuration or surroundings is said before anything is touched, with
//! exit code 64: what, why, and what would be right.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output};

const USAGE: i32 = 64;

fn weir(arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_weir"))
        .args(arguments)
        .envs(variables.iter().copied())
        .output()
        .expect("weir runs")
}

fn refused(arguments: &[&str], variables: &[(&str, &str)], parts: &[&str]) {
    let output = weir(arguments, variables);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(USAGE), "{arguments:?}: {said}");
    assert!(output.stdout.is_empty(), "{arguments:?}: talk belongs on standard error");
    for part in parts {
        assert!(said.contains(part), "{arguments:?} says {said:?}, which lacks {part:?}");
    }
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path in UTF-8")
}

#[test]
fn usage_and_configuration() {
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("weir.toml");
    let with_file = |content: &str| {
        std::fs::write(&file, content).expect("written");
        ["up", "--config", text(&file)]
    };
    refused(&["upp"], &[], &["upp"]);
    refused(&["up", "--data-dri", "x"], &[], &["--data-dir"]);
    refused(&with_file("[agent]\nwindwo = 1"), &[], &["agent.windwo", "agent.window"]);
    refused(&with_file("[agent\n"), &[], &["weir.toml is not a TOML file"]);
    refused(&with_file("[agent]\nwindow = \"1h\""), &[], &["from 1s to 5m"]);
    refused(&["up"], &[("WEIR_AGENT_WINDW", "1s")], &["WEIR_AGENT_WINDOW"]);
    refused(&["up", "--config", "/nonexistent/weir.toml"], &[], &["/nonexistent/weir.toml"]);
    refused(&["agent"], &[], &["--server http://HOST:PORT"]);
    refused(&["agent", "--server", "ftp://x"], &[], &["expected http://"]);
    refused(&["flows", "--limit", "many"], &[], &["expected a whole number"]);
    std::fs::write(&file, "short").expect("written");
    let data = dir.path().join("data");
    let server = ["server", "--listen", "127.0.0.1:0", "--data-dir", text(&data)];
    let file = text(&file);
    refused(&[&server[..], &["--server-token-file", file]].concat(), &[], &[file, "openssl rand"]);
    let files = [&server[..], &["--agent-token-files", "east"]].concat();
    refused(&files, &[], &["\"east\"", "CLUSTER=PATH"]);
    let files = [&server[..], &["--agent-token-files", "east=/nonexistent/token"]].concat();
    refused(&files, &[], &["/nonexistent/token"]);
    let link = |template: &'static str| [&server[..], &["--links", template]].concat();
    refused(&link("Logs=ftp://x"), &[], &["ui.links", "https://"]);
    refused(&link("Logs=https://x/{pods}"), &[], &["ui.links", "{pods}", "{pod}"]);
    refused(&["token"], &[("WEIR_SERVER_TOKEN_FILE", file)], &[file, "restart server and agents"]);
}

#[test]
fn surroundings() {
    let dir = tempfile::tempdir().expect("a folder");
    let data = dir.path().join("data");
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    for command in ["up", "server"] {
        let on = |listen: &str, data: &Path, parts: &[&str]| {
            refused(&[command, "--listen", listen, "--data-dir", text(data)], &[], parts);
        };
        on(&address, &data, &["the port is taken", "--listen"]);
        on("203.0.113.1:9347", &data, &["no such address"]);
        assert!(!data.exists(), "nothing was touched");
        let file = dir.path().join("file");
        std::fs::write(&file, "kept").expect("written");
        on("127.0.0.1:0", &file, &["cannot make the folder", "--data-dir"]);
        assert_eq!(std::fs::read_to_string(&file).expect("readable"), "kept");
    }
}

#[test]
fn a_data_folder_of_something_else_is_left_as_it_is() {
    let dir = tempfile::tempdir().expect("a folder");
    let catalogue = dir.path().join("catalogue.sqlite");
    std::fs::write(&catalogue, "not a database, but somebody's").expect("written");
    let data = text(dir.path());
    refused(
        &["server", "--listen", "127.0.0.1:0", "--data-dir", data],
        &[],
        &["cannot open the data folder"],
    );
    let kept = std::fs::read_to_string(&catalogue).expect("readable");
    assert_eq!(kept, "not a database, but somebody's");
}

#[test]
fn a_server_that_is_not_there_is_a_failure_and_not_bad_usage() {
    let output = weir(&["flows", "--url", "http://127.0.0.1:1"], &[]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("http://127.0.0.1:1"), "{said}");
}
