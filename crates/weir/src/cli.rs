//! The command line, with one flag for each configuration key of the command's role.

use clap::{Arg, ArgAction, ArgMatches, Command};

use crate::config::{KEYS, Key};

/// The keys that a command takes as flags.
pub fn keys_of(command: &str) -> Vec<&'static Key> {
    let takes = |key: &Key| match command {
        "up" => !matches!(key.name, "agent.server" | "agent.token_file"),
        "agent" => key.roles.agent,
        "server" => key.roles.server,
        "cluster-watch" => {
            let sections = ["kubernetes.", "log."];
            matches!(key.name, "agent.server" | "agent.token_file")
                || sections.iter().any(|section| key.name.starts_with(section))
        }
        "config" => true,
        "check" => matches!(key.name, "agent.udp" | "agent.dns" | "agent.nat"),
        "token" => key.name == "data.dir",
        _ => false,
    };
    KEYS.iter().filter(|key| takes(key)).collect()
}

/// Values of the configuration flags that were given.
pub fn flag_values(command: &str, matches: &ArgMatches) -> Vec<(&'static str, String)> {
    keys_of(command)
        .into_iter()
        .filter_map(|key| matches.get_one::<String>(key.flag).map(|text| (key.name, text.clone())))
        .collect()
}

fn with_keys(name: &'static str, command: Command) -> Command {
    let config = Arg::new("config")
        .long("config")
        .value_name("FILE")
        .env("WEIR_CONFIG")
        .help("configuration file (default: /etc/weir/weir.toml where it exists)");
    keys_of(name).into_iter().fold(command.arg(config), |command, key| {
        let default = key.default.map(|text| format!(" [default: {text}]")).unwrap_or_default();
        let arg = Arg::new(key.flag)
            .long(key.flag)
            .value_name("VALUE")
            .help(format!("{}{default} [{}]", key.doc, key.name));
        command.arg(arg)
    })
}

fn asking(command: Command) -> Command {
    let value = |name: &'static str, value_name: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name(value_name).help(help)
    };
    command
        .arg(
            Arg::new("json")
                .long("json")
                .action(ArgAction::SetTrue)
                .help("one JSON object a line instead of a table"),
        )
        .arg(
            value("since", "DURATION", "how far back to look")
                .default_value("5m")
                .conflicts_with("from"),
        )
        .arg(value("from", "TIME", "begin: milliseconds, RFC 3339 or now-15m"))
        .arg(value("to", "TIME", "end: milliseconds, RFC 3339 or now-5m").default_value("now"))
        .arg(
            value("filter", "FILTER", "filter language, for instance 'remote_port:8080'")
                .allow_hyphen_values(true),
        )
        .arg(
            value(
                "perspective",
                "END",
                "whose observation is read; merged has each conversation once",
            )
            .default_value("merged")
            .value_parser(["merged", "client", "server"]),
        )
        .arg(
            value("url", "URL", "server to ask (default: the one that runs on this host)")
                .visible_alias("server")
                .env("WEIR_URL"),
        )
        .arg(value("token-file", "FILE", "file with the token, where the server asks for one"))
        .arg(value("limit", "N", "most rows"))
}

const LAYERS: &[&str] = &["l4", "l7", "dns"];

fn layer(layers: &'static [&'static str]) -> Arg {
    Arg::new("layer")
        .long("layer")
        .default_value("l4")
        .value_parser(clap::builder::PossibleValuesParser::new(layers))
        .help("l4: transport, l7: requests, dns: name lookups")
}

fn level() -> Arg {
    Arg::new("level")
        .long("level")
        .default_value("process")
        .value_parser(["process", "host", "pod", "deployment", "service"])
        .help("what to group by")
}

/// The whole command line.
pub fn command() -> Command {
    let asks = "asks a running server";
    Command::new("weir")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Who talks to whom, how well, and what it costs")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(with_keys(
            "up",
            Command::new("up").about("Watch this host, store and show it: agent and server in one"),
        ))
        .subcommand(with_keys(
            "agent",
            Command::new("agent").about("Watch this host and send its flows to a server"),
        ))
        .subcommand(with_keys(
            "server",
            Command::new("server").about("Receive, store and show the flows of agents"),
        ))
        .subcommand(with_keys(
            "cluster-watch",
            Command::new("cluster-watch")
                .about("Watch a Kubernetes cluster and tell a server elsewhere of its names"),
        ))
        .subcommand(
            with_keys("check", Command::new("check"))
                .about("Say what this kernel gives, hook by hook")
                .arg(Arg::new("json").long("json").action(ArgAction::SetTrue).help("print JSON")),
        )
        .subcommand(asking(
            Command::new("flows")
                .about(format!("List flows or single requests, newest first ({asks})"))
                .arg(layer(&["l4", "l7"])),
        ))
        .subcommand(
            asking(Command::new("summary").about(format!("List pairs with their totals ({asks})")))
                .arg(layer(LAYERS))
                .arg(level()),
        )
        .subcommand(
            asking(Command::new("map").about(format!("List the edges of the map ({asks})")))
                .arg(layer(LAYERS))
                .arg(level()),
        )
        .subcommand(
            with_keys("config", Command::new("config"))
                .about("Print the effective configuration and where each value came from")
                .arg(Arg::new("json").long("json").action(ArgAction::SetTrue).help("print JSON")),
        )
        .subcommand(token())
}

fn token() -> Command {
    let value = |name: &'static str, value_name: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name(value_name).help(help)
    };
    let part = |name: &'static str, about: &'static str| {
        with_keys("token", Command::new(name).about(about))
    };
    part(
        "token",
        "Make a new token; the old one stops working. Or: tokens with which agents can only send",
    )
    .args_conflicts_with_subcommands(true)
    .subcommand(
        part("create", "Make a token with which agents can send, and show it this once")
            .arg(value("cluster", "NAME", "cluster that whatever comes with it belongs to"))
            .arg(value(
                "expires",
                "DURATION",
                "how long it is good, such as 90d (default: for ever)",
            ))
            .arg(value("note", "TEXT", "what it is for")),
    )
    .subcommand(part("list", "List these tokens and how they are used").arg(
        Arg::new("json").long("json").action(ArgAction::SetTrue).help("one JSON object a line"),
    ))
    .subcommand(
        part("revoke", "End a token; a running server refuses it at once").arg(
            Arg::new("id").value_name("ID").required(true).help("as `weir token list` shows it"),
        ),
    )
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_command_line_is_consistent() {
        super::command().debug_assert();
    }
}
