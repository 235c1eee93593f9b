//! Carries out apply files: everything is checked before anything is changed, and each virtual server is one
//! transaction.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::file::File;
use super::plan::{Plan, Prune, plan};
use crate::config::document::{Document, Faults};
use crate::domain::tenant::TenantCode;
use crate::flow::administration::Desk;
use crate::storage::{self, tenants};

/// Whether changes are made or only shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Run {
    /// They are made.
    Real,
    /// They are shown.
    Dry,
}

/// What was changed in one virtual server, or would be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The virtual server.
    pub code: TenantCode,
    /// The changes, one line each; none if it was as the file wants it.
    pub changes: Vec<String>,
    /// What is allowed and still unwise, one line each.
    pub warnings: Vec<String>,
}

/// Applies files.
///
/// # Errors
/// [`Faults`] with everything that is wrong in any of them, before anything is changed; or what the database says.
pub async fn files(desk: &Desk<'_>, paths: &[PathBuf], run: Run, prune: Prune) -> anyhow::Result<Vec<Report>> {
    let mut texts = Vec::with_capacity(paths.len());
    for path in paths {
        let text = std::fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
        texts.push((path, text));
    }
    let (mut plans, mut faults) = (Vec::new(), Vec::new());
    for (path, text) in &texts {
        let folder = path.parent().unwrap_or(Path::new(""));
        match plans_of(desk, &path.display().to_string(), text, folder, prune).await? {
            Ok(these) => plans.extend(these),
            Err(these) => faults.extend(these.0),
        }
    }
    if !faults.is_empty() {
        return Err(Faults(faults).into());
    }
    carry_out(desk, plans, run).await
}

/// Applies the text of one file, which faults call `name`; files that it names are looked for in `folder`.
///
/// # Errors
/// As [`files`].
pub async fn text(
    desk: &Desk<'_>,
    (name, text): (&str, &str),
    folder: &Path,
    run: Run,
    prune: Prune,
) -> anyhow::Result<Vec<Report>> {
    let plans = plans_of(desk, name, text, folder, prune).await??;
    carry_out(desk, plans, run).await
}

async fn plans_of(
    desk: &Desk<'_>,
    name: &str,
    text: &str,
    folder: &Path,
    prune: Prune,
) -> anyhow::Result<Result<Vec<Plan>, Faults>> {
    let mut document = Document::parse(name, text);
    let typed: File = document.read();
    let mut plans: Vec<Plan> = Vec::new();
    for (index, tenant) in typed.tenant.iter().enumerate() {
        let path = format!("tenant[{index}]");
        let Some(made) = plan(desk, &mut document, &path, tenant, folder, prune).await? else { continue };
        if plans.iter().any(|other| other.code == made.code) {
            document.fault(&format!("{path}.code"), format!("\"{}\" is given twice", made.code));
        }
        plans.push(made);
    }
    Ok(document.finish().map(|()| plans))
}

async fn carry_out(desk: &Desk<'_>, plans: Vec<Plan>, run: Run) -> anyhow::Result<Vec<Report>> {
    let mut codes = HashSet::new();
    if let Some(twice) = plans.iter().find(|plan| !codes.insert(plan.code.clone())) {
        anyhow::bail!("tenant \"{}\" stands in two files; put it into one", twice.code);
    }
    let mut reports = Vec::with_capacity(plans.len());
    for plan in plans {
        if run == Run::Real && !plan.changes.is_empty() {
            store(desk, &plan).await.with_context(|| format!("tenant {}: nothing was changed", plan.code))?;
        }
        reports.push(Report { changes: plan.lines(), warnings: plan.warnings, code: plan.code });
    }
    desk.house.forget_realms();
    Ok(reports)
}

async fn store(desk: &Desk<'_>, plan: &Plan) -> anyhow::Result<()> {
    let tenant = plan.config.tenant.id;
    let work = async |connection: &mut storage::Connection| {
        // The plan is good only for what it was made from.
        let version = tenants::version(connection, &plan.code).await?;
        if version != plan.exists.then_some(plan.config.version) {
            return Err(storage::Error::Contended);
        }
        for change in &plan.changes {
            change.carry_out(desk, connection, &plan.config).await?;
        }
        if plan.changes.iter().any(|change| change.is_of_configuration()) {
            tenants::raise_version(connection, tenant, desk.now).await?;
        }
        Ok(())
    };
    match desk.house.db.write(work).await {
        Err(storage::Error::Contended) => {
            anyhow::bail!("somebody else changed it at the same moment; run the command again")
        }
        Err(error) if error.is_duplicate() => {
            anyhow::bail!("a name or identifier of the file was taken at the same moment; run the command again")
        }
        result => Ok(result?),
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
