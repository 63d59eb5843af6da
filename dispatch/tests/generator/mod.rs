//! Problems as JSON from a seed, with every kind of rule in play.

use serde_json::{Value, json};

const SKILLS: [&str; 4] = ["gas", "electric", "cooling", "heat_pump"];
const CERTIFICATES: [&str; 2] = ["F-gas", "gas-safe"];
const PARTS: [&str; 4] = ["igniter", "fan", "pump", "board"];
const DAY: i64 = 86_400;

/// SplitMix64 (Steele, Lea & Flood 2014).
pub struct Draw(u64);

impl Draw {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number in `from..to`.
    pub fn int(&mut self, from: i64, to: i64) -> i64 {
        from + (self.next() % (to - from) as u64) as i64
    }

    pub fn chance(&mut self, percent: i64) -> bool {
        self.int(0, 100) < percent
    }

    fn pick<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.int(0, of.len() as i64) as usize]
    }

    fn some(&mut self, of: &[&str], percent: i64) -> Vec<Value> {
        of.iter().filter(|_| self.chance(percent)).map(|name| json!(name)).collect()
    }

    fn place(&mut self) -> Value {
        json!({"lat": 52.4 + self.int(0, 200) as f64 / 1000.0, "lon": 13.2 + self.int(0, 400) as f64 / 1000.0})
    }
}

/// A problem of up to 24 orders and 8 technicians. Without `detours_cost`, a detour may be quicker
/// than the direct way, as in the matrices of road routers.
pub fn problem(seed: u64, detours_cost: bool) -> Value {
    let draw = &mut Draw::new(seed);
    let days = if draw.chance(25) { 2 } else { 1 };
    let now = if draw.chance(40) { draw.int(8 * 3600, 11 * 3600) } else { 0 };
    let count = draw.int(1, 9);
    let technicians: Vec<Value> = (0..count).map(|index| technician(draw, index, days)).collect();
    let ids: Vec<String> = (0..count).map(|index| format!("T{index}")).collect();
    let orders: Vec<Value> = (0..draw.int(1, 25)).map(|index| order(draw, index, days, &ids)).collect();
    let mut problem = json!({
        "now": now,
        "orders": orders,
        "technicians": technicians,
        "stations": (0..draw.int(0, 3)).map(|index| station(draw, index)).collect::<Vec<_>>(),
    });
    if now > 0 {
        begin(draw, &mut problem, now);
    }
    problem["travel"] = travel(draw, &problem, detours_cost);
    problem
}

fn technician(draw: &mut Draw, index: i64, days: i64) -> Value {
    let mut technician = json!({
        "id": format!("T{index}"),
        "start": draw.place(),
        "skills": draw.some(&SKILLS, 75),
        "shifts": (0..days).map(|day| shift(draw, day)).collect::<Vec<_>>(),
        "cost": draw.int(5, 20) as f64 / 10.0,
        "worked_s": draw.int(0, 50_000),
    });
    if draw.chance(30) {
        technician["end"] = draw.place();
    }
    if draw.chance(30) {
        technician["position"] = draw.place();
    }
    if draw.chance(40) {
        technician["capacity"] = json!(draw.int(0, 9));
    }
    if draw.chance(50) {
        technician["rating"] = json!(draw.int(0, 51) as f64 / 10.0);
    }
    let held: Vec<Value> = draw.some(&CERTIFICATES, 70);
    technician["certificates"] = held
        .into_iter()
        .map(|name| match draw.chance(30) {
            true => json!({"name": name, "valid_until": draw.int(0, 3 * DAY)}),
            false => json!({"name": name}),
        })
        .collect();
    technician["van_stock"] =
        draw.some(&PARTS, 40).into_iter().map(|part| json!({"part": part, "quantity": draw.int(1, 3)})).collect();
    if draw.chance(20) {
        let cell = |draw: &mut Draw| {
            let place = draw.place();
            let point = h3o::LatLng::new(place["lat"].as_f64().unwrap(), place["lon"].as_f64().unwrap()).unwrap();
            let resolution = if draw.chance(50) { h3o::Resolution::Five } else { h3o::Resolution::Six };
            json!(point.to_cell(resolution).to_string())
        };
        technician["territories"] = (0..draw.int(1, 8)).map(|_| cell(draw)).collect();
    }
    technician
}

fn shift(draw: &mut Draw, day: i64) -> Value {
    let start = day * DAY + draw.int(6, 10) * 3600;
    let end = start + draw.int(5, 10) * 3600;
    let mut shift = json!({"start": start, "end": end});
    if draw.chance(30) {
        shift["overtime_s"] = json!(draw.int(0, 7200));
    }
    if draw.chance(60) {
        let from = start + draw.int(2 * 3600, 3 * 3600);
        let mut breaks = vec![pause(from, draw.int(0, 1200), 900)];
        if draw.chance(40) {
            breaks.push(pause(from + 2100, draw.int(0, 1500), 900));
        }
        shift["breaks"] = json!(breaks);
    }
    shift
}

fn pause(from: i64, slack: i64, duration: i64) -> Value {
    json!({"window": {"start": from, "end": from + slack}, "duration_s": duration})
}

fn order(draw: &mut Draw, index: i64, days: i64, technicians: &[String]) -> Value {
    let names: Vec<&str> = technicians.iter().map(String::as_str).collect();
    let mut order = json!({
        "id": format!("W{index}"),
        "place": draw.place(),
        "service_s": draw.int(0, 60) * 60,
        "priority": draw.pick(&["low", "normal", "high", "urgent"]),
        "skills": draw.some(&SKILLS, 12),
        "certificates": draw.some(&CERTIFICATES, 10),
        "preferred": draw.some(&names, 10),
        "excluded": draw.some(&names, 7),
    });
    if draw.chance(70) {
        let day = draw.int(0, days) * DAY;
        let first = day + draw.int(7 * 3600, 13 * 3600);
        let mut windows = vec![json!({"start": first, "end": first + draw.int(0, 4 * 3600)})];
        if draw.chance(30) {
            let second = windows[0]["end"].as_i64().unwrap() + draw.int(0, 3600);
            windows.push(json!({"start": second, "end": second + 3600}));
        }
        order["windows"] = json!(windows);
    }
    if draw.chance(25) {
        order["parts"] =
            draw.some(&PARTS, 40).into_iter().map(|part| json!({"part": part, "quantity": draw.int(1, 3)})).collect();
    }
    if draw.chance(20) {
        let start = draw.int(0, days) * DAY + draw.int(8 * 3600, 15 * 3600);
        order["promised"] = json!({"window": {"start": start, "end": start + 7200}});
        if draw.chance(50) {
            order["promised"]["technician"] = json!(draw.pick(&names));
        }
    }
    order
}

fn station(draw: &mut Draw, index: i64) -> Value {
    let stock = draw.some(&PARTS, 70).into_iter().map(|part| match draw.chance(30) {
        true => json!({"part": part, "quantity": draw.int(0, 5), "ready": draw.int(6, 14) * 3600}),
        false => json!({"part": part, "quantity": draw.int(0, 5)}),
    });
    let stock: Vec<Value> = stock.collect();
    json!({"id": format!("S{index}"), "place": draw.place(), "pick_up_s": draw.int(0, 900), "stock": stock})
}

/// Some technicians are at work.
fn begin(draw: &mut Draw, problem: &mut Value, now: i64) {
    let technicians = problem["technicians"].as_array().unwrap().len();
    for index in 0..technicians.min(problem["orders"].as_array().unwrap().len()) {
        let shift = &problem["technicians"][index]["shifts"][0];
        let (from, to) = (shift["start"].as_i64().unwrap(), shift["end"].as_i64().unwrap());
        let start = now - draw.int(0, 3600);
        if draw.chance(40) && (from..=to).contains(&start) {
            problem["orders"][index]["begun"] = json!({"technician": format!("T{index}"), "start": start});
        }
    }
}

fn travel(draw: &mut Draw, problem: &Value, detours_cost: bool) -> Value {
    if draw.chance(60) {
        let mut estimate = json!({"speed_kmh": draw.int(20, 60), "stop_s": draw.int(0, 600)});
        if draw.chance(40) {
            estimate["speed_by_hour"] = (0..24).map(|_| json!(draw.int(50, 120) as f64 / 100.0)).collect();
            estimate["utc_offset_s"] = json!(draw.int(-2, 3) * 3600);
        }
        if !detours_cost && draw.chance(30) {
            let cell = h3o::LatLng::new(52.5, 13.4).unwrap().to_cell(h3o::Resolution::Six);
            estimate["cells"] = json!([{"cell": cell.to_string(), "factor": 0.6}]);
        }
        return json!({"estimate": estimate});
    }
    let mut places: Vec<Value> = Vec::new();
    let mut add = |place: &Value| {
        if place.is_object() && !places.contains(place) {
            places.push(place.clone());
        }
    };
    for list in ["orders", "stations", "technicians"] {
        for record in problem[list].as_array().unwrap() {
            ["place", "start", "end", "position"].iter().for_each(|field| add(&record[field]));
        }
    }
    let delay: Vec<i64> = places.iter().map(|_| draw.int(0, 300)).collect();
    // Somewhere no road leads to; never where somebody already is.
    let begun = problem["orders"].as_array().unwrap().iter().any(|order| order["begun"].is_object());
    let island = if !begun && draw.chance(30) { draw.int(0, places.len() as i64) as usize } else { usize::MAX };
    let mut leg = |from: usize, to: usize| {
        let degrees = |field: &str| places[from][field].as_f64().unwrap() - places[to][field].as_f64().unwrap();
        let way = degrees("lat").hypot(degrees("lon")) * 6000.0;
        match from == to {
            true => json!(0),
            false if (from == island) != (to == island) => Value::Null,
            false if detours_cost => json!(way + delay[to] as f64),
            false if !begun && draw.chance(3) => Value::Null,
            false => json!(draw.int(60, 3000) as f64 + 0.5),
        }
    };
    let rows: Vec<Vec<Value>> =
        (0..places.len()).map(|from| (0..places.len()).map(|to| leg(from, to)).collect()).collect();
    json!({"matrix": {"places": places, "durations_s": rows}})
}
