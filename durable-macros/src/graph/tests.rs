//! What the graph of a `run` looks like, as lines: nodes by number, and the edges between them.

use super::flow::Name;
use crate::errors::Errors;
use crate::{parse, read};
use proc_macro2::TokenStream;
use quote::ToTokens as _;

/// The graph of a block, a line for each node, with the nodes that follow it.
fn graph(block: &str) -> String {
    let block = parse::block(block.parse().unwrap()).unwrap();
    let mut errors = Errors::default();
    let workflow = read::workflow(TokenStream::new(), block, &mut errors);
    assert!(errors.into_tokens().is_none());
    let flow = super::flow_of(&workflow, workflow.run().unwrap()).unwrap();
    let mut lines = String::new();
    for (number, node) in flow.nodes.iter().enumerate() {
        let name = match &node.name {
            Name::Text(name) if *name == node.label || name.is_empty() => String::new(),
            Name::Text(name) => format!(" ({name})"),
            Name::OfWorkflow(ty) => format!(" <{}>", ty.to_token_stream()),
        };
        let branch = node.branch.map(|(fork, branch)| format!(" in {fork}/{branch}")).unwrap_or_default();
        let edges = flow.edges.iter().filter(|edge| edge.from == number).map(|edge| match edge.label.as_str() {
            "" => format!("{}", edge.to),
            label => format!("{} [{label}]", edge.to),
        });
        let edges = edges.collect::<Vec<_>>().join(", ");
        lines += &format!("{number} {} {}{name}{branch} -> {edges}\n", node.kind, node.label);
    }
    lines
}

/// The graph of a `run` with this body, in a workflow with the steps `a`, `b` and `c`.
fn graph_of(body: &str) -> String {
    graph(&format!(
        "impl Flow {{
            async fn run(&self, cx: &Context, input: Input) -> Result<()> {{ {body} }}
            #[step(compensate = undo)] async fn a(&self) -> Result<bool> {{ Ok(true) }}
            #[step(name = \"the-b\")] async fn b(&self, n: u32) -> Result<()> {{ Ok(()) }}
            #[step] async fn c(&self) -> Result<()> {{ Ok(()) }}
            #[compensation] async fn undo(&self) -> Result<()> {{ Ok(()) }}
            async fn helper(&self, context: &Context) -> Result<()> {{
                if input.is_small() {{ return self.c().await; }}
                context.sleep(days(1)).await?;
                self.helper(context).await
            }}
            fn limit(&self, n: u32) -> u32 {{ for m in 0..n {{ if m > 3 {{ return m; }} }} n }}
        }}"
    ))
}

#[track_caller]
fn assert_graph(body: &str, wanted: &str) {
    let wanted: Vec<&str> = wanted.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let found = graph_of(body);
    let found: Vec<&str> = found.lines().map(str::trim).collect();
    assert_eq!(found, wanted, "\n{}", found.join("\n"));
}

#[test]
fn calls_follow_each_other_and_a_compensation_undoes_its_step() {
    assert_graph(
        "let n = self.limit(4); if self.a().await? { self.b(n).await?; } cx.sleep(days(30)).await",
        "0 start start -> 1
         1 step a -> 2, 6 [undo]
         2 decision if -> 3 [if], 4 [else]
         3 step the-b -> 4
         4 sleep days(30) -> 5
         5 end end ->
         6 compensation undo ->",
    );
}

#[test]
fn what_decides_nothing_about_durable_calls_is_not_drawn() {
    assert_graph(
        "let mut n = if input.is_small() { 1 } else { 2 };
         for line in &input.lines { if line.is_empty() { break; } n += 1; }
         let text = match n { 1 => format!(\"{}\", self.name), _ => String::new() };
         self.b(self.limit(n)).await",
        "0 start start -> 1
         1 step the-b -> 2
         2 end end ->",
    );
}

#[test]
fn returns_and_let_else_lead_to_the_end() {
    assert_graph(
        "let Some(n) = input.number else { return Ok(()) };
         match n { 0 => self.c().await?, 1 => return Err(Error::new(\"one\")), n => self.b(n).await?, }
         Ok(())",
        "0 start start -> 1
         1 decision let Some(n) -> 2, 5 [else]
         2 decision n -> 3 [0], 4 [n], 5 [1]
         3 step c -> 5
         4 step the-b -> 5
         5 end end ->",
    );
}

#[test]
fn loops_lead_back_and_out() {
    assert_graph(
        "'all: loop {
            for item in items { if item.is_last() { break 'all; } self.b(item).await?; }
            while self.a().await? { cx.sleep(minutes(5)).await?; }
            if done() { continue; }
            cx.wait_for_event::<()>(\"again\").await?;
         }
         self.c().await",
        "0 start start -> 1
         1 loop loop -> 2
         2 loop for item in items -> 3 [each], 5 [done]
         3 decision item.is_last() -> 4 [else], 10 [if]
         4 step the-b -> 2 [loop]
         5 loop while self.a().await? -> 6
         6 step a -> 7 [each], 8 [done], 12 [undo]
         7 sleep minutes(5) -> 5 [loop]
         8 decision done() -> 1 [if], 9 [else]
         9 event again -> 1 [loop]
         10 step c -> 11
         11 end end ->
         12 compensation undo ->",
    );
}

#[test]
fn branches_part_and_meet() {
    assert_graph(
        "durable::race!(async { self.a().await?; if late { return Ok(()) } self.c().await }, cx.sleep(days(3)), other).await?;
         cx.map(&items).name(\"parcels\").concurrency(2).each(async |item| self.b(item).await).settled().await?;
         Ok(())",
        "0 start start -> 1
         1 race race -> 2, 5, 6
         2 step a in 1/0 -> 3, 12 [undo]
         3 decision late in 1/0 -> 4 [else], 7 [if]
         4 step c in 1/0 -> 7
         5 sleep days(3) in 1/1 -> 7
         6 opaque other in 1/2 -> 7
         7 merge first -> 8
         8 map map parcels (parcels) -> 9 [each]
         9 step the-b in 8/0 -> 10
         10 merge all -> 11
         11 end end ->
         12 compensation undo ->",
    );
}

#[test]
fn waits_and_children_have_their_names() {
    assert_graph(
        "cx.wait_for_any::<u8>([\"yes\", \"no\"]).timeout(days(1)).await?;
         cx.wait_for_all::<u8>([\"x\", \"y\"]).await?;
         cx.wait_for_event::<u8>(&input.event).or(self.limit(3)).await?;
         cx.wait_for_approval(\"ship\").reminder(days(1), || self.c()).await?;
         cx.wait_for_topic::<u8>(\"rates\").await?;
         cx.set(\"progress\", &1).await?;
         cx.tag(\"carrier\", name).await?;
         let now = cx.now().await?;
         let letter = cx.child::<mail::Letter>(1).await?;
         cx.continue_as_new(&1).await",
        "0 start start -> 1
         1 event any of yes, no (any of) -> 2
         2 all all of x, y -> 3
         3 event input.event -> 4
         4 input ship -> 5
         5 topic rates -> 6
         6 set progress -> 7
         7 tag carrier -> 8
         8 child mail::Letter <mail :: Letter> -> 9
         9 continue_as_new continue as new -> 0",
    );
}

#[test]
fn helpers_are_seen_through_and_other_code_is_opaque() {
    assert_graph(
        "let context = cx;
         Self::helper(self, context).await?;
         self.elsewhere().await?;
         self.client.send(1).await?;
         notify(&input, cx).await?;
         let later = |n| self.b(n);
         strange! { await self };
         cx.unknown().await",
        "0 start start -> 1
         1 decision input.is_small() -> 2 [if], 3 [else]
         2 step c -> 5
         3 sleep days(1) -> 4
         4 opaque self.helper -> 5
         5 opaque self.elsewhere -> 6
         6 opaque notify -> 7
         7 opaque |…| self.b(n) -> 8
         8 opaque strange! -> 9
         9 opaque cx.unknown -> 10
         10 end end ->",
    );
}

#[test]
fn a_type_that_may_mean_something_else_in_a_body_is_not_named_outside_it() {
    assert_graph(
        "use mail::Letter; cx.child::<Letter>(1).await",
        "0 start start -> 1
         1 child Letter -> 2
         2 end end ->",
    );
}

#[test]
fn a_guard_is_visited_before_the_body_of_its_arm() {
    assert_graph(
        "match input.kind { Kind::A if self.a().await? => self.c().await?, _ => {} } Ok(())",
        "0 start start -> 1
         1 decision input.kind -> 2 [Kind::A if self.a().await?], 4 [_]
         2 step a -> 3, 5 [undo]
         3 step c -> 4
         4 end end ->
         5 compensation undo ->",
    );
}

#[test]
fn another_name_for_the_workflow_is_opaque() {
    assert_graph(
        "let this = self; this.a().await?; let Self { rate } = self; Ok(())",
        "0 start start -> 1
         1 opaque let this = self -> 2
         2 end end ->",
    );
}

#[test]
fn a_panic_leaves_the_function() {
    assert_graph(
        "match input { Kind::A => self.a().await?, kind => unreachable!(\"{kind}\") } self.c().await",
        "0 start start -> 1
         1 decision input -> 2 [Kind::A], 4 [kind]
         2 step a -> 3, 5 [undo]
         3 step c -> 4
         4 end end ->
         5 compensation undo ->",
    );
}

#[test]
fn helpers_without_durable_calls_are_walked_through_once() {
    let helpers: String = (1..=40).map(|n| format!("fn h{n}(&self) {{ self.h{0}(); self.h{0}(); }}", n - 1)).collect();
    let graph = graph(&format!(
        "impl Flow {{
            async fn run(&self, cx: &Context, _: ()) -> Result<()> {{ self.h40(); self.a().await }}
            #[step] async fn a(&self) -> Result<()> {{ Ok(()) }}
            fn h0(&self) {{}} {helpers}
        }}"
    ));
    assert_eq!(graph, "0 start start -> 1\n1 step a -> 2\n2 end end -> \n");
}
