//! A region whose file has been changed anywhere, under everything that a process does with one.
//!
//! The input is a list of changes, each of eight bytes: where (four bytes), what (one), how many times it is repeated (one), and
//! which operation follows (two).

#![no_main]

use libfuzzer_sys::fuzz_target;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::OnceLock;
use tamis::backend::{Backend, Busy, Lease, Lookup, Request};
use tamis::core::expiry::Terms;
use tamis::shm::{Region, RegionConfig, Stored};

const CONFIG: RegionConfig = RegionConfig { maxsize: Some(50), max_bytes: 64 << 10 };

struct Home {
    path: PathBuf,
    /// A whole file, with some entries.
    whole: Vec<u8>,
}

fn key(number: u8) -> Vec<u8> {
    vec![number; 1 + usize::from(number % 9)]
}

fn value(number: u8) -> Vec<u8> {
    vec![number ^ 0x55; usize::from(number) * usize::from(number % 5)]
}

fn put(region: &Region, number: u8) -> Result<Stored, Busy> {
    let (key, value) = (key(number), value(number));
    let terms = if number % 3 == 0 { Terms { fresh_until: 10, ..Terms::NONE } } else { Terms::NONE };
    region.put(Request { hash: region.hash(&key), key: &key }, &value, &terms, 5, None, &())
}

fn home() -> &'static Home {
    static HOME: OnceLock<Home> = OnceLock::new();
    HOME.get_or_init(|| {
        let path = PathBuf::from(format!("/dev/shm/tamis-fuzz-{}", std::process::id()));
        let region = Region::open(&path, "fuzz", &CONFIG).expect("a region");
        (0..40).for_each(|number| _ = put(&region, number));
        drop(region);
        let file = std::fs::read_dir(&path).expect("the directory").next().expect("the file").expect("the file").path();
        Home { path, whole: std::fs::read(file).expect("its bytes") }
    })
}

fn operate(region: &Region, operation: u16) {
    let number = (operation >> 4) as u8 % 60;
    let key = key(number);
    let request = Request { hash: region.hash(&key), key: &key };
    match operation % 10 {
        0..4 => {
            let mut found = Vec::new();
            if let Ok(Lookup::Fresh(_) | Lookup::Stale(_)) = region.get(request, 5, &mut found) {
                assert_eq!(found, value(number), "a damaged value passed its check");
            }
        }
        4..7 => _ = put(region, number),
        7 => _ = region.remove(request, &()),
        8 => {
            if let Lease::Mine(lease) = region.lease(request, None, &()) {
                region.end_lease(lease);
            }
        }
        _ => {
            region.stats();
            _ = region.clear(&());
        }
    }
}

fuzz_target!(|data: &[u8]| {
    let home = home();
    let file = std::fs::read_dir(&home.path).expect("the directory").next().expect("the file").expect("the file").path();
    let open = || std::fs::OpenOptions::new().write(true).open(&file).expect("the file");
    open().write_all_at(&home.whole, 0).expect("room");
    let Ok(region) = Region::open(&home.path, "fuzz", &CONFIG) else { return };
    let changed = open();
    for change in data.chunks_exact(8) {
        let at = u32::from_le_bytes([change[0], change[1], change[2], change[3]]) as usize % home.whole.len();
        let count = usize::from(change[5] % 17).min(home.whole.len() - at);
        changed.write_all_at(&vec![change[4]; count], at as u64).expect("room");
        operate(&region, u16::from_le_bytes([change[6], change[7]]));
    }
    drop(region);
    let name = file.file_name().expect("a name").to_string_lossy();
    drop(Region::entries(&home.path, &name, 100, true));
    drop(Region::list(&home.path));
    // As a process that starts now: it takes the file, or replaces it.
    drop(Region::open(&home.path, "fuzz", &CONFIG));
    std::fs::write(&file, &home.whole).ok();
});
