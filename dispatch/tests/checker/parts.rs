//! The books of parts: nothing is used that was not there.

use std::collections::HashMap;

use serde_json::Value;

use super::{array, by_id, int, text};

/// Pieces by place (technician or station) and part.
type Books = HashMap<(String, String), i64>;

/// Appends what does not add up.
pub fn check(problem: &Value, plan: &Value, found: &mut Vec<String>) {
    let orders = by_id(&problem["orders"]);
    let mut stations = stock(&problem["stations"], "stock");
    let mut vans = stock(&problem["technicians"], "van_stock");
    for route in array(&plan["routes"]) {
        let technician = text(&route["technician"]);
        let mut carried: Books = HashMap::new();
        for stop in array(&route["stops"]) {
            match stop["kind"].as_str() {
                Some("pick_up") => pick_up(problem, stop, &mut stations, &mut carried, found),
                Some("visit") => {
                    let order = orders[&text(&stop["order"])];
                    if order["begun"].is_object() {
                        continue;
                    }
                    let from = stop["parts_from"].as_str();
                    for need in array(&order["parts"]) {
                        let place = from.unwrap_or(&technician).to_owned();
                        let books = if from.is_some() { &mut carried } else { &mut vans };
                        take(books, place, need, &text(&stop["order"]), found);
                    }
                }
                _ => {}
            }
        }
        let left: Vec<_> = carried.iter().filter(|(_, pieces)| **pieces != 0).collect();
        if !left.is_empty() {
            found.push(format!("{technician} picks up what no visit needs: {left:?}"));
        }
    }
}

fn pick_up(problem: &Value, stop: &Value, stations: &mut Books, carried: &mut Books, found: &mut Vec<String>) {
    let station = text(&stop["station"]);
    let site = by_id(&problem["stations"])[&station];
    for need in array(&stop["parts"]) {
        let part = text(&need["part"]);
        let stock = array(&site["stock"]).iter().find(|stock| stock["part"] == part.as_str());
        if stock.is_none_or(|stock| int(&stock["ready"]) > int(&stop["start"])) {
            found.push(format!("{part} is not at {station} at {}", stop["start"]));
        }
        take(stations, station.clone(), need, "a pick-up", found);
        *carried.entry((station.clone(), part)).or_default() += int(&need["quantity"]);
    }
}

fn take(books: &mut Books, place: String, need: &Value, by: &str, found: &mut Vec<String>) {
    let part = text(&need["part"]);
    let pieces = books.entry((place.clone(), part.clone())).or_default();
    *pieces -= int(&need["quantity"]);
    if *pieces < 0 {
        found.push(format!("{by} takes {part} from {place}, which has too few"));
    }
}

fn stock(places: &Value, field: &str) -> Books {
    let mut books = Books::new();
    for place in array(places) {
        for held in array(&place[field]) {
            *books.entry((text(&place["id"]), text(&held["part"]))).or_default() += int(&held["quantity"]);
        }
    }
    books
}
