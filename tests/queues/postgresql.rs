//! Queries on a real PostgreSQL.

use crate::bed::{Server, TIMEOUT, adapter, free_port, outlives_its_server, shows_none_of};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const PASSWORD: &str = "hidden-postgres-0123";
const WRONG: &str = "hidden-wrong-4567";

struct Postgresql {
    server: Server,
    port: u16,
}

/// Debian keeps the servers of each version in a folder of its own.
fn programs() -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").expect("run `make setup`");
    let newest = versions.flatten().map(|it| it.path().join("bin")).max();
    newest.expect("Debian's postgresql")
}

/// It does not run as root: then it runs as the user whom Debian has for it.
fn unprivileged(program: &str) -> Vec<String> {
    let program = programs().join(program).display().to_string();
    let is_root = Command::new("id").arg("-u").output().unwrap().stdout == b"0\n";
    let head = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"];
    let head = head.iter().filter(|_| is_root).map(|it| (*it).to_owned());
    head.chain([program]).collect()
}

fn run(line: &[String]) {
    let (program, arguments) = line.split_first().unwrap();
    let output = Command::new(program).args(arguments).env("LC_ALL", "C").output().unwrap();
    assert!(output.status.success(), "{line:?}: {output:?}");
}

impl Postgresql {
    fn start() -> Self {
        let port = free_port();
        let mut command = unprivileged("postgres");
        let program = command.remove(0);
        let prepared = |folder: &Path| {
            let data = folder.join("data");
            fs::create_dir(&data).unwrap();
            fs::write(folder.join("password"), format!("{PASSWORD}\n")).unwrap();
            fs::write(folder.join("wrong"), WRONG).unwrap();
            let url =
                format!("postgresql://me:{PASSWORD}@127.0.0.1:{port}/postgres?sslmode=disable");
            fs::write(folder.join("connection"), url).unwrap();
            if unprivileged("postgres").len() > 1 {
                run(&["chown".into(), "postgres".into(), data.display().to_string()]);
                run(&["chmod".into(), "711".into(), folder.display().to_string()]);
            }
            let mut initdb = unprivileged("initdb");
            let password = folder.join("password").display().to_string();
            let of = ["-U", "me", "-A", "scram-sha-256", "--no-sync", "-E", "UTF8", "--locale=C"];
            initdb.extend(of.iter().map(|it| (*it).to_owned()));
            initdb.extend([format!("--pwfile={password}"), data.display().to_string()]);
            run(&initdb);
            command.extend(["-D".into(), data.display().to_string(), "-p".into()]);
            command.extend([port.to_string(), "-h".into(), "127.0.0.1".into(), "-k".into()]);
            command.extend(["".into(), "-c".into(), "fsync=off".into()]);
            command
        };
        let server = Server::start(("postgres", &program), port, prepared);
        let postgresql = Self { server, port };
        postgresql.run("CREATE TABLE jobs (id serial, done boolean DEFAULT false)");
        postgresql.run("INSERT INTO jobs (done) SELECT i <= 2 FROM generate_series(1, 9) i");
        postgresql
    }

    /// What a person would type after `psql -c`.
    fn run(&self, statement: &str) {
        let url = fs::read_to_string(self.server.folder().join("connection")).unwrap();
        let command = || Command::new("psql").args(["-q", "-d", &url, "-c", statement]).output();
        let begin = std::time::Instant::now();
        loop {
            let output = command().unwrap();
            if output.status.success() {
                return;
            }
            // It listens before it is done with its start.
            assert!(begin.elapsed().as_secs() < 30, "{statement}: {output:?}");
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
    }

    fn signal(&self, query: &str) -> String {
        let file = self.server.folder().join("password");
        let (port, file) = (self.port, file.display());
        format!(
            "{{postgresql: {{host: 127.0.0.1, port: {port}, userName: me, dbName: postgres, \
             sslmode: disable, timeout: {TIMEOUT}, query: \"{query}\", \
             passwordFrom: {{file: '{file}'}}}}}}"
        )
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_number_of_a_query_is_read_and_anything_else_is_an_error() {
    let postgresql = Postgresql::start();
    let connection = postgresql.server.folder().join("connection");
    let waiting = "SELECT count(*) FROM jobs WHERE NOT done";
    let connected = format!(
        "{{postgresql: {{query: '{waiting}', connectionFrom: {{file: '{}'}}}}}}",
        connection.display()
    );
    let signal = |query: &str| postgresql.signal(query);
    let wrong = signal("SELECT 1").replace("/password", "/wrong");
    let tls = signal("SELECT 1").replace("disable", "verify-full");
    let signals = [
        ("count", signal(waiting), "7"),
        ("connected", connected, "7"),
        ("numeric", signal("SELECT 2.5::numeric"), "2500m"),
        ("text", signal("SELECT '4'"), "4"),
        ("norow", signal("SELECT id FROM jobs WHERE id = 0"), "the query answers no row"),
        ("rows", signal("SELECT id FROM jobs"), "the query answers more than one row"),
        ("columns", signal("SELECT 1, 2"), "the query answers more than one column"),
        ("nullish", signal("SELECT max(id) FROM jobs WHERE id = 0"), "the query answers NULL"),
        ("words", signal("SELECT 'many'"), "something else than a number"),
        ("nan", signal("SELECT 'NaN'::float"), "the answer is NaN"),
        ("negative", signal("SELECT -1"), "the answer is negative"),
        (
            "notable",
            signal("SELECT 1 FROM nowhere"),
            "answered: relation \\\"nowhere\\\" does not exist",
        ),
        ("slow", signal("SELECT 1 FROM pg_sleep(60)"), "no answer within 2s"),
        ("wrong", wrong, "answered: password authentication failed for user"),
        ("tls", tls, "source postgresql://127.0.0.1:"),
    ];
    let written: Vec<(&str, String)> =
        signals.iter().map(|(name, signal, _)| (*name, signal.clone())).collect();
    let adapter = adapter(&written).await;
    for (name, _, expected) in &signals {
        if expected.chars().all(|c| c.is_ascii_digit() || c == 'm') {
            adapter.serves(name, expected).await;
        } else {
            adapter
                .refuses(name, &["source postgresql://127.0.0.1:", &expected.replace('\\', "")])
                .await;
        }
    }
    postgresql.run("UPDATE jobs SET done = true WHERE id = 9");
    adapter.serves("count", "6").await;
    adapter.serves("connected", "6").await;
    let names: Vec<&str> = signals.iter().map(|it| it.0).collect();
    shows_none_of(&adapter, &names, &[PASSWORD, WRONG]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_that_nobody_waits_for_is_cancelled() {
    let postgresql = Postgresql::start();
    let slow = postgresql.signal("SELECT 1 FROM pg_sleep(1000)").replace("2s", "500ms");
    let running = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(1000)%' \
                   AND state = 'active' AND pid <> pg_backend_pid()";
    let adapter = adapter(&[("slow", slow), ("running", postgresql.signal(running))]).await;
    adapter.refuses("slow", &["no answer within 500ms"]).await;
    // Several have been asked by now; one at most is still at work.
    tokio::time::sleep(std::time::Duration::from_secs(3)).await;
    let values = adapter.external("running").await.unwrap().values().unwrap();
    assert!(["0", "1"].contains(&values[0].as_str()), "{values:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_postgresql_that_goes_away_is_an_error_and_comes_back_by_itself() {
    let mut postgresql = Postgresql::start();
    let signal = postgresql.signal("SELECT count(*) FROM jobs");
    let adapter = adapter(&[("jobs", signal)]).await;
    let metric = ("jobs", "9");
    let refused = ["source postgresql://127.0.0.1:", "connection refused"];
    outlives_its_server(&mut postgresql.server, &adapter, metric, &refused, async || {}).await;
    shows_none_of(&adapter, &["jobs"], &[PASSWORD]).await;
}
