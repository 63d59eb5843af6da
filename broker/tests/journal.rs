//! The journal, through its public face.
#![allow(clippy::unwrap_used)]

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use broker::{Journal, JournalConfig, JournalError, Position};
use firmware_proto::UplinkKind;
use support::disk::TestDisk;
use support::{entry, records, texts};

/// For what must happen soon; only a failing test waits so long.
const SOON: Duration = Duration::from_secs(20);

fn open(dir: &Path) -> Journal {
    Journal::open(JournalConfig::new(dir)).unwrap()
}

fn small_segments(dir: &Path) -> JournalConfig {
    JournalConfig { segment_bytes: 200, ..JournalConfig::new(dir) }
}

fn segments(dir: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<_> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "seg"))
        .collect();
    paths.sort();
    paths
}

#[tokio::test]
async fn what_was_appended_is_there_after_reopening() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    let result = UplinkKind::Result("0190b6a4-0000-7000-8000-000000000001".parse().unwrap());
    assert_eq!(journal.append(entry("a", "0")).await.unwrap(), Position(0));
    let with_id = broker::Entry { kind: result.clone(), ..entry("b", "1") };
    assert_eq!(journal.append(with_id).await.unwrap(), Position(1));
    journal.close().await;
    assert!(matches!(journal.append(entry("a", "2")).await, Err(JournalError::Closed)));

    let journal = open(dir.path());
    assert_eq!((journal.first(), journal.end()), (Position(0), Position(2)));
    let found = records(&journal, Position(0)).await;
    assert_eq!(texts(&found), ["0", "1"]);
    assert_eq!((found[1].position, &found[1].kind), (Position(1), &result));
    assert_eq!(found[1].address, support::address("b"));
    assert_eq!(journal.append(entry("a", "2")).await.unwrap(), Position(2));
}

#[tokio::test]
async fn one_sync_carries_what_gathered_during_the_last() {
    let dir = tempfile::tempdir().unwrap();
    let disk = Arc::new(TestDisk::default());
    let journal = Journal::open_on(JournalConfig::new(dir.path()), Arc::clone(&disk) as _).unwrap();
    disk.hold();
    let before = disk.syncs();
    let first = journal.enqueue(&entry("a", "first")).await.unwrap();
    disk.wait_for_sync();
    let mut last = first;
    for _ in 0..100 {
        last = journal.enqueue(&entry("a", "more")).await.unwrap();
    }
    assert_eq!(journal.end(), Position(0), "nothing is durable while the first sync waits");
    disk.release();
    journal.durable(last).await.unwrap();
    assert_eq!(disk.syncs() - before, 2);
    assert_eq!(journal.end(), Position(101));
}

#[tokio::test]
async fn append_and_readers_wait_for_the_disk() {
    let dir = tempfile::tempdir().unwrap();
    let disk = Arc::new(TestDisk::default());
    let journal = Journal::open_on(JournalConfig::new(dir.path()), Arc::clone(&disk) as _).unwrap();
    let mut reader = journal.reader(Position(0)).unwrap();
    disk.hold();
    let append = tokio::spawn({
        let journal = journal.clone();
        async move { journal.append(entry("a", "x")).await }
    });
    let mut read = tokio::spawn(async move { reader.next_batch(10).await });
    tokio::task::spawn_blocking({
        let disk = Arc::clone(&disk);
        move || disk.wait_for_sync()
    })
    .await
    .unwrap();
    // It is written, but not synced.
    assert!(tokio::time::timeout(Duration::from_millis(50), &mut read).await.is_err());
    assert!(!append.is_finished());
    disk.release();
    assert_eq!(append.await.unwrap().unwrap(), Position(0));
    assert_eq!(texts(&read.await.unwrap().unwrap()), ["x"]);
}

#[tokio::test]
async fn a_tail_torn_at_any_byte_is_cut_off() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    journal.append(entry("a", "kept")).await.unwrap();
    let whole = fs::read(&segments(dir.path())[0]).unwrap();
    journal.append(entry("a", "torn")).await.unwrap();
    journal.close().await;
    let path = segments(dir.path()).remove(0);
    let full = fs::read(&path).unwrap();

    for cut in whole.len()..full.len() {
        fs::write(&path, &full[..cut]).unwrap();
        check_torn(dir.path(), &format!("cut at {cut}")).await;
        // As after a power failure: the length is there, the bytes are not.
        let mut zeroed = full.clone();
        zeroed[cut..].fill(0);
        fs::write(&path, &zeroed).unwrap();
        check_torn(dir.path(), &format!("zero from {cut}")).await;
    }
}

async fn check_torn(dir: &Path, case: &str) {
    let journal = open(dir);
    assert_eq!(texts(&records(&journal, Position(0)).await), ["kept"], "{case}");
    assert_eq!(journal.append(entry("a", "new")).await.unwrap(), Position(1), "{case}");
    journal.close().await;
    let journal = open(dir);
    assert_eq!(texts(&records(&journal, Position(0)).await), ["kept", "new"], "{case}");
    journal.close().await;
}

#[tokio::test]
async fn a_changed_byte_in_the_middle_is_an_error_that_names_the_place() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    let mut starts = Vec::new();
    for text in ["one", "two", "three"] {
        starts.push(fs::metadata(&segments(dir.path())[0]).unwrap().len());
        journal.append(entry("a", text)).await.unwrap();
    }
    journal.close().await;
    let path = segments(dir.path()).remove(0);
    let whole = fs::read(&path).unwrap();
    for at in starts[1]..starts[2] {
        let mut changed = whole.clone();
        changed[at as usize] ^= 0x10;
        fs::write(&path, &changed).unwrap();
        match Journal::open(JournalConfig::new(dir.path())) {
            Err(JournalError::Corrupt { segment, offset, .. }) => {
                assert_eq!((segment, offset), (path.clone(), starts[1]))
            }
            other => panic!("byte {at}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn damage_in_an_older_segment_shows_when_it_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal::open(small_segments(dir.path())).unwrap();
    for number in 0..20 {
        journal.append(entry("a", format!("{number}"))).await.unwrap();
    }
    journal.close().await;
    let path = segments(dir.path()).remove(1);
    let mut bytes = fs::read(&path).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(&path, bytes).unwrap();

    let journal = open(dir.path());
    let mut reader = journal.reader(Position(0)).unwrap();
    let before = reader.next_batch(100).await.unwrap();
    assert!(!before.is_empty() && before.len() < 20, "{}", before.len());
    for _ in 0..2 {
        let error = reader.next_batch(100).await.unwrap_err();
        assert!(matches!(&error, JournalError::Corrupt { segment, .. } if *segment == path), "{error}");
    }
}

#[tokio::test]
async fn released_segments_go_and_positions_stay() {
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal::open(small_segments(dir.path())).unwrap();
    for number in 0..20 {
        journal.append(entry("a", format!("{number}"))).await.unwrap();
    }
    let before = segments(dir.path()).len();
    assert!(before > 3, "{before}");
    let mut slow = journal.reader(Position(0)).unwrap();
    let consumer = journal.register("all", Position(0)).unwrap();
    consumer.release(Position(10));
    assert!(journal.first() > Position(0) && journal.first() <= Position(10));
    let first = journal.first();
    assert!(matches!(journal.reader(Position(0)), Err(JournalError::Released { .. })));
    assert!(matches!(slow.next_batch(1).await, Err(JournalError::Released { .. })));
    assert!(matches!(journal.reader(Position(21)), Err(JournalError::Beyond { .. })));
    assert_eq!(texts(&records(&journal, Position(10)).await)[0], "10");
    consumer.release(Position(u64::MAX));
    assert_eq!(journal.end(), Position(20));
    journal.close().await;
    assert_eq!(segments(dir.path()).len(), 1, "closing waits for the deletions");

    let journal = open(dir.path());
    assert!(journal.first() > first);
    assert_eq!(journal.end(), Position(20));
    assert_eq!(journal.append(entry("a", "20")).await.unwrap(), Position(20));
}

#[tokio::test]
async fn a_segment_goes_when_every_consumer_has_passed_it() {
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal::open(small_segments(dir.path())).unwrap();
    for number in 0..20 {
        journal.append(entry("a", format!("{number}"))).await.unwrap();
    }
    let fast = journal.register("fast", Position(0)).unwrap();
    let slow = journal.register("slow", Position(0)).unwrap();
    fast.release(Position(20));
    assert_eq!(journal.first(), Position(0), "the slow one has read nothing");
    slow.release(Position(10));
    let first = journal.first();
    assert!(first > Position(0) && first <= Position(10), "{first}");
    slow.release(Position(5));
    assert_eq!(texts(&records(&journal, Position(10)).await)[0], "10");
    assert!(matches!(journal.register("late", Position(0)), Err(JournalError::Released { .. })));
    assert!(matches!(journal.register("early", Position(21)), Err(JournalError::Beyond { .. })));

    drop(slow);
    assert_eq!(journal.first(), first, "its records go with the next release");
    fast.release(Position(20));
    assert!(journal.first() > Position(10));
}

#[tokio::test]
async fn a_mark_does_not_move_back() {
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal::open(small_segments(dir.path())).unwrap();
    for number in 0..20 {
        journal.append(entry("a", format!("{number}"))).await.unwrap();
    }
    let (one, other) = (journal.register("one", Position(0)).unwrap(), journal.register("other", Position(0)).unwrap());
    one.release(Position(20));
    one.release(Position(0));
    other.release(Position(20));
    assert!(journal.first() > Position(10), "{}", journal.first());
}

#[tokio::test]
async fn a_segment_whose_creation_was_cut_short_is_made_anew() {
    for header_bytes in [0, 5, 23] {
        let dir = tempfile::tempdir().unwrap();
        let journal = open(dir.path());
        journal.append(entry("a", "0")).await.unwrap();
        journal.close().await;
        let header = fs::read(&segments(dir.path())[0]).unwrap()[..header_bytes].to_vec();
        fs::write(dir.path().join("00000000000000000001.seg"), header).unwrap();
        let journal = open(dir.path());
        assert_eq!(journal.append(entry("a", "1")).await.unwrap(), Position(1));
        assert_eq!(texts(&records(&journal, Position(0)).await), ["0", "1"]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn readers_follow_while_many_append() {
    const WRITERS: usize = 8;
    const EACH: usize = 500;
    let dir = tempfile::tempdir().unwrap();
    let config = JournalConfig { segment_bytes: 10_000, ..JournalConfig::new(dir.path()) };
    let journal = Journal::open(config).unwrap();
    let readers: Vec<_> = (0..3)
        .map(|step| {
            let mut reader = journal.reader(Position(0)).unwrap();
            tokio::spawn(async move {
                let mut seen = Vec::new();
                while seen.len() < WRITERS * EACH {
                    seen.extend(reader.next_batch(7 + step * 100).await.unwrap());
                }
                seen
            })
        })
        .collect();
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let journal = journal.clone();
            tokio::spawn(async move {
                for number in 0..EACH {
                    let entry = entry(&format!("d{writer}"), format!("{number}"));
                    if number % 50 == 0 {
                        journal.append(entry).await.unwrap();
                    } else {
                        journal.enqueue(&entry).await.unwrap();
                    }
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    for reader in readers {
        let seen = tokio::time::timeout(SOON, reader).await.unwrap().unwrap();
        for (index, record) in seen.iter().enumerate() {
            assert_eq!(record.position, Position(index as u64));
        }
        for writer in 0..WRITERS {
            let of_writer: Vec<_> = seen
                .iter()
                .filter(|record| record.address == support::address(&format!("d{writer}")))
                .cloned()
                .collect();
            assert_eq!(texts(&of_writer), (0..EACH).map(|number| number.to_string()).collect::<Vec<_>>());
        }
    }
}

#[tokio::test]
async fn a_reader_that_stops_waiting_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    let mut reader = journal.reader(Position(0)).unwrap();
    let mut seen = Vec::new();
    for number in 0..50 {
        journal.append(entry("a", format!("{number}"))).await.unwrap();
        // Polled once and dropped, with whatever was under way.
        if let Ok(batch) = tokio::time::timeout(Duration::ZERO, reader.next_batch(3)).await {
            seen.extend(batch.unwrap());
        }
    }
    while seen.len() < 50 {
        let batch = reader.next_batch(3).await.unwrap();
        assert!(batch.len() <= 3);
        seen.extend(batch);
    }
    assert_eq!(texts(&seen), (0..50).map(|number| number.to_string()).collect::<Vec<_>>());
}

#[tokio::test]
async fn only_one_may_have_it_open() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    assert!(matches!(Journal::open(JournalConfig::new(dir.path())), Err(JournalError::Locked(_))));
    journal.close().await;
    open(dir.path());
}

#[tokio::test]
async fn closing_writes_what_was_taken_and_tells_readers() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    let mut reader = journal.reader(Position(0)).unwrap();
    for _ in 0..100 {
        journal.enqueue(&entry("a", "x")).await.unwrap();
    }
    journal.close().await;
    assert_eq!(journal.end(), Position(100));
    let mut seen = 0;
    let error = loop {
        match reader.next_batch(30).await {
            Ok(batch) => seen += batch.len(),
            Err(error) => break error,
        }
    };
    assert_eq!(seen, 100);
    assert!(matches!(error, JournalError::Closed));
}

#[tokio::test]
async fn a_failed_sync_is_the_end() {
    let dir = tempfile::tempdir().unwrap();
    let disk = Arc::new(TestDisk::default());
    let journal = Journal::open_on(JournalConfig::new(dir.path()), Arc::clone(&disk) as _).unwrap();
    journal.append(entry("a", "durable")).await.unwrap();
    let mut reader = journal.reader(Position(0)).unwrap();
    disk.fail_syncs();
    assert!(matches!(journal.append(entry("a", "lost")).await, Err(JournalError::Failed(_))));
    assert!(matches!(journal.append(entry("a", "later")).await, Err(JournalError::Failed(_))));
    assert_eq!(texts(&reader.next_batch(10).await.unwrap()), ["durable"]);
    assert!(matches!(reader.next_batch(10).await, Err(JournalError::Failed(_))));
    journal.close().await;
}

#[tokio::test]
async fn a_full_disk_holds_acknowledgements_back_until_there_is_space() {
    let dir = tempfile::tempdir().unwrap();
    let disk = Arc::new(TestDisk::default());
    let config = JournalConfig { pending_bytes: 1_000, ..JournalConfig::new(dir.path()) };
    let journal = Journal::open_on(config, Arc::clone(&disk) as _).unwrap();
    journal.append(entry("a", "before")).await.unwrap();
    disk.set_full(true);
    let mut appends: Vec<_> = (0..100)
        .map(|number| {
            let journal = journal.clone();
            tokio::spawn(async move { journal.append(entry("a", format!("{number:04}"))).await })
        })
        .collect();
    assert!(tokio::time::timeout(Duration::from_millis(100), &mut appends[0]).await.is_err());
    disk.set_full(false);
    for append in appends {
        tokio::time::timeout(SOON, append).await.unwrap().unwrap().unwrap();
    }
    journal.close().await;
    assert_eq!(open(dir.path()).end(), Position(101));
}

#[tokio::test]
async fn a_slow_disk_holds_appends_up() {
    let dir = tempfile::tempdir().unwrap();
    let disk = Arc::new(TestDisk::default());
    let config = JournalConfig { pending_bytes: 1_000, ..JournalConfig::new(dir.path()) };
    let journal = Journal::open_on(config, Arc::clone(&disk) as _).unwrap();
    disk.hold();
    journal.enqueue(&entry("a", "x")).await.unwrap();
    disk.wait_for_sync();
    let mut taken = 0;
    let payload = vec![b'x'; 100];
    while tokio::time::timeout(Duration::from_millis(50), journal.enqueue(&entry("a", payload.clone()))).await.is_ok() {
        taken += 1;
    }
    assert!((5..=10).contains(&taken), "{taken}");
    disk.release();
    journal.append(entry("a", "after")).await.unwrap();
    assert_eq!(journal.end(), Position(taken + 2));
}
