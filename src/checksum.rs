//! SHA-256 of files that are too large to be held at once, and lists of them as `sha256sum` writes them.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::problem::{Problem, id};
use crate::text;
use crate::text::{CommandLine, hex, own, typed};

/// The list of a folder.
pub(crate) const LIST: &str = "SHA256SUMS";

/// Of bytes that are held.
pub(crate) fn of_bytes(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// Reads a file to its end, handing on what was read: its checksum.
///
/// # Errors
/// It cannot be read, or `each` failed.
pub(crate) fn of(path: &Path, mut each: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<String> {
    let mut file = File::open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
    }
    let mut sum = Sha256::new();
    let mut buffer = vec![0_u8; 1 << 20];
    loop {
        let count = match file.read(&mut buffer) {
            Ok(0) => return Ok(hex(&sum.finalize())),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        sum.update(&buffer[..count]);
        each(&buffer[..count])?;
    }
}

/// Is it one, in either case of letters?
pub(crate) fn is_sum(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The checksum that a folder's list has for one of its files.
///
/// # Errors
/// `images-unproven`: there is no list, or it does not know the file.
pub(crate) fn of_list(folder: &Path, name: &str) -> Result<String, Problem> {
    let path = folder.join(LIST);
    let text = std::fs::read(&path).map_err(|error| {
        Problem::host(
            id::IMAGES_UNPROVEN,
            text!("{} cannot be read, so nothing of {} is used", path.display(), folder.display()),
        )
        .caused_by(error)
        .hint(text!(
            "bring the folder again; where its making was broken off, make it again: {}",
            typed("ics-setup bundle create <DIR>")
        ))
        .hint(text!("of a folder that was made by hand, make it where that was: {}", make()))
    })?;
    let text = String::from_utf8_lossy(&text).into_owned();
    listed(&text, name).map(str::to_ascii_lowercase).ok_or_else(|| {
        Problem::host(
            id::IMAGES_UNPROVEN,
            text!("{} has no line for {}, so that is not used", path.display(), own(name)),
        )
        .hint(text!("make it anew where the folder was made: {}", make()))
    })
}

/// The checksum of a file in a list.
pub(crate) fn listed<'l>(list: &'l str, name: &str) -> Option<&'l str> {
    lines(list).flatten().find_map(|(own, sum)| (own == name).then_some(sum))
}

/// Names and checksums of a list of lines `HEX  NAME` or `HEX *NAME`. The line itself where it is none.
pub(crate) fn lines(list: &str) -> impl Iterator<Item = Result<(&str, &str), &str>> {
    list.lines().map(str::trim_end).filter(|line| !line.is_empty()).map(|line| {
        let (sum, rest) = line.split_once([' ', '\t']).filter(|(sum, _)| is_sum(sum)).ok_or(line)?;
        let own = rest.trim_start_matches([' ', '*']);
        Ok((own.strip_prefix("./").unwrap_or(own), sum))
    })
}

/// What writes the list of a folder that one stands in.
pub(crate) fn make() -> CommandLine {
    typed(text!("sha256sum * > {}", own(LIST)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_those_of_sha256sum() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        std::fs::write(&path, b"abc").unwrap();
        let sum = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let mut seen = Vec::new();
        let read = of(&path, |bytes| {
            seen.extend_from_slice(bytes);
            Ok(())
        });
        assert_eq!((read.unwrap().as_str(), seen.as_slice()), (sum, &b"abc"[..]));
        assert!(of(folder.path(), |_| Ok(())).is_err());
        let list = format!("{sum}  a\n{sum} *./b\nxyz  c\n");
        assert_eq!((listed(&list, "a"), listed(&list, "b"), listed(&list, "c")), (Some(sum), Some(sum), None));
        assert_eq!(listed("", "a"), None);
    }
}
