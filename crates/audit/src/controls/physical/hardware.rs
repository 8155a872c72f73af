//! What the machine's own parts tell: chassis, power, climate, disks, management processor.

use crate::finding::Finding;
use crate::host::reading::{Answer, Demands, left_to_its_host, machine, processes};
use crate::host::{Drive, Missed, Program};
use crate::scene::{Machine, Scene};

/// What only one's own metal has: why it doesn't apply elsewhere.
fn not_ours(scene: &Scene, what: &str) -> Result<Option<Finding>, Missed> {
    let (machine, sign) = machine(scene)?;
    Ok((machine != Machine::Metal).then(|| {
        let kind = if machine == Machine::Virtual { "a virtual machine" } else { "a container" };
        Finding::not_applicable(format!("this is {kind} ({sign}): {what}"))
    }))
}

pub(super) fn chassis_is_closed(scene: &Scene) -> Answer {
    if let Some(finding) = not_ours(scene, "its chassis is the provider's")? {
        return Ok(finding);
    }
    let host = &scene.host;
    let mut demands = Demands::default();
    for path in sensors(scene)? {
        let name = path.rsplit('/').next().unwrap_or_default();
        if name.starts_with("intrusion") && name.ends_with("_alarm") {
            let value = host.live(&path)?;
            demands.ask(value.trim() == "0", format!("{path}: the chassis was opened"));
            demands.show(path, value);
        }
    }
    if let Ok(said) = host.ask(Program::ChassisSensors)
        && said.code == 0
    {
        let text = String::from_utf8_lossy(&said.out).into_owned();
        for line in text.lines().filter(|line| line.contains("ntrusion") || line.contains("hassis")) {
            let state = line.split('|').nth(2).unwrap_or_default().trim();
            demands.ask(state == "ok" && !line.contains("General Chassis intrusion"), format!("a sensor says: {line}"));
        }
        demands.show(Program::ChassisSensors.to_string(), text);
    }
    if demands.is_empty() {
        return Ok(Finding::fail("no sensor says whether the chassis was opened")
            .showing("/sys/class/hwmon", "no intrusion*_alarm"));
    }
    Ok(demands.finding_of_all("nobody opened the chassis"))
}

/// Every file of the kernel's sensors.
fn sensors(scene: &Scene) -> Result<Vec<String>, Missed> {
    let host = &scene.host;
    if !host.is_running() {
        return Err(Missed::NotRunning("/sys/class/hwmon".to_owned()));
    }
    let mut files = Vec::new();
    for device in host.list_if_there("/sys/class/hwmon")? {
        files.extend(host.files_in(&format!("/sys/class/hwmon/{device}"), &[""])?);
    }
    Ok(files)
}

/// Least minutes of battery: what a clean shutdown takes, twice.
const BATTERY_MINUTES: f64 = 5.0;

pub(super) fn power_is_kept(scene: &Scene) -> Answer {
    if let Some(finding) = not_ours(scene, "its power is the provider's")? {
        return Ok(finding);
    }
    let number = |text: Option<&String>| text?.split_whitespace().next()?.parse::<f64>().ok();
    let (program, said) = match scene.host.ask(Program::ApcUps) {
        Err(Missed::NoProgram(_)) => (Program::NutUps, scene.host.ask(Program::NutUps)?),
        other => (Program::ApcUps, other?),
    };
    let text = String::from_utf8_lossy(&said.out).into_owned();
    let tells = processes::status(&text);
    let has =
        |key: &str, word: &str| tells.get(key).is_some_and(|value| value.split_whitespace().any(|one| one == word));
    let (on_line, minutes) = match program {
        Program::ApcUps => (has("STATUS", "ONLINE"), number(tells.get("TIMELEFT"))),
        _ => (has("ups.status", "OL"), number(tells.get("battery.runtime")).map(|seconds| seconds / 60.0)),
    };
    let mut demands = Demands::default();
    demands.ask(on_line, "the power supply isn't on line");
    demands.ask(
        minutes.is_some_and(|minutes| minutes >= BATTERY_MINUTES),
        "its battery lasts less than five minutes, or doesn't say",
    );
    demands.show(program.to_string(), text);
    Ok(demands.finding("power is on, and a battery is ready"))
}

pub(super) fn climate_is_good(scene: &Scene) -> Answer {
    if let Some(finding) = not_ours(scene, "its climate is the provider's")? {
        return Ok(finding);
    }
    let host = &scene.host;
    let files = sensors(scene)?;
    let number = |path: &str| -> Option<i64> { host.live(path).ok()?.trim().parse().ok() };
    let mut demands = Demands::default();
    for path in &files {
        let name = path.rsplit('/').next().unwrap_or_default();
        if name.ends_with("_alarm") && !name.starts_with("intrusion") {
            demands.ask(number(path) == Some(0), format!("{path} is on"));
        } else if let Some(stem) = path.strip_suffix("_input") {
            let Some(value) = number(path) else { continue };
            let (limit, is_good) = if name.starts_with("temp") {
                let limit = number(&format!("{stem}_crit")).or_else(|| number(&format!("{stem}_max")));
                (limit, limit.is_none_or(|most| value < most))
            } else if name.starts_with("fan") {
                let limit = number(&format!("{stem}_min"));
                (limit, limit.is_none_or(|least| value >= least))
            } else {
                (None, true)
            };
            if let Some(limit) = limit {
                demands.ask(is_good, format!("{path} is {value}, its limit {limit}"));
                demands.show(path.as_str(), format!("{value}, limit {limit}"));
            }
        }
    }
    if demands.is_empty() {
        return Ok(Finding::not_tested(
            "the kernel knows no sensor with a limit; `sensors-detect` of lm-sensors looks for them",
        ));
    }
    Ok(demands.finding("all sensors are within their limits"))
}

pub(super) fn disks_are_healthy(scene: &Scene) -> Answer {
    let host = &scene.host;
    let (machine, sign) = machine(scene)?;
    if let Some(finding) = left_to_its_host(scene, "its disks are its host's, which is audited by itself")? {
        return Ok(finding);
    }
    let mut demands = Demands::default();
    if let Some(text) = host.is_running().then(|| host.text_if_there("/proc/mdstat")).transpose()?.flatten() {
        let mut array = "";
        for line in text.lines() {
            if let Some((name, rest)) = line.split_once(" : ") {
                array = name;
                demands
                    .ask(!rest.contains("(F)") && !rest.contains("inactive"), format!("array {name}: a disk failed"));
            } else if let Some(disks) = line.rsplit_once('[').and_then(|(_, disks)| disks.trim_end().strip_suffix(']'))
                && disks.bytes().all(|disk| disk == b'U' || disk == b'_')
            {
                demands.ask(!disks.contains('_'), format!("array {array} isn't whole: [{disks}]"));
            }
        }
        demands.show("/proc/mdstat", text);
    }
    if let Ok(said) = host.ask(Program::PoolHealth) {
        let text = String::from_utf8_lossy(&said.out).into_owned();
        if !text.starts_with("no pools") {
            demands.ask(text.trim() == "all pools are healthy", "a ZFS pool isn't healthy");
            demands.show(Program::PoolHealth.to_string(), text);
        }
    }
    if machine == Machine::Virtual {
        if demands.is_empty() {
            return Ok(Finding::not_applicable(format!(
                "this is a virtual machine ({sign}) without arrays: its disks are the provider's"
            )));
        }
        return Ok(demands.finding("all arrays are whole"));
    }
    let mut unknown = None;
    if !host.is_running() {
        return Err(Missed::NotRunning("the health of disks".to_owned()));
    }
    for name in host.list("/sys/block")?.iter().filter(|name| name.starts_with("sd") || name.starts_with("nvme")) {
        match drive_is_healthy(scene, name) {
            Ok((is_healthy, said)) => {
                demands.ask(is_healthy, format!("{name} says of itself that it fails"));
                demands.show(format!("smartctl -H -j /dev/{name}"), said);
            }
            Err(missed) => unknown = Some(missed),
        }
    }
    let finding = demands.finding_of_all("all disks and arrays are healthy");
    match unknown {
        // One that fails is worse than one that isn't known.
        Some(missed) if finding.verdict == crate::Verdict::Pass => Err(missed),
        _ => Ok(finding),
    }
}

fn drive_is_healthy(scene: &Scene, name: &str) -> Result<(bool, Vec<u8>), Missed> {
    let drive = Drive::named(name)
        .ok_or_else(|| Missed::Odd(name.to_owned(), "a drive that isn't asked by name".to_owned()))?;
    let program = Program::DriveHealth(drive);
    let said = scene.host.ask(program)?;
    let json: Option<serde_json::Value> = serde_json::from_slice(&said.out).ok();
    let passed =
        json.as_ref().and_then(|json| json.pointer("/smart_status/passed")).and_then(serde_json::Value::as_bool);
    let passed =
        passed.ok_or_else(|| Missed::Odd(program.to_string(), "it doesn't say how the drive is".to_owned()))?;
    Ok((passed, said.out))
}

pub(super) fn management_is_private(scene: &Scene) -> Answer {
    if let Some(finding) = not_ours(scene, "its management processor is the provider's")? {
        return Ok(finding);
    }
    let said = scene.host.ask(Program::ManagementAddress)?;
    let text = String::from_utf8_lossy(&said.out).into_owned();
    let address: Option<std::net::Ipv4Addr> =
        processes::status(&text).get("IP Address").and_then(|value| value.parse().ok());
    let finding = match address {
        None => return Err(Missed::Odd(Program::ManagementAddress.to_string(), "it says no address".to_owned())),
        Some(address) if address.is_unspecified() || address.is_private() || address.is_link_local() => {
            Finding::pass(format!("the management processor has the private address {address}"))
        }
        Some(address) => Finding::fail(format!("the management processor has the public address {address}")),
    };
    // The rest of what it says has names of users in it.
    Ok(finding.showing(
        Program::ManagementAddress.to_string(),
        address.map(|address| address.to_string()).unwrap_or_default(),
    ))
}
