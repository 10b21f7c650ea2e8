//! The physical limit: the writing system calls of one ics-setup run, and nothing else.
//!
//! `limit ROOT OP...` replays, below ROOT, the calls that `straced.py` found in a real run, in their order:
//!
//! - `mkdir:PATH`, `rename:FROM:TO`, `link:FROM:TO`
//! - `create:SLOT:PATH`, `append:SLOT:PATH`, `open:SLOT:PATH` (for writing), `dir:SLOT:PATH`, `close:SLOT`
//! - `write:SLOT:BYTES`, `fsync:SLOT`, `fdatasync:SLOT`
//!
//! It reads nothing, plans nothing, locks nothing. Without OPs it shows what starting a process costs.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::process::exit;

fn main() {
    let mut args = std::env::args().skip(1);
    if let Some(root) = args.next() {
        or_exit("chdir", std::env::set_current_dir(root));
    }
    let mut slots = HashMap::new();
    for op in args {
        or_exit(&op, replay(&op, &mut slots));
    }
}

fn replay(op: &str, slots: &mut HashMap<String, File>) -> io::Result<()> {
    let mut words = op.splitn(3, ':');
    let mut next = || words.next().ok_or_else(|| io::Error::other("too few words"));
    match next()? {
        "mkdir" => fs::create_dir(next()?)?,
        "rename" => fs::rename(next()?, next()?)?,
        "link" => fs::hard_link(next()?, next()?)?,
        "create" => {
            let slot = next()?.to_owned();
            let file = OpenOptions::new().write(true).create(true).truncate(true).open(next()?)?;
            slots.insert(slot, file);
        }
        "append" => {
            let slot = next()?.to_owned();
            slots.insert(slot, OpenOptions::new().append(true).create(true).open(next()?)?);
        }
        "open" => {
            let slot = next()?.to_owned();
            slots.insert(slot, OpenOptions::new().write(true).open(next()?)?);
        }
        "dir" => {
            let slot = next()?.to_owned();
            slots.insert(slot, File::open(next()?)?);
        }
        "close" => drop(slots.remove(next()?)),
        "write" => {
            let mut file = opened(slots, next()?)?;
            let length = next()?.parse().map_err(io::Error::other)?;
            file.write_all(&vec![b'x'; length])?;
        }
        "fsync" => opened(slots, next()?)?.sync_all()?,
        "fdatasync" => opened(slots, next()?)?.sync_data()?,
        _ => return Err(io::Error::other("unknown operation")),
    }
    Ok(())
}

fn opened<'a>(slots: &'a HashMap<String, File>, slot: &str) -> io::Result<&'a File> {
    slots.get(slot).ok_or_else(|| io::Error::other("not open"))
}

fn or_exit(what: &str, result: io::Result<()>) {
    if let Err(error) = result {
        eprintln!("limit: {what}: {error}");
        exit(1);
    }
}
