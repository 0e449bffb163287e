//! How a process comes to a region, and how it leaves it.

use super::fork::Known;
use super::mapped::Region;
use crate::core::atomics::AtomicU64;
use crate::shm::arena::Damaged;
use crate::shm::claims::Claims;
use crate::shm::file::{Directory, default_path, file_name};
use crate::shm::header::{Header, use_file};
use crate::shm::identity::Identity;
use crate::shm::lines::Lines;
use crate::shm::lock::{self, AbandonedTurn};
use crate::shm::map::Map;
use crate::shm::space::Space;
use crate::shm::table::Table;
use crate::shm::types::{LineUser, OpenError, RegionConfig};
use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

impl Region {
    /// Opens the region of that name in the directory, and makes it if it is not there, damaged, or of another kind.
    ///
    /// Entries of an earlier boot are dropped: their times mean nothing now.
    pub fn open(dir: &Path, name: &str, config: &RegionConfig) -> Result<Arc<Self>, OpenError> {
        if !Identity::own().is_known() {
            let error = io::Error::from_raw_os_error(libc::ENOENT);
            return Err(OpenError::Io(error, "a shared cache needs /proc to tell processes apart".into()));
        }
        let header = Header::new(name, config)?;
        let directory = Directory::open(dir, true)?;
        let file_name = file_name(name);
        if let Some(region) = Self::open_existing(&directory, &file_name, &header)? {
            return Ok(region);
        }
        let lock = directory.lock()?;
        // Another may have been faster.
        if let Some(region) = Self::open_existing(&directory, &file_name, &header)? {
            return Ok(region);
        }
        let mapped = |error| OpenError::Io(error, format!("cannot map {}", directory.path_of(&file_name).display()));
        let file = lock.make(&file_name, header.geometry.file, |file| {
            let map = Map::new(file, header.geometry.file).map_err(mapped)?;
            let space = Space::new(map, header.geometry, header.seed);
            header.write(space.words());
            // Before it has its name: under that, processes of another pid namespace would take it for one that nobody uses.
            if !use_file(file) {
                return Err(mapped(io::ErrorKind::WouldBlock.into()));
            }
            Table::new(&space).arena.lay_out([].into_iter()).map_err(|Damaged| mapped(io::ErrorKind::Other.into()))
        })?;
        Self::attach(&file, &header).map_err(mapped)
    }

    /// None: it is not there, or is to be replaced.
    pub(in crate::shm) fn open_existing(
        directory: &Directory,
        file_name: &str,
        wanted: &Header,
    ) -> Result<Option<Arc<Self>>, OpenError> {
        let Some(file) = directory.open_file(file_name)? else { return Ok(None) };
        let failed = |error| OpenError::Io(error, format!("cannot map {}", directory.path_of(file_name).display()));
        if file.metadata().map_err(failed)?.len() != wanted.geometry.file {
            return Ok(None);
        }
        let Some(found) = Header::read(&file).map_err(failed)?.filter(|found| found.serves(wanted)) else {
            return Ok(None);
        };
        if !found.use_by_namespace(&file, wanted).map_err(failed)? {
            return Err(OpenError::Refused(format!(
                "{} is in use by processes of another pid namespace (a container?): give each a path of its own",
                directory.path_of(file_name).display()
            )));
        }
        Self::attach(&file, &found).map(Some).map_err(failed)
    }

    /// Maps a file that is what the header says, and that this descriptor has locked by [`use_file`].
    fn attach(file: &File, header: &Header) -> io::Result<Arc<Self>> {
        let meta = file.metadata()?;
        let id = (meta.dev(), meta.ino());
        let known = Known::lock();
        if let Some(region) = known.find(|region| region.file == id) {
            return Ok(region);
        }
        let space = Space::new(Map::new(file, header.geometry.file)?, header.geometry, header.seed);
        let lines = Lines::new(&space);
        let region = Arc::new(Self {
            space,
            header: header.clone(),
            file: id,
            abandoned: AbandonedTurn::default(),
            lines,
            looked: AtomicU64::new(0),
            looked_closely: AtomicU64::new(0),
            claims: Claims::default(),
        });
        known.add(&region);
        // This process has just come to it. So if it holds the lock, that was before exec(2).
        if let Some(_locked) = lock::take_own(&region.space) {
            let _ = region.mend(|_| Ok(()));
        }
        Ok(region)
    }

    /// The user's directory in `/dev/shm`, made 0700 if it is not there, and checked.
    pub fn default_dir() -> Result<PathBuf, OpenError> {
        let path = default_path();
        match Directory::open(&path, true) {
            Ok(_) => Ok(path),
            // There may be no such place, or nothing may be written there.
            Err(OpenError::Io(error, text)) => {
                Err(OpenError::Io(error, format!("{text} (another directory can be given as path)")))
            }
            Err(refused) => Err(refused),
        }
    }

    /// Where this interpreter of the process is to count.
    pub fn join(&self, interpreter: u64) -> LineUser {
        let _known = Known::lock();
        self.lines.join(&self.space, interpreter)
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        let known = Known::lock();
        known.remove(self);
        // If this file was opened again meanwhile, the lines are in use.
        if !known.has(|region| region.file == self.file) {
            self.lines.give_back(&self.space);
        }
    }
}
