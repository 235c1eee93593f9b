//! Carries out apply files: everything is checked before anything is changed, and each virtual server is one
//! transaction.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use anyhow::Context as _;

use super::change::Change;
use super::file::File;
use super::plan::{Plan, Prune, plan};
use crate::config::document::{Document, Faults};
use crate::domain::tenant::{TenantCode, TenantConfig};
use crate::flow;
use crate::flow::administration::Desk;
use crate::flow::test_cases::Outcome;
use crate::storage::{self, tenants, test_cases};

/// Whether changes are made or only shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Run {
    /// They are made.
    Real,
    /// They are made even where test cases do not hold any more after them.
    Anyway,
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
    /// The test cases that do not hold after them.
    pub cases: Vec<Outcome>,
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

/// The configuration that each virtual server of a file would have, and has now. Nothing is changed.
///
/// # Errors
/// [`Faults`] with everything that is wrong; or what the database says.
pub async fn draft(desk: &Desk<'_>, path: &Path) -> anyhow::Result<Vec<(TenantCode, TenantConfig, TenantConfig)>> {
    let text = std::fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
    let folder = path.parent().unwrap_or(Path::new(""));
    let plans = plans_of(desk, &path.display().to_string(), &text, folder, Prune::Keep).await??;
    let drafts = plans.into_iter().map(|plan| {
        let after = plan.changes.iter().find_map(Change::configuration).unwrap_or(&plan.config).clone();
        (plan.code, plan.config, after)
    });
    Ok(drafts.collect())
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
        let mut cases = Vec::new();
        if !plan.changes.is_empty() && (run != Run::Dry || plan.has_cases) {
            let stored = store(desk, &plan, run).await;
            cases = stored.with_context(|| format!("tenant {}: nothing was changed", plan.code))?;
        }
        reports.push(Report { changes: plan.lines(), warnings: plan.warnings, cases, code: plan.code });
    }
    desk.house.forget_realms();
    Ok(reports)
}

/// Carries out a plan; a dry run is one whose transaction is not kept. Gives the test cases that do not hold after it.
async fn store(desk: &Desk<'_>, plan: &Plan, run: Run) -> anyhow::Result<Vec<Outcome>> {
    let tenant = plan.config.tenant.id;
    let judged: Mutex<Vec<Outcome>> = Mutex::default();
    let work = async |connection: &mut storage::Connection| {
        // The plan is good only for what it was made from. The version is taken before anything is written: whoever changes
        // something at this moment is waited for, and not undone. A virtual server that is new cannot be made twice.
        if plan.exists && !tenants::take_version(connection, tenant, plan.config.version, desk.now).await? {
            return Err(storage::Error::Contended);
        }
        let before = if plan.has_cases && plan.exists { judge(desk, connection, plan).await? } else { Vec::new() };
        for change in &plan.changes {
            change.give_way(connection).await?;
        }
        for change in &plan.changes {
            change.carry_out(desk, connection, &plan.config).await?;
        }
        if !plan.exists {
            tenants::raise_version(connection, tenant, desk.now).await?;
        }
        if plan.has_cases {
            let mut after = judge(desk, connection, plan).await?;
            for case in &mut after {
                case.held_before = before.iter().find(|before| before.id == case.id).map(|before| before.holds);
            }
            after.retain(|case| !case.holds);
            let broken = after.iter().any(Outcome::is_broken);
            *judged.lock().unwrap_or_else(PoisonError::into_inner) = after;
            if run == Run::Dry || (broken && run != Run::Anyway) {
                return Err(storage::Error::Unsupported(NOT_KEPT));
            }
        }
        Ok(())
    };
    let stored = desk.house.db.write(work).await;
    let judged = judged.into_inner().unwrap_or_else(PoisonError::into_inner);
    match stored {
        Err(storage::Error::Unsupported(NOT_KEPT)) if run == Run::Dry => Ok(judged),
        Err(storage::Error::Unsupported(NOT_KEPT)) => {
            let broken = judged.iter().filter(|case| case.is_broken()).map(told).collect::<Vec<_>>();
            anyhow::bail!("{}; say --anyway if that is meant", broken.join("; "))
        }
        Err(storage::Error::Contended) => {
            anyhow::bail!("somebody else changed it at the same moment; run the command again")
        }
        Err(error) if error.is_duplicate() => {
            anyhow::bail!("a name or identifier of the file was taken at the same moment; run the command again")
        }
        result => Ok(result.map(|()| judged)?),
    }
}

/// Says that a transaction was ended on purpose.
const NOT_KEPT: &str = "the transaction was not to be kept";

/// What comes out of the test cases at this point of the transaction.
async fn judge(desk: &Desk<'_>, connection: &mut storage::Connection, plan: &Plan) -> storage::Result<Vec<Outcome>> {
    let Some(config) = tenants::config(connection, &plan.code).await? else { return Ok(Vec::new()) };
    let cases = test_cases::all(config.tenant.id).ask(connection).await?;
    flow::test_cases::judge(desk.house, connection, &cases, None, &config, desk.now).await
}

/// A case that does not hold, as one line.
#[must_use]
pub fn told(case: &Outcome) -> String {
    let differs = case.differs.join(", ");
    let already = if case.is_broken() { "" } else { ", as before" };
    format!("test case \"{}\" does not hold{already}: {differs}", case.name)
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
