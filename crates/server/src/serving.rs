//! Connections, from accept to their end.
//!
//! Owns what keeps a few slow or silent clients from holding the server: a bounded number of
//! connections, and a limit on how long a client may take to send the head of a request, which
//! is also how long it may keep an idle connection. Reading bodies is limited where they are read.

use std::time::Duration;

use axum::Router;
use axum::serve::Listener;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::sync::watch;

use crate::listener::BoundedListener;

/// Serves until `stopped` says so, then until the open requests are answered.
pub async fn serve(
    mut listener: BoundedListener,
    router: Router,
    head_time_max: Duration,
    mut stopped: watch::Receiver<bool>,
) {
    let open = GracefulShutdown::new();
    // Browsers and agents speak HTTP/2 over TLS only; telling versions apart has no time limit.
    let mut builder = Builder::new(TokioExecutor::new()).http1_only();
    builder.http1().timer(TokioTimer::new()).header_read_timeout(head_time_max);
    loop {
        let (connection, addr) = tokio::select! {
            accepted = listener.accept() => accepted,
            // An error means that the sender is gone: that is a stop too.
            _ = stopped.wait_for(|is_stopped| *is_stopped) => break,
        };
        let service = TowerToHyperService::new(router.clone());
        let serving = builder.serve_connection(TokioIo::new(connection), service).into_owned();
        let serving = open.watch(serving);
        tokio::spawn(async move {
            if let Err(error) = serving.await {
                tracing::debug!(%addr, error, "a connection ended with an error");
            }
        });
    }
    drop(listener);
    open.shutdown().await;
}
