//! Asks the programs of this host. Words, places and environment are fixed; what is late is killed with all it started.

use super::{Missed, Program, Programs, Said};
use mailward_core::limits::{AUDIT_FILE_MAX, AUDIT_PROGRAM_TIME};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use std::io::Read;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

/// Where programs are looked for, and what they find in their environment.
const PATH: &str = "/usr/sbin:/usr/bin:/sbin:/bin";

/// What is left in the pipes once nobody can write any more is read within this.
const LAST_BYTES: Duration = Duration::from_secs(1);

/// The programs of this host.
#[derive(Clone, Debug)]
pub struct HostPrograms {
    directories: Vec<PathBuf>,
    /// Is there where systemd runs the host (sd_booted(3)).
    systemd: PathBuf,
    time: Duration,
    most: u64,
}

impl Default for HostPrograms {
    fn default() -> Self {
        let directories = PATH.split(':').map(PathBuf::from).collect();
        Self { directories, systemd: "/run/systemd/system".into(), time: AUDIT_PROGRAM_TIME, most: AUDIT_FILE_MAX }
    }
}

/// What its watchers tell of a program that runs.
enum News {
    Ended,
    Out(Vec<u8>),
    Err(Vec<u8>),
    TooMuch,
}

impl Programs for HostPrograms {
    fn ask(&self, program: Program) -> Result<Said, Missed> {
        let name = program.to_string();
        if program.asks_systemd() && !self.systemd.is_dir() {
            return Err(Missed::NotReached(format!("systemd doesn't run this host, so {name} has nothing to say")));
        }
        let Some((first, words)) = program.words().split_first() else { return Err(Missed::NoProgram(name)) };
        let path = self.directories.iter().map(|directory| directory.join(first)).find(|path| path.is_file());
        let path = path.ok_or_else(|| Missed::NoProgram((*first).to_owned()))?;
        let odd = |why: String| Missed::Odd(name.clone(), why);
        let mut child = Command::new(path)
            .args(words)
            .env_clear()
            .env("LC_ALL", "C")
            .env("PATH", PATH)
            .current_dir("/")
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| odd(format!("it can't be started: {error}")))?;
        let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        let (tell, hear) = channel();
        if let Some(pipe) = child.stdout.take() {
            read_on(pipe, self.most, tell.clone(), News::Out);
        }
        if let Some(pipe) = child.stderr.take() {
            read_on(pipe, self.most, tell.clone(), News::Err);
        }
        if let Some(pid) = group {
            // It stays a zombie, so that its group's number is nobody else's when the group is killed.
            std::thread::spawn(move || {
                let _ended = waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT);
                let _nobody_listens = tell.send(News::Ended);
            });
        }
        let mut said = Said { code: -1, out: Vec::new(), err: Vec::new() };
        let ended = self.listen(&hear, &mut said);
        if let Some(pid) = group {
            let _nobody_left = kill_process_group(pid, Signal::KILL);
        }
        let status = child.wait().map_err(|error| odd(error.to_string()))?;
        ended.map_err(odd)?;
        said.code = status.code().or_else(|| status.signal().map(|signal| signal.saturating_add(128))).unwrap_or(-1);
        // Its children may have held the pipes, which are closed now.
        while let Ok(news) = hear.recv_timeout(LAST_BYTES) {
            match news {
                News::Out(bytes) => said.out = bytes,
                News::Err(bytes) => said.err = bytes,
                News::TooMuch => return Err(Missed::Odd(name, too_much(self.most))),
                News::Ended => {}
            }
        }
        Ok(said)
    }
}

impl HostPrograms {
    /// Until it ends, writes too much, or is late.
    fn listen(&self, hear: &Receiver<News>, said: &mut Said) -> Result<(), String> {
        let began = Instant::now();
        loop {
            match hear.recv_timeout(self.time.saturating_sub(began.elapsed())) {
                Ok(News::Ended) => return Ok(()),
                Ok(News::Out(bytes)) => said.out = bytes,
                Ok(News::Err(bytes)) => said.err = bytes,
                Ok(News::TooMuch) => return Err(too_much(self.most)),
                Err(_) => return Err(format!("no answer within {} seconds, so it was killed", self.time.as_secs())),
            }
        }
    }
}

fn too_much(most: u64) -> String {
    format!("it was killed after {most} bytes of output")
}

/// Reads a pipe on a thread of its own, which ends when nobody can write to it.
fn read_on(pipe: impl Read + Send + 'static, most: u64, tell: Sender<News>, news: fn(Vec<u8>) -> News) {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let _as_far_as_it_went = pipe.take(most.saturating_add(1)).read_to_end(&mut bytes);
        let too_much = u64::try_from(bytes.len()).unwrap_or(u64::MAX) > most;
        let _nobody_listens = tell.send(if too_much { News::TooMuch } else { news(bytes) });
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    /// A directory with one program in it.
    fn host(name: &str, script: &str, time: Duration) -> (tempfile::TempDir, HostPrograms) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(name);
        std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        let systemd = directory.path().to_owned();
        let programs = HostPrograms { directories: vec![directory.path().to_owned()], systemd, time, most: 4096 };
        (directory, programs)
    }

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn a_program_gets_its_fixed_words_and_nothing_of_our_environment() {
        let (_directory, programs) = host("nft", "echo \"$# $1 $LC_ALL $HOME\"; env >&2; cat; exit 3", LONG);
        let said = programs.ask(Program::NftRuleset).unwrap();
        assert_eq!((said.code, String::from_utf8(said.out).unwrap()), (3, "3 -j C \n".to_owned()));
        let environment = String::from_utf8(said.err).unwrap();
        let mut names: Vec<&str> = environment.lines().filter_map(|line| line.split('=').next()).collect();
        names.retain(|name| !["PWD", "_", "SHLVL", "OLDPWD"].contains(name));
        names.sort_unstable();
        assert_eq!(names, ["LC_ALL", "PATH"]);
    }

    #[test]
    fn programs_of_this_host_have_their_time_and_no_more() {
        let programs = HostPrograms::default();
        assert_eq!((programs.time, programs.most), (AUDIT_PROGRAM_TIME, AUDIT_FILE_MAX));
    }

    #[test]
    fn what_is_late_is_killed_with_what_it_started() {
        let (directory, programs) =
            host("chronyc", "sleep 600 & echo $! > \"$(dirname \"$0\")/child\"; wait", Duration::from_secs(1));
        let missed = programs.ask(Program::ChronyTracking).unwrap_err();
        assert!(matches!(&missed, Missed::Odd(_, why) if why.contains("killed")), "{missed}");
        let child = std::fs::read_to_string(directory.path().join("child")).unwrap();
        // It was told to die; when it does is the system's to say, soon.
        let path = format!("/proc/{}/status", child.trim());
        let lives = || {
            std::fs::read_to_string(&path)
                .is_ok_and(|status| status.contains("State:\tS") || status.contains("State:\tR"))
        };
        let begun = std::time::Instant::now();
        while lives() && begun.elapsed() < LONG {
            std::thread::yield_now();
        }
        assert!(!lives());
    }

    #[test]
    fn what_it_leaves_behind_keeps_nobody_waiting() {
        let (_directory, programs) = host("timedatectl", "sleep 600 & echo NTP=yes", LONG);
        assert_eq!(programs.ask(Program::TimeSettings).unwrap().out, b"NTP=yes\n");
    }

    #[test]
    fn a_program_that_writes_without_end_is_killed() {
        let (_directory, programs) = host("auditctl", "while :; do echo a line without end; done", LONG);
        let missed = programs.ask(Program::AuditRules).unwrap_err();
        assert!(matches!(&missed, Missed::Odd(_, why) if why.contains("4096 bytes")), "{missed}");
    }

    #[test]
    fn where_systemd_does_not_run_its_programs_are_not_asked() {
        let (directory, mut programs) = host("systemctl", "echo mailward.service", Duration::from_secs(20));
        assert_eq!(programs.ask(Program::EnabledUnits).unwrap().out, b"mailward.service\n");
        programs.systemd = directory.path().join("none");
        let missed = programs.ask(Program::EnabledUnits).unwrap_err();
        assert!(missed.to_string().starts_with("systemd doesn't run this host"), "{missed}");
    }

    #[test]
    fn a_program_that_is_not_here_is_missed() {
        let (_directory, programs) = host("another", "", LONG);
        assert_eq!(programs.ask(Program::AuditRules), Err(Missed::NoProgram("auditctl".to_owned())));
    }
}
