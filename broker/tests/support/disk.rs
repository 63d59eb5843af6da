//! A disk whose syncs wait for the test, and whose writes and syncs fail when the test says so.

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};

use broker::journal::{Disk, DiskFile, OsDisk};

#[derive(Default)]
pub struct TestDisk {
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    held: Mutex<bool>,
    released: Condvar,
    /// Syncs that have begun, and those that wait.
    pub syncs: AtomicUsize,
    waiting: Mutex<usize>,
    came_to_wait: Condvar,
    full: AtomicBool,
    fail_sync: AtomicBool,
}

impl TestDisk {
    /// Syncs wait from now on.
    pub fn hold(&self) {
        *self.state.held.lock().unwrap() = true;
    }

    /// Syncs go through again.
    pub fn release(&self) {
        *self.state.held.lock().unwrap() = false;
        self.state.released.notify_all();
    }

    /// Waits until a sync waits.
    pub fn wait_for_sync(&self) {
        let waiting = self.state.waiting.lock().unwrap();
        drop(self.state.came_to_wait.wait_while(waiting, |waiting| *waiting == 0).unwrap());
    }

    pub fn syncs(&self) -> usize {
        self.state.syncs.load(Ordering::SeqCst)
    }

    pub fn set_full(&self, full: bool) {
        self.state.full.store(full, Ordering::SeqCst);
    }

    pub fn fail_syncs(&self) {
        self.state.fail_sync.store(true, Ordering::SeqCst);
    }
}

impl Disk for TestDisk {
    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        OsDisk.create_dir(dir)
    }
    fn lock(&self, path: &Path) -> io::Result<Box<dyn Send>> {
        OsDisk.lock(path)
    }
    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        OsDisk.list(dir)
    }
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(TestFile { file: OsDisk.create(path)?, state: Arc::clone(&self.state) }))
    }
    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(TestFile { file: OsDisk.open(path)?, state: Arc::clone(&self.state) }))
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        OsDisk.remove(path)
    }
    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        OsDisk.sync_dir(dir)
    }
}

struct TestFile {
    file: Box<dyn DiskFile>,
    state: Arc<State>,
}

impl DiskFile for TestFile {
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        if self.state.full.load(Ordering::SeqCst) {
            // As a full disk does: some of it arrives.
            self.file.write_all_at(&bytes[..bytes.len() / 2], offset)?;
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.file.write_all_at(bytes, offset)
    }
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.file.read_at(buffer, offset)
    }
    fn length(&self) -> io::Result<u64> {
        self.file.length()
    }
    fn truncate(&self, length: u64) -> io::Result<()> {
        self.file.truncate(length)
    }
    fn sync_data(&self) -> io::Result<()> {
        self.state.syncs.fetch_add(1, Ordering::SeqCst);
        let held = self.state.held.lock().unwrap();
        if *held {
            *self.state.waiting.lock().unwrap() += 1;
            self.state.came_to_wait.notify_all();
            drop(self.state.released.wait_while(held, |held| *held).unwrap());
            *self.state.waiting.lock().unwrap() -= 1;
        } else {
            drop(held);
        }
        if self.state.fail_sync.load(Ordering::SeqCst) {
            return Err(io::Error::other("the test fails it"));
        }
        self.file.sync_data()
    }
}
