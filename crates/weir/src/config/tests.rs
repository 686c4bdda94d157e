//! Layers, sources and errors of the configuration.

use expect_test::{Expect, expect};

use super::*;

fn error(inputs: Inputs, expected: Expect) {
    match Config::load(&inputs) {
        Ok(_) => panic!("{inputs:?} was accepted"),
        Err(err) => expected.assert_eq(&err.to_string()),
    }
}

fn file(text: &str) -> Inputs {
    Inputs { file: Some(("weir.toml".into(), text.to_owned())), ..Inputs::default() }
}

fn variable(name: &str, text: &str) -> Inputs {
    Inputs { variables: vec![(name.to_owned(), text.to_owned())], ..Inputs::default() }
}

#[test]
fn a_flag_beats_a_variable_beats_the_file_beats_the_default() {
    let mut inputs = Inputs::default();
    let window = |inputs: &Inputs| {
        let config = Config::load(inputs).unwrap();
        let setting = config.settings["agent.window"].clone();
        (config.duration("agent.window").as_secs(), setting.source)
    };
    assert_eq!(window(&inputs), (10, Source::Default));
    inputs.file = file("[agent]\nwindow = \"20s\"").file;
    assert_eq!(window(&inputs), (20, Source::File("weir.toml".into())));
    inputs.variables = variable("WEIR_AGENT_WINDOW", "30s").variables;
    assert_eq!(window(&inputs), (30, Source::Variable("WEIR_AGENT_WINDOW".to_owned())));
    inputs.flags = vec![("agent.window", "40s".to_owned())];
    assert_eq!(window(&inputs), (40, Source::Flag("window".to_owned())));
}

#[test]
fn errors_say_what_would_be_right() {
    error(
        file("[agent]\nwindwo = 1"),
        expect!["weir.toml: unknown key agent.windwo; did you mean agent.window?"],
    );
    error(
        file("[agent]\nwindow = \"1h\""),
        expect![[
            r#"agent.window = "1h" (file weir.toml): expected a duration such as 10s, 15m or 48h, from 1s to 5m"#
        ]],
    );
    error(
        file("window = 1"),
        expect![[
            r#"weir.toml: window stands outside a section; write it as [section] name = value, for instance [agent] window = "10s""#
        ]],
    );
    error(
        file("[agent]\nwindow = [1]"),
        expect![
            "weir.toml: agent.window is a array; expected a duration such as 10s, 15m or 48h, from 1s to 5m"
        ],
    );
    error(
        variable("WEIR_AGENT_WINDW", "1s"),
        expect!["unknown environment variable WEIR_AGENT_WINDW; did you mean WEIR_AGENT_WINDOW?"],
    );
    error(
        variable("WEIR_SERVER_LISTEN", "9347"),
        expect![[
            r#"server.listen = "9347" (variable WEIR_SERVER_LISTEN): expected ADDRESS:PORT such as 127.0.0.1:9347 or [::1]:9347"#
        ]],
    );
    error(
        variable("WEIR_AGENT_LOOPBACK", "yes"),
        expect![[
            r#"agent.loopback = "yes" (variable WEIR_AGENT_LOOPBACK): expected true or false"#
        ]],
    );
    error(
        variable("WEIR_STORE_MEMORY_BYTES_MAX", "1KB"),
        expect![[
            r#"store.memory_bytes_max = "1KB" (variable WEIR_STORE_MEMORY_BYTES_MAX): expected a size such as 256MiB or 1GB, from 16MiB to 256GiB"#
        ]],
    );
}

#[test]
fn defaults_pass_their_own_checks() {
    for key in KEYS {
        if let Some(default) = key.default {
            assert_eq!(value::check(key.kind, default), Ok(()), "{}", key.name);
        }
    }
}

#[test]
fn names_are_unique() {
    for (i, key) in KEYS.iter().enumerate() {
        for other in &KEYS[..i] {
            assert_ne!(key.name, other.name);
            assert_ne!(key.flag, other.flag);
            assert_ne!(key.variable(), other.variable());
        }
    }
}

#[test]
fn the_reference_page_is_this_table() {
    let mut page = String::from(
        "# Reference: configuration\n\n\
         Every key can be given in the file (`--config FILE` or `WEIR_CONFIG`; `/etc/weir/weir.toml` \
         where it exists), as an environment variable and as a flag. A flag beats a variable, a \
         variable beats the file, the file beats the default. `weir config` prints the effective \
         values and where each came from. Unknown keys and variables that begin with `WEIR_` are \
         errors.\n\n\
         This page is made from `crates/weir/src/config/keys.rs` by `make generate`.\n\n\
         | key | flag | variable | default | value | meaning |\n|---|---|---|---|---|---|\n",
    );
    for key in KEYS {
        let value = value::expected(key.kind);
        let value = value.trim_start_matches("expected ").replace('|', "\\|");
        page.push_str(&format!(
            "| `{}` | `--{}` | `{}` | {} | {value} | {} |\n",
            key.name,
            key.flag,
            key.variable(),
            key.default.map_or("-".to_owned(), |text| format!("`{text}`")),
            key.doc,
        ));
    }
    page.push_str(
        "\nThe same as a file:\n\n```toml\n[server]\nlisten = \"127.0.0.1:9347\"\n\n[store]\n\
         retention = \"48h\"\n\n[agent]\nwindow = \"10s\"\n```\n\n\
         Variables that are not keys: `WEIR_CONFIG` (the file), `WEIR_URL` (the server that \
         `weir flows`, `weir summary` and `weir map` ask) and `WEIR_TOKEN` (the token they show it).\n",
    );
    expect_test::expect_file!["../../../../docs/reference/configuration.md"].assert_eq(&page);
}
