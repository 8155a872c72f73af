//! Whether a copy of the log goes to another host.

use crate::area::Area;
use crate::control::{Check, Control};
use crate::finding::Finding;
use crate::host::reading::{Answer, Demands, Ini, base, connected, named, processes, tell};
use crate::host::{Host, Missed};
use crate::scene::Scene;

const LOGS: Control = base(Area::Logs);

pub(in crate::controls) const SHIPPED: &[Control] = &[Control {
    id: "LOG-02",
    weight: 10,
    question: "Does a copy of the log go to another host at once, over TLS?",
    why: "Whoever takes this host takes its log, and writes into it what they like. What is elsewhere tells what happened.",
    verified: "The files of rsyslog, syslog-ng and systemd-journal-upload: a target elsewhere, with TLS. And in /proc that the program which \
               brings it there runs and has a connection to elsewhere now.",
    mend: "In /etc/rsyslog.d/ship.conf: action(type=\"omfwd\" target=\"log.example.org\" port=\"6514\" protocol=\"tcp\" StreamDriver=\"gtls\" \
           StreamDriverMode=\"1\" StreamDriverAuthMode=\"x509/name\"); systemctl restart rsyslog.",
    source: "Lynis LOGG-2154; SCAP Security Guide, logs sent to a remote host; RFC 5425",
    check: Check::Look(|scene| tell(copy_is_elsewhere(scene))),
    ..LOGS
}];

/// Somebody who brings the log elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Carrier {
    /// The name of its process, as `/proc/PID/status` has it: at most 15 bytes.
    process: &'static str,
    /// The line or statement that says where.
    says: String,
    /// Whether it goes there over TLS.
    tls: bool,
}

/// What rsyslog's files say (rsyslog.conf(5)): actions that forward, in the old form and the new one.
pub(crate) fn rsyslog(text: &str) -> Vec<Carrier> {
    let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default().trim());
    let lines: Vec<String> = lines.map(str::to_ascii_lowercase).collect();
    // For all of the old form, which is set before it.
    let secured = lines.iter().any(|line| squeezed(line).starts_with("$actionsendstreamdrivermode1"));
    let carrier = |says: &str, tls| Carrier { process: "rsyslogd", says: says.to_owned(), tls };
    let mut found = Vec::new();
    for line in &lines {
        // `*.* @@host:port`: two signs are TCP, one is UDP.
        if let Some(target) = line.split_whitespace().nth(1).filter(|target| target.starts_with('@')) {
            found.push(carrier(line, secured && target.starts_with("@@")));
        }
    }
    for action in lines.join(" ").split("action(").skip(1) {
        let inner = squeezed(action.split(')').next().unwrap_or_default());
        let has = |setting: &str| inner.contains(setting);
        if has("type=\"omfwd\"") {
            found.push(carrier(&inner, has("protocol=\"tcp\"") && (has("streamdrivermode=\"1\"") || secured)));
        } else if has("type=\"omrelp\"") {
            found.push(carrier(&inner, has("tls=\"on\"")));
        }
    }
    found
}

/// What syslog-ng's files say (syslog-ng.conf(5)): destinations of the network.
pub(crate) fn syslog_ng(text: &str) -> Vec<Carrier> {
    let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default().trim());
    let text = lines.collect::<Vec<_>>().join(" ").to_ascii_lowercase();
    let mut found = Vec::new();
    for part in text.split("destination ").skip(1) {
        let inner = squeezed(part.split("};").next().unwrap_or_default());
        // A destination that is only named, in a path of the log, has no driver.
        if ["network(", "syslog(", "tcp("].iter().any(|driver| inner.contains(driver)) {
            let tls = inner.contains("transport(\"tls\")") || inner.contains("transport(tls)");
            found.push(Carrier { process: "syslog-ng", says: inner, tls });
        }
    }
    found
}

/// Without blanks.
fn squeezed(text: &str) -> String {
    text.split_whitespace().collect()
}

/// What there is of files, one after the other.
fn texts(host: &Host, file: &str, directory: &str) -> Result<String, Missed> {
    let mut text = host.text_if_there(file)?.unwrap_or_default();
    for path in host.files_in(directory, &[".conf"])? {
        text.push('\n');
        text.push_str(&host.text(&path)?);
    }
    Ok(text)
}

fn carriers(host: &Host) -> Result<Vec<Carrier>, Missed> {
    const UPLOAD: [&str; 3] = ["/etc/systemd", "/run/systemd", "/usr/lib/systemd"];
    let mut found = rsyslog(&texts(host, "/etc/rsyslog.conf", "/etc/rsyslog.d")?);
    found.extend(syslog_ng(&texts(host, "/etc/syslog-ng/syslog-ng.conf", "/etc/syslog-ng/conf.d")?));
    if let Some(ini) = Ini::layered(host, &UPLOAD, "journal-upload.conf")?
        && let Some(url) = ini.all("Upload", "URL").last().filter(|url| !url.is_empty())
    {
        let tls = !url.starts_with("http://");
        found.push(Carrier { process: "systemd-journal", says: format!("URL={url}"), tls });
    }
    Ok(found)
}

fn copy_is_elsewhere(scene: &Scene) -> Answer {
    let host = &scene.host;
    let carriers = carriers(host)?;
    let says: String = carriers.iter().map(|one| format!("{}: {}\n", one.process, one.says)).collect();
    if carriers.is_empty() {
        return Ok(Finding::fail("nobody is told to bring the log elsewhere")
            .showing("/etc/rsyslog.d, /etc/syslog-ng, journal-upload.conf", "no target"));
    }
    let mut connections = Vec::new();
    for pid in processes::all(host)? {
        let Some(process) = processes::process(host, pid)? else { continue };
        let name = process.status.get("Name").map(String::as_str).unwrap_or_default();
        if carriers.iter().any(|one| one.process == name) {
            connections.extend(connected(host, pid)?.into_iter().filter(|to| !to.ip().is_loopback()));
        }
    }
    let clear: Vec<&str> = carriers.iter().filter(|one| !one.tls).map(|one| one.says.as_str()).collect();
    let mut demands = Demands::default();
    demands.ask(clear.len() < carriers.len(), format!("in clear: {}", named(&clear)));
    demands.ask(!connections.is_empty(), "nobody who is told to bring it there has a connection to elsewhere now");
    demands.show("/etc/rsyslog.d, /etc/syslog-ng, journal-upload.conf", says);
    demands.show("connections of these programs", connections.iter().map(|to| format!("{to}\n")).collect::<String>());
    Ok(demands.finding("a copy of the log goes elsewhere, over TLS"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn targets_are_read_in_the_forms_that_there_are() {
        let tls = |found: &[Carrier]| found.iter().map(|one| one.tls).collect::<Vec<_>>();
        assert_eq!(rsyslog("*.* -/var/log/all\n# *.* @@log.example.org\nauth.* /dev/null"), []);
        assert_eq!(tls(&rsyslog("*.*  @@log.example.org:514\n*.* @log.example.org")), [false, false]);
        assert_eq!(tls(&rsyslog("$ActionSendStreamDriverMode 1 # TLS\n*.* @@(o)log.example.org:6514")), [true]);
        let new = "action( type=\"omfwd\" Target=\"log.example.org\"\n  protocol=\"tcp\" StreamDriver=\"gtls\"\n  StreamDriverMode = \"1\" )";
        assert_eq!(tls(&rsyslog(new)), [true]);
        assert_eq!(tls(&rsyslog(&new.replace("tcp", "udp"))), [false]);
        assert_eq!(
            tls(&rsyslog("action(type=\"omrelp\" target=\"h\" tls=\"on\")\naction(type=\"omfile\" file=\"/x\")")),
            [true]
        );
        let ng = "destination d_net {\n  syslog(\"log.example.org\" transport(\"tls\")); };\nlog { source(s); destination(d_net); };";
        assert_eq!(tls(&syslog_ng(ng)), [true]);
        assert_eq!(tls(&syslog_ng(&ng.replace("tls", "tcp"))), [false]);
        assert_eq!(syslog_ng("destination d { file(\"/var/log/x\"); };"), []);
    }

    proptest! {
        #[test]
        fn no_text_breaks_the_reading(text in "([@a-z*.(){}=\"#;\\n ]|action\\(|destination |\\$|é|\\x1b){0,80}") {
            let (_one, _other) = (rsyslog(&text), syslog_ng(&text));
        }
    }
}
