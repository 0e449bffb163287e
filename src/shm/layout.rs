//! Where things lie in a region. All of it follows from the configuration, so that nothing of it need be believed.
//!
//! ```text
//! header     who made it, for what; one check over all of that
//! state      the lock; ring, counts; the arena's bins
//! slabs      where slots lie in the arena
//! processes  a line of counts for each
//! leases     computations that others wait for
//! heads      hash -> slot, two to a word
//! arena      slabs of slots, keys and values, free blocks
//! ```
//!
//! Offsets and lengths are in words of 64 bits, unless they say otherwise.

use super::types::RegionConfig;

/// The first word of each file.
pub const MAGIC: u64 = u64::from_le_bytes(*b"tamisSHM");
/// Counts up with each change of what this file or its users take for granted.
pub const LAYOUT: u64 = 2;
/// Files of another byte order or word size have another value here.
pub const MACHINE: u64 = (size_of::<usize>() as u64) << 32 | 0x0102_0304;

/// Bytes of a word.
pub const WORD: usize = 8;
/// The arena's unit: all blocks are multiples of it.
pub const UNIT_WORDS: usize = 2;
/// Bytes of a unit.
pub const UNIT: usize = UNIT_WORDS * WORD;
/// A slot is one cache line.
pub const SLOT_WORDS: usize = 8;
/// Units of a slot.
pub const SLOT_UNITS: u32 = (SLOT_WORDS / UNIT_WORDS) as u32;
/// Slots that are taken from the arena at a time.
const SLAB_SLOTS: u64 = 64;
/// Files are whole pages of this size, which those of the machine divide or are multiples of.
pub const PAGE: u64 = 4096;
/// Blocks name their sizes in 31 bits.
pub const LARGEST: u64 = (1 << 31) * UNIT as u64;
/// See [`Region::SMALLEST`](super::Region::SMALLEST).
pub const SMALLEST: u64 = 64 << 10;

/// Words of the header.
pub mod header {
    /// [`super::MAGIC`].
    pub const MAGIC: usize = 0;
    /// [`super::LAYOUT`].
    pub const LAYOUT: usize = 1;
    /// [`super::MACHINE`].
    pub const MACHINE: usize = 2;
    /// Bytes of the file.
    pub const FILE: usize = 3;
    /// As configured; all ones for none.
    pub const MAXSIZE: usize = 4;
    /// As configured.
    pub const MAX_BYTES: usize = 5;
    /// Random.
    pub const SEED: usize = 6;
    /// The boot that its times belong to, two words.
    pub const BOOT: usize = 7;
    /// The pid namespace that its process numbers belong to.
    pub const NAMESPACE: usize = 9;
    /// Bytes of the name.
    pub const NAME_LEN: usize = 10;
    /// Over all other words of the header.
    pub const CHECK: usize = 11;
    /// The name, padded with zeros.
    pub const NAME: usize = 16;
    /// Words for the name.
    pub const NAME_WORDS: usize = 512;
    /// Words of the header.
    pub const WORDS: usize = NAME + NAME_WORDS;
}

/// Words of the state, counted from its beginning. All but the lock are the lock's.
pub mod state {
    /// Zero, or who holds it.
    pub const LOCK: usize = 0;
    /// How often it was taken.
    pub const TURN: usize = 1;
    /// The next version of an entry.
    pub const VERSION: usize = 8;
    /// Entries.
    pub const LEN: usize = 9;
    /// The newest entry's slot.
    pub const NEWEST: usize = 10;
    /// The oldest entry's slot.
    pub const OLDEST: usize = 11;
    /// Where the hand stands, or zero: at the oldest.
    pub const HAND: usize = 12;
    /// The first of the free slots, which are linked.
    pub const FREE_SLOT: usize = 13;
    /// Bytes of keys and values.
    pub const BYTES: usize = 14;
    /// Slabs in use.
    pub const SLABS: usize = 15;
    /// Counts.
    pub const EVICTIONS: usize = 16;
    /// Counts.
    pub const EXPIRATIONS: usize = 17;
    /// Counts.
    pub const INVALIDATIONS: usize = 18;
    /// Counts.
    pub const RECOVERIES: usize = 19;
    /// Levels of bins that have any block.
    pub const LEVELS: usize = 24;
    /// Bins of each level that have any.
    pub const BINS: usize = 32;
    /// First blocks of the bins.
    pub const BLOCKS: usize = BINS + super::LEVELS;
    /// Words of the state.
    pub const WORDS: usize = BLOCKS + super::LEVELS * super::BINS_OF_LEVEL;
}

/// Powers of two, less the small sizes, which share one level.
pub const LEVELS: usize = 29;
/// Bins that a power of two is divided into.
pub const BINS_OF_LEVEL: usize = 16;

/// Words of a process's line: who, and the counters on a cache line of their own.
pub const PROCESS_WORDS: usize = 16;
/// Where in it the counters begin.
pub const PROCESS_COUNTERS: usize = 8;
/// Words of a lease: owner, hash, turn.
pub const LEASE_WORDS: usize = 4;

const _: () = assert!(state::WORDS < 1024 - header::WORDS + 512 && header::WORDS * WORD > 4096);

/// What a configuration comes to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Geometry {
    /// Bytes of the file.
    pub file: u64,
    /// Where the state begins.
    pub state: usize,
    /// Where the list of slabs begins.
    pub slabs: usize,
    /// How many there may be.
    pub slabs_len: usize,
    /// Slots of a slab.
    pub slab_slots: u32,
    /// Where the processes' lines begin.
    pub processes: usize,
    /// How many there are.
    pub processes_len: usize,
    /// Where the leases begin.
    pub leases: usize,
    /// How many there are.
    pub leases_len: usize,
    /// Where the heads begin.
    pub heads: usize,
    /// How many there are: a power of two.
    pub heads_len: usize,
    /// Where the arena begins.
    pub arena: usize,
    /// Its words.
    pub arena_words: usize,
    /// Entries, at most.
    pub maxsize: u64,
}

impl Geometry {
    /// None: too large.
    pub fn of(config: &RegionConfig) -> Option<Self> {
        if config.max_bytes > LARGEST {
            return None;
        }
        let file = config.max_bytes.max(SMALLEST).next_multiple_of(PAGE);
        let maxsize = config.maxsize.unwrap_or(u64::MAX);
        let slab_slots = maxsize.clamp(1, SLAB_SLOTS);
        // A slot, and the smallest block.
        let most_entries = maxsize.clamp(1, file / 96);
        let mut end = 0;
        let mut take = |words: u64, align: u64| {
            let start = u64::next_multiple_of(end, align);
            end = start + words;
            start as usize
        };
        take(header::WORDS as u64, 1);
        let state = take(state::WORDS as u64, 16);
        let slabs_len = most_entries.div_ceil(slab_slots);
        let slabs = take(slabs_len, 16);
        let processes_len = (file >> 17).clamp(16, 1024);
        let processes = take(processes_len * PROCESS_WORDS as u64, 16);
        let leases_len = (file >> 16).clamp(32, 1024);
        let leases = take(leases_len * LEASE_WORDS as u64, 16);
        let heads_len = (most_entries * 3 / 4).next_power_of_two().max(16);
        let heads = take(heads_len / 2, 16);
        let arena = take(0, PAGE / WORD as u64);
        let words = file / WORD as u64;
        Some(Self {
            file,
            state,
            slabs,
            slabs_len: slabs_len as usize,
            slab_slots: slab_slots as u32,
            processes,
            processes_len: processes_len as usize,
            leases,
            leases_len: leases_len as usize,
            heads,
            heads_len: heads_len as usize,
            arena,
            arena_words: words.checked_sub(arena as u64)? as usize,
            maxsize,
        })
    }

    /// Units of the arena.
    pub const fn units(&self) -> u32 {
        (self.arena_words / UNIT_WORDS) as u32
    }
}
