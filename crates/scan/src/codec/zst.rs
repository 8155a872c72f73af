//! Zstandard (RFC 8878): frames in a row, skippable ones among them.

use super::members::EMPTY_MAX;
use super::{Stream, damaged};
use mailward_core::limits::SCAN_WINDOW_MAX;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};
use std::io::{self, BufRead, BufReader, Read};

type Packed = BufReader<Stream>;

pub(super) struct Zstd {
    state: State,
    /// Frames since the last that held something.
    empty: usize,
}

enum State {
    Between(Packed),
    Within(Box<FrameDecoder>, Packed),
    Over,
}

impl Zstd {
    pub(super) fn new(packed: Stream) -> Self {
        Self { state: State::Between(BufReader::new(packed)), empty: 0 }
    }
}

impl Read for Zstd {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        loop {
            match std::mem::replace(&mut self.state, State::Over) {
                State::Over => return Ok(0),
                State::Between(mut packed) => {
                    if packed.fill_buf()?.is_empty() {
                        return Ok(0);
                    }
                    self.empty = self.empty.saturating_add(1);
                    if self.empty > EMPTY_MAX {
                        return Err(damaged("more frames without contents than anybody writes"));
                    }
                    self.state = next_frame(packed)?;
                }
                State::Within(mut frame, mut packed) => {
                    while frame.can_collect() == 0 && !frame.is_finished() {
                        frame
                            .decode_blocks(&mut packed, BlockDecodingStrategy::UptoBlocks(1))
                            .map_err(|_| damaged("a block that can't be read"))?;
                    }
                    let read = frame.read(to)?;
                    if read > 0 || to.is_empty() {
                        self.empty = 0;
                        self.state = State::Within(frame, packed);
                        return Ok(read);
                    }
                    self.state = State::Between(packed);
                }
            }
        }
    }
}

/// The frame that begins here, or what comes after a skippable one.
fn next_frame(mut packed: Packed) -> io::Result<State> {
    let mut frame = FrameDecoder::new();
    frame.set_max_window_size(u64::from(SCAN_WINDOW_MAX));
    match frame.init(&mut packed) {
        Ok(()) => {}
        Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame { length, .. })) => {
            let length = u64::from(length);
            return if io::copy(&mut packed.by_ref().take(length), &mut io::sink())? == length {
                Ok(State::Between(packed))
            } else {
                Err(io::ErrorKind::UnexpectedEof.into())
            };
        }
        Err(FrameDecoderError::WindowSizeTooBig { .. }) => {
            return Err(io::Error::new(
                io::ErrorKind::Unsupported,
                "unpacking it takes more memory than there is for it",
            ));
        }
        Err(_) => return Err(damaged("a frame that can't be read")),
    }
    Ok(State::Within(Box::new(frame), packed))
}
