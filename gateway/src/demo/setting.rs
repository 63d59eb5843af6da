//! The demo's town: homes, technicians, stock.

use std::collections::BTreeSet;

use anyhow::Context as _;
use device_sim::DeviceSpec;
use diagnosis::Catalogue;

use crate::app::App;
use crate::auth::{Actor, Role};
use crate::control::{Control, NewDevice, NewLocation, NewTechnician, Receipt};

/// Middle of the town, in degrees.
const TOWN: (f64, f64) = (36.10, 120.40);

/// Its areas, and where they lie from the middle.
const AREAS: [(&str, f64, f64); 4] =
    [("north", 0.06, 0.0), ("east", 0.0, 0.08), ("south", -0.06, 0.0), ("west", 0.0, -0.08)];

/// Pieces of each part in the central store, in a station, and in a van.
const STOCK: (u32, u32, u32) = (40, 6, 1);

/// Registers the devices with their homes; hires technicians; fills the stores.
pub async fn furnish(app: &App, specs: Vec<DeviceSpec>) -> anyhow::Result<Vec<DeviceSpec>> {
    let actor = Actor { name: "demo".into(), role: Role::Admin };
    let catalogue = &app.house().catalogue;
    stores(&app.control, catalogue, &actor).await.context("the demo's stores")?;
    technicians(&app.control, catalogue, &actor).await.context("the demo's technicians")?;
    let mut housed = Vec::with_capacity(specs.len());
    for (n, spec) in specs.into_iter().enumerate() {
        housed.push(house(&app.control, n, spec, &actor).await.context("the demo's devices")?);
    }
    Ok(housed)
}

async fn house(control: &Control, n: usize, spec: DeviceSpec, actor: &Actor) -> anyhow::Result<DeviceSpec> {
    let (area, north, east) = AREAS[n % AREAS.len()];
    // Homes lie on a spiral around the middle of their area.
    let (angle, radius) = (n as f64 * 2.4, 0.003 * (n as f64).sqrt());
    let device = NewDevice {
        id: spec.device.clone(),
        tenant: spec.tenant.clone(),
        r#type: spec.kind.key().to_owned(),
        model: spec.kind.model().to_owned(),
        area: area.to_owned(),
        lat: TOWN.0 + north + radius * angle.sin(),
        lon: TOWN.1 + east + radius * angle.cos(),
        password: None,
    };
    let login = control.register_device(device, actor).await?;
    let token = login.password.context("a device without a password of its own gets a token")?;
    Ok(DeviceSpec { token, ..spec })
}

async fn stores(control: &Control, catalogue: &Catalogue, actor: &Actor) -> anyhow::Result<()> {
    let (central, station, van) = STOCK;
    let parts: BTreeSet<&str> = catalogue.iter().flat_map(|ty| ty.parts.iter().map(|part| part.key.as_str())).collect();
    place(control, "central", "central", None, TOWN, actor).await?;
    fill(control, "central", &parts, central, actor).await?;
    for (area, north, east) in AREAS {
        let (station_id, at) = (format!("station-{area}"), (TOWN.0 + north, TOWN.1 + east));
        place(control, &station_id, "station", Some("central"), at, actor).await?;
        fill(control, &station_id, &parts, station, actor).await?;
        for n in 1..=2 {
            let van_id = format!("van-{area}-{n}");
            place(control, &van_id, "van", Some(&station_id), at, actor).await?;
            // Each van carries every second part, the two of an area all of them.
            let carried = parts.iter().skip(n - 1).step_by(2).copied().collect();
            fill(control, &van_id, &carried, van, actor).await?;
        }
    }
    Ok(())
}

async fn place(
    control: &Control,
    id: &str,
    kind: &str,
    parent: Option<&str>,
    (lat, lon): (f64, f64),
    actor: &Actor,
) -> anyhow::Result<()> {
    let location =
        NewLocation { id: id.into(), kind: kind.into(), name: id.into(), parent: parent.map(Into::into), lat, lon };
    Ok(control.add_location(location, actor).await?)
}

async fn fill(
    control: &Control,
    location: &str,
    parts: &BTreeSet<&str>,
    quantity: u32,
    actor: &Actor,
) -> anyhow::Result<()> {
    for part in parts {
        control.receive(Receipt { location: location.into(), part: (*part).into(), quantity }, actor).await?;
    }
    Ok(())
}

/// Two for each area: one for cold, one for gas; both also do what is simple.
async fn technicians(control: &Control, catalogue: &Catalogue, actor: &Actor) -> anyhow::Result<()> {
    const NAMES: [&str; 8] = ["Chen Yu", "Li Na", "Wang Hao", "Zhao Min", "Sun Lei", "Zhou Jie", "Wu Fang", "Xu Bo"];
    let skills: BTreeSet<String> =
        catalogue.iter().flat_map(|ty| ty.causes.iter().map(|cause| cause.skill.clone())).collect();
    let skills: Vec<String> = skills.into_iter().collect();
    for (n, (area, north, east)) in AREAS.into_iter().enumerate() {
        let neighbour = AREAS[(n + 1) % AREAS.len()].0;
        for k in 0..2 {
            let trained =
                skills.iter().enumerate().filter(|(i, _)| (i + n + k) % 3 != 0).map(|(_, skill)| skill.clone());
            let technician = NewTechnician {
                id: format!("T-{}", 2 * n + k + 1),
                name: NAMES[2 * n + k].into(),
                lat: TOWN.0 + north,
                lon: TOWN.1 + east,
                skills: if k == 0 { skills.clone() } else { trained.collect() },
                areas: vec![area.into(), neighbour.into()],
                capacity: 6,
                rating: 4.2 + 0.1 * ((2 * n + k) % 7) as f64,
                van: format!("van-{area}-{}", k + 1),
            };
            control.put_technician(technician, actor).await?;
        }
    }
    Ok(())
}
