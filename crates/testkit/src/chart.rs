//! The Helm chart of `deploy/`, rendered by Helm's own engine.
//!
//! Owns talking to `scripts/deploy/chart.py`, which has that engine. Judges nothing.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

use crate::ApiServer;

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
        let mut results = Self::render_each(&[values], &json!({}))?;
        results.pop().context("chart.py gave no answer")?
    }

    /// Renders the chart with each of `values`; `options` are Helm's, such as `kube_version`.
    pub fn render_each(values: &[Value], options: &Value) -> Result<Vec<Result<Self>>> {
        let request = |values| json!({"ask": "render", "values": values, "options": options});
        let requests: Vec<_> = values.iter().map(request).collect();
        Ok(ask_each(&requests)?.into_iter().map(Self::read).collect())
    }

    /// What an installation would give the cluster of `double`, which Helm asks for what is there;
    /// nothing is changed in it.
    pub fn install(values: Value, double: &ApiServer) -> Result<Self> {
        let cluster = json!({"server": double.url(), "certificate-authority": double.ca_file()});
        let context = json!({"cluster": "double", "user": "test", "namespace": "weir"});
        let kubeconfig = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "double",
            "clusters": [{"name": "double", "cluster": cluster}],
            "users": [{"name": "test", "user": {"tokenFile": double.token_file()}}],
            "contexts": [{"name": "double", "context": context}],
        });
        Self::read(ask(&json!({"ask": "install", "values": values, "kubeconfig": kubeconfig}))?)
    }

    fn read(mut answer: Value) -> Result<Self> {
        if let Some(words) = answer["refused"].as_str() {
            bail!("{words}");
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

/// Asks `scripts/deploy/chart.py` for one thing.
pub fn ask(request: &Value) -> Result<Value> {
    let mut answers = ask_each(std::slice::from_ref(request))?;
    answers.pop().context("chart.py gave no answer")
}

fn ask_each(requests: &[Value]) -> Result<Vec<Value>> {
    let script = workspace().join("scripts/deploy/chart.py");
    let mut child = Command::new(python())
        .arg(&script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("start {}", python().display()))?;
    let mut stdin = child.stdin.take().context("standard input is a pipe")?;
    serde_json::to_writer(&mut stdin, requests).context("ask chart.py")?;
    stdin.flush().context("ask chart.py")?;
    drop(stdin);
    let output = child.wait_with_output().context("wait for chart.py")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "chart.py: {}: {}", output.status, said.trim());
    let answers: Vec<Value> =
        serde_json::from_slice(&output.stdout).context("chart.py tells JSON")?;
    ensure!(answers.len() == requests.len(), "chart.py gave {} answers", answers.len());
    Ok(answers)
}
