//! Times as entries keep them: nanoseconds of some monotonic clock.

/// A point in time, or a span of it, in nanoseconds.
pub type Time = u64;

/// Later than any time, and longer than any span: some 584 years.
pub const NEVER: Time = u64::MAX;

/// A span of seconds as one of nanoseconds, rounded up. [`NEVER`] if it is too long to tell.
pub fn nanoseconds(seconds: f64) -> Time {
    // `as` clips, and makes nothing of NaN.
    (seconds * 1e9).ceil() as Time
}

/// `time + span`, of which both may be [`NEVER`].
pub const fn after(time: Time, span: Time) -> Time {
    time.saturating_add(span)
}

/// The span less a random part of it, of up to `fraction`. `random` is any 64 bits.
pub fn shortened(span: Time, fraction: f64, random: u64) -> Time {
    if span == NEVER {
        return NEVER;
    }
    // 53 bits make a number from 0 to below 1.
    let part = (random >> 11) as f64 * (1.0 / (1u64 << 53) as f64);
    span - (span as f64 * fraction * part) as Time
}

/// The finalizer of splitmix64 (Steele, Lea and Flood, OOPSLA 2014) over a counter.
pub const fn scrambled(counter: u64) -> u64 {
    let mut z = counter.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
