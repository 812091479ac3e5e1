//! The scenarios that other engines have in their test suites, by number.

use super::super::spec::Target;
use super::*;

fn node(name: &'static str, kind: NodeKind, takes: &[(usize, Policy)]) -> NodeSpec {
    let takes = edges(takes);
    NodeSpec { name, kind, takes, ..NodeSpec::PLAIN }
}

fn edges(takes: &[(usize, Policy)]) -> &'static [Edge] {
    takes.iter().map(|(node, policy)| Edge { node: *node, policy: *policy }).collect::<Vec<_>>().leak()
}

fn input(name: &'static str) -> NodeSpec {
    node(name, NodeKind::Input { optional: false }, &[])
}

fn optional(name: &'static str) -> NodeSpec {
    node(name, NodeKind::Input { optional: true }, &[])
}

/// A step that needs the nodes in these places.
fn step(name: &'static str, needs: &[usize]) -> NodeSpec {
    taking(name, &needs.iter().map(|node| (*node, Policy::Needs)).collect::<Vec<_>>())
}

fn taking(name: &'static str, takes: &[(usize, Policy)]) -> NodeSpec {
    node(name, NodeKind::Step, takes)
}

fn when(spec: NodeSpec, of: usize) -> NodeSpec {
    NodeSpec { when: edges(&[(of, Policy::Needs)]), ..spec }
}

fn skipped_on_failure(spec: NodeSpec) -> NodeSpec {
    NodeSpec { on_failure: OnFailure::Skip, ..spec }
}

/// Computes `name(taken, taken)`, and has every condition hold.
fn spelled(nodes: Vec<NodeSpec>, ends_when: EndsWhen) -> Graph<'static> {
    let names: Vec<&str> = nodes.iter().map(|spec| spec.name).collect();
    Graph::new(nodes, ends_when, move |node, taken| Ok(spell(names[node], taken)), |_, _| true)
}

fn spell(name: &str, taken: &[Seen]) -> String {
    let taken = taken.iter().map(|seen| match seen {
        Some(Ok(value)) => value.as_str(),
        Some(Err(())) => "!",
        None => "_",
    });
    format!("{name}({})", taken.collect::<Vec<_>>().join(" "))
}

fn number(seen: &Seen) -> i64 {
    seen.as_ref().and_then(|seen| seen.as_ref().ok()).and_then(|value| value.parse().ok()).unwrap_or_default()
}

impl Graph<'_> {
    fn set(&mut self, name: &str, value: &str) -> bool {
        self.set_all(&[(name, value)])
    }

    fn set_all(&mut self, values: &[(&str, &str)]) -> bool {
        let changes = values.iter().map(|(name, value)| (self.place(name), set(value))).collect();
        let is_different = if self.state.has_begun() { self.change(changes) } else { self.begin_with(changes) };
        self.settle();
        is_different
    }

    fn begin_with(&mut self, changes: Vec<(usize, Change)>) -> bool {
        self.begin(changes);
        true
    }

    fn unset(&mut self, name: &str) -> bool {
        let is_different = self.change(vec![(self.place(name), Change::Unset)]);
        self.settle();
        is_different
    }

    fn place(&self, name: &str) -> usize {
        self.shape.find(name).expect("a node")
    }

    /// The value of a node; `-` without one.
    fn value(&self, name: &str) -> String {
        self.state.node(self.place(name)).value().map_or_else(|| "-".to_owned(), |value| value.json.as_str().to_owned())
    }

    fn values(&self, names: &str) -> String {
        names.split(' ').map(|name| self.value(name)).collect::<Vec<_>>().join(" ")
    }

    fn revision(&self, name: &str) -> u32 {
        self.state.node(self.place(name)).value_at
    }

    fn runs(&self, name: &str) -> usize {
        let place = self.place(name);
        self.began.iter().filter(|(node, ..)| *node == place).count()
    }
}

fn set(value: &str) -> Change {
    Change::Set { json: json(value), metadata: None }
}

#[test]
fn scenario_1_a_node_runs_when_all_that_it_needs_is_there_and_again_when_it_changes() {
    let nodes = vec![input("user"), input("actual"), step("greeting", &[0, 1])];
    let mut graph = spelled(nodes, EndsWhen::Told);
    graph.set("user", r#""Mario""#);
    assert_eq!(graph.value("greeting"), "-");
    graph.set("actual", r#""Bowser""#);
    assert_eq!(graph.value("greeting"), r#"greeting("Mario" "Bowser")"#);
    let before = graph.revision("greeting");
    graph.set("user", r#""Toad""#);
    assert_eq!(graph.value("greeting"), r#"greeting("Toad" "Bowser")"#);
    assert!(graph.revision("greeting") > before && graph.value("actual") == r#""Bowser""#);
}

fn temperature() -> Graph<'static> {
    let nodes = vec![input("temperature"), step("status", &[0]), step("alert", &[1])];
    let compute = |node: usize, taken: &[Seen]| match node {
        1 => Ok(if number(&taken[0]) < 30 { "normal" } else { "high" }.to_owned()),
        _ => Ok(spell("alert", taken)),
    };
    Graph::new(nodes, EndsWhen::Told, compute, |_, _| true)
}

#[test]
fn scenario_2_an_equal_value_keeps_its_revision_and_nothing_after_it_runs() {
    let mut graph = temperature();
    graph.set("temperature", "20");
    let before = (graph.revision("status"), graph.revision("alert"), graph.runs("alert"));
    graph.set("temperature", "25");
    assert_eq!((graph.revision("status"), graph.revision("alert"), graph.runs("alert")), before);
    assert_eq!((graph.value("status").as_str(), graph.runs("status")), ("normal", 2));
}

#[test]
fn scenario_3_a_different_value_has_a_newer_revision_and_so_has_what_comes_after_it() {
    let mut graph = temperature();
    graph.set("temperature", "20");
    let before = (graph.revision("status"), graph.revision("alert"));
    graph.set("temperature", "40");
    assert_eq!(graph.values("status alert"), "high alert(high)");
    assert!(graph.revision("status") > before.0 && graph.revision("alert") > before.1);
}

#[test]
fn scenario_5_a_condition_that_no_longer_holds_clears_the_node() {
    let nodes = vec![input("x"), input("y"), step("sum", &[0, 1]), when(step("alert", &[2]), 2)];
    let compute = |node: usize, taken: &[Seen]| match node {
        2 => Ok((number(&taken[0]) + number(&taken[1])).to_string()),
        _ => Ok(spell("alert", taken)),
    };
    let mut graph = Graph::new(nodes, EndsWhen::Told, compute, |_, taken| number(&taken[0]) > 40);
    graph.set_all(&[("x", "12"), ("y", "9")]);
    assert_eq!(graph.values("sum alert"), "21 -");
    graph.set("y", "100");
    assert_eq!(graph.values("sum alert"), "112 alert(112)");
    graph.set("y", "1");
    assert_eq!(graph.values("sum alert"), "13 -");
    assert!(matches!(graph.state.node(graph.place("alert")).standing, Standing::Skipped));
}

#[test]
fn scenario_7_unset_clears_what_needs_the_input_and_nothing_else() {
    let mut chain = spelled(vec![input("a"), step("b", &[0]), step("c", &[1])], EndsWhen::Told);
    chain.set("a", "1");
    chain.unset("a");
    assert_eq!(chain.values("a b c"), "- - -");
    chain.set("a", "2");
    assert_eq!(chain.value("c"), "c(b(2))");

    let nodes = vec![input("a"), step("b", &[0]), step("c", &[0]), step("d", &[1, 2])];
    let mut diamond = spelled(nodes, EndsWhen::Told);
    diamond.set("a", "1");
    diamond.unset("a");
    assert_eq!(diamond.values("a b c d"), "- - - -");
    diamond.set("a", "2");
    assert_eq!((diamond.value("d").as_str(), diamond.runs("d")), ("d(b(2) c(2))", 2));

    let nodes = vec![input("x"), input("y"), step("from_x", &[0]), step("from_y", &[1]), step("both", &[0, 1])];
    let mut two = spelled(nodes, EndsWhen::Told);
    two.set_all(&[("x", "1"), ("y", "2")]);
    let before = two.revision("from_y");
    assert!(two.unset("x"));
    assert_eq!(two.values("from_x from_y both"), "- from_y(2) -");
    let revision = two.revision("x");
    assert!(!two.unset("x"), "what is unset cannot be unset again");
    assert_eq!((two.revision("x"), two.revision("from_y")), (revision, before));
}

#[test]
fn scenario_8_a_node_that_takes_the_latest_of_each_starts_with_the_first() {
    let nodes = vec![input("a"), input("b"), taking("or", &[(0, Policy::Latest), (1, Policy::Latest)])];
    let mut graph = spelled(nodes, EndsWhen::Told);
    graph.set("a", "a");
    assert_eq!(graph.value("or"), "or(a _)");
    let before = graph.revision("or");
    graph.set("b", "b");
    assert_eq!(graph.value("or"), "or(a b)");
    assert!(graph.revision("or") > before);
    graph.unset("a");
    assert_eq!(graph.value("or"), "or(_ b)");
    graph.unset("b");
    assert_eq!(graph.value("or"), "-");
}

#[test]
fn scenario_13_many_inputs_change_under_one_revision() {
    let nodes = vec![input("a"), input("b"), input("c"), step("all", &[0, 1, 2])];
    let mut graph = spelled(nodes, EndsWhen::Told);
    graph.set_all(&[("a", "1"), ("b", "1"), ("c", "1")]);
    assert_eq!((graph.value("all").as_str(), graph.runs("all")), ("all(1 1 1)", 1));
    assert!(graph.set_all(&[("a", "2"), ("b", "2"), ("c", "2")]));
    let revisions = [graph.revision("a"), graph.revision("b"), graph.revision("c")];
    assert!(revisions.iter().all(|revision| *revision == revisions[0]) && graph.runs("all") == 2);
    assert!(!graph.set_all(&[("a", "2"), ("b", " 2 "), ("c", "2")]), "equal JSON is no change");
    assert!(graph.set_all(&[("a", "2"), ("b", "3"), ("c", "2")]));
    assert_eq!((graph.revision("a"), graph.revision("c")), (revisions[0], revisions[0]));
    assert!(graph.revision("b") > revisions[0] && graph.runs("all") == 3);
    assert!(!graph.set_all(&[]));
    assert_eq!(graph.runs("all"), 3);
}

#[test]
fn a_change_of_the_metadata_alone_is_a_change() {
    let mut graph = spelled(vec![input("a"), step("b", &[0])], EndsWhen::Told);
    graph.set("a", "1");
    let metadata = Change::Set { json: json("1"), metadata: Some(json(r#""kg""#)) };
    assert!(graph.change(vec![(0, metadata.clone())]));
    graph.settle();
    assert!(!graph.change(vec![(0, metadata)]));
    assert_eq!(graph.runs("b"), 2);
}

/// A node that fails for values from 10 on, after as many attempts as its step allows.
fn failing(nodes: Vec<NodeSpec>) -> Graph<'static> {
    let names: Vec<&str> = nodes.iter().map(|spec| spec.name).collect();
    let compute = move |node: usize, taken: &[Seen]| {
        let is_bad = names[node] == "a" && number(&taken[0]) >= 10;
        if is_bad { Err("too much".to_owned()) } else { Ok(spell(names[node], taken)) }
    };
    Graph::new(nodes, EndsWhen::Told, compute, |_, _| true)
}

#[test]
fn scenario_15_a_failed_recomputation_keeps_the_old_value_and_marks_it_stale() {
    let mut graph = failing(vec![input("x"), skipped_on_failure(step("a", &[0])), step("b", &[1])]);
    graph.set("x", "1");
    let before = (graph.revision("a"), graph.runs("b"));
    graph.set("x", "10");
    assert_eq!((graph.value("a").as_str(), graph.runs("b")), ("a(1)", before.1));
    assert!(graph.state.node(1).failure().is_some() && graph.revision("a") == before.0);
    graph.set("x", "2");
    assert_eq!(graph.values("a b"), "a(2) b(a(2))");
    assert!(graph.state.node(1).failure().is_none());

    let mut strict = failing(vec![input("x"), step("a", &[0])]);
    strict.set("x", "1");
    strict.set("x", "10");
    assert_eq!((strict.ended, strict.value("a").as_str()), (Some(Action::Fail { node: 1 }), "a(1)"));
}

#[test]
fn scenario_16_a_failed_node_runs_again_only_when_what_it_takes_changes() {
    let mut graph = failing(vec![input("x"), input("other"), skipped_on_failure(step("a", &[0])), step("c", &[1])]);
    graph.set("x", "10");
    graph.set("other", "1");
    graph.set("other", "2");
    assert_eq!(graph.runs("a"), 1);
    graph.set("x", "1");
    assert_eq!((graph.runs("a"), graph.value("a").as_str()), (2, "a(1)"));
}

#[test]
fn a_failure_on_values_that_are_about_to_change_counts_only_if_they_come_out_the_same() {
    let compute = |node: usize, taken: &[Seen]| match (node, taken[0].as_ref().and_then(|seen| seen.as_deref().ok())) {
        (2, Some("bad")) => Err("no luck".to_owned()),
        (1, Some("worse")) => Ok("bad".to_owned()),
        (_, value) => Ok(value.unwrap_or_default().to_owned()),
    };
    let run_of = |graph: &Graph<'_>, node: usize| {
        let run = graph.running.iter().find(|((running, _), _)| *running == node);
        run.map(|(run, taken)| (*run, taken.clone())).expect("it runs")
    };
    for (corrected, ended) in [("good", Action::Finish(EndsWhen::Settled)), ("worse", Action::Fail { node: 2 })] {
        let nodes = vec![input("x"), step("a", &[0]), step("b", &[1])];
        let mut graph = Graph::new(nodes, EndsWhen::Settled, compute, |_, _| true);
        graph.begin(vec![(0, set("bad"))]);
        let (a, taken) = run_of(&graph, 1);
        graph.end(a, &taken);
        let (b, taken) = run_of(&graph, 2);
        graph.change(vec![(0, set(corrected))]);
        graph.end(b, &taken);
        assert_eq!(graph.ended, None, "the node before it runs again");
        graph.settle();
        assert_eq!(graph.ended, Some(ended));
    }
}

#[test]
fn numbers_that_differ_beyond_the_digits_of_a_double_differ() {
    let mut graph = spelled(vec![input("x"), step("a", &[0])], EndsWhen::Told);
    assert!(graph.set("x", "[1, \"\\\"2\", 36893488147419103232]"));
    assert!(!graph.set("x", "[1,\"\\\"2\",36893488147419103232]"));
    assert!(graph.set("x", "[1, \"\\\"2\", 36893488147419103233]"));
}

#[test]
fn scenario_20_of_two_branches_with_opposite_conditions_exactly_one_runs() {
    for (role, expected) in [(Some("admin"), "admin(admin) -"), (Some("user"), "- user(user)"), (None, "- user(_)")] {
        let by_role = |name| NodeSpec { when: edges(&[(0, Policy::Settled)]), ..taking(name, &[(0, Policy::Settled)]) };
        let nodes = vec![optional("role"), by_role("admin"), by_role("user")];
        let holds = |node: usize, taken: &[Seen]| (taken[0] == Some(Ok("admin".to_owned()))) == (node == 1);
        let names = ["role", "admin", "user"];
        let mut graph = Graph::new(nodes, EndsWhen::Settled, move |node, taken| Ok(spell(names[node], taken)), holds);
        let given: Vec<(&str, &str)> = role.iter().map(|role| ("role", *role)).collect();
        graph.set_all(&given);
        assert_eq!((graph.values("admin user").as_str(), graph.ended), (expected, Some(Action::Finish(EndsWhen::Settled))));
    }
}

#[test]
fn scenario_21_a_node_may_run_without_what_was_skipped_or_failed() {
    let skipped = NodeSpec { when: edges(&[(0, Policy::Needs)]), ..step("a", &[0]) };
    let nodes = vec![input("x"), skipped, step("b", &[0]), taking("c", &[(1, Policy::Settled), (2, Policy::Needs)])];
    let names = ["x", "a", "b", "c"];
    let mut graph = Graph::new(nodes, EndsWhen::Settled, move |node, taken| Ok(spell(names[node], taken)), |_, _| false);
    graph.set("x", "1");
    assert_eq!((graph.value("c").as_str(), graph.ended), ("c(_ b(1))", Some(Action::Finish(EndsWhen::Settled))));

    let after = |name| taking(name, &[(1, Policy::Settled)]);
    let nodes = vec![input("x"), skipped_on_failure(step("a", &[0])), after("b"), taking("c", &[(1, Policy::SeesFailure)])];
    let mut graph = failing(nodes);
    graph.set("x", "10");
    assert_eq!(graph.values("b c"), "b(_) c(!)");
}

#[test]
fn scenario_22_a_failure_skips_what_needs_the_node_and_the_rest_runs() {
    let nodes = vec![input("x"), skipped_on_failure(step("a", &[0])), step("b", &[1]), step("c", &[2]), step("d", &[0])];
    let mut graph = failing(nodes);
    graph.set("x", "10");
    assert!(matches!(graph.state.node(1).standing, Standing::Failed(_)));
    assert!([2, 3].iter().all(|node| matches!(graph.state.node(*node).standing, Standing::Skipped)));
    assert_eq!((graph.value("d").as_str(), graph.ended), ("d(10)", None));
}

#[test]
fn a_closed_graph_ends_when_every_required_input_was_given_and_nothing_runs() {
    let mut graph = spelled(vec![input("a"), input("b"), optional("c"), step("d", &[0])], EndsWhen::Settled);
    graph.set("a", "1");
    assert_eq!(graph.ended, None, "the input b is missing");
    graph.set("b", "1");
    assert_eq!(graph.ended, Some(Action::Finish(EndsWhen::Settled)));
    assert_eq!((graph.shape.output(), graph.shape.leaves().collect::<Vec<_>>()), (None, vec![3]));
}

#[test]
fn a_graph_is_over_after_a_node_that_ends_it() {
    let ends = NodeSpec { ends: true, ..when(step("bye", &[0]), 0) };
    let nodes = vec![input("a"), ends];
    let mut graph = Graph::new(nodes, EndsWhen::Told, |_, taken| Ok(spell("bye", taken)), |_, taken| number(&taken[0]) > 1);
    graph.set("a", "1");
    assert_eq!(graph.ended, None);
    graph.set("a", "2");
    assert_eq!(graph.ended, Some(Action::Finish(EndsWhen::Told)));
}

#[test]
fn a_change_of_one_input_lets_only_its_cone_run_in_a_graph_of_a_thousand_nodes() {
    let mut nodes = vec![input("left"), input("right")];
    nodes.extend((0..1000).map(|nth| step("link", &[nth])));
    // A link takes the one two places before it, so that there are two chains.
    let mut graph = spelled(nodes, EndsWhen::Told);
    graph.compute = Box::new(|_, taken| Ok((number(&taken[0]) + 1).to_string()));
    graph.set_all(&[("left", "1"), ("right", "1")]);
    let runs = graph.began.len();
    assert_eq!(runs, 1000);
    graph.set("right", "5");
    assert!(graph.began[runs..].iter().all(|(node, ..)| node % 2 == 1) && graph.began.len() == runs + 500);
}

#[test]
fn a_change_after_a_start_that_gave_nothing_has_another_cause_also_after_a_crash() {
    let mut graph = spelled(vec![optional("x"), taking("a", &[(0, Policy::Settled)])], EndsWhen::Told);
    graph.begin(Vec::new());
    graph.crash();
    graph.change(vec![(0, set("1"))]);
    let runs: Vec<(usize, u32)> = graph.began.iter().map(|(node, cause, _)| (*node, *cause)).collect();
    assert_eq!(runs, [(1, 1), (1, 1), (1, 2)], "the run that the crash cut off begins again, and is superseded");
}

#[test]
fn a_cycle_is_refused_with_its_nodes() {
    let nodes = vec![input("x"), step("a", &[2]), step("b", &[1]), step("c", &[0])];
    assert_eq!(Shape::of(nodes).unwrap_err(), "these nodes depend on each other: a, b");
}

#[test]
fn a_node_that_takes_other_nodes_now_runs_under_a_cause_that_it_never_had() {
    let with_both = || vec![input("x"), input("y"), step("a", &[0, 1]), step("b", &[2])];
    let with_x = || vec![input("x"), input("y"), step("a", &[0]), step("b", &[2])];
    let mut graph = spelled(with_both(), EndsWhen::Told);
    graph.set_all(&[("x", "1"), ("y", "1")]);
    graph.set("y", "2");
    graph.crash_into(with_x());
    graph.settle();
    assert_eq!((graph.value("a").as_str(), graph.value("b").as_str()), ("a(1)", "b(a(1))"));
    let runs = graph.runs("a");
    graph.crash();
    graph.settle();
    assert_eq!(graph.runs("a"), runs, "it is decided, although nothing that it takes has its revision");
    graph.set("x", "2");
    graph.crash_into(with_both());
    graph.settle();
    assert_eq!(graph.value("b"), "b(a(2 2))", "a node that takes more than before runs again, too");
    let mut causes: Vec<(usize, u32)> = graph.began.iter().map(|(node, cause, _)| (*node, *cause)).collect();
    causes.sort_unstable();
    assert!(causes.windows(2).all(|pair| pair[0] != pair[1]), "{causes:?}");
}

#[test]
fn a_run_of_a_node_that_takes_less_now_goes_on_after_the_next_crash() {
    let mut graph = spelled(vec![input("x"), input("y"), step("a", &[0, 1])], EndsWhen::Told);
    graph.begin(vec![(0, set("1"))]);
    graph.change(vec![(1, set("2"))]);
    let before = *graph.running.keys().next().expect("it runs");
    graph.crash_into(vec![input("x"), input("y"), step("a", &[0])]);
    let fresh = *graph.running.keys().next().expect("it runs again");
    assert!(fresh.1 > before.1, "the first run took something else");
    let mut again = graph.stored();
    again.begun.push(before);
    again.nodes[2].took_the_same = false;
    graph.state = State::restored(&graph.shape, again);
    graph.running.clear();
    graph.follow();
    assert_eq!(graph.running.keys().next(), Some(&fresh));
}

#[test]
fn the_newest_revision_is_also_that_of_a_node_that_the_code_no_longer_has() {
    let mut graph = spelled(vec![input("x"), step("a", &[0])], EndsWhen::Told);
    graph.set("x", "1");
    let stored = Restored { newest: 40, ..graph.stored() };
    graph.state = State::restored(&graph.shape, stored);
    graph.set("x", "2");
    assert_eq!(graph.revision("x"), 41);
}

fn setting(spec: NodeSpec, targets: &[(usize, bool)]) -> NodeSpec {
    let sets = targets.iter().map(|(node, silently)| Target { node: *node, silently: *silently }).collect::<Vec<_>>().leak();
    NodeSpec { sets, ..spec }
}

/// Inputs a, b and c are set by what the step `split` makes of x; `sum` takes a and b.
fn splitting(compute: impl Fn(&[Seen]) -> Result<String, String> + 'static) -> Graph<'static> {
    let split = setting(skipped_on_failure(step("split", &[0])), &[(1, false), (2, false), (3, false)]);
    let nodes = vec![input("x"), input("a"), input("b"), input("c"), split, step("sum", &[1, 2]), step("other", &[0])];
    let compute = move |node: usize, taken: &[Seen]| if node == 4 { compute(taken) } else { Ok(spell("sum", taken)) };
    Graph::new(nodes, EndsWhen::Told, compute, |_, _| true)
}

#[test]
fn scenario_10_a_step_sets_several_inputs_under_one_revision() {
    let mut graph = splitting(|taken| match number(&taken[0]) {
        0 => Err("nothing to split".to_owned()),
        x => Ok(format!("[{x},{x},7]")),
    });
    graph.set("x", "1");
    assert_eq!(graph.values("a b c sum"), "1 1 7 sum(1 1)");
    let first = [graph.revision("a"), graph.revision("b"), graph.revision("c")];
    assert!(first.iter().all(|revision| *revision == first[0]), "{first:?}");
    assert_eq!(graph.runs("sum"), 1);
    graph.set("x", "2");
    assert_eq!((graph.values("a b c sum").as_str(), graph.runs("sum")), ("2 2 7 sum(2 2)", 2));
    assert_eq!(graph.revision("a"), graph.revision("b"));
    assert!(graph.revision("a") > first[0] && graph.revision("c") == first[2], "an equal value keeps its revision");
    let before = [graph.revision("a"), graph.revision("b"), graph.revision("c")];
    graph.set("x", "0");
    assert_eq!([graph.revision("a"), graph.revision("b"), graph.revision("c")], before, "a failure sets nothing");
    assert_eq!((graph.values("a b c sum").as_str(), graph.runs("sum")), ("2 2 7 sum(2 2)", 2));
}

#[test]
fn what_a_client_sets_stands_until_the_step_that_sets_it_runs_again() {
    let mut graph = splitting(|taken| Ok(format!("[{},1,1]", number(&taken[0]))));
    graph.set("x", "1");
    graph.set("a", "9");
    assert_eq!(graph.values("a sum"), "9 sum(9 1)");
    graph.set("x", "2");
    assert_eq!(graph.values("a sum"), "2 sum(2 1)");
}

#[test]
fn an_input_that_is_set_silently_keeps_its_revision_and_nothing_runs() {
    let hide = setting(step("hide", &[0, 1]), &[(0, true)]);
    let nodes = vec![input("ssn"), step("check", &[0]), hide];
    let compute = |node: usize, taken: &[Seen]| Ok(if node == 2 { "0".to_owned() } else { spell("check", taken) });
    let mut graph = Graph::new(nodes, EndsWhen::Settled, compute, |_, _| true);
    graph.set("ssn", "123");
    assert_eq!((graph.values("ssn check").as_str(), graph.ended), ("0 check(123)", Some(Action::Finish(EndsWhen::Settled))));
    assert_eq!((graph.revision("ssn"), graph.runs("check"), graph.runs("hide")), (1, 1, 1));
    graph.crash();
    graph.settle();
    assert_eq!((graph.values("ssn check").as_str(), graph.runs("check")), ("0 check(123)", 1));
}
