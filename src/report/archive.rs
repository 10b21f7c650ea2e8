//! An archive of small files: tar (POSIX.1-1988, "ustar") in gzip, which every system opens.

use std::io::{self, Write};

use flate2::Compression;
use flate2::write::GzEncoder;

/// Tar counts in these.
const BLOCK: usize = 512;

/// Permission bits of what comes out of it: it is for whoever unpacks it.
const MODE: &str = "0000600";

/// The files in one archive, in their order. `time`: seconds since 1970.
///
/// # Errors
/// A name longer than the format allows (100 bytes).
pub(crate) fn tar_gz(files: &[(String, Vec<u8>)], time: u64) -> io::Result<Vec<u8>> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::default());
    for (name, content) in files {
        packed.write_all(&header(name, content.len(), time)?)?;
        packed.write_all(content)?;
        packed.write_all(&vec![0; content.len().next_multiple_of(BLOCK) - content.len()])?;
    }
    packed.write_all(&[0; 2 * BLOCK])?;
    packed.finish()
}

fn header(name: &str, size: usize, time: u64) -> io::Result<[u8; BLOCK]> {
    let mut block = [0; BLOCK];
    let mut put = |at: usize, text: &str| block[at..at + text.len()].copy_from_slice(text.as_bytes());
    if name.is_empty() || name.len() > 100 {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "a name of at most 100 bytes"));
    }
    put(0, name);
    put(100, MODE);
    put(108, "0000000");
    put(116, "0000000");
    put(124, &format!("{size:011o}"));
    put(136, &format!("{:011o}", time.min(0o77_777_777_777)));
    // The checksum is that of the block with blanks in its place.
    put(148, "        ");
    put(156, "0");
    put(257, "ustar\u{0}00");
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    Ok(block)
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn names_sizes_and_contents_are_where_readers_look_for_them() {
        let files = [
            ("a/b.txt".to_owned(), b"hello".to_vec()),
            ("c".to_owned(), vec![b'x'; 1024]),
            ("d".to_owned(), Vec::new()),
        ];
        let mut tar = Vec::new();
        let packed = tar_gz(&files, 1_795_000_000).unwrap();
        flate2::read::GzDecoder::new(packed.as_slice()).read_to_end(&mut tar).unwrap();
        assert_eq!(tar.len(), 512 + 512 + 512 + 1024 + 512 + 1024);
        assert_eq!((&tar[..7], &tar[124..135], &tar[257..262]), (&b"a/b.txt"[..], &b"00000000005"[..], &b"ustar"[..]));
        assert_eq!((&tar[512..517], tar[1024]), (&b"hello"[..], b'c'));
        assert!(tar_gz(&[("n".repeat(101), Vec::new())], 0).is_err());
    }
}
