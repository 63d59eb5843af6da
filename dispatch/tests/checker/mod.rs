//! Re-checks a plan against its problem, both as JSON. It shares no code with the library: its own
//! distances (from vectors, not haversines), its own clock, its own books of parts. Only the H3
//! grid comes from the same library as everybody's.

mod parts;
mod roads;

use std::collections::{HashMap, HashSet};

use serde_json::Value;

/// Seconds by which a recomputed travel time may differ: both round up to whole seconds.
const TOLERANCE_S: f64 = 1.001;

/// What is wrong with the plan; empty: nothing.
pub fn violations(problem: &Value, plan: &Value) -> Vec<String> {
    let mut check = Check { problem, orders: by_id(&problem["orders"]), found: Vec::new() };
    let technicians = by_id(&problem["technicians"]);
    let mut shifts = HashSet::new();
    let mut visited: HashMap<String, usize> = HashMap::new();
    for route in array(&plan["routes"]) {
        let name = text(&route["technician"]);
        let shift = int(&route["shift"]);
        if !shifts.insert((name.clone(), shift)) {
            check.fail(format!("{name} has two routes for shift {shift}"));
        }
        match technicians.get(&name) {
            Some(technician) if (shift as usize) < array(&technician["shifts"]).len() => {
                check.route(route, technician, &array(&technician["shifts"])[shift as usize]);
            }
            _ => check.fail(format!("{name} or shift {shift} is unknown")),
        }
        for visit in array(&route["stops"]).iter().filter(|stop| stop["kind"] == "visit") {
            *visited.entry(text(&visit["order"])).or_default() += 1;
        }
    }
    check.every_order_once(plan, &visited);
    parts::check(problem, plan, &mut check.found);
    check.totals(plan);
    check.found
}

struct Check<'v> {
    problem: &'v Value,
    orders: HashMap<String, &'v Value>,
    found: Vec<String>,
}

impl<'v> Check<'v> {
    fn fail(&mut self, what: String) {
        self.found.push(what);
    }

    fn must(&mut self, holds: bool, what: impl FnOnce() -> String) {
        if !holds {
            self.found.push(what());
        }
    }

    fn every_order_once(&mut self, plan: &Value, visited: &HashMap<String, usize>) {
        let mut seen = visited.clone();
        for left in array(&plan["unassigned"]) {
            *seen.entry(text(&left["order"])).or_default() += 1;
            self.must(!array(&left["reasons"]).is_empty(), || format!("{} is left without a reason", left["order"]));
        }
        let ids: Vec<String> = self.orders.keys().cloned().collect();
        for id in ids {
            let count = seen.remove(&id).unwrap_or(0);
            self.must(count == 1, || format!("order {id} is in the plan {count} times"));
        }
        self.must(seen.is_empty(), || format!("unknown orders {seen:?}"));
    }

    fn route(&mut self, route: &Value, technician: &'v Value, shift: &Value) {
        let name = text(&technician["id"]);
        let now = int(&self.problem["now"]);
        let begun = self.begun_by(&name, shift);
        let stops = array(&route["stops"]);
        let leave = int(&route["leave"]);
        match &begun {
            Some((order, start)) => {
                let first = stops.iter().find(|stop| stop["kind"] == "visit").unwrap_or(&Value::Null);
                let is_first = first["order"] == order.as_str() && int(&first["start"]) == *start;
                self.must(is_first, || format!("{name}: the visit {order}, begun at {start}, does not come first"));
            }
            None => {
                let earliest = now.max(int(&shift["start"]));
                self.must(leave >= earliest, || format!("{name} leaves at {leave}, before {earliest}"));
            }
        }
        self.rules(route, technician, shift);
        self.walk(route, technician, shift, begun.as_ref().map(|(order, _)| order.as_str()));
        self.breaks(route, shift, begun.is_some());
    }

    fn begun_by(&self, technician: &str, shift: &Value) -> Option<(String, i64)> {
        let (from, to) = (int(&shift["start"]), int(&shift["end"]));
        self.orders.iter().find_map(|(id, order)| {
            let start = int(&order["begun"]["start"]);
            let here = order["begun"]["technician"] == technician && (from..=to).contains(&start);
            here.then(|| (id.clone(), start))
        })
    }

    /// Who may do what, and how many.
    fn rules(&mut self, route: &Value, technician: &Value, shift: &Value) {
        let name = text(&technician["id"]);
        let last = int(&shift["end"]) + int(&shift["overtime_s"]);
        let visits: Vec<&Value> = array(&route["stops"]).iter().filter(|stop| stop["kind"] == "visit").collect();
        if let Some(most) = technician["capacity"].as_u64() {
            self.must(visits.len() as u64 <= most, || format!("{name} has {} visits of {most}", visits.len()));
        }
        for visit in visits {
            let id = text(&visit["order"]);
            let Some(order) = self.orders.get(&id).copied() else { continue };
            if order["begun"].is_object() {
                self.must(order["begun"]["technician"] == name.as_str(), || {
                    format!("{id} begun by another than {name}")
                });
                continue;
            }
            let holds = |list: &Value, item: &Value| array(list).contains(item);
            let skilled = array(&order["skills"]).iter().all(|skill| holds(&technician["skills"], skill));
            self.must(skilled, || format!("{name} lacks a skill for {id}"));
            let certified = array(&order["certificates"]).iter().all(|needed| {
                array(&technician["certificates"]).iter().any(|held| {
                    held["name"] == *needed && held["valid_until"].as_i64().is_none_or(|until| until >= last)
                })
            });
            self.must(certified, || format!("{name} lacks a certificate for {id}"));
            self.must(!holds(&order["excluded"], &technician["id"]), || format!("{name} is excluded from {id}"));
            let cells = array(&technician["territories"]);
            let inside = cells.is_empty() || cells.iter().any(|cell| roads::is_in_cell(&order["place"], &text(cell)));
            self.must(inside, || format!("{id} lies outside the territory of {name}"));
        }
    }

    /// Time and road from stop to stop.
    fn walk(&mut self, route: &Value, technician: &'v Value, shift: &Value, begun: Option<&str>) {
        let name = text(&technician["id"]);
        let now = int(&self.problem["now"]);
        let goes_on = int(&shift["start"]) <= now && technician["position"].is_object();
        let mut place = if goes_on { &technician["position"] } else { &technician["start"] };
        if let Some(order) = begun {
            place = &self.orders[order]["place"];
        }
        let mut free = int(&route["leave"]);
        let (mut pauses, mut travelled) = (Vec::new(), 0);
        for stop in array(&route["stops"]) {
            let (start, end) = (int(&stop["start"]), int(&stop["end"]));
            if stop["kind"] == "break" {
                pauses.push((start, end));
                continue;
            }
            let (to, service) = self.site(stop);
            self.must(*to == stop["place"], || format!("{name}: {stop} is at another place"));
            let what = format!("{name} at {}{}", text(&stop["order"]), text(&stop["station"]));
            let arrive = int(&stop["arrive"]);
            travelled += self.leg(&what, (place, to), (free, arrive), &pauses, int(&stop["travel_s"]));
            let late_pause = pauses.iter().all(|(from, to)| *to <= arrive || (*from >= arrive && *to <= start));
            self.must(late_pause, || format!("{what}: a break runs into the work"));
            self.must(start >= arrive, || format!("{what}: begins at {start}, arrives at {arrive}"));
            self.must(end - start == service, || format!("{what}: works {} of {service}", end - start));
            if stop["kind"] == "visit" {
                self.window(&what, stop, start);
            }
            (place, free) = (to, end);
            pauses.clear();
        }
        let home = if technician["end"].is_object() { &technician["end"] } else { &technician["start"] };
        let back = int(&route["back"]);
        travelled +=
            self.leg(&format!("{name} at the end"), (place, home), (free, back), &pauses, int(&route["back_travel_s"]));
        self.must(travelled == int(&route["travel_s"]), || format!("{name}: travel_s is not the sum of the legs"));
        let over = (back - int(&shift["end"])).max(0);
        self.must(over == int(&route["overtime_s"]), || format!("{name}: overtime is {over}"));
        // Work that has begun is finished, whatever overtime that takes.
        let only_begun = begun.is_some()
            && array(&route["stops"]).iter().all(|stop| stop["order"].as_str() == begun || stop["kind"] == "break");
        self.must(over <= int(&shift["overtime_s"]) || only_begun, || {
            format!("{name}: {over} s of overtime are too many")
        });
    }

    /// One leg: long enough for the way and the breaks in it. Returns what it says it takes.
    fn leg(
        &mut self,
        what: &str,
        ends: (&Value, &Value),
        (free, arrive): (i64, i64),
        pauses: &[(i64, i64)],
        said: i64,
    ) -> i64 {
        let (mut clock, mut leave) = (free, free);
        let mut resting = 0;
        for (from, to) in pauses {
            self.must(*from >= clock, || format!("{what}: a break at {from} begins before {clock}"));
            clock = *to;
            leave = if *from == leave { *to } else { leave };
            resting += if *to <= arrive { to - from } else { 0 };
        }
        match roads::travel_s(&self.problem["travel"], ends.0, ends.1, leave) {
            None => self.fail(format!("{what}: there is no road")),
            Some(needed) => {
                let had = (arrive - free - resting) as f64;
                self.must(had >= needed - TOLERANCE_S, || format!("{what}: {had} s for a way of {needed} s"));
                let honest = (said as f64 - needed).abs() <= TOLERANCE_S;
                self.must(honest, || format!("{what}: a way of {needed} s is told as {said} s"));
            }
        }
        said
    }

    fn site(&self, stop: &Value) -> (&'v Value, i64) {
        if stop["kind"] == "visit" {
            let order = self.orders[&text(&stop["order"])];
            // A visit that should be over goes on until now.
            let begun = order["begun"]["start"].as_i64().map_or(0, |start| int(&self.problem["now"]) - start);
            return (&order["place"], int(&order["service_s"]).max(begun));
        }
        let stations = array(&self.problem["stations"]);
        let station = stations.iter().find(|station| station["id"] == stop["station"]).expect("a known station");
        (&station["place"], int(&station["pick_up_s"]))
    }

    fn window(&mut self, what: &str, visit: &Value, start: i64) {
        let order = self.orders[&text(&visit["order"])];
        let now = int(&self.problem["now"]);
        let holds = |window: &Value| (int(&window["start"])..=int(&window["end"])).contains(&start);
        if order["begun"].is_object() {
            return self.must(start == int(&order["begun"]["start"]), || format!("{what}: begun at another time"));
        }
        let told = holds(&visit["window"]);
        self.must(told, || format!("{what}: begins outside the window it tells"));
        let windows = array(&order["windows"]);
        let promised = order["promised"].is_object() && holds(&order["promised"]["window"]);
        let inside = promised || windows.is_empty() || windows.iter().any(holds);
        self.must(inside, || format!("{what}: {start} lies in no window"));
        self.must(start >= now, || format!("{what}: begins in the past"));
        let risk = visit["lateness_risk"].as_f64().unwrap_or(-1.0);
        self.must((0.0..=1.0).contains(&risk), || format!("{what}: a risk of {risk}"));
    }

    /// Every break that is still due is taken once, in its window, while the route lasts.
    fn breaks(&mut self, route: &Value, shift: &Value, has_begun: bool) {
        let (leave, back) = (int(&route["leave"]), int(&route["back"]));
        let now = int(&self.problem["now"]);
        let taken: Vec<&Value> = array(&route["stops"]).iter().filter(|stop| stop["kind"] == "break").collect();
        let mut used = vec![false; taken.len()];
        for pause in array(&shift["breaks"]) {
            let (from, until) = (int(&pause["window"]["start"]), int(&pause["window"]["end"]));
            let length = int(&pause["duration_s"]);
            let fits = |stop: &Value| {
                let (start, end) = (int(&stop["start"]), int(&stop["end"]));
                // Work that has begun cannot be interrupted, whatever the window says.
                start >= from && (start <= until || has_begun) && end - start == length
            };
            let found = (0..taken.len()).find(|&i| !used[i] && fits(taken[i]));
            if let Some(i) = found {
                used[i] = true;
            }
            let due = leave <= until && back > until && until >= now.max(int(&shift["start"]));
            self.must(found.is_some() || !due || has_begun, || {
                format!("{}: no break {from}-{until}", route["technician"])
            });
        }
        self.must(used.iter().all(|used| *used), || format!("{}: a break that is not due", route["technician"]));
    }

    fn totals(&mut self, plan: &Value) {
        let routes = array(&plan["routes"]);
        let sum = |field: &str| routes.iter().map(|route| int(&route[field])).sum::<i64>();
        let totals = &plan["totals"];
        for field in ["travel_s", "overtime_s"] {
            self.must(sum(field) == int(&totals[field]), || format!("totals.{field} is not the sum"));
        }
        let left = array(&totals["unserved"]).iter().map(int).sum::<i64>();
        let unassigned = array(&plan["unassigned"]).len() as i64;
        let served = self.orders.len() as i64 - unassigned;
        self.must(left == unassigned && int(&totals["served"]) == served, || "totals count other orders".to_owned());
    }
}

fn by_id(list: &Value) -> HashMap<String, &Value> {
    array(list).iter().map(|record| (text(&record["id"]), record)).collect()
}

fn array(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn int(value: &Value) -> i64 {
    value.as_i64().unwrap_or(0)
}
