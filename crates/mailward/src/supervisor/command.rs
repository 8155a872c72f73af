//! Runs the administrator's commands: for one message of alerts, and virus scanners that are programs.

use crate::compose::privilege;
use crate::failure::Failure;
use crate::place::Place;
use mailward_core::config::EngineLine;
use mailward_core::limits::{
    ALERT_COMMAND_OUTPUT_MAX, ALERT_COMMAND_OUTPUT_READ, ALERT_COMMAND_TIME, ANTIVIRUS_COMMAND_TIME,
};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::{Gid, Pid, Uid, User, geteuid};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::Notify;
use tokio::time::timeout;

/// All that the command finds in its environment.
const ENVIRONMENT: [(&str, &str); 2] =
    [("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"), ("LANG", "C.UTF-8")];

/// What is run, as the configuration had it when the supervisor started.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    words: Vec<String>,
    /// Whom to become, if somebody else; or why that can't be.
    user: Result<Option<(u32, u32)>, String>,
    /// Whether it is to gain no rights: who runs as the server's user can be led by a server that was taken over.
    confined: bool,
    time: Duration,
}

/// What came of it.
#[derive(Debug)]
pub(super) struct Ended {
    /// Its exit code, if it ended by itself.
    pub(super) code: Option<u8>,
    pub(super) failed: Option<String>,
    pub(super) output: String,
    /// It was started, and may have read of its input.
    pub(super) started: bool,
}

impl Plan {
    /// As the configuration says; `None` if nothing is to be run.
    pub(super) fn of(place: &Place) -> Result<Option<Self>, Failure> {
        let config = place.config();
        if config.alerts.command.is_empty() {
            return Ok(None);
        }
        let name = if config.alerts.command_user.is_empty() { &config.user } else { &config.alerts.command_user };
        let user = if name.is_empty() { Ok(None) } else { become_whom(name)? };
        let server = privilege::server_user(&place.loaded)?;
        let confined = match &user {
            Ok(Some((uid, _))) => *uid == server.0.as_raw(),
            _ => true,
        };
        Ok(Some(Self { words: config.alerts.command.clone(), user, confined, time: ALERT_COMMAND_TIME }))
    }

    /// Engines of `antivirus.engines` that are programs, by their places there. They run as the server's user and can gain no
    /// rights: they read what strangers wrote.
    pub(super) fn of_engines(place: &Place) -> Result<Vec<Option<Self>>, Failure> {
        let config = place.config();
        let user = if config.user.is_empty() { Ok(None) } else { become_whom(&config.user)? };
        let plan = |line: &EngineLine| match line {
            EngineLine::Command { words, .. } => {
                Some(Self { words: words.clone(), user: user.clone(), confined: true, time: ANTIVIRUS_COMMAND_TIME })
            }
            _ => None,
        };
        Ok(config.antivirus.engines.iter().map(plan).collect())
    }
}

/// What is to be said of it before the server gives up its rights.
pub(crate) fn notes(place: &Place) -> Result<Vec<String>, Failure> {
    let (alerts, mut notes) = (&place.config().alerts, Vec::new());
    let Some(program) = alerts.command.first() else { return Ok(notes) };
    let (uid, gid) = privilege::server_user(&place.loaded)?;
    let mut note = |key, what: String| notes.push(place.loaded.fault(key, what).to_string());
    let named = User::from_name(&alerts.command_user).ok().flatten().filter(|_| !alerts.command_user.is_empty());
    if named.is_some_and(|user| user.uid == uid) && geteuid().is_root() {
        let what = "is the server's own user, who can then lead what it runs: name another";
        note("alerts.command_user", what.to_owned());
    }
    if !uid.is_root() && changeable_by(Path::new(program), uid, gid) {
        let what = "can be changed by the server's user: it should be root's, with the directories that it is in";
        note("alerts.command", what.to_owned());
    }
    Ok(notes)
}

/// Whether a user can change a file, or have another one in its place.
fn changeable_by(path: &Path, uid: Uid, gid: Gid) -> bool {
    const STICKY: u32 = 0o1000;
    let Ok(path) = path.canonicalize() else { return false };
    path.ancestors().filter_map(|path| path.metadata().ok()).any(|status| {
        let others = status.mode() & 0o002 != 0 || (status.mode() & 0o020 != 0 && status.gid() == gid.as_raw());
        // In such a directory everybody has their own.
        let theirs_alone = status.is_dir() && status.mode() & STICKY != 0;
        status.uid() == uid.as_raw() || (others && !theirs_alone)
    })
}

/// Root becomes anybody; others stay who they are.
fn become_whom(name: &str) -> Result<Result<Option<(u32, u32)>, String>, Failure> {
    let user = User::from_name(name).map_err(|e| Failure::sys(format!("user {name}"), e))?;
    let me = geteuid();
    Ok(match user {
        None if me.is_root() => Err(format!("there is no user {name}")),
        Some(user) if me.is_root() => Ok(Some((user.uid.as_raw(), user.gid.as_raw()))),
        Some(user) if user.uid != me => {
            Err(format!("user {name} has to run it, and the server wasn't started as root: alerts.command_user"))
        }
        // A server that runs as somebody else than configured has said so.
        _ => Ok(None),
    })
}

/// Runs it, with these bytes on its standard input. In every case nothing of its process group runs any more when this
/// ends.
pub(super) async fn run(plan: &Plan, input: impl AsRef<[u8]> + Send + 'static) -> Ended {
    let failed = |why: String| Ended { code: None, failed: Some(why), output: String::new(), started: false };
    let user = match &plan.user {
        Ok(user) => *user,
        Err(why) => return failed(why.clone()),
    };
    let Some((program, words)) = plan.words.split_first() else { return failed("there is no command".to_owned()) };
    let mut command = Command::new(program);
    command.args(words).env_clear().envs(ENVIRONMENT).current_dir("/").process_group(0).kill_on_drop(true);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    if let Some((uid, gid)) = user {
        // The group first; the standard library also drops all others when it changes the user.
        command.gid(gid).uid(uid);
    }
    let mut child = match start(command, plan.confined) {
        Ok(child) => child,
        Err(error) => return failed(format!("it can't be started: {error}")),
    };
    let group = child.id().and_then(|id| i32::try_from(id).ok()).map(|id| Group(Pid::from_raw(id)));
    let output = Arc::new(Output::default());
    let mut tasks = tokio::task::JoinSet::new();
    if let Some(to) = child.stdin.take() {
        tasks.spawn(feed(to, input));
    }
    if let Some(from) = child.stdout.take() {
        tasks.spawn(keep(from, Arc::clone(&output)));
    }
    if let Some(from) = child.stderr.take() {
        tasks.spawn(keep(from, Arc::clone(&output)));
    }
    let (code, failed) = tokio::select! {
        // Whoever writes too much may end of that, as nobody reads on: why comes first.
        biased;
        () = output.over.notified() => {
            (None, Some(format!("it was killed after {ALERT_COMMAND_OUTPUT_READ} bytes of output")))
        }
        ended = child.wait() => why(ended),
        () = tokio::time::sleep(plan.time) => {
            (None, Some(format!("it was killed after {} seconds", plan.time.as_secs())))
        }
    };
    drop(group);
    // The last of its output is in the pipe; nobody can write more.
    let _late = timeout(Duration::from_secs(1), async { while tasks.join_next().await.is_some() {} }).await;
    let _reaped = timeout(Duration::from_secs(1), child.wait()).await;
    Ended { code, failed, output: output.text(), started: true }
}

/// What was started and all that it left behind; killed when this goes, also when the server is gone in the middle of it.
struct Group(Pid);

impl Drop for Group {
    fn drop(&mut self) {
        // There may be nobody left.
        let _gone = killpg(self.0, Signal::SIGKILL);
    }
}

/// Starts it from a thread of its own that has given up the firewall, in which the command has no part, and what it could
/// gain. (Linux keeps both by thread.)
fn start(mut command: Command, confined: bool) -> std::io::Result<Child> {
    let runtime = tokio::runtime::Handle::current();
    let started = std::thread::spawn(move || {
        if !geteuid().is_root() {
            privilege::without_network_admin()?;
        }
        if confined {
            nix::sys::prctl::set_no_new_privs()?;
        }
        let _within = runtime.enter();
        command.spawn()
    });
    started.join().unwrap_or_else(|_| Err(std::io::Error::other("a fault of the supervisor")))
}

/// Its exit code, and why that is a failure.
fn why(ended: std::io::Result<ExitStatus>) -> (Option<u8>, Option<String>) {
    match ended {
        Ok(status) => {
            let code = status.code().and_then(|code| u8::try_from(code).ok());
            (code, (!status.success()).then(|| format!("it ended with {status}")))
        }
        Err(error) => (None, Some(format!("its end can't be told: {error}"))),
    }
}

async fn feed(mut to: ChildStdin, input: impl AsRef<[u8]>) {
    // It needn't read.
    let _unread = to.write_all(input.as_ref()).await;
}

/// What it wrote first.
#[derive(Default)]
struct Output {
    kept: Mutex<(Vec<u8>, usize)>,
    over: Notify,
}

impl Output {
    /// Takes what was read; whether more may come.
    fn take(&self, bytes: &[u8]) -> bool {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let room = ALERT_COMMAND_OUTPUT_MAX.saturating_sub(kept.0.len());
        kept.0.extend(bytes.iter().take(room));
        kept.1 = kept.1.saturating_add(bytes.len());
        kept.1 <= ALERT_COMMAND_OUTPUT_READ
    }
    fn text(&self) -> String {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&kept.0).into_owned()
    }
}

async fn keep(mut from: impl AsyncRead + Unpin, output: Arc<Output>) {
    let mut piece = vec![0; 16 * 1024];
    while let Ok(read) = from.read(&mut piece).await
        && read > 0
    {
        if !output.take(piece.get(..read).unwrap_or_default()) {
            output.over.notify_one();
            return;
        }
    }
}

#[cfg(test)]
impl Plan {
    /// A shell's.
    pub(super) fn script(script: &str) -> Self {
        let words = ["/bin/sh", "-c", script].map(str::to_owned).to_vec();
        Self { words, user: Ok(None), confined: true, time: Duration::from_secs(30) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(script: &str, time: Duration) -> Plan {
        Plan { words: ["/bin/sh", "-c", script].map(str::to_owned).to_vec(), user: Ok(None), confined: true, time }
    }

    const LONG: Duration = Duration::from_secs(30);

    #[tokio::test]
    async fn the_command_gets_the_alert_on_its_input_and_nothing_else_from_us() {
        let ended = run(&plan("cat; env | sort; pwd; echo $#", LONG), "{\"a\":\"$(id)\"}\n").await;
        assert_eq!(ended.failed, None);
        let lines: Vec<&str> = ended
            .output
            .lines()
            .filter(|l| {
                !l.starts_with("PWD=") && !l.starts_with("_=") && !l.starts_with("SHLVL=") && !l.starts_with("OLDPWD=")
            })
            .collect();
        let path = format!("PATH={}", ENVIRONMENT[0].1);
        assert_eq!(lines, ["{\"a\":\"$(id)\"}", "LANG=C.UTF-8", &path, "/", "0"]);
    }

    #[tokio::test]
    async fn one_that_runs_as_the_server_s_user_can_gain_no_rights() {
        let mut plan = plan("grep NoNewPrivs: /proc/self/status", LONG);
        assert_eq!(run(&plan, "").await.output, "NoNewPrivs:\t1\n");
        // The thread alone is closed, not who starts others later.
        plan.confined = false;
        let ours = std::fs::read_to_string("/proc/self/status").unwrap();
        let ours = ours.lines().find(|line| line.starts_with("NoNewPrivs:")).unwrap();
        assert_eq!(run(&plan, "").await.output.trim_end(), ours);
    }

    #[test]
    fn a_program_is_changeable_by_its_owner_its_group_everybody_and_whoever_has_a_directory_above_it() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let (within, file) = (dir.path().join("bin"), dir.path().join("bin/page-me"));
        std::fs::create_dir(&within).unwrap();
        std::fs::write(&file, "").unwrap();
        let mode = |path: &Path, mode| std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
        let status = file.metadata().unwrap();
        let (owner, group) = (Uid::from_raw(status.uid()), Gid::from_raw(status.gid()));
        let (stranger, strangers) = (Uid::from_raw(4_711), Gid::from_raw(4_711));
        for (directory, program, by_group, by_all) in [
            (0o755, 0o755, false, false),
            (0o755, 0o775, true, false),
            (0o755, 0o757, true, true),
            (0o775, 0o755, true, false),
            (0o777, 0o755, true, true),
            (0o1777, 0o755, false, false),
        ] {
            mode(&within, directory);
            mode(&file, program);
            assert!(changeable_by(&file, owner, strangers));
            assert_eq!(changeable_by(&file, stranger, group), by_group, "{directory:o} {program:o}");
            assert_eq!(changeable_by(&file, stranger, strangers), by_all, "{directory:o} {program:o}");
        }
        assert!(!changeable_by(&dir.path().join("none"), owner, group));
    }

    #[tokio::test]
    async fn one_that_fails_can_t_be_started_or_does_not_read_is_told() {
        let ended = run(&plan("echo no >&2; exit 3", LONG), "x".repeat(1 << 20)).await;
        assert_eq!((ended.output.as_str(), ended.code), ("no\n", Some(3)));
        assert!(ended.failed.unwrap().contains("exit status: 3"));
        let missing =
            Plan { words: vec!["/nonexistent/page-me".to_owned()], user: Ok(None), confined: true, time: LONG };
        assert!(run(&missing, "").await.failed.unwrap().contains("can't be started"));
        let stranger =
            Plan { words: vec!["/bin/true".to_owned()], user: Err("no".to_owned()), confined: true, time: LONG };
        assert_eq!(run(&stranger, "").await.failed.unwrap(), "no");
    }

    #[tokio::test]
    async fn one_that_hangs_forks_or_never_stops_talking_is_killed_with_all_that_it_started() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("pid").display().to_string();
        let ended = run(&plan(&format!("sleep 600 & echo $! > {file}; wait"), Duration::from_millis(500)), "").await;
        assert!(ended.failed.unwrap().contains("killed after"));
        let text = std::fs::read_to_string(&file).unwrap();
        let pid = Pid::from_raw(text.trim().parse().unwrap());
        // Killed; whoever takes care of orphans may not have reaped it.
        let state = || std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        while !(state().is_empty() || state().contains(") Z ")) {
            tokio::task::yield_now().await;
        }
        // One that ends well leaves nothing behind either.
        let ended = run(&plan(&format!("sleep 600 & echo $! > {file}"), LONG), "").await;
        assert_eq!(ended.failed, None);
        let ended = run(
            &plan("while :; do echo xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx; done", LONG),
            "",
        )
        .await;
        assert!(ended.failed.unwrap().contains("bytes of output"));
        assert_eq!(ended.output.len(), ALERT_COMMAND_OUTPUT_MAX);
    }
}
