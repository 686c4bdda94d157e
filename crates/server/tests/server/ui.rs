//! The UI's files, or how to get them.

use axum::body::Body;

use super::world::{open_world, request};

#[tokio::test]
async fn a_path_of_the_ui_is_a_page() {
    let world = open_world();
    for path in ["/", "/summary", "/flows?filter=a.b"] {
        let page = request("GET", path).header("accept", "text/html").body(Body::empty()).unwrap();
        let reply = world.send(page).await;
        assert!(reply.header("content-type").starts_with("text/html"), "{path}");
        let is_built = reply.text().contains("<div id=\"root\">");
        let says_how = reply.text().contains("make ui");
        assert_eq!(reply.status.as_u16(), if is_built { 200 } else { 503 }, "{path}");
        assert!(is_built != says_how, "{path}");
        if is_built {
            assert_eq!(reply.header("cache-control"), "no-cache");
        }
    }
}

#[tokio::test]
async fn what_is_no_page_is_not_found() {
    let world = open_world();
    for path in ["/favicon.png", "/assets/index-0000.js", "/robots.txt"] {
        assert_eq!(world.get(path).await.status, 404, "{path}");
    }
}
