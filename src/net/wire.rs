//! A connection that reads and writes within its deadline and reads no more than its budget.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Instant;

use super::{Time, Trouble};

/// A bounded TCP connection. Errors carry a [`Trouble`]; [`Trouble::of`] takes it out again.
#[derive(Debug)]
pub struct Wire {
    stream: TcpStream,
    since: Instant,
    time: Time,
    budget: usize,
    left: usize,
}

impl Wire {
    /// Wraps a connected stream; no more than `budget` bytes are ever read from it.
    ///
    /// # Errors
    /// The socket is gone already.
    pub fn new(stream: TcpStream, time: Time, budget: usize) -> Result<Self, Trouble> {
        // Small questions, small answers: none of them should wait for another.
        stream.set_nodelay(true).map_err(|error| Trouble::of(error, time.left()))?;
        Ok(Self { stream, since: Instant::now(), time, budget, left: budget })
    }

    /// The deadline.
    pub fn time(&self) -> Time {
        self.time
    }

    /// Sets another deadline.
    pub fn until(&mut self, time: Time) {
        self.time = time;
    }

    /// The other end.
    ///
    /// # Errors
    /// The connection is gone.
    pub fn peer(&self) -> io::Result<SocketAddr> {
        self.stream.peer_addr()
    }

    /// Reads what one system call gives, at most the buffer; `Ok(0)` is the end.
    ///
    /// # Errors
    /// [`Trouble::Silent`], [`Trouble::TooMuch`], [`Trouble::Reset`].
    pub fn some(&mut self, buffer: &mut [u8]) -> Result<usize, Trouble> {
        let waited = self.time.left();
        self.read(buffer).map_err(|error| Trouble::of(error, waited))
    }

    /// Writes all of it.
    ///
    /// # Errors
    /// The other side does not take it in time, or is gone.
    pub fn say(&mut self, bytes: &[u8]) -> Result<(), Trouble> {
        let waited = self.time.left();
        self.write_all(bytes).map_err(|error| Trouble::of(error, waited))
    }
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        if self.left == 0 {
            return Err(Trouble::TooMuch { limit: self.budget }.into());
        }
        let began = Instant::now();
        let limit = self.time.left();
        if limit.is_zero() {
            // Bytes came one by one until now: what was waited is all of the time, not the nothing that is left.
            return Err(Trouble::silent(self.since.elapsed()).into());
        }
        self.stream.set_read_timeout(Some(limit))?;
        let most = buffer.len().min(self.left);
        match self.stream.read(&mut buffer[..most]) {
            Ok(count) => {
                self.left -= count;
                Ok(count)
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                Err(Trouble::silent(began.elapsed()).into())
            }
            Err(error) => Err(error),
        }
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let limit = self.time.left();
        if limit.is_zero() {
            return Err(Trouble::silent(self.since.elapsed()).into());
        }
        self.stream.set_write_timeout(Some(limit))?;
        self.stream.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        let _ = self.stream.shutdown(Shutdown::Both);
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::thread;
    use std::time::Duration;

    use super::*;

    fn pair(total: Duration, budget: usize) -> (Wire, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let wire = Wire::new(stream, Time::new(total, total), budget).unwrap();
        (wire, listener.accept().unwrap().0)
    }

    #[test]
    fn one_byte_a_moment_does_not_stretch_the_deadline() {
        let (mut wire, mut other) = pair(Duration::from_millis(400), 1 << 20);
        thread::spawn(move || {
            while other.write_all(b"x").is_ok() {
                thread::sleep(Duration::from_millis(50));
            }
        });
        let began = Instant::now();
        let mut all = Vec::new();
        let error = wire.read_to_end(&mut all).unwrap_err();
        let trouble = Trouble::of(error, Duration::ZERO);
        assert!(matches!(trouble, Trouble::Silent { millis } if millis >= 40), "{trouble:?}");
        assert!(began.elapsed() < Duration::from_secs(3) && all.len() < 30);
    }

    #[test]
    fn a_flood_ends_at_the_budget() {
        let (mut wire, mut other) = pair(Duration::from_secs(5), 100_000);
        thread::spawn(move || while other.write_all(&[b'x'; 65536]).is_ok() {});
        let mut all = Vec::new();
        let error = wire.read_to_end(&mut all).unwrap_err();
        assert_eq!(Trouble::of(error, Duration::ZERO), Trouble::TooMuch { limit: 100_000 });
        assert_eq!(all.len(), 100_000);
    }
}
