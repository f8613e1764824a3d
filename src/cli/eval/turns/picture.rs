//! The picture: false ends against delay, one curve a method.

use std::path::Path;

use plotters::prelude::*;

/// A method's name, its points (median delay in ms, share of false ends) and its colour.
pub(super) type Curve = (&'static str, Vec<(f32, f32)>, RGBColor);

const SIZE: (u32, u32) = (640, 480);
const LONGEST_MS: f32 = 1_500.0;

/// Writes an SVG; `ours` is marked, as calls are served.
pub(super) fn write(path: &Path, curves: &[Curve], ours: (f32, f32)) -> anyhow::Result<()> {
    draw(path, curves, ours).map_err(|error| anyhow::anyhow!("cannot draw {}: {error}", path.display()))
}

fn draw(path: &Path, curves: &[Curve], ours: (f32, f32)) -> Result<(), String> {
    let text = |error: DrawingAreaErrorKind<_>| error.to_string();
    let root = SVGBackend::new(path, SIZE).into_drawing_area();
    root.fill(&WHITE).map_err(text)?;
    let most = curves.iter().flat_map(|curve| &curve.1).map(|point| point.1).fold(0.1, f32::max);
    let mut chart = ChartBuilder::on(&root)
        .caption("turns that are cut off, over the delay after all others", ("sans-serif", 16))
        .margin(12)
        .x_label_area_size(36)
        .y_label_area_size(48)
        .build_cartesian_2d(0f32..LONGEST_MS, 0f32..most)
        .map_err(text)?;
    chart
        .configure_mesh()
        .x_desc("median delay, ms")
        .y_desc("share of turns cut off")
        .y_label_formatter(&|share| format!("{:.0} %", share * 100.0))
        .draw()
        .map_err(text)?;
    for (name, points, colour) in curves {
        let colour = *colour;
        chart
            .draw_series(LineSeries::new(points.iter().copied(), colour.stroke_width(2)))
            .map_err(text)?
            .label(*name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(2)));
    }
    chart.draw_series([Circle::new(ours, 5, BLACK.filled())]).map_err(text)?;
    chart.configure_series_labels().background_style(WHITE).border_style(BLACK).draw().map_err(text)?;
    root.present().map_err(text)
}
