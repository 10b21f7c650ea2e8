//! What long work is at, how far it is, and since when: the one place that tells it, on standard error.
//!
//! Whoever does something that may take its time holds a [`Progress`] meanwhile; the innermost one is shown. A terminal that can
//! write over a line shows it on one that moves and is gone at the end; elsewhere it is a line when something lasts or changes,
//! and one from time to time for what goes on. Nothing is shown before [`show`], so that neither `-q` nor a test sees any of it.
//! All other output goes through [`above`], and questions are asked under a [`Pause`].
//!
//! | module | what it does |
//! | --- | --- |
//! | `frame` | what it looks like |

mod frame;

use std::io::{self, Write};
use std::os::fd::AsFd;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::signals;
use crate::text::{clean, seconds};
use frame::{Frame, Size};

/// So often the line is drawn again. Of a turn of the sign alone that is some bytes, on a serial line too.
const TICK: Duration = Duration::from_millis(100);

/// What is over sooner is not shown on a terminal: it would flicker.
const QUICK: Duration = Duration::from_millis(300);

/// What is over sooner is no line of a log.
const LATE: Duration = Duration::from_millis(1500);

/// So often a log has a line for what goes on.
const AGAIN: Duration = Duration::from_secs(30);

/// No line has more characters.
const LONGEST: usize = 400;

/// Where it is shown.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Face {
    /// On a terminal that can write over a line.
    Terminal {
        /// It has more than ASCII.
        unicode: bool,
        /// It has colours.
        colour: bool,
    },
    /// In a log, or on a terminal that knows lines alone.
    Log,
}

/// Something that takes its time, until this is dropped.
#[derive(Debug)]
pub(crate) struct Progress(u64);

impl Progress {
    /// `what` is half a sentence: `asking proxy.corp.example:3128`.
    pub(crate) fn begin(what: impl Into<String>) -> Self {
        let work = Work { what: line(&what.into()), ..Work::new() };
        Self(with(|board| board.begin(work)))
    }

    /// The look that most verbs begin with.
    pub(crate) fn looking() -> Self {
        Self::begin("looking at this host")
    }

    /// A stage of a run, and those that come after it.
    pub(crate) fn stage(name: &'static str, coming: Vec<&'static str>) -> Self {
        Self(with(|board| board.begin(Work { stage: Some(name), coming, ..Work::new() })))
    }

    /// How far it is: `41 of 60`.
    pub(crate) fn so_far(&self, measure: impl Into<String>) {
        let measure = line(&measure.into());
        with(|board| {
            if let Some(work) = board.works.iter_mut().find(|work| work.key == self.0) {
                work.measure = measure;
            }
        });
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        with(|board| board.end(self.0));
    }
}

/// Until this is dropped, the terminal belongs to somebody else: a question.
pub(crate) struct Pause(());

/// Takes the line away while somebody else writes to the terminal.
pub(crate) fn pause() -> Pause {
    with(|board| {
        board.erase();
        board.paused += 1;
    });
    Pause(())
}

impl Drop for Pause {
    fn drop(&mut self) {
        with(|board| board.paused -= 1);
    }
}

/// From now on it is shown.
pub(crate) fn show(face: Face) {
    let was = with(|board| board.face.replace(face));
    if was.is_some() {
        return;
    }
    // Where no thread can be had, nothing moves.
    let moves = std::thread::Builder::new().name("progress".to_owned()).spawn(|| {
        loop {
            std::thread::sleep(TICK);
            signals::end_if_asked();
            with(|board| board.tick(Instant::now()));
        }
    });
    if moves.is_ok() {
        signals::tidy_before_the_end(end);
    }
}

/// The innermost work is at something else now. A log has a line for it at once, with the time after which it came.
pub(crate) fn step(what: &str, after: Option<Duration>) {
    with(|board| board.step(line(what), after));
}

/// How far the innermost work is.
pub(crate) fn so_far(measure: &str) {
    with(|board| {
        if let Some(work) = board.works.last_mut() {
            work.measure = line(measure);
        }
    });
}

/// A part of the innermost work counts for itself: 12 of 60 endpoints. Any thread may say so.
pub(crate) fn counted(what: &'static str, done: usize, total: usize) {
    with(|board| {
        board.parts.retain(|part| part.what != what);
        if done < total && !board.works.is_empty() {
            board.parts.push(Part { what, done, total });
        }
    });
}

/// Writes something that stays, where the line was.
pub(crate) fn above<T>(write: impl FnOnce() -> T) -> T {
    // Whoever reads it may take any time; nothing else waits for that.
    let _pause = pause();
    with(|board| board.spoken = Some(Instant::now()));
    write()
}

/// What is said when a signal ends the process: where nothing was changed, and where something may have been.
static LAST_WORDS: OnceLock<[String; 2]> = OnceLock::new();

/// From now on the process says this when a signal ends it; see [`last_words`].
pub(crate) fn ends_with(untouched: String, touched: String) {
    let _ = LAST_WORDS.set([untouched, touched]);
}

/// How the host stands where a signal ends the process now.
pub(crate) fn last_words() -> &'static str {
    LAST_WORDS.get().map_or("", |words| &words[usize::from(signals::have_changes_begun())])
}

/// Takes the line away, for good: the process ends, and says how the host stands.
fn end() {
    with(|board| {
        board.erase();
        board.paused += 1;
    });
    write_at_once(last_words());
}

/// Writes where that does not wait for a reader, and whoever writes at the moment; else nothing. A log that nobody reads must
/// not keep a signal from ending the process.
fn write_at_once(text: &str) {
    let stderr = io::stderr();
    let mut ready = [PollFd::new(stderr.as_fd(), PollFlags::POLLOUT)];
    if matches!(poll(&mut ready, PollTimeout::ZERO), Ok(1)) {
        let _ = nix::unistd::write(stderr.as_fd(), text.as_bytes());
    }
}

static BOARD: Mutex<Board> = Mutex::new(Board::new(None));

fn with<T>(does: impl FnOnce(&mut Board) -> T) -> T {
    // Whoever panicked with it has left something that is as good to show as before.
    does(&mut BOARD.lock().unwrap_or_else(PoisonError::into_inner))
}

/// As one line that neither steers a terminal nor fools a reader.
fn line(text: &str) -> String {
    clean(text, LONGEST)
}

/// What is shown.
struct Board {
    face: Option<Face>,
    /// The innermost comes last.
    works: Vec<Work>,
    /// What of it counts for itself.
    parts: Vec<Part>,
    /// The key that was given last.
    last: u64,
    /// So many want the terminal for themselves.
    paused: usize,
    /// How often it was drawn.
    turn: usize,
    /// What stands on the terminal, below the cursor.
    drawn: Option<(Frame, Size)>,
    /// When a log had its last line.
    spoken: Option<Instant>,
}

/// A part of a work that counts for itself.
struct Part {
    what: &'static str,
    done: usize,
    total: usize,
}

/// Something that takes its time.
struct Work {
    key: u64,
    stage: Option<&'static str>,
    coming: Vec<&'static str>,
    what: String,
    measure: String,
    began: Instant,
    /// When what it is at began; of a stage that is the same.
    since: Instant,
    /// The log has a line for what it is at.
    told: bool,
}

impl Work {
    fn new() -> Self {
        let now = Instant::now();
        let (what, measure) = (String::new(), String::new());
        Self { key: 0, stage: None, coming: Vec::new(), what, measure, began: now, since: now, told: false }
    }
}

impl Board {
    const fn new(face: Option<Face>) -> Self {
        Self { face, works: Vec::new(), parts: Vec::new(), last: 0, paused: 0, turn: 0, drawn: None, spoken: None }
    }

    fn begin(&mut self, work: Work) -> u64 {
        self.last += 1;
        self.works.push(Work { key: self.last, ..work });
        self.last
    }

    fn end(&mut self, key: u64) {
        let was = self.works.last().map(|work| work.key);
        self.works.retain(|work| work.key != key);
        if was == Some(key) {
            // What was around it goes on from here.
            self.works.last_mut().into_iter().for_each(|work| work.goes_on(Instant::now()));
        }
        if self.works.is_empty() {
            self.parts.clear();
            self.erase();
        }
    }

    fn step(&mut self, what: String, after: Option<Duration>) {
        let Some(face) = self.face else { return };
        let (now, is_log) = (Instant::now(), matches!(face, Face::Log));
        let after = after.map(|after| format!(" ({})", seconds(after))).unwrap_or_default();
        let line = format!("  {what}{after}\n");
        if let Some(work) = self.works.last_mut() {
            work.is_at(what, now);
            work.told = is_log;
        }
        if is_log || self.works.is_empty() {
            self.say(&line, now);
        }
    }

    /// What is due now.
    fn tick(&mut self, now: Instant) {
        let (Some(first), Some(work), 0) = (self.works.first(), self.works.last(), self.paused) else { return };
        match self.face {
            None => {}
            Some(Face::Terminal { .. }) if now.saturating_duration_since(first.began) < QUICK => {}
            Some(Face::Terminal { unicode, colour }) => {
                let size = Size::now();
                let frame = Frame::of(&work.shown(now, &self.parts), self.turn, size, unicode, colour);
                self.turn = self.turn.wrapping_add(1);
                let before = self.drawn.as_ref().filter(|(_, before)| *before == size).map(|(frame, _)| frame);
                write(&frame.over(before));
                self.drawn = Some((frame, size));
            }
            Some(Face::Log) => {
                let silent = self.spoken.map_or(first.began, |spoken| spoken.max(first.began));
                let is_new = !work.told
                    && (now.saturating_duration_since(work.since) >= LATE
                        || (self.spoken.is_none() && now.saturating_duration_since(first.began) >= LATE));
                let lasts = work.told && now.saturating_duration_since(silent) >= AGAIN;
                if is_new || lasts {
                    let line = work.shown(now, &self.parts).line();
                    if let Some(work) = self.works.last_mut() {
                        work.told = true;
                    }
                    self.say(&line, now);
                }
            }
        }
    }

    fn say(&mut self, line: &str, now: Instant) {
        self.erase();
        write_at_once(line);
        self.spoken = Some(now);
    }

    fn erase(&mut self) {
        if self.drawn.take().is_some() {
            write(frame::ERASED);
        }
    }
}

impl Work {
    fn is_at(&mut self, what: String, now: Instant) {
        self.goes_on(now);
        (self.what, self.told) = (what, false);
        self.measure.clear();
    }

    fn goes_on(&mut self, now: Instant) {
        if self.stage.is_none() {
            (self.since, self.told) = (now, false);
        }
    }

    fn shown(&self, now: Instant, parts: &[Part]) -> frame::Shown<'_> {
        let parts = parts.iter().map(|Part { what, done, total }| format!("{done} of {total} {what}"));
        let measure = parts.chain([self.measure.clone()]).filter(|part| !part.is_empty());
        frame::Shown {
            stage: self.stage,
            coming: &self.coming,
            what: &self.what,
            measure: measure.collect::<Vec<_>>().join(", "),
            elapsed: now.saturating_duration_since(self.since),
        }
    }
}

/// A terminal that is gone hears nothing.
fn write(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_innermost_work_is_shown_and_the_one_around_it_again_when_it_ends() {
        let mut board = Board::new(Some(Face::Log));
        let outer = board.begin(Work { what: "outer".to_owned(), ..Work::new() });
        let inner = board.begin(Work { what: "inner".to_owned(), ..Work::new() });
        assert_eq!(board.works.last().unwrap().what, "inner");
        let before = board.works[0].since;
        std::thread::sleep(Duration::from_millis(2));
        board.end(inner);
        assert_eq!(board.works.last().unwrap().what, "outer");
        assert!(board.works[0].since > before, "it was at something else");
        board.end(outer);
        assert!(board.works.is_empty());
    }

    #[test]
    fn a_log_hears_what_lasts_once_and_then_from_time_to_time() {
        let mut board = Board::new(Some(Face::Log));
        let began = Instant::now();
        let work = board.begin(Work { what: "looking".to_owned(), began, since: began, ..Work::new() });
        let spoken = |board: &mut Board, millis: u64| {
            let (before, now) = (board.spoken, began + Duration::from_millis(millis));
            board.tick(now);
            board.spoken != before
        };
        for (millis, heard) in
            [(100, false), (1600, true), (1700, false), (29_000, false), (31_700, true), (40_000, false)]
        {
            assert_eq!(spoken(&mut board, millis), heard, "{millis}");
        }
        board.paused = 1;
        assert!(!spoken(&mut board, 90_000));
        board.paused = 0;
        assert!(spoken(&mut board, 90_100));
        board.end(work);
        assert!(!spoken(&mut board, 200_000));
    }

    #[test]
    fn the_time_of_a_stage_is_its_own_whatever_it_is_at() {
        let later = |work: &mut Work| {
            let now = work.began + Duration::from_secs(5);
            work.is_at("next".to_owned(), now);
            work.shown(now, &[]).elapsed
        };
        assert_eq!(later(&mut Work { stage: Some("fetch"), ..Work::new() }), Duration::from_secs(5));
        assert_eq!(later(&mut Work::new()), Duration::ZERO);
    }
}
