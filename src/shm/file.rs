//! Files: whom to trust, and how a region comes into being whole.
//!
//! A file is made under another name, all of its pages reserved, and moved into place. So nobody sees half of one, and no page
//! is missing later (which would be a SIGBUS). Who makes, replaces or removes holds a flock(2) on the directory, which the
//! kernel takes back from the dead; who only opens what is there takes none. A file is never cut short: those that have it
//! mapped go on with it when another has taken its name.

use super::types::OpenError;
use std::ffi::{CStr, CString, OsStr};
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// What names of region files end in.
const SUFFIX: &str = ".tamis";
/// What files that are being made begin with.
const UNFINISHED: &str = ".tamis-new-";
/// Bytes of a name that its file's name repeats.
const REPEATED: usize = 100;
/// How long anyone waits for others who make files in the directory.
const PATIENCE: Duration = Duration::from_secs(5);

/// A system call's error, and what it was about.
pub fn failed(what: &str, path: &Path) -> OpenError {
    OpenError::Io(io::Error::last_os_error(), format!("{what} {}", path.display()))
}

fn refused(path: &Path, why: &str) -> OpenError {
    OpenError::Refused(format!("{} {why}", path.display()))
}

/// A directory that only this user may write.
pub struct Directory {
    file: File,
    path: PathBuf,
}

fn c_string(bytes: &[u8]) -> Result<CString, OpenError> {
    CString::new(bytes).map_err(|error| OpenError::Io(error.into(), "a path with a NUL".into()))
}

fn user() -> u32 {
    // SAFETY: takes nothing, never fails.
    unsafe { libc::geteuid() }
}

/// The user's directory in `/dev/shm`.
pub fn default_path() -> PathBuf {
    PathBuf::from(format!("/dev/shm/tamis-{}", user()))
}

/// The file of the region of this name: any text will do for one.
pub fn file_name(name: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || "_-.".contains(c) { c } else { '_' };
    let repeated: String = name.chars().map(plain).take(REPEATED).collect();
    // Always with the hash: file systems may not tell cases apart, and what was repeated may be another's name.
    let hash = super::digest::digest(0, name.as_bytes());
    // No leading dot, and never `..`.
    format!("r-{repeated}-{hash:016x}{SUFFIX}")
}

/// Whether a file of this name in the directory could be a region's.
pub fn is_file_name(name: &str) -> bool {
    name.starts_with("r-") && name.ends_with(SUFFIX) && !name.contains('/')
}

impl Directory {
    /// Opens it, and makes it if it `must` be there. Refused: a link, another's, or one that others may write.
    pub fn open(path: &Path, must: bool) -> Result<Self, OpenError> {
        // Without a slash at the end, behind which O_NOFOLLOW would follow a link.
        let path = &path.components().collect::<PathBuf>();
        let name = c_string(path.as_os_str().as_bytes())?;
        if must {
            // SAFETY: a string that ends with NUL.
            let made = unsafe { libc::mkdir(name.as_ptr(), 0o700) };
            if made != 0 && io::Error::last_os_error().raw_os_error() != Some(libc::EEXIST) {
                return Err(failed("cannot make the directory", path));
            }
        }
        let flags = libc::O_RDONLY | libc::O_DIRECTORY | libc::O_NOFOLLOW | libc::O_CLOEXEC;
        let file = match open_at(libc::AT_FDCWD, &name, flags, 0) {
            Ok(file) => file,
            Err(error) if matches!(error.raw_os_error(), Some(libc::ELOOP | libc::ENOTDIR)) => {
                return Err(refused(path, "is a link, or no directory"));
            }
            Err(error) => return Err(OpenError::Io(error, format!("cannot open the directory {}", path.display()))),
        };
        let meta =
            file.metadata().map_err(|error| OpenError::Io(error, format!("cannot look at {}", path.display())))?;
        if meta.uid() != user() {
            return Err(refused(path, "belongs to another user"));
        }
        if meta.mode() & 0o022 != 0 {
            return Err(refused(path, "may be written by others"));
        }
        Ok(Self { file, path: path.clone() })
    }

    /// Where a file lies.
    pub fn path_of(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Opens a file of this name. None: there is none. Refused: a link, no plain file, another's, one that others may write,
    /// or that has another name besides.
    pub fn open_file(&self, name: &str) -> Result<Option<File>, OpenError> {
        let path = self.path_of(name);
        let flags = libc::O_RDWR | libc::O_NOFOLLOW | libc::O_CLOEXEC | libc::O_NONBLOCK | libc::O_NOCTTY;
        let file = match open_at(self.file.as_raw_fd(), &c_string(name.as_bytes())?, flags, 0) {
            Ok(file) => file,
            Err(error) => match error.raw_os_error() {
                Some(libc::ENOENT) => return Ok(None),
                Some(libc::ELOOP) => return Err(refused(&path, "is a link")),
                Some(libc::EACCES | libc::EPERM | libc::EISDIR | libc::ENXIO) => {
                    return Err(refused(&path, "is no plain file of this user"));
                }
                _ => return Err(OpenError::Io(error, format!("cannot open {}", path.display()))),
            },
        };
        let meta =
            file.metadata().map_err(|error| OpenError::Io(error, format!("cannot look at {}", path.display())))?;
        if !meta.is_file() {
            Err(refused(&path, "is no plain file"))
        } else if meta.uid() != user() {
            Err(refused(&path, "belongs to another user"))
        } else if meta.mode() & 0o022 != 0 {
            Err(refused(&path, "may be written by others"))
        } else if meta.nlink() > 1 {
            Err(refused(&path, "has another name besides"))
        } else {
            // Without a name any more: another is just being put in its place.
            Ok((meta.nlink() == 1).then_some(file))
        }
    }

    /// Keeps all others from making, replacing and removing files here.
    pub fn lock(&self) -> Result<DirectoryLock<'_>, OpenError> {
        let begin = Instant::now();
        loop {
            // SAFETY: an open descriptor.
            if unsafe { libc::flock(self.file.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) } == 0 {
                return Ok(DirectoryLock(self));
            }
            if begin.elapsed() > PATIENCE {
                return Err(failed("another process keeps its lock on the directory", &self.path));
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// The names of the region files.
    pub fn names(&self) -> Result<Vec<String>, OpenError> {
        let entries = std::fs::read_dir(&self.path);
        let entries = entries.map_err(|error| OpenError::Io(error, format!("cannot list {}", self.path.display())))?;
        let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let mut names: Vec<_> = names.filter(|name| is_file_name(name)).collect();
        names.sort_unstable();
        Ok(names)
    }
}

/// Given back when dropped.
pub struct DirectoryLock<'a>(&'a Directory);

impl Drop for DirectoryLock<'_> {
    fn drop(&mut self) {
        // Explicitly: a child that was forked meanwhile has the descriptor too.
        // SAFETY: an open descriptor.
        unsafe { libc::flock(self.0.file.as_raw_fd(), libc::LOCK_UN) };
    }
}

impl DirectoryLock<'_> {
    /// Makes a file of so many bytes, all of which are reserved, lets `fill` write it, and gives it its name. What had that name
    /// loses it.
    pub fn make(
        &self,
        name: &str,
        bytes: u64,
        fill: impl FnOnce(&File) -> Result<(), OpenError>,
    ) -> Result<File, OpenError> {
        self.sweep();
        let path = self.0.path_of(name);
        let new_name = c_string(format!("{UNFINISHED}{}", std::process::id()).as_bytes())?;
        let flags = libc::O_RDWR | libc::O_CREAT | libc::O_EXCL | libc::O_NOFOLLOW | libc::O_CLOEXEC;
        let file = open_at(self.0.file.as_raw_fd(), &new_name, flags, 0o600)
            .map_err(|error| OpenError::Io(error, format!("cannot make {}", path.display())))?;
        let whole = reserve(&file, bytes, &path).and_then(|()| fill(&file)).and_then(|()| {
            self.call(&new_name, |directory, new_name| {
                let name = c_string(name.as_bytes())?;
                // SAFETY: open descriptors, and strings that end with NUL.
                let moved = unsafe { libc::renameat(directory, new_name.as_ptr(), directory, name.as_ptr()) };
                if moved == 0 { Ok(()) } else { Err(failed("cannot make", &path)) }
            })
        });
        if let Err(error) = whole {
            self.unlink(&new_name);
            return Err(error);
        }
        Ok(file)
    }

    fn call<T>(&self, name: &CStr, call: impl FnOnce(RawFd, &CStr) -> T) -> T {
        call(self.0.file.as_raw_fd(), name)
    }

    /// Takes a file's name away. False: there is none.
    pub fn remove(&self, name: &str) -> Result<bool, OpenError> {
        if self.unlink(&c_string(name.as_bytes())?) {
            return Ok(true);
        }
        match io::Error::last_os_error().raw_os_error() {
            Some(libc::ENOENT) => Ok(false),
            _ => Err(failed("cannot remove", &self.0.path_of(name))),
        }
    }

    fn unlink(&self, name: &CStr) -> bool {
        // SAFETY: an open descriptor, and a string that ends with NUL.
        self.call(name, |directory, name| unsafe { libc::unlinkat(directory, name.as_ptr(), 0) } == 0)
    }

    /// Removes what those left who died while they made a file: nobody makes one now.
    fn sweep(&self) {
        let Ok(entries) = std::fs::read_dir(&self.0.path) else { return };
        for entry in entries.flatten() {
            let name: &OsStr = &entry.file_name();
            if name.as_bytes().starts_with(UNFINISHED.as_bytes())
                && let Ok(name) = c_string(name.as_bytes())
            {
                self.unlink(&name);
            }
        }
    }
}

fn open_at(directory: RawFd, name: &CStr, flags: i32, mode: libc::mode_t) -> io::Result<File> {
    loop {
        // SAFETY: a string that ends with NUL, and a directory or AT_FDCWD.
        let file = unsafe { libc::openat(directory, name.as_ptr(), flags, libc::c_uint::from(mode)) };
        if file >= 0 {
            // SAFETY: just opened, and nobody else's.
            return Ok(unsafe { File::from_raw_fd(file) });
        }
        let error = io::Error::last_os_error();
        if error.raw_os_error() != Some(libc::EINTR) {
            return Err(error);
        }
    }
}

/// Reserves all pages of a new file, so that none can be missing later.
fn reserve(file: &File, bytes: u64, path: &Path) -> Result<(), OpenError> {
    let what = || format!("cannot reserve {bytes} bytes for {}", path.display());
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: a place for the answer.
    let known = unsafe { libc::getrlimit(libc::RLIMIT_FSIZE, &raw mut limit) } == 0;
    // The kernel would send SIGXFSZ, which ends the process.
    if known && limit.rlim_cur != libc::RLIM_INFINITY && limit.rlim_cur < bytes {
        return Err(OpenError::Io(io::Error::from_raw_os_error(libc::EFBIG), what()));
    }
    // The umask may have taken from the mode.
    // SAFETY: an open descriptor.
    if unsafe { libc::fchmod(file.as_raw_fd(), 0o600) } != 0 {
        return Err(failed("cannot change the mode of", path));
    }
    let len = libc::off_t::try_from(bytes).unwrap_or(libc::off_t::MAX);
    loop {
        // SAFETY: an open descriptor.
        match unsafe { libc::posix_fallocate(file.as_raw_fd(), 0, len) } {
            0 => return Ok(()),
            libc::EINTR => (),
            error => {
                let what = format!("{}, where {} are free", what(), free_bytes(file));
                return Err(OpenError::Io(io::Error::from_raw_os_error(error), what));
            }
        }
    }
}

/// How many bytes the file system of this file has left.
fn free_bytes(file: &File) -> u64 {
    let mut about = std::mem::MaybeUninit::<libc::statvfs>::zeroed();
    // SAFETY: an open descriptor, and a place for the answer.
    unsafe { libc::fstatvfs(file.as_raw_fd(), about.as_mut_ptr()) };
    // SAFETY: plain numbers, all of them zero if there was no answer.
    let about = unsafe { about.assume_init() };
    about.f_bavail.saturating_mul(about.f_frsize)
}
