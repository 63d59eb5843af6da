use firmware_proto::{BootId, DeviceTime, MessageOrder, Seq, Value};

use super::*;

fn row(device: &str, n: u64) -> DeviceRow {
    DeviceRow {
        device: device.parse().unwrap(),
        r#type: "refrigerator".into(),
        row: Row {
            time: DeviceTime(1_000 * n as i64),
            received: ServerTime(1_000 * n as i64 + 5),
            order: Some(MessageOrder { boot_id: BootId(1), seq: Seq(n) }),
            position: n,
            readings: vec![("power_w".into(), Value::Double(n as f64 / 4.0)), ("mode".into(), "cool".into())],
        },
    }
}

async fn seqs(history: &HistoryStore, device: &str) -> Vec<u64> {
    let rows = history.rows(&device.parse().unwrap(), i64::MIN, i64::MAX, 100_000, None).await.unwrap();
    rows.iter().map(|row| row.order.unwrap().seq.0).collect()
}

#[tokio::test]
async fn rows_are_read_before_and_after_flush_and_merge() {
    let dir = tempfile::tempdir().unwrap();
    let history = HistoryStore::open(dir.path(), &HashMap::new()).await.unwrap();
    for n in 0..100 {
        history.push(0, [row(if n % 3 == 0 { "a" } else { "b" }, n)]);
        if n % 4 == 3 {
            history.flush(0, n + 1, ServerTime(0)).await.unwrap();
        }
    }
    history.push(0, [row("a", 102)]);
    let expected: Vec<u64> = (0..=102).filter(|n| n % 3 == 0).filter(|n| *n != 100 && *n != 101).collect();
    assert_eq!(seqs(&history, "a").await, expected);
    let some = history.rows(&"a".parse().unwrap(), 10_000, 30_000, 3, Some("power_w")).await.unwrap();
    assert_eq!(some.iter().map(|row| row.position).collect::<Vec<_>>(), [12, 15, 18]);
}

#[tokio::test]
async fn blocks_whose_position_was_not_stored_are_forgotten() {
    let dir = tempfile::tempdir().unwrap();
    let history = HistoryStore::open(dir.path(), &HashMap::new()).await.unwrap();
    for (from, until) in [(0, 10), (10, 20)] {
        history.push(0, (from..until).map(|n| row("a", n)));
        history.flush(0, until, ServerTime(0)).await.unwrap();
    }
    history.close().await;
    let history = HistoryStore::open(dir.path(), &HashMap::from([(0, 10)])).await.unwrap();
    assert_eq!(seqs(&history, "a").await, (0..10).collect::<Vec<_>>());
}
