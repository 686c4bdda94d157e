//! A place in the cluster where processes run: a network namespace and a control group.

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use anyhow::{Result, ensure};

use crate::child::Running;
use crate::namespace::{Namespace, Place};

/// Enters the control group, gives the process its own resolver configuration, and becomes the
/// program: `$1` is the group's list of processes, `$2` the configuration or empty.
const SCRIPT: &str = "echo $$ > \"$1\" && { [ -z \"$2\" ] || mount --bind \"$2\" /etc/resolv.conf; } \
                      && shift 2 && exec \"$@\"";

/// Where a container's processes run, or those of a node's service.
#[derive(Clone)]
pub struct Spot {
    pub network: Arc<Namespace>,
    /// Directory of the control group.
    pub group: PathBuf,
    /// What the processes see as `/etc/resolv.conf`; without it, the machine's.
    pub resolver: Option<PathBuf>,
}

impl Spot {
    /// `command` as it is started here.
    fn wrapped(&self, command: &Command) -> Result<Command> {
        ensure!(self.group.is_dir(), "{} is gone", self.group.display());
        let mut wrapped = match self.resolver {
            Some(_) => {
                let mut unshare = Command::new("unshare");
                unshare.args(["--mount", "sh"]);
                unshare
            }
            None => Command::new("sh"),
        };
        wrapped.args(["-c", SCRIPT, "sh"]).arg(self.group.join("cgroup.procs"));
        wrapped.arg(self.resolver.clone().unwrap_or_default());
        wrapped.arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => wrapped.env(name, value),
                None => wrapped.env_remove(name),
            };
        }
        Ok(wrapped)
    }
}

impl Place for Spot {
    fn start(&self, command: &mut Command) -> Result<Running> {
        self.network.start(&mut self.wrapped(command)?)
    }
}
