//! A host that was broken into writes what it likes.

use crate::made::{good, look};
use crate::of_the_host;
use mailward_audit::{Program, Verdict, parsers};
use proptest::prelude::*;

/// What is never true of a host, and may stand in any of its files.
fn hostile() -> Vec<Vec<u8>> {
    vec![
        b"\x1b[2J\x1b[31m\0\0\r\n\x07".to_vec(),
        vec![0xff; 300],
        vec![b'a'; 200_000],
        b"[[[[{{{{\"\"\"::::====\\\\\n\\\n".repeat(50),
        b"a:b:99999999999999999999:c\nPackage\n: x\n deb [ [ ]\n".repeat(3),
        "é\u{202e}\u{0}ü=\u{7f}\n".repeat(100).into_bytes(),
    ]
}

/// Files of text that some control judges by what stands in it.
const JUDGED: [(&str, &str); 16] = [
    ("/etc/passwd", "OSA-02"),
    ("/etc/shadow", "OSA-03"),
    ("/etc/pam.d/common-auth", "OSA-04"),
    ("/etc/sudoers", "OSA-05"),
    ("/etc/login.defs", "OSA-08"),
    ("/etc/modprobe.d/no-disks.conf", "PHY-07"),
    ("/etc/crypttab", "PHY-14"),
    ("/boot/grub/grub.cfg", "PHY-05"),
    ("/etc/ssh/sshd_config.d/10-mail.conf", "OSA-01"),
    ("/etc/mailward/audit/units", "SVC-01"),
    ("/etc/mailward/audit/program", "FIL-04"),
    ("/proc/self/mountinfo", "FIL-02"),
    ("/proc/700/status", "PRV-03"),
    ("/etc/apt/sources.list.d/debian.sources", "PAT-02"),
    ("/etc/os-release", "PAT-05"),
    ("/proc/net/tcp", "NET-01"),
];

#[test]
fn hostile_files_pass_nothing() {
    let mut made = good();
    for (path, id) in JUDGED {
        for content in hostile() {
            let finding = made.spoiled(|made| made.file(path, &content), |scene| look(scene, id));
            assert_ne!(finding.verdict, Verdict::Pass, "{id} with {path}: {}", finding.said);
        }
    }
}

#[test]
fn hostile_answers_of_programs_pass_nothing() {
    for content in hostile() {
        let mut made = good();
        for said in made.said.programs.values_mut() {
            said.out.clone_from(&content);
        }
        let unit = made.spoiled(|made| made.remove("/proc/700/mountinfo"), |scene| look(scene, "PRV-08"));
        assert_ne!(unit.verdict, Verdict::Pass, "{}", unit.said);
        let scene = made.scene();
        for id in [
            "PHY-10", "PHY-12", "PHY-13", "NET-03", "NET-04", "SVC-01", "LOG-05", "LOG-06", "PAT-09", "PRV-04",
            "PRV-07",
        ] {
            let finding = look(&scene, id);
            assert_ne!(finding.verdict, Verdict::Pass, "{id}: {}", finding.said);
        }
    }
}

#[test]
fn nothing_breaks_whatever_stands_in_every_file() {
    for content in hostile() {
        let mut made = good();
        for (path, _) in JUDGED {
            made.file(path, &content);
        }
        for path in [
            "/var/lib/dpkg/status",
            "/etc/group",
            "/proc/swaps",
            "/proc/mdstat",
            "/etc/apt/apt.conf",
            "/etc/sysctl.conf",
            "/proc/700/limits",
            "/proc/700/maps",
            "/home/ada/.ssh/authorized_keys",
            "/var/log/lastlog",
        ] {
            made.file(path, &content);
        }
        for program in [Program::EnabledUnits, Program::OurUnit, Program::AuditRules] {
            made.says(program, &String::from_utf8_lossy(&content));
        }
        let scene = made.scene();
        for control in of_the_host() {
            // A panic fails the test.
            let _finding = look(&scene, control.id);
        }
    }
}

proptest! {
    #[test]
    fn every_parser_takes_any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        parsers::all(&bytes);
    }

    #[test]
    fn every_parser_takes_what_looks_like_its_own(text in "([a-zA-Z]{1,8}|[0-9]{1,5}|[:={}\";,#\\\\/*\\[\\]~.+-]|\n|  |\t|Package: |Match |Include |NOPASSWD: |Defaults |ssh-rsa |deb | - ){0,60}") {
        parsers::all(text.as_bytes());
    }
}
