//! Which model files there are, and which of them speaks.

use std::path::{Path, PathBuf};

use firmware_proto::ServerTime;
use serde::Serialize;

use super::{ModelError, ModelFile};
use crate::store::{Store, StoreError, Write, audit};

/// What a model of the catalogue is called.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct ModelName {
    /// The appliance type.
    pub r#type: String,
    /// Which model of the type.
    pub name: String,
}

impl std::fmt::Display for ModelName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.r#type, self.name)
    }
}

/// What a version does now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Its evidence counts.
    Speaking,
    /// It runs beside and is watched.
    Shadow,
    /// It waits.
    Kept,
}

/// A version on the shelf.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Shelved {
    /// Of the type's model.
    #[serde(flatten)]
    pub of: ModelName,
    /// Names its file.
    pub version: String,
    /// Epoch milliseconds.
    pub trained_ms: i64,
    /// What it does now.
    pub stage: Stage,
}

/// The model files of a state directory and the rows that say what each does.
#[derive(Debug, Clone)]
pub struct Shelf {
    folder: PathBuf,
    store: Store,
}

impl Shelf {
    /// The shelf of a state directory.
    pub fn new(state: &Path, store: Store) -> Self {
        Self { folder: state.join("models"), store }
    }

    /// Puts a new model on the shelf and lets it run as shadow, in place of the shadow before it.
    ///
    /// # Errors
    /// The file or the database cannot be written.
    pub async fn add(&self, file: &ModelFile, actor: &str) -> Result<String, ModelError> {
        let version = file.write(&self.folder)?;
        let at = ServerTime(file.trained_ms);
        let mut write = self.store.write().await?;
        let sql = "INSERT INTO model (version, type, name, trained_ms) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING";
        query(sql).bind(&version).bind(&file.r#type).bind(&file.name).bind(at.ms()).execute(&mut *write).await?;
        let of = ModelName { r#type: file.r#type.clone(), name: file.name.clone() };
        set_shadow(&mut write, &of, Some(&version)).await?;
        audit::append(&mut write, at, actor, "model trained", &of.to_string(), &version).await?;
        write.commit().await?;
        Ok(version)
    }

    /// A version's file.
    ///
    /// # Errors
    /// It is not there, or damaged.
    pub fn read(&self, version: &str) -> Result<ModelFile, ModelError> {
        ModelFile::read(&self.folder, version)
    }

    /// All versions, by name, newest first.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn list(&self) -> Result<Vec<Shelved>, ModelError> {
        let sql = "SELECT m.type, m.name, m.version, m.trained_ms, \
                     m.version = (SELECT p.version FROM model_promotion p WHERE p.type = m.type AND p.name = m.name \
                                  AND p.undone_ms IS NULL ORDER BY p.entry DESC LIMIT 1), \
                     EXISTS (SELECT 1 FROM model_shadow s WHERE s.version = m.version) \
                   FROM model m ORDER BY m.type, m.name, m.trained_ms DESC, m.version";
        let rows: Vec<(String, String, String, i64, Option<bool>, bool)> =
            sqlx::query_as(sql).fetch_all(self.store.read()).await.map_err(StoreError::from)?;
        let shelved = |(r#type, name, version, trained_ms, speaks, shadow)| Shelved {
            of: ModelName { r#type, name },
            version,
            trained_ms,
            stage: match (speaks, shadow) {
                (Some(true), _) => Stage::Speaking,
                (_, true) => Stage::Shadow,
                _ => Stage::Kept,
            },
        };
        Ok(rows.into_iter().map(shelved).collect())
    }

    /// One version.
    ///
    /// # Errors
    /// There is none of that name, which the message says with those there are.
    pub async fn find(&self, version: &str) -> Result<Shelved, ModelError> {
        let all = self.list().await?;
        let known = || all.iter().map(|shelved| format!("{} ({})", shelved.version, shelved.of)).collect();
        all.iter()
            .find(|shelved| shelved.version == version)
            .cloned()
            .ok_or_else(|| ModelError::NoVersion { version: version.to_owned(), known: known() })
    }

    /// Lets a version speak; the one that spoke before runs on as shadow, ready to come back.
    ///
    /// # Errors
    /// It is not there or damaged, or speaks already.
    pub async fn promote(&self, version: &str, at: ServerTime, actor: &str) -> Result<ModelName, ModelError> {
        let Shelved { of, .. } = self.find(version).await?;
        self.read(version)?;
        let mut write = self.store.write().await?;
        let before = speaking(&mut write, &of).await?;
        if before.as_deref() == Some(version) {
            return Err(ModelError::SpeaksAlready { of, version: version.to_owned() });
        }
        let sql = "INSERT INTO model_promotion (entry, type, name, version, at_ms, actor) \
                   SELECT COALESCE(MAX(entry), 0) + 1, $1, $2, $3, $4, $5 FROM model_promotion";
        query(sql).bind(&of.r#type).bind(&of.name).bind(version).bind(at.ms()).bind(actor).execute(&mut *write).await?;
        set_shadow(&mut write, &of, before.as_deref()).await?;
        let detail = format!("{} after {}", version, before.as_deref().unwrap_or("none"));
        audit::append(&mut write, at, actor, "model promoted", &of.to_string(), &detail).await?;
        write.commit().await?;
        Ok(of)
    }

    /// Undoes the newest promotion; what spoke before it speaks again. Returns it, or none if none did.
    ///
    /// # Errors
    /// Nothing was promoted, or the file of what spoke before is gone or damaged.
    pub async fn roll_back(&self, of: &ModelName, at: ServerTime, actor: &str) -> Result<Option<String>, ModelError> {
        let mut write = self.store.write().await?;
        let Some(now) = speaking(&mut write, of).await? else {
            return Err(ModelError::NothingSpeaks { of: of.clone() });
        };
        let sql = "UPDATE model_promotion SET undone_ms = $3 WHERE entry = \
                   (SELECT MAX(entry) FROM model_promotion WHERE type = $1 AND name = $2 AND undone_ms IS NULL)";
        query(sql).bind(&of.r#type).bind(&of.name).bind(at.ms()).execute(&mut *write).await?;
        let before = speaking(&mut write, of).await?;
        if let Some(before) = &before {
            self.read(before)?;
        }
        set_shadow(&mut write, of, Some(&now)).await?;
        let detail = format!("{} after {now}", before.as_deref().unwrap_or("none"));
        audit::append(&mut write, at, actor, "model rolled back", &of.to_string(), &detail).await?;
        write.commit().await?;
        Ok(before)
    }
}

fn query(sql: &'static str) -> sqlx::query::Query<'static, sqlx::Sqlite, sqlx::sqlite::SqliteArguments> {
    sqlx::query(sql)
}

async fn speaking(write: &mut Write, of: &ModelName) -> Result<Option<String>, StoreError> {
    let sql = "SELECT version FROM model_promotion WHERE type = $1 AND name = $2 AND undone_ms IS NULL \
               ORDER BY entry DESC LIMIT 1";
    Ok(sqlx::query_scalar(sql).bind(&of.r#type).bind(&of.name).fetch_optional(&mut **write).await?)
}

async fn set_shadow(write: &mut Write, of: &ModelName, version: Option<&str>) -> Result<(), StoreError> {
    let clear = "DELETE FROM model_shadow WHERE type = $1 AND name = $2";
    query(clear).bind(&of.r#type).bind(&of.name).execute(&mut **write).await?;
    if let Some(version) = version {
        let set = "INSERT INTO model_shadow (type, name, version) VALUES ($1, $2, $3)";
        query(set).bind(&of.r#type).bind(&of.name).bind(version).execute(&mut **write).await?;
    }
    Ok(())
}
