//! Places the nodes of a directed graph in layers, from top to bottom: longest paths give the layers, barycentres the order in a
//! layer, and neighbours the places. The same graph is always placed in the same way.

/// Space between two nodes of a layer.
const BESIDE: f64 = 28.0;

/// Space between two layers; labels of edges stand in it.
const BETWEEN: f64 = 52.0;

/// Width that a long edge takes in the layers that it passes.
const PASSAGE: f64 = 14.0;

/// Space around the graph, and between edges that lead back.
const MARGIN: f64 = 16.0;

/// How often layers are put in order by the layer above or below: more changes little.
const SWEEPS: usize = 8;

/// A point, from the left and from the top.
pub(super) type Point = (f64, f64);

/// Where everything is.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Layout {
    pub(super) width: f64,
    pub(super) height: f64,
    /// The centres of the nodes.
    pub(super) nodes: Vec<Point>,
    /// The points of each edge, from its node to its node.
    pub(super) edges: Vec<Route>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Route {
    /// Downwards, from layer to layer.
    Down(Vec<Point>),
    /// Back to an earlier node, around on the right.
    Back(Vec<Point>),
}

/// Something that has a place in a layer: a node, or a long edge that passes.
#[derive(Debug, Clone, Copy)]
struct Item {
    layer: usize,
    width: f64,
    at: f64,
}

/// Places nodes of these sizes, width and height, with these edges between them.
pub(super) fn place(sizes: &[Point], edges: &[(usize, usize)]) -> Layout {
    let is_back = back_edges(sizes.len(), edges);
    let layer_of = layers(sizes.len(), edges, &is_back);
    let mut items: Vec<Item> =
        sizes.iter().zip(&layer_of).map(|(size, layer)| Item { layer: *layer, width: size.0, at: 0.0 }).collect();
    let mut links = Vec::new();
    let chains: Vec<Vec<usize>> = edges
        .iter()
        .zip(&is_back)
        .map(|(edge, back)| if *back { Vec::new() } else { chain(*edge, &mut items, &mut links) })
        .collect();
    let mut rows = vec![Vec::new(); layer_of.iter().max().map_or(0, |last| last + 1)];
    for (place, item) in items.iter().enumerate() {
        rows[item.layer].push(place);
    }
    put_in_order(&mut rows, items.len(), &links);
    put_in_place(&rows, &mut items, &links);
    let (tops, height) = heights(sizes, &layer_of, rows.len());
    let nodes: Vec<Point> = (0..sizes.len()).map(|node| (items[node].at, tops[layer_of[node]].0)).collect();
    let right = items.iter().map(|item| item.at + item.width / 2.0).fold(0.0, f64::max) + MARGIN;
    let mut lanes = 0.0;
    let routes = edges.iter().zip(&is_back).zip(&chains).map(|((&(from, to), back), chain)| {
        if *back {
            lanes += MARGIN;
            return around((nodes[from], sizes[from]), (nodes[to], sizes[to]), right + lanes);
        }
        let passed = chain.iter().flat_map(|item| {
            let (middle, half) = tops[items[*item].layer];
            [(items[*item].at, middle - half), (items[*item].at, middle + half)]
        });
        let begin = (nodes[from].0, nodes[from].1 + sizes[from].1 / 2.0);
        let end = (nodes[to].0, nodes[to].1 - sizes[to].1 / 2.0);
        Route::Down([begin].into_iter().chain(passed).chain([end]).collect())
    });
    let edges = routes.collect();
    Layout { width: right + lanes + 4.0 * MARGIN, height, nodes, edges }
}

/// The edges that lead to a node from which they can be reached, when nodes are visited in their order.
fn back_edges(count: usize, edges: &[(usize, usize)]) -> Vec<bool> {
    #[derive(Clone, Copy, PartialEq)]
    enum Visit {
        Never,
        Open,
        Done,
    }
    let mut out = vec![Vec::new(); count];
    for (place, (from, _)) in edges.iter().enumerate() {
        out[*from].push(place);
    }
    let (mut visits, mut is_back) = (vec![Visit::Never; count], vec![false; edges.len()]);
    for root in 0..count {
        // The nodes on the way here, each with the number of its edges that were followed.
        let mut way = if visits[root] == Visit::Never { vec![(root, 0)] } else { Vec::new() };
        while let Some((node, next)) = way.pop() {
            visits[node] = Visit::Open;
            let Some(edge) = out[node].get(next).copied() else {
                visits[node] = Visit::Done;
                continue;
            };
            way.push((node, next + 1));
            let to = edges[edge].1;
            match visits[to] {
                Visit::Never => way.push((to, 0)),
                Visit::Open => is_back[edge] = true,
                Visit::Done => {}
            }
        }
    }
    is_back
}

/// The layer of each node: below everything that leads to it.
fn layers(count: usize, edges: &[(usize, usize)], is_back: &[bool]) -> Vec<usize> {
    let down = || edges.iter().zip(is_back).filter(|(_, back)| !**back).map(|(edge, _)| *edge);
    let mut layers = vec![0; count];
    let mut open = vec![0_usize; count];
    down().for_each(|(_, to)| open[to] += 1);
    let mut ready: Vec<usize> = (0..count).filter(|node| open[*node] == 0).collect();
    while let Some(node) = ready.pop() {
        for (_, to) in down().filter(|(from, _)| *from == node) {
            layers[to] = layers[to].max(layers[node] + 1);
            open[to] -= 1;
            if open[to] == 0 {
                ready.push(to);
            }
        }
    }
    layers
}

/// Links the ends of an edge through the layers between them. Returns the items that stand for the edge there.
fn chain((from, to): (usize, usize), items: &mut Vec<Item>, links: &mut Vec<(usize, usize)>) -> Vec<usize> {
    let between = items[from].layer + 1..items[to].layer;
    let mut last = from;
    let mut chain = Vec::new();
    for layer in between {
        items.push(Item { layer, width: PASSAGE, at: 0.0 });
        let item = items.len() - 1;
        links.push((last, item));
        chain.push(item);
        last = item;
    }
    links.push((last, to));
    chain
}

/// The neighbours of each item in the layer above or below.
fn neighbours(count: usize, links: &[(usize, usize)], above: bool) -> Vec<Vec<usize>> {
    let mut found = vec![Vec::new(); count];
    for &(upper, lower) in links {
        let (item, neighbour) = if above { (lower, upper) } else { (upper, lower) };
        found[item].push(neighbour);
    }
    found
}

/// Orders each layer by the means of the places of neighbours, so that few edges cross.
fn put_in_order(rows: &mut [Vec<usize>], count: usize, links: &[(usize, usize)]) {
    let mut places = vec![0.0; count];
    let remember = |row: &[usize], places: &mut [f64]| {
        for (place, item) in row.iter().enumerate() {
            places[*item] = as_f64(place) - as_f64(row.len()) / 2.0;
        }
    };
    rows.iter().for_each(|row| remember(row, &mut places));
    let beside = [neighbours(count, links, true), neighbours(count, links, false)];
    for sweep in 0..SWEEPS {
        let beside = &beside[sweep % 2];
        let order: Vec<usize> = if sweep % 2 == 0 { (0..rows.len()).collect() } else { (0..rows.len()).rev().collect() };
        for layer in order {
            let mean = |item: &usize| mean(&beside[*item], |item| places[item]).unwrap_or(places[*item]);
            rows[layer].sort_by(|one, other| mean(one).total_cmp(&mean(other)));
            remember(&rows[layer], &mut places);
        }
    }
}

/// Moves items towards the middle of their neighbours, in the order that they have.
fn put_in_place(rows: &[Vec<usize>], items: &mut [Item], links: &[(usize, usize)]) {
    for row in rows {
        let wanted = vec![0.0; row.len()];
        settle(row, items, &wanted);
    }
    let beside = [neighbours(items.len(), links, true), neighbours(items.len(), links, false)];
    for sweep in 0..SWEEPS {
        let beside = &beside[sweep % 2];
        let order: Vec<&Vec<usize>> = if sweep % 2 == 0 { rows.iter().collect() } else { rows.iter().rev().collect() };
        for row in order {
            let wanted: Vec<f64> =
                row.iter().map(|item| mean(&beside[*item], |other| items[other].at).unwrap_or(items[*item].at)).collect();
            settle(row, items, &wanted);
        }
    }
    let left = items.iter().map(|item| item.at - item.width / 2.0).fold(f64::INFINITY, f64::min);
    items.iter_mut().for_each(|item| item.at += MARGIN - left);
}

/// Gives the items of a layer the places nearest to those wanted, without overlaps: neighbours that would overlap move together.
fn settle(row: &[usize], items: &mut [Item], wanted: &[f64]) {
    // The places that items would have if all stood as close as they can.
    let mut close = Vec::with_capacity(row.len());
    let mut at = 0.0;
    for (place, item) in row.iter().enumerate() {
        if place > 0 {
            at += items[row[place - 1]].width / 2.0 + BESIDE + items[*item].width / 2.0;
        }
        close.push(at);
    }
    // Blocks of items that stand close: the sum of their wishes, and their number.
    let mut blocks: Vec<(f64, usize)> = Vec::new();
    let middle = |(sum, count): (f64, usize)| sum / as_f64(count);
    for (wanted, close) in wanted.iter().zip(&close) {
        let mut block = (wanted - close, 1);
        while let Some(before) = blocks.pop_if(|before| middle(*before) > middle(block)) {
            block = (before.0 + block.0, before.1 + block.1);
        }
        blocks.push(block);
    }
    let shifts = blocks.into_iter().flat_map(|block| std::iter::repeat_n(middle(block), block.1));
    for ((item, close), shift) in row.iter().zip(close).zip(shifts) {
        items[*item].at = close + shift;
    }
}

/// For each layer its middle and half of its height; and the height of all.
fn heights(sizes: &[Point], layer_of: &[usize], count: usize) -> (Vec<Point>, f64) {
    let mut layers = vec![0.0_f64; count];
    for (size, layer) in sizes.iter().zip(layer_of) {
        layers[*layer] = layers[*layer].max(size.1);
    }
    let mut top = MARGIN;
    let middles = layers.iter().map(|height| {
        let middle = top + height / 2.0;
        top += height + BETWEEN;
        (middle, height / 2.0)
    });
    let middles = middles.collect();
    (middles, top - BETWEEN + MARGIN)
}

/// From the right side of a node to the right side of another, along a lane beside all nodes.
fn around((from, from_size): (Point, Point), (to, to_size): (Point, Point), lane: f64) -> Route {
    // Apart from the middle, where edges of the same node may go to the other side.
    let (begin, end) = (from.1 + from_size.1 / 5.0, to.1 - to_size.1 / 5.0);
    Route::Back(vec![(from.0 + from_size.0 / 2.0, begin), (lane, begin), (lane, end), (to.0 + to_size.0 / 2.0, end)])
}

fn mean(items: &[usize], at: impl Fn(usize) -> f64) -> Option<f64> {
    (!items.is_empty()).then(|| items.iter().map(|item| at(*item)).sum::<f64>() / as_f64(items.len()))
}

#[expect(clippy::cast_precision_loss, reason = "a graph has far fewer nodes than 2^52")]
fn as_f64(number: usize) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: Point = (80.0, 30.0);

    fn overlap(layout: &Layout) -> bool {
        let nodes = &layout.nodes;
        let apart = |one: &Point, other: &Point| (one.0 - other.0).abs() >= SIZE.0 || (one.1 - other.1).abs() >= SIZE.1;
        (0..nodes.len()).any(|one| (0..one).any(|other| !apart(&nodes[one], &nodes[other])))
    }

    #[test]
    fn nodes_are_below_those_that_lead_to_them_and_do_not_overlap() {
        let edges = [(0, 1), (0, 2), (0, 3), (1, 4), (2, 4), (3, 5), (4, 5), (5, 0), (0, 5)];
        let layout = place(&[SIZE; 6], &edges);
        assert!(!overlap(&layout), "{layout:?}");
        for ((from, to), route) in edges.iter().zip(&layout.edges) {
            let is_back = (*from, *to) == (5, 0);
            assert_eq!(matches!(route, Route::Back(_)), is_back);
            assert_eq!(layout.nodes[*from].1 > layout.nodes[*to].1, is_back);
        }
        let inside = |point: &Point| (0.0..=layout.width).contains(&point.0) && (0.0..=layout.height).contains(&point.1);
        assert!(layout.nodes.iter().all(inside));
    }

    #[test]
    fn branches_do_not_cross() {
        let layout = place(&[SIZE; 8], &[(0, 1), (0, 2), (0, 3), (1, 4), (2, 5), (3, 6), (4, 7), (5, 7), (6, 7)]);
        let at = |node: usize| layout.nodes[node].0;
        let order = |nodes: [usize; 3]| at(nodes[0]).total_cmp(&at(nodes[1])) == at(nodes[1]).total_cmp(&at(nodes[2]));
        assert!(order([1, 2, 3]) && order([4, 5, 6]));
        assert_eq!(at(1) < at(2), at(4) < at(5));
    }

    #[test]
    fn a_chain_is_straight_and_nothing_has_a_place_too() {
        let layout = place(&[SIZE; 3], &[(0, 1), (1, 2)]);
        assert!(layout.nodes.iter().all(|node| (node.0 - layout.nodes[0].0).abs() < 0.01));
        assert!(place(&[], &[]).nodes.is_empty());
        let alone = place(&[SIZE], &[(0, 0)]);
        assert!(matches!(alone.edges[0], Route::Back(_)));
    }

    #[test]
    fn a_large_graph_is_placed_without_overlaps() {
        let edges: Vec<(usize, usize)> = (1..300).flat_map(|node| [(node / 2, node), (node - 1, node)]).collect();
        assert!(!overlap(&place(&[SIZE; 300], &edges)));
    }
}
