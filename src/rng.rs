//! Randomness that is the same on every machine: one seed, one named ChaCha8 stream per decision site.
//!
//! A stream depends on the seed and its name alone, so adding a fault does not shift what the others draw.
//! Must not know: any global generator.

use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
use sha2::{Digest, Sha256};

/// Hands out the named streams of one seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Streams {
    seed: u64,
}

impl Streams {
    /// The streams of `seed`.
    pub const fn new(seed: u64) -> Self {
        Self { seed }
    }

    /// The stream of one decision site, e.g. `"fault/0/shuffle"`. Same seed and name, same numbers.
    pub fn stream(&self, site: &str) -> ChaCha8Rng {
        ChaCha8Rng::from_seed(self.digest(site))
    }

    /// 32 bytes that depend on the seed and `site` alone; for deriving identifiers.
    pub fn digest(&self, site: &str) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(self.seed.to_be_bytes());
        hash.update(site.as_bytes());
        hash.finalize().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::RngExt;

    #[test]
    fn streams_are_independent_and_pinned() {
        let streams = Streams::new(7);
        let a: u64 = streams.stream("a").random();
        assert_eq!(a, streams.stream("a").random::<u64>());
        assert_ne!(a, streams.stream("b").random::<u64>());
        assert_ne!(a, Streams::new(8).stream("a").random::<u64>());
    }
}
