use firmware_proto::ServerTime;

use super::sample::{empty, execute, store};
use super::*;

/// Between AC-3, heard in 1970, and the others.
const SINCE: ServerTime = ServerTime(1_000_000_000_000);

#[tokio::test]
async fn each_device_has_its_condition() {
    let (store, _dir) = store().await;
    let page = devices(&store, &DeviceFilter::default(), SINCE).await.unwrap();
    let conditions: Vec<_> = page.items.iter().map(|device| (device.id.as_str(), device.condition)).collect();
    assert_eq!(
        conditions,
        [
            ("AC-1", Condition::Repairing),
            ("AC-2", Condition::Finding),
            ("AC-3", Condition::Offline),
            ("GW-1", Condition::HandedOver),
            ("GW-2", Condition::Offline),
            ("RF-1", Condition::Repairing),
        ]
    );
    let before_all = devices(&store, &DeviceFilter::default(), ServerTime(0)).await.unwrap();
    assert_eq!(before_all.items[2].condition, Condition::Healthy, "AC-3 was heard, but long ago");
    assert_eq!(before_all.items[4].condition, Condition::Offline, "GW-2 was never heard");
}

#[tokio::test]
async fn devices_by_type_and_area() {
    let (store, _dir) = store().await;
    let filter = DeviceFilter { r#type: Some("split-ac".into()), area: Some("north".into()), ..Default::default() };
    let page = devices(&store, &filter, SINCE).await.unwrap();
    assert_eq!(page.items.iter().map(|device| device.id.as_str()).collect::<Vec<_>>(), ["AC-1", "AC-2"]);
}

#[tokio::test]
async fn one_device_with_all_about_it() {
    let (store, _dir) = store().await;
    insta::assert_json_snapshot!(device(&store, "AC-1", SINCE).await.unwrap());
    assert!(device(&store, "nobody", SINCE).await.unwrap().is_none());
}

#[tokio::test]
async fn a_device_that_never_spoke_has_no_readings() {
    let (store, _dir) = store().await;
    let silent = device(&store, "GW-2", SINCE).await.unwrap().unwrap();
    assert_eq!((silent.device.last_seen_ms, silent.boot_id, silent.readings), (None, None, serde_json::json!({})));
}

#[tokio::test]
async fn findings_newest_first_and_filtered() {
    let (store, _dir) = store().await;
    let ids = async |filter: FindingFilter| {
        let page = findings(&store, &filter).await.unwrap();
        page.items.into_iter().map(|finding| finding.id).collect::<Vec<_>>()
    };
    assert_eq!(ids(FindingFilter::default()).await, ["f-gw1", "f-ac2", "f-ac1", "f-ac1-old"]);
    let repairing = FindingFilter { state: Some("repairing".into()), ..Default::default() };
    assert_eq!(ids(repairing).await, ["f-ac1"]);
    let of_device = FindingFilter { device: Some("AC-1".into()), ..Default::default() };
    assert_eq!(ids(of_device).await, ["f-ac1", "f-ac1-old"]);
}

#[tokio::test]
async fn one_finding_with_what_was_done() {
    let (store, _dir) = store().await;
    insta::assert_json_snapshot!("finding_repaired", finding(&store, "f-ac1").await.unwrap());
    let handed_over = finding(&store, "f-gw1").await.unwrap().unwrap();
    assert_eq!(handed_over.work_orders.iter().map(|order| order.number).collect::<Vec<_>>(), [2, 1]);
}

#[tokio::test]
async fn one_repair_with_its_timeline() {
    let (store, _dir) = store().await;
    insta::assert_json_snapshot!(repair(&store, "r-2").await.unwrap());
}

#[tokio::test]
async fn the_list_shows_each_repairs_states() {
    let (store, _dir) = store().await;
    let page = repairs(&store, &RepairFilter::default()).await.unwrap();
    let chains: Vec<(String, Vec<String>)> = page
        .items
        .into_iter()
        .map(|repair| (repair.id, repair.states.into_iter().map(|change| change.state).collect()))
        .collect();
    let chain = |states: &[&str]| states.iter().map(|state| state.to_string()).collect::<Vec<_>>();
    assert_eq!(
        chains,
        [
            ("r-3".to_owned(), chain(&["awaiting_approval"])),
            ("r-2".to_owned(), chain(&["queued", "dispatched", "device_succeeded", "verifying"])),
            ("r-1".to_owned(), chain(&[])),
        ]
    );
}

#[tokio::test]
async fn one_work_order_with_all_that_belongs_to_it() {
    let (store, _dir) = store().await;
    insta::assert_json_snapshot!(order(&store, "w-1").await.unwrap());
}

#[tokio::test]
async fn work_orders_by_technician_and_state() {
    let (store, _dir) = store().await;
    let filter = OrderFilter { technician: Some("t-1".into()), state: Some("assigned".into()), ..Default::default() };
    let page = orders(&store, &filter).await.unwrap();
    assert_eq!(page.items.iter().map(|order| order.number).collect::<Vec<_>>(), [2]);
}

#[tokio::test]
async fn stock_is_the_sum_of_the_ledger() {
    let (store, _dir) = store().await;
    insta::assert_json_snapshot!(stock(&store, &StockFilter::default()).await.unwrap());
    let rods = StockFilter { part: Some("flame_rod".into()), location: Some("van 1".into()), ..Default::default() };
    let page = stock(&store, &rods).await.unwrap();
    assert_eq!(page.items.iter().map(|stock| stock.available).collect::<Vec<_>>(), [1]);
}

#[tokio::test]
async fn technicians_with_their_load() {
    let (store, _dir) = store().await;
    insta::assert_json_snapshot!(technicians(&store, &TechnicianFilter::default()).await.unwrap());
}

#[tokio::test]
async fn counts_over_everything() {
    let (store, _dir) = store().await;
    insta::assert_json_snapshot!(overview(&store, SINCE).await.unwrap());
}

#[tokio::test]
async fn an_empty_gateway_shows_zeros_and_empty_pages() {
    let (store, _dir) = empty().await;
    let counts = overview(&store, SINCE).await.unwrap();
    assert_eq!((counts.devices.registered, counts.findings.total, counts.repairs.not_verified), (0, 0, 0));
    let page = repairs(&store, &RepairFilter::default()).await.unwrap();
    assert!(page.items.is_empty() && page.next.is_none());
}

/// Walks a list two items at a time.
macro_rules! walk {
    ($view:ident, $filter:ident, $id:expr $(, $more:expr)?) => {{
        let (store, _dir) = store().await;
        let all = $view(&store, &$filter::default() $(, $more)?).await.unwrap();
        assert_eq!(all.next, None);
        let mut walked = Vec::new();
        let mut filter = $filter { limit: Some(2), ..Default::default() };
        loop {
            let page = $view(&store, &filter $(, $more)?).await.unwrap();
            assert!(page.items.len() <= 2);
            walked.extend(page.items.iter().map($id));
            let Some(next) = page.next else { break };
            filter.after = Some(next);
        }
        assert_eq!(walked, all.items.iter().map($id).collect::<Vec<_>>());
        assert!(walked.len() >= 2, "{walked:?}");
    }};
}

#[tokio::test]
async fn pages_put_together_are_the_list() {
    walk!(devices, DeviceFilter, |item: &Device| item.id.clone(), SINCE);
    walk!(findings, FindingFilter, |item: &Finding| item.id.clone());
    walk!(repairs, RepairFilter, |item: &Repair| item.id.clone());
    walk!(orders, OrderFilter, |item: &WorkOrder| item.id.clone());
    walk!(stock, StockFilter, |item: &Stock| (item.location.clone(), item.part.clone()));
    walk!(technicians, TechnicianFilter, |item: &Technician| item.id.clone());
    walk!(rejects, RejectFilter, |item: &Reject| (item.position, item.field.clone()));
}

#[tokio::test]
async fn wrong_filters_say_what_would_be_right() {
    let (store, _dir) = store().await;
    let state = FindingFilter { state: Some("opened".into()), ..Default::default() };
    insta::assert_snapshot!(findings(&store, &state).await.unwrap_err(), @r#"state: is "opened", must be one of open, repairing, handed_over, resolved, closed"#);
    let limit = OrderFilter { limit: Some(501), ..Default::default() };
    insta::assert_snapshot!(orders(&store, &limit).await.unwrap_err(), @"limit: is 501, must be 1 to 500");
    let after = StockFilter { after: Some("x".into()), ..Default::default() };
    insta::assert_snapshot!(stock(&store, &after).await.unwrap_err(), @r#"after: is "x", must be the `next` of the page before"#);
}

#[tokio::test]
async fn a_text_that_does_not_read_back_is_named() {
    let (store, _dir) = store().await;
    execute(&store, "UPDATE work_order SET kit = '[{]' WHERE id = 'w-1'").await;
    let error = order(&store, "w-1").await.unwrap_err();
    insta::assert_snapshot!(error, @"work_order w-1, kit in the state database does not read back: key must be a string at line 1 column 3");
}

#[tokio::test]
async fn a_token_names_its_holder() {
    let (store, _dir) = store().await;
    let actor = authenticate(&store, "approver").await.unwrap().unwrap();
    assert_eq!((actor.name.as_str(), actor.role), ("approver", crate::auth::Role::Approver));
    assert_eq!(authenticate(&store, "").await.unwrap(), None);
    assert_eq!(authenticate(&store, "approver ").await.unwrap(), None);
    execute(&store, "UPDATE token SET role = 'emperor' WHERE name = 'approver'").await;
    assert_eq!(authenticate(&store, "approver").await.unwrap(), None);
}

#[test]
fn what_is_under_way_is_a_state() {
    assert!(REPAIR_UNDER_WAY.iter().all(|state| REPAIR_STATES.contains(state)));
}
