//! Where nodes stand: in rows by their distance from the start, ordered within a row by what they are connected to
//! (barycentres, as Sugiyama, Tagawa and Toda 1981 have it).

use std::collections::VecDeque;

use super::Picture;

/// Sweeps over the rows; more change little.
const SWEEPS: usize = 6;

/// Rows of nodes, from the top. Every node stands in one.
pub(super) fn rows(picture: &Picture<'_>) -> Vec<Vec<usize>> {
    let count = picture.nodes.len();
    let mut next: Vec<Vec<usize>> = vec![Vec::new(); count];
    let mut all: Vec<Vec<usize>> = vec![Vec::new(); count];
    for arrow in &picture.arrows {
        next[arrow.from].push(arrow.to);
        all[arrow.from].push(arrow.to);
        all[arrow.to].push(arrow.from);
    }
    let mut depth: Vec<Option<usize>> = vec![None; count];
    let start = picture.nodes.iter().position(|node| picture.is_start(node)).unwrap_or(0);
    // What the start does not reach begins rows of its own, from the top.
    for first in [start].into_iter().chain(0..count) {
        if depth[first].is_some() {
            continue;
        }
        depth[first] = Some(0);
        let mut open = VecDeque::from([first]);
        while let Some(at) = open.pop_front() {
            let below = depth[at].map_or(0, |depth| depth + 1);
            for &to in &next[at] {
                if depth[to].is_none() {
                    depth[to] = Some(below);
                    open.push_back(to);
                }
            }
        }
    }
    let deepest = depth.iter().flatten().copied().max().unwrap_or(0);
    let mut rows: Vec<Vec<usize>> = vec![Vec::new(); deepest + 1];
    for (at, depth) in depth.iter().enumerate() {
        rows[depth.unwrap_or(0)].push(at);
    }
    let mut place = vec![0.0_f64; count];
    let settle = |rows: &[Vec<usize>], place: &mut Vec<f64>| {
        for row in rows {
            for (at, node) in row.iter().enumerate() {
                place[*node] = (at as f64 + 0.5) / row.len() as f64;
            }
        }
    };
    settle(&rows, &mut place);
    for _ in 0..SWEEPS {
        for row in &mut rows {
            let middle = |node: &usize| {
                let near = &all[*node];
                if near.is_empty() {
                    place[*node]
                } else {
                    near.iter().map(|to| place[*to]).sum::<f64>() / near.len() as f64
                }
            };
            row.sort_by(|a, b| middle(a).total_cmp(&middle(b)).then(a.cmp(b)));
        }
        settle(&rows, &mut place);
    }
    rows
}
