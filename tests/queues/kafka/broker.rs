//! A Kafka from Maven Central's jars, run by the machine's Java, and Kafka's own tools.

use super::certificates;
use crate::bed::{Server, free_port, made_once};
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

pub(super) const PASSWORD: &str = "hidden-kafka-0123";
pub(super) const WRONG: &str = "hidden-wrong-4567";

/// How long a broker lets somebody go on who has shown a token.
const SESSION_MILLISECONDS: u32 = 2_000;

/// Names the jars.
const POM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/queues/kafka/pom.xml");

/// A small machine starts several of these at once.
const JAVA: [&str; 3] = ["-Xmx256m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"];

pub(super) struct Kafka {
    pub(super) server: Server,
    /// Where everybody may ask.
    pub(super) port: u16,
    /// Where a name and a password are wanted.
    pub(super) login_port: u16,
    /// Where a certificate is wanted.
    pub(super) mutual_port: u16,
    /// Where a token is wanted.
    pub(super) token_port: u16,
    jars: PathBuf,
}

impl Kafka {
    pub(super) fn start() -> Self {
        let jars = jars();
        let ports = [(); 5].map(|()| free_port());
        let [port, login_port, mutual_port, token_port, _] = ports;
        let prepared = |folder: &Path| {
            let properties = folder.join("server.properties");
            fs::write(&properties, settings(ports, folder)).unwrap();
            certificates::write(folder);
            fs::write(folder.join("password"), format!("{PASSWORD}\n")).unwrap();
            fs::write(folder.join("wrong"), WRONG).unwrap();
            let properties = properties.display().to_string();
            let users = ["SCRAM-SHA-256", "SCRAM-SHA-512"]
                .map(|mechanism| format!("{mechanism}=[name=me,password={PASSWORD}]"));
            let [one, other] = users.each_ref().map(String::as_str);
            let users = ["--add-scram", one, "--add-scram", other];
            let format = ["format", "-t", "AAAAAAAAAAAAAAAAAAAAAA", "-c", &properties];
            run(&jars, "kafka.tools.StorageTool", &[format.as_slice(), &users].concat(), "");
            java(&jars, "kafka.Kafka").into_iter().chain([properties]).collect()
        };
        let server = Server::start(("kafka", "java"), port, prepared);
        Self { server, port, login_port, mutual_port, token_port, jars }
    }

    /// Makes a topic with so many messages in each of its partitions.
    pub(super) fn topic(&self, name: &str, messages: &[usize]) {
        let count = messages.len().to_string();
        let arguments = ["--create", "--topic", name, "--partitions", &count];
        self.tool("org.apache.kafka.tools.TopicCommand", &arguments, "");
        for (partition, count) in messages.iter().enumerate().filter(|(_, count)| **count > 0) {
            self.produce(name, messages.len(), partition, *count);
        }
    }

    /// Sends messages to a partition: with a key that leads there, since the tool takes no number.
    pub(super) fn produce(&self, topic: &str, of: usize, partition: usize, count: usize) {
        let leads_there = |key: &String| {
            usize::try_from(murmur2(key.as_bytes()) & 0x7fff_ffff).unwrap() % of == partition
        };
        let key = (0..).map(|it| format!("k{it}")).find(leads_there).unwrap();
        let properties = ["--property", "parse.key=true", "--property", "key.separator=:"];
        let arguments = [["--topic", topic].as_slice(), &properties].concat();
        self.tool(
            "kafka.tools.ConsoleProducer",
            &arguments,
            &format!("{key}:work\n").repeat(count),
        );
    }

    /// Has a group commit offsets for partitions.
    pub(super) fn commit(&self, group: &str, topic: &str, offsets: &[(i32, i64)]) {
        let file = self.server.folder().join("offsets.csv");
        let lines = offsets.iter().map(|(partition, it)| format!("{topic},{partition},{it}\n"));
        fs::write(&file, lines.collect::<String>()).unwrap();
        let file = file.display().to_string();
        self.groups(&["--group", group, "--reset-offsets", "--from-file", &file, "--execute"]);
    }

    /// The lag of each partition for which a group has committed something, as Kafka tells it.
    pub(super) fn lag(&self, group: &str, topic: &str) -> Vec<(i32, i64)> {
        let said = self.groups(&["--group", group, "--describe"]);
        let rows = said.lines().map(|it| it.split_whitespace().collect::<Vec<_>>());
        let rows = rows.filter(|it| it.len() > 5 && it[0] == group && it[1] == topic);
        let mut lag: Vec<(i32, i64)> =
            rows.map(|it| (it[2].parse().unwrap(), it[5].parse().unwrap())).collect();
        lag.sort_unstable();
        lag
    }

    fn groups(&self, arguments: &[&str]) -> String {
        self.tool("org.apache.kafka.tools.consumer.group.ConsumerGroupCommand", arguments, "")
    }

    fn tool(&self, class: &str, arguments: &[&str], input: &str) -> String {
        let server = format!("127.0.0.1:{}", self.port);
        let arguments = [["--bootstrap-server", &server].as_slice(), arguments].concat();
        run(&self.jars, class, &arguments, input)
    }
}

fn settings(ports: [u16; 5], folder: &Path) -> String {
    let [port, login, mutual, token, controller] = ports;
    let listeners = format!(
        "PLAINTEXT://127.0.0.1:{port},LOGIN://127.0.0.1:{login},MUTUAL://127.0.0.1:{mutual},\
         TOKEN://127.0.0.1:{token}"
    );
    let protocols =
        "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,LOGIN:SASL_SSL,MUTUAL:SSL,TOKEN:SASL_SSL";
    let mut lines = vec![
        "process.roles=broker,controller".to_owned(),
        "node.id=1".to_owned(),
        format!("controller.quorum.voters=1@127.0.0.1:{controller}"),
        "controller.listener.names=CONTROLLER".to_owned(),
        format!("listeners={listeners},CONTROLLER://127.0.0.1:{controller}"),
        format!("advertised.listeners={listeners}"),
        format!("listener.security.protocol.map={protocols}"),
        format!("log.dirs={}", folder.join("data").display()),
        // One broker cannot hold three copies of what groups have committed.
        "offsets.topic.replication.factor=1".to_owned(),
        "offsets.topic.num.partitions=1".to_owned(),
        // A crash loses nothing that was acknowledged.
        "log.flush.interval.messages=1".to_owned(),
    ];
    lines.extend(logins(folder).map(|it| format!("listener.name.{it}")));
    lines.iter().map(|it| format!("{it}\n")).collect()
}

/// How each listener but the first wants to know who asks.
fn logins(folder: &Path) -> impl Iterator<Item = String> {
    let of_security = |class: &str| format!("org.apache.kafka.common.security.{class}");
    let scram = of_security("scram.ScramLoginModule");
    let plain = of_security("plain.PlainLoginModule");
    let bearer = of_security("oauthbearer.OAuthBearerLoginModule");
    let file = |name: &str| folder.join(name).display().to_string();
    let identity = ["login", "mutual", "token"].map(|listener| {
        let location = file("identity.pem");
        [
            format!("{listener}.ssl.keystore.type=PEM"),
            format!("{listener}.ssl.keystore.location={location}"),
        ]
    });
    let own = [
        "login.sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512".to_owned(),
        format!("login.scram-sha-256.sasl.jaas.config={scram} required;"),
        format!("login.scram-sha-512.sasl.jaas.config={scram} required;"),
        format!("login.plain.sasl.jaas.config={plain} required user_me=\"{PASSWORD}\";"),
        "mutual.ssl.client.auth=required".to_owned(),
        "mutual.ssl.truststore.type=PEM".to_owned(),
        format!("mutual.ssl.truststore.location={}", file("clients.pem")),
        "token.sasl.enabled.mechanisms=OAUTHBEARER".to_owned(),
        // Kafka's own validator of tokens that nobody signed: it looks at scope and time.
        format!(
            "token.oauthbearer.sasl.jaas.config={bearer} required unsecuredLoginStringClaim_sub=\"it\" \
             unsecuredValidatorRequiredScope=\"lag\";"
        ),
        // No session outlives this, however long its token is good.
        format!("token.oauthbearer.connections.max.reauth.ms={SESSION_MILLISECONDS}"),
    ];
    identity.into_iter().flatten().chain(own)
}

/// The jars, which Maven fetches once for each state of the POM.
fn jars() -> PathBuf {
    let mut hasher = DefaultHasher::new();
    fs::read(POM).unwrap().hash(&mut hasher);
    made_once(&format!("kafka-{:016x}", hasher.finish()), |folder| {
        let mut maven = Command::new("mvn");
        maven.args(["--batch-mode", "--quiet", "--file", POM, "dependency:copy-dependencies"]);
        let folder = folder.display();
        maven.args([format!("-DoutputDirectory={folder}"), "-Dmdep.useBaseVersion".to_owned()]);
        let output = maven.output().expect("`mvn` is missing: run `make setup`");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    })
}

/// What follows `java` to run a class of the jars.
fn java(jars: &Path, class: &str) -> Vec<String> {
    let jars = jars.join("*").display().to_string();
    JAVA.into_iter().chain(["-cp", &jars, class]).map(str::to_owned).collect()
}

fn run(jars: &Path, class: &str, arguments: &[&str], input: &str) -> String {
    let mut command = Command::new("java");
    command.args(java(jars, class)).args(arguments);
    let (from, to) = (Stdio::piped(), Stdio::piped());
    let mut child = command.stdin(from).stdout(to).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let erred = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{class} {arguments:?}: {said}{erred}");
    said
}

/// Austin Appleby's MurmurHash2 with Kafka's seed: by it Kafka's clients choose the partition.
fn murmur2(data: &[u8]) -> u32 {
    const M: u32 = 0x5bd1_e995;
    let mut hash = 0x9747_b28c ^ u32::try_from(data.len()).unwrap();
    let (words, rest) = data.as_chunks::<4>();
    for word in words {
        let mut k = u32::from_le_bytes(*word).wrapping_mul(M);
        k ^= k >> 24;
        hash = hash.wrapping_mul(M) ^ k.wrapping_mul(M);
    }
    if !rest.is_empty() {
        for (at, byte) in rest.iter().enumerate() {
            hash ^= u32::from(*byte) << (8 * at);
        }
        hash = hash.wrapping_mul(M);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(M);
    hash ^ (hash >> 15)
}
