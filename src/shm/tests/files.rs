//! Files that are not what they should be, and systems that have no room.

use super::children::{CANNOT, Child, End};
use super::helpers::{Home, Random, Simply};
use super::processes::{assert_value_of, operate, rounds, value_of};
use crate::shm::file::file_name;
use crate::shm::header::Header;
use crate::shm::layout::{Geometry, header};
use crate::shm::*;
use std::ffi::CStr;
use std::fs::{self, OpenOptions, Permissions};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;

const CONFIG: RegionConfig = RegionConfig { maxsize: Some(200), max_bytes: 64 << 10 };

fn open(dir: &Path) -> Result<Arc<Region>, OpenError> {
    Region::open(dir, "test", &CONFIG)
}

fn file_of(home: &Home) -> PathBuf {
    home.0.join(file_name("test"))
}

fn assert_refused(result: Result<Arc<Region>, OpenError>, part: &str) {
    match result {
        Err(OpenError::Refused(why)) => assert!(why.contains(part), "{why}"),
        Err(other) => panic!("{other:?}"),
        Ok(_) => panic!("it was opened"),
    }
}

#[test]
fn files_and_directories_are_for_their_user_alone() {
    let home = Home::new("modes");
    // SAFETY: a number. Tests that make files meanwhile get what they ask for, less nothing.
    let before = unsafe { libc::umask(0) };
    let _region = open(&home.0).expect("a region");
    // SAFETY: as above.
    unsafe { libc::umask(before) };
    assert_eq!(fs::metadata(&home.0).expect("it is there").mode() & 0o7777, 0o700);
    assert_eq!(fs::metadata(file_of(&home)).expect("it is there").mode() & 0o7777, 0o600);
}

#[test]
fn what_others_may_write_is_refused() {
    let home = Home::new("written");
    drop(open(&home.0).expect("a region"));
    for mode in [0o620, 0o602, 0o666] {
        fs::set_permissions(file_of(&home), Permissions::from_mode(mode)).expect("a mode");
        assert_refused(open(&home.0), "may be written by others");
    }
    fs::set_permissions(file_of(&home), Permissions::from_mode(0o600)).expect("a mode");
    for mode in [0o720, 0o702, 0o777] {
        fs::set_permissions(&home.0, Permissions::from_mode(mode)).expect("a mode");
        assert_refused(open(&home.0), "may be written by others");
    }
    fs::set_permissions(&home.0, Permissions::from_mode(0o700)).expect("a mode");
    assert!(open(&home.0).is_ok());
}

#[test]
fn links_and_other_kinds_of_files_are_refused() {
    let (home, other) = (Home::new("links"), Home::new("links-other"));
    drop(open(&home.0).expect("a region"));
    drop(open(&other.0).expect("a region"));
    let file = file_of(&home);
    fs::hard_link(&file, home.0.join("besides")).expect("a link");
    assert_refused(open(&home.0), "another name");
    fs::remove_file(home.0.join("besides")).expect("removed");
    fs::remove_file(&file).expect("removed");
    symlink(file_of(&other), &file).expect("a link");
    assert_refused(open(&home.0), "is a link");
    fs::remove_file(&file).expect("removed");
    symlink("/nowhere/at/all", &file).expect("a link");
    assert_refused(open(&home.0), "is a link");
    fs::remove_file(&file).expect("removed");
    fs::create_dir(&file).expect("a directory");
    assert_refused(open(&home.0), "no plain file");
    fs::remove_dir(&file).expect("removed");
    let name = std::ffi::CString::new(file.to_str().expect("text")).expect("no NUL");
    // SAFETY: a string that ends with NUL.
    assert_eq!(unsafe { libc::mkfifo(name.as_ptr(), 0o600) }, 0);
    assert_refused(open(&home.0), "no plain file");
    let link = home.0.join("directory");
    symlink(&other.0, &link).expect("a link");
    assert_refused(open(&link), "is a link");
    assert_refused(open(&file_of(&other)), "no directory");
}

#[test]
fn what_another_user_owns_is_refused() {
    let home = Home::new("owner");
    drop(open(&home.0).expect("a region"));
    let file = file_of(&home);
    // Only root can give files away. Others find /proc, which is root's.
    if chown(&file, Some(65_534), None).is_err() {
        assert_refused(open(Path::new("/proc")), "belongs to another user");
        return;
    }
    assert_refused(open(&home.0), "belongs to another user");
    chown(&file, Some(0), None).expect("an owner");
    chown(&home.0, Some(65_534), None).expect("an owner");
    assert_refused(open(&home.0), "belongs to another user");
}

#[test]
fn a_limit_on_the_size_of_files_is_an_error() {
    let home = Home::new("limit");
    let child = Child::fork(|| {
        let limit = libc::rlimit { rlim_cur: 32 << 10, rlim_max: 32 << 10 };
        // SAFETY: a limit.
        assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_FSIZE, &raw const limit) }, 0);
        match open(&home.0) {
            Err(OpenError::Io(error, _)) => i32::from(error.raw_os_error() != Some(libc::EFBIG)),
            _ => 2,
        }
    });
    assert_eq!(child.wait(), End::Exit(0));
    assert_eq!(fs::read_dir(&home.0).expect("it is there").count(), 0, "nothing unfinished stays");
}

/// Goes into new namespaces. Root needs no user namespace, and may be without.
fn unshare(flags: i32) -> bool {
    // SAFETY: takes a number.
    let unshare = |flags| unsafe { libc::unshare(flags) } == 0;
    unshare(flags) || unshare(libc::CLONE_NEWUSER | flags)
}

/// Mounts a file system for a process in a mount namespace of its own.
fn mount(kind: &CStr, at: &CStr, options: &CStr) -> bool {
    let null = std::ptr::null();
    // SAFETY: a string that ends with NUL, and null where mount(2) allows it.
    let private = unsafe { libc::mount(null, c"/".as_ptr(), null, libc::MS_REC | libc::MS_PRIVATE, null.cast()) };
    // SAFETY: strings that end with NUL.
    let mounted = unsafe { libc::mount(kind.as_ptr(), at.as_ptr(), kind.as_ptr(), 0, options.as_ptr().cast()) };
    private == 0 && mounted == 0
}

#[test]
fn a_full_file_system_is_an_error() {
    let home = Home::new("full");
    fs::create_dir(&home.0).expect("a directory");
    let path = std::ffi::CString::new(home.0.to_str().expect("text")).expect("no NUL");
    let child = Child::fork(|| {
        let apart = unshare(libc::CLONE_NEWNS);
        if !apart || !mount(c"tmpfs", &path, c"size=1m,mode=700") {
            return CANNOT;
        }
        let config = RegionConfig { maxsize: None, max_bytes: 2 << 20 };
        match Region::open(&home.0, "test", &config) {
            Err(OpenError::Io(error, _)) if error.raw_os_error() == Some(libc::ENOSPC) => (),
            _ => return 1,
        }
        assert_eq!(fs::read_dir(&home.0).expect("it is there").count(), 0, "nothing unfinished stays");
        // What fits is whole.
        let region = open(&home.0).expect("a region");
        i32::from(!matches!(region.put(b"key", b"value"), Ok(Stored::Done(_))))
    });
    match child.wait() {
        End::Exit(CANNOT) => println!("skipped: no file system can be mounted here"),
        end => assert_eq!(end, End::Exit(0)),
    }
}

#[test]
fn another_pid_namespace_gets_a_region_only_when_nobody_has_it() {
    let home = Home::new("namespace");
    let region = open(&home.0).expect("a region");
    assert!(matches!(region.put(b"key", b"value"), Ok(Stored::Done(_))));
    let elsewhere = |check: fn(Result<Arc<Region>, OpenError>) -> bool| {
        let child = Child::fork(|| {
            if !unshare(libc::CLONE_NEWNS | libc::CLONE_NEWPID) {
                return CANNOT;
            }
            let first = Child::fork(|| {
                if !mount(c"proc", c"/proc", c"") {
                    return CANNOT;
                }
                i32::from(!check(open(&home.0)))
            });
            match first.wait() {
                End::Exit(code) => code,
                End::Signal(_) => 2,
            }
        });
        child.wait()
    };
    let end = elsewhere(|opened| matches!(opened, Err(OpenError::Refused(why)) if why.contains("pid namespace")));
    if end == End::Exit(CANNOT) {
        println!("skipped: no pid namespace can be made here");
        return;
    }
    assert_eq!(end, End::Exit(0));
    std::mem::forget(crate::shm::lock::try_lock(region.space()));
    drop(region);
    // The children of other tests have copies of the map for a moment.
    let adopted = || {
        elsewhere(|opened| {
            let Ok(region) = opened else { return false };
            assert_eq!(region.get(b"key"), Some(b"value".to_vec()));
            // Of the lock's owner nothing is known here, but that it is gone.
            matches!(region.put(b"key", b"new"), Ok(Stored::Done(_))) && region.stats().recoveries == 1
        })
    };
    let soon = |check: &dyn Fn() -> bool| {
        assert!((0..100).any(|_| {
            std::thread::sleep(std::time::Duration::from_millis(10));
            check()
        }));
    };
    soon(&|| adopted() == End::Exit(0));
    soon(&|| open(&home.0).is_ok_and(|region| region.get(b"key") == Some(b"new".to_vec())));
}

#[test]
fn regions_of_an_earlier_boot_or_another_layout_are_replaced() {
    let home = Home::new("boot");
    for word in [header::MAGIC, header::LAYOUT, header::MACHINE, header::BOOT, header::SEED, header::NAME] {
        let region = open(&home.0).expect("a region");
        assert!(matches!(region.put(b"key", b"value"), Ok(Stored::Done(_))));
        drop(region);
        assert!(open(&home.0).expect("a region").get(b"key").is_some());
        let mut bytes = fs::read(file_of(&home)).expect("it is there");
        bytes[word * 8] ^= 1;
        // Even with a check that holds.
        let check = Header::check_of_file(&bytes);
        bytes[header::CHECK * 8..][..8].copy_from_slice(&check.to_ne_bytes());
        if word == header::SEED {
            bytes[header::CHECK * 8] ^= 1;
        }
        write(&file_of(&home), &bytes);
        let region = open(&home.0);
        if word == header::NAME {
            // One file for two names: a hash of 64 bits that meets, or someone's trick.
            assert!(region.expect("a region").get(b"key").is_none());
        } else {
            assert!(region.expect("a region").get(b"key").is_none(), "word {word}");
        }
    }
}

/// A new file in the place of an old one.
fn write(path: &Path, bytes: &[u8]) {
    let new = path.with_extension("new");
    let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new);
    std::io::Write::write_all(&mut file.expect("a file"), bytes).expect("room");
    fs::rename(new, path).expect("renamed");
}

/// What lies where is damaged oftener than by chance.
fn place_to_damage(random: &mut Random, geometry: &Geometry, len: usize, header: bool) -> usize {
    let (from, to) = match random.below(8) {
        0 if header => (0, header::WORDS * 8),
        1 | 2 => (geometry.state * 8, geometry.state * 8 + 256),
        3 => (geometry.state * 8, geometry.slabs * 8),
        4 => (geometry.slabs * 8, geometry.processes * 8),
        5 => (geometry.leases * 8, geometry.arena * 8),
        _ => (geometry.arena * 8, len),
    };
    from + random.below((to - from) as u64) as usize
}

fn damage(random: &mut Random, bytes: &mut Vec<u8>, geometry: &Geometry) {
    let len = bytes.len();
    // One bit there, and the region is replaced.
    let in_header = random.below(8) == 0;
    match random.below(20) {
        0 => bytes.truncate(random.below(len as u64) as usize),
        1 => bytes.resize(len + random.below(10_000) as usize, random.next() as u8),
        // Words that were right elsewhere.
        2..6 => {
            for _ in 0..1 + random.below(20) {
                let from = random.below(len as u64 / 8 - 8) as usize * 8;
                let to = place_to_damage(random, geometry, len, in_header) / 8 * 8;
                bytes.copy_within(from..from + 8, to.min(len - 8));
            }
        }
        6 => {
            let place = place_to_damage(random, geometry, len, in_header);
            let end = (place + random.below(5000) as usize).min(len);
            bytes[place..end].fill(random.next() as u8);
        }
        _ => {
            for _ in 0..1 << random.below(8) {
                let place = place_to_damage(random, geometry, len, in_header);
                bytes[place] =
                    if random.below(2) == 0 { random.next() as u8 } else { bytes[place] ^ 1 << random.below(8) };
            }
        }
    }
    // A header that says what it likes, and is whole.
    if bytes.len() >= header::WORDS * 8 && in_header {
        let word = random.below(header::NAME as u64) as usize * 8;
        let value = random.next() >> random.below(64);
        bytes[word..word + 8].copy_from_slice(&value.to_ne_bytes());
        let check = Header::check_of_file(bytes);
        bytes[header::CHECK * 8..][..8].copy_from_slice(&check.to_ne_bytes());
    }
}

#[test]
fn damaged_regions_give_no_wrong_value_and_no_crash() {
    let home = Home::new("damage");
    let region = open(&home.0).expect("a region");
    let geometry = Geometry::of(&CONFIG).expect("small");
    let mut random = Random(std::env::var("TAMIS_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(20_261));
    for key in 0..300u64 {
        assert!(matches!(region.put(&key.to_le_bytes(), &value_of(key, &mut random)), Ok(Stored::Done(_))));
    }
    drop(region);
    let whole = fs::read(file_of(&home)).expect("it is there");
    let (mut kept, mut recovered) = (0u32, 0u32);
    let opens = (rounds(1000) * 10) as u32;
    for _ in 0..opens {
        let mut bytes = whole.clone();
        damage(&mut random, &mut bytes, &geometry);
        write(&file_of(&home), &bytes);
        let looked = Region::entries(&home.0, &file_name("test"), 1000, true).expect("a directory");
        for glimpse in looked.unwrap_or_default() {
            assert_value_of(u64::from_le_bytes(glimpse.key.try_into().expect("a key")), &glimpse.value);
        }
        assert_eq!(Region::list(&home.0).expect("a list").map(|sights| sights.len()), Some(1));
        let region = open(&home.0).expect("replaced at the worst");
        let mut tokens = Vec::new();
        let mut found = false;
        for key in 0..300u64 {
            let mut value = Vec::new();
            let bytes = key.to_le_bytes();
            if let Lookup::Fresh(_) = region.lookup(region.hash(&bytes), &bytes, 0, &mut value) {
                assert_value_of(key, &value);
                found = true;
            }
        }
        kept += u32::from(found);
        let before = region.stats().recoveries;
        for _ in 0..40 {
            operate(&region, &mut random, &mut tokens);
        }
        recovered += u32::from(region.stats().recoveries != before);
    }
    println!("of {opens} damaged regions {kept} kept entries, {recovered} were made anew by a writer");
    assert!(kept > opens / 2 && recovered > opens / 10);
}

#[test]
fn a_new_file_is_locked_before_it_has_its_name() {
    use std::os::fd::AsRawFd;
    let home = Home::new("named");
    drop(open(&home.0).expect("the directory"));
    for number in 0..300 {
        let name = format!("number {number}");
        let path = home.0.join(file_name(&name));
        // As another pid namespace would: who finds the file takes it as soon as nobody has it locked.
        let watcher = std::thread::spawn(move || {
            loop {
                if let Ok(file) = fs::File::open(&path) {
                    // SAFETY: an open descriptor.
                    return unsafe { libc::flock(file.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) } == 0;
                }
            }
        });
        let region = Region::open(&home.0, &name, &CONFIG).expect("a region");
        assert!(!watcher.join().expect("the watcher"), "nobody had locked the file {number}");
        drop(region);
    }
}
