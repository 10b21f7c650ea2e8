//! `slow LISTEN TARGET MILLIS` passes each connection on to TARGET, but only after MILLIS: the latency that this kernel cannot
//! add by itself. `slow LISTEN never` takes connections and never answers.
//!
//! Once for each connection, before its first byte: what is measured is how a client spends waiting, not how many round
//! trips its protocol takes.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::exit;
use std::thread::{self, sleep};
use std::time::Duration;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    match words.as_slice() {
        [listen, "never"] => {
            let kept: Vec<_> = listener(listen).incoming().collect();
            drop(kept);
        }
        [listen, target, millis] => {
            let Ok(millis) = millis.parse() else { fail("MILLIS is a number") };
            for stream in listener(listen).incoming().flatten() {
                let target = (*target).to_owned();
                thread::spawn(move || pass(stream, &target, Duration::from_millis(millis)));
            }
        }
        _ => fail("usage: slow LISTEN TARGET MILLIS | slow LISTEN never"),
    }
}

fn listener(address: &str) -> TcpListener {
    TcpListener::bind(address).unwrap_or_else(|error| fail(&format!("{address}: {error}")))
}

fn pass(near: TcpStream, target: &str, wait: Duration) {
    sleep(wait);
    let Ok(far) = TcpStream::connect(target) else { return };
    let (Ok(from), Ok(to)) = (near.try_clone(), far.try_clone()) else { return };
    thread::spawn(move || copy(from, to));
    copy(far, near);
}

fn copy(mut from: TcpStream, mut to: TcpStream) {
    let _ = (from.set_nodelay(true), to.set_nodelay(true));
    let mut buffer = [0; 8192];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        if to.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    let _ = (from.shutdown(Shutdown::Read), to.shutdown(Shutdown::Write));
}

fn fail(message: &str) -> ! {
    eprintln!("slow: {message}");
    exit(2)
}
