//! Who may do what: every mode, every credential, every kind of path.

use axum::body::Body;
use axum::http::header;
use weir_server::auth::Token;
use weir_server::{AuthMode, Limits, Options, Server, ServerError};

use super::world::{World, open_world, request, small_host};

fn token_world() -> (World, String) {
    let token = Token::generate().unwrap();
    let world = World::new(AuthMode::Token(token.hash()), Limits::default());
    (world, token.reveal().to_owned())
}

async fn status(world: &World, method: &str, path: &str, headers: &[(&str, &str)]) -> u16 {
    let mut request = request(method, path);
    for (name, value) in headers {
        if *name == "host" {
            request.headers_mut().unwrap().remove(header::HOST);
        }
        request = request.header(*name, *value);
    }
    world.send(request.body(Body::empty()).unwrap()).await.status.as_u16()
}

#[tokio::test]
async fn with_a_token_data_demand_it() {
    let (world, token) = token_world();
    let bearer = format!("Bearer {token}");
    let guarded = [
        ("GET", "/api/v1/summary", 200),
        ("GET", "/api/v1/openapi.json", 200),
        ("GET", "/api/v1/nothing", 404),
        ("GET", "/metrics", 200),
        ("POST", "/api/v1/ingest", 415),
        ("DELETE", "/api/v1/session", 204),
    ];
    for (method, path, granted) in guarded {
        assert_eq!(status(&world, method, path, &[]).await, 401, "{path} without");
        for wrong in ["Bearer weir_00", "Bearer ", "Basic eDp5", &token] {
            let headers = [("authorization", wrong)];
            assert_eq!(status(&world, method, path, &headers).await, 401, "{path} {wrong}");
        }
        let headers = [("authorization", bearer.as_str())];
        assert_eq!(status(&world, method, path, &headers).await, granted, "{path} with");
    }
    for path in ["/healthz", "/readyz"] {
        assert_eq!(status(&world, "GET", path, &[]).await, 200, "{path}");
    }
}

#[tokio::test]
async fn the_challenge_names_the_scheme() {
    let (world, _) = token_world();
    let reply = world.get("/api/v1/summary").await;
    assert!(reply.header("www-authenticate").starts_with("Bearer"));
    assert_eq!(reply.json()["type"], "urn:weir:problem:unauthorized");
}

async fn sign_in(world: &World, body: String, origin: Option<&str>) -> super::world::Reply {
    let mut request =
        request("POST", "/api/v1/session").header(header::CONTENT_TYPE, "application/json");
    if let Some(origin) = origin {
        request = request.header(header::ORIGIN, origin);
    }
    world.send(request.body(Body::from(body)).unwrap()).await
}

#[tokio::test]
async fn the_ui_trades_the_token_for_a_cookie() {
    let (world, token) = token_world();
    let credentials = |token: &str| format!("{{\"token\": \"{token}\"}}");
    assert_eq!(sign_in(&world, credentials("weir_0"), None).await.status, 401);
    assert_eq!(sign_in(&world, "{}".to_owned(), None).await.status, 422);
    assert_eq!(sign_in(&world, "token".to_owned(), None).await.status, 400);
    let evil = sign_in(&world, credentials(&token), Some("https://evil.example")).await;
    assert_eq!(evil.status, 403);

    let own = sign_in(&world, credentials(&token), Some("http://127.0.0.1:9347")).await;
    assert_eq!(own.status, 204);
    let cookie = own.header("set-cookie").to_owned();
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"), "{cookie}");
    assert!(!cookie.contains(&token[5..]));
    let pair = cookie.split(';').next().unwrap();
    assert_eq!(status(&world, "GET", "/api/v1/summary", &[("cookie", pair)]).await, 200);
    assert_eq!(
        status(&world, "GET", "/api/v1/summary", &[("cookie", "weir_session=0")]).await,
        401
    );
    let foreign = [("cookie", pair), ("origin", "https://evil.example")];
    assert_eq!(status(&world, "DELETE", "/api/v1/session", &foreign).await, 403);
    assert_eq!(status(&world, "DELETE", "/api/v1/session", &[("cookie", pair)]).await, 204);
    assert_eq!(status(&world, "GET", "/api/v1/summary", &[("cookie", pair)]).await, 401);
}

#[tokio::test]
async fn a_session_ends_by_itself() {
    let (world, token) = token_world();
    let reply = sign_in(&world, format!("{{\"token\": \"{token}\"}}"), None).await;
    let pair = reply.header("set-cookie").split(';').next().unwrap().to_owned();
    let week = Limits::default().session_age_max.as_millis() as i64;
    world.set_now(super::world::START_MS + super::world::WINDOW_MS + week - 1);
    assert_eq!(status(&world, "GET", "/api/v1/status", &[("cookie", &pair)]).await, 200);
    world.set_now(super::world::START_MS + super::world::WINDOW_MS + week);
    assert_eq!(status(&world, "GET", "/api/v1/status", &[("cookie", &pair)]).await, 401);
}

#[tokio::test]
async fn a_foreign_name_for_loopback_is_refused() {
    let world = open_world();
    for path in ["/api/v1/summary", "/metrics", "/", "/healthz"] {
        let headers = [("host", "evil.example:9347")];
        assert_eq!(status(&world, "GET", path, &headers).await, 403, "{path}");
    }
    for good in ["localhost:9347", "127.0.0.1", "[::1]:9347"] {
        assert_eq!(status(&world, "GET", "/api/v1/status", &[("host", good)]).await, 200, "{good}");
    }
}

#[tokio::test]
async fn a_page_of_another_site_changes_nothing() {
    let world = open_world();
    let bytes = small_host().bytes();
    let evil = request("POST", "/api/v1/ingest")
        .header(header::CONTENT_TYPE, weir_wire::CONTENT_TYPE)
        .header(header::ORIGIN, "https://evil.example")
        .body(Body::from(bytes.clone()))
        .unwrap();
    let reply = world.send(evil).await;
    assert_eq!(reply.status, 403);
    assert_eq!(reply.json()["type"], "urn:weir:problem:foreign-origin");
    assert_eq!(world.store_status().rows + world.store_status().journal_rows, 0);
    assert_eq!(world.post_batch(bytes).await.status, 200);
}

#[tokio::test]
async fn signing_in_where_nothing_is_closed_is_no_error() {
    let world = open_world();
    let reply = sign_in(&world, "{\"token\": \"any\"}".to_owned(), None).await;
    assert_eq!((reply.status.as_u16(), reply.header("set-cookie")), (204, ""));
}

#[tokio::test]
async fn answers_keep_the_browser_narrow() {
    let world = open_world();
    for path in ["/api/v1/status", "/api/v1/nothing", "/"] {
        let reply = world.get(path).await;
        assert!(reply.header("content-security-policy").contains("frame-ancestors 'none'"));
        assert_eq!(reply.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(reply.header("cross-origin-resource-policy"), "same-origin", "{path}");
        assert_eq!(reply.header("access-control-allow-origin"), "", "{path}");
    }
    assert_eq!(world.get("/api/v1/status").await.header("cache-control"), "no-store");
}

#[tokio::test]
async fn beyond_loopback_a_token_is_a_must() {
    let dir = tempfile::tempdir().unwrap();
    let store =
        weir_store_parquet::ParquetStore::open(weir_store_parquet::Options::new(dir.path()));
    let store = std::sync::Arc::new(store.unwrap());
    for listen in ["0.0.0.0:0", "[::]:0", "192.0.2.1:9347"] {
        let options = Options::new(listen.parse().unwrap(), AuthMode::LoopbackOpen);
        let made = Server::new(options, store.clone(), std::sync::Arc::new(|| 0), Vec::new());
        assert!(matches!(made.err(), Some(ServerError::OpenToAll { .. })), "{listen}");
    }
}
