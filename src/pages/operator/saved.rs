//! What came of a change of the configuration, for the pages that make one: on to the next page, or the same page with what
//! was typed, what is wrong, and the question whether it is meant all the same.

use super::labels::sentence;
use super::shell::{FieldFault, Shell};
use crate::domain::fault::Fault as Wrong;
use crate::domain::operator::Module;
use crate::flow::administration::configuration::{Despite, Unsaved};
use crate::flow::test_cases::Outcome;
use crate::http::{Fault, Form};

/// What must be said once more before it is done.
#[derive(Debug, Default)]
pub struct Question {
    /// The sentence that the sentences below belong to; empty if nothing is asked.
    pub asks: &'static str,
    /// What breaks, or where it is used.
    pub lines: Vec<String>,
    /// The name of the box that says yes.
    pub field: &'static str,
    /// The words beside the box.
    pub label: &'static str,
}

impl Question {
    /// Whether it is meant although these test cases would not hold any more.
    #[must_use]
    pub fn of_broken(broken: &[Outcome]) -> Self {
        let line = |outcome: &Outcome| format!("{}: {}", outcome.name, outcome.differs.join(", "));
        Self {
            asks: "Nothing was saved yet: these test cases hold now and would not hold any more.",
            lines: broken.iter().map(line).collect(),
            field: "anyway",
            label: "Save it all the same",
        }
    }
}

/// The identifier and name of the field of a key: `scenario[0].name` is `scenario-0-name`.
#[must_use]
pub fn field(key: &str) -> String {
    key.replace("].", "-").replace(['[', '.'], "-").replace(']', "")
}

/// What the fields of a page of `module` say of what is wrong.
#[must_use]
pub fn faults(module: Module, wrong: &[Wrong]) -> Vec<FieldFault> {
    wrong.iter().map(|fault| FieldFault::new(field(&fault.key), sentence(module, fault))).collect()
}

/// Whether the operator has seen what breaks.
#[must_use]
pub fn despite(form: &Form) -> Despite {
    if form.text("anyway") == "yes" { Despite::BrokenCases } else { Despite::Nothing }
}

/// The shell that says why nothing was stored, and what is to be answered before it is.
///
/// # Errors
/// [`Fault::NotFound`] if the thing is gone; what the database says.
pub fn refused(shell: Shell, unsaved: Unsaved) -> Result<(Shell, Question), Fault> {
    match unsaved {
        Unsaved::Wrong(wrong) => {
            let faults = faults(shell.module, &wrong);
            Ok((shell.with_faults(faults), Question::default()))
        }
        Unsaved::Gone => Err(Fault::NotFound),
        Unsaved::ChangedMeanwhile => {
            let words = "Nothing was saved: somebody else changed this meanwhile. Open it again to see what it says now; \
                         what you typed is below.";
            Ok((shell.with_complaint(words), Question::default()))
        }
        Unsaved::Never(words) => {
            Ok((shell.with_complaint(format!("Nothing was saved: {words}.")), Question::default()))
        }
        Unsaved::Breaks(outcomes) => Ok((shell, Question::of_broken(&outcomes))),
        Unsaved::InUse(uses) => {
            let question = Question {
                asks: "Nothing was removed yet: it is used by",
                lines: uses,
                field: "clean_up",
                label: "Take it out of these, too; what named nothing else is removed with it",
            };
            Ok((shell, question))
        }
        Unsaved::Storage(error) => Err(error.into()),
    }
}

/// The lines of a field in which there is one thing on each.
pub fn lines(text: &str) -> Vec<String> {
    text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_one_field_and_its_fault_is_a_sentence() {
        assert_eq!(field("scenario[0].inside_networks"), "scenario-0-inside_networks");
        assert_eq!(field("oidc.client_id"), "oidc-client_id");
        let told = faults(Module::AccessPolicies, &[Wrong::new("scenario[1].require", "names a method twice")]);
        assert_eq!(
            (told[0].field.as_str(), told[0].message.as_str()),
            ("scenario-1-require", "Scenario 2, What it says: names a method twice.")
        );
    }
}
