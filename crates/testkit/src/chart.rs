//! The Helm chart of `deploy/`, rendered by Helm's own engine.
//!
//! Owns talking to `scripts/deploy/chart.py`, which has that engine. Judges nothing.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

/// The workspace's own folder.
pub fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The Python with Helm's engine, as `scripts/setup test` installs it.
pub(crate) fn python() -> PathBuf {
    workspace().join("target/deploy-tools/bin/python")
}

/// What the chart makes of some values.
pub struct Chart {
    texts: Value,
    objects: Vec<Value>,
}

impl Chart {
    /// Renders the chart; fails with Helm's words where it refuses the values.
    pub fn render(values: Value) -> Result<Self> {
        Self::render_for(values, json!({}))
    }

    /// The same with options of Helm's engine, such as `kube_version`.
    pub fn render_for(values: Value, options: Value) -> Result<Self> {
        let mut answer =
            ask(&json!({"ask": "render", "values": values.clone(), "options": options}))?;
        if let Some(words) = answer["refused"].as_str() {
            bail!("{values}: {words}");
        }
        let Value::Array(objects) = answer["objects"].take() else { bail!("no objects") };
        Ok(Self { texts: answer["texts"].take(), objects })
    }

    /// Text of a template, such as `NOTES.txt`.
    pub fn text(&self, template: &str) -> &str {
        self.texts[format!("weir/templates/{template}")].as_str().unwrap_or_default()
    }

    pub fn objects(&self) -> &[Value] {
        &self.objects
    }

    /// Objects of a kind.
    pub fn all(&self, kind: &str) -> Vec<&Value> {
        self.objects.iter().filter(|object| object["kind"] == kind).collect()
    }

    /// The object of that kind and name; fails where there is none.
    pub fn object(&self, kind: &str, name: &str) -> Result<&Value> {
        let found = self.all(kind).into_iter().find(|object| object["metadata"]["name"] == name);
        found.with_context(|| format!("the chart makes no {kind} {name}"))
    }
}

/// Asks `scripts/deploy/chart.py`.
pub fn ask(request: &Value) -> Result<Value> {
    let script = workspace().join("scripts/deploy/chart.py");
    let mut child = Command::new(python())
        .arg(&script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("start {}", python().display()))?;
    let mut stdin = child.stdin.take().context("standard input is a pipe")?;
    stdin.write_all(request.to_string().as_bytes()).context("ask chart.py")?;
    drop(stdin);
    let output = child.wait_with_output().context("wait for chart.py")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "chart.py: {}: {}", output.status, said.trim());
    serde_json::from_slice(&output.stdout).context("chart.py tells JSON")
}
