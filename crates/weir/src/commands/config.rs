//! `weir config`: the effective values and where each came from.

use std::io::Write;
use std::process::ExitCode;

use anyhow::Result;
use serde_json::json;

use crate::config::{Config, Setting};

/// Prints a valid configuration file whose comments say where each value came from, or JSON.
pub fn run(config: &Config, as_json: bool) -> Result<ExitCode> {
    let mut out = std::io::stdout().lock();
    if as_json {
        let settings: Vec<_> = config.settings().map(describe).collect();
        writeln!(out, "{}", serde_json::to_string_pretty(&settings)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut section = "";
    for setting in config.settings() {
        let Some((group, name)) = setting.key.name.split_once('.') else { continue };
        if group != section {
            let gap = if section.is_empty() { "" } else { "\n" };
            writeln!(out, "{gap}[{group}]")?;
            section = group;
        }
        match &setting.text {
            Some(text) => writeln!(out, "{name} = {text:?}  # {}", setting.source)?,
            None => writeln!(out, "# {name} is not set: {}", setting.key.doc)?,
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn describe(setting: &Setting) -> serde_json::Value {
    json!({
        "key": setting.key.name,
        "value": setting.text,
        "source": setting.source.to_string(),
        "flag": format!("--{}", setting.key.flag),
        "variable": setting.key.variable(),
        "default": setting.key.default,
        "doc": setting.key.doc,
    })
}
