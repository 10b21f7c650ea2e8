//! A connection that reads and writes within its deadline and reads no more than its budget.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use super::{NetError, Time};

/// A bounded TCP connection. Errors carry a [`NetError`]; [`NetError::of`] takes it out again.
#[derive(Debug)]
pub(crate) struct Wire {
    stream: TcpStream,
    time: Time,
    budget: usize,
    left: usize,
}

impl Wire {
    /// Wraps a connected stream; no more than `budget` bytes are ever read from it.
    ///
    /// # Errors
    /// The socket is gone already.
    pub(crate) fn new(stream: TcpStream, time: Time, budget: usize) -> Result<Self, NetError> {
        // Small questions, small answers: none of them should wait for another.
        stream.set_nodelay(true).map_err(NetError::of)?;
        Ok(Self { stream, time, budget, left: budget })
    }

    /// The other end.
    ///
    /// # Errors
    /// The connection is gone.
    pub(crate) fn peer(&self) -> io::Result<SocketAddr> {
        self.stream.peer_addr()
    }

    /// This end and the other one.
    ///
    /// # Errors
    /// The connection is gone.
    pub(crate) fn ends(&self) -> io::Result<[IpAddr; 2]> {
        Ok([self.stream.local_addr()?, self.peer()?].map(|end| end.ip().to_canonical()))
    }

    /// What is left of the time.
    fn limit(&self) -> io::Result<Duration> {
        let limit = self.time.left();
        if limit.is_zero() { Err(self.silent()) } else { Ok(limit) }
    }

    /// Of an error of the socket: at its deadline the limit is told, not what the last wait had of it. Bytes may have come one
    /// by one until then.
    fn timed(&self, error: io::Error) -> io::Error {
        match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => self.silent(),
            _ => error,
        }
    }

    fn silent(&self) -> io::Error {
        NetError::silent(self.time.whole()).into()
    }
}

/// A stream whose deadline can be moved.
pub(crate) trait Bounded: Read + Write {
    /// Sets another deadline.
    fn until(&mut self, time: Time);
}

impl Bounded for Wire {
    fn until(&mut self, time: Time) {
        self.time = time;
    }
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        if self.left == 0 {
            return Err(NetError::TooMuch { limit: self.budget }.into());
        }
        self.stream.set_read_timeout(Some(self.limit()?))?;
        let most = buffer.len().min(self.left);
        let count = self.stream.read(&mut buffer[..most]).map_err(|error| self.timed(error))?;
        self.left -= count;
        Ok(count)
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.set_write_timeout(Some(self.limit()?))?;
        self.stream.write(bytes).map_err(|error| self.timed(error))
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

    use super::*;

    fn pair(total: Duration, budget: usize) -> (Wire, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let wire = Wire::new(stream, Time::new(total, total), budget).unwrap();
        (wire, listener.accept().unwrap().0)
    }

    #[test]
    fn one_byte_a_moment_does_not_stretch_the_deadline() {
        // The budget would be read in ten seconds: what is told then is another error.
        let (mut wire, mut other) = pair(Duration::from_millis(200), 1000);
        thread::spawn(move || {
            while other.write_all(b"x").is_ok() {
                thread::sleep(Duration::from_millis(10));
            }
        });
        let error = wire.read_to_end(&mut Vec::new()).unwrap_err();
        assert_eq!(NetError::of(error), NetError::Silent { millis: 200 });
    }

    #[test]
    fn a_peer_that_takes_nothing_is_silent_at_the_deadline_too() {
        let (mut wire, _other) = pair(Duration::from_millis(200), 1);
        assert_eq!(NetError::of(wire.write_all(&vec![0; 64 << 20]).unwrap_err()), NetError::Silent { millis: 200 });
        assert_eq!(NetError::of(wire.read(&mut [0]).unwrap_err()), NetError::Silent { millis: 200 });
    }

    #[test]
    fn a_flood_ends_at_the_budget() {
        let (mut wire, mut other) = pair(Duration::from_secs(60), 100_000);
        thread::spawn(move || while other.write_all(&[b'x'; 65536]).is_ok() {});
        let mut all = Vec::new();
        let error = wire.read_to_end(&mut all).unwrap_err();
        assert_eq!(NetError::of(error), NetError::TooMuch { limit: 100_000 });
        assert_eq!(all.len(), 100_000);
    }
}
