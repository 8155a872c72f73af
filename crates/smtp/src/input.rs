//! What was read from the peer and not yet understood: one buffer, used again and again.

/// A buffer of fixed size. Bytes are read into [`Input::space`] and consumed from [`Input::unread`].
#[derive(Debug)]
pub struct Input {
    bytes: Box<[u8]>,
    start: usize,
    end: usize,
}

impl Input {
    /// Room for `size` bytes, which must be more than the longest line
    /// ([`mailward_core::limits::SASL_LINE_MAX`]).
    #[must_use]
    pub fn new(size: usize) -> Self {
        Self { bytes: vec![0; size].into_boxed_slice(), start: 0, end: 0 }
    }
    /// What is there.
    #[must_use]
    pub fn unread(&self) -> &[u8] {
        self.bytes.get(self.start..self.end).unwrap_or_default()
    }
    /// Where the next bytes go; empty only if the buffer is full of unread bytes.
    pub fn space(&mut self) -> &mut [u8] {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        } else if self.start > 0 {
            self.bytes.copy_within(self.start..self.end, 0);
            self.end = self.end.saturating_sub(self.start);
            self.start = 0;
        }
        self.bytes.get_mut(self.end..).unwrap_or_default()
    }
    /// Tells that `count` bytes were put into the space.
    pub fn filled(&mut self, count: usize) {
        self.end = self.end.saturating_add(count).min(self.bytes.len());
    }
    /// Tells that `count` bytes were understood.
    pub fn consume(&mut self, count: usize) {
        self.start = self.start.saturating_add(count).min(self.end);
    }
    /// Copies `bytes` in, as far as they fit, and tells how many did; for tests and fuzz targets.
    pub fn push(&mut self, bytes: &[u8]) -> usize {
        let space = self.space();
        let count = space.len().min(bytes.len());
        if let (Some(to), Some(from)) = (space.get_mut(..count), bytes.get(..count)) {
            to.copy_from_slice(from);
        }
        self.filled(count);
        count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn space_comes_back_as_bytes_are_consumed() {
        let mut input = Input::new(8);
        assert_eq!(input.push(b"0123456789"), 8);
        assert!(input.space().is_empty());
        input.consume(5);
        assert_eq!(input.push(b"abcdefgh"), 5);
        assert_eq!(input.unread(), b"567abcde");
        input.consume(100);
        assert_eq!(input.space().len(), 8);
    }
}
