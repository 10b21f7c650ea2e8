//! `key=value` lines in a section of an INI file (`dnf.conf`, `yum.conf`), changed without touching the rest.

use super::splice::add_to_section;

/// The file with these keys of the section set (`Some`) or taken out (`None`).
pub(crate) fn edit(bytes: &[u8], section: &str, wishes: &[(&str, Option<&str>)]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len() + 64);
    let mut done = vec![false; wishes.len()];
    let mut inside = false;
    let mut continued = false;
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        let text = line.trim_ascii();
        if text.starts_with(b"[") {
            inside = text == format!("[{section}]").as_bytes();
            continued = false;
        } else if line.first().is_some_and(|byte| matches!(byte, b' ' | b'\t')) && continued && !text.is_empty() {
            // A continuation of a value that has gone goes too.
            continue;
        } else {
            continued = false;
        }
        match inside.then(|| wishes.iter().position(|(key, _)| is_key(text, key))).flatten() {
            Some(index) => {
                let (key, vars) = wishes[index];
                continued = true;
                match vars {
                    Some(value) if !done[index] => {
                        if value_of(text) == value.as_bytes() {
                            out.extend_from_slice(line);
                        } else {
                            let end: &[u8] = if line.ends_with(b"\r\n") { b"\r\n" } else { b"\n" };
                            out.extend_from_slice(format!("{key}={value}").as_bytes());
                            out.extend_from_slice(end);
                        }
                        done[index] = true;
                    }
                    // The last one counts for both readers: there must be only one.
                    _ => continue,
                }
            }
            None => out.extend_from_slice(line),
        }
    }
    let missing: Vec<String> = wishes
        .iter()
        .zip(&done)
        .filter_map(|((key, vars), done)| vars.filter(|_| !done).map(|value| format!("{key}={value}\n")))
        .collect();
    if !missing.is_empty() {
        add_to_section(&mut out, section, missing.concat().into_bytes());
    }
    out
}

/// The value that counts: the last one of the section.
pub(crate) fn value<'a>(bytes: &'a [u8], section: &str, key: &str) -> Option<&'a [u8]> {
    let (mut inside, mut found) = (false, None);
    for line in bytes.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii) {
        if line.starts_with(b"[") {
            inside = line == format!("[{section}]").as_bytes();
        } else if inside && is_key(line, key) {
            found = Some(value_of(line));
        }
    }
    found
}

fn is_key(line: &[u8], key: &str) -> bool {
    line.strip_prefix(key.as_bytes()).is_some_and(|rest| rest.trim_ascii_start().starts_with(b"="))
}

fn value_of(line: &[u8]) -> &[u8] {
    line.iter().position(|byte| *byte == b'=').map_or(&[][..], |at| line[at + 1..].trim_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_set_in_their_section_only() {
        let before = b"[main]\ngpgcheck=1\nproxy = http://o:1\nproxy_password=x\n y\n\n[repo]\nproxy=keep\n";
        let after =
            edit(before, "main", &[("proxy", Some("http://p:1")), ("proxy_password", None), ("new", Some("1"))]);
        assert_eq!(
            String::from_utf8(after.clone()).unwrap(),
            "[main]\ngpgcheck=1\nproxy=http://p:1\nnew=1\n\n[repo]\nproxy=keep\n"
        );
        assert_eq!(edit(&after, "main", &[("proxy", Some("http://p:1")), ("new", Some("1"))]), after);
        assert_eq!(edit(b"", "main", &[("proxy", Some("x"))]), b"[main]\nproxy=x\n");
        assert_eq!(edit(b"[main]\na=1", "main", &[("proxy", Some("x"))]), b"[main]\na=1\nproxy=x\n");
        assert_eq!(edit(b"", "main", &[("proxy", None)]), b"");
    }
}
