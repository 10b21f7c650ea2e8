//! What is said of work that lasts comes by the clock, sooner on a slow machine: `progress` has its own tests.

/// The lines of standard error that do not depend on how quick the machine is.
pub fn without_clock(stderr: &str) -> String {
    let by_the_clock = ["  looking at this host", "  checking", "  asking ", "  writing ", "  watching "];
    let stays = |line: &&str| !by_the_clock.iter().any(|words| line.starts_with(words));
    stderr.split_inclusive('\n').filter(stays).collect()
}
