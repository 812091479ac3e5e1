//! Graphs: what `run` looks like, and the path of one execution on it, in the database and as pictures.

use std::path::PathBuf;

use durable::prelude::*;
use durable::{EdgeKind, ExecutionGraph, NodeKind, NodeState};

use crate::support::{self, PATIENCE, clock, eventually};

/// Compares a text with a file of the folder `graphing`; `DURABLE_BLESS=1` writes the file.
#[track_caller]
fn assert_golden(file: &str, text: &str) {
    let golden = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/it/graphing").join(file);
    if std::env::var_os("DURABLE_BLESS").is_some() {
        std::fs::write(&golden, text).unwrap();
    }
    let expected = std::fs::read_to_string(&golden).unwrap_or_default();
    assert!(expected == text, "{} is another; DURABLE_BLESS=1 accepts:\n{text}", golden.display());
}

/// Sends a postcard.
struct Postcard;

#[workflow(name = "post.card")]
impl Postcard {
    async fn run(&self, _cx: &Context, town: String) -> Result<String> {
        Ok(format!("greetings from {town}"))
    }
}

/// A tour through towns, with everything that a graph can have.
struct Tour;

#[workflow]
impl Tour {
    async fn run(&self, cx: &Context, towns: Vec<String>) -> Result<String> {
        if towns.is_empty() {
            return Ok("stayed at home".to_owned());
        }
        let ticket = self.book().await?;
        let weather = durable::race!(
            async {
                let news: String = cx.wait_for_event("forecast").await?;
                Ok::<_, Error>(news)
            },
            async {
                cx.sleep(hours(1)).await?;
                Ok("unknown".to_owned())
            },
        )
        .await?;
        for town in &towns {
            self.visit(town).await?;
        }
        buy_souvenirs(self, &ticket).await?;
        let card = cx.child::<Postcard>(weather).await?;
        cx.map(towns).name("albums").each(|town| self.paste(town)).await?;
        self.fly_home(&card).await?;
        Ok(card)
    }

    #[step(compensate = give_back)]
    async fn book(&self) -> Result<String> {
        Ok("a ticket".to_owned())
    }

    #[compensation]
    async fn give_back(&self, _ticket: String) -> Result<()> {
        Ok(())
    }

    #[step]
    async fn visit(&self, town: &str) -> Result<usize> {
        Ok(town.len())
    }

    #[step]
    async fn haggle(&self, ticket: &str) -> Result<usize> {
        Ok(ticket.len())
    }

    #[step]
    async fn paste(&self, town: String) -> Result<String> {
        Ok(town)
    }

    #[step(retry(max_attempts = 3, base = "1ms"))]
    async fn fly_home(&self, card: &str) -> Result<()> {
        match card {
            "greetings from sun" => Ok(()),
            _ => Err(Error::new("no flight in this weather")),
        }
    }
}

/// Code that the macro does not see.
async fn buy_souvenirs(tour: &Tour, ticket: &str) -> Result<usize> {
    tour.haggle(ticket).await
}

/// The nodes of a kind and label, as the execution left them: state, visits, attempts.
fn node(drawn: &ExecutionGraph, kind: NodeKind, label: &str) -> (NodeState, u32, u32) {
    let found = drawn.graph.nodes.iter().find(|node| node.kind == kind && node.label == label);
    let run = &drawn.nodes[found.unwrap_or_else(|| panic!("no {kind:?} {label}: {:?}", drawn.graph.nodes)).id as usize];
    (run.state, run.times, run.attempts)
}

#[test]
fn a_workflow_has_a_graph_without_an_engine() {
    let graph = Tour::graph();
    assert_eq!((graph.workflow.as_str(), graph.version), ("tour", 1));
    let child = graph.nodes.iter().find(|node| node.kind == NodeKind::Child).unwrap();
    assert_eq!((child.label.as_str(), child.name.as_deref()), ("Postcard", Some("post.card")));
    assert_golden("tour.mmd", &graph.to_mermaid());
    assert_golden("tour.svg", &graph.to_svg());
}

#[tokio::test]
async fn the_path_of_an_execution_is_drawn_while_it_waits_and_when_it_has_ended() {
    let database = support::database().await;
    let worker = database.builder().register(Tour).register(Postcard).start().await.unwrap();
    let handle = worker.start::<Tour>(vec!["Lisbon".to_owned(), "Porto".to_owned()]).await.unwrap();
    // A client without the code reads the graph from the database.
    let client = database.client().await;
    let drawn = support::eventually_some("it waits", async || {
        let drawn = client.graph(handle.id()).await.unwrap();
        (drawn.state == ExecutionState::Waiting).then_some(drawn)
    })
    .await;
    assert_eq!(drawn.graph, Tour::graph());
    assert_eq!(node(&drawn, NodeKind::Step, "book"), (NodeState::Done, 1, 1));
    assert_eq!(node(&drawn, NodeKind::Event, "forecast"), (NodeState::Waiting, 1, 0));
    assert_eq!(node(&drawn, NodeKind::Sleep, "hours(1)"), (NodeState::Waiting, 1, 0));
    assert_eq!(node(&drawn, NodeKind::Step, "visit"), (NodeState::NotReached, 0, 0));

    client.send_event(handle.id(), "forecast", "sun").await.unwrap();
    assert_eq!(handle.result_within(PATIENCE).await.unwrap(), "greetings from sun");
    let drawn = client.graph(handle.id()).await.unwrap();
    assert_eq!(node(&drawn, NodeKind::Event, "forecast"), (NodeState::Done, 1, 0));
    assert_eq!(node(&drawn, NodeKind::Sleep, "hours(1)"), (NodeState::Dropped, 1, 0), "the loser of the race");
    assert_eq!(node(&drawn, NodeKind::Merge, "first"), (NodeState::Done, 1, 0));
    assert_eq!(node(&drawn, NodeKind::Step, "visit"), (NodeState::Done, 2, 2), "a loop");
    assert_eq!(node(&drawn, NodeKind::Step, "paste"), (NodeState::Done, 2, 2), "a map");
    assert_eq!(node(&drawn, NodeKind::Child, "Postcard"), (NodeState::Done, 1, 0));
    assert_eq!(node(&drawn, NodeKind::Step, "haggle"), (NodeState::Done, 1, 1), "made by opaque code");
    assert_eq!(node(&drawn, NodeKind::Compensation, "give_back"), (NodeState::NotReached, 0, 0));
    assert_eq!(node(&drawn, NodeKind::End, "end"), (NodeState::Done, 1, 0));
    let opaque = drawn.graph.nodes.iter().find(|node| node.kind == NodeKind::Opaque).unwrap();
    assert!(drawn.graph.edges.iter().any(|edge| edge.kind == EdgeKind::Seen && edge.from == opaque.id));
    let child = drawn.nodes.iter().flat_map(|run| &run.children).next().unwrap();
    assert_eq!(client.get_execution(*child).await.unwrap().execution.workflow, "post.card");
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_step_that_failed_and_what_was_undone_have_their_states_and_colours() {
    let database = support::database().await;
    clock::freeze(&database).await;
    let worker = database.builder().register(Tour).register(Postcard).start().await.unwrap();
    let handle = worker.start::<Tour>(vec!["Porto".to_owned()]).await.unwrap();
    eventually("it waits", async || worker.get_execution(handle.id()).await.unwrap().execution.state == ExecutionState::Waiting)
        .await;
    clock::advance(&database, hours(1)).await;
    eventually("its flight is to be tried again", async || {
        clock::advance(&database, seconds(1)).await;
        worker.get_execution(handle.id()).await.unwrap().execution.state.is_finished()
    })
    .await;
    let drawn = worker.graph(handle.id()).await.unwrap();
    assert_eq!(drawn.state, ExecutionState::Compensated);
    assert_eq!(node(&drawn, NodeKind::Event, "forecast").0, NodeState::Dropped);
    assert_eq!(node(&drawn, NodeKind::Sleep, "hours(1)"), (NodeState::Done, 1, 0));
    assert_eq!(node(&drawn, NodeKind::Step, "fly_home"), (NodeState::Failed, 1, 3));
    assert_eq!(node(&drawn, NodeKind::Step, "book").0, NodeState::Compensated);
    assert_eq!(node(&drawn, NodeKind::Compensation, "give_back"), (NodeState::Done, 1, 1));
    assert_eq!(node(&drawn, NodeKind::End, "end").0, NodeState::Compensated);
    let (svg, mermaid) = (drawn.to_svg(), drawn.to_mermaid());
    for (node, run) in drawn.graph.nodes.iter().zip(&drawn.nodes) {
        let (kind, state) = (node.kind.as_str(), run.state.as_str());
        assert!(svg.contains(&format!("durable-kind-{kind} durable-{state}\" data-node=\"{}\"", node.id)), "{kind} {state}");
        let class = mermaid.lines().find(|line| line.starts_with("  class n") && line.ends_with(&format!(" {state}"))).unwrap();
        assert!(class.split([' ', ',']).any(|id| id == format!("n{}", node.id)), "{class}");
    }
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn graphs_are_written_once_and_again_when_they_change_and_old_versions_go() {
    let database = support::database().await;
    let kept = async || {
        database
            .values::<String>("select workflow || ' ' || version || ' ' || xmin::text from durable.workflow_graphs order by 1")
            .await
    };
    let start = async || {
        let worker = database.builder().register(Tour).register(Postcard).start().await.unwrap();
        worker.shutdown().await.unwrap();
    };
    start().await;
    let first = kept().await;
    assert_eq!(first.len(), 2);
    start().await;
    assert_eq!(kept().await, first, "the same graphs are not written again");
    database.run("update durable.workflow_graphs set graph = '{}' where workflow = 'tour'").await;
    database
        .run(
            "insert into durable.workflow_graphs (workflow, version, graph, kept_at)
             select name, version, '{}', now() from unnest(array['tour', 'other']) as name, generate_series(2, 150) as version",
        )
        .await;
    start().await;
    let client = database.client().await;
    assert_eq!(client.workflow_graph("tour", 1).await.unwrap(), Tour::graph(), "a graph that has changed is written again");
    let versions = "select min(version)::int8 from durable.workflow_graphs where version > 1 and workflow = ";
    assert_eq!(database.count(&format!("{versions}'tour'")).await, 51, "the newest hundred versions stay");
    assert_eq!(database.count(&format!("{versions}'other'")).await, 2, "the graphs of other programs stay");
}

#[tokio::test]
async fn an_unknown_graph_is_refused_with_the_names_that_are_near() {
    let database = support::database().await;
    let worker = database.builder().register(Tour).register(Postcard).start().await.unwrap();
    let refusal = worker.workflow_graph("tours", None).await.unwrap_err();
    assert_eq!(refusal.kind(), ErrorKind::NotFound);
    assert!(refusal.to_string().ends_with("did you mean `tour`?"), "{refusal}");
    let refusal = worker.workflow_graph("tour", 3).await.unwrap_err();
    assert!(refusal.to_string().contains("kept versions: 1."), "{refusal}");
    let refusal = worker.graph(uuid::Uuid::nil().into()).await.unwrap_err();
    assert!(refusal.to_string().contains("there is no execution"), "{refusal}");
    worker.shutdown().await.unwrap();
}
