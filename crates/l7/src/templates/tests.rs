//! Paths as servers see them, and what becomes of them.

use super::*;

fn template(path: &str) -> String {
    Templates::new().fold(&(), L7Protocol::Http11, path).to_string()
}

#[test]
fn segments_fold_by_their_look() {
    for (path, expected) in [
        ("/", "/"),
        ("", ""),
        ("*", "*"),
        ("/index.html", "/index.html"),
        ("/api/v1/users", "/api/v1/users"),
        ("/api/v1beta1/namespaces/default/pods", "/api/v1beta1/namespaces/default/pods"),
        ("/users/4711", "/users/{id}"),
        ("/users/4711/", "/users/{id}/"),
        ("/users/4711/orders/12", "/users/{id}/orders/{id}"),
        ("/users//x", "/users//x"),
        ("/u/550e8400-e29b-41d4-a716-446655440000", "/u/{id}"),
        ("/u/user-550e8400-e29b-41d4-a716-446655440000.json", "/u/user-{id}.json"),
        ("/commit/9fceb02d0ae598e95dc970b74767f19372d61af8", "/commit/{id}"),
        ("/commit/9fceb02d", "/commit/{id}"),
        ("/doc/507f1f77bcf86cd799439011", "/doc/{id}"),
        ("/tx/0x5c504ed432cb51138bcf09aa5e8a410dd4a1e204", "/tx/{id}"),
        ("/t/01ARZ3NDEKTSV4RRFFQ69G5FAV", "/t/{id}"),
        ("/report/2026-01-05", "/report/{id}"),
        ("/report/2026-01-05T10:00:00Z/raw", "/report/{id}/raw"),
        ("/host/10.0.0.17/ports", "/host/{id}/ports"),
        ("/s/V1StGXR8Z5jdHi6BmyT9", "/s/{id}"),
        ("/v/dQw4w9WgXcQ", "/v/dQw4w9WgXcQ"),
        ("/b/aGVsbG8gd29ybGQgMTIzNDU2Nzg5", "/b/{id}"),
        ("/static/app.3f2a9c1b.js", "/static/app.{id}.js"),
        ("/img/12.jpg", "/img/{id}.jpg"),
        ("/img/12-34.jpg", "/img/{id}.jpg"),
        ("/blog/42-how-to-count", "/blog/{id}-how-to-count"),
        ("/orders/order-98765", "/orders/order-{id}"),
        ("/key/user:7", "/key/user:{id}"),
        ("/docs/utf-8", "/docs/utf-8"),
        ("/docs/step-2/http-2", "/docs/step-2/http-2"),
        ("/kubernetes-dashboard-v2/login", "/kubernetes-dashboard-v2/login"),
        ("/getUser2FactorAuthSettings", "/getUser2FactorAuthSettings"),
        ("/top-10-best-movies-for-you", "/top-10-best-movies-for-you"),
        ("/user/jane.doe@example.com/mail", "/user/{id}/mail"),
        ("/user/jane%40example.com", "/user/{id}"),
        ("/npm/@scope/lodash@4.17.21", "/npm/@scope/lodash@4.17.21"),
        ("/shop;jsessionid=1A530637289A03B07199A44E8D531427/cart", "/shop/cart"),
        ("/search/caf\u{e9}", "/search/caf\u{e9}"),
        ("/facade/decade", "/facade/decade"),
        ("/a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/q/r", "/a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/{rest}"),
        ("example.com:443", "example.com:443"),
    ] {
        assert_eq!(template(path), expected, "{path}");
    }
    assert_eq!(template(&format!("/x/{}", "long".repeat(20))), "/x/{id}");
}

#[test]
fn paths_of_grpc_are_their_own() {
    let mut templates = Templates::new();
    for i in 0..40 {
        let path = format!("/runtime.v1.RuntimeService/Method{i}2345678");
        assert_eq!(*templates.fold(&(), L7Protocol::Grpc, &path), path);
    }
}

#[test]
fn many_names_below_one_parent_become_one() {
    let mut templates = Templates::new();
    let mut fold = |path: &str| templates.fold(&"a", L7Protocol::Http2, path).to_string();
    let name = |i: usize| format!("{}ka", char::from(b'a' + i as u8));
    fold("/users/7/orders");
    for i in 0..CHILDREN_MAX {
        let path = format!("/users/{}/orders", name(i));
        assert_eq!(fold(&path), path);
    }
    assert_eq!(fold("/users/zorro/orders"), "/users/{name}/orders");
    assert_eq!(fold("/users/aka/orders"), "/users/{name}/orders");
    assert_eq!(fold("/users/aka"), "/users/{name}");
    assert_eq!(fold("/users/12/orders"), "/users/{id}/orders");
    assert_eq!(fold("/users/"), "/users/");
    assert_eq!(fold("/teams/aka/orders"), "/teams/aka/orders");
    assert_eq!(templates.len(), 5, "those below the names are gone");
}

#[test]
fn first_segments_are_routes_for_longer() {
    let mut templates = Templates::new();
    let letters = |i: usize| [b'a' + (i / 26) as u8, b'a' + (i % 26) as u8].map(char::from);
    for i in 0..ROOT_CHILDREN_MAX {
        let path: String = ['/'].into_iter().chain(letters(i)).collect();
        assert_eq!(*templates.fold(&(), L7Protocol::Http11, &path), path);
    }
    assert_eq!(&*templates.fold(&(), L7Protocol::Http11, "/zz"), "/{name}");
    assert_eq!(templates.len(), 1);
}

/// Paths of which no two parents are the same, so that nothing folds to names.
fn distinct(i: usize) -> String {
    let word = |i: usize| char::from(b'a' + i as u8);
    format!("/{}/{}/{}", word(i / 100 % 10), word(i / 10 % 10), word(i % 10))
}

#[test]
fn a_service_has_a_bounded_number_of_templates() {
    let mut templates = Templates::new();
    for i in 0..1000 {
        let template = templates.fold(&1, L7Protocol::Http11, &distinct(i));
        assert_eq!(&*template == OTHER, i >= TEMPLATES_PER_SERVICE_MAX, "{i}");
    }
    assert_eq!(&*templates.fold(&1, L7Protocol::Grpc, "/a.B/C"), OTHER);
    assert_eq!(&*templates.fold(&1, L7Protocol::Http11, "/a/a/a"), "/a/a/a", "known ones stay");
    assert_eq!(&*templates.fold(&2, L7Protocol::Http11, "/a/a/z"), "/a/a/z", "others have room");
    assert_eq!(templates.len(), TEMPLATES_PER_SERVICE_MAX + 1);
}

#[test]
fn all_services_together_have_a_bounded_number() {
    let mut templates = Templates::new();
    for service in 0..100 {
        for i in 0..TEMPLATES_PER_SERVICE_MAX {
            templates.fold(&service, L7Protocol::Http11, &distinct(i));
        }
    }
    assert_eq!(templates.len(), TEMPLATES_MAX);
    assert_eq!(&*templates.fold(&1000, L7Protocol::Http11, "/new"), OTHER);
    assert!(templates.services.len() <= TEMPLATES_MAX);

    templates.end_window();
    assert_eq!(templates.len(), TEMPLATES_MAX, "all of them were asked for");
    for service in 0..7 {
        templates.fold(&service, L7Protocol::Http11, &distinct(0));
    }
    templates.end_window();
    assert_eq!(templates.len(), 7 * TEMPLATES_PER_SERVICE_MAX, "the others make room");
    assert_eq!(&*templates.fold(&1000, L7Protocol::Http11, "/new"), "/new");
    templates.end_window();
    templates.end_window();
    assert_eq!(&*templates.fold(&1, L7Protocol::Http11, &distinct(1)), distinct(1));
    assert_eq!(templates.len(), 7 * TEMPLATES_PER_SERVICE_MAX + 1, "where there is room all stay");
}

#[test]
fn the_same_paths_give_the_same_templates() {
    let paths: Vec<String> = (0..2000).map(|i| format!("/x{}/y{}/{i}", i % 70, i % 7)).collect();
    let fold = || {
        let mut templates = Templates::new();
        paths.iter().map(|path| templates.fold(&(), L7Protocol::Http11, path)).collect::<Vec<_>>()
    };
    assert_eq!(fold(), fold());
}
