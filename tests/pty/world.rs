//! Servers on loopback that answer as a proxy, MySQL and Redis do, to the first question.

use std::io::{Read, Write};
use std::net::TcpListener;

/// A server that reads what comes, if it waits for something, and answers.
fn serve(waits: bool, answer: impl Fn(&str) -> Vec<u8> + Send + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    assert!(port > 9999, "screens are compared by the length of a port");
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { break };
            let mut buffer = [0; 4096];
            let count = if waits { stream.read(&mut buffer).unwrap_or(0) } else { 0 };
            let _ = stream.write_all(&answer(&String::from_utf8_lossy(&buffer[..count])));
            let _ = stream.read(&mut buffer);
        }
    });
    port
}

/// A proxy that opens every tunnel.
pub fn open_proxy() -> u16 {
    serve(true, |_| b"HTTP/1.1 200 Connection established\r\n\r\n".to_vec())
}

/// A proxy that opens tunnels for one login, given in base64.
pub fn proxy_for(login: &'static str) -> u16 {
    serve(true, move |asked| {
        if asked.contains(&format!("Basic {login}")) {
            b"HTTP/1.1 200 Connection established\r\n\r\n".to_vec()
        } else {
            b"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=\"x\"\r\n\r\n".to_vec()
        }
    })
}

pub fn mysql() -> u16 {
    serve(false, |_| b"\x4a\0\0\0\x0a5.7.44-log\0\x01\0\0\0aaaaaaaa\0".to_vec())
}

pub fn redis() -> u16 {
    serve(true, |_| b"+PONG\r\n".to_vec())
}

/// A port on which nothing listens.
pub fn closed() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
