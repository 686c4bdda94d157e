//! Names of a real containerd's containers, which the test runs for itself: under its own folders,
//! in its own mount and process namespaces, with an image that it makes. A stand-in for kubelet
//! asks it for a Pod; the agent is told of nothing but the socket.

use std::fs;
use std::io::Read;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use weir_testkit::{Need, Running, WeirProcess, missing, run, wait_for};

/// Starting containers and windows may take this long on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);
const IMAGE: &str = "weir.test/bash:1";
const PYTHON: &str = "/usr/bin/python3";
const TESTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/truth_runtimes");
const POD_UID: &str = "2f1c6a3e-8a51-4f0e-9b0f-0d7b6d1c9c55";

/// What shims put where every containerd's do stays in here, too; it comes again when it ends.
const KEEP_RUNNING: &str =
    "mount -t tmpfs none /run; while :; do containerd --config \"$1\"; sleep 0.2; done";

fn is_skipped(test: &str) -> bool {
    let programs = ["containerd", "ctr", "runc", "unshare"].map(Need::Program);
    let needs = [Need::Root, Need::Btf, Need::PythonModule("grpc")];
    missing(test, &[&needs[..], &programs].concat())
}

/// A containerd of the test's own; dropped, it is gone with all that it ran.
struct Containerd {
    running: Running,
    folder: TempDir,
    /// Name of the group below which its containers are.
    cgroup: String,
}

impl Containerd {
    /// Starts it with these plugins left out.
    fn start(disabled: &[&str]) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let config = folder.path().join("config.toml");
        fs::write(&config, configuration(folder.path(), disabled))?;
        let mut command = Command::new("unshare");
        command.args(["--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]);
        command.args(["/bin/sh", "-c", KEEP_RUNNING, "sh"]).arg(&config);
        let running = Running::start(&mut command)?;
        let cgroup = format!("weir-runtimes-{}", running.pid());
        let containerd = Self { running, folder, cgroup };
        containerd.wait()?;
        Ok(containerd)
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("containerd.sock")
    }

    /// Waits until it answers.
    fn wait(&self) -> Result<()> {
        let asked = || Ok(self.ctr(&["version"]).ok());
        wait_for("containerd", Instant::now() + PATIENCE, asked)
            .with_context(|| self.running.stderr())?;
        Ok(())
    }

    fn ctr(&self, args: &[&str]) -> Result<String> {
        let socket = self.socket();
        let before = ["--address", &socket.to_string_lossy(), "--namespace", "k8s.io"];
        run("ctr", &[&before[..], args].concat())
    }

    /// Ends containerd, but not what it runs, and waits until it is there again.
    fn restart(&self) -> Result<()> {
        let pid = self.pid()?;
        kill_process(Pid::from_raw(pid).context("a pid")?, Signal::TERM)?;
        let is_new = || Ok((self.pid().ok()).filter(|now| *now != pid));
        wait_for("another containerd", Instant::now() + PATIENCE, is_new)?;
        self.wait()
    }

    /// The process below the shell below `unshare`.
    fn pid(&self) -> Result<i32> {
        let child = |pid: i32| -> Result<i32> {
            let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"))?;
            let named = |pid: &&str| {
                let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
                ["sh\n", "containerd\n"].contains(&&*name)
            };
            Ok(children.split_whitespace().find(named).context("no child")?.parse()?)
        };
        child(child(self.running.pid().try_into()?)?)
    }

    /// The stand-in for kubelet, with a Pod of the host's network.
    fn pod(&self, name: &str) -> Result<Running> {
        let logs = self.folder.path().join("logs");
        fs::create_dir_all(&logs)?;
        let cgroup = format!("/{}/pod{POD_UID}", self.cgroup);
        let mut command = Command::new(PYTHON);
        command.arg(Path::new(TESTS).join("kubelet.py")).arg(self.socket());
        command.arg(IMAGE).arg(logs).args([&*cgroup, POD_UID, name]);
        Running::start(&mut command)
    }
}

impl Drop for Containerd {
    fn drop(&mut self) {
        // the shell is the first process of its namespace: nothing in it outlives it
        let _ = self.running.signal(Signal::KILL);
        let is_removed = wait_for("empty control groups", Instant::now() + PATIENCE, || {
            Ok(remove_groups(&self.cgroup).then_some(()))
        });
        if let Err(err) = is_removed {
            eprintln!("could not remove the control groups {}: {err:#}", self.cgroup);
        }
    }
}

/// Removes a group from every hierarchy; false while one is in use.
fn remove_groups(name: &str) -> bool {
    let root = Path::new("/sys/fs/cgroup");
    let hierarchies = fs::read_dir(root).into_iter().flatten().flatten().map(|entry| entry.path());
    let groups = hierarchies.chain([root.to_owned()]).map(|hierarchy| hierarchy.join(name));
    groups.filter(|group| group.is_dir()).all(|group| remove_group(&group))
}

fn remove_group(group: &Path) -> bool {
    let below = fs::read_dir(group).into_iter().flatten().flatten().map(|entry| entry.path());
    below.filter(|path| path.is_dir()).all(|path| remove_group(&path))
        && fs::remove_dir(group).is_ok()
}

fn configuration(folder: &Path, disabled: &[&str]) -> String {
    let folder = folder.display();
    // one that makes a folder of its own elsewhere
    let disabled = [&["io.containerd.internal.v1.opt"], disabled].concat();
    format!(
        r#"version = 2
root = "{folder}/root"
state = "{folder}/state"
disabled_plugins = {disabled:?}
[grpc]
address = "{folder}/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "{IMAGE}"
stream_server_address = "127.0.0.1"
stream_server_port = "0"
# this machine may not let a process be spared more than it is itself
restrict_oom_score_adj = true
[plugins."io.containerd.grpc.v1.cri".containerd]
snapshotter = "native"
"#
    )
}

/// Gives containerd an image of a shell and what it needs.
fn import_image(containerd: &Containerd) -> Result<()> {
    let tar = containerd.folder.path().join("image.tar");
    let script = Path::new(TESTS).join("image.py");
    run(PYTHON, &[&script.to_string_lossy(), IMAGE, &tar.to_string_lossy()])?;
    let tar = tar.to_string_lossy();
    containerd.ctr(&["images", "import", "--snapshotter", "native", &tar])?;
    // what was imported is told to the part that serves kubelet
    let is_known =
        || Ok(containerd.ctr(&["images", "ls"])?.contains("cri-containerd").then_some(()));
    wait_for("the image", Instant::now() + PATIENCE, is_known)
}

/// A server that takes what it is sent, for as long as the test lives; its port.
fn serve() -> Result<u16> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let port = listener.local_addr()?.port();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.read_to_end(&mut Vec::new());
        }
    });
    Ok(port)
}

/// A container's line for the stand-in for kubelet: it calls the server again and again.
fn caller(name: &str, port: u16) -> String {
    format!(
        "{name} while :; do exec 3<>/dev/tcp/127.0.0.1/{port}; echo hello >&3; exec 3>&-; \
         sleep 0.1; done"
    )
}

/// Waits until the flows of the container have that name; how many rows had another before.
fn wait_for_name(weir: &WeirProcess, port: u16, id: &str, name: &str) -> Result<usize> {
    let found = wait_for(name, Instant::now() + PATIENCE, || {
        let rows = weir.flows(&format!("remote_port:{port}"))?;
        let rows = rows.with("direction", "outgoing").with("local_container", id);
        let named = rows.with("local_deployment", name);
        if named.0.is_empty() {
            return Ok(None);
        }
        let kinds: Vec<String> = named.values("local_workload_kind").into_keys().collect();
        ensure!(kinds == ["container"], "{kinds:?}");
        let uids: Vec<String> = named.values("local_pod_uid").into_keys().collect();
        ensure!(uids == [POD_UID], "{uids:?}");
        Ok(Some(rows.0.len() - named.0.len()))
    });
    found.with_context(|| weir.stderr())
}

#[test]
fn containers_of_a_real_containerd_have_their_pods_names() -> Result<()> {
    if is_skipped("names of containerd's containers") {
        return Ok(());
    }
    let containerd = Containerd::start(&[])?;
    import_image(&containerd)?;
    let port = serve()?;
    let mut pod = containerd.pod("shop/web-7d4b9")?;
    let start = |pod: &mut Running, name: &str| -> Result<String> {
        pod.tell(&caller(name, port))?;
        pod.line(PATIENCE).with_context(|| containerd.running.stderr())
    };
    let first = start(&mut pod, "before")?;
    let weir =
        WeirProcess::start(&["--container-sockets", &containerd.socket().to_string_lossy()])?;
    let by_id = wait_for_name(&weir, port, &first, "web-7d4b9_shop_before")?;
    println!("a container from before: {by_id} windows by its id");
    let second = start(&mut pod, "while")?;
    let by_id = wait_for_name(&weir, port, &second, "web-7d4b9_shop_while")?;
    println!("a new container: {by_id} windows by its id");
    // asked for by itself within a second; a list would have told of it after 15
    ensure!(by_id <= 8, "{by_id} windows of a second each");

    containerd.restart()?;
    let third = start(&mut pod, "after")?;
    let by_id = wait_for_name(&weir, port, &third, "web-7d4b9_shop_after")?;
    println!("a container after containerd came again: {by_id} windows by its id");
    pod.close_stdin();
    ensure!(pod.wait(PATIENCE)?.success(), "{}", pod.stderr());
    let said = weir.stderr();
    ensure!(said.contains("containers have names from here") && !said.contains("WARN"), "{said}");
    Ok(())
}

#[test]
fn a_real_containerd_without_its_part_for_kubernetes_is_no_trouble() -> Result<()> {
    if is_skipped("a containerd without CRI") {
        return Ok(());
    }
    let containerd = Containerd::start(&["io.containerd.grpc.v1.cri"])?;
    let weir =
        WeirProcess::start(&["--container-sockets", &containerd.socket().to_string_lossy()])?;
    wait_for("a word of it", Instant::now() + PATIENCE, || {
        Ok(weir.stderr().contains("no CRI here").then_some(()))
    })
    .with_context(|| weir.stderr())?;
    let said = weir.stderr();
    ensure!(!said.contains("WARN"), "{said}");
    Ok(())
}
