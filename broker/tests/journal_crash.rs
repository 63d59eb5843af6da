//! The journal on a disk that forgets what was not synced: what was acknowledged is there after every crash.
//!
//! `FETTLE_CRASHES=10000 cargo nextest run -p broker -E 'binary(journal_crash)'` tries more seeds than CI does, and
//! `FETTLE_SEED=7` only that one.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use broker::{Consumer, Journal, JournalConfig, JournalError, JournalReader, Position, Record};
use rand::rngs::Xoshiro256PlusPlus as Rng;
use rand::{RngExt, SeedableRng};
use support::forgetful::{Forgetful, Lies};
use support::{address, entry, records};

/// Seeds in CI: some seconds.
const CRASHES: u64 = 300;

const DEVICES: usize = 5;

/// Crashes of one disk, one after the other.
const LIVES: usize = 6;

/// Bursts and releases between two crashes, unless one comes first.
const STEPS: usize = 40;

/// A few small frames, so that segments come and go.
const SEGMENT_BYTES: u64 = 400;

/// Says which seed it was, if the test panics.
struct Seed(u64);

impl Drop for Seed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("FETTLE_SEED={} shows it again", self.0);
        }
    }
}

fn config() -> JournalConfig {
    JournalConfig { segment_bytes: SEGMENT_BYTES, ..JournalConfig::new(dir()) }
}

/// Two levels that do not exist at first.
fn dir() -> PathBuf {
    PathBuf::from("/state/journal")
}

/// What the devices know.
#[derive(Default)]
struct Ledger {
    /// Every message the journal has taken, by its position.
    taken: BTreeMap<u64, (usize, String)>,
    /// Those below were acknowledged.
    acknowledged: u64,
    /// Those below are not needed any more.
    released: u64,
    /// How many messages each device has made.
    made: [u32; DEVICES],
}

impl Ledger {
    /// Offers a message to the journal.
    async fn offer(&mut self, journal: &Journal, rng: &mut Rng) -> Result<Position, JournalError> {
        let device = rng.random_range(0..DEVICES);
        let padding = "x".repeat(rng.random_range(0..120));
        let text = format!("{}{padding}", self.made[device]);
        self.made[device] += 1;
        let position = journal.enqueue(&entry(&format!("d{device}"), text.clone())).await?;
        self.taken.insert(position.0, (device, text));
        Ok(position)
    }

    /// Compares the journal with what was put in. Position by position, so that nothing is missing, twice, or out of
    /// order.
    async fn check(&mut self, journal: &Journal) -> Result<(), String> {
        let (first, end) = (journal.first(), journal.end());
        if first.0 > self.released {
            return Err(format!("{first} is the first, but only those below {} were released", self.released));
        }
        if end.0 < self.acknowledged {
            return Err(format!("{end} is the end, but those below {} were acknowledged", self.acknowledged));
        }
        // Also what was released and is still there: no hole may be left in it.
        let mut reader = journal.reader(first).map_err(|error| error.to_string())?;
        for position in first.0..end.0 {
            let record = reader.next_batch(1).await.map_err(|error| format!("at {position}: {error}"))?;
            self.check_record(position, &record[0])?;
        }
        // What was not acknowledged may have arrived or not; from now on it is settled.
        self.taken.split_off(&end.0);
        self.acknowledged = end.0;
        Ok(())
    }

    fn check_record(&self, position: u64, record: &Record) -> Result<(), String> {
        let Some((device, text)) = self.taken.get(&position) else {
            return Err(format!("position {position} holds a message that nobody sent"));
        };
        let same = record.position.0 == position
            && record.address == address(&format!("d{device}"))
            && record.payload == text.as_bytes();
        if same { Ok(()) } else { Err(format!("position {position} should be {text} of d{device}, not {record:?}")) }
    }
}

/// A journal from its opening to its crash.
struct Life<'a> {
    disk: &'a Forgetful,
    journal: Journal,
    reader: JournalReader,
    consumer: Consumer,
    ledger: &'a mut Ledger,
}

impl<'a> Life<'a> {
    /// Opens the journal and checks it; `None` if the power went meanwhile.
    async fn begin(disk: &'a Forgetful, ledger: &'a mut Ledger) -> Result<Option<Self>, String> {
        let journal = match Journal::open_on(config(), Arc::new(disk.clone())) {
            Ok(journal) => journal,
            Err(_) if disk.is_off() => return Ok(None),
            Err(error) => return Err(format!("it does not open: {error}")),
        };
        ledger.check(&journal).await?;
        let from = Position(ledger.released);
        let reader = journal.reader(from).map_err(|error| error.to_string())?;
        let consumer = journal.register("test", from).map_err(|error| error.to_string())?;
        Ok(Some(Self { disk, journal, reader, consumer, ledger }))
    }

    /// Messages come and are released, until the power goes or it is enough.
    async fn live(&mut self, rng: &mut Rng) -> Result<(), String> {
        for _ in 0..rng.random_range(0..STEPS) {
            let went_well = match rng.random_range(0..100) {
                0..70 => self.burst(rng).await,
                70..96 => self.follow(rng).await,
                96..98 => self.fill(rng).await,
                _ => self.fail(rng).await,
            };
            match went_well {
                _ if self.disk.is_off() => break,
                Ok(()) => {}
                Err(error) => return Err(format!("with the power on: {error}")),
            }
        }
        Ok(())
    }

    /// The end, in order if the power is still on. What the journal called durable counts as acknowledged, whether
    /// somebody waited for it or not: readers may have seen it.
    async fn end(self) {
        self.journal.close().await;
        self.ledger.acknowledged = self.journal.end().0;
    }

    /// Some messages at once. The first is on its way to the disk while the others come, so that the batches depend
    /// on the seed alone.
    async fn burst(&mut self, rng: &mut Rng) -> Result<(), JournalError> {
        self.disk.hold();
        let mut last = self.ledger.offer(&self.journal, rng).await?;
        self.disk.wait_for_work();
        for _ in 0..rng.random_range(0..8) {
            last = self.ledger.offer(&self.journal, rng).await?;
        }
        self.disk.release();
        self.journal.durable(last).await
    }

    /// Reads on, and lets go of some of it.
    async fn follow(&mut self, rng: &mut Rng) -> Result<(), JournalError> {
        let end = self.journal.end();
        while self.reader.position() < end {
            for record in self.reader.next_batch(rng.random_range(1..10)).await? {
                self.ledger.check_record(record.position.0, &record).unwrap();
            }
        }
        self.ledger.released = rng.random_range(self.ledger.released..=end.0);
        self.consumer.release(Position(self.ledger.released));
        self.disk.wait_for_first(&dir(), &format!("{:020}.seg", self.journal.first().0));
        Ok(())
    }

    /// The disk is full, and the power goes before there is space.
    async fn fill(&mut self, rng: &mut Rng) -> Result<(), JournalError> {
        self.disk.set_full(true);
        let end = self.journal.end();
        for _ in 0..rng.random_range(1..8) {
            self.ledger.offer(&self.journal, rng).await?;
        }
        self.disk.wait_for_refusal();
        assert_eq!(self.journal.end(), end, "nothing is acknowledged");
        self.disk.cut_now();
        Ok(())
    }

    /// A sync fails, and the process ends.
    async fn fail(&mut self, rng: &mut Rng) -> Result<(), JournalError> {
        self.disk.fail_next_sync();
        let outcome = self.burst(rng).await;
        assert!(self.disk.is_off() || matches!(outcome, Err(JournalError::Failed(_))), "{outcome:?}");
        self.disk.cut_now();
        Ok(())
    }
}

/// One disk through several lives; what was wrong, if anything.
async fn run(seed: u64, lies: Lies) -> Result<(), String> {
    let mut rng = Rng::seed_from_u64(seed);
    let mut disk = Forgetful::new(lies);
    let mut ledger = Ledger::default();
    for _ in 0..LIVES {
        // Often while it opens or soon after.
        let scale = [8, 40, 300][rng.random_range(0..3)];
        disk.cut_after(rng.random_range(1..scale));
        if let Some(mut life) = Life::begin(&disk, &mut ledger).await? {
            life.live(&mut rng).await?;
            if rng.random_bool(0.2) {
                disk.cut_now();
            }
            life.end().await;
        }
        disk = if rng.random_bool(0.3) { disk.kill() } else { disk.cut_power(&mut rng) };
    }
    last_life(&disk, &mut ledger, &mut rng).await
}

/// After all that it works as ever.
async fn last_life(disk: &Forgetful, ledger: &mut Ledger, rng: &mut Rng) -> Result<(), String> {
    for _ in 0..2 {
        let mut life = Life::begin(disk, ledger).await?.ok_or("the power is on")?;
        for _ in 0..5 {
            life.burst(rng).await.map_err(|error| error.to_string())?;
        }
        life.end().await;
    }
    Ok(())
}

fn from_environment(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|value| value.parse().unwrap())
}

#[tokio::test]
async fn what_was_acknowledged_survives_every_crash() {
    let seeds = match from_environment("FETTLE_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..from_environment("FETTLE_CRASHES").unwrap_or(CRASHES),
    };
    for seed in seeds {
        let _seed = Seed(seed);
        if let Err(wrong) = run(seed, Lies::None).await {
            panic!("{wrong}");
        }
    }
}

/// The check can fail: a disk that says it has synced, and has not, is found out.
#[tokio::test]
async fn a_disk_that_lies_is_found_out() {
    for lies in [Lies::Data, Lies::Names] {
        let mut found = 0;
        for seed in 0..20 {
            let _seed = Seed(seed);
            found += u32::from(run(seed, lies).await.is_err());
        }
        assert!(found > 10, "{lies:?}: {found} of 20");
    }
}

#[tokio::test]
async fn what_waited_for_space_survives_a_crash_after_it() {
    let mut rng = Rng::seed_from_u64(1);
    let disk = Forgetful::new(Lies::None);
    let mut ledger = Ledger::default();
    let journal = Journal::open_on(config(), Arc::new(disk.clone())).unwrap();
    ledger.offer(&journal, &mut rng).await.unwrap();
    journal.durable(Position(0)).await.unwrap();
    disk.set_full(true);
    let mut last = Position(0);
    for _ in 0..50 {
        last = ledger.offer(&journal, &mut rng).await.unwrap();
    }
    disk.wait_for_refusal();
    assert_eq!(journal.end(), Position(1));
    disk.set_full(false);
    journal.durable(last).await.unwrap();
    let disk = disk.cut_power(&mut rng);

    let journal = Journal::open_on(config(), Arc::new(disk)).unwrap();
    ledger.acknowledged = last.next().0;
    ledger.check(&journal).await.unwrap();
    assert_eq!(records(&journal, Position(0)).await.len(), 51);
}

/// A process that ends leaves bytes that are not on disk yet; the next one must not build upon them.
#[tokio::test]
async fn what_a_killed_process_left_is_synced_before_it_counts() {
    for cut in 1..40 {
        let disk = Forgetful::new(Lies::None);
        disk.cut_after(cut);
        if let Ok(journal) = Journal::open_on(config(), Arc::new(disk.clone())) {
            while journal.append(entry("a", "x".repeat(100))).await.is_ok() {}
        }
        let disk = disk.kill();
        let journal = Journal::open_on(config(), Arc::new(disk.clone())).unwrap();
        let before = records(&journal, Position(0)).await;
        for seed in 0..20 {
            let disk = disk.cut_power(&mut Rng::seed_from_u64(seed));
            let journal = Journal::open_on(config(), Arc::new(disk)).unwrap();
            assert_eq!(records(&journal, Position(0)).await, before, "cut at {cut}, seed {seed}");
        }
    }
}
