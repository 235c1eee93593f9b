//! The lines of an explanation as the console says them: settings are called as on its pages, what is done at the shell elsewhere
//! is done on the page of the person here, and reasons stand in words beside their codes.

use super::codes;

/// What stands in the lines, and what the console says.
const PHRASES: [(&str, &str); 16] = [
    ("requires no otp", "requires no passcode"),
    ("requires otp", "requires a passcode"),
    ("add otp to require of", "let a passcode be proven by"),
    ("target_users is members_of;", "Target Users is “Members of these groups only”;"),
    ("target_users is all_except;", "Target Users is “All users except members of these groups”;"),
    ("target_users is all", "Target Users is “All users”"),
    ("target_users is none", "Target Users is “No users”"),
    (" (target_users = \"members_of\")", ""),
    (" (target_users = \"all_except\")", ""),
    (" (target_users = \"none\")", ""),
    (" (target_users = \"all\")", ""),
    ("set target_users to all or members_of", "choose other Target Users under Self-provisioning"),
    (" (preview_user)", ""),
    ("[tenant.platforms.…] allowed = true", "under Software token & push OTP settings"),
    ("set require_password to false", "let enrollment begin without a proven password, under Self-provisioning"),
    (
        "wait_after_address_change_seconds = ",
        "the seconds to wait after a change of it, which are under Self-provisioning: ",
    ),
];

/// What the shell does and the page of a person does not.
const AGAIN: &str = " --again allow";

/// A line of an explanation, as the console says it.
#[must_use]
pub fn line(text: &str) -> String {
    let said = PHRASES.iter().fold(text.to_owned(), |said, (machine, own)| said.replace(machine, own));
    reasoned(&at_the_page(&said))
}

fn at_the_page(text: &str) -> String {
    let Some((before, rest)) = text.split_once(": vestibule user ") else { return text.to_owned() };
    if rest.ends_with(AGAIN) {
        return format!(
            "{before}: vestibule user {rest} at the shell, or send an enrollment mail from the page of the person"
        );
    }
    let after = rest.split_once(", ").map_or_else(String::new, |(_, after)| format!(", {after}"));
    format!("{before}, on the page of the person{after}")
}

/// With words for the reason at the end of the line, if there is one.
fn reasoned(text: &str) -> String {
    let Some((before, code)) = text.rsplit_once(": ") else { return text.to_owned() };
    codes::reason(code).map_or_else(|| text.to_owned(), |words| format!("{before}: {words} ({code})"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A9: what an explanation says is called as on the pages of the console, and is done there.
    #[test]
    fn lines_speak_of_the_console() {
        for (told, said) in [
            ("the policy \"Global policy\" requires otp", "the policy \"Global policy\" requires a passcode"),
            (
                "target_users is members_of; ada is in pilot",
                "Target Users is “Members of these groups only”; ada is in pilot",
            ),
            ("target_users is all", "Target Users is “All users”"),
            ("not among the target users (target_users = \"members_of\")", "not among the target users"),
            (
                "after the user name: no access: locked",
                "after the user name: no access: too many failed attempts; waiting helps (locked)",
            ),
            ("give ada a mail address", "give ada a mail address"),
            ("or give a pass: vestibule user pass ada", "or give a pass, on the page of the person"),
            (
                "unlock ada: vestibule user unlock ada, or wait until 24 hours are over",
                "unlock ada, on the page of the person, or wait until 24 hours are over",
            ),
            (
                "decide that ada may enroll again: vestibule user enrollment ada --again allow",
                "decide that ada may enroll again: vestibule user enrollment ada --again allow at the shell, or send an \
                 enrollment mail from the page of the person",
            ),
            ("after the user name: the password is asked for", "after the user name: the password is asked for"),
        ] {
            assert_eq!(line(told), said);
        }
    }
}
