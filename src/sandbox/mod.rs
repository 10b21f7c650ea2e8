//! The host's own programs, run over planned files in namespaces of their own: nothing is written, nobody is asked who is
//! not in there, and nothing stays, however the run ends.
//!
//! The program starts itself again ([`inside`]). That process makes namespaces (mount, net, pid, ipc, uts) and a world of
//! mounts and routes, and starts the first process of the pid namespace, which answers questions. Each of them ends with
//! its parent (`PR_SET_PDEATHSIG`, and the end of its standard input), and with the first process ends all that it has
//! started, so a kill at any moment leaves no process, mount or file behind.
//!
//! | module | what it does |
//! | --- | --- |
//! | `frame` | messages between the processes |
//! | `space` | namespaces and mounts |
//! | `routes` | every address is local |
//! | `hosts` | names and their addresses |
//! | `recorder` | stands in for the world and its proxies |
//! | `first` | the first process: runs programs, reports what they asked |
//!
//! What is compared with a password stays inside: of a login leaves the word right, wrong or none. Environments leave masked,
//! but for those that a question wants to keep as they are. Not kept apart: records of the audit subsystem, which PAM sends to the kernel itself.

mod first;
mod frame;
mod hosts;
mod recorder;
mod routes;
mod space;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, ExitCode, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::text;
use crate::text::words::words;
use crate::text::{Text, own};

/// The first argument with which the program is not the program that people know.
const HIDDEN: &str = "__sandbox";

/// The script that a door has to start; it asks what the question's steps say.
pub(crate) const SCRIPT: &str = "/run/ics-setup/ask";

/// A folder inside that lasts from question to question.
pub(crate) const KEPT: &str = "/run/ics-setup-kept";

/// How long the end of everything inside is waited for before it is killed.
const ENDING: Duration = Duration::from_secs(2);

/// One file as it is to be inside.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct File {
    /// Its real path.
    pub(crate) path: PathBuf,
    /// Its content; `None`: it is to be gone.
    pub(crate) content: Option<Vec<u8>>,
    /// Permission bits.
    pub(crate) mode: u32,
    /// User and group; `None`: root's.
    pub(crate) owner: Option<(u32, u32)>,
}

/// What stands in for the world.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct World {
    /// Names that have to resolve.
    pub(crate) names: Vec<String>,
    /// Ports on which somebody answers, beside those of proxies that a program is told of.
    pub(crate) ports: Vec<u16>,
    /// Proxies as URLs with their logins, which are right.
    pub(crate) proxies: Vec<String>,
}

/// What is to be run.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Question {
    /// Program and arguments. With steps, it has to start [`SCRIPT`].
    pub(crate) argv: Vec<String>,
    /// The whole environment.
    pub(crate) environment: Vec<(String, String)>,
    /// Standard input; `None`: none.
    pub(crate) input: Option<String>,
    /// What the script runs, each a name and a line of sh.
    pub(crate) steps: Vec<(String, String)>,
    /// What comes back besides.
    pub(crate) keeps: Keeps,
    /// After so many milliseconds all that was started is killed.
    pub(crate) deadline_ms: u64,
}

/// What of a program's own comes back, with the passwords in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Keeps {
    /// Nothing.
    #[default]
    Nothing,
    /// The proxy variables that the script was given, as they are.
    Variables,
    /// Standard output.
    Output,
}

/// Bytes that may hold a password, and are never printed.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(crate) struct Hidden(pub(crate) Vec<u8>);

impl std::fmt::Debug for Hidden {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(crate::redact::MASK)
    }
}

/// What came of it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Answer {
    /// The script was started.
    pub(crate) opened: bool,
    /// It came to its end, or the program did where there are no steps.
    pub(crate) done: bool,
    /// The program's exit code, where it ended by itself.
    pub(crate) code: Option<i32>,
    /// The proxy variables that the script was given, masked.
    pub(crate) environment: BTreeMap<String, String>,
    /// What was asked for, in order.
    pub(crate) asked: Vec<Asked>,
    /// What the question wanted to keep: variables as `env -0` prints them, or standard output.
    pub(crate) kept: Hidden,
    /// The last line that the program wrote to standard error, masked.
    pub(crate) said: String,
}

/// One connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Asked {
    /// The step that made it.
    pub(crate) step: String,
    /// The host that was wanted, in lower case.
    pub(crate) host: String,
    /// The proxy that was asked for it; `None`: it was asked itself.
    pub(crate) proxy: Option<(String, u16)>,
    /// What was said to the proxy.
    pub(crate) login: Login,
}

words! {
    /// A login at a proxy.
    pub(crate) enum Login {
        /// User and password of the proxy that is wanted.
        Right = "right",
        /// Others.
        Wrong = "wrong",
        /// None was sent.
        None = "none",
    }
}

/// What is sent in.
#[derive(Serialize, Deserialize)]
enum Order {
    Files(Vec<File>),
    World(World),
    Ask(Question),
}

/// What comes back.
#[derive(Serialize, Deserialize)]
enum Reply {
    /// It cannot be had here.
    Cannot(String),
    /// The first process waits.
    Ready,
    Answer(Answer),
}

/// The namespaces, until the value is dropped.
pub(crate) struct Sandbox {
    child: Child,
    orders: Option<ChildStdin>,
    replies: Receiver<io::Result<Reply>>,
    end: Instant,
}

impl Sandbox {
    /// Makes everything ready. The thread that calls it has to outlive the value: with it ends all that is inside.
    ///
    /// # Errors
    /// Why it cannot be had here, in half a sentence.
    pub(crate) fn open(files: Vec<File>, world: World, deadline: Duration) -> Result<Self, Text> {
        let failed = |error: io::Error| text!("no process of its own could be started: {}", error);
        let mut child = Command::new("/proc/self/exe")
            .args([HIDDEN, "space", &std::process::id().to_string()])
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(failed)?;
        let (Some(orders), Some(mut answers)) = (child.stdin.take(), child.stdout.take()) else {
            return Err("no pipe to a process of its own".into());
        };
        let (send, replies) = channel();
        std::thread::spawn(move || {
            loop {
                let reply = frame::read(&mut answers);
                let last = reply.is_err();
                if send.send(reply).is_err() || last {
                    break;
                }
            }
        });
        let mut sandbox = Self { child, orders: Some(orders), replies, end: Instant::now() + deadline };
        sandbox.send(&Order::Files(files))?;
        match sandbox.reply()? {
            Reply::Ready => {}
            Reply::Cannot(why) => return Err(text!("{}", own(why))),
            Reply::Answer(_) => return Err("an answer to no question".into()),
        }
        sandbox.send(&Order::World(world))?;
        Ok(sandbox)
    }

    /// Runs a program to its end or its deadline.
    ///
    /// # Errors
    /// The namespaces have gone, or the deadline of the whole is over.
    pub(crate) fn ask(&mut self, question: Question) -> Result<Answer, Text> {
        self.send(&Order::Ask(question))?;
        match self.reply()? {
            Reply::Answer(answer) => Ok(answer),
            Reply::Cannot(why) => Err(text!("{}", own(why))),
            Reply::Ready => Err("no answer to a question".into()),
        }
    }

    fn send(&mut self, order: &Order) -> Result<(), Text> {
        let Some(orders) = &mut self.orders else { return Err("the namespaces have ended".into()) };
        // Whoever is gone has said why.
        match (frame::write(orders, order), self.replies.try_recv()) {
            (_, Ok(Ok(Reply::Cannot(why)))) => Err(text!("{}", own(why))),
            (Err(error), _) => Err(text!("the namespaces have ended: {}", error)),
            (Ok(()), _) => Ok(()),
        }
    }

    fn reply(&self) -> Result<Reply, Text> {
        match self.replies.recv_timeout(self.end.saturating_duration_since(Instant::now())) {
            Ok(Ok(reply)) => Ok(reply),
            Ok(Err(error)) => Err(text!("the namespaces have ended: {}", error)),
            Err(RecvTimeoutError::Timeout) => Err("no answer within the time that all programs have together".into()),
            Err(RecvTimeoutError::Disconnected) => Err("the namespaces have ended".into()),
        }
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        // The end of its input is the end of the first process; whoever waits for that has seen the end of all the others.
        self.orders = None;
        let end = Instant::now() + ENDING;
        while let Ok(None) = self.child.try_wait() {
            if Instant::now() >= end {
                let _ = self.child.kill();
                let _ = self.child.wait();
                break;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

/// What the program does when it is started with the hidden argument; `None`: it was not.
pub(crate) fn inside(argv: &[OsString]) -> Option<ExitCode> {
    let words: Vec<&str> = argv.iter().skip(1).filter_map(|word| word.to_str()).collect();
    match words.as_slice() {
        [HIDDEN, "space", parent] => Some(space::run(parent.parse().ok()?)),
        [HIDDEN, "first"] => Some(first::run()),
        _ => None,
    }
}

/// The program itself, as another process. An id makes the library fork and not vfork, which kernels before 3.12 do not
/// let into another pid namespace.
fn myself(word: &str) -> Command {
    let mut command = Command::new("/proc/self/exe");
    command.args([HIDDEN, word]).env_clear().uid(0);
    command
}

/// Says why it cannot be had here.
fn cannot(why: &str) {
    let _ = frame::write(&mut io::stdout().lock(), &Reply::Cannot(why.to_owned()));
}
