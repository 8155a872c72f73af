//! What the host leaves a server that is asked for too much.

use crate::area::Area;
use crate::control::{Check, Control};
use crate::host::reading::{Answer, Demands, base, processes, tell, units};
use crate::host::{Host, Missed};
use crate::scene::Scene;

const DENIAL: Control = base(Area::Denial);

pub(in crate::controls) const HOST: &[Control] = &[
    Control {
        id: "DOS-08",
        weight: 10,
        question: "Is there room for mail: five in a hundred of bytes and of files?",
        why: "A full disk is the simplest way to stop a server, and the worst one for its database.",
        verified: "statvfs of the data directory. (That the server refuses mail for now before it is full is tested in its own tests.)",
        mend: "Make room: `mailward user list` shows who has most; give the file system more.",
        source: "OpenSMTPD, queue_fs: MINSPACE and MININODES",
        check: Check::Look(|scene| tell(there_is_room(scene))),
        ..DENIAL
    },
    Control {
        id: "DOS-09",
        question: "May the server take only so much memory, so many processes and files?",
        why: "Without a bound of its own it takes the host along when somebody finds a way to make it grow.",
        verified: "The limits of the server's cgroup and process, else its unit: MemoryMax, TasksMax, LimitNOFILE.",
        mend: "systemctl edit mailward: [Service] MemoryMax=2G, TasksMax=512, LimitNOFILE=8192; systemctl restart mailward.",
        source: "systemd.resource-control, systemd.exec",
        check: Check::Look(|scene| tell(growth_is_bounded(scene))),
        ..DENIAL
    },
];

const ROOM: u8 = 5;

fn there_is_room(scene: &Scene) -> Answer {
    let host = &scene.host;
    let space = host.space(&host.ours_here().data)?;
    let mut demands = Demands::default();
    demands.ask(space.bytes_free >= ROOM, format!("{} % of the bytes are free", space.bytes_free));
    demands.ask(space.files_free >= ROOM, format!("{} % of the files are free", space.files_free));
    demands.show(format!("room at {}", host.ours_here().data), format!("{space:?}"));
    Ok(demands.finding_of_all("there is room for mail"))
}

fn growth_is_bounded(scene: &Scene) -> Answer {
    let host = &scene.host;
    let mut demands = Demands::default();
    let unit = units::service(host);
    let pid = scene.state().ok().and_then(|state| state.pid);
    let (memory, tasks, files) = match pid {
        Some(pid) => {
            let (memory, tasks) = of_group(host, pid)?;
            let limits = host.live(&format!("/proc/{pid}/limits"))?;
            let files = processes::limit(&limits, "Max open files");
            demands.show(
                format!("/proc/{pid}/limits and its cgroup"),
                format!("memory {memory:?}, tasks {tasks:?}, files {files:?}"),
            );
            (memory, tasks, files)
        }
        None => {
            let unit = unit?;
            demands.show(unit.read_from.as_str(), unit.shown(&["MemoryMax", "TasksMax", "LimitNOFILE"]));
            let bound = |key: &str| unit.get(key).filter(|value| *value != "infinity").map(|_| 1_u64);
            (bound("MemoryMax"), bound("TasksMax"), bound("LimitNOFILE"))
        }
    };
    demands.ask(memory.is_some(), "its memory has no limit: MemoryMax");
    demands.ask(tasks.is_some(), "its processes have no limit: TasksMax");
    demands.ask(files.is_some(), "its open files have no limit: LimitNOFILE");
    Ok(demands.finding("the server's growth is bounded"))
}

/// The limits of memory and tasks of a process's cgroup and those above it; `None`: there is no limit.
fn of_group(host: &Host, pid: u32) -> Result<(Option<u64>, Option<u64>), Missed> {
    let groups = host.live(&format!("/proc/{pid}/cgroup"))?;
    // Version 2 has one line, without a controller's name (cgroups(7)).
    let group = groups.lines().find_map(|line| line.strip_prefix("0::"));
    let group =
        group.ok_or_else(|| Missed::Odd(format!("/proc/{pid}/cgroup"), "it has no group of version 2".to_owned()))?;
    let (mut memory, mut tasks) = (None, None);
    let mut at = group.trim_end_matches('/');
    loop {
        for (file, limit) in [("memory.max", &mut memory), ("pids.max", &mut tasks)] {
            let text = host.text_if_there(&format!("/sys/fs/cgroup{at}/{file}"))?;
            // `max` is no number: no limit.
            let found = text.and_then(|text| text.trim().parse::<u64>().ok());
            *limit = [*limit, found].into_iter().flatten().min();
        }
        match at.rsplit_once('/') {
            Some((above, _)) => at = above,
            None => return Ok((memory, tasks)),
        }
    }
}
