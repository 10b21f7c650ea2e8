//! Streams with something of their own.

use std::io::{Chain, Cursor, Read, Result, Write};

use crate::net::{Bounded, Time};

impl<S: Bounded> Bounded for &mut Peeked<S> {
    fn until(&mut self, time: Time) {
        self.wire.until(time);
    }
}

/// A stream of which some bytes have been read already.
pub(super) struct Behind<S>(Chain<Cursor<Vec<u8>>, S>);

impl<S: Read> Behind<S> {
    pub(super) fn new(rest: Vec<u8>, wire: S) -> Self {
        Self(Cursor::new(rest).chain(wire))
    }
}

impl<S: Read> Read for Behind<S> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        self.0.read(buffer)
    }
}

impl<S: Write> Write for Behind<S> {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        self.0.get_mut().1.write(bytes)
    }

    fn flush(&mut self) -> Result<()> {
        self.0.get_mut().1.flush()
    }
}

/// A stream whose first bytes are remembered, to tell what it is that does not speak TLS.
pub(super) struct Peeked<S> {
    wire: S,
    first: Vec<u8>,
    most: usize,
}

impl<S> Peeked<S> {
    /// Remembers no more than `most` bytes.
    pub(super) fn new(wire: S, most: usize) -> Self {
        Self { wire, first: Vec::new(), most }
    }

    pub(super) fn first(&self) -> &[u8] {
        &self.first
    }
}

impl<S: Read> Read for Peeked<S> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let count = self.wire.read(buffer)?;
        let room = self.most.saturating_sub(self.first.len()).min(count);
        self.first.extend_from_slice(&buffer[..room]);
        Ok(count)
    }
}

impl<S: Write> Write for Peeked<S> {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        self.wire.write(bytes)
    }

    fn flush(&mut self) -> Result<()> {
        self.wire.flush()
    }
}
