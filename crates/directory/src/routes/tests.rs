use super::*;
use mailward_store::{LocalStore, Options};

struct House {
    store: Arc<LocalStore>,
    routes: Arc<Routes>,
    _dir: tempfile::TempDir,
}

fn seal() -> Seal {
    Seal::new(&Secret::new("a server's secret of some length")).unwrap()
}

impl House {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = LocalStore::open(dir.path(), Options::default()).unwrap();
        let routes = Routes::open(store.clone(), seal()).await.unwrap();
        Self { store, routes, _dir: dir }
    }
}

fn leads(line: &str, user: Option<&str>) -> Leads {
    let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
    Leads::parse(&words, None, user).unwrap()
}

fn route(name: &str, to: &str, leads: Leads) -> Route {
    Route {
        name: RouteName::parse(name).unwrap(),
        to: ForWhom::parse(to).unwrap(),
        from: FromWhom::Anybody,
        leads,
        lifetime: None,
        warn_after: None,
    }
}

fn domain(text: &str) -> Domain {
    Domain::parse(text).unwrap()
}

fn address(text: &str) -> Address {
    Address::parse(text, false).unwrap()
}

#[tokio::test]
async fn routes_are_there_when_the_store_is_opened_again_and_seen_by_others_at_once() {
    let house = House::new().await;
    let smart = leads("smarthost smart.example", Some("joe"));
    house.routes.add(route("smart", "*", smart), Some(&Secret::new("hunter2"))).await.unwrap();
    let others = Routes::open(house.store.clone(), seal()).await.unwrap();
    let decided = others.table().decide(None, &address("u@t.example")).unwrap();
    assert_eq!(decided.lane.as_str(), "route:smart");
    assert_eq!(others.password(&decided.by).unwrap().unwrap().expose(), b"hunter2");
    let kept = house.store.shelf(Shelf::Routes, None, 10).await.unwrap();
    assert!(!kept[0].value.windows(7).any(|bytes| bytes == b"hunter2"), "it is sealed");
}

#[tokio::test]
async fn a_password_opens_for_the_hosts_that_it_was_given_for_only() {
    let house = House::new().await;
    let smart = leads("smarthost smart.example", Some("joe"));
    house.routes.add(route("smart", "*", smart), Some(&Secret::new("hunter2"))).await.unwrap();
    // Somebody who can write the store but doesn't know the secret leads it to a host of theirs.
    let record = house.store.shelved(Shelf::Routes, "route/smart".to_owned()).await.unwrap().unwrap();
    let moved = String::from_utf8(record.value.to_vec()).unwrap().replace("smart.example", "evil.example");
    let moved = Shelved { value: Bytes::from(moved), ..record };
    house.store.change_shelf(vec![ShelfChange::Put(Shelf::Routes, moved)]).await.unwrap();
    house.routes.refresh().await.unwrap();
    let by = house.routes.table().decide(None, &address("u@t.example")).unwrap().by;
    assert_eq!(by.leads.places().unwrap().0.hosts[0].to_string(), "evil.example");
    assert!(matches!(house.routes.password(&by), Err(DirectoryError::RoutePassword(_))));
}

#[tokio::test]
async fn a_change_keeps_what_it_doesn_t_name_and_the_password_of_the_same_user() {
    let house = House::new().await;
    let name = RouteName::parse("smart").unwrap();
    let smart = leads("smarthost smart.example", Some("joe"));
    house.routes.add(route("smart", "t.example", smart), Some(&Secret::new("hunter2"))).await.unwrap();
    let moved = leads("smarthost other.example", Some("joe"));
    house.routes.change(&name, RouteChange { leads: Some(moved), ..RouteChange::default() }).await.unwrap();
    let by = house.routes.table().decide(None, &address("u@t.example")).unwrap().by;
    assert_eq!(house.routes.password(&by).unwrap().unwrap().expose(), b"hunter2");
    let other = RouteChange { leads: Some(leads("smarthost other.example", Some("kim"))), ..RouteChange::default() };
    assert!(matches!(house.routes.change(&name, other).await, Err(DirectoryError::RoutePasswordMissing)));
    let change = RouteChange { password: Some(Secret::new("new")), ..RouteChange::default() };
    house.routes.change(&name, change).await.unwrap();
    let by = house.routes.table().decide(None, &address("u@t.example")).unwrap().by;
    assert_eq!(house.routes.password(&by).unwrap().unwrap().expose(), b"new");
    let plain = RouteChange { leads: Some(Leads::Discard), lifetime: Some(Some(60)), ..RouteChange::default() };
    let changed = house.routes.change(&name, plain).await.unwrap();
    assert_eq!((changed.to.to_string().as_str(), changed.lifetime), ("t.example", Some(60)));
    for lifetime in [0, ROUTE_LIFETIME_MAX + 1] {
        let change = RouteChange { lifetime: Some(Some(lifetime)), ..RouteChange::default() };
        assert!(matches!(house.routes.change(&name, change).await, Err(DirectoryError::RouteLifetime)));
    }
}

#[tokio::test]
async fn two_routes_for_the_same_mail_are_refused_and_so_is_a_name_twice() {
    let house = House::new().await;
    house.routes.add(route("one", "t.example", Leads::Discard), None).await.unwrap();
    let again = house.routes.add(route("one", "u.example", Leads::Discard), None).await;
    assert!(matches!(again, Err(DirectoryError::RouteTaken(_))));
    let same = house.routes.add(route("two", "T.Example", Leads::Mx), None).await;
    assert!(matches!(same, Err(DirectoryError::RouteSame(_))));
    let inside = leads("host 192.0.2.1", None);
    let gateway = |domain: Domain| Gateway { domain, leads: inside.clone(), check: GatewayCheck::List };
    let same = house.routes.put_gateway(gateway(domain("t.example"))).await;
    assert!(matches!(same, Err(DirectoryError::RouteSame(_))));
    house.routes.put_gateway(gateway(domain("in.example"))).await.unwrap();
    let same = house.routes.add(route("two", "in.example", Leads::Mx), None).await;
    assert!(matches!(same, Err(DirectoryError::RouteSame(_))));
    house.routes.remove(&RouteName::parse("one").unwrap()).await.unwrap();
    let gone = house.routes.remove(&RouteName::parse("one").unwrap()).await;
    assert!(matches!(gone, Err(DirectoryError::NoRoute(_))));
    let nowhere = Gateway { leads: Leads::Discard, ..gateway(domain("x.example")) };
    assert!(matches!(house.routes.put_gateway(nowhere).await, Err(DirectoryError::Route(_))));
}

#[tokio::test]
async fn there_are_no_more_routes_than_the_limit() {
    let house = House::new().await;
    let mut changes = Vec::new();
    for number in 0..ROUTES_MAX {
        let name = format!("r{number}");
        changes.push(put(ROUTE, &name, &route(&name, &format!("d{number}.example"), Leads::Discard)).unwrap());
        let domain = domain(&format!("g{number}.example"));
        let gateway = Gateway { domain, leads: leads("host 192.0.2.1", None), check: GatewayCheck::None };
        changes.push(put(GATEWAY, gateway.domain.as_str(), &gateway).unwrap());
    }
    for step in changes.chunks(SHELF_CHANGES_MAX) {
        house.store.change_shelf(step.to_vec()).await.unwrap();
    }
    let more = house.routes.add(route("more", "more.example", Leads::Discard), None).await;
    assert!(matches!(more, Err(DirectoryError::RoutesFull)));
    let more =
        Gateway { domain: domain("more.example"), leads: leads("host 192.0.2.1", None), check: GatewayCheck::None };
    assert!(matches!(house.routes.put_gateway(more).await, Err(DirectoryError::GatewaysFull)));
}

#[tokio::test]
async fn a_list_is_kept_with_its_gateway_and_goes_with_it() {
    let house = House::new().await;
    let inside = domain("in.example");
    let two = [address("Ann@in.example"), address("bob@in.example")];
    let listed = |on| house.routes.list(&inside, &two, on);
    let known = |who: &str| {
        let table = house.routes.table();
        table.gateway(&inside).is_some_and(|gateway| table.is_listed(gateway, &address(who)))
    };
    assert!(matches!(house.routes.list(&inside, &[], true).await, Err(DirectoryError::NoGateway(_))));
    let gateway = Gateway { domain: inside.clone(), leads: leads("host 192.0.2.1", None), check: GatewayCheck::List };
    house.routes.put_gateway(gateway).await.unwrap();
    assert_eq!(listed(true).await.unwrap(), 2);
    assert_eq!(listed(true).await.unwrap(), 0);
    assert!(known("aNN@in.example") && known("Postmaster@in.example") && !known("kim@in.example"));
    let other = house.routes.list(&inside, &[address("ann@t.example")], true).await;
    assert!(matches!(other, Err(DirectoryError::GatewayRecipient(..))));
    let many: Vec<Address> = (0..=GATEWAY_LISTED_STEP).map(|n| address(&format!("u{n}@in.example"))).collect();
    assert!(matches!(house.routes.list(&inside, &many, true).await, Err(DirectoryError::GatewayListFull)));
    assert_eq!(house.routes.list(&inside, &[address("bob@in.example")], false).await.unwrap(), 1);
    assert!(!known("bob@in.example"));
    house.routes.remove_gateway(&inside).await.unwrap();
    assert!(house.store.shelf(Shelf::Routes, None, 10).await.unwrap().is_empty());
    assert!(matches!(house.routes.remove_gateway(&inside).await, Err(DirectoryError::NoGateway(_))));
}

#[tokio::test]
async fn all_gateways_together_list_no_more_than_the_limit() {
    let house = House::new().await;
    let inside = domain("in.example");
    let gateway = Gateway { domain: inside.clone(), leads: leads("host 192.0.2.1", None), check: GatewayCheck::List };
    house.routes.put_gateway(gateway).await.unwrap();
    let listed = |number: usize| {
        let key = listed_key(&inside, &format!("u{number}"));
        ShelfChange::Put(Shelf::Routes, Shelved { key, value: Bytes::new(), expires: None })
    };
    for first in (0..GATEWAY_LISTED_MAX).step_by(SHELF_CHANGES_MAX) {
        house.store.change_shelf((first..first + SHELF_CHANGES_MAX).map(listed).collect()).await.unwrap();
    }
    let more = house.routes.list(&inside, &[address("more@in.example")], true).await;
    assert!(matches!(more, Err(DirectoryError::GatewayListFull)));
    assert_eq!(house.routes.table().listed_in_all(), GATEWAY_LISTED_MAX);
    assert_eq!(house.routes.list(&inside, &[address("u7@in.example")], false).await.unwrap(), 1);
    assert_eq!(house.routes.list(&inside, &[address("more@in.example")], true).await.unwrap(), 1);
}

#[tokio::test]
async fn a_shelf_that_can_t_be_read_leaves_what_was_known() {
    let house = House::new().await;
    house.routes.add(route("one", "t.example", Leads::Discard), None).await.unwrap();
    let junk = Shelved { key: "route/junk".to_owned(), value: Bytes::from_static(b"{}"), expires: None };
    house.store.change_shelf(vec![ShelfChange::Put(Shelf::Routes, junk)]).await.unwrap();
    assert!(matches!(house.routes.refresh().await, Err(DirectoryError::RouteDamaged(_))));
    assert!(house.routes.table().decide(None, &address("u@t.example")).is_some());
}
