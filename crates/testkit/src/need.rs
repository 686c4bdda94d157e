//! What a test needs of the machine, and how it says that it was skipped.

use std::path::Path;
use std::process::{Command, Stdio};

/// Debian's own, which finds what Debian installs; another may come first in `PATH`.
const PYTHON: &str = "/usr/bin/python3";

/// Something that a privileged or heavy test cannot do without.
#[derive(Clone, Copy, Debug)]
pub enum Need {
    /// Effective user 0: namespaces and BPF.
    Root,
    /// A kernel that describes its own types.
    Btf,
    /// The TUN device.
    Tun,
    /// A program in `PATH`.
    Program(&'static str),
    /// A module that Debian's Python finds.
    PythonModule(&'static str),
    /// Helm's engine and what checks manifests.
    ChartTools,
}

impl Need {
    fn reason(self) -> Option<String> {
        let (met, reason) = match self {
            Self::Root => (rustix::process::geteuid().is_root(), "needs root".to_owned()),
            Self::Btf => {
                let path = "/sys/kernel/btf/vmlinux";
                (Path::new(path).exists(), format!("needs a kernel with {path}"))
            }
            Self::Tun => (Path::new("/dev/net/tun").exists(), "needs /dev/net/tun".to_owned()),
            Self::Program(name) => (in_path(name), format!("needs the program {name}")),
            Self::ChartTools => {
                let path = crate::chart::python();
                let reason = "needs target/deploy-tools, which scripts/setup test makes";
                (path.is_file(), reason.to_owned())
            }
            Self::PythonModule(name) => {
                (has_module(name), format!("needs {PYTHON} with its module {name}"))
            }
        };
        (!met).then_some(reason)
    }
}

/// Says `skipped: TEST: REASON` and gives `true` when the machine lacks what `test` needs.
pub fn missing(test: &str, needs: &[Need]) -> bool {
    let reason = needs.iter().find_map(|need| need.reason());
    if let Some(reason) = &reason {
        println!("skipped: {test}: {reason}");
    }
    reason.is_some()
}

fn has_module(name: &str) -> bool {
    let find = format!("import {name}");
    let found = Command::new(PYTHON).args(["-c", &find]).stderr(Stdio::null()).status();
    found.is_ok_and(|status| status.success())
}

fn in_path(name: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(name).is_file())
}
