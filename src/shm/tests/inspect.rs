//! Looking at regions from outside.

use super::helpers::{Home, Simply};
use crate::core::expiry::Terms;
use crate::shm::file::file_name;
use crate::shm::header::Header;
use crate::shm::layout::header;
use crate::shm::*;
use std::fs::{self, OpenOptions, Permissions};
use std::os::unix::fs::{FileExt, PermissionsExt, symlink};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

const CONFIG: RegionConfig = RegionConfig { maxsize: Some(20), max_bytes: 64 << 10 };

fn states(home: &Home) -> Vec<RegionState> {
    let sights = Region::list(&home.0).expect("a list").expect("a directory");
    sights.into_iter().map(|sight| sight.state).collect()
}

fn entries(home: &Home, most: usize, with_values: bool) -> Vec<EntryInfo> {
    Region::entries(&home.0, &file_name("test"), most, with_values).expect("a directory").expect("a region")
}

#[test]
fn no_directory_is_none_and_is_not_made() {
    let home = Home::new("look-nowhere");
    assert_eq!(Region::list(&home.0).expect("no error"), None);
    assert_eq!(Region::entries(&home.0, &file_name("test"), 1, true).expect("no error"), None);
    assert!(Region::open_file(&home.0, &file_name("test")).expect("no error").is_none());
    assert!(!Region::remove_file(&home.0, &file_name("test")).expect("no error"));
    assert!(!home.0.exists());
}

#[test]
fn what_can_not_be_trusted_is_told_as_such() {
    let home = Home::new("look-states");
    drop(Region::open(&home.0, "test", &CONFIG).expect("a region"));
    assert_eq!(states(&home), [RegionState::Good]);
    let path = home.0.join(file_name("test"));
    let whole = fs::read(&path).expect("it is there");
    let file = OpenOptions::new().write(true).open(&path).expect("a file");
    let with = |word: usize| {
        let mut bytes = whole.clone();
        bytes[word * 8] ^= 1;
        let check = Header::check_of_file(&bytes);
        bytes[header::CHECK * 8..][..8].copy_from_slice(&check.to_ne_bytes());
        file.write_all_at(&bytes, 0).expect("room");
        let mut states = states(&home);
        file.write_all_at(&whole, 0).expect("room");
        states.pop().expect("one")
    };
    assert_eq!(with(header::BOOT), RegionState::EarlierBoot);
    assert_eq!(with(header::NAMESPACE), RegionState::OtherNamespace);
    assert_eq!(with(header::LAYOUT), RegionState::OtherLayout);
    assert_eq!(with(header::MACHINE), RegionState::OtherLayout);
    assert_eq!(with(header::MAGIC), RegionState::Damaged);
    assert_eq!(with(header::FILE), RegionState::Damaged);
    assert_eq!(with(header::NAME), RegionState::Damaged);
    assert_eq!(states(&home), [RegionState::Good]);
    file.write_all_at(&[1], header::CHECK as u64 * 8).expect("room");
    assert_eq!(states(&home), [RegionState::Damaged]);
    assert!(Region::entries(&home.0, &file_name("test"), 1, true).expect("a directory").is_none());
    assert!(Region::open_file(&home.0, &file_name("test")).expect("a directory").is_none());
    fs::set_permissions(&path, Permissions::from_mode(0o666)).expect("a mode");
    assert!(matches!(&states(&home)[..], [RegionState::Refused(why)] if why.contains("may be written by others")));
    assert!(matches!(Region::open_file(&home.0, &file_name("test")), Err(OpenError::Refused(_))));
    assert!(Region::remove_file(&home.0, &file_name("test")).expect("removed"));
    symlink("elsewhere", &path).expect("a link");
    assert!(matches!(&states(&home)[..], [RegionState::Refused(why)] if why.contains("is a link")));
    assert!(!Region::remove_file(&home.0, "../elsewhere").expect("no such region"));
}

#[test]
fn entries_are_seen_in_the_order_of_the_queue_with_their_terms_and_marks() {
    let home = Home::new("look-entries");
    let region = home.open(Some(20), 64 << 10);
    assert_eq!(entries(&home, 5, true), []);
    let terms = Terms { fresh_until: 50, stale_until: 60, idle: 70 };
    for key in 0..30u8 {
        assert!(matches!(region.put_for(&[key], &[key; 9], terms, 7), Ok(Stored::Done(_))));
    }
    assert!(matches!(region.find(&[28], 8), Lookup::Fresh(_)));
    let seen = entries(&home, 3, true);
    let of = |key: u8, read, visited| {
        let (key, value) = (vec![key], vec![key; 9]);
        EntryInfo { first: value.first().copied(), key, size: 9, value, terms, read, visited }
    };
    assert_eq!(seen, [of(29, 7, false), of(28, 8, true), of(27, 7, false)]);
    let without = entries(&home, usize::MAX, false);
    assert!(without.len() == 20 && without.iter().all(|seen| seen.value.is_empty() && seen.size == 9));
    assert_eq!(region.stats().hits, 0, "nothing is counted");
    let opened = Region::open_file(&home.0, &file_name("test")).expect("a directory").expect("a region");
    assert!(Arc::ptr_eq(&opened, &region));
}

#[test]
fn who_looks_while_another_writes_sees_whole_entries_once_each() {
    let home = Home::new("look-meanwhile");
    let region = home.open(Some(20), 64 << 10);
    let stop = Arc::new(AtomicBool::new(false));
    // Not scoped: ThreadSanitizer can't see how std's scopes end.
    let writer = std::thread::spawn({
        let (region, stop) = (Arc::clone(&region), Arc::clone(&stop));
        move || {
            let mut key = 0u64;
            while !stop.load(Ordering::Relaxed) && key < 1 << 26 {
                assert!(region.put(&key.to_le_bytes(), &key.to_le_bytes().repeat(3)).is_ok());
                region.drop_one(&(key / 2).to_le_bytes());
                key += 1;
            }
        }
    });
    let mut seen = 0;
    for _ in 0..2000 {
        let entries = entries(&home, 10, true);
        assert!(entries.len() <= 10);
        assert!(entries.iter().all(|entry| entry.value == entry.key.repeat(3)));
        let mut keys: Vec<_> = entries.iter().map(|entry| &entry.key).collect();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), entries.len());
        seen += entries.len();
    }
    stop.store(true, Ordering::Relaxed);
    assert!(writer.join().is_ok());
    assert!(seen > 0);
}
