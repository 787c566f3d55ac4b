//! The bytes of an input as decisions, one after the other; after the last one every decision is 0.

/// Takes decisions from an input.
#[derive(Debug, Clone)]
pub struct Dice {
    data: Vec<u8>,
    at: usize,
}

impl Dice {
    /// Begins with the first byte of `data`.
    #[must_use]
    pub fn new(data: &[u8]) -> Self {
        Self { data: data.to_vec(), at: 0 }
    }

    /// Whether every byte was taken.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.at >= self.data.len()
    }

    /// The next byte.
    pub fn byte(&mut self) -> u8 {
        let byte = self.data.get(self.at).copied().unwrap_or_default();
        self.at += 1;
        byte
    }

    /// A number of two bytes.
    pub fn word(&mut self) -> u16 {
        u16::from_le_bytes([self.byte(), self.byte()])
    }

    /// A number below `bound`, which had better be below 65,536; 0 if that is 0.
    pub fn below(&mut self, bound: usize) -> usize {
        let drawn = if bound > 256 { self.word().into() } else { usize::from(self.byte()) };
        drawn.checked_rem(bound).unwrap_or_default()
    }

    /// One of several.
    pub fn pick<T: Copy>(&mut self, of: &[T]) -> Option<T> {
        let at = self.below(of.len());
        of.get(at).copied()
    }

    /// True in one of `times` cases, and never once all bytes are taken.
    pub fn once_in(&mut self, times: u8) -> bool {
        !self.is_empty() && self.byte() % times == times - 1
    }

    /// So many bytes, or those that are left.
    pub fn bytes(&mut self, length: usize) -> &[u8] {
        let from = self.at.min(self.data.len());
        let to = (from + length).min(self.data.len());
        self.at = to;
        &self.data[from..to]
    }

    /// What is left, as decisions for somebody else.
    #[must_use]
    pub fn rest(&mut self) -> Self {
        let length = self.data.len();
        Self::new(self.bytes(length))
    }
}
