//! Holds the model of OpenSSL's verdicts on certificates against `openssl verify` of this machine: chains with one fault each,
//! and with two, are made by `openssl`, and both have to say the same, with the same reason about the same certificate.

use std::collections::BTreeMap;
use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

use serde_json::Value;
use tempfile::TempDir;

use crate::common::{BOUNDED, Leash, PATH, binary, leashed, report, scratch_in_memory, skip, until};

/// Whom the certificates are for.
const NAME: &str = "db.corp.example";

/// The folder in which everything is made.
struct Maker {
    folder: TempDir,
}

/// How a certificate is made.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Spec {
    subject: String,
    key: &'static str,
    digest: &'static str,
    from: &'static str,
    until: &'static str,
    /// Its section of extensions.
    extensions: String,
    /// Version 1.
    old: bool,
    /// A bit of its signature is turned.
    broken: bool,
}

const ROOT: &str =
    "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash\n";
const CA: &str = "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n";
const LEAF: &str =
    "basicConstraints=CA:FALSE\nextendedKeyUsage=serverAuth\nsubjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n";

const PAST: &str = "20200101000000Z";
const NOW: &str = "20230101000000Z";
const LATER: &str = "20500101000000Z";

fn spec(subject: &str, key: &'static str, extensions: &str) -> Spec {
    Spec {
        subject: format!("/O=Example Corp/CN={subject}"),
        key,
        digest: "sha256",
        from: NOW,
        until: LATER,
        extensions: extensions.to_owned(),
        old: false,
        broken: false,
    }
}

/// A chain, and what is sent and trusted of it.
#[derive(Clone)]
struct Case {
    /// Each issued by the one before it; the first by itself.
    chain: Vec<Spec>,
    /// What the server sends, by places in the chain.
    sent: Vec<usize>,
    /// What is trusted, by places in the chain.
    trusted: Vec<usize>,
    /// A root besides, which has issued nothing.
    other: bool,
    name: &'static str,
}

impl Case {
    fn new() -> Self {
        let leaf = format!("{LEAF}subjectAltName=DNS:{NAME}\n");
        Self {
            chain: vec![spec("Root", "p256a", ROOT), spec("Issuing", "p256b", CA), spec(NAME, "p256c", &leaf)],
            sent: vec![2, 1],
            trusted: vec![0],
            other: true,
            name: NAME,
        }
    }

    fn root(&mut self) -> &mut Spec {
        &mut self.chain[0]
    }

    fn issuing(&mut self) -> &mut Spec {
        &mut self.chain[1]
    }

    fn leaf(&mut self) -> &mut Spec {
        self.chain.last_mut().unwrap()
    }

    /// One certificate alone, signed by itself.
    fn alone(&mut self, extensions: &str, trusted: bool) {
        self.chain = vec![spec(NAME, "p256c", &format!("{extensions}subjectAltName=DNS:{NAME}\n"))];
        (self.sent, self.trusted) = (vec![0], if trusted { vec![0] } else { Vec::new() });
    }
}

fn swap(spec: &mut Spec, from: &str, to: &str) {
    assert!(spec.extensions.contains(from), "{from}");
    spec.extensions = spec.extensions.replace(from, to);
}

/// What OpenSSL says, what the model says, and the number by which a client of Python's `ssl` ends the handshake, as the product's
/// clients are ones; else why the case could not be made.
type Verdicts = Result<(String, String, String), String>;

/// A handshake in memory: the arguments are the store, the chain, the server's key, its name. Prints `ok`, or the number. The
/// server may have any key.
const PYTHON: &str = "
import ssl, sys
roots, chain, key, name = sys.argv[1:]
server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
server.set_ciphers('ALL:@SECLEVEL=0')
server.load_cert_chain(chain, key)
client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
if open(roots).read().strip():
    client.load_verify_locations(roots)
there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
ends = [client.wrap_bio(back, there, server_hostname=name), server.wrap_bio(there, back, server_side=True)]
try:
    for _ in range(10):
        for end in ends:
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                pass
    ends[0].getpeercert()
    print('ok' if ends[0].version() else 'no handshake')
except ssl.SSLCertVerificationError as error:
    print(error.verify_code)
";

type Fault = (&'static str, fn(&mut Case));

const BASIC: &str = "basicConstraints=critical,CA:TRUE\n";
const USAGE: &str = "keyUsage=critical,keyCertSign,cRLSign\n";
const UNKNOWN: &str = "1.2.3.4.5=critical,ASN1:UTF8String:x\n";
const SAN: &str = "subjectAltName=DNS:db.corp.example\n";

/// Of these each two are put together, too.
const PAIRED: [Fault; 15] = [
    ("leaf expired", |case| (case.leaf().from, case.leaf().until) = (PAST, NOW)),
    ("issuing CA expired", |case| (case.issuing().from, case.issuing().until) = (PAST, NOW)),
    ("root expired", |case| (case.root().from, case.root().until) = (PAST, NOW)),
    ("leaf not yet valid", |case| case.leaf().from = "20490101000000Z"),
    ("other name", |case| case.name = "cache.corp.example"),
    ("leaf signed with SHA-1", |case| case.leaf().digest = "sha1"),
    ("leaf with RSA 1024", |case| case.leaf().key = "rsa1024"),
    ("issuing CA with RSA 1024", |case| case.issuing().key = "rsa1024"),
    ("root with RSA 1024", |case| case.root().key = "rsa1024"),
    ("root without basicConstraints", |case| swap(case.root(), BASIC, "")),
    ("issuing CA:FALSE", |case| swap(case.issuing(), "CA:TRUE", "CA:FALSE")),
    ("leaf with an unknown critical extension", |case| case.leaf().extensions += UNKNOWN),
    ("leaf for clients", |case| swap(case.leaf(), "serverAuth", "clientAuth")),
    ("leaf with a broken signature", |case| case.leaf().broken = true),
    ("root that excludes the name", |case| {
        case.root().extensions += "nameConstraints=critical,excluded;DNS:corp.example\n"
    }),
];

const SINGLE: [Fault; 67] = [
    ("nothing", |_| ()),
    ("issuing CA not yet valid", |case| case.issuing().from = "20490101000000Z"),
    ("root not yet valid", |case| case.root().from = "20490101000000Z"),
    ("unknown issuer", |case| case.trusted = Vec::new()),
    ("intermediate missing", |case| case.sent = vec![2]),
    ("intermediate trusted, root not there", |case| (case.sent, case.trusted) = (vec![2], vec![1])),
    ("intermediate and root trusted, leaf sent alone", |case| (case.sent, case.trusted) = (vec![2], vec![0, 1])),
    ("self-signed leaf", |case| case.alone("basicConstraints=CA:FALSE\n", false)),
    ("self-signed leaf that is trusted", |case| case.alone("basicConstraints=CA:FALSE\n", true)),
    ("self-signed CA as server", |case| case.alone(BASIC, false)),
    ("self-signed CA as server that is trusted", |case| case.alone(BASIC, true)),
    ("self-signed CA as server that is trusted, expired", |case| {
        case.alone(BASIC, true);
        (case.leaf().from, case.leaf().until) = (PAST, NOW);
    }),
    ("self-signed leaf without any extension but the name, trusted", |case| case.alone("", true)),
    ("self-signed CA with keyUsage keyCertSign alone, trusted", |case| case.alone(&format!("{BASIC}{USAGE}"), true)),
    ("root sent along", |case| case.sent = vec![2, 1, 0]),
    ("root sent along that is not trusted", |case| (case.sent, case.trusted) = (vec![2, 1, 0], Vec::new())),
    ("order of the chain wrong", |case| {
        case.chain.insert(2, spec("Second", "p256d", CA));
        case.sent = vec![3, 1, 2];
    }),
    ("superfluous certificates", |case| {
        case.chain.insert(2, spec("Second", "p256d", CA));
        case.sent = vec![3, 3, 0, 2, 1, 1];
    }),
    ("wildcard", |case| swap(case.leaf(), "DNS:db.corp.example", "DNS:*.corp.example")),
    ("wildcard of two labels", |case| swap(case.leaf(), "DNS:db.corp.example", "DNS:*.example")),
    ("wildcard of the wrong level", |case| swap(case.leaf(), "DNS:db.corp.example", "DNS:*.db.corp.example")),
    ("wildcard in the middle", |case| swap(case.leaf(), "DNS:db.corp.example", "DNS:db.*.example")),
    ("name in capitals", |case| swap(case.leaf(), "DNS:db.corp.example", "DNS:DB.Corp.EXAMPLE")),
    ("several names", |case| swap(case.leaf(), "DNS:db.corp.example", "DNS:a.example,DNS:db.corp.example,IP:10.0.0.1")),
    ("common name alone", |case| swap(case.leaf(), SAN, "")),
    ("common name beside the name of another host", |case| swap(case.leaf(), "DNS:db.corp.example", "DNS:a.example")),
    ("common name beside an address", |case| swap(case.leaf(), "DNS:db.corp.example", "IP:10.0.0.1")),
    ("common name beside a mail address", |case| swap(case.leaf(), "DNS:db.corp.example", "email:a@corp.example")),
    ("no name at all", |case| {
        swap(case.leaf(), SAN, "");
        case.leaf().subject = "/O=Example Corp".to_owned();
    }),
    ("address", |case| {
        swap(case.leaf(), "DNS:db.corp.example", "IP:10.0.0.1");
        case.name = "10.0.0.1";
    }),
    ("other address", |case| {
        swap(case.leaf(), "DNS:db.corp.example", "IP:10.0.0.1");
        case.name = "10.0.0.2";
    }),
    ("address as the name of a host", |case| {
        swap(case.leaf(), "DNS:db.corp.example", "DNS:10.0.0.1");
        case.name = "10.0.0.1";
    }),
    ("address as common name", |case| {
        swap(case.leaf(), SAN, "");
        case.leaf().subject = "/CN=10.0.0.1".to_owned();
        case.name = "10.0.0.1";
    }),
    ("address of version 6", |case| {
        swap(case.leaf(), "DNS:db.corp.example", "IP:fd00::1");
        case.name = "fd00::1";
    }),
    ("leaf signed with MD5", |case| (case.issuing().key, case.leaf().digest) = ("rsa2048b", "md5")),
    ("leaf signed with SHA-384", |case| case.leaf().digest = "sha384"),
    ("issuing CA signed with SHA-1", |case| case.issuing().digest = "sha1"),
    ("root signed with SHA-1", |case| case.root().digest = "sha1"),
    ("RSA 2048 all over", |case| (case.root().key, case.issuing().key) = ("rsa2048a", "rsa2048b")),
    ("root with P-384", |case| case.root().key = "p384"),
    ("root with P-521", |case| case.root().key = "p521"),
    ("issuing CA with Ed25519", |case| (case.issuing().key, case.leaf().digest) = ("ed25519", "null")),
    ("leaf with Ed25519", |case| case.leaf().key = "ed25519"),
    ("leaf with P-521", |case| case.leaf().key = "p521"),
    ("root CA:FALSE", |case| swap(case.root(), "CA:TRUE", "CA:FALSE")),
    ("root without keyCertSign", |case| swap(case.root(), "keyCertSign,", "")),
    ("root without basicConstraints and keyUsage", |case| {
        swap(case.root(), BASIC, "");
        swap(case.root(), USAGE, "");
    }),
    ("issuing CA without basicConstraints", |case| swap(case.issuing(), BASIC, "")),
    ("issuing CA without keyCertSign", |case| swap(case.issuing(), "keyCertSign,", "")),
    ("root of version 1", |case| {
        case.root().old = true;
        swap(case.issuing(), "authorityKeyIdentifier=keyid\n", "");
    }),
    ("issuing CA of version 1", |case| {
        case.issuing().old = true;
        swap(case.leaf(), "authorityKeyIdentifier=keyid\n", "");
    }),
    ("leaf of version 1", |case| case.leaf().old = true),
    ("pathlen 0 at the root", |case| swap(case.root(), "CA:TRUE", "CA:TRUE,pathlen:0")),
    ("pathlen 1 at the root", |case| swap(case.root(), "CA:TRUE", "CA:TRUE,pathlen:1")),
    ("pathlen 0 at the issuing CA, and a CA below", |case| {
        swap(case.issuing(), "CA:TRUE", "CA:TRUE,pathlen:0");
        case.chain.insert(2, spec("Second", "p256d", CA));
        case.sent = vec![3, 2, 1];
    }),
    ("other name permitted", |case| case.root().extensions += "nameConstraints=critical,permitted;DNS:other.example\n"),
    ("name permitted", |case| case.root().extensions += "nameConstraints=critical,permitted;DNS:.corp.example\n"),
    ("other address permitted", |case| {
        case.issuing().extensions += "nameConstraints=critical,permitted;IP:192.168.0.0/255.255.0.0\n";
        swap(case.leaf(), "DNS:db.corp.example", "DNS:db.corp.example,IP:10.0.0.1");
    }),
    ("common name against constraints", |case| {
        case.issuing().extensions += "nameConstraints=critical,excluded;DNS:corp.example\n";
        swap(case.leaf(), SAN, "");
    }),
    ("issuing CA with an unknown critical extension", |case| case.issuing().extensions += UNKNOWN),
    ("root with an unknown critical extension", |case| case.root().extensions += UNKNOWN),
    ("issuing CA for clients", |case| case.issuing().extensions += "extendedKeyUsage=clientAuth\n"),
    ("root for clients", |case| case.root().extensions += "extendedKeyUsage=clientAuth\n"),
    ("leaf for any purpose", |case| swap(case.leaf(), "serverAuth", "anyExtendedKeyUsage")),
    ("leaf whose key may sign certificates alone", |case| case.leaf().extensions += "keyUsage=critical,keyCertSign\n"),
    ("leaf with Netscape's type of a client", |case| case.leaf().extensions += "nsCertType=client\n"),
    ("issuing CA with a broken signature", |case| case.issuing().broken = true),
];

fn cases() -> Vec<(String, Case)> {
    let made = |faults: &[&Fault]| {
        let mut case = Case::new();
        faults.iter().for_each(|(_, fault)| fault(&mut case));
        (faults.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", "), case)
    };
    let pairs = PAIRED.iter().enumerate().flat_map(|(at, one)| PAIRED[at + 1..].iter().map(move |other| [one, other]));
    SINGLE.iter().chain(&PAIRED).map(|fault| made(&[fault])).chain(pairs.map(|pair| made(&pair))).collect()
}

fn openssl(folder: &Path, arguments: &[&str]) -> Result<String, String> {
    let mut command = Command::new("openssl");
    let output =
        command.args(arguments).current_dir(folder).stdin(Stdio::null()).output().map_err(|error| error.to_string())?;
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    if output.status.success() { Ok(text) } else { Err(text) }
}

impl Maker {
    fn new() -> Result<Self, String> {
        let maker = Self { folder: scratch_in_memory("certificates") };
        let folder = maker.folder.path();
        let curve = |name: &'static str, curve: &'static str| {
            openssl(
                folder,
                &[
                    "genpkey",
                    "-quiet",
                    "-algorithm",
                    "EC",
                    "-pkeyopt",
                    &format!("ec_paramgen_curve:{curve}"),
                    "-out",
                    name,
                ],
            )
            .or_else(|_| {
                openssl(
                    folder,
                    &["genpkey", "-algorithm", "EC", "-pkeyopt", &format!("ec_paramgen_curve:{curve}"), "-out", name],
                )
            })
        };
        for name in ["p256a", "p256b", "p256c", "p256d"] {
            curve(name, "P-256")?;
        }
        curve("p384", "P-384")?;
        curve("p521", "P-521")?;
        for (name, bits) in [("rsa1024", "1024"), ("rsa2048a", "2048"), ("rsa2048b", "2048")] {
            openssl(folder, &["genrsa", "-out", name, bits])?;
        }
        openssl(folder, &["genpkey", "-algorithm", "ED25519", "-out", "ed25519"])?;
        Ok(maker)
    }

    /// Makes one certificate, signed by itself or by `issuer` (its key and the stem of its file).
    fn make(&self, stem: &str, spec: &Spec, issuer: Option<(&str, &str)>) -> Result<String, String> {
        let folder = self.folder.path().join(format!("{stem}.d"));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("index.txt"), "").unwrap();
        fs::write(folder.join("index.txt.attr"), "unique_subject = no\n").unwrap();
        let key = format!("../{}", spec.key);
        let config = "[req]\ndistinguished_name=dn\nprompt=no\n[dn]\n[ca]\ndefault_ca=own\n[own]\ndatabase=index.txt\nnew_certs_dir=.\npolicy=any\nrand_serial=yes\ncopy_extensions=none\nx509_extensions=ext\n[any]\norganizationName=optional\ncommonName=optional\n[ext]\n";
        fs::write(folder.join("config"), format!("{config}{}", spec.extensions)).unwrap();
        openssl(&folder, &["req", "-new", "-config", "config", "-key", &key, "-subj", &spec.subject, "-out", "csr"])?;
        let (signer, certificate) =
            issuer.map_or((spec.key, None), |(key, stem)| (key, Some(format!("../{stem}.pem"))));
        let signer = format!("../{signer}");
        let digest = format!("-{}", spec.digest);
        if spec.old {
            let mut arguments = vec!["x509", "-req", "-in", "csr", &digest, "-days", "3000", "-out", "made"];
            match &certificate {
                Some(certificate) => arguments.extend(["-CA", certificate, "-CAkey", &signer, "-set_serial", "7"]),
                None => arguments.extend(["-signkey", &signer]),
            }
            openssl(&folder, &arguments)?;
        } else {
            let mut arguments = vec!["ca", "-batch", "-notext", "-preserveDN", "-config", "config", "-in", "csr"];
            arguments.extend([
                "-md",
                spec.digest,
                "-startdate",
                spec.from,
                "-enddate",
                spec.until,
                "-keyfile",
                &signer,
                "-out",
                "made",
            ]);
            match &certificate {
                Some(certificate) => arguments.extend(["-cert", certificate]),
                None => arguments.push("-selfsign"),
            }
            openssl(&folder, &arguments)?;
        }
        if spec.broken {
            openssl(&folder, &["x509", "-in", "made", "-outform", "der", "-out", "der"])?;
            let mut der = fs::read(folder.join("der")).unwrap();
            *der.last_mut().unwrap() ^= 1;
            fs::write(folder.join("der"), der).unwrap();
            openssl(&folder, &["x509", "-inform", "der", "-in", "der", "-out", "made"])?;
        }
        let pem = fs::read_to_string(folder.join("made")).unwrap();
        let path = self.path(stem);
        fs::write(path, &pem).unwrap();
        Ok(pem)
    }

    fn path(&self, stem: &str) -> PathBuf {
        self.folder.path().join(format!("{stem}.pem"))
    }

    /// Both verdicts on a case, OpenSSL's first.
    fn judged(&self, number: usize, case: &Case, made: &mut BTreeMap<Vec<Spec>, (String, String)>) -> Verdicts {
        let mut pems = Vec::new();
        let mut issuer: Option<(&str, String)> = None;
        for at in 0..case.chain.len() {
            let spec = &case.chain[at];
            let line = case.chain[..=at].to_vec();
            let (stem, pem) = match made.get(&line) {
                Some(known) => known.clone(),
                None => {
                    let stem = format!("c{number}-{at}");
                    let pem = self.make(&stem, spec, issuer.as_ref().map(|(key, stem)| (*key, stem.as_str())))?;
                    made.insert(line, (stem.clone(), pem.clone()));
                    (stem, pem)
                }
            };
            issuer = Some((spec.key, stem));
            pems.push(pem);
        }
        let text = |places: &[usize]| places.iter().map(|at| pems[*at].as_str()).collect::<String>();
        let other = if case.other { fs::read_to_string(self.path("other")).unwrap() } else { String::new() };
        let (store, sent) = (format!("{other}{}", text(&case.trusted)), text(&case.sent));
        let file = |name: &str, text: &str| {
            let path = self.folder.path().join(format!("{name}-{number}"));
            fs::write(&path, text).unwrap();
            path.display().to_string()
        };
        let (roots, chain, leaf) = (file("store", &store), file("sent", &sent), file("leaf", &pems[case.sent[0]]));
        let flag = if case.name.parse::<std::net::IpAddr>().is_ok() { "-verify_ip" } else { "-verify_hostname" };
        let words =
            ["verify", "-no-CApath", "-no-CAstore", "-auth_level", "2", "-purpose", "sslserver", flag, case.name];
        let words = words.into_iter().chain(["-CAfile", &roots, "-untrusted", &chain, &leaf]).collect::<Vec<_>>();
        let said = match openssl(self.folder.path(), &words) {
            Ok(_) => "ok".to_owned(),
            // `error 20 at 0 depth lookup: unable to get local issuer certificate`: the first one ends a handshake.
            Err(text) => {
                let line = text.lines().find_map(|line| line.strip_prefix("error ")).ok_or_else(|| text.clone())?;
                let (number, rest) = line.split_once(" at ").ok_or_else(|| text.clone())?;
                format!("{number} {}", rest.split(' ').next().unwrap_or_default())
            }
        };
        let key = self.folder.path().join(case.chain[case.sent[0]].key).display().to_string();
        let mut python = leashed(&[], "python3");
        python.args(["-c", PYTHON, &roots, &chain, &key, case.name]).stdin(Stdio::null());
        let by_python = match python.output() {
            Ok(output) if output.status.success() => String::from_utf8_lossy(&output.stdout).trim().to_owned(),
            Ok(output) => String::from_utf8_lossy(&output.stderr).lines().last().unwrap_or_default().to_owned(),
            Err(error) => error.to_string(),
        };
        Ok((said, ics_setup::certificate_verdict(store.as_bytes(), sent.as_bytes(), case.name), by_python))
    }
}

#[test]
fn certificates_are_judged_as_openssl_judges_them() {
    match openssl(Path::new("/"), &["version"]) {
        // The numbers of 1.1 and the messages of 3 differ; what is compared is 3's.
        Ok(version) if version.starts_with("OpenSSL 3") => {}
        Ok(version) => return skip("certificates", "verdicts", &format!("{} is no OpenSSL 3", version.trim())),
        Err(error) => return skip("certificates", "verdicts", &format!("no openssl here: {error}")),
    }
    let maker = Maker::new().unwrap();
    maker.make("other", &spec("Another Root", "p256d", ROOT), None).unwrap();
    let cases = cases();
    let half = cases.len() / 2;
    let results: Vec<(String, Verdicts)> = thread::scope(|scope| {
        let halves = [(0, &cases[..half]), (half, &cases[half..])].map(|(first, part)| {
            let maker = &maker;
            scope.spawn(move || {
                let mut made = BTreeMap::new();
                let judged = |(at, (name, case)): (usize, &(String, Case))| {
                    (name.clone(), maker.judged(first + at, case, &mut made))
                };
                part.iter().enumerate().map(judged).collect::<Vec<_>>()
            })
        });
        halves.into_iter().flat_map(|half| half.join().unwrap()).collect()
    });
    let (mut same, mut unsettled, mut differ) = (0, Vec::new(), Vec::new());
    let (mut handshakes, mut untried) = (0, Vec::new());
    for (name, result) in results {
        match result {
            Ok((_, ours, _)) if ours.starts_with("unsettled") => unsettled.push(format!("{name}: {ours}")),
            Ok((theirs, ours, _)) if theirs != ours => {
                differ.push(format!("{name}: OpenSSL says {theirs}, the model {ours}"));
            }
            Ok((theirs, _, by_python)) => {
                same += 1;
                let number = theirs.split(' ').next().unwrap_or_default();
                match by_python.as_str() {
                    said if said == number => handshakes += 1,
                    said if said == "ok" || said.parse::<u32>().is_ok() => {
                        differ.push(format!("{name}: OpenSSL says {theirs}, Python {said}"));
                    }
                    // No server can be had with such a certificate, or no Python.
                    other => untried.push(format!("{name}: {other}")),
                }
            }
            // A system may forbid what the case needs, SHA-1 for one.
            Err(error) => skip("certificates", &name, &error),
        }
    }
    report(&format!("certificates: {same} verdicts alike, {handshakes} of Python, {} unsettled", unsettled.len()));
    if !untried.is_empty() {
        skip("certificates", &format!("{} handshakes of Python", untried.len()), &untried[0]);
    }
    assert!(differ.is_empty(), "{} differ:\n{}", differ.len(), differ.join("\n"));
    assert!(unsettled.len() <= 2, "{}", unsettled.join("\n"));
    assert!(same >= 100, "{same}");
}

/// What the program says of TLS to a server that `openssl s_server` is, with these further words; `live`: on this machine, whose
/// openssl it may ask.
fn told(maker: &Maker, leaf: &Path, key: &str, chain: &Path, words: &[&str], live: bool) -> Value {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut server = leashed(&[], "openssl");
    server
        .args(["s_server", "-quiet", "-accept", &port.to_string(), "-cert"])
        .arg(leaf)
        .arg("-key")
        .arg(maker.folder.path().join(key));
    server.arg("-cert_chain").arg(chain).args(words).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let _leash = Leash::start(&mut server);
    until(|| TcpStream::connect(("127.0.0.1", port)).map(drop).map_err(|error| error.to_string()));
    let root = maker.folder.path().join("root");
    fs::create_dir_all(root.join("etc")).unwrap();
    fs::write(root.join("etc/os-release"), "ID=ubuntu\nVERSION_ID=\"22.04\"\n").unwrap();
    let mut command = Command::new(BOUNDED[0]);
    command.args(&BOUNDED[1..]).arg(binary()).args([
        "check",
        "backends",
        "--format",
        "json",
        "--deployment",
        "production",
    ]);
    command.args([
        "--only",
        "redis-tls",
        "--redis-host",
        "127.0.0.1",
        "--redis-port",
        &port.to_string(),
        "--redis-tls",
        "--proxy-ca",
    ]);
    command.arg(maker.path("trusted"));
    if !live {
        command.arg("--root").arg(root);
    }
    let output = command.env_clear().env("PATH", PATH).stdin(Stdio::null()).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let report: Value = serde_json::from_str(&text)
        .unwrap_or_else(|error| panic!("{error}: {text} {}", String::from_utf8_lossy(&output.stderr)));
    let findings = report["findings"].as_array().unwrap();
    findings.iter().find(|finding| finding["id"] == "redis-tls").unwrap_or_else(|| panic!("{text}")).clone()
}

#[test]
fn what_a_server_shows_is_told_by_its_reason_and_limits_of_this_tool_are_no_fault() {
    if !openssl(Path::new("/"), &["version"]).is_ok_and(|version| version.starts_with("OpenSSL 3")) {
        return skip("certificates", "servers", "no OpenSSL 3 here");
    }
    let maker = Maker::new().unwrap();
    maker.make("trusted", &spec("Root", "p256a", ROOT), None).unwrap();
    maker.make("issuing", &spec("Issuing", "p256b", CA), Some(("p256a", "trusted"))).unwrap();
    let leaf = |stem: &str, key: &'static str, change: fn(&mut Spec)| {
        let mut own = spec(NAME, key, &format!("{LEAF}subjectAltName=IP:127.0.0.1\n"));
        change(&mut own);
        maker.make(stem, &own, Some(("p256b", "issuing"))).unwrap();
        maker.path(stem)
    };
    let rsa = leaf("rsa", "rsa2048a", |_| ());
    let sha1 = leaf("sha1", "rsa2048a", |own| own.digest = "sha1");
    let short = leaf("short", "rsa1024", |_| ());
    let p521 = leaf("p521", "p521", |_| ());
    let weak = ["-cipher", "DEFAULT@SECLEVEL=0"];
    let chain = maker.path("issuing");
    let dhe = ["-tls1_2", "-cipher", "DHE-RSA-AES128-GCM-SHA256"];
    for (leaf, key, words, live, status, says) in [
        (&sha1, "rsa2048a", &weak[..], false, "fail", "CA signature digest algorithm too weak"),
        (&short, "rsa1024", &weak, false, "fail", "RSA, 1024 bits"),
        (&rsa, "rsa2048a", &["-Verify", "1"], false, "fail", "tls-auth-clients no"),
        (&rsa, "rsa2048a", &["-Verify", "1", "-tls1_2"], false, "fail", "tls-auth-clients no"),
        (&rsa, "rsa2048a", &dhe, false, "skip", "OpenSSL's clients can"),
        (&rsa, "rsa2048a", &dhe, true, "pass", "DHE-RSA-AES128-GCM-SHA256"),
        (&p521, "p521", &[], true, "pass", "OpenSSL's client on this host"),
    ] {
        let finding = told(&maker, leaf, key, &chain, words, live);
        assert_eq!(finding["status"], status, "{says}: {finding:#}");
        let text = finding.to_string();
        assert!(text.contains(says), "{says}: {finding:#}");
        assert!(!text.contains("tls=false") && !text.contains("open TCP"), "{finding:#}");
    }
}
