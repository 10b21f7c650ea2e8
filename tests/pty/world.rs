//! Servers on loopback that talk as a proxy, MySQL and Redis do, as far as checks ask.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard};

/// A server that has each conversation in a thread of its own.
fn serve(talk: impl Fn(TcpStream) -> Option<()> + Clone + Send + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    assert!(port > 9999, "screens are compared by the length of a port");
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let talk = talk.clone();
            std::thread::spawn(move || talk(stream));
        }
    });
    port
}

fn read(stream: &mut TcpStream) -> Option<String> {
    let mut buffer = [0; 4096];
    let count = stream.read(&mut buffer).ok().filter(|count| *count > 0)?;
    Some(String::from_utf8_lossy(&buffer[..count]).into_owned())
}

/// Speaks plain HTTP; behind a tunnel sits a TLS server that does not like our hello.
fn proxy(answer: impl Fn(&str) -> &'static str + Clone + Send + 'static) -> u16 {
    serve(move |mut stream| {
        let asked = read(&mut stream)?;
        let answer = if asked.starts_with("CONNECT ") { answer(&asked) } else { "HTTP/1.1 400 Bad Request\r\n\r\n" };
        stream.write_all(answer.as_bytes()).ok()?;
        if answer.contains(" 200 ") {
            read(&mut stream)?;
            stream.write_all(b"\x15\x03\x03\0\x02\x02\x28").ok()?;
        }
        Some(())
    })
}

/// A proxy that opens every tunnel.
pub fn open_proxy() -> u16 {
    proxy(|_| "HTTP/1.1 200 Connection established\r\n\r\n")
}

/// Keeps those who ask waiting, as long as it is closed.
pub struct Gate(Sender<()>);

impl Gate {
    /// Whoever waits gets an answer, and so does everybody after that.
    pub fn open(self) {
        drop(self.0);
    }
}

/// A proxy that forbids every tunnel, once its gate is open.
pub fn waiting_proxy() -> (u16, Gate) {
    let (sender, closed) = channel();
    let closed = Arc::new(Mutex::new(closed));
    let port = proxy(move |_| {
        // Ends with the sender.
        let _ = closed.lock().map(|closed: MutexGuard<'_, Receiver<()>>| closed.recv());
        "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"
    });
    (port, Gate(sender))
}

/// A proxy that opens tunnels for one login, given in base64.
pub fn proxy_for(login: &'static str) -> u16 {
    proxy(move |asked| {
        if asked.contains(&format!("Basic {login}")) {
            "HTTP/1.1 200 Connection established\r\n\r\n"
        } else {
            "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=\"x\"\r\n\r\n"
        }
    })
}

/// A proxy that wants a login of a kind that the product cannot give.
pub fn ntlm_proxy() -> u16 {
    proxy(|_| "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: NTLM\r\n\r\n")
}

/// MySQL 5.7 with both databases, which lets one user in, whatever the password.
pub fn mysql() -> u16 {
    serve(|stream| Mysql { stream, number: 0 }.talk())
}

struct Mysql {
    stream: TcpStream,
    number: u8,
}

impl Mysql {
    fn talk(&mut self) -> Option<()> {
        let mut hello = b"\x0a5.7.44-log\0\x07\0\0\0abcdefgh\0".to_vec();
        // Long passwords, protocol 4.1, transactions, secure connections, plugins; no TLS.
        hello.extend_from_slice(
            b"\x01\xa2\x08\x02\0\x08\0\x15\0\0\0\0\0\0\0\0\0\0ijklmnopqrst\0mysql_native_password\0",
        );
        self.send(&hello)?;
        let login = self.receive()?;
        if !login.windows(6).any(|part| part == b"divvy\0") {
            return self.send(b"\xff\x15\x04#28000Access denied for user 'u'@'10.0.0.7' (using password: YES)");
        }
        self.send(FINE)?;
        loop {
            let command = self.receive()?;
            let asked = String::from_utf8_lossy(command.get(1..)?).into_owned();
            let rows: &[&[&str]] = match asked.as_str() {
                asked if asked.starts_with("SELECT VERSION") => &[&["5.7.44-log", "divvy@%"]],
                asked if asked.starts_with("SELECT SCHEMA") => {
                    &[&["divvy", "utf8", "utf8_general_ci"], &["divvykeys", "utf8", "utf8_general_ci"]]
                }
                "SHOW GRANTS" => &[&["GRANT ALL PRIVILEGES ON *.* TO 'divvy'@'%'"]],
                _ => &[],
            };
            match rows {
                [] => self.send(FINE)?,
                rows => self.table(rows)?,
            }
        }
    }

    fn table(&mut self, rows: &[&[&str]]) -> Option<()> {
        self.send(&[u8::try_from(rows[0].len()).unwrap()])?;
        for _ in rows[0] {
            self.send(b"a column")?;
        }
        self.send(END)?;
        for row in rows {
            let mut bytes = Vec::new();
            for cell in *row {
                bytes.push(u8::try_from(cell.len()).unwrap());
                bytes.extend_from_slice(cell.as_bytes());
            }
            self.send(&bytes)?;
        }
        self.send(END)
    }

    fn send(&mut self, payload: &[u8]) -> Option<()> {
        let mut bytes = u32::try_from(payload.len()).unwrap().to_le_bytes();
        bytes[3] = self.number;
        self.number = self.number.wrapping_add(1);
        self.stream.write_all(&[&bytes[..], payload].concat()).ok()
    }

    fn receive(&mut self) -> Option<Vec<u8>> {
        let mut header = [0; 4];
        self.stream.read_exact(&mut header).ok()?;
        self.number = header[3].wrapping_add(1);
        let mut payload = vec![0; usize::from(u16::from_le_bytes([header[0], header[1]]))];
        self.stream.read_exact(&mut payload).ok()?;
        Some(payload)
    }
}

const FINE: &[u8] = b"\0\0\0\x02\0\0\0";
const END: &[u8] = b"\xfe\0\0\x02\0";

/// Redis 5 that lets everybody in.
pub fn redis() -> u16 {
    redis_that(|_| true)
}

/// Redis 5 that lets those in who know this password.
pub fn redis_for(password: &'static str) -> u16 {
    redis_that(move |said| said.contains(password))
}

fn redis_that(opens: impl Fn(&str) -> bool + Clone + Send + 'static) -> u16 {
    serve(move |mut stream| {
        let mut is_open = opens("");
        loop {
            let asked = read(&mut stream)?;
            let info = "redis_version:5.0.14\r\nredis_mode:standalone\r\nrole:master\r\n";
            let answer = if asked.contains("AUTH") {
                is_open = opens(&asked);
                if is_open { "+OK\r\n".to_owned() } else { "-ERR invalid password\r\n".to_owned() }
            } else if !is_open && asked.contains("INFO") {
                "-NOAUTH Authentication required.\r\n".to_owned()
            } else if asked.contains("INFO") {
                format!("${}\r\n{info}\r\n", info.len())
            } else {
                "-ERR unknown command `HELLO`\r\n".to_owned()
            };
            stream.write_all(answer.as_bytes()).ok()?;
        }
    })
}

/// A port on which nothing listens, and which nobody else gets: it is one end of a connection that lasts as long as the
/// process.
pub fn closed() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let port = client.local_addr().unwrap().port();
    std::mem::forget((client, listener.accept().unwrap()));
    port
}
