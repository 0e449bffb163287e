//! Keyed hashes of bytes: what keys are found by, and what values are checked by.
//!
//! Products of 64 by 64 bits, folded, as in wyhash (Wang Yi, 2019); four of them at a time for long inputs. Both factors of each
//! product are secret: with a known one, bytes that make it zero would wipe out all that comes before them, and give
//! keys of one hash whatever the seed. So who does not know the seed cannot look for collisions; it is no signature.

const A: u64 = 0xA076_1D64_78BD_642F;
const B: u64 = 0xE703_7ED1_A0B4_28DB;
const C: u64 = 0x8EBC_6AF0_9C88_C6E3;
const D: u64 = 0x5899_65CC_7537_4CC3;

/// The product's halves, folded.
#[inline(always)]
pub const fn mix(a: u64, b: u64) -> u64 {
    let product = a as u128 * b as u128;
    product as u64 ^ (product >> 64) as u64
}

#[inline(always)]
fn pair(bytes: &[u8; 16]) -> (u64, u64) {
    let both = u128::from_le_bytes(*bytes);
    (both as u64, (both >> 64) as u64)
}

/// Up to 16 bytes, as two numbers.
#[inline(always)]
fn rest(bytes: &[u8]) -> (u64, u64) {
    let len = bytes.len();
    if let (Some(first), Some(last)) = (bytes.first_chunk::<8>(), bytes.last_chunk::<8>()) {
        (u64::from_le_bytes(*first), u64::from_le_bytes(*last))
    } else if let (Some(first), Some(last)) = (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        (u64::from(u32::from_le_bytes(*first)), u64::from(u32::from_le_bytes(*last)))
    } else if len > 0 {
        (u64::from(bytes[0]) << 16 | u64::from(bytes[len / 2]) << 8 | u64::from(bytes[len - 1]), 0)
    } else {
        (0, 0)
    }
}

/// The hash of the bytes.
#[inline(always)]
pub fn digest(seed: u64, bytes: &[u8]) -> u64 {
    let secret = mix(seed ^ C, D);
    let (state, left) = if bytes.len() > 16 { fold(secret, seed ^ A, bytes) } else { (seed ^ A, bytes) };
    let (a, b) = rest(left);
    let state = mix(a ^ secret, b ^ state);
    mix(state ^ C, bytes.len() as u64 ^ D)
}

/// Takes in all but the last 16 bytes at most.
#[inline(never)]
fn fold(secret: u64, mut state: u64, bytes: &[u8]) -> (u64, &[u8]) {
    let mut left = bytes;
    if left.len() > 64 {
        let (blocks, tail) = left.as_chunks::<64>();
        let mut lanes = [state, state ^ B, state ^ C, state ^ D];
        for block in blocks {
            let (parts, _) = block.as_chunks::<16>();
            for ((lane, part), factor) in lanes.iter_mut().zip(parts).zip([A, B, C, D]) {
                let (a, b) = pair(part);
                *lane = mix(a ^ factor ^ secret, b ^ *lane);
            }
        }
        state = mix(lanes[0] ^ A, lanes[1]) ^ mix(lanes[2] ^ B, lanes[3]);
        left = tail;
    }
    while left.len() > 16 {
        let Some((part, tail)) = left.split_first_chunk::<16>() else { break };
        let (a, b) = pair(part);
        state = mix(a ^ secret, b ^ state);
        left = tail;
    }
    (state, left)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn bytes_that_would_cancel_a_known_factor_wipe_out_nothing() {
        let constants = [A, B, C, D, A ^ B, A ^ C, A ^ D];
        for (constant, len) in constants.into_iter().flat_map(|it| [32, 40, 64, 96, 160].map(|len| (it, len))) {
            for place in (0..len - 7).step_by(4) {
                let hash = |number: u8| {
                    let mut bytes = vec![number; len];
                    bytes[place..place + 8].copy_from_slice(&constant.to_le_bytes());
                    digest(7, &bytes)
                };
                let hashes: HashSet<_> = (0..=u8::MAX).map(hash).collect();
                assert_eq!(hashes.len(), 256, "{constant:x} at {place} of {len}");
            }
        }
    }
}
