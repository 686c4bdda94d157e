//! The effective configuration: flag > environment variable > file > default, with the source of
//! each value.
//!
//! Owns reading and checking; what a value does is the business of the room that gets it.

mod keys;
mod value;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

pub use keys::{KEYS, Key};
pub use value::parse_bytes;

/// A configuration that cannot be used: what is wrong and what would be right.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct ConfigError(String);

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    Default,
    File(PathBuf),
    Variable(String),
    Flag(String),
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Source::Default => f.write_str("default"),
            Source::File(path) => write!(f, "file {}", path.display()),
            Source::Variable(name) => write!(f, "variable {name}"),
            Source::Flag(flag) => write!(f, "flag --{flag}"),
        }
    }
}

/// One effective value.
#[derive(Clone, Debug)]
pub struct Setting {
    pub key: &'static Key,
    pub text: Option<String>,
    pub source: Source,
}

/// Everything that was said, by key, checked.
#[derive(Clone, Debug)]
pub struct Config {
    settings: BTreeMap<&'static str, Setting>,
}

/// What the parts of the outside world say; handed over so that tests need no environment.
#[derive(Clone, Debug, Default)]
pub struct Inputs {
    /// `--config`, or the default file if it exists.
    pub file: Option<(PathBuf, String)>,
    /// Variables whose names begin with `WEIR_`.
    pub variables: Vec<(String, String)>,
    /// Flag values by key name.
    pub flags: Vec<(&'static str, String)>,
    pub is_root: bool,
    pub home: Option<PathBuf>,
}

/// Variables of the same prefix that are not configuration keys.
const OTHER_VARIABLES: [&str; 4] = ["WEIR_CONFIG", "WEIR_TOKEN", "WEIR_URL", "WEIR_BIN"];

impl Config {
    /// Merges and checks.
    ///
    /// # Errors
    /// Unknown keys (naming the nearest), values of the wrong form or out of bounds.
    pub fn load(inputs: &Inputs) -> Result<Self, ConfigError> {
        let mut settings = BTreeMap::new();
        for key in KEYS {
            let text = match key.name {
                "data.dir" => Some(default_data_dir(inputs)),
                _ => key.default.map(str::to_owned),
            };
            settings.insert(key.name, Setting { key, text, source: Source::Default });
        }
        let mut config = Self { settings };
        if let Some((path, text)) = &inputs.file {
            config.read_file(path, text)?;
        }
        for (name, text) in &inputs.variables {
            if OTHER_VARIABLES.contains(&name.as_str()) {
                continue;
            }
            let key = KEYS.iter().find(|key| key.variable() == *name).ok_or_else(|| {
                let known: Vec<String> = KEYS.iter().map(Key::variable).collect();
                unknown("environment variable", name, known.iter().map(String::as_str))
            })?;
            config.set(key, text.clone(), Source::Variable(name.clone()))?;
        }
        for (name, text) in &inputs.flags {
            if let Some(key) = KEYS.iter().find(|key| key.name == *name) {
                config.set(key, text.clone(), Source::Flag(key.flag.to_owned()))?;
            }
        }
        Ok(config)
    }

    fn read_file(&mut self, path: &Path, text: &str) -> Result<(), ConfigError> {
        let shown = path.display();
        let root: toml::Table = text
            .parse()
            .map_err(|err| ConfigError(format!("{shown} is not a TOML file: {err}")))?;
        for (section, value) in &root {
            let toml::Value::Table(entries) = value else {
                return Err(ConfigError(format!(
                    "{shown}: {section} stands outside a section; write it as [section] name = \
                     value, for instance [agent] window = \"10s\""
                )));
            };
            for (name, value) in entries {
                let full = format!("{section}.{name}");
                let key = KEYS.iter().find(|key| key.name == full).ok_or_else(|| {
                    let err = unknown("key", &full, KEYS.iter().map(|key| key.name));
                    ConfigError(format!("{shown}: {err}"))
                })?;
                let text = match value {
                    toml::Value::String(text) => text.clone(),
                    toml::Value::Integer(_) | toml::Value::Boolean(_) => value.to_string(),
                    other => {
                        let kind = other.type_str();
                        return Err(ConfigError(format!(
                            "{shown}: {full} is a {kind}; {}",
                            value::expected(key.kind)
                        )));
                    }
                };
                self.set(key, text, Source::File(path.to_owned()))?;
            }
        }
        Ok(())
    }

    fn set(&mut self, key: &'static Key, text: String, source: Source) -> Result<(), ConfigError> {
        value::check(key.kind, &text).map_err(|expected| {
            ConfigError(format!("{} = {text:?} ({source}): {expected}", key.name))
        })?;
        self.settings.insert(key.name, Setting { key, text: Some(text), source });
        Ok(())
    }

    /// All settings in the order of the key table.
    pub fn settings(&self) -> impl Iterator<Item = &Setting> {
        KEYS.iter().filter_map(|key| self.settings.get(key.name))
    }

    pub fn text(&self, name: &str) -> Option<&str> {
        self.settings.get(name).and_then(|setting| setting.text.as_deref())
    }

    pub fn path(&self, name: &str) -> Option<PathBuf> {
        self.text(name).map(PathBuf::from)
    }

    pub fn duration(&self, name: &str) -> std::time::Duration {
        let ms = self.text(name).and_then(|text| weir_query::parse_duration_ms(text).ok());
        std::time::Duration::from_millis(ms.and_then(|ms| ms.try_into().ok()).unwrap_or_default())
    }

    pub fn bytes(&self, name: &str) -> u64 {
        self.text(name).and_then(parse_bytes).unwrap_or_default()
    }

    pub fn integer(&self, name: &str) -> u64 {
        self.text(name).and_then(|text| text.parse().ok()).unwrap_or_default()
    }

    pub fn bool(&self, name: &str) -> bool {
        self.text(name) == Some("true")
    }

    /// The folder of everything that is kept.
    pub fn data_dir(&self) -> PathBuf {
        self.path("data.dir").unwrap_or_else(|| PathBuf::from("weir-data"))
    }
}

fn default_data_dir(inputs: &Inputs) -> String {
    match (&inputs.home, inputs.is_root) {
        (Some(home), false) => home.join(".local/share/weir").display().to_string(),
        _ => "/var/lib/weir".to_owned(),
    }
}

fn unknown<'a>(what: &str, name: &str, known: impl Iterator<Item = &'a str>) -> ConfigError {
    let nearest = known
        .map(|candidate| (strsim::jaro_winkler(name, candidate), candidate))
        .max_by(|a, b| a.0.total_cmp(&b.0));
    match nearest {
        Some((score, candidate)) if score > 0.75 => {
            ConfigError(format!("unknown {what} {name}; did you mean {candidate}?"))
        }
        _ => ConfigError(format!("unknown {what} {name}; `weir config` lists all that there are")),
    }
}

#[cfg(test)]
mod tests;
