//! Two pictures: the ROC curves, and how true the probabilities are.

use std::path::Path;

use anyhow::Context;
use plotters::prelude::*;

use super::corpus::Label;
use super::score::Scored;

const SIZE: (u32, u32) = (560, 560);

/// Writes `roc.svg` and `calibration.svg` into a folder.
pub(super) fn write(dir: &Path, scored: &[Scored]) -> anyhow::Result<()> {
    std::fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
    let against = |of: &dyn Fn(Label) -> bool| -> Vec<(f32, bool)> {
        let wanted = scored.iter().filter(|s| s.label == Label::Anger || of(s.label));
        wanted.map(|s| (s.baseline.probability, s.label == Label::Anger)).collect()
    };
    let all = against(&|_| true);
    let curves = [
        ("anger against neutral", roc(&against(&|l| l == Label::Calm)), BLUE),
        ("anger against all", roc(&all), RED),
        ("anger against joy", roc(&against(&|l| l == Label::Joy)), BLACK),
    ];
    save(&dir.join("roc.svg"), "ROC: found over falsely called angry", &curves)?;
    let curves = [("share that was angry, by probability", reliability(&all), RED)];
    save(&dir.join("calibration.svg"), "calibration: angry over probability", &curves)
}

/// False over true positive rate as the threshold falls, from (0, 0) to (1, 1); empty without both classes.
pub(super) fn roc(scored: &[(f32, bool)]) -> Vec<(f32, f32)> {
    let mut sorted: Vec<&(f32, bool)> = scored.iter().collect();
    sorted.sort_by(|a, b| b.0.total_cmp(&a.0));
    let angry = sorted.iter().filter(|s| s.1).count() as f32;
    let rest = sorted.len() as f32 - angry;
    if angry == 0.0 || rest == 0.0 {
        return Vec::new();
    }
    let mut points = vec![(0.0, 0.0)];
    let (mut found, mut wrong) = (0.0, 0.0);
    for (i, s) in sorted.iter().enumerate() {
        if s.1 {
            found += 1.0
        } else {
            wrong += 1.0
        }
        // Equal scores are one step.
        if sorted.get(i + 1).is_none_or(|next| next.0 < s.0) {
            points.push((wrong / rest, found / angry));
        }
    }
    points
}

/// Mean probability over the share that was angry, of ten bins; empty ones are left out.
fn reliability(scored: &[(f32, bool)]) -> Vec<(f32, f32)> {
    let bins = (0..10).filter_map(|bin| {
        let of: Vec<_> = scored.iter().filter(|s| ((s.0 * 10.0) as usize).min(9) == bin).collect();
        let n = of.len() as f32;
        (!of.is_empty())
            .then(|| (of.iter().map(|s| s.0).sum::<f32>() / n, of.iter().filter(|s| s.1).count() as f32 / n))
    });
    bins.collect()
}

fn save(path: &Path, title: &str, curves: &[(&str, Vec<(f32, f32)>, RGBColor)]) -> anyhow::Result<()> {
    draw(path, title, curves).map_err(|error| anyhow::anyhow!("cannot draw {}: {error}", path.display()))
}

fn draw(path: &Path, title: &str, curves: &[(&str, Vec<(f32, f32)>, RGBColor)]) -> Result<(), String> {
    let root = SVGBackend::new(path, SIZE).into_drawing_area();
    root.fill(&WHITE).map_err(|e| e.to_string())?;
    let mut chart = ChartBuilder::on(&root)
        .caption(title, ("sans-serif", 16))
        .margin(12)
        .x_label_area_size(30)
        .y_label_area_size(40)
        .build_cartesian_2d(0f32..1f32, 0f32..1f32)
        .map_err(|e| e.to_string())?;
    chart.configure_mesh().light_line_style(WHITE).draw().map_err(|e| e.to_string())?;
    chart.draw_series([PathElement::new(vec![(0.0, 0.0), (1.0, 1.0)], BLACK.mix(0.3))]).map_err(|e| e.to_string())?;
    for (i, (name, points, colour)) in curves.iter().enumerate() {
        chart
            .draw_series(LineSeries::new(points.iter().copied(), colour.stroke_width(2)))
            .map_err(|e| e.to_string())?;
        let at = (0.45, 0.2 - 0.05 * i as f32);
        let style = ("sans-serif", 13).into_font().color(colour);
        chart.draw_series([Text::new((*name).to_string(), at, style)]).map_err(|e| e.to_string())?;
    }
    root.present().map_err(|e| e.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_curve_goes_from_corner_to_corner_in_steps_of_equal_scores() {
        let scored = [(0.9, true), (0.5, true), (0.5, false), (0.1, false)];
        assert_eq!(roc(&scored), [(0.0, 0.0), (0.0, 0.5), (0.5, 1.0), (1.0, 1.0)]);
        assert!(roc(&scored[..2]).is_empty());
        assert_eq!(reliability(&[(0.82, true), (0.88, false)]), [(0.85, 0.5)]);
    }
}
