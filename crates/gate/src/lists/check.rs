//! Whether a list is well, by its test points (RFC 5782 §5): 127.0.0.2 is on it and 127.0.0.1 isn't, as IPv6 and of domains
//! likewise. A list that has ended often answers everything, so that everybody would be listed.

use super::health::{Fault, ListState};
use super::{List, Subject, read};
use crate::reputation::means::{Asker, Missing};
use mailward_core::Domain;
use mailward_core::config::{ListKind, ListTest};
use mailward_core::limits::LIST_CHECK_WAIT;
use std::net::{IpAddr, Ipv4Addr};

/// What came of looking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// How it is; and whether it lists every IPv6 address.
    Known(ListState, bool),
    /// Nobody can say now.
    Unknown,
}

/// What a test point said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Point {
    On,
    NotOn,
    /// What it answered is no code.
    Other(IpAddr),
    Unknown,
}

const ON: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
const NOT_ON: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 1);

/// Looks at a list's test points.
pub(crate) async fn check(list: &List, asker: &Asker<'_>) -> Outcome {
    let point = |subject: Option<Subject>| async move {
        match subject {
            Some(subject) => point(list, asker, &subject).await,
            None => Point::On,
        }
    };
    match list.kind {
        ListKind::Hosts => {
            let host = |ip: Ipv4Addr| Some(Subject::Host(IpAddr::V4(ip)));
            let good = if list.test == ListTest::Nothing { None } else { host(ON) };
            // A list needs to have no IPv6 addresses at all; but it must not have all of them.
            let v6 = Some(Subject::Host(IpAddr::V6(NOT_ON.to_ipv6_mapped())));
            let (good, bad, v6) = tokio::join!(point(good), point(host(NOT_ON)), point(v6));
            conclude(good, bad, v6)
        }
        ListKind::Domains | ListKind::Links => {
            let domain = |name: &str| Domain::parse(name).ok().map(Subject::Domain);
            let good = match &list.test {
                ListTest::Standard => domain("test"),
                ListTest::Domain(name) => Some(Subject::Domain(name.clone())),
                ListTest::Nothing => None,
            };
            let (good, bad) = tokio::join!(point(good), point(domain("invalid")));
            conclude(good, bad, Point::NotOn)
        }
    }
}

async fn point(list: &List, asker: &Asker<'_>, subject: &Subject) -> Point {
    let Ok(name) = list.name(subject) else { return Point::NotOn };
    match asker.list(LIST_CHECK_WAIT, asker.lookup.listed(&name)).await {
        Ok(found) => read(&found.records).map_or_else(Point::Other, |_| Point::On),
        Err(Missing::None { .. }) => Point::NotOn,
        Err(Missing::Failed(_) | Missing::Late | Missing::NoTurn(_)) => Point::Unknown,
    }
}

/// How a list is whose good test point, bad one, and bad one of IPv6 said this.
fn conclude(good: Point, bad: Point, v6: Point) -> Outcome {
    let v6_off = matches!(v6, Point::On | Point::Other(_));
    let off = |why| Outcome::Known(ListState::Off { why }, v6_off);
    match (good, bad) {
        (Point::Other(code), _) | (_, Point::Other(code)) if refuses(code) => off(Fault::Refuses(code)),
        // A server that says what is no code to both is no list at all.
        (Point::Other(code), Point::Other(_)) => off(Fault::Strange(code)),
        (_, Point::On | Point::Other(_)) => off(Fault::AnswersEverything),
        (Point::Unknown, _) | (_, Point::Unknown) => Outcome::Unknown,
        (Point::Other(code), Point::NotOn) => off(Fault::Strange(code)),
        (Point::NotOn, Point::NotOn) => off(Fault::AnswersNothing),
        (Point::On, Point::NotOn) => Outcome::Known(ListState::On, v6_off),
    }
}

fn refuses(code: IpAddr) -> bool {
    matches!(code, IpAddr::V4(v4) if v4.octets().starts_with(&super::NO_LISTING))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_list_whose_points_are_right_is_on() {
        let code = |text: &str| Point::Other(text.parse().unwrap());
        let off = |why| Outcome::Known(ListState::Off { why }, false);
        let (refused, parked) = ("127.255.255.254".parse().unwrap(), "192.0.2.1".parse().unwrap());
        for (good, bad, outcome) in [
            (Point::On, Point::NotOn, Outcome::Known(ListState::On, false)),
            (Point::On, Point::On, off(Fault::AnswersEverything)),
            (Point::Unknown, Point::On, off(Fault::AnswersEverything)),
            (Point::NotOn, Point::NotOn, off(Fault::AnswersNothing)),
            (Point::Unknown, Point::NotOn, Outcome::Unknown),
            (Point::On, Point::Unknown, Outcome::Unknown),
            (Point::NotOn, Point::Unknown, Outcome::Unknown),
            (code("127.255.255.254"), code("127.255.255.254"), off(Fault::Refuses(refused))),
            (Point::NotOn, code("127.255.255.254"), off(Fault::Refuses(refused))),
            (code("192.0.2.1"), code("192.0.2.1"), off(Fault::Strange(parked))),
            (code("192.0.2.1"), Point::NotOn, off(Fault::Strange(parked))),
        ] {
            assert_eq!(conclude(good, bad, Point::NotOn), outcome, "{good:?} {bad:?}");
        }
        assert_eq!(conclude(Point::On, Point::NotOn, Point::On), Outcome::Known(ListState::On, true));
        assert_eq!(conclude(Point::On, Point::NotOn, Point::Unknown), Outcome::Known(ListState::On, false));
    }
}
