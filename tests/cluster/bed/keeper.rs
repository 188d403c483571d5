//! The keeper: a small shell that outlives this process and clears up after it.
//!
//! `Drop` runs when a test passes or panics, not when the test binary is killed, and never for a
//! `static`. The keeper holds the reading end of a pipe whose writing end only we have: when we are
//! gone, however that came about, the pipe ends and the keeper kills what still runs, youngest
//! first, and removes the folder.

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Mutex;

/// Told `+ PID` and `- PID` on its standard input. At its end there is nobody left to wait for a
/// polite goodbye, so it is SIGKILL; removing is tried again while the killed still let go of files.
const SCRIPT: &str = r#"
running=
while read -r verb pid; do
    case $verb in
    +) running="$pid $running" ;;
    -) rest=
       for other in $running; do [ "$other" = "$pid" ] || rest="$rest $other"; done
       running=$rest ;;
    esac
done
for pid in $running; do kill -KILL "$pid" 2>/dev/null; done
[ -n "$1" ] || exit 0
for _ in 1 2 3 4 5 6 7 8 9 10; do
    rm -rf "$1" 2>/dev/null
    [ -e "$1" ] || exit 0
    sleep 0.2
done
"#;

/// Set to anything, the folder with the logs stays after the run.
const KEEP_FOLDER: &str = "FORESAIL_TESTBED_KEEP";

/// Kills the registered processes and removes the folder once this process is gone.
#[derive(Debug)]
pub(crate) struct Keeper {
    shell: Child,
    orders: Mutex<Option<ChildStdin>>,
    folder: PathBuf,
}

impl Keeper {
    /// Makes a temporary folder and a keeper for it.
    pub(crate) fn start() -> Self {
        let folder = tempfile::Builder::new().prefix("foresail-testbed-").tempdir().unwrap().keep();
        let keeps_folder = std::env::var_os(KEEP_FOLDER).is_some();
        let mut shell = Command::new("sh")
            .args(["-c", SCRIPT, "foresail-testbed-keeper"])
            .arg(if keeps_folder { Path::new("") } else { folder.as_path() })
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // Ctrl-C goes to the whole foreground group; the keeper must survive it.
            .process_group(0)
            .spawn()
            .expect("every Debian has sh");
        let orders = Mutex::new(shell.stdin.take());
        Self { shell, orders, folder }
    }

    /// The folder of this run; it goes when the keeper goes.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// From now on `pid` is killed when we are gone.
    pub(crate) fn register(&self, pid: u32) {
        self.order(&format!("+ {pid}\n"));
    }

    /// `pid` has been waited for; its number may belong to somebody else from now on.
    pub(crate) fn forget(&self, pid: u32) {
        self.order(&format!("- {pid}\n"));
    }

    fn order(&self, line: &str) {
        let mut orders = self.orders.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(pipe) = orders.as_mut() {
            pipe.write_all(line.as_bytes()).expect("the keeper listens as long as we live");
        }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        if let Ok(orders) = self.orders.get_mut() {
            *orders = None;
        }
        self.shell.wait().ok();
    }
}
