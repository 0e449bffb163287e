//! Which process this is, and whether another still lives.
//!
//! A process is known by its number and its start, in ticks since the boot, as proc(5) has it in `/proc/PID/stat`: numbers come
//! again, starts don't. Without `/proc` (of its pid namespace) nobody has an identity, and nobody gets a lock. Nothing here allocates but
//! [`Identity::maps`], so that the child of a fork may come here at once.

use crate::core::forks;
use std::ffi::CStr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// A process: 22 bits of number (the most that Linux has), 41 bits of start. Bit [`Identity::SPARE`] is the lock's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Identity(pub u64);

/// A process that is never there.
pub const NOBODY: Identity = Identity(1 << 23);

static OWN: AtomicU64 = AtomicU64::new(0);
static PREPARED: AtomicBool = AtomicBool::new(false);

/// From now on, children of forks look who they are.
pub fn prepare() {
    forks::prepare();
    forks::in_children(&PREPARED, after_fork_in_child);
}

/// There is one thread. Nothing here waits for a lock or allocates.
///
/// # Safety
/// No other thread runs.
unsafe extern "C" fn after_fork_in_child() {
    Identity::find_out();
}

/// What `/proc/PID/stat` says.
struct Status {
    life: Life,
    start: u64,
}

/// How it is with a process.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Life {
    /// It runs no more code.
    Over,
    /// A signal or a debugger has stopped it, for as long as it takes.
    Stopped,
    /// It runs, or will.
    Running,
}

impl Identity {
    /// A bit that no identity has set, in the half that a futex compares.
    pub const SPARE: u64 = 1 << 22;

    const fn new(pid: u32, start: u64) -> Self {
        Self(start << 23 | pid as u64 & (Self::SPARE - 1))
    }

    /// This process.
    #[inline]
    pub fn own() -> Self {
        // Relaxed: a number that each thread would find out by itself.
        match OWN.load(Ordering::Relaxed) {
            0 => {
                // Children are others.
                prepare();
                Self::find_out()
            }
            known => Self(known),
        }
    }

    /// Looks who this process is: at first, and in the child of a fork.
    #[cold]
    pub fn find_out() -> Self {
        let pid = std::process::id();
        let own = own_status(pid).map_or(Self(0), |status| Self::new(pid, status.start));
        OWN.store(own.0, Ordering::Relaxed);
        own
    }

    /// Whether it could be found out. If not, there is no `/proc`, or no descriptor left for it at the moment.
    pub const fn is_known(self) -> bool {
        self.0 != 0
    }

    /// Its number.
    pub const fn pid(self) -> u32 {
        (self.0 & (Self::SPARE - 1)) as u32
    }

    /// Whether the process still runs. Asks the system.
    pub fn lives(self) -> bool {
        self.life() != Life::Over
    }

    /// How it is with the process. Asks the system.
    pub fn life(self) -> Life {
        if self == Self::own() {
            return Life::Running;
        }
        // Every process starts later than the boot, and so has every identity.
        if self.pid() == 0 || self.0 >> 23 == 0 {
            return Life::Over;
        }
        // SAFETY: signal 0 is none; the number is some process's, and no group's.
        let found = unsafe { libc::kill(self.pid() as libc::pid_t, 0) };
        if found != 0 && std::io::Error::last_os_error().raw_os_error() == Some(libc::ESRCH) {
            return Life::Over;
        }
        match status(self.pid()) {
            // Hidden (hidepid), or just gone: the next look tells.
            None => Life::Running,
            Some(status) if Self::new(self.pid(), status.start) == self => status.life,
            Some(_) => Life::Over,
        }
    }

    /// Whether it is another program now, which has not mapped the file of this inode as this process has: after exec(2) a process is
    /// still the same. Inodes that this process does not find among its own maps tell nothing (overlays of file systems).
    pub fn has_left(self, inode: u64) -> bool {
        self != Self::own() && !self.maps(inode) && Self::own().maps(inode)
    }

    /// Whether the process has the file of this inode mapped. True if that can't be told.
    pub fn maps(self, inode: u64) -> bool {
        let Ok(maps) = std::fs::read_to_string(format!("/proc/{}/maps", self.pid())) else { return true };
        // address, permissions, offset, device, inode, path
        maps.lines().any(|line| line.split_ascii_whitespace().nth(4).and_then(|it| it.parse().ok()) == Some(inode))
    }
}

/// Reads the beginning of a file without allocating.
fn read<'a>(path: &CStr, buffer: &'a mut [u8]) -> Option<&'a [u8]> {
    // SAFETY: a string that ends with NUL.
    let file = unsafe { libc::open(path.as_ptr(), libc::O_RDONLY | libc::O_CLOEXEC) };
    if file < 0 {
        return None;
    }
    // SAFETY: the buffer has room for so many bytes.
    let len = unsafe { libc::read(file, buffer.as_mut_ptr().cast(), buffer.len()) };
    // SAFETY: it is open, and ours.
    unsafe { libc::close(file) };
    buffer.get(..usize::try_from(len).ok()?)
}

fn status(pid: u32) -> Option<Status> {
    let mut path = *b"/proc/\0\0\0\0\0\0\0\0\0\0/stat\0";
    let mut digits = [0; 10];
    let (mut at, mut left) = (digits.len(), pid);
    while left > 0 && at > 0 {
        at -= 1;
        digits[at] = b'0' + (left % 10) as u8;
        left /= 10;
    }
    let count = digits.len() - at;
    path[6..6 + count].copy_from_slice(&digits[at..]);
    path[6 + count..][..6].copy_from_slice(b"/stat\0");
    parse(read(CStr::from_bytes_until_nul(&path).ok()?, &mut [0; 1024])?)
}

/// This process's, if `/proc` is of its own pid namespace: there others are to be looked up.
fn own_status(pid: u32) -> Option<Status> {
    let mut buffer = [0; 1024];
    let text = read(c"/proc/self/stat", &mut buffer)?;
    let named = text.split(|&byte| byte == b' ').next().and_then(number);
    (named == Some(u64::from(pid))).then(|| parse(text))?
}

fn parse(text: &[u8]) -> Option<Status> {
    // The name, in parentheses, may be anything.
    let after = text.iter().rposition(|&byte| byte == b')')? + 2;
    let mut fields = text.get(after..)?.split(|&byte| byte == b' ');
    let state = *fields.next()?.first()?;
    // Fields 20 and 22 of proc(5); the state is number 3.
    let threads = number(fields.nth(16)?)?;
    let start = number(fields.nth(1)?)?;
    // A zombie with threads has only lost its first one.
    let life = match state {
        b'X' | b'x' => Life::Over,
        b'Z' if threads <= 1 => Life::Over,
        b'T' | b't' => Life::Stopped,
        _ => Life::Running,
    };
    Some(Status { life, start })
}

fn number(text: &[u8]) -> Option<u64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_lives_and_one_of_another_start_does_not() {
        let own = Identity::own();
        assert_eq!(own.pid(), std::process::id());
        assert_ne!(own.0 >> 23, 0, "/proc says when it started");
        assert!(own.lives());
        assert!(!Identity::new(own.pid(), (own.0 >> 23) + 1).lives());
        assert_eq!(own.0 & Identity::SPARE, 0);
    }

    #[test]
    fn a_child_lives_until_it_is_killed_though_nobody_waits_for_it() {
        let mut child = std::process::Command::new("sleep").arg("100").spawn().expect("sleep");
        let identity = Identity::new(child.id(), status(child.id()).expect("/proc").start);
        assert!(identity.lives());
        child.kill().expect("kill");
        while identity.lives() {
            std::thread::yield_now();
        }
        child.wait().expect("wait");
        assert!(!identity.lives());
    }
}
