//! The picture: sound, pitch, level and frustration over one axis of time.

use plotters::coord::Shift;
use plotters::prelude::*;

use super::{HZ, Utterance};

const SIZE: (u32, u32) = (1_200, 800);
/// Points of the waveform's outline.
const OUTLINE: usize = 1_200;
/// Characters of the words under an utterance.
const WORDS: usize = 60;
const ANGRY: f32 = 0.7;

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// Draws it as SVG.
pub(super) fn draw(pcm: &[i16], utterances: &[Utterance]) -> anyhow::Result<String> {
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        let failed = |error| anyhow::anyhow!("the picture cannot be drawn: {error}");
        root.fill(&WHITE).map_err(|e| failed(e.to_string()))?;
        let seconds = (pcm.len() as f32 / HZ).max(0.1);
        let parts = root.split_evenly((4, 1));
        if let [sound, pitch, level, score] = &parts[..] {
            waveform(sound, pcm, seconds).map_err(|e| failed(e.to_string()))?;
            let voiced = utterances.iter().flat_map(|u| &u.contour);
            let f0: Vec<(f32, f32)> = voiced.filter_map(|p| Some((p.at as f32 / HZ, p.f0_hz?))).collect();
            points(pitch, "F0, Hz", seconds, 50.0..500.0, &f0).map_err(|e| failed(e.to_string()))?;
            let heard = utterances.iter().flat_map(|u| &u.contour);
            let loud: Vec<(f32, f32)> = heard.map(|p| (p.at as f32 / HZ, p.level_dbov)).collect();
            points(level, "level 300–3400 Hz, dBov", seconds, -80.0..0.0, &loud).map_err(|e| failed(e.to_string()))?;
            frustration(score, utterances, seconds).map_err(|e| failed(e.to_string()))?;
        }
        root.present().map_err(|e| failed(e.to_string()))?;
    }
    Ok(svg)
}

type Drawn<'a> = Result<(), DrawingAreaErrorKind<<SVGBackend<'a> as DrawingBackend>::ErrorType>>;

fn waveform<'a>(area: &Area<'a>, pcm: &[i16], seconds: f32) -> Drawn<'a> {
    let mut chart = ChartBuilder::on(area)
        .caption("sound", ("sans-serif", 14))
        .margin(6)
        .x_label_area_size(18)
        .y_label_area_size(44)
        .build_cartesian_2d(0f32..seconds, -1f32..1f32)?;
    chart.configure_mesh().disable_mesh().x_labels(12).y_labels(3).draw()?;
    let step = pcm.len().div_ceil(OUTLINE).max(1);
    let lines = pcm.chunks(step).enumerate().map(|(i, part)| {
        let at = (i * step) as f32 / HZ;
        let (low, high) = part.iter().fold((0, 0), |(low, high), x| (*x.min(&low), *x.max(&high)));
        let scaled = |x: i16| f32::from(x) / 32_768.0;
        PathElement::new(vec![(at, scaled(low)), (at, scaled(high))], BLACK.mix(0.6))
    });
    chart.draw_series(lines)?;
    Ok(())
}

fn points<'a>(
    area: &Area<'a>,
    title: &str,
    seconds: f32,
    range: std::ops::Range<f32>,
    points: &[(f32, f32)],
) -> Drawn<'a> {
    let mut chart = ChartBuilder::on(area)
        .caption(title, ("sans-serif", 14))
        .margin(6)
        .x_label_area_size(18)
        .y_label_area_size(44)
        .build_cartesian_2d(0f32..seconds, range)?;
    chart.configure_mesh().light_line_style(WHITE).x_labels(12).y_labels(5).draw()?;
    chart.draw_series(points.iter().map(|point| Circle::new(*point, 1, BLUE.filled())))?;
    Ok(())
}

fn frustration<'a>(area: &Area<'a>, utterances: &[Utterance], seconds: f32) -> Drawn<'a> {
    let mut chart = ChartBuilder::on(area)
        .caption("frustration; a hand-over from the line on", ("sans-serif", 14))
        .margin(6)
        .x_label_area_size(18)
        .y_label_area_size(44)
        .build_cartesian_2d(0f32..seconds, 0f32..1f32)?;
    chart.configure_mesh().light_line_style(WHITE).x_labels(12).y_labels(5).draw()?;
    chart.draw_series([PathElement::new(vec![(0.0, ANGRY), (seconds, ANGRY)], RED)])?;
    // The score holds from the end of an utterance to the end of the next.
    let mut line = Vec::new();
    for u in utterances {
        let at = u.end as f32 / HZ;
        line.extend(line.last().map(|(_, score): &(f32, f32)| (at, *score)));
        line.push((at, u.frustration));
    }
    line.extend(line.last().map(|(_, score)| (seconds, *score)));
    chart.draw_series(LineSeries::new(line, BLACK.stroke_width(2)))?;
    for (i, u) in utterances.iter().enumerate() {
        // Neighbours stand on three rows, so that they do not cover each other.
        let at = (u.start as f32 / HZ, 0.28 - 0.1 * (i % 3) as f32);
        let words: String = u.words.chars().take(WORDS).collect();
        chart.draw_series([Text::new(words, at, ("sans-serif", 11))])?;
    }
    Ok(())
}
