//! The header of a file: what it is, in a form that damage can't fake.

use super::digest::digest;
use super::layout::{Geometry, LAYOUT, MACHINE, MAGIC, header as at};
use super::types::{OpenError, RegionConfig};
use crate::core::atomics::{AtomicU64, Ordering};
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::time::Duration;

/// How often a file is tried for that another pid namespace is just taking: that takes microseconds.
const USE_TRIES: u32 = 100;

/// What a file says of itself, or is to say.
#[derive(Clone)]
pub struct Header {
    /// The name that it is opened by.
    pub name: String,
    /// What it is for.
    pub config: RegionConfig,
    /// What that comes to.
    pub geometry: Geometry,
    /// Its random number.
    pub seed: u64,
    boot: [u64; 2],
    namespace: u64,
}

fn invalid(error: i32, what: &str) -> OpenError {
    OpenError::Io(io::Error::from_raw_os_error(error), what.into())
}

/// A number for this boot of the machine: monotonic time begins anew with each.
fn boot() -> [u64; 2] {
    let text = std::fs::read("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    [digest(1, &text), digest(2, &text)]
}

/// A number for the pid namespace of this process: in another one, its processes have other numbers.
fn namespace() -> u64 {
    std::fs::metadata("/proc/self/ns/pid").map_or(0, |meta| meta.ino())
}

fn random() -> Result<u64, OpenError> {
    let mut bytes = [0; 8];
    // SAFETY: room for so many bytes.
    let got = unsafe { libc::getrandom(bytes.as_mut_ptr().cast(), bytes.len(), 0) };
    if got == 8 { Ok(u64::from_ne_bytes(bytes)) } else { Err(invalid(libc::EIO, "no random numbers")) }
}

impl Header {
    /// For a new file.
    pub fn new(name: &str, config: &RegionConfig) -> Result<Self, OpenError> {
        if name.len() > at::NAME_WORDS * 8 {
            return Err(invalid(libc::ENAMETOOLONG, "the name of a shared cache"));
        }
        let geometry = Geometry::of(config).ok_or_else(|| invalid(libc::EFBIG, "a region has 32 GiB at most"))?;
        let (boot, namespace) = (boot(), namespace());
        Ok(Self { name: name.into(), config: *config, geometry, seed: random()?, boot, namespace })
    }

    fn words(&self) -> [u64; at::WORDS] {
        let mut words = [0; at::WORDS];
        words[at::MAGIC] = MAGIC;
        words[at::LAYOUT] = LAYOUT;
        words[at::MACHINE] = MACHINE;
        words[at::FILE] = self.geometry.file;
        words[at::MAXSIZE] = self.config.maxsize.unwrap_or(u64::MAX);
        words[at::MAX_BYTES] = self.config.max_bytes;
        words[at::SEED] = self.seed;
        words[at::BOOT..at::BOOT + 2].copy_from_slice(&self.boot);
        words[at::NAMESPACE] = self.namespace;
        words[at::NAME_LEN] = self.name.len() as u64;
        for (word, bytes) in words[at::NAME..].iter_mut().zip(self.name.as_bytes().chunks(8)) {
            let mut eight = [0; 8];
            eight[..bytes.len()].copy_from_slice(bytes);
            *word = u64::from_le_bytes(eight);
        }
        words[at::CHECK] = check(&words);
        words
    }

    /// Writes it into a new file's memory.
    pub fn write(&self, words: &[AtomicU64]) {
        for (place, word) in words.iter().zip(self.words()) {
            // Relaxed: nobody else has the file yet.
            place.store(word, Ordering::Relaxed);
        }
    }

    /// Reads a file's. None: it is none, or damaged.
    pub fn read(file: &File) -> io::Result<Option<Self>> {
        let mut bytes = [0; at::WORDS * 8];
        match file.read_exact_at(&mut bytes, 0) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            read => read?,
        }
        let mut words = [0; at::WORDS];
        for (word, bytes) in words.iter_mut().zip(bytes.as_chunks::<8>().0) {
            *word = u64::from_ne_bytes(*bytes);
        }
        Ok(Self::parse(&words))
    }

    /// Whether it is a file of ours that another version or another kind of machine made.
    pub fn is_of_other_layout(file: &File) -> bool {
        let mut words = [[0; 8]; 3];
        let whole = file.read_exact_at(words.as_flattened_mut(), 0).is_ok();
        let [magic, layout, machine] = words.map(u64::from_ne_bytes);
        whole && (magic.swap_bytes() == MAGIC || magic == MAGIC && (layout, machine) != (LAYOUT, MACHINE))
    }

    /// Whether times in the file are of this boot.
    pub fn is_of_this_boot(&self) -> bool {
        self.boot == boot()
    }

    /// Whether numbers of processes in the file are of this pid namespace.
    pub fn is_of_this_namespace(&self) -> bool {
        self.namespace == namespace()
    }

    fn parse(words: &[u64; at::WORDS]) -> Option<Self> {
        let known = [(at::MAGIC, MAGIC), (at::LAYOUT, LAYOUT), (at::MACHINE, MACHINE), (at::CHECK, check(words))];
        if known.iter().any(|&(at, word)| words[at] != word) {
            return None;
        }
        let maxsize = Some(words[at::MAXSIZE]).filter(|&maxsize| maxsize != u64::MAX);
        let config = RegionConfig { maxsize, max_bytes: words[at::MAX_BYTES] };
        let geometry = Geometry::of(&config).filter(|geometry| geometry.file == words[at::FILE])?;
        let bytes: Vec<u8> = words[at::NAME..].iter().flat_map(|word| word.to_le_bytes()).collect();
        let name = bytes.get(..usize::try_from(words[at::NAME_LEN]).ok()?)?;
        Some(Self {
            name: String::from_utf8(name.into()).ok()?,
            config,
            geometry,
            seed: words[at::SEED],
            boot: [words[at::BOOT], words[at::BOOT + 1]],
            namespace: words[at::NAMESPACE],
        })
    }

    /// Whether a file of this header is what is wanted.
    pub fn serves(&self, wanted: &Self) -> bool {
        self.name == wanted.name
            && (self.config.max_bytes, self.config.maxsize.unwrap_or(u64::MAX))
                == (wanted.config.max_bytes, wanted.config.maxsize.unwrap_or(u64::MAX))
            && self.boot == wanted.boot
    }

    /// Sees to it that numbers of processes in the file are those of this pid namespace, as long as the file or a map of it is
    /// open. False: processes of another one have it mapped, and nobody here could tell whether they live.
    pub fn use_by_namespace(&self, file: &File, wanted: &Self) -> io::Result<bool> {
        if !use_file(file) {
            return Ok(false);
        }
        // Now that it can't change: another may have been faster.
        if Self::read(file)?.is_some_and(|now| now.namespace == wanted.namespace) {
            return Ok(true);
        }
        // SAFETY: an open descriptor.
        if unsafe { libc::flock(file.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) } != 0 {
            return Ok(false);
        }
        Self { seed: self.seed, ..wanted.clone() }.adopt(file)?;
        Ok(use_file(file))
    }

    /// The check that a file of these bytes should have.
    #[cfg(test)]
    pub fn check_of_file(bytes: &[u8]) -> u64 {
        let mut words = [0; at::WORDS];
        for (word, bytes) in words.iter_mut().zip(bytes.as_chunks::<8>().0) {
            *word = u64::from_ne_bytes(*bytes);
        }
        check(&words)
    }

    /// Puts this header in a file that nobody has mapped, and makes whoever holds its lock one that is dead.
    fn adopt(&self, file: &File) -> io::Result<()> {
        let bytes: Vec<u8> = self.words().iter().flat_map(|word| word.to_ne_bytes()).collect();
        let state = (self.geometry.state + super::layout::state::LOCK) * 8;
        let mut lock = [0; 8];
        file.read_exact_at(&mut lock, state as u64)?;
        if u64::from_ne_bytes(lock) != 0 {
            file.write_all_at(&super::identity::NOBODY.0.to_ne_bytes(), state as u64)?;
        }
        file.write_all_at(&bytes, 0)
    }
}

/// Takes a flock(2) that all who use a file share. It goes when the last copy of the last map of this descriptor does, so
/// that it outlasts the descriptor, and tells those of other pid namespaces that someone is here.
pub fn use_file(file: &File) -> bool {
    (0..USE_TRIES).any(|again| {
        if again > 0 {
            std::thread::sleep(Duration::from_millis(1));
        }
        // SAFETY: an open descriptor.
        unsafe { libc::flock(file.as_raw_fd(), libc::LOCK_SH | libc::LOCK_NB) == 0 }
    })
}

fn check(words: &[u64; at::WORDS]) -> u64 {
    let with = |(place, word): (usize, &u64)| if place == at::CHECK { 0 } else { *word };
    let bytes: Vec<u8> = words.iter().enumerate().map(with).flat_map(u64::to_le_bytes).collect();
    digest(MAGIC, &bytes)
}
