//! Writes a graph as a Mermaid flowchart.

use std::fmt::Write as _;

use super::{Drawing, summary, title};
use crate::model::{EdgeKind, GraphNode, NodeKind, NodeState};

/// The look of each class. Mermaid has themes, and no media queries: the colours can be read on light and dark pages.
const CLASSES: &str = "  classDef opaque stroke-dasharray:4 3
  classDef not_reached opacity:0.55
  classDef running fill:#1f6feb,color:#ffffff,stroke:#0b3d91
  classDef waiting fill:#b58900,color:#ffffff,stroke:#6b5200
  classDef done fill:#2e7d32,color:#ffffff,stroke:#14451a
  classDef failed fill:#c62828,color:#ffffff,stroke:#7a1111
  classDef dropped fill:#6e7781,color:#ffffff,stroke:#424a53,stroke-dasharray:2 2
  classDef compensated fill:#8250df,color:#ffffff,stroke:#4b2a94
";

pub(super) fn write(drawing: &Drawing<'_>) -> String {
    let mut text = String::from("flowchart TD\n");
    for node in &drawing.graph.nodes {
        let (open, close) = shape(node.kind);
        let mut label = escaped(&title(node));
        if let Some(run) = drawing.run(node).map(summary).filter(|summary| !summary.is_empty()) {
            label = format!("{label}<br/>{}", escaped(&run));
        }
        let _ = writeln!(text, "  n{}{open}\"{label}\"{close}", node.id);
    }
    for edge in &drawing.graph.edges {
        let arrow = match edge.kind {
            EdgeKind::Undo | EdgeKind::Seen => "-.->",
            _ => "-->",
        };
        let label = edge.label.as_deref().map(|label| format!("|\"{}\"|", escaped(label))).unwrap_or_default();
        let _ = writeln!(text, "  n{} {arrow}{label} n{}", edge.from, edge.to);
    }
    write_classes(&mut text, drawing);
    text
}

fn write_classes(text: &mut String, drawing: &Drawing<'_>) {
    let nodes = || drawing.graph.nodes.iter();
    text.push_str(CLASSES.lines().next().unwrap_or_default());
    text.push('\n');
    write_class(text, "opaque", nodes().filter(|node| node.kind == NodeKind::Opaque));
    if drawing.execution.is_none() {
        return;
    }
    for (state, class) in NodeState::ALL.into_iter().zip(CLASSES.lines().skip(1)) {
        text.push_str(class);
        text.push('\n');
        write_class(text, state.as_str(), nodes().filter(|node| drawing.state(node) == Some(state)));
    }
    let taken: Vec<String> =
        (0..drawing.graph.edges.len()).filter(|edge| drawing.is_taken(*edge)).map(|edge| edge.to_string()).collect();
    if !taken.is_empty() {
        let _ = writeln!(text, "  linkStyle {} stroke-width:3px", taken.join(","));
    }
}

fn write_class<'a>(text: &mut String, class: &str, nodes: impl Iterator<Item = &'a GraphNode>) {
    let ids: Vec<String> = nodes.map(|node| format!("n{}", node.id)).collect();
    if !ids.is_empty() {
        let _ = writeln!(text, "  class {} {class}", ids.join(","));
    }
}

fn shape(kind: NodeKind) -> (&'static str, &'static str) {
    match kind {
        NodeKind::Start | NodeKind::End => ("([", "])"),
        NodeKind::Sleep | NodeKind::Event | NodeKind::All | NodeKind::Topic => ("{{", "}}"),
        NodeKind::Input | NodeKind::Question | NodeKind::Timer => ("{{", "}}"),
        NodeKind::Child | NodeKind::Flow => ("[[", "]]"),
        NodeKind::Decision | NodeKind::Loop | NodeKind::Version => ("{", "}"),
        NodeKind::Join | NodeKind::TryJoin | NodeKind::Race | NodeKind::Map => ("[/", "\\]"),
        NodeKind::Merge => ("[\\", "/]"),
        NodeKind::Compensation => (">", "]"),
        NodeKind::Set | NodeKind::Tag => ("(", ")"),
        _ => ("[", "]"),
    }
}

/// Text in a quoted label: what Mermaid or HTML would take for markup becomes an entity.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '#' => escaped.push_str("#35;"),
            '"' => escaped.push_str("#quot;"),
            '&' => escaped.push_str("#amp;"),
            '<' => escaped.push_str("#lt;"),
            '>' => escaped.push_str("#gt;"),
            '`' => escaped.push_str("#96;"),
            '\\' => escaped.push_str("#92;"),
            character if character.is_control() => escaped.push(' '),
            character => escaped.push(character),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    #[test]
    fn text_in_a_label_is_no_markup() {
        assert_eq!(super::escaped("a \"b\" <c> & #1;\n`d`"), "a #quot;b#quot; #lt;c#gt; #amp; #35;1; #96;d#96;");
    }
}
