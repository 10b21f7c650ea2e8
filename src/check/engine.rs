//! Runs jobs on bounded threads, each with a deadline, all with one; results come back in declared order.
//!
//! A job that is late is left behind, not waited for: its thread ends when its socket or the process does. So the whole
//! always ends, whatever the other side, the resolver or a library does.

use std::collections::{BTreeMap, HashMap};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use crate::net::Time;

/// How many jobs run at once. With 16, sixty endpoints take four times as long as the slowest of them; with this, as long as it
/// (scripts/bench; `curl --parallel` has 50). Each is a thread that waits for its socket: about 50 kB with its handshake.
pub(crate) const THREADS: usize = 64;

/// How many of them may talk to one server at once.
const PER_HOST: usize = 2;

/// How many may go through one proxy at once, for the same reason. Those that it turns away because they are so many are gone
/// again by fewer: `check::network`.
pub(crate) const PER_PROXY: usize = 64;

/// How much later than its deadline a job may report before it counts as late.
const GRACE: Duration = Duration::from_millis(250);

/// One piece of work.
pub(crate) struct Job<T> {
    /// What it is called in progress messages.
    pub(crate) name: &'static str,
    /// What it talks to: `host:NAME`, `proxy:NAME`.
    pub(crate) talks_to: Vec<String>,
    /// How long it may take.
    pub(crate) limit: Duration,
    /// The work.
    pub(crate) work: Box<dyn FnOnce(Time) -> T + Send>,
}

/// How a job ended.
#[derive(Debug)]
pub(crate) enum Ended<T> {
    /// With a result, after so long.
    Done(T, Duration),
    /// Not within the time of one check.
    Late(Duration),
    /// It never began, or was cut short, because the time of the whole run was over.
    OutOfTime,
    /// It panicked.
    Broke,
}

/// The limits of a run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    /// One connection.
    pub(crate) connect: Duration,
    /// Everything.
    pub(crate) run: Duration,
    /// How many may go through one proxy at once; [`PER_PROXY`] unless there is a reason for fewer.
    pub(crate) per_proxy: usize,
}

/// Runs all jobs. `progress` hears the number of jobs that have ended and the names of those that run.
pub(crate) fn run<T: Send + 'static>(
    jobs: Vec<Job<T>>,
    pace: Pace,
    progress: &mut dyn FnMut(usize, &[&'static str]),
) -> Vec<Ended<T>> {
    let end = Instant::now() + pace.run;
    let (sender, receiver) = mpsc::channel();
    let mut results: Vec<Option<Ended<T>>> = jobs.iter().map(|_| None).collect();
    let mut waiting: Vec<(usize, Job<T>)> = jobs.into_iter().enumerate().collect();
    let mut running: BTreeMap<usize, Running> = BTreeMap::new();
    while !(waiting.is_empty() && running.is_empty()) {
        while Instant::now() < end
            && let Some(at) = next(&waiting, &running, pace.per_proxy)
        {
            let (index, job) = waiting.remove(at);
            let (began, wanted) = (Instant::now(), job.limit);
            let limit = wanted.min(end.saturating_duration_since(began));
            let (late, cut_short) = (began + limit + GRACE, limit < wanted);
            let task = Running { name: job.name, talks_to: job.talks_to, began, late, limit, cut_short };
            let (sender, work) = (sender.clone(), job.work);
            let time = Time::new(pace.connect, limit);
            let started = std::thread::Builder::new().name(format!("check {}", job.name)).spawn(move || {
                let result = catch_unwind(AssertUnwindSafe(|| work(time)));
                // Nobody listens any more when it was late.
                let _ = sender.send((index, result));
            });
            match started {
                Ok(_) => drop(running.insert(index, task)),
                Err(_) => results[index] = Some(Ended::Broke),
            }
        }
        let names: Vec<&'static str> = running.values().map(|task| task.name).collect();
        progress(results.iter().filter(|result| result.is_some()).count(), &names);
        if running.is_empty() {
            break;
        }
        let first = running.values().map(|task| task.late).min().unwrap_or(end);
        match receiver.recv_timeout(first.saturating_duration_since(Instant::now())) {
            Ok((index, result)) => {
                // One that was late already counts as late, also when it reports after all.
                if let Some(task) = running.remove(&index) {
                    let took = task.began.elapsed();
                    results[index] = Some(result.map_or(Ended::Broke, |value| Ended::Done(value, took)));
                }
            }
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                let now = Instant::now();
                running.retain(|index, task| {
                    let late = task.late <= now;
                    if late {
                        results[*index] = Some(if task.cut_short { Ended::OutOfTime } else { Ended::Late(task.limit) });
                    }
                    !late
                });
            }
        }
    }
    results.into_iter().map(|result| result.unwrap_or(Ended::OutOfTime)).collect()
}

struct Running {
    name: &'static str,
    talks_to: Vec<String>,
    began: Instant,
    late: Instant,
    limit: Duration,
    cut_short: bool,
}

/// The first job in declared order that may begin now.
fn next<T>(waiting: &[(usize, Job<T>)], running: &BTreeMap<usize, Running>, per_proxy: usize) -> Option<usize> {
    if running.len() >= THREADS {
        return None;
    }
    let mut busy: HashMap<&str, usize> = HashMap::new();
    running.values().flat_map(|task| &task.talks_to).for_each(|key| *busy.entry(key).or_default() += 1);
    waiting.iter().position(|(_, job)| {
        job.talks_to.iter().all(|key| {
            let cap = if key.starts_with("proxy:") { per_proxy } else { PER_HOST };
            busy.get(key.as_str()).is_none_or(|count| *count < cap)
        })
    })
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;
    use std::sync::{Arc, Condvar, Mutex};

    use super::*;
    use crate::net::testing::PATIENCE;

    const PACE: Pace = Pace { connect: PATIENCE, run: PATIENCE, per_proxy: 8 };

    fn job<T>(talks_to: &[&str], work: impl FnOnce(Time) -> T + Send + 'static) -> Job<T> {
        let talks_to = talks_to.iter().map(|key| (*key).to_owned()).collect();
        Job { name: "x", talks_to, limit: PATIENCE, work: Box::new(work) }
    }

    #[test]
    fn results_keep_their_order_and_a_late_job_is_left_behind() {
        let (end, never) = channel::<()>();
        let (done, after) = channel();
        let jobs = vec![
            job(&[], move |_| {
                after.recv().unwrap();
                1
            }),
            Job {
                limit: Duration::from_millis(50),
                ..job(&[], move |_| {
                    let _ = never.recv();
                    2
                })
            },
            job(&[], move |_| {
                done.send(()).unwrap();
                3
            }),
            job(&[], |_| panic!("not shown")),
        ];
        let ended = run(jobs, PACE, &mut |_, _| {});
        assert!(
            matches!(ended.as_slice(), [Ended::Done(1, _), Ended::Late(_), Ended::Done(3, _), Ended::Broke]),
            "{ended:?}"
        );
        drop(end);
    }

    #[test]
    fn as_many_as_allowed_run_at_once_and_no_more() {
        for (key, cap) in [("host:a", PER_HOST), ("proxy:a", PACE.per_proxy), ("", THREADS)] {
            // How many run, and how many did at most.
            let count = Arc::new((Mutex::new((0, 0)), Condvar::new()));
            let jobs = (0..THREADS + 20)
                .map(|_| {
                    let count = count.clone();
                    let keys: &[&str] = if key.is_empty() { &[] } else { &[key] };
                    job(keys, move |_| {
                        let (running, changed) = &*count;
                        let mut running = running.lock().unwrap();
                        running.0 += 1;
                        running.1 = running.1.max(running.0);
                        changed.notify_all();
                        // The first ones wait for each other, and all of them for one too many.
                        running = changed.wait_timeout_while(running, PATIENCE, |running| running.1 < cap).unwrap().0;
                        running = changed
                            .wait_timeout_while(running, Duration::from_millis(10), |running| running.1 <= cap)
                            .unwrap()
                            .0;
                        running.0 -= 1;
                    })
                })
                .collect();
            let ended = run(jobs, PACE, &mut |_, _| {});
            assert!(ended.iter().all(|ended| matches!(ended, Ended::Done(..))));
            assert_eq!(count.0.lock().unwrap().1, cap, "{key}");
        }
    }

    #[test]
    fn the_deadline_of_the_whole_run_holds() {
        let (end, never) = channel::<()>();
        let never = Arc::new(Mutex::new(never));
        let pace = Pace { run: Duration::from_millis(200), ..PACE };
        let jobs = (0..THREADS + 20)
            .map(|_| {
                let never = never.clone();
                job(&[], move |_| drop(never.lock().map(|never| never.recv())))
            })
            .collect();
        let ended = run(jobs, pace, &mut |_, _| {});
        assert!(ended.iter().all(|ended| matches!(ended, Ended::OutOfTime)), "{ended:?}");
        drop(end);
    }
}
