//! This host and this agent: name, boot, and an id that stays.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use thiserror::Error;

/// File in the data directory that holds the agent's id.
const AGENT_ID_FILE: &str = "agent-id";
const AGENT_ID_BYTES_MAX: usize = 64;

/// Why the host or the agent could not be named.
#[derive(Debug, Error)]
pub enum IdentityError {
    #[error("cannot read {path}")]
    Read { path: PathBuf, source: io::Error },
    #[error("cannot write {path}")]
    Write { path: PathBuf, source: io::Error },
    #[error("{path} does not hold an agent id: remove the file to get a new one, or restore it")]
    BadAgentId { path: PathBuf },
}

/// Names of the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    pub name: String,
    /// Changes with every boot: pids and network namespaces mean something within one only.
    pub boot_id: String,
    /// machine-id(5), where the host has one.
    pub machine_id: Option<String>,
}

impl Host {
    /// Reads what the kernel and the system say; `name` replaces the kernel's host name.
    pub fn read(
        proc_root: &Path,
        etc_root: &Path,
        name: Option<&str>,
    ) -> Result<Self, IdentityError> {
        let kernel = proc_root.join("sys/kernel");
        let name = match name {
            Some(name) => name.to_owned(),
            None => read_line(&kernel.join("hostname"))?,
        };
        let boot_id = read_line(&kernel.join("random/boot_id"))?;
        let machine_id = read_line(&etc_root.join("machine-id")).ok();
        // systemd writes this word into images that are to get an id at first boot
        let machine_id = machine_id.filter(|id| !id.is_empty() && id != "uninitialized");
        Ok(Self { name, boot_id, machine_id })
    }
}

/// The agent's id: what the data directory holds, made and stored there at first start.
///
/// It is derived from machine id and host name, so that an agent whose data directory was lost
/// comes back as itself, and clones of one image that were given names of their own are told
/// apart. machine-id(5) asks that the id itself is not shown to others, hence the hash. A host
/// with no machine id gets a random one.
pub fn agent_id(data_dir: &Path, host: &Host) -> Result<String, IdentityError> {
    let path = data_dir.join(AGENT_ID_FILE);
    match fs::read_to_string(&path) {
        Ok(text) => {
            let id = text.trim();
            let is_id = (1..=AGENT_ID_BYTES_MAX).contains(&id.len())
                && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
            if is_id { Ok(id.to_owned()) } else { Err(IdentityError::BadAgentId { path }) }
        }
        Err(err) if err.kind() == io::ErrorKind::NotFound => {
            let id = new_agent_id(host);
            store(&path, &id).map_err(|source| IdentityError::Write { path, source })?;
            Ok(id)
        }
        Err(source) => Err(IdentityError::Read { path, source }),
    }
}

fn new_agent_id(host: &Host) -> String {
    let mut hash = Sha256::new();
    hash.update(b"weir agent\0");
    match &host.machine_id {
        Some(machine_id) => {
            hash.update(machine_id.as_bytes());
            hash.update([0]);
            hash.update(host.name.as_bytes());
        }
        None => {
            let mut random = [0u8; 16];
            // without a source of randomness the boot id is still unique to this boot
            match getrandom::fill(&mut random) {
                Ok(()) => hash.update(random),
                Err(_) => hash.update(host.boot_id.as_bytes()),
            }
        }
    }
    hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// Writes a file so that it is there whole or not at all.
fn store(path: &Path, text: &str) -> io::Result<()> {
    let temporary = path.with_extension("new");
    let mut file = fs::File::create(&temporary)?;
    file.write_all(text.as_bytes())?;
    file.write_all(b"\n")?;
    file.sync_all()?;
    fs::rename(&temporary, path)?;
    match path.parent() {
        Some(directory) => fs::File::open(directory)?.sync_all(),
        None => Ok(()),
    }
}

fn read_line(path: &Path) -> Result<String, IdentityError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(text.trim().to_owned()),
        Err(source) => Err(IdentityError::Read { path: path.to_owned(), source }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(name: &str, machine_id: Option<&str>) -> Host {
        Host {
            name: name.to_owned(),
            boot_id: "b".to_owned(),
            machine_id: machine_id.map(str::to_owned),
        }
    }

    #[test]
    fn an_agent_keeps_its_id() {
        let dir = tempfile::tempdir().expect("a directory");
        let id = agent_id(dir.path(), &host("shop-1", Some("m1"))).expect("made");
        assert_eq!(id.len(), 16);
        let renamed = agent_id(dir.path(), &host("shop-2", None)).expect("read");
        assert_eq!(renamed, id, "the data directory decides");
        let other = tempfile::tempdir().expect("a directory");
        let again = agent_id(other.path(), &host("shop-1", Some("m1"))).expect("made");
        assert_eq!(again, id, "the same host is the same agent");
    }

    #[test]
    fn hosts_have_ids_of_their_own() {
        let ids = [
            new_agent_id(&host("shop-1", Some("m1"))),
            new_agent_id(&host("shop-2", Some("m1"))),
            new_agent_id(&host("shop-1", Some("m2"))),
            new_agent_id(&host("shop-1", None)),
            new_agent_id(&host("shop-1", None)),
        ];
        for (i, a) in ids.iter().enumerate() {
            assert!(!ids[i + 1..].contains(a), "{ids:?}");
        }
    }

    #[test]
    fn a_damaged_id_file_is_not_overwritten() {
        let dir = tempfile::tempdir().expect("a directory");
        for text in ["", "two words", "über", &"x".repeat(65)] {
            let path = dir.path().join("agent-id");
            fs::write(&path, text).expect("written");
            let err = agent_id(dir.path(), &host("shop-1", None)).expect_err("refused");
            assert!(err.to_string().contains("agent-id does not hold an agent id"), "{err}");
            assert_eq!(fs::read_to_string(&path).expect("still there"), text);
        }
    }

    #[test]
    fn a_missing_data_directory_is_named() {
        let dir = tempfile::tempdir().expect("a directory");
        let missing = dir.path().join("nowhere");
        let err = agent_id(&missing, &host("shop-1", None)).expect_err("nowhere to write");
        assert!(err.to_string().contains("nowhere/agent-id"), "{err}");
    }

    #[test]
    fn this_host_has_a_name_and_a_boot() {
        let host = Host::read(Path::new("/proc"), Path::new("/etc"), None).expect("read");
        assert!(!host.name.is_empty());
        assert_eq!(host.boot_id.len(), 36);
        let named = Host::read(Path::new("/proc"), Path::new("/nowhere"), Some("n")).expect("read");
        assert_eq!((named.name.as_str(), named.machine_id), ("n", None));
    }
}
