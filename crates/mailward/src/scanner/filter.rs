//! Which of the kernel's calls a worker may make. Any other one ends the process.

use nix::libc;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen as Length, SeccompCmpOp as Is, SeccompCondition as Condition,
    SeccompFilter, SeccompRule as Rule, TargetArch,
};
use std::collections::BTreeMap;
use std::fmt::Display;
use std::os::fd::RawFd;

/// On the socket and on nothing else.
const ON_THE_SOCKET: [i64; 6] =
    [libc::SYS_read, libc::SYS_write, libc::SYS_readv, libc::SYS_writev, libc::SYS_recvfrom, libc::SYS_sendto];
/// They make memory, none that can be executed.
const NOT_EXECUTABLE: [i64; 2] = [libc::SYS_mmap, libc::SYS_mprotect];
/// As they are: memory, time, random numbers, signals to itself, the end.
const FREE: [i64; 18] = [
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_brk,
    libc::SYS_madvise,
    libc::SYS_futex,
    libc::SYS_clock_gettime,
    libc::SYS_getrandom,
    libc::SYS_getrusage,
    libc::SYS_sched_yield,
    libc::SYS_sigaltstack,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_restart_syscall,
    libc::SYS_getpid,
    libc::SYS_gettid,
    libc::SYS_exit,
    libc::SYS_exit_group,
];

/// Puts the filter in force, for good.
pub(super) fn filter(socket: RawFd) -> Result<(), String> {
    let program = program(socket).map_err(failed)?;
    seccompiler::apply_filter(&program).map_err(failed)
}

fn failed(why: impl Display) -> String {
    format!("it can't close itself up (seccomp): {why}")
}

fn program(socket: RawFd) -> Result<BpfProgram, seccompiler::BackendError> {
    let number = |of: i32| u64::try_from(of).unwrap_or(u64::MAX);
    let mut rules = BTreeMap::new();
    for call in ON_THE_SOCKET {
        rules.insert(call, vec![Rule::new(vec![Condition::new(0, Length::Dword, Is::Eq, number(socket))?])?]);
    }
    let executable = number(libc::PROT_EXEC);
    for call in NOT_EXECUTABLE {
        rules.insert(call, vec![Rule::new(vec![Condition::new(2, Length::Qword, Is::MaskedEq(executable), 0)?])?]);
    }
    // `abort` sends itself a signal; to others it must not.
    let ourselves = u64::from(std::process::id());
    rules.insert(libc::SYS_tgkill, vec![Rule::new(vec![Condition::new(0, Length::Dword, Is::Eq, ourselves)?])?]);
    rules.extend(FREE.map(|call| (call, Vec::new())));
    let machine = TargetArch::try_from(std::env::consts::ARCH)?;
    SeccompFilter::new(rules, SeccompAction::KillProcess, SeccompAction::Allow, machine)?.try_into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_filter_can_be_made_for_this_machine() {
        assert!(!program(0).unwrap().is_empty());
    }

    /// What reaches files, networks, other processes or more rights stands in none of the lists.
    #[test]
    fn nothing_that_opens_connects_or_executes_is_allowed() {
        let allowed: Vec<i64> = ON_THE_SOCKET.into_iter().chain(NOT_EXECUTABLE).chain(FREE).collect();
        for never in [
            libc::SYS_openat,
            libc::SYS_openat2,
            libc::SYS_socket,
            libc::SYS_connect,
            libc::SYS_bind,
            libc::SYS_sendmsg,
            libc::SYS_recvmsg,
            libc::SYS_execve,
            libc::SYS_execveat,
            libc::SYS_clone,
            libc::SYS_clone3,
            libc::SYS_ptrace,
            libc::SYS_kill,
            libc::SYS_ioctl,
            libc::SYS_prctl,
            libc::SYS_prlimit64,
            libc::SYS_mount,
            libc::SYS_unshare,
            libc::SYS_bpf,
            libc::SYS_io_uring_setup,
            libc::SYS_memfd_create,
            libc::SYS_process_vm_writev,
        ] {
            assert!(!allowed.contains(&never), "{never}");
        }
    }
}
