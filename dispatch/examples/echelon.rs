//! Plans for the multi-echelon (and the single-place) instances of a file in the format of
//! `stockpyl`, one line of JSON each; `dispatch/benches/echelon` puts them beside
//! `stockpyl`'s own optimum.
//!
//! `cargo run --release -p dispatch --example echelon -- stockpyl_instances.json[.gz]`

use std::collections::BTreeMap;
use std::io::Read;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use dispatch::parts::stock::echelon::guaranteed::{ServiceStage, place_safety_stock};
use dispatch::parts::stock::echelon::{
    AssemblyStage, Demand, ReorderProblem, StockPoint, StockTree, assembly, reorder_point,
};
use serde_json::{Value, json};

fn main() -> Result<()> {
    let file = std::env::args().nth(1).context("give the file of instances")?;
    let instances: Value = serde_json::from_str(&read(&file)?)?;
    for instance in instances["instances"].as_array().context("no list of instances")? {
        let started = Instant::now();
        let name = &instance["name"];
        let planned = match plan(&instance["data"]) {
            Ok(Some(planned)) => planned,
            Ok(None) => continue,
            Err(error) => json!({ "kind": "not covered", "why": error.to_string() }),
        };
        let micros = started.elapsed().as_micros() as u64;
        println!("{}", json!({ "name": name, "plan": planned, "us": micros }));
    }
    Ok(())
}

fn read(file: &str) -> Result<String> {
    let bytes = std::fs::read(file).with_context(|| format!("cannot read {file}"))?;
    let mut text = String::new();
    if file.ends_with(".gz") {
        flate2::read::GzDecoder::new(&bytes[..]).read_to_string(&mut text)?;
    } else {
        text = String::from_utf8(bytes)?;
    }
    Ok(text)
}

/// `None`: of another kind (lot sizes, yields, …).
fn plan(data: &Value) -> Result<Option<Value>> {
    let Some(nodes) = data["_nodes"].as_array() else { return single_place(data) };
    let nodes = nodes.iter().map(Node::read).collect::<Result<Vec<_>>>()?;
    if nodes.iter().any(|n| n.number("processing_time").is_some()) {
        return promises(&nodes).map(Some);
    }
    if nodes.iter().any(|n| n.number("local_holding_cost").or(n.number("echelon_holding_cost")).is_none()) {
        bail!("no holding costs");
    }
    let is_tree = nodes.iter().all(|n| n.suppliers.len() <= 1);
    if is_tree { tree(&nodes).map(Some) } else { joined(&nodes).map(Some) }
}

/// A newsvendor, one place whose lead time is one period; or lots at a fixed cost.
fn single_place(data: &Value) -> Result<Option<Value>> {
    let keys: Vec<&str> = data.as_object().context("no object")?.keys().map(String::as_str).collect();
    let known = ["holding_cost", "stockout_cost", "demand_mean", "demand_sd", "lead_time"];
    let number = |key: &str| data[key].as_f64();
    if let (Some(order_cost), Some(lead_time), None) = (number("fixed_cost"), number("lead_time"), number("demand_sd"))
    {
        let problem = ReorderProblem {
            demand: Demand::Poisson { mean: number("demand_mean").context("no mean demand")? },
            lead_time,
            holding: number("holding_cost").context("no holding cost")?,
            backorder: number("stockout_cost").context("no stockout cost")?,
            order_cost,
        };
        let plan = reorder_point(&problem)?;
        return Ok(Some(json!({
            "kind": "reorder", "cost": plan.cost, "reorder_point": plan.reorder_point, "lot": plan.lot,
        })));
    }
    let (Some(holding), Some(backorder), Some(mean)) =
        (data["holding_cost"].as_f64(), data["stockout_cost"].as_f64(), data["demand_mean"].as_f64())
    else {
        return Ok(None);
    };
    if keys.iter().any(|key| !known.contains(key)) {
        return Ok(None);
    }
    let demand = data["demand_sd"].as_f64().map_or(Demand::Poisson { mean }, |sd| Demand::Normal { mean, sd });
    // Periodic review: the period of the order and its lead time.
    let lead_time = 1.0 + data["lead_time"].as_f64().unwrap_or(0.0);
    let point = StockPoint { id: "1".into(), parent: None, lead_time, holding, demand: Some(demand), backorder };
    let plan = StockTree::new(vec![point])?.cheapest();
    Ok(Some(json!({ "kind": "single", "cost": plan.cost, "local": { "1": plan.points[0].level } })))
}

struct Node<'a> {
    value: &'a Value,
    id: String,
    suppliers: Vec<String>,
}

impl<'a> Node<'a> {
    fn read(value: &'a Value) -> Result<Self> {
        let id = value["_index"].as_i64().context("a node has no index")?.to_string();
        let suppliers = value["_predecessor_indices"].as_array().into_iter().flatten();
        Ok(Self { value, id, suppliers: suppliers.map(ToString::to_string).collect() })
    }

    fn number(&self, key: &str) -> Option<f64> {
        self.value[key].as_f64()
    }

    fn demand(&self) -> Result<Option<Demand>> {
        let source = &self.value["demand_source"];
        let Some(kind) = source["type"].as_str() else { return Ok(None) };
        let mean = source["mean"].as_f64().context("demand without mean")?;
        let sd = source["standard_deviation"].as_f64().unwrap_or(0.0);
        match kind {
            "P" => Ok(Some(Demand::Poisson { mean })),
            "N" => Ok(Some(Demand::Normal { mean, sd })),
            other => bail!("demand of type {other}"),
        }
    }
}

/// One supplier to each node: a chain or a distribution system.
fn tree(nodes: &[Node<'_>]) -> Result<Value> {
    let local = local_holding(nodes);
    let point = |node: &Node<'_>| {
        Ok(StockPoint {
            id: node.id.as_str().into(),
            parent: node.suppliers.first().map(|id| id.as_str().into()),
            lead_time: node.number("shipment_lead_time").unwrap_or(0.0),
            holding: local[&node.id],
            demand: node.demand()?,
            backorder: if node.demand()?.is_some() { node.number("stockout_cost").unwrap_or(0.0) } else { 0.0 },
        })
    };
    let tree = StockTree::new(nodes.iter().map(point).collect::<Result<_>>()?)?;
    let plan = tree.cheapest();
    let levels: BTreeMap<&str, f64> = plan.points.iter().map(|p| (p.id.as_str(), p.level)).collect();
    let mut branches: Vec<&str> = nodes.iter().flat_map(|n| n.suppliers.first()).map(String::as_str).collect();
    branches.sort_unstable();
    let is_chain = branches.windows(2).all(|pair| pair[0] != pair[1]);
    let echelon: BTreeMap<&str, f64> = nodes.iter().map(|n| (n.id.as_str(), below(n, nodes, &levels))).collect();
    let kind = if is_chain { "chain" } else { "distribution" };
    Ok(json!({ "kind": kind, "cost": plan.cost, "local": levels, "echelon": echelon }))
}

/// The level of a node and of all it supplies.
fn below(node: &Node<'_>, nodes: &[Node<'_>], levels: &BTreeMap<&str, f64>) -> f64 {
    let supplied = nodes.iter().filter(|n| n.suppliers.contains(&node.id));
    levels[node.id.as_str()] + supplied.map(|n| below(n, nodes, levels)).sum::<f64>()
}

/// Local holding costs; from echelon costs, which add up along the way, where given.
fn local_holding(nodes: &[Node<'_>]) -> BTreeMap<String, f64> {
    fn sum(node: &Node<'_>, nodes: &[Node<'_>]) -> f64 {
        let above = nodes.iter().filter(|n| node.suppliers.contains(&n.id)).map(|n| sum(n, nodes));
        match node.number("echelon_holding_cost") {
            Some(echelon) => echelon + above.sum::<f64>(),
            None => node.number("local_holding_cost").unwrap_or(0.0),
        }
    }
    nodes.iter().map(|n| (n.id.clone(), sum(n, nodes))).collect()
}

/// Several suppliers to a node: an assembly.
fn joined(nodes: &[Node<'_>]) -> Result<Value> {
    let local = local_holding(nodes);
    let into = |node: &Node<'_>| nodes.iter().find(|n| n.suppliers.contains(&node.id)).map(|n| n.id.as_str().into());
    let stage = |node: &Node<'_>| AssemblyStage {
        id: node.id.as_str().into(),
        into: into(node),
        lead_time: node.number("shipment_lead_time").unwrap_or(0.0),
        holding: local[&node.id],
    };
    let stages: Vec<AssemblyStage> = nodes.iter().map(stage).collect();
    let last = nodes.iter().find(|n| into(n).is_none()).context("no last stage")?;
    let demand = last.demand()?.context("no demand at the last stage")?;
    let plan = assembly(&stages, demand, last.number("stockout_cost").unwrap_or(0.0))?;
    let levels: BTreeMap<&str, f64> = plan.echelon_levels.iter().map(|(id, level)| (id.as_str(), *level)).collect();
    Ok(json!({ "kind": "assembly", "cost": plan.cost, "echelon": levels }))
}

/// Guaranteed service times.
fn promises(nodes: &[Node<'_>]) -> Result<Value> {
    let time = |node: &Node<'_>, key| node.number(key).map(|t| t as u32);
    let stage = |node: &Node<'_>| {
        let source = &node.value["demand_source"];
        ServiceStage {
            id: node.id.as_str().into(),
            processing_time: time(node, "processing_time").unwrap_or(0),
            holding: node.number("local_holding_cost").unwrap_or(0.0),
            demand_mean: source["mean"].as_f64().unwrap_or(0.0),
            demand_sd: source["standard_deviation"].as_f64().unwrap_or(0.0),
            safety_factor: node.number("demand_bound_constant").unwrap_or(1.0),
            inbound_time: time(node, "external_inbound_cst").unwrap_or(0),
            longest_service: time(node, "external_outbound_cst"),
        }
    };
    let stages: Vec<ServiceStage> = nodes.iter().map(stage).collect();
    let link = |node: &Node<'_>| {
        let id = node.id.clone();
        node.suppliers.iter().map(move |s| (s.as_str().into(), id.as_str().into())).collect::<Vec<_>>()
    };
    let plan = place_safety_stock(&stages, &nodes.iter().flat_map(link).collect::<Vec<_>>())?;
    let times: BTreeMap<&str, u32> = plan.stages.iter().map(|s| (s.id.as_str(), s.service_time)).collect();
    Ok(json!({ "kind": "promises", "cost": plan.cost, "service_times": times }))
}
