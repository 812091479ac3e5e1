//! Writes a graph as an SVG document.

use std::fmt::Write as _;

use super::layered::{Layout, Point, Route, place};
use super::{Drawing, summary, title};
use crate::model::{EdgeKind, GraphEdge, GraphNode, NodeKind};

/// Width of a character of the title and of the line below it.
const TITLE: f64 = 7.3;
const SMALL: f64 = 6.1;

/// Height of a node with one line and with two.
const LOW: f64 = 30.0;
const HIGH: f64 = 44.0;

/// Colours are variables, which a page around the picture may set.
const STYLE: &str = "<style>
.durable-graph { --durable-ink: #1f2328; --durable-paper: #ffffff; --durable-line: #6e7781; --durable-running: #1f6feb; --durable-waiting: #9a6700; --durable-done: #2e7d32; --durable-failed: #c62828; --durable-dropped: #6e7781; --durable-compensated: #8250df; color: var(--durable-ink); font: 12px ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
@media (prefers-color-scheme: dark) { .durable-graph { --durable-ink: #e6edf3; --durable-paper: #0d1117; --durable-line: #8b949e; --durable-running: #58a6ff; --durable-waiting: #d29922; --durable-done: #3fb950; --durable-failed: #f85149; --durable-dropped: #8b949e; --durable-compensated: #bc8cff; } }
.durable-graph text { fill: currentColor; text-anchor: middle; }
.durable-graph .small { font-size: 10px; opacity: 0.85; }
.durable-graph .shape { fill: var(--durable-paper); stroke: currentColor; stroke-width: 1.2; }
.durable-graph .edge { fill: none; stroke: var(--durable-line); stroke-width: 1.2; }
.durable-graph .arrow { fill: var(--durable-line); }
.durable-graph .label { font-size: 10px; paint-order: stroke; stroke: var(--durable-paper); stroke-width: 4px; stroke-linejoin: round; }
.durable-graph .durable-undo .edge, .durable-graph .durable-seen .edge, .durable-graph .durable-kind-opaque .shape { stroke-dasharray: 4 3; }
.durable-graph .durable-taken .edge { stroke: currentColor; stroke-width: 2.4; }
.durable-graph .durable-taken .arrow { fill: currentColor; }
.durable-graph .durable-not_reached { opacity: 0.55; }
.durable-graph .durable-running { color: var(--durable-running); }
.durable-graph .durable-waiting { color: var(--durable-waiting); }
.durable-graph .durable-done { color: var(--durable-done); }
.durable-graph .durable-failed { color: var(--durable-failed); }
.durable-graph .durable-dropped { color: var(--durable-dropped); }
.durable-graph .durable-dropped .shape { stroke-dasharray: 2 2; }
.durable-graph .durable-compensated { color: var(--durable-compensated); }
.durable-graph .durable-running .shape, .durable-graph .durable-waiting .shape, .durable-graph .durable-failed .shape { stroke-width: 2.4; }
</style>
";

pub(super) fn write(drawing: &Drawing<'_>) -> String {
    let graph = drawing.graph;
    let boxes: Vec<Lines> = graph.nodes.iter().map(|node| Lines::of(node, drawing)).collect();
    let sizes: Vec<Point> = boxes.iter().zip(&graph.nodes).map(|(lines, node)| lines.size(node.kind)).collect();
    let is_inside = |edge: &&(usize, &GraphEdge)| (edge.1.from.max(edge.1.to) as usize) < sizes.len();
    let edges: Vec<(usize, &GraphEdge)> = graph.edges.iter().enumerate().filter(|edge| is_inside(&edge)).collect();
    let ends: Vec<(usize, usize)> = edges.iter().map(|(_, edge)| (edge.from as usize, edge.to as usize)).collect();
    let Layout { width, height, nodes, edges: routes } = place(&sizes, &ends);

    let mut svg = String::new();
    let name = escaped(&format!("{} version {}", graph.workflow, graph.version));
    let _ = writeln!(
        svg,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"durable-graph\" role=\"img\" width=\"{width:.0}\" height=\"{height:.0}\" viewBox=\"0 0 {width:.0} {height:.0}\">"
    );
    let _ = writeln!(svg, "<title>{name}</title>");
    svg.push_str(STYLE);
    for ((number, edge), route) in edges.iter().zip(&routes) {
        write_edge(&mut svg, edge, route, drawing.is_taken(*number));
    }
    for (((node, lines), size), at) in graph.nodes.iter().zip(&boxes).zip(&sizes).zip(&nodes) {
        write_node(&mut svg, node, lines, (*at, *size), drawing);
    }
    svg.push_str("</svg>\n");
    svg
}

/// The lines in a node.
struct Lines {
    title: String,
    below: Option<String>,
}

impl Lines {
    fn of(node: &GraphNode, drawing: &Drawing<'_>) -> Self {
        let below = drawing.run(node).map(summary).filter(|summary| !summary.is_empty());
        Self { title: title(node), below }
    }

    fn size(&self, kind: NodeKind) -> Point {
        let width = |text: &str, each: f64| each * f64::from(u32::try_from(text.chars().count()).unwrap_or(u32::MAX));
        let text = width(&self.title, TITLE).max(self.below.as_deref().map_or(0.0, |below| width(below, SMALL)));
        let around = if pointed(kind) { 44.0 } else { 24.0 };
        (text + around, if self.below.is_some() { HIGH } else { LOW })
    }
}

/// Whether the shape ends in points on the left and on the right.
fn pointed(kind: NodeKind) -> bool {
    matches!(
        kind,
        NodeKind::Decision
            | NodeKind::Loop
            | NodeKind::Version
            | NodeKind::Sleep
            | NodeKind::Event
            | NodeKind::All
            | NodeKind::Topic
            | NodeKind::Input
            | NodeKind::Question
            | NodeKind::Timer
    )
}

fn write_node(svg: &mut String, node: &GraphNode, lines: &Lines, (at, size): (Point, Point), drawing: &Drawing<'_>) {
    let state = drawing.state(node).map(|state| format!(" durable-{}", state.as_str())).unwrap_or_default();
    let _ = write!(svg, "<g class=\"durable-node durable-kind-{}{state}\" data-node=\"{}\">", node.kind.as_str(), node.id);
    let _ = write!(svg, "<title>{}</title>", escaped(&tooltip(node, drawing)));
    write_shape(svg, node.kind, at, size);
    let (x, y) = at;
    let first = if lines.below.is_some() { y - 3.0 } else { y + 4.0 };
    let _ = write!(svg, "<text x=\"{x:.1}\" y=\"{first:.1}\">{}</text>", escaped(&lines.title));
    if let Some(below) = &lines.below {
        let _ = write!(svg, "<text class=\"small\" x=\"{x:.1}\" y=\"{:.1}\">{}</text>", y + 13.0, escaped(below));
    }
    svg.push_str("</g>\n");
}

/// What a pointer over the node shows: its kind, and what the execution did there in full.
fn tooltip(node: &GraphNode, drawing: &Drawing<'_>) -> String {
    let mut text = format!("{}: {}", node.kind.as_str(), node.label);
    if let Some(run) = drawing.run(node) {
        let _ = write!(text, "\n{}", run.state.as_str());
        if run.times > 0 {
            let _ = write!(text, ", times: {}", run.times);
        }
        if run.attempts > 0 {
            let _ = write!(text, ", attempts: {}", run.attempts);
        }
        if let Some(at) = run.first_started_at {
            let _ = write!(text, "\nsince {}", at.format("%Y-%m-%d %H:%M:%S UTC"));
        }
        for child in &run.children {
            let _ = write!(text, "\nchild {child}");
        }
        if run.seen_only {
            text.push_str("\nseen in the journal, not in the code of `run`");
        }
    }
    text
}

fn write_shape(svg: &mut String, kind: NodeKind, (x, y): Point, (width, height): Point) {
    let (left, right, top, bottom) = (x - width / 2.0, x + width / 2.0, y - height / 2.0, y + height / 2.0);
    if pointed(kind) {
        let tip = 12.0;
        let _ = write!(
            svg,
            "<path class=\"shape\" d=\"M{left:.1} {y:.1}L{:.1} {top:.1}H{:.1}L{right:.1} {y:.1}L{:.1} {bottom:.1}H{:.1}Z\"/>",
            left + tip,
            right - tip,
            right - tip,
            left + tip
        );
        return;
    }
    let radius = match kind {
        NodeKind::Start | NodeKind::End | NodeKind::Merge => height / 2.0,
        kind if kind.is_fork() => height / 2.0,
        NodeKind::Set | NodeKind::Tag => 10.0,
        _ => 3.0,
    };
    let rectangle = |svg: &mut String, inset: f64| {
        let _ = write!(
            svg,
            "<rect class=\"shape\" x=\"{:.1}\" y=\"{top:.1}\" width=\"{:.1}\" height=\"{height:.1}\" rx=\"{radius:.1}\"/>",
            left + inset,
            width - 2.0 * inset
        );
    };
    rectangle(svg, 0.0);
    if matches!(kind, NodeKind::Child | NodeKind::Flow) {
        rectangle(svg, 5.0);
    }
}

fn write_edge(svg: &mut String, edge: &GraphEdge, route: &Route, is_taken: bool) {
    let kind = match edge.kind {
        EdgeKind::Next => "next",
        EdgeKind::Back => "back",
        EdgeKind::Undo => "undo",
        EdgeKind::Dependency => "dependency",
        EdgeKind::Seen => "seen",
        EdgeKind::Other => "other",
    };
    let taken = if is_taken { " durable-taken" } else { "" };
    let _ = write!(svg, "<g class=\"durable-edge durable-{kind}{taken}\" data-edge=\"{}-{}\">", edge.from, edge.to);
    let (path, (tip_x, tip_y), label_at) = match route {
        Route::Down(points) => down(points),
        Route::Back(points) => back(points),
    };
    let _ = write!(svg, "<path class=\"edge\" d=\"{path}\"/>");
    let arrow = match route {
        Route::Down(_) => {
            format!("M{:.1} {:.1}L{tip_x:.1} {tip_y:.1}L{:.1} {:.1}Z", tip_x - 4.0, tip_y - 7.0, tip_x + 4.0, tip_y - 7.0)
        }
        Route::Back(_) => {
            format!("M{:.1} {:.1}L{tip_x:.1} {tip_y:.1}L{:.1} {:.1}Z", tip_x + 7.0, tip_y - 4.0, tip_x + 7.0, tip_y + 4.0)
        }
    };
    let _ = write!(svg, "<path class=\"arrow\" d=\"{arrow}\"/>");
    if let Some(label) = &edge.label {
        let _ = write!(svg, "<text class=\"label\" x=\"{:.1}\" y=\"{:.1}\">{}</text>", label_at.0, label_at.1, escaped(label));
    }
    svg.push_str("</g>\n");
}

/// A curve from point to point, its tip, and the place of its label.
fn down(points: &[Point]) -> (String, Point, Point) {
    let begin = points.first().copied().unwrap_or_default();
    let mut path = format!("M{:.1} {:.1}", begin.0, begin.1);
    for pair in points.windows(2) {
        let [from, to] = [pair[0], pair[1]];
        let middle = f64::midpoint(from.1, to.1);
        let _ = write!(path, "C{:.1} {middle:.1} {:.1} {middle:.1} {:.1} {:.1}", from.0, to.0, to.0, to.1);
    }
    let second = points.get(1).copied().unwrap_or(begin);
    let label = (begin.0 + (second.0 - begin.0) * 0.6, begin.1 + (second.1 - begin.1) * 0.6);
    (path, points.last().copied().unwrap_or(begin), label)
}

/// Straight lines along a lane, their tip, and the place of their label.
fn back(points: &[Point]) -> (String, Point, Point) {
    let at = |place: usize| points.get(place).copied().unwrap_or_default();
    let lines: Vec<String> = points.iter().map(|(x, y)| format!("{x:.1} {y:.1}")).collect();
    let (upper, lower) = (at(2), at(1));
    (format!("M{}", lines.join("L")), at(3), (lower.0, f64::midpoint(upper.1, lower.1)))
}

/// Text between tags and in attributes. A character that XML does not allow is replaced.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\n' | '\t' => escaped.push(character),
            character if character.is_control() || matches!(character, '\u{fffe}' | '\u{ffff}') => escaped.push('\u{fffd}'),
            character => escaped.push(character),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    #[test]
    fn text_is_no_markup() {
        assert_eq!(
            super::escaped("<script>\"a\" & b\u{1}</script>"),
            "&lt;script&gt;&quot;a&quot; &amp; b\u{fffd}&lt;/script&gt;"
        );
    }
}
