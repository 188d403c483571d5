//! One process of the bed: started under the keeper, its output in a file, stopped by pid.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use super::keeper::Keeper;
use super::wait;

/// Waits for one line before it becomes the program: we write it once the keeper knows the pid, so
/// there is no moment at which we can die and leave the program behind.
const START_GATE: &str = r#"read -r line && [ "$line" = go ] && exec "$0" "$@" </dev/null"#;

/// An API server that closes its watches needs a few seconds; more is a hang.
const STOP_DEADLINE: Duration = Duration::from_secs(15);

/// Enough of a log to hold the reason behind the flood of "retrying" at its end.
const LOG_TAIL_LINES: usize = 30;

/// A running program; dropping it stops it.
#[derive(Debug)]
pub(crate) struct Process {
    name: String,
    child: Child,
    log: PathBuf,
    exit: Option<ExitStatus>,
    keeper: Arc<Keeper>,
}

impl Process {
    /// Starts `program`; its output is appended to `NAME.log` in the run's folder.
    pub(crate) fn start(
        keeper: &Arc<Keeper>,
        name: &str,
        program: &Path,
        arguments: &[String],
    ) -> Self {
        let log = keeper.folder().join(format!("{name}.log"));
        let output = File::options().create(true).append(true).open(&log).unwrap();
        let mut child = Command::new("sh")
            .args(["-c", START_GATE])
            .arg(program)
            .args(arguments)
            .current_dir(keeper.folder())
            // Nothing of the person's own settings (kubeconfig, proxies' caches) may leak in.
            .env("HOME", keeper.folder())
            .env_remove("KUBECONFIG")
            .stdin(Stdio::piped())
            .stdout(output.try_clone().unwrap())
            .stderr(output)
            .process_group(0)
            .spawn()
            .expect("every Debian has sh");
        keeper.register(child.id());
        let mut gate = child.stdin.take().unwrap();
        gate.write_all(b"go\n").unwrap();
        Self { name: name.to_owned(), child, log, exit: None, keeper: Arc::clone(keeper) }
    }

    /// The process id, for a look from outside.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Everything it has written so far.
    pub(crate) fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// The exit status if it has ended.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        if self.exit.is_none() {
            self.exit = self.child.try_wait().unwrap();
            if self.exit.is_some() {
                self.keeper.forget(self.child.id());
            }
        }
        self.exit
    }

    /// Polls `probe` until it answers; an early end or a passed deadline shows the log's tail.
    #[track_caller]
    pub(crate) fn wait_ready(
        &mut self,
        deadline: Duration,
        mut probe: impl FnMut() -> Result<(), String>,
    ) {
        let mut exit = None;
        let outcome = wait::poll(deadline, || {
            exit = self.ended();
            if exit.is_some() { Ok(()) } else { probe() }
        });
        let problem = match (exit, outcome) {
            (Some(status), _) => format!("ended with {status}"),
            (None, Err(state)) => format!("is not ready after {deadline:?}: {state}"),
            (None, Ok(())) => return,
        };
        panic!("{} {problem}\nthe end of {}:\n{}", self.name, self.log.display(), self.log_tail());
    }

    /// SIGTERM, then SIGKILL when it does not listen; gives back how it ended.
    pub(crate) fn stop(&mut self) -> Option<ExitStatus> {
        self.signal("TERM");
        let started = Instant::now();
        while self.ended().is_none() {
            if started.elapsed() > STOP_DEADLINE {
                return self.kill();
            }
            thread::sleep(Duration::from_millis(20));
        }
        self.exit
    }

    /// SIGKILL: a crash, as seen from outside.
    pub(crate) fn kill(&mut self) -> Option<ExitStatus> {
        if self.ended().is_none() {
            self.child.kill().ok();
            self.exit = self.child.wait().ok();
            self.keeper.forget(self.child.id());
        }
        self.exit
    }

    /// Sends a signal by its name; nothing happens when the process has ended.
    pub(crate) fn signal(&mut self, name: &str) {
        if self.ended().is_none() {
            signal(self.pid(), name);
        }
    }

    fn log_tail(&self) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        lines.iter().skip(lines.len().saturating_sub(LOG_TAIL_LINES)).fold(
            String::new(),
            |mut tail, line| {
                tail.push_str(line);
                tail.push('\n');
                tail
            },
        )
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Sends a signal by its name (the shell's own `kill`: a minimal Debian has no other).
pub(crate) fn signal(pid: u32, name: &str) {
    let script = r#"kill -s "$0" "$1" 2>/dev/null"#;
    Command::new("sh").args(["-c", script, name, &pid.to_string()]).status().unwrap();
}

/// Whether a process with this number exists and is not just a zombie that nobody waited for.
pub(crate) fn is_alive(pid: u32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| {
        let state = stat.rsplit(')').next().unwrap_or_default().trim_start().chars().next();
        state != Some('Z')
    })
}
