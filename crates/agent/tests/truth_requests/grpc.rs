//! gRPC through its own library, many calls at once over one connection; what the client got is the
//! witness of codes, what server and client waited that of latencies.

use weir_testkit::Need;

use crate::watch::{Watch, lacks};
use crate::witness::Log;

/// What `grpc_client.py` calls.
const CALLS: usize = 109;

#[test]
fn grpc_interleaved() {
    if lacks("grpc_interleaved", &[Need::PythonModule("grpc")]) {
        return;
    }
    let watch = Watch::new();
    let address = watch.address();
    let server = watch.serve(watch.python("grpc_server.py").args([&*address, "7201"]));
    let log = watch.path("log");
    watch.ask(watch.python("grpc_client.py").args([&*address, "7201", &log]));
    drop(server);
    let log = Log::read(&watch, "log", false);
    assert_eq!(log.0.len(), CALLS);
    log.judge(&watch, 7201);
    assert_eq!(watch.lost(), [].into(), "all was understood");
}

/// Of a call that passes more than is copied, the frames behind the copy are not seen.
#[test]
fn grpc_of_large_messages_is_told_or_counted_as_lost() {
    let test = "grpc_of_large_messages_is_told_or_counted_as_lost";
    if lacks(test, &[Need::PythonModule("grpc")]) {
        return;
    }
    let watch = Watch::new();
    let address = watch.address();
    let server = watch.serve(watch.python("grpc_server.py").args([&*address, "7202"]));
    let log = watch.path("log");
    watch.ask(watch.python("grpc_client.py").args([&*address, "7202", &log, "large"]));
    drop(server);
    watch.settle();
    let calls = (CALLS + 20) as u64;
    let lost: u64 = watch.lost().values().sum();
    assert!(lost > 0, "calls of 200 kB are not copied whole");
    let told = watch.told("incoming", 7202);
    let [requests, unanswered] = [
        told.values().map(|(count, _)| count.requests).sum::<u64>(),
        told.values().map(|(count, _)| count.unanswered).sum::<u64>(),
    ];
    assert!((calls.saturating_sub(lost)..=calls).contains(&requests), "{requests}, {lost} lost");
    assert!(unanswered <= 3, "{unanswered} unanswered, more than its clients gave up");
}
