//! Lists, sets, hashes and streams of a real Redis.

use crate::bed::{Server, TIMEOUT, adapter, free_port, outlives_its_server, shows_none_of};
use redis::Cmd;

const PASSWORD: &str = "hidden-redis-0123";
const WRONG: &str = "hidden-wrong-4567";

struct Redis {
    server: Server,
    port: u16,
}

impl Redis {
    fn start() -> Self {
        let port = free_port();
        let arguments = |folder: &std::path::Path| {
            let folder = folder.display().to_string();
            let port = port.to_string();
            let persists = ["--appendonly", "yes", "--appendfsync", "always", "--dir", &folder];
            let mut arguments = vec!["--port", &port, "--bind", "127.0.0.1"];
            arguments.extend(["--requirepass", PASSWORD, "--enable-debug-command", "yes"]);
            arguments.extend(persists);
            arguments.into_iter().map(str::to_owned).collect()
        };
        let server = Server::start(("redis", "redis-server"), port, arguments);
        std::fs::write(server.folder().join("password"), format!("{PASSWORD}\n")).unwrap();
        std::fs::write(server.folder().join("wrong"), WRONG).unwrap();
        Self { server, port }
    }

    /// What a person would type after `redis-cli`.
    fn run(&self, line: &str) {
        let url = format!("redis://:{PASSWORD}@127.0.0.1:{}/", self.port);
        let mut connection = redis::Client::open(url).unwrap().get_connection().unwrap();
        let mut command = Cmd::new();
        line.split(' ').for_each(|word| _ = command.arg(word));
        command.query::<redis::Value>(&mut connection).unwrap_or_else(|it| panic!("{line}: {it}"));
    }

    fn signal(&self, kind: &str, more: &str) -> String {
        let file = self.server.folder().join("password");
        let (port, file) = (self.port, file.display());
        format!(
            "{{{kind}: {{address: '127.0.0.1:{port}', timeout: {TIMEOUT}, {more}, \
             passwordFrom: {{file: '{file}'}}}}}}"
        )
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_count_of_a_redis_is_what_keda_counts() {
    let redis = Redis::start();
    for line in [
        "RPUSH list a b c",
        "SADD set a b",
        "ZADD zset 1 a",
        "HSET hash a 1 b 2 c 3 d 4",
        "SET text x",
        "XADD stream * n 1",
        "XADD stream * n 2",
        "XADD stream * n 3",
        "XGROUP CREATE stream workers 0",
        "XREADGROUP GROUP workers w1 COUNT 2 STREAMS stream >",
        "XACK stream workers 0-1",
    ] {
        redis.run(line);
    }
    let list = |key: &str| redis.signal("redis", &format!("listName: {key}"));
    let stream = |more: &str| redis.signal("redisStreams", &format!("stream: {more}"));
    let signals = [
        ("list", list("list"), "3"),
        ("set", list("set"), "2"),
        ("zset", list("zset"), "1"),
        ("hash", list("hash"), "4"),
        ("emptied", list("nothing"), "0"),
        ("length", stream("stream"), "3"),
        ("pending", stream("stream, consumerGroup: workers"), "2"),
        ("pendingtoo", stream("stream, consumerGroup: workers, pendingEntriesCount: 5"), "2"),
        ("lag", stream("stream, consumerGroup: workers, lagCount: 5"), "1"),
        ("lagofnobody", stream("stream, consumerGroup: nobody, lagCount: 5"), "3"),
        ("lagofnothing", stream("nothing, consumerGroup: nobody, lagCount: 5"), "0"),
        ("text", list("text"), "`text` is a string, not a list, set, sorted set or hash"),
        ("astream", list("stream"), "`stream` is a stream"),
        ("nogroup", stream("stream, consumerGroup: nobody"), "answered: NOGROUP No such key"),
    ];
    let written: Vec<(&str, String)> =
        signals.iter().map(|(name, signal, _)| (*name, signal.clone())).collect();
    let adapter = adapter(&written).await;
    for (name, _, expected) in &signals {
        if expected.parse::<u32>().is_ok() {
            adapter.serves(name, expected).await;
        } else {
            adapter.refuses(name, &["source redis://127.0.0.1:", expected]).await;
        }
    }
    redis.run("XDEL stream 0-1");
    redis.run("RPUSH list d");
    adapter.serves("list", "4").await;
    let source =
        format!("foresail_source_reads_total{{source=\"redis://127.0.0.1:{}\"", redis.port);
    assert!(adapter.metric(&source).await.unwrap() > 0.0);
    let names: Vec<&str> = signals.iter().map(|it| it.0).collect();
    shows_none_of(&adapter, &names, &[PASSWORD]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_goes_away_is_an_error_and_comes_back_by_itself() {
    let mut redis = Redis::start();
    redis.run("RPUSH jobs a b c d e");
    let adapter = adapter(&[("jobs", redis.signal("redis", "listName: jobs"))]).await;
    let metric = ("jobs", "5");
    let refused = ["source redis://127.0.0.1:", "connection refused"];
    outlives_its_server(&mut redis.server, &adapter, metric, &refused, async || {}).await;
    shows_none_of(&adapter, &["jobs"], &[PASSWORD]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_that_is_corrected_is_taken_up_and_never_shown() {
    let redis = Redis::start();
    redis.run("RPUSH jobs a b");
    let signal = redis.signal("redis", "listName: jobs");
    let wrong = signal.replace("/password", "/wrong");
    let missing = signal.replace("/password", "/missing");
    let signals = [("wrong", wrong), ("missing", missing)];
    let adapter = adapter(&signals).await;
    adapter.refuses("wrong", &["answered: the user name or the password is wrong"]).await;
    adapter.refuses("missing", &["the password cannot be read: file ", "No such file"]).await;
    for file in ["wrong", "missing"] {
        std::fs::write(redis.server.folder().join(file), PASSWORD).unwrap();
    }
    adapter.serves("wrong", "2").await;
    adapter.serves("missing", "2").await;
    shows_none_of(&adapter, &["wrong", "missing"], &[PASSWORD, WRONG]).await;
}
