//! The modules of the crate as a picture: rows in the order of the table, an arrow for each import that no other ones imply.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::Crate;

const BOX: (f64, f64) = (124.0, 44.0);
const GAP: f64 = 16.0;
const ROW: f64 = 92.0;
const EDGE: f64 = 24.0;

/// A box, or (without a name) the place where an arrow passes a row.
struct Node {
    name: Option<String>,
    row: usize,
    x: f64,
    up: Vec<usize>,
    down: Vec<usize>,
}

/// The picture as SVG.
pub fn draw(all: &Crate, order: &[String]) -> String {
    let edges = reduced(all, order);
    let mut nodes = placed(&rows(order, &edges), &edges);
    let rows = arranged(&mut nodes);
    let left = nodes.iter().map(|node| node.x - half(node)).fold(f64::MAX, f64::min) - EDGE;
    let right = nodes.iter().map(|node| node.x + half(node)).fold(f64::MIN, f64::max) + EDGE;
    let height = ROW * (rows as f64 - 1.0) + BOX.1 + 2.0 * EDGE;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0:.0} {height:.0}\" width=\"{0:.0}\" height=\"{height:.0}\" \
         font-family=\"sans-serif\" text-anchor=\"middle\">\n<defs><marker id=\"head\" viewBox=\"0 0 8 8\" refX=\"8\" refY=\"4\" \
         markerWidth=\"7\" markerHeight=\"7\" orient=\"auto\"><path d=\"M0 0L8 4L0 8z\" fill=\"#567\"/></marker></defs>\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n",
        right - left
    );
    let x = |node: &Node| node.x - left;
    let top = |node: &Node| EDGE + ROW * node.row as f64;
    for start in nodes.iter().filter(|node| node.name.is_some()) {
        for &first in &start.up {
            let (mut from, mut next) = (start, first);
            let mut path = format!("M{:.0} {:.0}", x(from), top(from));
            let title = loop {
                let to = &nodes[next];
                let (begin, end) = (top(from), top(to) + BOX.1);
                let middle = f64::midpoint(begin, end);
                let _ = write!(path, "C{0:.0} {middle:.0} {1:.0} {middle:.0} {1:.0} {end:.0}", x(from), x(to));
                if let Some(name) = &to.name {
                    break format!("{} imports {name}", start.name.as_deref().unwrap_or_default());
                }
                let _ = write!(path, "V{:.0}", top(to));
                (from, next) = (to, to.up[0]);
            };
            let _ = writeln!(
                svg,
                "<path d=\"{path}\" fill=\"none\" stroke=\"#567\" stroke-width=\"1.2\" marker-end=\"url(#head)\"><title>{title}</title></path>"
            );
        }
    }
    for node in &nodes {
        let Some(name) = &node.name else { continue };
        let (x, y) = (x(node), top(node));
        let _ = writeln!(
            svg,
            "<rect x=\"{:.0}\" y=\"{y:.0}\" width=\"{}\" height=\"{}\" rx=\"6\" fill=\"#eef3f8\" stroke=\"#567\"/>\n\
             <text x=\"{x:.0}\" y=\"{:.0}\" font-size=\"15\" font-weight=\"bold\" fill=\"#123\">{name}</text>\n\
             <text x=\"{x:.0}\" y=\"{:.0}\" font-size=\"11\" fill=\"#456\">{} lines</text>",
            x - BOX.0 / 2.0,
            BOX.0,
            BOX.1,
            y + 20.0,
            y + 36.0,
            lines(all, name)
        );
    }
    svg + "</svg>\n"
}

/// The picture without what changes with every commit.
pub fn without_lines(svg: &str) -> Vec<&str> {
    svg.lines().filter(|line| !line.ends_with(" lines</text>")).collect()
}

fn lines(all: &Crate, top: &str) -> usize {
    let files: BTreeMap<&str, usize> = all
        .modules
        .iter()
        .filter(|(path, _)| path.get(1).is_some_and(|name| name == top))
        .map(|(_, module)| (module.file.as_str(), module.lines))
        .filter(|(_, lines)| *lines > 0)
        .collect();
    files.values().sum()
}

/// Who imports whom, without what follows from the rest.
fn reduced(all: &Crate, order: &[String]) -> BTreeMap<String, BTreeSet<String>> {
    let mut edges: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for import in all.imports() {
        if let (Some(from), Some(to)) = (import.from.get(1), import.to.get(1))
            && import.to[0] == "crate"
            && from != to
            && order.contains(to)
        {
            edges.entry(from.clone()).or_default().insert(to.clone());
        }
    }
    let whole = edges.clone();
    let reaches = |from: &String, to: &String| {
        let (mut seen, mut left) = (BTreeSet::new(), vec![from]);
        while let Some(next) = left.pop() {
            for target in whole.get(next).into_iter().flatten() {
                if target == to {
                    return true;
                }
                if seen.insert(target) {
                    left.push(target);
                }
            }
        }
        false
    };
    for targets in edges.values_mut() {
        let direct = targets.clone();
        targets.retain(|to| !direct.iter().any(|other| other != to && reaches(other, to)));
    }
    edges
}

/// The order of the table, with those side by side of which none imports another.
fn rows(order: &[String], edges: &BTreeMap<String, BTreeSet<String>>) -> Vec<Vec<String>> {
    let mut rows: Vec<Vec<String>> = vec![Vec::new()];
    for name in order {
        let imports = |other: &String| edges.get(name).is_some_and(|targets| targets.contains(other));
        if rows.last().is_some_and(|row| row.iter().any(imports)) {
            rows.push(Vec::new());
        }
        rows.last_mut().expect("there is a first row").push(name.clone());
    }
    rows
}

fn placed(rows: &[Vec<String>], edges: &BTreeMap<String, BTreeSet<String>>) -> Vec<Node> {
    let node = |name, row| Node { name, row, x: 0.0, up: Vec::new(), down: Vec::new() };
    let mut nodes = Vec::new();
    let mut at = BTreeMap::new();
    for (row, names) in rows.iter().enumerate() {
        for name in names {
            at.insert(name, nodes.len());
            nodes.push(node(Some(name.clone()), row));
        }
    }
    for (from, targets) in edges {
        for to in targets {
            let (Some(&start), Some(&end)) = (at.get(from), at.get(to)) else { continue };
            let mut below = start;
            for row in (nodes[end].row + 1..nodes[start].row).rev() {
                nodes.push(node(None, row));
                let here = nodes.len() - 1;
                link(&mut nodes, below, here);
                below = here;
            }
            link(&mut nodes, below, end);
        }
    }
    nodes
}

fn link(nodes: &mut [Node], below: usize, above: usize) {
    nodes[below].up.push(above);
    nodes[above].down.push(below);
}

fn half(node: &Node) -> f64 {
    if node.name.is_some() { BOX.0 / 2.0 } else { 3.0 }
}

/// Puts each node near those that it is linked with; returns how many rows there are.
fn arranged(nodes: &mut [Node]) -> usize {
    let count = nodes.iter().map(|node| node.row).max().unwrap_or(0) + 1;
    let mut rows: Vec<Vec<usize>> =
        (0..count).map(|row| (0..nodes.len()).filter(|&at| nodes[at].row == row).collect()).collect();
    for row in &rows {
        spread(nodes, row, &vec![0.0; row.len()]);
    }
    for round in 0..60 {
        let down = round % 2 == 0;
        for turn in 0..count {
            let row = &mut rows[if down { turn } else { count - 1 - turn }];
            let wish = |at: &usize| {
                let node = &nodes[*at];
                // The last rounds look both ways, so that lines get straight.
                let near: Vec<usize> = match (round > 40, down) {
                    (true, _) => [node.up.as_slice(), &node.down].concat(),
                    (false, true) => node.up.clone(),
                    (false, false) => node.down.clone(),
                };
                match near.len() {
                    0 => node.x,
                    many => near.iter().map(|&other| nodes[other].x).sum::<f64>() / many as f64,
                }
            };
            let mut wishes: Vec<(f64, usize)> = row.iter().map(|at| (wish(at), *at)).collect();
            if round <= 40 {
                wishes.sort_by(|one, other| one.0.total_cmp(&other.0).then(one.1.cmp(&other.1)));
            }
            *row = wishes.iter().map(|(_, at)| *at).collect();
            let wishes: Vec<f64> = wishes.iter().map(|(wish, _)| *wish).collect();
            spread(nodes, row, &wishes);
        }
    }
    count
}

/// As near to the wishes as the widths allow.
fn spread(nodes: &mut [Node], row: &[usize], wishes: &[f64]) {
    let apart = |one: usize, other: usize| half(&nodes[one]) + half(&nodes[other]) + GAP;
    let (mut right, mut left) = (wishes.to_vec(), wishes.to_vec());
    for at in 1..row.len() {
        right[at] = right[at].max(right[at - 1] + apart(row[at - 1], row[at]));
    }
    for at in (1..row.len()).rev() {
        left[at - 1] = left[at - 1].min(left[at] - apart(row[at - 1], row[at]));
    }
    for (at, &node) in row.iter().enumerate() {
        nodes[node].x = f64::midpoint(right[at], left[at]);
    }
}
