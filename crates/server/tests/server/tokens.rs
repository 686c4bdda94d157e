//! Tokens of agents: what they open, whose cluster they say, and their ends.

use serde_json::{Value, json};
use weir_server::auth::{NewEnrolment, Token, create, revoke};
use weir_server::{AuthMode, Limits};

use super::agents::client_row;
use super::world::{Reply, START_MS, Sent, World, batch, open_world, request};

/// A server with an operator's token, which comes with it.
fn guarded() -> (World, String) {
    let token = Token::generate().unwrap();
    (World::with_agent_tokens(AuthMode::Token(token.hash())), token.reveal().to_owned())
}

/// Id and text of a new token.
fn enrol(world: &World, cluster: Option<&str>, expires_ms: Option<i64>) -> (String, String) {
    let new = NewEnrolment { cluster: cluster.map(str::to_owned), expires_ms, note: None };
    let (made, token) = create(&world.tokens_dir(), new, START_MS).unwrap();
    (made.id, token.reveal().to_owned())
}

fn sent(agent: &str, cluster: Option<&str>) -> Sent {
    let mut sent = batch(agent, 1, START_MS, vec![client_row(START_MS)]);
    sent.header.cluster = cluster.map(str::to_owned);
    sent
}

async fn send(world: &World, sent: &Sent, token: &str) -> Reply {
    world.post_with(sent.bytes(), &[("authorization", format!("Bearer {token}"))]).await
}

async fn ask(world: &World, method: &str, path: &str, token: &str) -> Reply {
    let request = request(method, path).header("authorization", format!("Bearer {token}"));
    world.send(request.body(axum::body::Body::empty()).unwrap()).await
}

async fn status(world: &World, operator: &str) -> Value {
    ask(world, "GET", "/api/v1/status", operator).await.json()
}

fn problem(reply: &Reply, status: u16, word: &str) -> String {
    let problem = reply.json();
    assert_eq!(reply.status.as_u16(), status, "{problem}");
    assert_eq!(problem["type"], format!("urn:weir:problem:{word}"), "{problem}");
    problem["detail"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn an_agent_may_send_and_nothing_else() {
    let (world, operator) = guarded();
    let (id, token) = enrol(&world, None, None);
    assert_eq!(send(&world, &sent("a", None), &token).await.status, 200);
    let paths = [
        ("GET", "/api/v1/status"),
        ("GET", "/api/v1/summary"),
        ("GET", "/metrics"),
        ("GET", "/api/v1/ingest"),
        ("DELETE", "/api/v1/session"),
        ("GET", "/api/v1/nothing"),
    ];
    for (method, path) in paths {
        problem(&ask(&world, method, path, &token).await, 403, "agents-only");
        assert_ne!(ask(&world, method, path, &operator).await.status, 403, "{path}");
    }
    let credentials = json!({ "token": token }).to_string();
    let session = request("POST", "/api/v1/session").header("content-type", "application/json");
    let reply = world.send(session.body(credentials.into()).unwrap()).await;
    let detail = problem(&reply, 401, "unauthorized");
    assert!(detail.contains("the operator's"), "{detail}");

    let status = status(&world, &operator).await;
    let agent = &status["agents"][0];
    assert_eq!((&agent["token"], &agent["cluster"]), (&json!(id), &Value::Null));
    let known = &status["agent_tokens"][0];
    assert_eq!((&known["standing"], &known["agents"]), (&json!("good"), &json!(1)));
    assert_eq!(known["last_used_ms"], world.now());
    assert!(!status.to_string().contains(&token[11..]));
}

#[tokio::test]
async fn what_comes_with_a_clusters_token_is_that_clusters() {
    let (world, operator) = guarded();
    let (_, east) = enrol(&world, Some("east"), None);
    for (agent, said) in [("a", None), ("b", Some("east"))] {
        assert_eq!(send(&world, &sent(agent, said), &east).await.status, 200, "{said:?}");
    }
    let reply = send(&world, &sent("c", Some("west")), &east).await;
    let detail = problem(&reply, 403, "foreign-cluster");
    assert!(detail.contains("\"east\"") && detail.contains("\"west\""), "{detail}");
    assert!(detail.contains("host-c"), "{detail}");
    assert_eq!(send(&world, &sent("d", Some("west")), &operator).await.status, 200);

    let path = format!("/api/v1/flows/l4?from={START_MS}&perspective=both");
    let flows = ask(&world, "GET", &path, &operator).await.json();
    let clusters = flows["rows"].as_array().unwrap().iter();
    let mut clusters: Vec<_> =
        clusters.map(|row| (row["agent"].to_string(), row["local_cluster"].to_string())).collect();
    clusters.sort();
    let expected = [("a", "east"), ("b", "east"), ("d", "west")];
    assert_eq!(clusters, expected.map(|(a, b)| (format!("\"{a}\""), format!("\"{b}\""))));
    let status = status(&world, &operator).await;
    assert_eq!(status["agents"][0]["cluster"], "east");
    assert_eq!(status["agent_tokens"][0]["agents"], 2);
}

/// Two clusters give their Pods the same addresses; only their agents' tokens tell them apart.
#[tokio::test]
async fn the_same_address_in_two_clusters_is_two_machines() {
    let (world, operator) = guarded();
    for cluster in ["east", "west"] {
        let (_, token) = enrol(&world, Some(cluster), None);
        let mut server = super::agents::server_row(START_MS);
        server.insert("local_process".to_owned(), json!(format!("nginx-{cluster}")));
        let server = batch(&format!("server-{cluster}"), 1, START_MS, vec![server]);
        let client = batch(&format!("client-{cluster}"), 1, START_MS, vec![client_row(START_MS)]);
        for sent in [server, client] {
            assert_eq!(send(&world, &sent, &token).await.status, 200);
        }
    }
    let path = format!("/api/v1/flows/l4?from={START_MS}&filter=direction:outgoing");
    let flows = ask(&world, "GET", &path, &operator).await.json();
    let rows = flows["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 2, "{flows}");
    for row in rows {
        let cluster = row["local_cluster"].as_str().unwrap();
        assert_eq!(row["agent"], format!("client-{cluster}"));
        assert_eq!(row["remote_agent"], format!("server-{cluster}"));
        assert_eq!(row["remote_process"], format!("nginx-{cluster}"));
    }
}

#[tokio::test]
async fn a_token_ends_and_the_answer_says_how() {
    let (world, operator) = guarded();
    let (id, token) = enrol(&world, Some("east"), Some(world.now() + 1_000));
    assert_eq!(send(&world, &sent("a", None), &token).await.status, 200);
    world.set_now(world.now() + 1_000);
    let reply = send(&world, &sent("a", None), &token).await;
    let detail = problem(&reply, 401, "expired-token");
    let expected = format!("token {id} of cluster east expired at 2023-11-14T23:00:11Z");
    assert_eq!(detail, expected);

    let (id, token) = enrol(&world, None, None);
    assert_eq!(send(&world, &sent("b", None), &token).await.status, 200);
    revoke(&world.tokens_dir(), &id, world.now()).unwrap();
    let detail = problem(&send(&world, &sent("b", None), &token).await, 401, "revoked-token");
    assert_eq!(detail, format!("token {id} was revoked at 2023-11-14T23:00:11Z"));
    let status = status(&world, &operator).await;
    let standings: Vec<_> = status["agent_tokens"].as_array().unwrap().iter().collect();
    let standings: Vec<_> = standings.iter().map(|token| token["standing"].clone()).collect();
    assert_eq!(standings, [json!("expired"), json!("revoked")]);
    problem(&send(&world, &sent("c", None), "weir_agent_00").await, 401, "unauthorized");
}

#[tokio::test]
async fn on_an_open_loopback_a_token_says_the_cluster_and_nobody_needs_one() {
    let world = World::with_agent_tokens(AuthMode::LoopbackOpen);
    let (id, token) = enrol(&world, Some("east"), None);
    assert_eq!(send(&world, &sent("a", None), &token).await.status, 200);
    assert_eq!(world.post_batch(sent("b", None).bytes()).await.status, 200);
    let agents = world.ask("/status").await["agents"].clone();
    assert_eq!((&agents[0]["cluster"], &agents[1]["cluster"]), (&json!("east"), &Value::Null));
    assert_eq!(ask(&world, "GET", "/api/v1/status", &token).await.status, 200);
    revoke(&world.tokens_dir(), &id, world.now()).unwrap();
    problem(&send(&world, &sent("a", None), &token).await, 401, "revoked-token");
    assert_eq!(send(&open_world(), &sent("a", None), "anything").await.status, 200);
    let limits = Limits::default();
    let closed = World::new(AuthMode::Token(Token::generate().unwrap().hash()), limits);
    problem(&send(&closed, &sent("a", None), &token).await, 401, "unauthorized");
}
