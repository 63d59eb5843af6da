use super::*;
use crate::store::views::sample;

const YEAR: i64 = 31_557_600_000;

/// Two models of refrigerators, two years old.
const FLEET: &str = "
WITH RECURSIVE number (n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM number WHERE n < 40)
INSERT INTO device (id, tenant, type, model, secret, area, lat, lon, registered_ms)
SELECT 'R-' || n, 'home', 'refrigerator', CASE WHEN n <= 20 THEN 'old' ELSE 'new' END, '', 'north', 0, 0, 0 FROM number;
";

/// Each old one had a visit after two years. The detector cried, and one cause was behind it.
const VISITS: &str = r#"
INSERT INTO work_order (id, number, device, source, cause, title, state, priority, why, skill, area, sop, posterior,
    evidence, kit, assignment, confirmed, created_ms, updated_ms, closed_ms, version)
SELECT 'w-' || id, CAST(SUBSTR(id, 3) AS INTEGER), id, 'gateway', 'compressor_start_failure', '', 'completed', 'normal', '',
    'cooling', 'north', '', '[{"cause":"door_seal_worn","probability":0.2}]',
    '[{"symptom":"x","state":"present","llr":1.0,"why":""},{"symptom":"y","state":"unknown","llr":0,"why":""}]',
    '[]', '{}', 'door_seal_worn', 63115200000, 63115200000, 63115200000, 1 FROM device WHERE model = 'old';
"#;

struct School {
    learning: Learning,
    store: Store,
    catalogue: Catalogue,
    _dir: tempfile::TempDir,
}

impl School {
    async fn new() -> Self {
        let (store, _dir) = sample::empty().await;
        let school =
            Self { learning: Learning::new(store.clone()), store, catalogue: Catalogue::builtin().unwrap(), _dir };
        sample::execute(&school.store, FLEET).await;
        school
    }

    async fn lessons(&self) -> Arc<Lessons> {
        self.learning.refresh(&self.catalogue, ServerTime(2 * YEAR + 1)).await.unwrap();
        self.learning.lessons()
    }

    fn prior(&self, lessons: &Lessons, model: &str) -> f64 {
        lessons.of("refrigerator", model, 2.0).unwrap().cause("door_seal_worn").unwrap().prior
    }
}

#[tokio::test]
async fn without_a_case_the_catalogue_stands() {
    let school = School::new().await;
    let lessons = school.lessons().await;
    assert!(lessons.of("refrigerator", "old", 2.0).is_none());
    assert_eq!(lessons.summary(), "closed cases: 0; models taught: 0");
}

#[tokio::test]
async fn confirmed_causes_raise_their_prior_for_that_model_first() {
    let school = School::new().await;
    sample::execute(&school.store, VISITS).await;
    let lessons = school.lessons().await;
    assert_eq!((lessons.summary().as_str(), lessons.number()), ("closed cases: 20; models taught: 2", 1));
    let written = school.catalogue.get("refrigerator").unwrap().cause("door_seal_worn").unwrap().prior;
    let (old, new) = (school.prior(&lessons, "old"), school.prior(&lessons, "new"));
    assert!(old > 2.0 * new && new > 0.0 && old > 3.0 * written, "old {old}, new {new}, written {written}");
    assert!(lessons.of("refrigerator", "unheard-of", 2.0).is_none(), "no device, no lesson");
    assert!(lessons.of("split-ac", "old", 2.0).is_none(), "no case of that type");
    assert_eq!(school.lessons().await.number(), 2, "the same again, from the same store");
    assert_eq!(school.prior(&*school.lessons().await, "old"), old);
}

#[tokio::test]
async fn a_cured_fault_counts_by_its_probability_and_a_repair_by_its_verdicts() {
    let school = School::new().await;
    let ty = school.catalogue.get("refrigerator").unwrap();
    let repair = &ty.repairs[0];
    let cured = |state: &str, number: u32| {
        format!(
            "INSERT INTO finding (id, device, cause, title, probability, state, reopened, ranked, evidence, explanation, \
             opened_ms, closed_ms, version) VALUES ('f{number}', 'R-{number}', '{cause}', '', 0.9, 'closed', 0, \
             '[{{\"cause\":\"{cause}\",\"probability\":0.9}}]', '[]', '', 0, 1000, 1); \
             INSERT INTO repair (id, finding, device, cause, repair, action, arguments, risk, body_hash, state, reason, \
             attempt, issued_by, created_ms, updated_ms, version) VALUES ('r{number}', 'f{number}', 'R-{number}', '{cause}', \
             '{key}', '', '', '', '', '{state}', '', 1, 'gateway', 0, 0, 1); \
             INSERT INTO timeline (subject, step, at_ms, state, actor, detail) VALUES ('r{number}', 1, 0, 'verify_failed', '', '');",
            cause = repair.cause,
            key = repair.key,
        )
    };
    let success =
        |lessons: &Lessons| lessons.of("refrigerator", "old", 0.0).unwrap().repair(&repair.key).unwrap().success;
    for number in 1..=10 {
        sample::execute(&school.store, cured("verified", number).leak()).await;
    }
    let lessons = school.lessons().await;
    assert_eq!(lessons.summary(), "closed cases: 10; models taught: 2");
    assert!(success(&lessons) > repair.success, "{} {}", success(&lessons), repair.success);
    // Those that a work order took over are its cases, with the failed repair.
    for number in 11..=14 {
        sample::execute(&school.store, cured("escalated", number).leak()).await;
        let order = format!(
            "INSERT INTO work_order (id, number, finding, device, source, cause, title, state, priority, why, skill, area, \
             sop, posterior, evidence, kit, assignment, confirmed, created_ms, updated_ms, closed_ms, version) VALUES \
             ('w{number}', {number}, 'f{number}', 'R-{number}', 'gateway', '{cause}', '', 'completed', 'normal', '', '', '', \
             '', '[]', '[]', '[]', '', '{cause}', 0, 0, 2000, 1);",
            cause = repair.cause,
        );
        sample::execute(&school.store, order.leak()).await;
    }
    let later = school.lessons().await;
    assert_eq!(later.summary(), "closed cases: 14; models taught: 2");
    assert!(success(&later) < success(&lessons));
}
