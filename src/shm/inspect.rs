//! Looking into a directory of regions from outside, for those who look after them.
//!
//! Looking takes no lock and no line, and changes nothing: who looks at a region has it mapped, but does not count among the
//! processes that have it open. What can't be trusted is told as such.

use super::digest::digest;
use super::file::{Directory, default_path, file_name, is_file_name};
use super::header::Header;
use super::identity::Identity;
use super::layout::state;
use super::lines::LINE_OWNER;
use super::map::Map;
use super::read::check_of;
use super::region::{Region, stats};
use super::space::{CHECK, HASH, LENS, LIVE, PLACE, READ, RING, RegionSlot, Space, VISITED, WORD, copy_out, high, low};
use super::types::RegionState;
use super::types::{EntryInfo, OpenError, RegionInfo, RegionSummary};
use crate::core::atomics::Ordering;
use std::collections::HashSet;
use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// How often a walk begins again that met a writer.
const TRIES: usize = 1000;

/// A region that is looked at.
struct InspectedRegion {
    header: Header,
    space: Space,
    inode: u64,
}

/// None: there is no directory.
fn existing(dir: &Path) -> Result<Option<Directory>, OpenError> {
    match Directory::open(dir, false) {
        Err(OpenError::Io(error, _)) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        directory => directory.map(Some),
    }
}

/// A region file of the directory, opened. None: it is not there.
fn open(directory: &Directory, file: &str) -> Result<Option<File>, OpenError> {
    if is_file_name(file) { directory.open_file(file) } else { Ok(None) }
}

fn seconds(time: io::Result<SystemTime>) -> Option<f64> {
    Some(time.ok()?.duration_since(UNIX_EPOCH).ok()?.as_secs_f64())
}

impl InspectedRegion {
    /// A region in this file, or what is wrong with it.
    fn new(file: &File, name: &str) -> Result<Self, RegionState> {
        let wrong = |error: io::Error| RegionState::Refused(format!("cannot be read: {error}"));
        let meta = file.metadata().map_err(wrong)?;
        let Some(header) = Header::read(file).map_err(wrong)? else {
            return Err(if Header::is_of_other_layout(file) { RegionState::OtherLayout } else { RegionState::Damaged });
        };
        if meta.len() != header.geometry.file || file_name(&header.name) != name {
            return Err(RegionState::Damaged);
        }
        let map = Map::new(file, header.geometry.file).map_err(wrong)?;
        let space = Space::new(map, header.geometry, header.seed);
        Ok(Self { header, space, inode: meta.ino() })
    }

    fn state(&self) -> RegionState {
        if !self.header.is_of_this_boot() {
            RegionState::EarlierBoot
        } else if !self.header.is_of_this_namespace() {
            RegionState::OtherNamespace
        } else {
            RegionState::Good
        }
    }

    fn summary(&self) -> RegionSummary {
        let own = Identity::own();
        // As in `lock.rs`: inodes that this process does not find among its own maps tell nothing.
        let tells = own.maps(self.inode);
        let has_it = |owner: &Identity| owner.lives() && (*owner == own || !tells || owner.maps(self.inode));
        // Relaxed: numbers, no messages.
        let owner = |line| Identity(self.space.process(line)[LINE_OWNER].load(Ordering::Relaxed));
        let lines = 1..self.space.geometry.processes_len;
        let mut processes: Vec<_> = match self.state() {
            RegionState::Good => {
                lines.map(owner).filter(|owner| owner.is_known() && has_it(owner)).map(Identity::pid).collect()
            }
            _ => Vec::new(),
        };
        // One may have two lines.
        processes.sort_unstable();
        processes.dedup();
        let newest = self.space.slot(low(self.space.state(state::NEWEST).load(Ordering::Relaxed)));
        RegionSummary {
            name: self.header.name.clone(),
            config: self.header.config,
            file_bytes: self.header.geometry.file,
            processes,
            last: newest.map(|slot| slot[READ].load(Ordering::Relaxed)),
            stats: stats(&self.space),
        }
    }

    /// Up to `most` entries that are whole, the newest first.
    fn entries(&self, most: usize, with_values: bool) -> Vec<EntryInfo> {
        let (mut entries, mut seen) = (Vec::new(), HashSet::new());
        // Links that are damaged may go round, and lengths may be any: entries don't overlap.
        let mut room = self.space.geometry.arena_words;
        for _ in 0..TRIES {
            // Relaxed: whether it is an entry is seen there.
            let mut id = low(self.space.state(state::NEWEST).load(Ordering::Relaxed));
            let mut steps = self.space.geometry.units();
            while id != 0 && entries.len() < most && steps > 0 && room > 0 {
                let Some(slot) = self.space.slot(id) else { break };
                // Acquire: pairs with the Release that publishes the entry.
                let word = slot[WORD].load(Ordering::Acquire);
                if word & LIVE == 0 || self.space.id(word) != id {
                    break;
                }
                // Relaxed: `stands` orders it. If the neighbour has left meanwhile, it is seen there.
                let older = high(slot[RING].load(Ordering::Relaxed));
                let entry = seen.insert(word & !VISITED).then(|| self.entry_info(slot, word, with_values, &mut room));
                if !self.space.stands(slot, word) {
                    break;
                }
                entries.extend(entry.flatten());
                id = older;
                steps -= 1;
            }
            if id == 0 || entries.len() >= most || steps == 0 || room == 0 {
                break;
            }
            std::thread::yield_now();
        }
        entries
    }

    /// The entry, if all its checks hold. Takes its words from the room.
    fn entry_info(&self, slot: &RegionSlot, word: u64, with_value: bool, room: &mut usize) -> Option<EntryInfo> {
        let space = &self.space;
        // Relaxed: `stands` orders them.
        let [hash, place, lens, read, check] =
            [HASH, PLACE, LENS, READ, CHECK].map(|at| slot[at].load(Ordering::Relaxed));
        let extent = space.extent(place, lens)?;
        let (key_words, value_words) = (extent.key.div_ceil(8), extent.value.div_ceil(8));
        *room = room.saturating_sub(key_words + value_words);
        let (mut key, mut value) = (Vec::new(), Vec::new());
        let words = &space.arena()[extent.key_start()..];
        let whole = copy_out(&words[..key_words], extent.key, &mut key)
            && copy_out(&words[key_words..][..value_words], extent.value, &mut value);
        let terms = space.terms(&extent);
        if !whole
            || digest(space.seed, &key) != hash
            || check_of(space.seed, hash, extent.lens(), &terms, &value) != check
        {
            return None;
        }
        let (size, first) = (value.len(), value.first().copied());
        if !with_value {
            value = Vec::new();
        }
        Some(EntryInfo { key, size, first, value, terms, read, visited: word & VISITED != 0 })
    }
}

impl Region {
    /// The user's directory in `/dev/shm`, which need not be there.
    pub fn default_path() -> Result<PathBuf, OpenError> {
        Ok(default_path())
    }

    /// The region files in a directory. None: there is no directory.
    pub fn list(dir: &Path) -> Result<Option<Vec<RegionInfo>>, OpenError> {
        let Some(directory) = existing(dir)? else { return Ok(None) };
        let look = |file: String| {
            let refused = |why| Some((RegionState::Refused(why), None, None));
            let (state, summary, meta) = match directory.open_file(&file) {
                Ok(Some(opened)) => match InspectedRegion::new(&opened, &file) {
                    Ok(view) => Some((view.state(), Some(view.summary()), opened.metadata().ok())),
                    Err(state) => Some((state, None, opened.metadata().ok())),
                },
                Err(OpenError::Refused(why)) => refused(why),
                Err(OpenError::Io(error, what)) => refused(format!("{what}: {error}")),
                Ok(None) | Err(OpenError::Unsupported) => None,
            }?;
            let made = meta.as_ref().and_then(|meta| seconds(meta.created()));
            Some(RegionInfo { file, state, made, written: meta.and_then(|meta| seconds(meta.modified())), summary })
        };
        Ok(Some(directory.names()?.into_iter().filter_map(look).collect()))
    }

    /// Up to `most` entries of a region file, the newest first. None: there is no such region, or it is damaged.
    pub fn entries(
        dir: &Path,
        file: &str,
        most: usize,
        with_values: bool,
    ) -> Result<Option<Vec<EntryInfo>>, OpenError> {
        let Some(directory) = existing(dir)? else { return Ok(None) };
        let Some(opened) = open(&directory, file)? else { return Ok(None) };
        Ok(InspectedRegion::new(&opened, file).ok().map(|view| view.entries(most, with_values)))
    }

    /// Opens the region in this file as it is. None: there is none, it is damaged, or of an earlier boot.
    pub fn open_file(dir: &Path, file: &str) -> Result<Option<Arc<Self>>, OpenError> {
        let Some(directory) = existing(dir)? else { return Ok(None) };
        let Some(opened) = open(&directory, file)? else { return Ok(None) };
        let Ok(view) = InspectedRegion::new(&opened, file) else { return Ok(None) };
        Self::open_existing(&directory, file, &Header::new(&view.header.name, &view.header.config)?)
    }

    /// Removes a region file, whatever is in it. Who has it mapped goes on with it. False: there was none.
    pub fn remove_file(dir: &Path, file: &str) -> Result<bool, OpenError> {
        match existing(dir)? {
            Some(directory) if is_file_name(file) => directory.lock()?.remove(file),
            _ => Ok(false),
        }
    }

    /// Removes the region of this name.
    pub fn remove(dir: &Path, name: &str) -> Result<bool, OpenError> {
        Self::remove_file(dir, &file_name(name))
    }
}
