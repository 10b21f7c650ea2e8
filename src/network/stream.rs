//! Streams with something of their own.

use std::io::{Read, Result, Write};

use rustls::{ClientConnection, StreamOwned};

use crate::net::{Time, Wire};

/// A stream whose deadline can be moved.
pub(super) trait Bounded: Read + Write {
    /// Sets another deadline.
    fn until(&mut self, time: Time);
}

impl Bounded for Wire {
    fn until(&mut self, time: Time) {
        Self::until(self, time);
    }
}

impl<S: Bounded> Bounded for StreamOwned<ClientConnection, S> {
    fn until(&mut self, time: Time) {
        self.sock.until(time);
    }
}

impl<S: Bounded> Bounded for &mut Peeked<S> {
    fn until(&mut self, time: Time) {
        self.wire.until(time);
    }
}

/// A stream of which some bytes have been read already.
pub(super) struct Behind<S> {
    rest: Vec<u8>,
    at: usize,
    wire: S,
}

impl<S> Behind<S> {
    pub(super) fn new(rest: Vec<u8>, wire: S) -> Self {
        Self { rest, at: 0, wire }
    }
}

impl<S: Read> Read for Behind<S> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        if self.at < self.rest.len() {
            let count = (&self.rest[self.at..]).read(buffer)?;
            self.at += count;
            return Ok(count);
        }
        self.wire.read(buffer)
    }
}

impl<S: Write> Write for Behind<S> {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        self.wire.write(bytes)
    }

    fn flush(&mut self) -> Result<()> {
        self.wire.flush()
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
