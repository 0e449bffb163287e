//! The region against a plain model.

use super::helpers::{Home, Random, Simply, audit, queue};
use crate::shm::*;

/// SIEVE in the plainest form: a list from the newest to the oldest, and the hand as a key.
struct Model {
    queue: Vec<(u64, u64, bool)>,
    hand: Option<u64>,
    capacity: usize,
}

impl Model {
    fn at(&self, key: u64) -> Option<usize> {
        self.queue.iter().position(|entry| entry.0 == key)
    }

    fn newer(&self, at: usize) -> Option<u64> {
        (at > 0).then(|| self.queue[at - 1].0)
    }

    fn insert(&mut self, key: u64, value: u64) {
        if self.queue.len() == self.capacity {
            let mut at = self.hand.map_or(self.queue.len() - 1, |hand| self.at(hand).unwrap());
            while self.queue[at].2 {
                self.queue[at].2 = false;
                at = at.checked_sub(1).unwrap_or(self.queue.len() - 1);
            }
            self.hand = self.newer(at);
            self.queue.remove(at);
        }
        self.queue.insert(0, (key, value, false));
    }

    fn remove(&mut self, at: usize) {
        if self.hand == Some(self.queue[at].0) {
            self.hand = self.newer(at);
        }
        self.queue.remove(at);
    }
}

fn run_against_model(capacity: usize, keys: u64, steps: u64, seed: u64) {
    let home = Home::new(&format!("model-{capacity}"));
    let region = home.open(Some(capacity as u64), 256 << 10);
    let mut model = Model { queue: Vec::new(), hand: None, capacity };
    let mut random = Random(seed);
    let bytes = |number: u64| number.to_le_bytes();
    for step in 0..steps {
        let key = random.below(keys);
        let known = model.at(key);
        assert_eq!(region.contains(region.hash(&bytes(key)), &bytes(key), 0), known.is_some());
        match (random.below(20), known) {
            (0, _) => {
                assert_eq!(region.drop_one(&bytes(key)), known.is_some());
                if let Some(at) = known {
                    model.remove(at);
                }
            }
            (1..=3, Some(at)) => {
                assert!(matches!(region.put(&bytes(key), &bytes(step)), Ok(Stored::Done(_))));
                (model.queue[at].1, model.queue[at].2) = (step, true);
            }
            (_, Some(at)) => {
                assert_eq!(region.get(&bytes(key)), Some(bytes(model.queue[at].1).to_vec()));
                model.queue[at].2 = true;
            }
            _ => {
                assert_eq!(region.get(&bytes(key)), None);
                assert!(matches!(region.put(&bytes(key), &bytes(step)), Ok(Stored::Done(_))));
                model.insert(key, step);
            }
        }
        let expected: Vec<_> = model.queue.iter().map(|&(key, _, visited)| (bytes(key).to_vec(), visited)).collect();
        assert_eq!(queue(&region), expected, "step {step}");
        if step % 16 == 0 {
            audit(&region);
        }
    }
    assert_eq!(region.stats().recoveries, 0);
}

#[test]
fn a_region_evicts_as_the_model() {
    for capacity in 1..10 {
        run_against_model(capacity, capacity as u64 * 2 + 1, 1000, 0x1234_5678 + capacity as u64);
    }
    run_against_model(100, 250, 4000, 7);
}
