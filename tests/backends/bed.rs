//! The servers, each on a free port with data of its own, and the page that they scrape.

use jiff::Timestamp;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Instant;
use tempfile::TempDir;

/// Where go.mod with its tool block is.
const MODULE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/backends");

/// `secret`, as `htpasswd -B` writes it.
const HASH: &str = "$2y$05$Zs7hq0rbYyhuIsBaZ1cVbu80XAyKexIP58KbVfjYB.SnBM9AdUkNm";

/// A folder for everything.
pub(crate) struct Bed(TempDir);

/// A running server; it ends with the test.
pub(crate) struct Server<'b> {
    pub(crate) url: String,
    child: Child,
    _bed: &'b Bed,
}

/// A page with a gauge that says what it is told, a counter of ten a second, and a gauge that says when
/// it was measured.
pub(crate) struct Page {
    address: SocketAddr,
    waiting: Arc<Mutex<f64>>,
    measured: Arc<Mutex<Option<Timestamp>>>,
    more: Arc<Mutex<&'static str>>,
}

impl Page {
    pub(crate) fn start() -> Self {
        let waiting = Arc::new(Mutex::new(42.0));
        let (shown, begin) = (Arc::clone(&waiting), Instant::now());
        let measured = Arc::new(Mutex::new(None));
        let last = Arc::clone(&measured);
        let more = Arc::<Mutex<&'static str>>::default();
        let lines = Arc::clone(&more);
        let page = move || {
            let (waiting, requests) =
                (*shown.lock().unwrap(), 10.0 * begin.elapsed().as_secs_f64());
            let measured = last.lock().unwrap().unwrap_or_else(Timestamp::now).as_millisecond();
            format!(
                "# TYPE measured gauge\nmeasured 7 {measured}\n\
                 # TYPE waiting gauge\nwaiting{{pod=\"a\"}} {}\nwaiting{{pod=\"b\"}} 2\n\
                 # TYPE requests_total counter\nrequests_total {requests}\n{}",
                waiting - 2.0,
                lines.lock().unwrap(),
            )
        };
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        // It ends with the process of the tests.
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let mut stream = stream;
                // Whatever is asked for, there is one page; who asks reads it or does not.
                drop(stream.read(&mut [0; 4096]));
                let page = page();
                let head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close";
                let length = page.len();
                drop(write!(stream, "{head}\r\nContent-Length: {length}\r\n\r\n{page}"));
            }
        });
        Self { address, waiting, measured, more }
    }

    /// Has these lines, too, from now on.
    pub(crate) fn add(&self, lines: &'static str) {
        *self.more.lock().unwrap() = lines;
    }

    /// Measures the third series no more, or again. Its last sample is said over and over with the time
    /// that it had, so that no server sees it end.
    pub(crate) fn measure(&self, goes_on: bool) {
        *self.measured.lock().unwrap() = (!goes_on).then(Timestamp::now);
    }

    /// What the gauge adds up to from now on.
    pub(crate) fn say(&self, sum: f64) {
        *self.waiting.lock().unwrap() = sum;
    }
}

impl Bed {
    pub(crate) fn new() -> Self {
        let bed = Self(tempfile::tempdir().unwrap());
        bed.make_certificates();
        bed
    }

    pub(crate) fn file(&self, name: &str) -> String {
        self.0.path().join(name).to_str().unwrap().to_owned()
    }

    pub(crate) fn prometheus_2(&self, page: &Page) -> Server<'_> {
        let program = on_path("prometheus", "apt-get install prometheus");
        let web = format!("basic_auth_users: {{foresail: {HASH}}}\n");
        self.prometheus("two", &program, "http", &web, page)
    }

    pub(crate) fn prometheus_3(&self, page: &Page) -> Server<'_> {
        let [ca, certificate, key] = ["ca.pem", "server.pem", "server.key"].map(|it| self.file(it));
        let web = format!(
            "tls_server_config: {{cert_file: '{certificate}', key_file: '{key}', \
             client_ca_file: '{ca}', client_auth_type: RequireAndVerifyClientCert}}\n"
        );
        self.prometheus("three", &built(), "https", &web, page)
    }

    fn prometheus(
        &self,
        name: &str,
        program: &Path,
        scheme: &str,
        web: &str,
        page: &Page,
    ) -> Server<'_> {
        let web_file = self.file(&format!("{name}.web.yaml"));
        fs::write(&web_file, web).unwrap();
        let port = free_port();
        let arguments = [
            format!("--config.file={}", self.scrape_file(page)),
            format!("--storage.tsdb.path={}", self.file(name)),
            format!("--web.listen-address=127.0.0.1:{port}"),
            format!("--web.config.file={web_file}"),
        ];
        self.start(name, program, &arguments, format!("{scheme}://127.0.0.1:{port}"))
    }

    pub(crate) fn victoria_metrics(&self, page: &Page) -> Server<'_> {
        let program = on_path("victoria-metrics", "apt-get install victoria-metrics");
        let port = free_port();
        let arguments = [
            format!("-promscrape.config={}", self.scrape_file(page)),
            format!("-storageDataPath={}", self.file("victoria")),
            format!("-httpListenAddr=127.0.0.1:{port}"),
            // Range queries repeat an older value for as long; nothing in a request changes that.
            "-search.latencyOffset=1ms".to_owned(),
        ];
        self.start("victoria", &program, &arguments, format!("http://127.0.0.1:{port}"))
    }

    fn start(&self, name: &str, program: &Path, arguments: &[String], url: String) -> Server<'_> {
        let log = File::create(self.file(&format!("{name}.log"))).unwrap();
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::null());
        command.stdout(log.try_clone().unwrap()).stderr(log);
        Server { url, child: command.spawn().unwrap(), _bed: self }
    }

    fn scrape_file(&self, page: &Page) -> String {
        let file = self.file("scrape.yaml");
        let text = format!(
            "global: {{scrape_interval: 1s}}\nscrape_configs:\n  - job_name: page\n    \
             honor_timestamps: true\n    static_configs: [{{targets: ['{}']}}]\n",
            page.address
        );
        fs::write(&file, text).unwrap();
        file
    }

    /// An authority, a server's certificate for a name at which it does not lie, a client's, and one that no
    /// authority made.
    fn make_certificates(&self) {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let authority = params.self_signed(&key).unwrap();
        fs::write(self.file("ca.pem"), authority.pem()).unwrap();
        let issuer = Issuer::new(params, key);
        let stranger = KeyPair::generate().unwrap();
        let own = CertificateParams::new(["foresail.example".to_owned()]).unwrap();
        let certificate = own.self_signed(&stranger).unwrap();
        fs::write(self.file("stranger.pem"), certificate.pem()).unwrap();
        fs::write(self.file("stranger.key"), stranger.serialize_pem()).unwrap();
        for (name, host) in [("server", "prometheus.example"), ("client", "foresail.example")] {
            let key = KeyPair::generate().unwrap();
            let params = CertificateParams::new([host.to_owned()]).unwrap();
            let certificate = params.signed_by(&key, &issuer).unwrap();
            fs::write(self.file(&format!("{name}.pem")), certificate.pem()).unwrap();
            fs::write(self.file(&format!("{name}.key")), key.serialize_pem()).unwrap();
        }
    }
}

impl Drop for Server<'_> {
    fn drop(&mut self) {
        // It may have ended; then there is nothing to kill, and waiting reaps it.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn on_path(program: &str, how: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    // Where Go's own instructions put it; a login shell finds it there, a bare one may not.
    let usual = [PathBuf::from("/usr/local/go/bin")];
    let mut candidates = std::env::split_paths(&path).chain(usual).map(|it| it.join(program));
    let found = candidates.find(|it| it.is_file());
    found.unwrap_or_else(|| panic!("this test needs `{program}`: `make setup`, or {how}"))
}

/// Prometheus 3, built once for each content of go.mod and go.sum (about five minutes on two cores).
fn built() -> PathBuf {
    let mut hasher = DefaultHasher::new();
    for file in ["go.mod", "go.sum"] {
        fs::read(Path::new(MODULE).join(file)).unwrap().hash(&mut hasher);
    }
    let variable = |name| std::env::var_os(name).map(PathBuf::from);
    let home = || variable("HOME").map(|it| it.join(".cache"));
    let cache = variable("FORESAIL_TESTBED_CACHE").unwrap_or_else(|| {
        variable("XDG_CACHE_HOME").or_else(home).unwrap().join("foresail-testbed")
    });
    fs::create_dir_all(&cache).unwrap();
    let folder = cache.join(format!("prometheus-{:016x}", hasher.finish()));
    // Whoever comes second waits here and then finds it done. The lock goes with its holder.
    let lock = File::create(folder.with_extension("lock")).unwrap();
    lock.lock().unwrap();
    let program = folder.join("prometheus");
    if !program.is_file() {
        let go = on_path("go", "1.26 or newer: https://go.dev/dl");
        let partial = folder.with_extension("partial");
        let mut command = Command::new(go);
        command.args(["-C", MODULE, "build", "-ldflags=-s -w", "-o"]).arg(&partial).arg("tool");
        fs::create_dir_all(&partial).unwrap();
        assert!(command.status().unwrap().success(), "Prometheus 3 cannot be built");
        fs::rename(&partial, &folder).unwrap();
    }
    program
}
