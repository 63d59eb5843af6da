//! Stock value against fill, as SVG.

use std::fmt::Write;

use dispatch::parts::simulate::Outcome;
use dispatch::parts::stock::marginal::Line;

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 420.0;
const MARGIN: f64 = 60.0;

/// Least fill that is drawn: nobody plans for less.
const LEAST_FILL: f64 = 0.7;

/// Told apart by most colour-blind people too (Okabe and Ito 2008).
const COLOURS: [&str; 6] = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#000000"];

/// One line a policy, with the target as a dashed one.
pub fn curves(curves: &[(&str, &[Outcome])], line: Line, target: f64) -> String {
    // Twice what the dearest policy needs for the target: further up, curves run away.
    let needs = |curve: &&[Outcome]| {
        curve.iter().find(|outcome| outcome.fill(line) >= target).map(|outcome| outcome.value_cents)
    };
    let most = curves.iter().filter_map(|curve| needs(&curve.1)).fold(1.0, f64::max) * 2.0;
    let drawn = |outcome: &&Outcome| outcome.fill(line) >= LEAST_FILL && outcome.value_cents <= most;
    let x = |fill: f64| MARGIN + (fill - LEAST_FILL) / (1.0 - LEAST_FILL) * (WIDTH - 2.0 * MARGIN);
    let y = |cents: f64| HEIGHT - MARGIN - cents / most * (HEIGHT - 2.0 * MARGIN);
    let mut svg = frame(most, &x, &y);
    let at = x(target.clamp(LEAST_FILL, 1.0));
    push(&mut svg, format_args!(r##"<path d="M{at:.1} {MARGIN}V{:.1}" stroke="#888" stroke-dasharray="4"/>"##, y(0.0)));
    for (index, (name, outcomes)) in curves.iter().enumerate() {
        let colour = COLOURS[index % COLOURS.len()];
        let points: Vec<String> = outcomes
            .iter()
            .filter(drawn)
            .map(|outcome| format!("{:.1},{:.1}", x(outcome.fill(line)), y(outcome.value_cents)))
            .collect();
        let points = points.join(" ");
        push(&mut svg, format_args!(r#"<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>"#));
        let top = MARGIN + 18.0 * index as f64;
        push(&mut svg, format_args!(r#"<text x="{:.1}" y="{top:.1}" fill="{colour}">{name}</text>"#, MARGIN + 12.0));
    }
    svg + "</svg>\n"
}

/// Axes with their labels.
fn frame(most: f64, x: &dyn Fn(f64) -> f64, y: &dyn Fn(f64) -> f64) -> String {
    let mut svg = String::new();
    push(
        &mut svg,
        format_args!(
            r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12">
<rect width="100%" height="100%" fill="white"/>"#
        ),
    );
    let (left, bottom, right) = (x(LEAST_FILL), y(0.0), x(1.0));
    push(&mut svg, format_args!(r#"<path d="M{left} {MARGIN}V{bottom}H{right}" fill="none" stroke="black"/>"#));
    for percent in (70..=100).step_by(5) {
        let at = x(f64::from(percent) / 100.0);
        push(
            &mut svg,
            format_args!(r#"<text x="{at:.1}" y="{:.1}" text-anchor="middle">{percent}</text>"#, bottom + 16.0),
        );
    }
    for step in 1..=4 {
        let cents = most * f64::from(step) / 4.0;
        let (at, value) = (y(cents) + 4.0, cents / 100.0);
        push(&mut svg, format_args!(r#"<text x="{:.1}" y="{at:.1}" text-anchor="end">{value:.0}</text>"#, left - 4.0));
    }
    push(
        &mut svg,
        format_args!(
            r#"<text x="{:.1}" y="{:.1}" text-anchor="middle">order lines filled, %</text>"#,
            WIDTH / 2.0,
            HEIGHT - 16.0
        ),
    );
    push(
        &mut svg,
        format_args!(r#"<text x="{left:.1}" y="{:.1}" text-anchor="middle">mean stock value</text>"#, MARGIN - 24.0),
    );
    svg
}

fn push(svg: &mut String, element: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    let _ = writeln!(svg, "{element}");
}
