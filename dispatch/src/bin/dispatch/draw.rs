//! `dispatch draw`: a plan as one picture, map and Gantt chart.

use std::fmt::Write;
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;
use dispatch::Place;
use dispatch::routing::{Plan, Route, Stop, Time, Window};

use crate::plan::read_plan;

const MAP: f64 = 640.0;
const MARGIN: f64 = 24.0;
const TOP: f64 = 64.0;
const NAMES: f64 = 110.0;
const GANTT: f64 = 900.0;
const ROW: f64 = 22.0;
/// Height of a letter's line, and width of a letter, at the size of the labels.
const LETTER: f64 = 5.6;

/// Draws a plan as SVG: where everybody goes, and when.
#[derive(Args)]
pub struct Draw {
    /// The plan, as `dispatch plan --json` prints it.
    plan: PathBuf,
    /// The picture; without it the SVG is printed.
    #[arg(short, long)]
    output: Option<PathBuf>,
}

/// Runs the subcommand.
pub fn run(arguments: &Draw) -> Result<()> {
    let svg = svg(&read_plan(&arguments.plan)?);
    match &arguments.output {
        None => print!("{svg}"),
        Some(file) => std::fs::write(file, svg).with_context(|| format!("writing {}", file.display()))?,
    }
    Ok(())
}

/// The picture.
fn svg(plan: &Plan) -> String {
    let rows = plan.routes.len() as f64;
    let height = TOP + MARGIN + (MAP + 40.0).max(rows * ROW + 40.0);
    let width = MARGIN * 3.0 + MAP + NAMES + GANTT;
    let mut text = String::new();
    let _ = writeln!(
        text,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" font-size=\"11\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>"
    );
    head(&mut text, plan);
    Map::new(plan).draw(&mut text, plan);
    Gantt::new(plan).draw(&mut text, plan);
    text.push_str("</svg>\n");
    text
}

fn head(text: &mut String, plan: &Plan) {
    let totals = &plan.totals;
    let _ = writeln!(
        text,
        "<text x=\"{MARGIN}\" y=\"28\" font-size=\"18\" font-weight=\"bold\">{} visits by {} technicians, {} not \
         assigned</text>\n<text x=\"{MARGIN}\" y=\"48\" fill=\"#555\">{:.1} h on the road, {:.0} km, {:.1} h overtime, \
         {:.1} visits expected late. Square: start; line: way; × red: not assigned; ◆ pick-up; grey: break; thin bar: \
         travel; bracket below a visit: its window.</text>",
        totals.served,
        plan.routes.len(),
        totals.unserved.iter().sum::<u32>(),
        totals.travel_s as f64 / 3600.0,
        totals.metres / 1000.0,
        totals.overtime_s as f64 / 3600.0,
        totals.expected_late,
    );
}

/// Colours as far from each other as the golden angle brings them.
fn colour(index: usize) -> String {
    let light = [38, 50, 30][index % 3];
    format!("hsl({:.0},65%,{light}%)", (index as f64 * 137.508) % 360.0)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// Where a plan is, and on what scale.
struct Map {
    west: f64,
    north: f64,
    /// Pixels a degree of longitude and of latitude.
    scale: (f64, f64),
}

impl Map {
    fn new(plan: &Plan) -> Self {
        let stops = plan.routes.iter().flat_map(|route| &route.stops).filter_map(place);
        let ends = plan.routes.iter().flat_map(|route| [route.start, route.end]);
        let places: Vec<Place> = stops.chain(ends).chain(plan.unassigned.iter().map(|left| left.place)).collect();
        let range = |of: fn(&Place) -> f64| {
            let (low, high) =
                places.iter().map(of).fold((f64::MAX, f64::MIN), |(low, high), x| (low.min(x), high.max(x)));
            if low <= high { (low, high.max(low + 1e-4)) } else { (0.0, 1e-4) }
        };
        let ((west, east), (south, north)) = (range(|place| place.lon), range(|place| place.lat));
        // A degree of longitude is shorter by the cosine of the latitude.
        let shrink = ((south + north) / 2.0).to_radians().cos().max(0.01);
        let degree = (MAP / ((east - west) * shrink)).min(MAP / (north - south));
        Self { west, north, scale: (degree * shrink, degree) }
    }

    fn at(&self, place: Place) -> (f64, f64) {
        (MARGIN + (place.lon - self.west) * self.scale.0, TOP + (self.north - place.lat) * self.scale.1)
    }

    fn draw(&self, text: &mut String, plan: &Plan) {
        let _ = writeln!(
            text,
            "<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" fill=\"#f6f6f2\" stroke=\"#ccc\"/>",
            MARGIN - 8.0,
            TOP - 8.0,
            MAP + 16.0,
            MAP + 16.0
        );
        for (index, route) in plan.routes.iter().enumerate() {
            self.route(text, route, &colour(index));
        }
        for left in &plan.unassigned {
            let (x, y) = self.at(left.place);
            let _ = writeln!(
                text,
                "<path d=\"M{:.1} {:.1}l8 8m0 -8l-8 8\" stroke=\"#d00\" stroke-width=\"2\"><title>{}: {}</title></path>",
                x - 4.0,
                y - 4.0,
                escaped(left.order.as_str()),
                escaped(&left.why)
            );
        }
    }

    fn route(&self, text: &mut String, route: &Route, colour: &str) {
        let way = std::iter::once(route.start).chain(route.stops.iter().filter_map(place)).chain([route.end]);
        let way: Vec<String> = way.map(|place| self.at(place)).map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        let _ = writeln!(
            text,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.4\" stroke-opacity=\"0.75\"/>",
            way.join(" ")
        );
        let (x, y) = self.at(route.start);
        let name = escaped(route.technician.as_str());
        let _ = writeln!(
            text,
            "<rect x=\"{:.1}\" y=\"{:.1}\" width=\"9\" height=\"9\" fill=\"{colour}\" stroke=\"#fff\"><title>{name}</title></rect>",
            x - 4.5,
            y - 4.5
        );
        for stop in &route.stops {
            let Some((x, y)) = place(stop).map(|place| self.at(place)) else { continue };
            let what = escaped(&describe(stop));
            let _ = match stop {
                Stop::Visit(_) => writeln!(
                    text,
                    "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3.6\" fill=\"{colour}\" stroke=\"#fff\"><title>{name}: {what}</title></circle>"
                ),
                _ => writeln!(
                    text,
                    "<path d=\"M{x:.1} {:.1}l5 5l-5 5l-5 -5z\" fill=\"#222\"><title>{name}: {what}</title></path>",
                    y - 5.0
                ),
            };
        }
    }
}

/// The time axis of a plan.
struct Gantt {
    begin: i64,
    end: i64,
}

impl Gantt {
    fn new(plan: &Plan) -> Self {
        let begin = plan.routes.iter().map(|route| route.leave.0).min().unwrap_or(0);
        let end = plan.routes.iter().map(|route| route.back.0).max().unwrap_or(begin);
        Self { begin: begin.div_euclid(3600) * 3600, end: (end.div_euclid(3600) + 1) * 3600 }
    }

    fn x(&self, time: Time) -> f64 {
        let share = (time.0 - self.begin) as f64 / (self.end - self.begin).max(1) as f64;
        MARGIN * 2.0 + MAP + NAMES + share.clamp(0.0, 1.0) * GANTT
    }

    fn draw(&self, text: &mut String, plan: &Plan) {
        let bottom = TOP + 8.0 + plan.routes.len() as f64 * ROW;
        // At most some 24 marks.
        let step = ((self.end - self.begin) / 3600).div_euclid(24).max(0) + 1;
        for hour in (self.begin / 3600..=self.end / 3600).step_by(step as usize) {
            let x = self.x(Time(hour * 3600));
            let _ = writeln!(
                text,
                "<path d=\"M{x:.1} {TOP}V{bottom:.1}\" stroke=\"#ddd\"/><text x=\"{x:.1}\" y=\"{}\" text-anchor=\"middle\" \
                 fill=\"#555\">{}</text>",
                TOP - 4.0,
                Time(hour * 3600)
            );
        }
        for (index, route) in plan.routes.iter().enumerate() {
            self.row(text, route, TOP + 8.0 + index as f64 * ROW, &colour(index));
        }
    }

    fn row(&self, text: &mut String, route: &Route, y: f64, colour: &str) {
        let name = escaped(route.technician.as_str());
        let short: String = name.chars().take(14).collect();
        let _ = writeln!(
            text,
            "<text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\" fill=\"{colour}\">{short}<title>{name}</title></text>",
            MARGIN * 2.0 + MAP + NAMES - 8.0,
            y + 12.0
        );
        let (from, to) = (self.x(route.leave), self.x(route.back));
        let _ = writeln!(
            text,
            "<rect x=\"{from:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"3\" fill=\"{colour}\" fill-opacity=\"0.45\"/>",
            y + 6.5,
            to - from
        );
        for stop in &route.stops {
            self.stop(text, stop, y, colour);
        }
    }

    fn stop(&self, text: &mut String, stop: &Stop, y: f64, colour: &str) {
        let (label, start, end, fill) = match stop {
            Stop::Visit(visit) => (visit.order.as_str(), visit.start, visit.end, colour),
            Stop::PickUp(pick_up) => (pick_up.station.as_str(), pick_up.start, pick_up.end, "#222"),
            Stop::Break { start, end } => ("", *start, *end, "#bbb"),
        };
        let (from, to) = (self.x(start), self.x(end).max(self.x(start) + 1.5));
        let _ = writeln!(
            text,
            "<rect x=\"{from:.1}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"15\" rx=\"2\" fill=\"{fill}\"><title>{}</title></rect>",
            to - from,
            escaped(&describe(stop))
        );
        // A window as long as the picture says nothing.
        let narrow = |window: &Window| window.start.0 > self.begin || window.end.0 < self.end;
        if let Stop::Visit(visit) = stop
            && narrow(&visit.window)
        {
            let (open, close) = (self.x(visit.window.start), self.x(visit.window.end));
            let bar = y + 17.5;
            let _ = writeln!(
                text,
                "<path d=\"M{open:.1} {bar:.1}v-2v2H{close:.1}v-2\" fill=\"none\" stroke=\"{colour}\"/>"
            );
        }
        let letters = ((to - from - 4.0) / LETTER).max(0.0) as usize;
        if label.chars().count() <= letters {
            let _ = writeln!(
                text,
                "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\" font-size=\"10\" fill=\"#fff\">{}</text>",
                (from + to) / 2.0,
                y + 11.5,
                escaped(label)
            );
        }
    }
}

fn place(stop: &Stop) -> Option<Place> {
    match stop {
        Stop::Visit(visit) => Some(visit.place),
        Stop::PickUp(pick_up) => Some(pick_up.place),
        Stop::Break { .. } => None,
    }
}

fn describe(stop: &Stop) -> String {
    match stop {
        Stop::Visit(visit) => format!("{} {} - {}", visit.order, visit.start, visit.end),
        Stop::PickUp(pick_up) => format!("{} {} - {}", pick_up.station, pick_up.start, pick_up.end),
        Stop::Break { start, end } => format!("break {start} - {end}"),
    }
}
