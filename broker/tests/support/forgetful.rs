//! A disk in memory that keeps what was synced and may lose everything else when the power goes.
//!
//! Each change waits in a list until a sync of its file or directory. [`Forgetful::cut_power`] decides for each that
//! still waits whether it arrived: whole, torn, in some sectors only, as zeros, as somebody else's old bytes, or not
//! at all, whatever became of the others. [`Forgetful::kill`] keeps them waiting, as the page cache does when only
//! the process ends. A sync that fails ([`Forgetful::fail_next_sync`]) takes them off the list: they can be read, and
//! later syncs go well, but they never arrive unless they are written again.

use std::collections::BTreeMap;
use std::io;
use std::path::{Component, Path};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};

use broker::journal::{Disk, DiskFile};
use rand::RngExt;
use rand::rngs::Xoshiro256PlusPlus as Rng;

/// Which syncs it only pretends to make.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Lies {
    #[default]
    None,
    /// Of the bytes of files.
    Data,
    /// Of the names in directories.
    Names,
}

#[derive(Clone)]
pub struct Forgetful {
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Clone)]
struct State {
    lies: Lies,
    /// The first is the root directory.
    nodes: Vec<Node>,
    /// Changes and syncs so far, and at which of them the power goes.
    operations: usize,
    cut_at: usize,
    off: bool,
    /// Changes and syncs wait.
    held: bool,
    waiting: usize,
    full: bool,
    fails_next: bool,
    /// Writes for which there was no space.
    refused: usize,
    locked: bool,
}

#[derive(Clone)]
enum Node {
    Dir(Dir),
    File(Contents),
}

#[derive(Clone, Default)]
struct Dir {
    synced: BTreeMap<String, usize>,
    /// A name, and what it names from now on.
    pending: Vec<(String, Option<usize>)>,
    now: BTreeMap<String, usize>,
}

#[derive(Clone, Default)]
struct Contents {
    synced: Vec<u8>,
    pending: Vec<Change>,
    now: Vec<u8>,
}

#[derive(Clone)]
enum Change {
    Write { offset: usize, bytes: Vec<u8> },
    Truncate(usize),
}

impl Forgetful {
    /// An empty disk.
    pub fn new(lies: Lies) -> Self {
        Self::with(State {
            lies,
            nodes: vec![Node::Dir(Dir::default())],
            operations: 0,
            cut_at: usize::MAX,
            off: false,
            held: false,
            waiting: 0,
            full: false,
            fails_next: false,
            refused: 0,
            locked: false,
        })
    }

    fn with(state: State) -> Self {
        Self { shared: Arc::new(Shared { state: Mutex::new(state), changed: Condvar::new() }) }
    }

    /// The power goes during the `operations`-th change or sync from now.
    pub fn cut_after(&self, operations: usize) {
        let mut state = self.lock();
        state.cut_at = state.operations + operations;
    }

    /// The power goes now.
    pub fn cut_now(&self) {
        self.lock().off = true;
        self.shared.changed.notify_all();
    }

    pub fn is_off(&self) -> bool {
        self.lock().off
    }

    /// Changes and syncs wait from now on.
    pub fn hold(&self) {
        self.lock().held = true;
    }

    /// They go through again.
    pub fn release(&self) {
        self.lock().held = false;
        self.shared.changed.notify_all();
    }

    /// Waits until one waits.
    pub fn wait_for_work(&self) {
        self.wait_until(|state| state.waiting > 0);
    }

    pub fn set_full(&self, full: bool) {
        self.lock().full = full;
    }

    /// The next sync of a file fails.
    pub fn fail_next_sync(&self) {
        self.lock().fails_next = true;
    }

    /// Waits until a write has found no space.
    pub fn wait_for_refusal(&self) {
        self.wait_until(|state| state.refused > 0);
    }

    /// Waits until the first name in the directory, in order, is this one.
    pub fn wait_for_first(&self, dir: &Path, name: &str) {
        self.wait_until(|state| state.dir(dir).is_ok_and(|dir| dir.now.keys().next().is_some_and(|is| is == name)));
    }

    /// Waits for a condition, or until the power is off.
    fn wait_until(&self, condition: impl Fn(&State) -> bool) {
        let waits = |state: &mut State| !state.off && !condition(state);
        drop(self.shared.changed.wait_while(self.lock(), waits).unwrap());
    }

    /// The disk as another process finds it when the last one ended.
    pub fn kill(&self) -> Self {
        self.cut_now();
        Self::with(self.lock().clone().switched_on())
    }

    /// The disk as it may be found after the power went.
    pub fn cut_power(&self, rng: &mut Rng) -> Self {
        self.cut_now();
        let mut state = self.lock().clone();
        let old: Vec<Vec<u8>> = state.files().map(|file| file.now.clone()).collect();
        for node in &mut state.nodes {
            match node {
                Node::Dir(dir) => dir.lose(rng),
                Node::File(file) => file.lose(&old, rng),
            }
        }
        Self::with(state.switched_on())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap()
    }

    /// Makes a change, unless the power is off. If the power goes during it, it may or may not arrive.
    fn change<T>(&self, apply: impl FnOnce(&mut State) -> io::Result<T>) -> io::Result<T> {
        let mut state = self.lock();
        if state.held {
            state.waiting += 1;
            self.shared.changed.notify_all();
            state = self.shared.changed.wait_while(state, |state| state.held && !state.off).unwrap();
            state.waiting -= 1;
        }
        state.check_power()?;
        state.operations += 1;
        let done = apply(&mut state);
        state.off = state.is_last();
        self.shared.changed.notify_all();
        state.check_power()?;
        done
    }

    fn look<T>(&self, look: impl FnOnce(&State) -> io::Result<T>) -> io::Result<T> {
        let state = self.lock();
        state.check_power()?;
        look(&state)
    }

    fn handle(&self, node: usize) -> Box<dyn DiskFile> {
        Box::new(Handle { disk: self.clone(), node })
    }
}

impl State {
    fn switched_on(self) -> Self {
        let (off, held, full, fails_next, locked) = (false, false, false, false, false);
        Self { off, held, full, fails_next, locked, waiting: 0, refused: 0, cut_at: usize::MAX, ..self }
    }

    fn check_power(&self) -> io::Result<()> {
        if self.off { Err(io::Error::other("the power is off")) } else { Ok(()) }
    }

    /// Whether the power goes during this operation.
    fn is_last(&self) -> bool {
        self.operations >= self.cut_at
    }

    fn files(&self) -> impl Iterator<Item = &Contents> {
        self.nodes.iter().filter_map(|node| match node {
            Node::File(file) => Some(file),
            Node::Dir(_) => None,
        })
    }

    fn find(&self, path: &Path) -> io::Result<usize> {
        path.components().filter(|part| *part != Component::RootDir).try_fold(0, |node, part| {
            let Node::Dir(dir) = &self.nodes[node] else { return Err(io::ErrorKind::NotADirectory.into()) };
            dir.now.get(&*part.as_os_str().to_string_lossy()).copied().ok_or_else(|| io::ErrorKind::NotFound.into())
        })
    }

    fn dir(&self, path: &Path) -> io::Result<&Dir> {
        match &self.nodes[self.find(path)?] {
            Node::Dir(dir) => Ok(dir),
            Node::File(_) => Err(io::ErrorKind::NotADirectory.into()),
        }
    }

    fn dir_mut(&mut self, path: &Path) -> io::Result<&mut Dir> {
        let node = self.find(path)?;
        match &mut self.nodes[node] {
            Node::Dir(dir) => Ok(dir),
            Node::File(_) => Err(io::ErrorKind::NotADirectory.into()),
        }
    }

    fn file(&mut self, node: usize) -> &mut Contents {
        match &mut self.nodes[node] {
            Node::File(file) => file,
            Node::Dir(_) => panic!("no handle is given out to a directory"),
        }
    }

    fn name(&mut self, path: &Path, node: Option<usize>) -> io::Result<()> {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let dir = self.dir_mut(path.parent().unwrap())?;
        dir.rename(&name, node);
        dir.pending.push((name, node));
        Ok(())
    }

    fn add(&mut self, path: &Path, node: Node) -> io::Result<usize> {
        self.nodes.push(node);
        let node = self.nodes.len() - 1;
        self.name(path, Some(node))?;
        Ok(node)
    }
}

impl Dir {
    fn rename(&mut self, name: &str, node: Option<usize>) {
        match node {
            Some(node) => self.now.insert(name.to_owned(), node),
            None => self.now.remove(name),
        };
    }

    fn sync(&mut self) {
        self.synced.clone_from(&self.now);
        self.pending.clear();
    }

    fn lose(&mut self, rng: &mut Rng) {
        self.now.clone_from(&self.synced);
        for (name, node) in std::mem::take(&mut self.pending) {
            if rng.random() {
                self.rename(&name, node);
            }
        }
        self.sync();
    }
}

impl Contents {
    fn change(&mut self, change: Change) {
        apply(&mut self.now, &change);
        self.pending.push(change);
    }

    fn sync(&mut self) {
        for change in std::mem::take(&mut self.pending) {
            apply(&mut self.synced, &change);
        }
    }

    fn lose(&mut self, old: &[Vec<u8>], rng: &mut Rng) {
        self.now.clone_from(&self.synced);
        for change in std::mem::take(&mut self.pending) {
            match change {
                Change::Truncate(_) if rng.random() => {}
                Change::Truncate(_) => apply(&mut self.now, &change),
                Change::Write { offset, bytes } => arrive(&mut self.now, offset, &bytes, old, rng),
            }
        }
        self.synced.clone_from(&self.now);
    }
}

fn apply(file: &mut Vec<u8>, change: &Change) {
    match change {
        Change::Truncate(length) => file.truncate(*length),
        Change::Write { offset, bytes } => {
            let end = offset + bytes.len();
            file.resize(file.len().max(end), 0);
            file[*offset..end].copy_from_slice(bytes);
        }
    }
}

/// What there is of a write that was not synced. Bytes that were there before are old or new; where the file has
/// grown, they may be anything.
fn arrive(file: &mut Vec<u8>, offset: usize, bytes: &[u8], old: &[Vec<u8>], rng: &mut Rng) {
    let grown_from = file.len().max(offset);
    let end = offset + bytes.len();
    let mut put = |at: usize, bytes: &[u8]| apply(file, &Change::Write { offset: at, bytes: bytes.to_vec() });
    match rng.random_range(0..7) {
        0 => {}
        1 => put(offset, bytes),
        2 => put(grown_from, &vec![0; end.saturating_sub(grown_from)]),
        // Its beginning, or its end.
        3 => put(offset, &bytes[..rng.random_range(0..bytes.len())]),
        4 => {
            let from = rng.random_range(0..bytes.len());
            put(offset + from, &bytes[from..]);
        }
        // Its blocks hold what a file had in them that has gone.
        5 => {
            let other = &old[rng.random_range(0..old.len())];
            put(grown_from, other.get(grown_from..end.min(other.len())).unwrap_or_default());
        }
        // Some sectors; smaller than real ones, since the test's writes are.
        _ => {
            let sector = [8, 64, 512][rng.random_range(0..3)];
            for (number, part) in bytes.chunks(sector).enumerate() {
                if rng.random() {
                    put(offset + number * sector, part);
                }
            }
        }
    }
}

impl Disk for Forgetful {
    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        self.change(|state| {
            if state.find(dir).is_ok() {
                return Err(io::ErrorKind::AlreadyExists.into());
            }
            state.add(dir, Node::Dir(Dir::default())).map(drop)
        })
    }

    fn lock(&self, _: &Path) -> io::Result<Box<dyn Send>> {
        let mut state = self.lock();
        if std::mem::replace(&mut state.locked, true) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(Box::new(Unlock(self.clone())))
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        self.look(|state| Ok(state.dir(dir)?.now.keys().cloned().collect()))
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let node = self.change(|state| match state.find(path) {
            Ok(node) => {
                state.file(node).change(Change::Truncate(0));
                Ok(node)
            }
            Err(_) => state.add(path, Node::File(Contents::default())),
        })?;
        Ok(self.handle(node))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let node = self.look(|state| state.find(path))?;
        Ok(self.handle(node))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.change(|state| {
            state.find(path)?;
            state.name(path, None)
        })
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.change(|state| {
            let skip = state.is_last() || state.lies == Lies::Names;
            let dir = state.dir_mut(dir)?;
            if !skip {
                dir.sync();
            }
            Ok(())
        })
    }
}

struct Unlock(Forgetful);

impl Drop for Unlock {
    fn drop(&mut self) {
        self.0.lock().locked = false;
    }
}

struct Handle {
    disk: Forgetful,
    node: usize,
}

impl DiskFile for Handle {
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.disk.change(|state| {
            // As a full disk does: some of it arrives.
            let fits = if state.full { bytes.len() / 2 } else { bytes.len() };
            state.file(self.node).change(Change::Write { offset: offset as usize, bytes: bytes[..fits].to_vec() });
            if fits < bytes.len() {
                state.refused += 1;
                return Err(io::ErrorKind::StorageFull.into());
            }
            Ok(())
        })
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut state = self.disk.lock();
        state.check_power()?;
        let rest = state.file(self.node).now.get(offset as usize..).unwrap_or_default();
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }

    fn length(&self) -> io::Result<u64> {
        let mut state = self.disk.lock();
        state.check_power()?;
        Ok(state.file(self.node).now.len() as u64)
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        self.disk.change(|state| {
            state.file(self.node).change(Change::Truncate(length as usize));
            Ok(())
        })
    }

    fn sync_data(&self) -> io::Result<()> {
        self.disk.change(|state| {
            if std::mem::take(&mut state.fails_next) {
                state.file(self.node).pending.clear();
                return Err(io::Error::other("a bad block"));
            }
            if !state.is_last() && state.lies != Lies::Data {
                state.file(self.node).sync();
            }
            Ok(())
        })
    }
}
