//! OpenSSL's own client, asked where the TLS library of this program cannot look further: the product's clients are OpenSSL's.

use std::io;
use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::host::{Command, HostRead};
use crate::net::{Distrust, NetError, Reason, Roots, Time, TlsFault};
use crate::text::{Foreign, clean, host_port};

/// It is not waited for any longer.
const LONGEST: Duration = Duration::from_secs(5);

/// What `openssl s_client` says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "openssl", rename_all = "kebab-case")]
pub(crate) enum Openssl {
    /// It connects, and trusts the peer.
    Trusted {
        /// `TLSv1.2, DHE-RSA-AES256-GCM-SHA384`.
        cipher: Foreign,
    },
    /// It connects, and does not trust the peer.
    Untrusted {
        /// Why.
        why: Distrust,
    },
    /// It does not come to TLS either.
    NoTls {
        /// Its words.
        why: Foreign,
    },
    /// There is no such program here.
    Missing,
}

/// Judges certificates (PEM, the peer's own first).
type Judge<'a> = &'a dyn Fn(&[u8]) -> Option<Distrust>;

/// Is this an error of which OpenSSL's client may know more?
pub(crate) fn may_know_more(error: &NetError) -> bool {
    match error {
        NetError::Tls { why: TlsFault::Beyond(_) } => true,
        NetError::Untrusted { why } => why.is_unsettled(),
        _ => false,
    }
}

/// Asks it. `starttls` is the protocol in which TLS is begun; `via` the proxy (`host:port`) to go through. `None`: it is none
/// that can do it, or there was no time.
pub(crate) fn ask(
    host: &dyn HostRead,
    (name, port): (&str, u16),
    (starttls, via): (Option<&str>, Option<&str>),
    roots: &Roots,
    time: Time,
) -> Option<Openssl> {
    if !host.is_live() || time.is_over() {
        return None;
    }
    let bare = name.trim_matches(['[', ']']);
    let is_address = bare.parse::<IpAddr>().is_ok();
    let mut argv = vec!["openssl".to_owned(), "s_client".to_owned(), "-connect".to_owned(), host_port(name, port)];
    let mut add = |words: &[&str]| argv.extend(words.iter().map(|word| (*word).to_owned()));
    add(&["-showcerts", if is_address { "-verify_ip" } else { "-verify_hostname" }, bare]);
    if !is_address {
        add(&["-servername", bare]);
    }
    if let Some(bundle) = &roots.bundle {
        add(&["-CAfile", &bundle.to_string_lossy()]);
    }
    if let Some(protocol) = starttls {
        add(&["-starttls", protocol]);
    }
    if let Some(proxy) = via {
        add(&["-proxy", proxy]);
    }
    let deadline = time.left().min(LONGEST);
    let output = match host.run(&Command { deadline, ..Command::new(argv) }) {
        Ok(output) => output,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Some(Openssl::Missing),
        Err(_) => return None,
    };
    let judge = |shown: &[u8]| roots.judge_pem(shown, bare);
    let judge: Option<Judge<'_>> = if roots.has_more { Some(&judge) } else { None };
    read(&String::from_utf8_lossy(&output.stdout), &String::from_utf8_lossy(&output.stderr), judge)
}

/// Reads its report. `judge` judges certificates (PEM) where there are authorities beside the host's store, which OpenSSL was
/// not told of.
fn read(stdout: &str, stderr: &str, judge: Option<Judge<'_>>) -> Option<Openssl> {
    let short = |text: &str| Foreign::from(clean(text, 200));
    let after = |line: &str, words: &str| line.trim().strip_prefix(words).map(|rest| rest.trim().to_owned());
    let cipher = stdout.lines().find_map(|line| {
        let (version, cipher) =
            after(line, "New,")?.split_once(", Cipher is ").map(|(a, b)| (a.to_owned(), b.to_owned()))?;
        (cipher != "(NONE)").then(|| format!("{version}, {cipher}"))
    });
    let Some(cipher) = cipher else {
        // `…:error:0A000102:SSL routines::unsupported protocol:ssl/statem/…`
        let why = stderr.lines().find_map(|line| {
            let mut parts = line.split(":error:").nth(1)?.split(':').filter(|part| !part.is_empty()).skip(2);
            parts.find(|part| part.contains(' ')).map(str::to_owned)
        });
        return Some(Openssl::NoTls { why: short(&why?) });
    };
    let verdict = stdout.lines().find_map(|line| {
        let line = after(line, "Verify return code:").or_else(|| after(line, "Verify return code :"))?;
        let (number, words) = line.split_once(' ')?;
        Some((number.parse::<u32>().ok()?, words.trim_matches(['(', ')']).to_owned()))
    });
    let why = match verdict? {
        (0, _) => return Some(Openssl::Trusted { cipher: short(&cipher) }),
        (number, words) => Reason::of_openssl(number, &words),
    };
    match judge.map(|judge| judge(stdout.as_bytes())) {
        Some(None) => Some(Openssl::Trusted { cipher: short(&cipher) }),
        Some(Some(by_model)) if !by_model.is_unsettled() => Some(Openssl::Untrusted { why: by_model }),
        _ => Some(Openssl::Untrusted { why: why.into() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_of_s_client_are_read() {
        // OpenSSL 3.0 and 1.0.2.
        for (stdout, stderr, told) in [
            ("New, TLSv1.2, Cipher is DHE-RSA-AES128-GCM-SHA256\nVerify return code: 0 (ok)\n", "", "trusted"),
            (
                "New, TLSv1/SSLv3, Cipher is AES256-SHA\n    Verify return code: 10 (certificate has expired)\n",
                "",
                "untrusted",
            ),
            (
                "New, (NONE), Cipher is (NONE)\nVerify return code: 0 (ok)\n",
                "40A7F1:error:0A000102:SSL routines:ssl_choose_client_version:unsupported protocol:ssl/statem/x.c:1955:\n",
                "no-tls",
            ),
            (
                "New, (NONE), Cipher is (NONE)\n",
                "140:error:14077410:SSL routines:SSL23_GET_SERVER_HELLO:sslv3 alert handshake failure:s23_clnt.c:769:\n",
                "no-tls",
            ),
        ] {
            let said = serde_json::to_value(read(stdout, stderr, None).unwrap()).unwrap();
            assert_eq!(said["openssl"], told, "{stdout}");
        }
        assert_eq!(read("", "Invalid value \"mysql\" for option -starttls", None), None);
    }
}
