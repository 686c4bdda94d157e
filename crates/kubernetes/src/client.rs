//! GET requests to an API server: TLS, token, and how long to wait.
//!
//! Own code over the HTTP and TLS libraries that the server has anyway. Looked at: `kube` with
//! `client` and `runtime` alone, which takes five minutes of CPU to build (k8s-openapi, YAML,
//! JSONPath) for list and watch of eight kinds, and re-reads a rotated token once a minute.
//!
//! Token and CA are read from disk for every request, so that rotated ones are used at once.
//! Requests are rare (a watch lives for minutes), so each has a connection of its own.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::{Request, Response, Uri};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto::ring};

use crate::problem::Problem;

/// Longest time to connect, and to the head of an answer.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(30);
/// Longest time for the body of a list.
const BODY_TIME_MAX: Duration = Duration::from_secs(120);
/// Largest page of a list; 500 objects of the largest size that etcd takes would be more, and are
/// never seen.
const PAGE_BYTES_MAX: usize = 128 << 20;
/// Most of an error's text that is read.
const ERROR_BYTES_MAX: usize = 64 << 10;

/// Where the files of a Pod's service account are.
const SERVICE_ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// How to reach an API server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// `https://HOST:PORT`; `http://` for a proxy on this machine.
    pub url: String,
    /// Certificates to trust, PEM.
    pub ca_file: Option<PathBuf>,
    pub token_file: Option<PathBuf>,
}

impl Access {
    /// What kubelet tells every Pod; `None` outside of a cluster.
    pub fn in_cluster(variable: impl Fn(&str) -> Option<String>) -> Option<Self> {
        let host = variable("KUBERNETES_SERVICE_HOST").filter(|host| !host.is_empty())?;
        let port = variable("KUBERNETES_SERVICE_PORT").unwrap_or_else(|| "443".to_owned());
        let host = if host.contains(':') { format!("[{host}]") } else { host };
        let file = |name: &str| Some(Path::new(SERVICE_ACCOUNT).join(name));
        let (ca_file, token_file) = (file("ca.crt"), file("token"));
        Some(Self { url: format!("https://{host}:{port}"), ca_file, token_file })
    }

    /// Whether there is a token to show: a Pod may have been given none.
    pub fn has_token(&self) -> bool {
        self.token_file.as_ref().is_some_and(|file| file.exists())
    }
}

#[derive(Debug)]
pub struct Client {
    access: Access,
    host: String,
    port: u16,
    is_tls: bool,
}

impl Client {
    pub fn new(access: Access) -> Result<Self, Problem> {
        let wrong = |what: &str| {
            let url = &access.url;
            Problem::Configuration(format!("{url:?} {what}; right would be https://HOST:PORT"))
        };
        let uri: Uri = access.url.parse().map_err(|_| wrong("is no URL"))?;
        let is_tls = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(wrong("does not begin with https://")),
        };
        if uri.path().len() > 1 || uri.query().is_some() {
            return Err(wrong("has a path"));
        }
        let host = uri.host().ok_or_else(|| wrong("has no host"))?;
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let port = uri.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
        Ok(Self { host, port, is_tls, access })
    }

    pub fn url(&self) -> &str {
        &self.access.url
    }

    /// The token's file, for messages.
    pub fn token_file(&self) -> String {
        let path = self.access.token_file.as_deref();
        path.map_or_else(|| "no file".to_owned(), |path| path.display().to_string())
    }

    /// Asks, and gives the head of the answer with its body still to come.
    pub async fn get(&self, path: &str) -> Result<Response<Incoming>, Problem> {
        match timeout(ANSWER_TIME_MAX, self.ask(path)).await {
            Ok(result) => result,
            Err(_) => Err(self.unreachable(format!("no answer in {ANSWER_TIME_MAX:?}"))),
        }
    }

    async fn ask(&self, path: &str) -> Result<Response<Incoming>, Problem> {
        let mut request = Request::get(path)
            .header("host", format!("{}:{}", self.host, self.port))
            .header("accept", "application/json")
            .header("user-agent", concat!("weir/", env!("CARGO_PKG_VERSION")));
        if let Some(token) = self.token()? {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let request = request
            .body(Empty::<Bytes>::new())
            .map_err(|err| Problem::Configuration(format!("cannot ask for {path}: {err}")))?;
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await;
        let stream = stream.map_err(|err| self.unreachable(err))?;
        if !self.is_tls {
            return self.send(stream, request).await;
        }
        let name = ServerName::try_from(self.host.clone())
            .map_err(|err| Problem::Configuration(format!("host {:?}: {err}", self.host)))?;
        let connector = TlsConnector::from(Arc::new(self.tls()?));
        let stream = connector.connect(name, stream).await.map_err(|err| self.unreachable(err))?;
        self.send(stream, request).await
    }

    async fn send(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        request: Request<Empty<Bytes>>,
    ) -> Result<Response<Incoming>, Problem> {
        let handshake = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
        let (mut sender, connection) = handshake.map_err(|err| self.unreachable(err))?;
        // It moves the bytes, and ends when the answer is read or dropped.
        tokio::spawn(async move { _ = connection.await });
        sender.send_request(request).await.map_err(|err| self.unreachable(err))
    }

    fn unreachable(&self, reason: impl ToString) -> Problem {
        Problem::Unreachable { url: self.access.url.clone(), reason: reason.to_string() }
    }

    fn token(&self) -> Result<Option<String>, Problem> {
        let Some(path) = &self.access.token_file else { return Ok(None) };
        let token = std::fs::read_to_string(path).map_err(|err| unreadable("token", path, &err))?;
        let token = token.trim();
        if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            let path = path.display();
            return Err(Problem::Configuration(format!("the file {path} does not hold a token")));
        }
        Ok(Some(token.to_owned()))
    }

    fn tls(&self) -> Result<ClientConfig, Problem> {
        let mut roots = RootCertStore::empty();
        let Some(path) = &self.access.ca_file else {
            let text = format!("{} needs a file with the certificates to trust", self.access.url);
            return Err(Problem::Configuration(text));
        };
        let pem = std::fs::read(path).map_err(|err| unreadable("CA", path, &err))?;
        for certificate in CertificateDer::pem_slice_iter(&pem).flatten() {
            let _ = roots.add(certificate); // one that cannot be used is as good as none
        }
        if roots.is_empty() {
            let path = path.display();
            return Err(Problem::Configuration(format!("no certificate in the CA file {path}")));
        }
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let builder = builder.with_safe_default_protocol_versions();
        let builder = builder.map_err(|err| Problem::Configuration(err.to_string()))?;
        Ok(builder.with_root_certificates(roots).with_no_client_auth())
    }
}

fn unreadable(what: &str, path: &Path, err: &io::Error) -> Problem {
    Problem::Configuration(format!("cannot read the {what} file {}: {err}", path.display()))
}

/// The whole body of a page.
pub async fn page(response: Response<Incoming>) -> Result<Bytes, Problem> {
    let body = Limited::new(response.into_body(), PAGE_BYTES_MAX).collect();
    match timeout(BODY_TIME_MAX, body).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(err)) => Err(Problem::Broken(format!("a page of a list: {err}"))),
        Err(_) => Err(Problem::Broken(format!("a page of a list took over {BODY_TIME_MAX:?}"))),
    }
}

/// What an error says, as far as it can be read.
pub async fn error_text(response: Response<Incoming>) -> String {
    let body = Limited::new(response.into_body(), ERROR_BYTES_MAX).collect();
    match timeout(ANSWER_TIME_MAX, body).await {
        Ok(Ok(body)) => String::from_utf8_lossy(&body.to_bytes()).into_owned(),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pods_access_is_told_by_kubelet() {
        let access = |host: &'static str| {
            Access::in_cluster(move |name| match name {
                "KUBERNETES_SERVICE_HOST" => Some(host.to_owned()),
                "KUBERNETES_SERVICE_PORT" => Some("6443".to_owned()),
                _ => None,
            })
        };
        assert_eq!(access("10.96.0.1").map(|a| a.url).as_deref(), Some("https://10.96.0.1:6443"));
        assert_eq!(access("fd00::1").map(|a| a.url).as_deref(), Some("https://[fd00::1]:6443"));
        assert_eq!(access(""), None);
    }

    #[test]
    fn urls_are_checked_before_anything_is_tried() {
        let client = |url: &str| {
            Client::new(Access { url: url.to_owned(), ca_file: None, token_file: None })
        };
        let good = client("https://[fd00::1]").expect("a client");
        assert_eq!((good.host.as_str(), good.port, good.is_tls), ("fd00::1", 443, true));
        for url in ["", "10.0.0.1:6443", "ftp://a", "https://a/b", "https://a?b"] {
            let text = client(url).expect_err(url).to_string();
            assert!(text.contains("right would be https://HOST:PORT"), "{text}");
        }
    }
}
