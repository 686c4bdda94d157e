//! A runtime behind a socket: what it speaks, its containers, and when it is tried again.
//!
//! Two ways of speaking are known, and which one it is is found out: what answers a request for
//! Docker's events has Docker's API; what answers otherwise, or has no such thing (CRI-O tells of
//! itself over HTTP at the same socket), is asked as Kubernetes asks (CRI).
//!
//! Over CRI the containers are listed. `GetContainerEvents` is never called, although that would
//! only read: containerd before 2.0 gives each event to one caller only (its issue 7318), CRI-O
//! gives them to all callers at the pace of the slowest, and what kubelet hears must not depend on
//! who else listens.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use thiserror::Error;
use weir_identity::{ContainerName, Named, RuntimeNames, cri, docker};

use super::grpc::{self, GrpcError};
use super::http::{self, HttpError, Lines};
use crate::clock::Moment;

/// When a runtime is looked for again that is not there, or that failed.
const RETRY: Duration = Duration::from_secs(15);
/// The same for one that has no containers of Kubernetes to tell of.
const RETRY_OTHER: Duration = Duration::from_secs(600);
/// How often all containers are listed over CRI, which tells of new ones before they are met;
/// kubelet does it once a second.
pub const LIST_EVERY: Duration = Duration::from_secs(15);

pub const LIST: &str = "/containers/json";
/// `{"type":["container"],"event":["create","start","rename"]}`
pub const EVENTS: &str = "/events?filters=%7B%22type%22%3A%5B%22container%22%5D%2C%22event%22%3A%5B\
                          %22create%22%2C%22start%22%2C%22rename%22%5D%7D";
const NOT_FOUND: u16 = 404;

/// Why a runtime could not be asked.
#[derive(Debug, Error)]
pub enum AskError {
    #[error(transparent)]
    Docker(#[from] HttpError),
    #[error("CRI: {0}")]
    Cri(#[from] GrpcError),
    #[error("neither Docker's API ({docker}) nor CRI ({cri})")]
    Neither { docker: HttpError, cri: GrpcError },
}

impl AskError {
    fn is_absent(&self) -> bool {
        let (Self::Docker(HttpError::Io(err)) | Self::Cri(GrpcError::Io(err))) = self else {
            return false;
        };
        err.kind() == io::ErrorKind::NotFound
    }

    /// A containerd that serves Docker alone, for one.
    fn is_other(&self) -> bool {
        matches!(self, Self::Cri(err) if err.is_unimplemented())
    }
}

/// How a runtime that answers tells of its containers.
enum Link {
    /// Docker's API: of new ones by itself.
    Docker(Lines),
    /// The list was last read then.
    Cri { listed: Instant },
}

/// A runtime behind a socket.
pub struct Runtime {
    path: PathBuf,
    /// Whether there is a runtime; whether it answers is another thing.
    pub is_there: bool,
    link: Option<Link>,
    pub retry_at: Option<Instant>,
    pub failures: u64,
}

impl Runtime {
    pub fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), is_there: false, link: None, retry_at: None, failures: 0 }
    }

    pub fn is_reached(&self) -> bool {
        self.link.is_some()
    }

    /// Where it tells of new containers, if it does.
    pub fn events(&self) -> Option<BorrowedFd<'_>> {
        match &self.link {
            Some(Link::Docker(lines)) => Some(lines.as_fd()),
            _ => None,
        }
    }

    /// Begins to follow the runtime, where it is time to try.
    pub fn reach(&mut self, names: &RuntimeNames) {
        let is_early = self.retry_at.is_some_and(|at| Instant::now() < at);
        if self.link.is_some() || is_early {
            return;
        }
        self.retry_at = Some(Instant::now() + RETRY);
        match self.begin() {
            Ok((link, list)) => {
                learn(names, &list);
                names.forget_nobodys();
                let speaks = match link {
                    Link::Docker(_) => "Docker's API",
                    Link::Cri { .. } => "CRI",
                };
                self.link = Some(link);
                self.is_there = true;
                self.failures = 0;
                let (path, containers) = (self.path.display(), list.len());
                tracing::info!(%path, speaks, containers, "containers have names from here");
            }
            Err(err) => self.fail(&err),
        }
    }

    fn begin(&self) -> Result<(Link, Vec<Named>), AskError> {
        let not_docker = match self.begin_docker() {
            Err(err @ (HttpError::Garbage | HttpError::Status(NOT_FOUND))) => err,
            Err(HttpError::Io(err)) if is_hung_up(&err) => err.into(),
            begun => return Ok(begun?),
        };
        match list_cri(&self.path, None) {
            Ok(list) => Ok((Link::Cri { listed: Instant::now() }, list)),
            Err(cri @ (GrpcError::Http(_) | GrpcError::Garbage)) => {
                Err(AskError::Neither { docker: not_docker, cri })
            }
            Err(err) => Err(err.into()),
        }
    }

    /// First the events, so that none is missed while the list is read.
    fn begin_docker(&self) -> Result<(Link, Vec<Named>), HttpError> {
        let events = http::follow(&self.path, EVENTS)?;
        let list = http::get(&self.path, LIST)?;
        let list = list.and_then(|body| docker::listed(&body)).ok_or(HttpError::Garbage)?;
        Ok((Link::Docker(events), list))
    }

    /// Learns of new containers: what the runtime told, or what it lists when it is time to.
    pub fn read_news(&mut self, names: &RuntimeNames, now: Instant) {
        let read = match &mut self.link {
            None => return,
            Some(Link::Cri { listed }) if now.duration_since(*listed) < LIST_EVERY => return,
            Some(Link::Cri { listed }) => {
                *listed = now;
                list_cri(&self.path, None).map(|list| learn(names, &list)).map_err(AskError::from)
            }
            Some(Link::Docker(events)) => {
                let read = events.read(&mut |line| {
                    learn(names, docker::happened(line).as_slice());
                });
                read.map_err(AskError::from)
            }
        };
        if let Err(err) = read {
            self.fail(&err);
        }
    }

    /// The name of one container, nothing where it has none of that id, none where it cannot be
    /// asked.
    pub fn name_of(&mut self, id: &str) -> Option<Option<ContainerName>> {
        let asked = match self.link.as_ref()? {
            Link::Docker(_) => {
                let body = http::get(&self.path, &format!("/containers/{id}/json"));
                let named = body.map(|body| docker::inspected(&body?).filter(|it| it.id == id));
                named.map_err(AskError::from)
            }
            Link::Cri { .. } => list_cri(&self.path, Some(id))
                .map(|list| list.into_iter().find(|named| named.id == id))
                .map_err(AskError::from),
        };
        match asked {
            Ok(named) => Some(named.map(|named| named.name)),
            Err(err) => {
                self.fail(&err);
                None
            }
        }
    }

    /// Says once that a runtime which is there cannot be asked.
    fn fail(&mut self, err: &AskError) {
        self.link = None;
        let is_other = err.is_other();
        self.is_there = !is_other && !err.is_absent();
        self.retry_at = Some(Instant::now() + if is_other { RETRY_OTHER } else { RETRY });
        if err.is_absent() {
            return;
        }
        let path = self.path.display();
        match self.failures {
            0 if is_other => {
                tracing::info!(%path, "no CRI here, this runtime is not asked for names")
            }
            0 => {
                tracing::warn!(%path, %err, "containers' names cannot be read, new ones are shown by id")
            }
            _ => tracing::debug!(%path, %err, "containers' names cannot be read"),
        }
        self.failures += 1;
    }
}

fn learn(names: &RuntimeNames, list: &[Named]) {
    let now_ms = Moment::now().unix_ms;
    for container in list {
        names.learn(&container.id, Some(&container.name), now_ms);
    }
}

/// All containers, or the one of this id.
fn list_cri(socket: &Path, id: Option<&str>) -> Result<Vec<Named>, GrpcError> {
    let answer = grpc::call(socket, cri::LIST, &cri::list_request(id))?;
    cri::listed(answer).ok_or(GrpcError::Garbage)
}

/// What some servers do whom one does not address as they want.
fn is_hung_up(err: &io::Error) -> bool {
    matches!(err.kind(), io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe)
}
