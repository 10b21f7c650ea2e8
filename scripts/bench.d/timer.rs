//! `timer OUTPUT COMMAND ARG...` runs COMMAND once and prints one line about the whole process:
//! wall nanoseconds from before the spawn to after the wait, peak memory in KiB of the largest process, wait status,
//! nanoseconds of processor time of it and all that it has waited for.
//!
//! Standard input is empty; standard output and error go to the file OUTPUT. A program of its own, because a
//! child's peak memory also counts what its parent held when it was spawned: the parent has to be small.

use std::fs::File;
use std::os::raw::{c_int, c_long};
use std::process::{Command, Stdio, exit};
use std::time::Instant;

/// `struct rusage` of Linux, 64 bits.
#[repr(C)]
#[derive(Default)]
struct Rusage {
    user: [c_long; 2], // seconds, microseconds
    system: [c_long; 2],
    max_rss_kib: c_long,
    rest: [c_long; 13],
}

unsafe extern "C" {
    fn wait4(pid: c_int, status: *mut c_int, options: c_int, usage: *mut Rusage) -> c_int;
}

fn main() {
    let args: Vec<_> = std::env::args_os().skip(1).collect();
    let [output, program, rest @ ..] = args.as_slice() else {
        fail("usage: timer OUTPUT COMMAND ARG...");
    };
    let output = File::create(output).unwrap_or_else(|error| fail(&format!("output: {error}")));
    let errors = output.try_clone().unwrap_or_else(|error| fail(&format!("output: {error}")));
    let mut command = Command::new(program);
    command.args(rest).stdin(Stdio::null()).stdout(output).stderr(errors);

    let begin = Instant::now();
    let child = command.spawn().unwrap_or_else(|error| fail(&format!("{}: {error}", program.display())));
    let (mut status, mut usage) = (0, Rusage::default());
    // SAFETY: both pointers are to live values of the layout that wait4 fills.
    let waited = unsafe { wait4(child.id() as c_int, &mut status, 0, &mut usage) };
    let wall = begin.elapsed();

    if waited < 0 {
        fail("wait4 failed");
    }
    let busy = [usage.user, usage.system].map(|[seconds, micros]| seconds * 1_000_000_000 + micros * 1_000);
    println!("{} {} {status} {}", wall.as_nanos(), usage.max_rss_kib, busy[0] + busy[1]);
}

fn fail(message: &str) -> ! {
    eprintln!("timer: {message}");
    exit(125)
}
