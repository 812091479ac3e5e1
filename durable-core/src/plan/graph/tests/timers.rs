//! Timers: what a due time and a tick change, and what goes on after a crash.

use std::time::Duration;

use super::*;
use crate::model::Timer;

const NODES: [NodeSpec; 4] = [
    NodeSpec { name: "x", kind: NodeKind::Input { optional: false }, ..NodeSpec::PLAIN },
    NodeSpec { name: "rounded", takes: &[Edge { node: 0, policy: Policy::Needs }], ..NodeSpec::PLAIN },
    NodeSpec { name: "timer", kind: NodeKind::Timer, takes: &[Edge { node: 1, policy: Policy::Needs }], ..NodeSpec::PLAIN },
    NodeSpec { name: "remind", takes: &[Edge { node: 2, policy: Policy::Needs }], ..NodeSpec::PLAIN },
];

const ROUNDED: usize = 1;
const TIMER: usize = 2;
const REMIND: usize = 3;

/// A graph whose timer was just scheduled for the first time.
struct Timed {
    shape: Shape,
    state: State,
    cause: u32,
}

impl Timed {
    fn scheduled() -> Self {
        let shape = Shape::of(NODES).unwrap();
        let mut state = State::new(&shape);
        state.begin(&shape, vec![(0, Change::Set { json: json("1"), metadata: None })], at());
        let mut timed = Self { shape, state, cause: 0 };
        let ran = timed.follow();
        timed.end(ran, "1");
        let [Action::Run { node: TIMER, cause }] = timed.follow()[..] else { panic!("the timer is not computed") };
        timed.cause = cause;
        assert!(timed.state.schedule(TIMER, timed.timer(1)));
        assert_eq!(timed.follow(), []);
        timed
    }

    fn timer(&self, number: u32) -> Timer {
        Timer { cause: self.cause, number, next: at(), every: Some(Duration::from_secs(60)) }
    }

    fn follow(&mut self) -> Vec<Action> {
        next::<()>(&self.shape, &mut self.state, EndsWhen::Settled, |_, _| Ok(true)).unwrap()
    }

    /// Ends the run that began last.
    fn end(&mut self, actions: Vec<Action>, value: &str) {
        let Some(Action::Run { node, cause }) = actions.last() else { panic!("nothing runs: {actions:?}") };
        assert!(self.state.run_ended(&self.shape, (*node, *cause), Ok(json(value)), at()));
    }

    fn set(&mut self, value: &str) {
        self.state.apply_change(&self.shape, vec![(0, Change::Set { json: json(value), metadata: None })], at());
    }

    fn fire(&mut self, number: u32, again: bool) {
        let next = again.then(|| self.timer(number + 1));
        assert!(self.state.fire(&self.shape, (TIMER, self.cause), (json(&number.to_string()), next), at()));
    }

    fn crash(&mut self) {
        let stored = |node: usize| {
            let NodeState { standing, value_at, state_at, change_at, cause, timer, .. } = self.state.node(node).clone();
            Stored { node, standing, value_at, state_at, change_at, cause, timer, took_the_same: true }
        };
        let nodes = (0..NODES.len()).map(stored).collect();
        self.state = State::restored(&self.shape, Restored { nodes, newest: self.state.revision, begun: Vec::new() });
    }
}

#[test]
fn each_tick_runs_what_takes_it_and_the_graph_completes_only_after_the_last() {
    let mut timed = Timed::scheduled();
    for number in 1..=3 {
        timed.fire(number, number < 3);
        let ran = timed.follow();
        assert!(matches!(ran[..], [Action::Run { node: REMIND, .. }]), "{number}: {ran:?}");
        timed.end(ran, &format!("\"reminder {number}\""));
        let after = timed.follow();
        let expected = if number == 3 { vec![Action::Finish(EndsWhen::Settled)] } else { Vec::new() };
        assert_eq!(after, expected, "{number}");
    }
}

#[test]
fn a_crash_forgets_no_due_time() {
    let mut timed = Timed::scheduled();
    timed.crash();
    let again = Action::Run { node: TIMER, cause: timed.cause };
    assert_eq!(timed.follow(), [again], "it waits for its first due time");
    assert_eq!(timed.state.node(TIMER).timer_for(timed.cause).unwrap().number, 1);
    timed.fire(1, true);
    timed.crash();
    let ran = timed.follow();
    assert!(matches!(ran[..], [run, Action::Run { node: REMIND, .. }] if run == again), "{ran:?}");
    timed.end(ran, "\"reminder\"");
    timed.fire(2, false);
    timed.crash();
    assert!(matches!(timed.follow()[..], [Action::Run { node: REMIND, .. }]), "it has fired for the last time");
}

#[test]
fn a_change_of_what_it_takes_drops_the_timer_and_one_that_stops_before_it_does_not() {
    let mut timed = Timed::scheduled();
    timed.fire(1, true);
    let ran = timed.follow();
    timed.end(ran, "\"reminder 1\"");
    timed.follow();

    timed.set("1.2");
    let ran = timed.follow();
    assert!(matches!(ran[..], [Action::Run { node: ROUNDED, .. }]), "{ran:?}");
    timed.end(ran, "1");
    assert_eq!(timed.follow(), [], "it goes on, and what takes it does not run again");
    assert!(timed.state.is_current(TIMER) && timed.state.is_current(REMIND));
    timed.fire(2, true);
    assert!(matches!(timed.follow()[..], [Action::Run { node: REMIND, .. }]));

    timed.set("2");
    let ran = timed.follow();
    timed.end(ran, "2");
    let actions = timed.follow();
    assert!(matches!(actions[..], [Action::Drop { node: TIMER }, Action::Run { node: TIMER, .. }]), "{actions:?}");
    let old = (TIMER, timed.cause);
    assert!(!timed.state.fire(&timed.shape, old, (json("3"), None), at()), "a tick of the former timer does not count");
}

#[test]
fn a_timer_that_never_fires_is_skipped_with_what_needs_it() {
    let mut timed = Timed::scheduled();
    timed.set("2");
    let ran = timed.follow();
    timed.end(ran, "2");
    let Some(Action::Run { node: TIMER, cause }) = timed.follow().pop() else { panic!("the timer is not computed anew") };
    assert!(timed.state.never_fires(&timed.shape, (TIMER, cause)));
    assert_eq!(timed.follow(), [Action::Finish(EndsWhen::Settled)]);
    assert!(matches!(timed.state.node(REMIND).standing, Standing::Skipped));
}
