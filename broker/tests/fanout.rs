//! The service side by itself.
#![allow(clippy::unwrap_used)]

mod support;

use broker::{Fanout, FanoutError, FanoutSubscription};
use bytes::Bytes;
use support::mqtt::SOON;
use tokio::time::timeout;

async fn next(subscription: &mut FanoutSubscription) -> (String, Bytes) {
    let message = timeout(SOON, subscription.recv()).await.expect("a message").expect("the service side runs");
    (message.topic, message.payload)
}

fn filters(filters: &[&str]) -> Vec<String> {
    filters.iter().map(|filter| (*filter).to_owned()).collect()
}

#[tokio::test]
async fn ids_beyond_the_fifth_level_are_matched_exactly() {
    let fanout = Fanout::start().unwrap();
    let mut one = fanout.subscribe("a", &filters(&["ag/v1/home/ac-1/cmd/rsp/7"])).unwrap();
    let mut all = fanout.subscribe("b", &filters(&["ag/v1/+/+/cmd/rsp/+"])).unwrap();
    for id in ["6", "7", "8"] {
        fanout.publish(&format!("ag/v1/home/ac-1/cmd/rsp/{id}"), Bytes::from(id));
    }
    assert_eq!(next(&mut one).await.1, "7");
    for id in ["6", "7", "8"] {
        assert_eq!(next(&mut all).await, (format!("ag/v1/home/ac-1/cmd/rsp/{id}"), Bytes::from(id)));
    }
}

#[tokio::test]
async fn what_the_router_cannot_bear_does_not_reach_it() {
    let fanout = Fanout::start().unwrap();
    let mut all = fanout.subscribe("a", &filters(&["#"])).unwrap();
    for topic in ["é/x", "", "$SYS/x", "a/+", "a/#", "a\0"] {
        fanout.publish(topic, Bytes::from("x"));
    }
    fanout.publish("a/b", Bytes::new());
    assert_eq!(next(&mut all).await, ("a/b".to_owned(), Bytes::new()));
    for bad in ["é", "a/#/b", "$share/g/a", ""] {
        assert!(matches!(fanout.subscribe("b", &filters(&[bad])), Err(FanoutError::Filter(_))), "{bad}");
    }
}

#[tokio::test]
async fn places_are_used_again() {
    let fanout = Fanout::start().unwrap();
    for round in 0..30 {
        let mut subscriptions: Vec<_> = (0..64)
            .map(|number| fanout.subscribe("x", &filters(&[&format!("a/{}/{number}", round % 3)])).unwrap())
            .collect();
        assert!(matches!(fanout.subscribe("y", &filters(&["a"])), Err(FanoutError::Full(_))));
        let topic = format!("a/{}/63", round % 3);
        fanout.publish(&topic, Bytes::from("x"));
        assert_eq!(next(&mut subscriptions[63]).await.0, topic);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lagging_subscriber_holds_nobody_up() {
    const MESSAGES: usize = 50_000;
    let fanout = Fanout::start().unwrap();
    let mut lagging = fanout.subscribe("lagging", &filters(&["a/+"])).unwrap();
    let mut quick = fanout.subscribe("quick", &filters(&["a/+"])).unwrap();
    let reader = tokio::spawn(async move {
        let mut last = None;
        let mut seen = 0;
        while last.as_deref() != Some("end") {
            let (topic, payload) = next(&mut quick).await;
            assert_eq!(topic, "a/b");
            last = Some(String::from_utf8_lossy(&payload[..payload.len().min(3)]).into_owned());
            seen += 1;
        }
        seen
    });
    let payload = Bytes::from(vec![b'x'; 200]);
    for _ in 0..MESSAGES {
        fanout.publish("a/b", payload.clone());
    }
    // The queue may be full for a moment: this one is sent until the quick one has it.
    let seen = timeout(SOON, async {
        while !reader.is_finished() {
            fanout.publish("a/b", Bytes::from("end"));
            tokio::task::yield_now().await;
        }
        reader.await.unwrap()
    })
    .await
    .unwrap();
    assert!(seen > 100, "{seen}");
    // The lagging one goes on with what is still there.
    assert_eq!(next(&mut lagging).await.0, "a/b");
    drop(lagging);
    let mut after = fanout.subscribe("after", &filters(&["c"])).unwrap();
    timeout(SOON, async {
        loop {
            fanout.publish("c", Bytes::from("x"));
            if timeout(std::time::Duration::from_millis(20), after.recv()).await.is_ok() {
                break;
            }
        }
    })
    .await
    .unwrap();
}

/// A link that says "ready" after it has detached would end the router's thread.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn coming_and_going_under_load_leaves_the_router_alive() {
    let fanout = Fanout::start().unwrap();
    let publisher = {
        let fanout = fanout.clone();
        let payload = Bytes::from(vec![b'x'; 100]);
        tokio::spawn(async move {
            for number in 0_u64.. {
                fanout.publish(&format!("a/{}", number % 10), payload.clone());
                if number % 500 == 0 {
                    tokio::task::yield_now().await;
                }
            }
        })
    };
    let churn: Vec<_> = (0..4_usize)
        .map(|task| {
            let fanout = fanout.clone();
            tokio::spawn(async move {
                for round in 0..60_usize {
                    let asked = filters(if round % 2 == 0 { &["a/+", "b/#"] } else { &["#"] });
                    let fanout = fanout.clone();
                    let subscribed = tokio::task::spawn_blocking(move || fanout.subscribe("churn", &asked)).await;
                    let mut subscription = subscribed.unwrap().unwrap();
                    // Up to several times what the router hands over at once.
                    for _ in 0..(round * 37 + task * 101) % 900 {
                        next(&mut subscription).await;
                    }
                }
            })
        })
        .collect();
    for task in churn {
        timeout(SOON, task).await.unwrap().unwrap();
    }
    publisher.abort();
    let mut after = fanout.subscribe("after", &filters(&["z"])).unwrap();
    timeout(SOON, async {
        loop {
            fanout.publish("z", Bytes::from("x"));
            if timeout(std::time::Duration::from_millis(20), after.recv()).await.is_ok() {
                break;
            }
        }
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn stopping_ends_subscriptions() {
    let fanout = Fanout::start().unwrap();
    let mut subscription = fanout.subscribe("a", &filters(&["#"])).unwrap();
    fanout.stop().await;
    assert_eq!(timeout(SOON, subscription.recv()).await.unwrap(), None);
    assert!(matches!(fanout.subscribe("b", &filters(&["#"])), Err(FanoutError::Stopped)));
    fanout.publish("a", Bytes::new());
}
