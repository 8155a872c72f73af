//! Routes up to where they lead: smart hosts, LMTP, Maildirs, nowhere; and what waits when they change.

use super::ALICE;
use super::house::{House, Map, address};
use super::sink::{Plan, Sink, Tls};
use crate::queue::{Finder, Guide as _, OwnDoors, RoutedGuide, Way, reroute_step};
use mailward_core::limits::QUEUE_PAGE;
use mailward_core::{EnhancedStatus, Secret};
use mailward_directory::routes::{ForWhom, FromWhom, Leads, Place, Route, RouteChange, RouteName, RouteTls, Routes};
use mailward_dns::{Ourselves, Resolver};
use mailward_dns_zone::{Zone, Zones};
use mailward_store::records::{Lane, NotifyOn};
use std::path::PathBuf;
use std::sync::Arc;

const TEXT: &str = "Return-Path: <alice@s.example>\r\nSubject: x\r\n\r\n.body\r\n";

/// A house with routes, names of hosts, and a directory for Maildirs.
struct Routed {
    house: House,
    routes: Arc<Routes>,
    zones: Zones,
    maildirs: tempfile::TempDir,
}

impl Routed {
    async fn new() -> Self {
        Self::poisoned(None).await
    }

    /// The same, where noting what came of a recipient ends the task that does so.
    async fn poisoned(poison: Option<&str>) -> Self {
        let zone =
            Zone::plain("t.example.", "mx 300 IN A 127.0.0.1\nboth 300 IN A 127.0.0.1\nboth 300 IN A 192.0.2.8\n");
        let zones = Zones::start(&[zone]).await;
        let maildirs = tempfile::tempdir().unwrap();
        let lookup = Arc::new(Resolver::new(&zones.config()).unwrap());
        let root = maildirs.path().to_owned();
        let house = House::guided(
            |routes| {
                let finder = Finder::new(routes, lookup, doors(), Some(root));
                Arc::new(RoutedGuide::new(Arc::new(finder), Map::default()))
            },
            poison,
        )
        .await;
        Self { routes: house.routes.clone(), house, zones, maildirs }
    }

    async fn route(&self, name: &str, to: &str, leads: Leads, password: Option<&str>) {
        let name = RouteName::parse(name).unwrap();
        let (to, from) = (ForWhom::parse(to).unwrap(), FromWhom::Anybody);
        let route = Route { name, to, from, leads, lifetime: None, warn_after: None };
        self.routes.add(route, password.map(Secret::new).as_ref()).await.unwrap();
    }

    /// Queues a message where routes say.
    async fn queue(&self, to: &[&str]) {
        self.queue_with(to, |_| {}).await;
    }

    async fn queue_with(&self, to: &[&str], change: impl FnOnce(&mut mailward_store::records::Queued)) {
        let table = self.routes.table();
        self.house
            .queue(ALICE, to, TEXT, |queued| {
                for recipient in &mut queued.recipients {
                    recipient.lane = table.lane(queued.envelope.sender.as_ref(), &recipient.address).unwrap();
                }
                change(queued);
            })
            .await;
    }

    /// What the first recipient that waits was told last.
    async fn answer(&self) -> (Option<EnhancedStatus>, u16, String) {
        let waiting = self.house.queued().await;
        let answer = waiting[0].recipients[0].answer.clone().unwrap();
        (answer.status, answer.code, answer.text)
    }

    fn new_mail(&self, maildir: &str) -> Vec<String> {
        let found = std::fs::read_dir(self.maildirs.path().join(maildir).join("new")).unwrap();
        found.map(|entry| std::fs::read_to_string(entry.unwrap().path()).unwrap()).collect()
    }
}

fn doors() -> OwnDoors {
    let ours = Ourselves { names: vec!["mx.s.example".parse().unwrap()], ..Ourselves::default() };
    OwnDoors { ours, ports: vec![25, 587] }
}

fn leads(line: &str, tls: Option<RouteTls>, user: Option<&str>) -> Leads {
    let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
    Leads::parse(&words, tls, user).unwrap()
}

fn smarthost(sink: &Sink, tls: RouteTls) -> Leads {
    leads(&format!("smarthost mx.t.example:{}", sink.port()), Some(tls), Some("joe"))
}

fn with_login() -> Plan {
    Plan { tls: Tls::Works, offers: "AUTH PLAIN", login: Some("\0joe\0open sesame"), ..Plan::default() }
}

#[tokio::test]
async fn a_smart_host_is_told_who_we_are_under_tls() {
    for tls in [RouteTls::StartTls, RouteTls::Tls] {
        let routed = Routed::new().await;
        let sink = Sink::start(Plan { tls_first: tls == RouteTls::Tls, ..with_login() }).await;
        routed.route("smart", "*", smarthost(&sink, tls), Some("open sesame")).await;
        routed.queue(&["a@far.example"]).await;
        routed.queue(&["b@near.example"]).await;
        assert_eq!(routed.house.lane("route:smart").await.waiting, 2, "both domains are one destination");
        routed.house.turn().await;
        assert_eq!(sink.taken().len(), 2);
        assert!(sink.taken().iter().all(|taken| taken.encrypted && taken.text == "Subject: x\r\n\r\n.body\r\n"));
        assert!(routed.house.is_empty().await);
    }
}

#[tokio::test]
async fn with_a_wrong_password_mail_waits_and_the_log_says_why_but_not_the_password() {
    let routed = Routed::new().await;
    let sink = Sink::start(with_login()).await;
    routed.route("smart", "*", smarthost(&sink, RouteTls::StartTls), Some("open barley")).await;
    routed.queue(&["a@far.example"]).await;
    routed.house.turn().await;
    assert_eq!(sink.taken().len(), 0);
    let (_, code, text) = routed.answer().await;
    assert_eq!(code, 535);
    assert!(text.contains("AUTH") && !text.contains("barley"), "{text}");
    assert!(routed.house.told("queue.host_rests") && !routed.house.told("barley"));
    // Mended, it goes.
    let change = RouteChange { password: Some(Secret::new("open sesame")), ..RouteChange::default() };
    routed.routes.change(&RouteName::parse("smart").unwrap(), change).await.unwrap();
    routed.house.forward(70_000);
    routed.house.turn().await;
    assert_eq!(sink.taken().len(), 1);
}

#[tokio::test]
async fn a_password_never_goes_to_who_can_t_prove_to_be_the_host() {
    for tls in [Tls::OfAnother, Tls::No, Tls::Refused, Tls::Broken] {
        let routed = Routed::new().await;
        let sink = Sink::start(Plan { tls, ..with_login() }).await;
        routed.route("smart", "*", smarthost(&sink, RouteTls::StartTls), Some("open sesame")).await;
        routed.queue(&["a@far.example"]).await;
        routed.house.turn().await;
        assert_eq!((sink.taken().len(), sink.logins()), (0, 0), "{tls:?}");
        assert_eq!(routed.answer().await.0, Some(EnhancedStatus::of(4, 7, 5)), "{tls:?}");
    }
}

#[tokio::test]
async fn no_message_s_header_switches_off_the_tls_of_a_route() {
    for (route, tls) in
        [(RouteTls::StartTls, Tls::No), (RouteTls::StartTls, Tls::OfAnother), (RouteTls::Tls, Tls::OfAnother)]
    {
        let routed = Routed::new().await;
        let sink = Sink::start(Plan { tls, tls_first: route == RouteTls::Tls, ..Plan::default() }).await;
        let fixed = leads(&format!("host mx.t.example:{}", sink.port()), Some(route), None);
        routed.route("fixed", "*", fixed, None).await;
        routed.queue_with(&["ok@far.example"], |queued| queued.envelope.needs.tls_optional = true).await;
        routed.house.turn().await;
        assert_eq!(sink.taken().len(), 0, "{route:?} {tls:?}");
        assert_eq!(routed.answer().await.0, Some(EnhancedStatus::of(4, 7, 5)), "{route:?} {tls:?}");
    }
}

#[tokio::test]
async fn a_fixed_host_is_the_first_of_several_that_answers() {
    let routed = Routed::new().await;
    let closed = Sink::start(Plan { greeting: "554 no\r\n", ..Plan::default() }).await;
    let sink = Sink::start(Plan::default()).await;
    let hosts = format!("host gone.t.example mx.t.example:{} 127.0.0.1:{}", closed.port(), sink.port());
    routed.route("fixed", ".far.example", leads(&hosts, None, None), None).await;
    routed.queue(&["a@sub.far.example"]).await;
    routed.house.turn().await;
    assert_eq!((closed.connections(), sink.taken().len()), (1, 1));
}

#[tokio::test]
async fn a_host_that_has_no_address_makes_mail_wait() {
    let routed = Routed::new().await;
    routed.route("fixed", "*", leads("host gone.t.example", None, None), None).await;
    routed.queue(&["a@far.example"]).await;
    routed.house.turn().await;
    assert!(routed.answer().await.2.contains("gone.t.example"));
    drop(routed.zones);
}

#[tokio::test]
async fn lmtp_answers_for_each_recipient_by_network_and_by_socket() {
    let routed = Routed::new().await;
    let sink = Sink::start(Plan { lmtp: true, ..Plan::default() }).await;
    routed.route("net", "net.example", leads(&format!("lmtp 127.0.0.1:{}", sink.port()), None, None), None).await;
    let socket = routed.maildirs.path().join("lmtp.sock");
    let local = Sink::on_socket(&socket, Plan { lmtp: true, ..Plan::default() });
    routed.route("unix", "unix.example", Leads::Socket(socket), None).await;
    routed.queue(&["ok@net.example", "full@net.example", "ok@unix.example", "full@unix.example"]).await;
    routed.house.turn().await;
    assert_eq!((sink.taken().len(), local.taken().len()), (1, 1));
    let waiting = routed.house.queued().await;
    let left: Vec<String> = waiting[0].recipients.iter().map(|recipient| recipient.address.to_string()).collect();
    assert_eq!(left, ["full@net.example", "full@unix.example"]);
}

#[tokio::test]
async fn a_socket_where_nobody_listens_makes_mail_wait() {
    let routed = Routed::new().await;
    routed.route("unix", "*", Leads::Socket(routed.maildirs.path().join("none.sock")), None).await;
    routed.queue(&["a@far.example"]).await;
    routed.house.turn().await;
    assert!(routed.answer().await.2.contains("no connection"));
}

#[tokio::test]
async fn a_maildir_gets_a_file_for_each_recipient_with_its_envelope() {
    let routed = Routed::new().await;
    routed.route("box", "*", Leads::Maildir(routed.maildirs.path().join("some/box")), None).await;
    let success = NotifyOn { success: true, ..NotifyOn::default() };
    routed.queue_with(&["a@far.example", "b@far.example"], |q| q.recipients[0].notify = Some(success)).await;
    routed.house.turn().await;
    assert!(routed.house.is_empty().await);
    let mut found = routed.new_mail("some/box");
    found.sort();
    let text = |to: &str| format!("Return-Path: <{ALICE}>\nDelivered-To: {to}\nSubject: x\n\n.body\n");
    assert_eq!(found, [text("a@far.example"), text("b@far.example")]);
    assert_eq!(routed.house.inbox(ALICE).await.len(), 1, "a confirmation that was asked for");
}

#[tokio::test]
async fn a_crash_between_a_file_and_its_note_files_nothing_twice_for_later_recipients_either() {
    let routed = Routed::poisoned(Some("b@far.example")).await;
    routed.route("box", "*", Leads::Maildir(routed.maildirs.path().join("box")), None).await;
    routed.queue(&["a@far.example", "b@far.example"]).await;
    routed.house.turn_that_crashes().await;
    let left = routed.house.queued().await.remove(0);
    assert_eq!(left.recipients.len(), 1, "the first is done, and the second is there without a note of it");
    // Whoever reads there has read both.
    let at = routed.maildirs.path().join("box");
    for file in std::fs::read_dir(at.join("new")).unwrap().map(Result::unwrap) {
        let read = format!("{}:2,S", file.file_name().to_str().unwrap());
        std::fs::rename(file.path(), at.join("cur").join(read)).unwrap();
    }
    routed.house.turn_that_crashes().await;
    assert_eq!(routed.new_mail("box"), Vec::<String>::new());
}

#[tokio::test]
async fn a_maildir_outside_the_directory_or_that_can_t_be_written_makes_mail_wait() {
    let routed = Routed::new().await;
    let outside = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(outside.path(), routed.maildirs.path().join("link")).unwrap();
    routed.route("link", "link.example", Leads::Maildir(routed.maildirs.path().join("link")), None).await;
    routed.route("out", "out.example", Leads::Maildir(PathBuf::from("/elsewhere/box")), None).await;
    routed.route("root", "root.example", Leads::Maildir(routed.maildirs.path().to_owned()), None).await;
    for to in ["a@link.example", "a@out.example", "a@root.example"] {
        routed.queue(&[to]).await;
    }
    routed.house.turn().await;
    let waiting = routed.house.queued().await;
    assert!(waiting.len() == 3 && waiting.iter().all(|message| message.recipients[0].answer.is_some()));
    assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn what_is_discarded_is_gone_and_nobody_is_told() {
    let routed = Routed::new().await;
    routed.route("no", "*", Leads::Discard, None).await;
    let success = NotifyOn { success: true, ..NotifyOn::default() };
    routed.queue_with(&["a@far.example"], |q| q.recipients[0].notify = Some(success)).await;
    routed.house.turn().await;
    assert!(routed.house.is_empty().await && routed.house.inbox(ALICE).await.is_empty());
}

#[tokio::test]
async fn a_route_that_refuses_bounces_what_is_queued_already_or_lets_it_wait() {
    let routed = Routed::new().await;
    routed.route("never", "never.example", leads("error 550 5.1.8 not to them", None, None), None).await;
    routed.route("later", "later.example", leads("error 450 not now", None, None), None).await;
    routed.queue(&["a@never.example", "a@later.example"]).await;
    routed.house.turn().await;
    let bounces = routed.house.inbox(ALICE).await;
    assert!(bounces[0].contains("Status: 5.1.8") && bounces[0].contains("not to them"), "{}", bounces[0]);
    let (status, _, text) = routed.answer().await;
    assert_eq!((status, text.as_str()), (Some(EnhancedStatus::of(4, 7, 1)), "not now"));
}

#[tokio::test]
async fn what_waits_goes_where_its_route_leads_now() {
    let routed = Routed::new().await;
    let sink = Sink::start(Plan::default()).await;
    routed.route("fixed", ".far.example", leads("host 127.0.0.1:1", None, None), None).await;
    routed.queue(&["a@far.example", "a@sub.far.example"]).await;
    routed.house.turn().await;
    assert_eq!(routed.house.lane("route:fixed").await.waiting, 2);
    // The route is for one of them only now, and the other has one of its own.
    let (name, sub) = (RouteName::parse("fixed").unwrap(), ForWhom::parse("sub.far.example").unwrap());
    let change = RouteChange { to: Some(sub), ..RouteChange::default() };
    routed.routes.change(&name, change).await.unwrap();
    let to_sink = leads(&format!("host 127.0.0.1:{}", sink.port()), None, None);
    routed.route("other", "far.example", to_sink, None).await;
    let lane = Lane::parse("route:fixed").unwrap();
    let table = routed.routes.table();
    let step = reroute_step(&*routed.house.store, &table, lane.clone(), None, routed.house.now()).await.unwrap();
    assert_eq!((step.changed, step.next), (1, None));
    routed.house.turn().await;
    assert_eq!(sink.taken()[0].recipients, ["a@far.example"]);
    // Gone while nobody looked: the next visit finds it out by itself.
    routed.routes.remove(&name).await.unwrap();
    routed.house.forward(4_000_000);
    routed.house.turn().await;
    let waiting = routed.house.queued().await;
    assert_eq!(waiting[0].recipients[0].lane.as_str(), "sub.far.example");
}

#[tokio::test]
async fn what_is_forwarded_and_waits_goes_where_its_alias_leads_now() {
    let routed = Routed::new().await;
    for (name, from) in [("fixed", "x@far.example"), ("boss", ALICE), ("ours", "s.example")] {
        let (name, to) = (RouteName::parse(name).unwrap(), ForWhom::parse("*").unwrap());
        let (from, leads) = (FromWhom::parse(from).unwrap(), leads("host 127.0.0.1:1", None, None));
        let route = Route { name, to, from, leads, lifetime: None, warn_after: None };
        routed.routes.add(route, None).await.unwrap();
    }
    let lane = Lane::parse("route:fixed").unwrap();
    routed
        .queue_with(&["a@t.example"], |queued| {
            queued.envelope.forwarded = Some(address("out@s.example"));
            queued.recipients[0].lane = lane.clone();
        })
        .await;
    let table = routed.routes.table();
    reroute_step(&*routed.house.store, &table, lane, None, routed.house.now()).await.unwrap();
    assert_eq!(routed.house.queued().await[0].recipients[0].lane.as_str(), "route:ours");
}

#[tokio::test]
async fn bringing_what_waits_elsewhere_goes_in_steps() {
    let routed = Routed::new().await;
    routed.route("fixed", "*", leads("host 127.0.0.1:1", None, None), None).await;
    let addresses: Vec<String> = (0..500).map(|number| format!("u{number}@far.example")).collect();
    let addresses: Vec<&str> = addresses.iter().map(String::as_str).collect();
    for _ in 0..3 {
        routed.queue(&addresses).await;
    }
    routed.routes.remove(&RouteName::parse("fixed").unwrap()).await.unwrap();
    let (lane, table, now) = (Lane::parse("route:fixed").unwrap(), routed.routes.table(), routed.house.now());
    let (mut after, mut steps) = (None, Vec::new());
    loop {
        let step = reroute_step(&*routed.house.store, &table, lane.clone(), after, now).await.unwrap();
        steps.push(step.changed);
        after = step.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(steps.iter().sum::<u64>(), 1_500);
    assert!(steps.iter().all(|changed| *changed <= QUEUE_PAGE as u64) && steps.len() > 1, "{steps:?}");
}

#[tokio::test]
async fn a_bounce_goes_the_way_of_its_recipient_s_route() {
    let routed = Routed::new().await;
    let sink = Sink::start(Plan::default()).await;
    let to_sink = leads(&format!("host 127.0.0.1:{}", sink.port()), None, None);
    routed.route("world", "*", to_sink, None).await;
    let table = routed.routes.table();
    routed
        .house
        .queue("x@far.example", &["never@t.example"], TEXT, |queued| {
            queued.recipients[0].lane = table.lane(None, &queued.recipients[0].address).unwrap();
        })
        .await;
    routed.house.turn().await;
    routed.house.turn().await;
    assert_eq!(sink.taken()[0].recipients, ["x@far.example"]);
    assert!(routed.house.is_empty().await);
}

#[tokio::test]
async fn a_route_that_leads_to_ourselves_is_no_way() {
    let here = |place: &str| doors().is_ours(&Place::parse(place).unwrap(), 25);
    for place in ["mx.s.example", "localhost", "127.0.0.1", "127.9.9.9:587", "[::1]", "0.0.0.0", "[::ffff:127.0.0.1]"] {
        assert!(here(place), "{place}");
    }
    for place in ["mx.s.example:2525", "127.0.0.1:24", "mx.t.example", "192.0.2.1"] {
        assert!(!here(place), "{place}");
    }
    // By a name whose address it is, it is found out when mail is to be sent.
    let routed = Routed::new().await;
    routed.route("self", "*", leads("host mx.t.example both.t.example", None, None), None).await;
    let lookup = Arc::new(Resolver::new(&routed.zones.config()).unwrap());
    let finder = Arc::new(Finder::new(routed.routes.clone(), lookup, doors(), None));
    let guide = RoutedGuide::new(finder, Map::default());
    match guide.way(&Lane::parse("route:self").unwrap()).await {
        Way::Later(_, why) => assert_eq!(why.matches("it is this server itself").count(), 2, "{why}"),
        other => panic!("{other:?}"),
    }
}
