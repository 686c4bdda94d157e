//! Simulations: HTTP servers on loopback that answer as each cloud documents its metadata
//! service, and refuse what it documents to refuse. No cloud was asked.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use super::*;

/// A request as the service saw it; names of headers in lower case.
#[derive(Clone, Debug, Default)]
struct Seen {
    method: String,
    target: String,
    headers: Vec<(String, String)>,
}

impl Seen {
    fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }

    fn is(&self, method: &str, target: &str) -> bool {
        self.method == method && self.target == target
    }
}

type Answer = (u16, &'static str, String);
const PLAIN: &str = "Content-Type: text/plain\r\n";
const GOOGLE: &str = "Metadata-Flavor: Google\r\nContent-Type: application/text\r\n";

fn said(body: &str) -> Answer {
    (200, PLAIN, body.to_owned())
}

fn refused(status: u16) -> Answer {
    (status, PLAIN, String::new())
}

/// A service whose answers `answer` decides; its address and what it saw.
fn service(answer: fn(&Seen) -> Answer) -> (String, Arc<Mutex<Vec<Seen>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("bound");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let log = Arc::new(Mutex::new(Vec::new()));
    let seen = log.clone();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let Some(request) = read(&stream) else { continue };
            let (status, headers, body) = answer(&request);
            seen.lock().expect("no panic").push(request);
            let length = body.len();
            let head = format!("HTTP/1.1 {status} x\r\n{headers}Content-Length: {length}\r\n\r\n");
            let _ = (&stream).write_all(format!("{head}{body}").as_bytes());
        }
    });
    (url, log)
}

fn read(stream: &TcpStream) -> Option<Seen> {
    let mut lines = BufReader::new(stream).lines();
    let first = lines.next()?.ok()?;
    let mut words = first.split(' ').map(str::to_owned);
    let (method, target) = (words.next()?, words.next()?);
    let headers = lines.map_while(Result::ok).take_while(|line| !line.is_empty());
    let headers = headers.filter_map(|line| {
        let (name, value) = line.split_once(':')?;
        Some((name.to_lowercase(), value.trim().to_owned()))
    });
    Some(Seen { method, target, headers: headers.collect() })
}

fn ask(cloud: Cloud, url: &str) -> Result<Place, String> {
    let stop = StopSignal::default();
    cloud.place(&HttpService::new(url, &stop)).map_err(|err| err.to_string())
}

fn check(cloud: Cloud, answer: fn(&Seen) -> Answer, expected: [Option<&str>; 4]) {
    let (url, log) = service(answer);
    let place = ask(cloud, &url).expect("answered");
    let Place { provider, instance, instance_type, zone, region } = place;
    assert_eq!(provider.as_deref(), Some(cloud.as_str()));
    let found = [instance, instance_type, zone, region];
    let found: Vec<Option<&str>> = found.iter().map(Option::as_deref).collect();
    assert_eq!(found, expected, "{:?}", log.lock().expect("no panic"));
    // all of them refuse what looks forwarded, and none is told more than it must be
    for request in log.lock().expect("no panic").iter() {
        assert_eq!(request.header("x-forwarded-for"), None);
        assert_eq!(request.header("authorization"), None);
    }
}

/// Amazon EC2, "Use the Instance Metadata Service": a token is taken with PUT and a lifetime of 1
/// to 21,600 seconds; without a valid one every GET is 401.
#[test]
fn aws() {
    fn answer(request: &Seen) -> Answer {
        let ttl = request.header("x-aws-ec2-metadata-token-ttl-seconds");
        if request.is("PUT", "/latest/api/token") {
            let ttl: u32 = ttl.and_then(|ttl| ttl.parse().ok()).unwrap_or(0);
            return if (1..=21_600).contains(&ttl) { said("AQAEAEk==") } else { refused(400) };
        }
        if request.header("x-aws-ec2-metadata-token") != Some("AQAEAEk==") {
            return refused(401);
        }
        match request.is("GET", "/latest/dynamic/instance-identity/document") {
            true => said(
                r#"{"accountId": "123456789012", "architecture": "x86_64",
                    "availabilityZone": "eu-central-1b", "imageId": "ami-5fb8c835",
                    "instanceId": "i-1234567890abcdef0", "instanceType": "m5.large",
                    "kernelId": null, "region": "eu-central-1", "version": "2017-09-30"}"#,
            ),
            false => refused(404),
        }
    }
    let expected = ["i-1234567890abcdef0", "m5.large", "eu-central-1b", "eu-central-1"];
    check(Cloud::Aws, answer, expected.map(Some));
}

/// Compute Engine, "View and query VM metadata": 403 without `Metadata-Flavor: Google`, which
/// stands in each answer as well.
#[test]
fn gcp() {
    fn answer(request: &Seen) -> Answer {
        if request.header("metadata-flavor") != Some("Google") {
            return (403, GOOGLE, String::new());
        }
        let body = match request.target.as_str() {
            "/computeMetadata/v1/instance/id" => "4520031799277581759",
            "/computeMetadata/v1/instance/machine-type" => {
                "projects/123456789012/machineTypes/e2-medium"
            }
            "/computeMetadata/v1/instance/zone" => "projects/123456789012/zones/europe-west4-a",
            _ => return (404, GOOGLE, String::new()),
        };
        (200, GOOGLE, body.to_owned())
    }
    let expected = ["4520031799277581759", "e2-medium", "europe-west4-a", "europe-west4"];
    check(Cloud::Gcp, answer, expected.map(Some));

    fn other(request: &Seen) -> Answer {
        (200, PLAIN, answer(request).2)
    }
    let err = ask(Cloud::Gcp, &service(other).0).expect_err("somebody else");
    assert!(err.contains("not what the service of this cloud answers"), "{err}");
}

/// "Azure Instance Metadata Service": `Metadata: true` and a version are demanded (400 else); a
/// machine that was not put into a zone has an empty one.
#[test]
fn azure() {
    fn compute(request: &Seen, zone: &str) -> Answer {
        let is_asked = request.header("metadata") == Some("true");
        let Some((path, query)) = request.target.split_once('?') else { return refused(400) };
        let has_version = query.split('&').any(|pair| pair == "api-version=2018-10-01");
        if !is_asked || !has_version || request.method != "GET" {
            return refused(400);
        }
        match path {
            "/metadata/instance/compute" => said(&format!(
                r#"{{"location": "westeurope", "name": "web-1", "offer": "UbuntuServer",
                    "osType": "Linux", "tags": "", "version": "16.04.201708030",
                    "vmId": "02aab8a4-74ef-476e-8182-f6d2ba4166a6", "vmScaleSetName": "",
                    "vmSize": "Standard_D2s_v3", "zone": "{zone}"}}"#
            )),
            _ => refused(404),
        }
    }
    let (vm, size) = ("02aab8a4-74ef-476e-8182-f6d2ba4166a6", "Standard_D2s_v3");
    let expected = [vm, size, "westeurope-2", "westeurope"];
    check(Cloud::Azure, |request| compute(request, "2"), expected.map(Some));
    let expected = [Some(vm), Some(size), None, Some("westeurope")];
    check(Cloud::Azure, |request| compute(request, ""), expected);
}

/// Alibaba Cloud, "Instance metadata", in security hardening mode: 403 without a token.
#[test]
fn alibaba() {
    fn answer(request: &Seen) -> Answer {
        let ttl = request.header("x-aliyun-ecs-metadata-token-ttl-seconds");
        if request.is("PUT", "/latest/api/token") {
            let ttl: u32 = ttl.and_then(|ttl| ttl.parse().ok()).unwrap_or(0);
            return if (1..=21_600).contains(&ttl) { said("Zm9vYmFy") } else { refused(400) };
        }
        if request.header("x-aliyun-ecs-metadata-token") != Some("Zm9vYmFy") {
            return refused(403);
        }
        match request.is("GET", "/latest/dynamic/instance-identity/document") {
            true => said(
                r#"{"owner-account-id": "1609****", "instance-id": "i-bp13znx0m0me8cquu",
                    "mac": "00:16:3e:0f:00:01", "region-id": "cn-hangzhou",
                    "zone-id": "cn-hangzhou-i", "instance-type": "ecs.g6e.large"}"#,
            ),
            false => refused(404),
        }
    }
    let expected = ["i-bp13znx0m0me8cquu", "ecs.g6e.large", "cn-hangzhou-i", "cn-hangzhou"];
    check(Cloud::Alibaba, answer, expected.map(Some));
}

/// Tencent Cloud, "Querying Instance Metadata": one path an item.
#[test]
fn tencent() {
    fn answer(request: &Seen) -> Answer {
        match request.target.as_str() {
            "/latest/meta-data/instance-id" => said("ins-5a0wvs6e"),
            "/latest/meta-data/instance/instance-type" => said("S5.MEDIUM4"),
            "/latest/meta-data/placement/zone" => said("ap-guangzhou-3"),
            "/latest/meta-data/placement/region" => said("ap-guangzhou"),
            _ => refused(404),
        }
    }
    let expected = ["ins-5a0wvs6e", "S5.MEDIUM4", "ap-guangzhou-3", "ap-guangzhou"];
    check(Cloud::Tencent, answer, expected.map(Some));
    fn old(request: &Seen) -> Answer {
        if request.target.contains("placement") { refused(404) } else { answer(request) }
    }
    check(Cloud::Tencent, old, [Some("ins-5a0wvs6e"), Some("S5.MEDIUM4"), None, None]);
}

const HUAWEI: &str = r#"{"random_seed": "rEocCViRS+dNwlYdGIxJHUp+00poeUsAdBFkbPbYQTmpNwpoEb43k9z",
    "uuid": "2957c0c9-2f39-4ef0-a5e2-7c4b5a0ec7c5", "availability_zone": "cn-north-4a",
    "hostname": "ecs-1.novalocal", "launch_index": 0, "instance_type": "s3.medium.1",
    "meta": {"os_bit": "64"}, "region_id": "cn-north-4", "name": "ecs-1"}"#;

/// Huawei Cloud, "Obtaining ECS Details Using Metadata" and, with tokens, "Configuring Instance
/// Metadata Options": lifetimes from one minute to six hours, 401 without a token.
#[test]
fn huawei() {
    fn traditional(request: &Seen) -> Answer {
        match request.is("GET", "/openstack/latest/meta_data.json") {
            true => said(HUAWEI),
            false => refused(404),
        }
    }
    fn hardened(request: &Seen) -> Answer {
        let ttl = request.header("x-metadata-token-ttl-seconds");
        if request.is("PUT", "/meta-data/latest/api/token") {
            let ttl: u32 = ttl.and_then(|ttl| ttl.parse().ok()).unwrap_or(0);
            return if (60..=21_600).contains(&ttl) { said("dG9rZW4=") } else { refused(400) };
        }
        match request.header("x-metadata-token") {
            Some("dG9rZW4=") => traditional(request),
            _ => refused(401),
        }
    }
    let uuid = "2957c0c9-2f39-4ef0-a5e2-7c4b5a0ec7c5";
    let expected = [uuid, "s3.medium.1", "cn-north-4a", "cn-north-4"];
    check(Cloud::Huawei, traditional, expected.map(Some));
    check(Cloud::Huawei, hardened, expected.map(Some));
}

/// Nova, "Metadata service": a document, and beside it paths as EC2 had them.
#[test]
fn openstack() {
    fn bare(request: &Seen) -> Answer {
        match request.is("GET", "/openstack/latest/meta_data.json") {
            true => said(
                r#"{"random_seed": "yu5ZnkqF2CqnDZVAfZgarG", "availability_zone": "nova",
                    "keys": [], "hostname": "test.novalocal", "launch_index": 0,
                    "meta": {"priority": "low"}, "public_keys": {},
                    "project_id": "f7ac731cc11f40efbc03a9f9e1d1d21f",
                    "uuid": "d8e02d56-2648-49a3-bf97-6be8f1204f38", "name": "test"}"#,
            ),
            false => refused(404),
        }
    }
    fn whole(request: &Seen) -> Answer {
        match request.is("GET", "/latest/meta-data/instance-type") {
            true => said("m1.tiny"),
            false => bare(request),
        }
    }
    let uuid = "d8e02d56-2648-49a3-bf97-6be8f1204f38";
    check(Cloud::OpenStack, whole, [Some(uuid), Some("m1.tiny"), Some("nova"), None]);
    check(Cloud::OpenStack, bare, [Some(uuid), None, Some("nova"), None]);
}

fn wait_for<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        if let Some(found) = condition() {
            return found;
        }
        assert!(Instant::now() < deadline, "{what}: not in time");
        thread::park_timeout(Duration::from_millis(10));
    }
}

fn options(folder: &Path, sys_vendor: &str, url: &str) -> CloudOptions {
    std::fs::write(folder.join("sys_vendor"), sys_vendor).expect("written");
    let service_url = Some(url.to_owned());
    CloudOptions { is_on: true, dmi_root: folder.to_owned(), service_url }
}

#[test]
fn nothing_is_asked_where_no_cloud_is_named_or_it_is_off() {
    let folder = tempfile::tempdir().expect("a folder");
    let (url, log) = service(|_| refused(404));
    let (known, stop) = (Whereabouts::default(), StopSignal::default());
    watch_place(&options(folder.path(), "Dell Inc.", &url), &known, &stop);
    let off = CloudOptions { is_on: false, ..options(folder.path(), "Tencent Cloud", &url) };
    watch_place(&off, &known, &stop);
    assert_eq!(known.place(), None);
    assert_eq!(log.lock().expect("no panic").len(), 0);
}

#[test]
fn a_place_is_learned_while_others_go_on_and_the_thread_stops_soon() {
    let folder = tempfile::tempdir().expect("a folder");
    let (url, _) = service(|request| match request.target.rsplit('/').next() {
        Some("zone") => said("ap-guangzhou-3"),
        _ => refused(404),
    });
    let options = options(folder.path(), "Tencent Cloud", &url);
    let (known, stop) = (Whereabouts::default(), StopSignal::default());
    let began = thread::scope(|scope| {
        scope.spawn(|| watch_place(&options, &known, &stop));
        let place = wait_for("a place", || known.place());
        assert_eq!(place.zone.as_deref(), Some("ap-guangzhou-3"));
        stop.set();
        Instant::now()
    });
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
}

/// One that takes connections and says nothing, and one that never ends.
#[test]
fn services_that_hang_or_pour_are_given_up() {
    let silent = TcpListener::bind("127.0.0.1:0").expect("bound");
    let url = format!("http://{}", silent.local_addr().expect("an address"));
    let began = Instant::now();
    ask(Cloud::Tencent, &url).expect_err("no answer");
    assert!(began.elapsed() < 2 * CALL_TIMEOUT, "{:?}", began.elapsed());

    let (url, _) = service(|_| said(&"x".repeat(BODY_BYTES_MAX as usize + 1)));
    ask(Cloud::OpenStack, &url).expect_err("too long");

    // what the firmware says is known all the same
    let folder = tempfile::tempdir().expect("a folder");
    let options = options(folder.path(), "Tencent Cloud", "http://127.0.0.1:1");
    let (known, stop) = (Whereabouts::default(), StopSignal::default());
    thread::scope(|scope| {
        scope.spawn(|| watch_place(&options, &known, &stop));
        let place = wait_for("a provider", || known.place());
        assert_eq!((place.provider.as_deref(), place.zone), (Some("tencent"), None));
        stop.set();
    });
}
