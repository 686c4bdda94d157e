//! The shop: which Pods there are, what runs in them, and who asks whom.

use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use tempfile::TempDir;
use weir_testkit::cluster::{Cluster, Finished, NodePlan, Pod, PodPlan, Port, Workload};
use weir_testkit::{Place, Running, workspace_program};

/// A program's own first line may take this long on a busy machine.
const START: Duration = Duration::from_secs(30);
/// How often the report runs, and how many Pods of it the API goes on to have.
const REPORT_EVERY: Duration = Duration::from_secs(20);
const REPORTS_KEPT: usize = 3;
pub const NODE_PORT: u16 = 30_080;
const DNS: u16 = 53;
const HTTP: u16 = 8080;

pub fn nodes() -> [NodePlan; 3] {
    let node = |name, zone| NodePlan::new(name, zone, "lab-1");
    [node("node-a", "lab-1a"), node("node-b", "lab-1a"), node("node-c", "lab-1b")]
}

/// A workload of the shop that serves HTTP.
struct Part {
    namespace: &'static str,
    name: &'static str,
    /// The nodes of its Pods.
    nodes: &'static [usize],
    /// Arguments of `weir-lab serve`; `NAME` in them is a Service's address.
    words: &'static str,
}

/// Backends first: who starts finds those whom it asks.
const PARTS: [Part; 5] = [
    Part {
        namespace: "payments",
        name: "payments",
        nodes: &[1, 2],
        words: "--work 4 --store ledger.payments.svc.cluster.local:5432",
    },
    Part { namespace: "shop", name: "catalog", nodes: &[0, 2], words: "--work 2 --bytes 4000" },
    Part {
        namespace: "shop",
        name: "cart",
        nodes: &[0, 1],
        words: "--store redis.shop.svc.cluster.local:6379",
    },
    Part {
        namespace: "shop",
        name: "checkout",
        nodes: &[1, 2],
        words: "--calls http://cart/items --calls http://payments.payments/charge",
    },
    Part {
        namespace: "shop",
        name: "frontend",
        nodes: &[0, 1, 2],
        words: "--bytes 9000 --calls http://catalog/products --calls http://cart/items@2 \
                --calls http://checkout/orders@4",
    },
];

/// Everything that runs in the cluster; dropped, it ends.
pub struct Shop {
    // Dropped in this order: processes before their Pods.
    processes: Vec<Running>,
    report: Option<(Running, Pod, Workload)>,
    reports: Vec<(Finished, Workload)>,
    reported: Instant,
    pods: Vec<Pod>,
    programs: Programs,
    pub cluster: Cluster,
}

/// This program under names of its own: a process is called after the link that started it.
struct Programs {
    folder: TempDir,
}

impl Programs {
    fn command(&self, program: PathBuf, name: &str, words: &str) -> Result<Command> {
        let link = self.folder.path().join(name);
        if !link.exists() {
            symlink(&program, &link).with_context(|| format!("link {}", link.display()))?;
        }
        let mut command = Command::new(link);
        command.args(words.split_whitespace());
        Ok(command)
    }

    fn own(&self, name: &str, words: &str) -> Result<Command> {
        self.command(std::env::current_exe()?, name, words)
    }

    fn traffic(&self, name: &str, words: &str) -> Result<Command> {
        let program = workspace_program("weir-traffic", "weir-testkit", "WEIR_TRAFFIC_BIN")?;
        self.command(program, name, words)
    }
}

impl Shop {
    pub fn open() -> Result<Self> {
        let mut shop = Self {
            processes: Vec::new(),
            report: None,
            reports: Vec::new(),
            reported: Instant::now(),
            pods: Vec::new(),
            programs: Programs { folder: weir_testkit::scratch_dir()? },
            cluster: Cluster::new(&nodes())?,
        };
        shop.name_server()?;
        shop.store("payments", "ledger", 2, 5432)?;
        shop.store("shop", "redis", 1, 6379)?;
        for part in &PARTS {
            shop.part(part)?;
        }
        shop.exporters()?;
        shop.ingress()?;
        shop.visitors()?;
        Ok(shop)
    }

    fn run(&mut self, workload: &Workload, node: usize) -> Result<Pod> {
        self.cluster.run(&PodPlan::of(workload)?, node)
    }

    fn keep(&mut self, pods: Vec<Pod>, running: Vec<Running>) {
        self.pods.extend(pods);
        self.processes.extend(running);
    }

    /// Two Pods of dnsmasq that know every Service by its name.
    fn name_server(&mut self) -> Result<()> {
        let ports = [Port::udp(DNS, DNS), Port::tcp(DNS, DNS)];
        let ip = self.cluster.service("kube-system", "kube-dns", &ports)?;
        // the addresses are given in this order, whoever asks for them
        let [a, b, c, first] = ip.octets();
        let services = [("payments", "ledger"), ("shop", "redis")].into_iter();
        let services = services.chain(PARTS.iter().map(|part| (part.namespace, part.name)));
        let mut words = "--keep-in-foreground --conf-file=/dev/null --no-resolv --no-hosts \
                         --user=root --pid-file --local=/cluster.local/"
            .to_owned();
        for (number, (namespace, name)) in (first + 1..).zip(services) {
            let ip = Ipv4Addr::new(a, b, c, number);
            words += &format!(" --host-record={name}.{namespace}.svc.cluster.local,{ip}");
        }
        let workload = self.cluster.deployment("kube-system", "coredns")?;
        let pods = [self.run(&workload, 0)?, self.run(&workload, 2)?];
        let start = |pod: &Pod| pod.start(Command::new("dnsmasq").args(words.split_whitespace()));
        let running = pods.iter().map(start).collect::<Result<_>>()?;
        let backends: Vec<&Pod> = pods.iter().collect();
        self.cluster.set_backends("kube-system", "kube-dns", &backends)?;
        self.cluster.set_name_server(ip);
        self.keep(pods.into(), running);
        Ok(())
    }

    /// A store that speaks over TCP what is no HTTP.
    fn store(&mut self, namespace: &str, name: &str, node: usize, port: u16) -> Result<()> {
        self.cluster.service(namespace, name, &[Port::tcp(port, port)])?;
        let workload = self.cluster.direct("StatefulSet", namespace, name)?;
        let pod = self.run(&workload, node)?;
        let words = format!("tcp-serve --connections {} --listen 0.0.0.0:{port}", u64::MAX);
        let mut running = pod.start(&mut self.programs.traffic(name, &words)?)?;
        running.line_after("listening ", START)?;
        self.cluster.set_backends(namespace, name, &[&pod])?;
        self.keep(vec![pod], vec![running]);
        Ok(())
    }

    fn part(&mut self, part: &Part) -> Result<()> {
        let Part { namespace, name, nodes, words } = part;
        self.cluster.service(namespace, name, &[Port::tcp(80, HTTP)])?;
        let workload = self.cluster.deployment(namespace, name)?;
        let (mut pods, mut running) = (Vec::new(), Vec::new());
        for (replica, node) in nodes.iter().enumerate() {
            let pod = self.run(&workload, *node)?;
            // one Pod of payments is ill: it answers, but not always well
            let is_ill = *name == "payments" && replica == 1;
            let fails = if is_ill { "--fails-one-in 5" } else { "" };
            let words = format!("serve --listen 0.0.0.0:{HTTP} {fails} {words}");
            let mut process = pod.start(&mut self.programs.own(name, &words)?)?;
            process.line_after("listening ", START)?;
            if is_ill {
                let text = "Readiness probe failed: HTTP probe failed with statuscode: 500";
                self.cluster.event(&pod, "Warning", "Unhealthy", text)?;
            }
            pods.push(pod);
            running.push(process);
        }
        self.cluster.set_backends(namespace, name, &pods.iter().collect::<Vec<_>>())?;
        self.keep(pods, running);
        Ok(())
    }

    /// A DaemonSet on the nodes' network, which one Pod asks again and again.
    fn exporters(&mut self) -> Result<()> {
        let workload = self.cluster.direct("DaemonSet", "kube-system", "node-exporter")?;
        let mut words = "visit --rate 1".to_owned();
        for node in 0..self.cluster.nodes().len() {
            let plan = PodPlan::of(&workload)?.with_host_network();
            let pod = self.cluster.run(&plan, node)?;
            let serve = "serve --listen 0.0.0.0:9100 --bytes 20000";
            let mut process = pod.start(&mut self.programs.own("node-exporter", serve)?)?;
            process.line_after("listening ", START)?;
            words += &format!(" --url http://{}/metrics", SocketAddr::from((pod.ip, 9100)));
            self.keep(vec![pod], vec![process]);
        }
        let workload = self.cluster.deployment("kube-system", "prometheus")?;
        let pod = self.run(&workload, 1)?;
        let process = pod.start(&mut self.programs.own("prometheus", &words)?)?;
        self.keep(vec![pod], vec![process]);
        Ok(())
    }

    /// nginx at a port of every node, in front of the shop.
    fn ingress(&mut self) -> Result<()> {
        let ports = [Port::tcp(80, HTTP).at_nodes(NODE_PORT)];
        self.cluster.service("ingress", "ingress-nginx", &ports)?;
        let workload = self.cluster.deployment("ingress", "ingress-nginx")?;
        let pod = self.run(&workload, 0)?;
        let folder = self.programs.folder.path().display();
        let configuration = format!(
            "daemon off; user root; worker_processes 1; pid {folder}/nginx.pid; error_log stderr error;\n\
             events {{ worker_connections 256; }}\n\
             http {{ access_log off; client_body_temp_path {folder}/body;\n\
             proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;\n\
             uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;\n\
             upstream frontend {{ server frontend.shop.svc.cluster.local:80; keepalive 4; }}\n\
             server {{ listen {HTTP}; location / {{ proxy_pass http://frontend;\n\
             proxy_http_version 1.1; proxy_set_header Connection \"\"; }} }} }}\n"
        );
        let path = self.programs.folder.path().join("nginx.conf");
        std::fs::write(&path, configuration).context("write nginx's configuration")?;
        let process = pod.start(Command::new("nginx").args(["-e", "stderr", "-c"]).arg(&path))?;
        self.cluster.set_backends("ingress", "ingress-nginx", &[&pod])?;
        self.keep(vec![pod], vec![process]);
        Ok(())
    }

    /// Who comes from outside of the cluster, through two of the nodes.
    fn visitors(&mut self) -> Result<()> {
        let nodes = [self.cluster.node(0).ip, self.cluster.node(2).ip];
        let mut words = "visit --rate 8".to_owned();
        for (path, ip) in
            ["/", "/products/1001", "/products/1002", "/orders"].iter().zip(nodes.iter().cycle())
        {
            words += &format!(" --url http://{}{path}", SocketAddr::from((*ip, NODE_PORT)));
        }
        let process = self.cluster.outside().0.start(&mut self.programs.own("visitor", &words)?)?;
        self.processes.push(process);
        Ok(())
    }

    /// Does what is due: now and then a Pod comes, works and ends.
    pub fn tend(&mut self) -> Result<()> {
        if let Some((mut running, pod, job)) = self.report.take() {
            if running.wait(Duration::ZERO).is_err() {
                self.report = Some((running, pod, job));
                return Ok(());
            }
            self.reports.push((self.cluster.finish(pod)?, job));
            if self.reports.len() > REPORTS_KEPT {
                let (pod, job) = self.reports.remove(0);
                self.cluster.delete_finished(pod)?;
                self.cluster.delete_job(&job)?;
            }
        }
        if self.reported.elapsed() >= REPORT_EVERY {
            self.reported = Instant::now();
            let job = self.cluster.cron_job("shop", "report")?;
            let pod = self.run(&job, 2)?;
            let words = "visit --rate 5 --times 20 --url http://catalog/export \
                         --url http://payments.payments/report";
            let running = pod.start(&mut self.programs.own("report", words)?)?;
            self.report = Some((running, pod, job));
        }
        Ok(())
    }
}
