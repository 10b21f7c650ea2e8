//! A run of ics-setup that did not come to its end.

use serde::{Deserialize, Serialize};

use super::judged;
use crate::apply::{State, runs};
use crate::check::prelude::*;
use crate::system::Seen;

pub(super) struct Runs;

#[derive(Serialize, Deserialize)]
pub(super) struct RunsFacts {
    interrupted: Seen<Vec<Interrupted>>,
}

#[derive(Serialize, Deserialize)]
struct Interrupted {
    run: String,
    command: String,
}

impl Check for Runs {
    type Facts = RunsFacts;

    const META: Meta = Meta::new("runs", Group::Host, &[ids::RUN_INTERRUPTED]);

    fn collect(&self, look: &Look<'_>, _time: Time, _earlier: Option<&RunsFacts>) -> RunsFacts {
        let interrupted = match runs(look.host) {
            Ok(runs) => Seen::Is(
                runs.into_iter()
                    .filter(|run| run.state == State::Interrupted)
                    .map(|run| Interrupted { run: run.begin.run, command: run.begin.command })
                    .collect(),
            ),
            Err(problem) => Seen::Unread(problem.sentence()),
        };
        RunsFacts { interrupted }
    }

    fn judge(&self, facts: &RunsFacts, _want: &CheckSpec) -> Vec<Finding> {
        vec![judged(&facts.interrupted, ids::RUN_INTERRUPTED, "earlier runs of ics-setup", |runs| judge_runs(runs))]
    }
}

fn judge_runs(runs: &[Interrupted]) -> Finding {
    let expected = "every run of ics-setup came to its end";
    let Some(last) = runs.last() else {
        return Finding::pass(ids::RUN_INTERRUPTED, "no run of ics-setup was interrupted")
            .expected(expected)
            .observed("no journal without an end");
    };
    let names = Text::join(runs.iter().map(|run| text!("{} ({})", own(&run.run), own(&run.command))), ", ");
    Finding::fail(ids::RUN_INTERRUPTED, text!("run {} was interrupted, or is still at work", own(&last.run)))
        .expected(expected)
        .observed(text!("begun and not ended: {}", names))
        .cause("it was killed or lost power, so some of its files may be written and others not")
        .fix(ics_setup(text!("revert {}", own(&last.run))))
        .advise(text!("see whether it is still at work: {}", typed("pgrep -a ics-setup")))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{checked, production};
    use super::*;
    use crate::host::MemoryHost;

    #[test]
    fn an_interrupted_run_is_named_with_the_way_back() {
        assert_eq!(checked(&Runs, &MemoryHost::new(), &production())[0].status, Status::Pass);
        let run = || Interrupted { run: "20261121T200102Z-1f3a".to_owned(), command: "prepare".to_owned() };
        let found = judge_runs(&[run()]);
        assert_eq!((found.status, &*found.fix[0]), (Status::Fail, "ics-setup revert 20261121T200102Z-1f3a"));
    }
}
