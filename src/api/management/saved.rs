//! What came of a change of the configuration, as a problem document; and the query that says that it is meant all the same.

use serde::Deserialize;

use super::problem::{FieldProblem, Problem};
use crate::flow::administration::configuration::{Despite, Unsaved};

/// Whether a change is stored although a test case that held would not hold any more.
#[derive(Debug, Clone, Copy, Default, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Anyway {
    /// `true`: it is stored all the same.
    pub anyway: bool,
}

impl Anyway {
    /// As the use cases want it.
    #[must_use]
    pub const fn despite(self) -> Despite {
        if self.anyway { Despite::BrokenCases } else { Despite::Nothing }
    }
}

impl From<Unsaved> for Problem {
    fn from(unsaved: Unsaved) -> Self {
        match unsaved {
            Unsaved::Wrong(faults) => Self::invalid(
                faults.into_iter().map(|fault| FieldProblem { field: fault.key, message: fault.words }).collect(),
            ),
            Unsaved::Gone => Self::not_found(),
            Unsaved::ChangedMeanwhile => Self::changed_meanwhile(),
            Unsaved::Never(words) => Self::new(409, "never", words),
            Unsaved::Breaks(outcomes) => {
                let errors = outcomes.into_iter().map(|outcome| FieldProblem {
                    field: format!("test-cases/{}", outcome.id),
                    message: format!("{}: {}", outcome.name, outcome.differs.join(", ")),
                });
                Self::new(
                    409,
                    "test_cases.broken",
                    "test cases would not hold any more; send anyway=true if that is meant",
                )
                .with_errors(errors.collect())
            }
            Unsaved::InUse(uses) => {
                let errors = uses.into_iter().map(|used| FieldProblem { field: String::new(), message: used });
                Self::new(409, "in_use", "it is in use; send clean_up=true to take it out of what names it")
                    .with_errors(errors.collect())
            }
            Unsaved::Storage(error) => error.into(),
        }
    }
}
