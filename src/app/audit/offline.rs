//! Exports of the audit trail, checked with nothing but the files: no database, no configuration, no network (T-61, AC-52).

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use crate::app::helpdesk::Said;
use crate::domain::audit::chain::{CHECKPOINT_TYPE, Checkpoint, FORM, Fault, Found, Hash, Head, Line, Verifier, Wrong};
use crate::domain::ids::TenantId;
use crate::flow::audit_trail::opened;
use crate::keys::jose::KeySet;

/// Lines longer than this are not read: an event's detail is some kilobytes.
const LONGEST_LINE: u64 = 16 << 20;

/// Signed places of chains, by virtual server and number.
type Known = BTreeMap<(TenantId, i64), Hash>;

/// Checks exports one by one, and against each other. `keys` is a file with the keys that are believed; without one those in
/// each export are, and their thumbprints are told for comparison.
#[must_use]
pub fn verify(files: &[PathBuf], keys: Option<&Path>) -> Said {
    verify_of(files, keys, None).0
}

/// The same; gives also what good exports say of one virtual server's chain.
pub(super) fn verify_of(files: &[PathBuf], keys: Option<&Path>, of: Option<TenantId>) -> (Said, BTreeMap<i64, Hash>) {
    let mut said = Said { lines: Vec::new(), notes: Vec::new(), good: true };
    let pinned = match keys.map(pinned).transpose() {
        Ok(pinned) => pinned,
        Err(words) => {
            said.good = false;
            said.lines.push(words);
            return (said, BTreeMap::new());
        }
    };
    let mut known = Known::new();
    for file in files {
        let name = file.display();
        match reader(file).and_then(|reader| export(reader, pinned.as_ref(), &mut known)) {
            Ok(Checked { verdict: Ok(found), keys, code }) => {
                said.lines.push(words(&format!("{name}, {code}"), &found));
                if pinned.is_none() {
                    let prints = keys.thumbprints().join(", ");
                    said.notes
                        .push(format!("{name}: believed the keys in the file itself; their thumbprints: {prints}"));
                }
            }
            Ok(Checked { verdict: Err(fault), .. }) => {
                said.good = false;
                said.lines.push(format!("{name}: {fault}"));
            }
            Err(words) => {
                said.good = false;
                said.lines.push(format!("{name}: {words}"));
            }
        }
    }
    let of_one = known.into_iter().filter(|((tenant, _), _)| Some(*tenant) == of);
    (said, of_one.map(|((_, number), hash)| (number, hash)).collect())
}

/// What a good chain holds, in words.
pub(super) fn words(name: &str, found: &Found) -> String {
    if found.last < found.first {
        return format!("{name}: whole; no event");
    }
    let Found { first, last, events, checkpoints, signed, removed, late } = found;
    let mut words = format!("{name}: whole; rows {first} to {last}, {events} events, {checkpoints} checkpoints");
    if signed < last {
        words.push_str(&format!("; no checkpoint stands for rows {} to {last} yet", signed + 1));
    }
    if *removed > 0 {
        words.push_str(&format!("; personal data was removed from {removed} events, as signed notes tell"));
    }
    if *late > 0 {
        words.push_str(&format!("; {late} events were sealed more than a minute after their time"));
    }
    words
}

fn pinned(file: &Path) -> Result<KeySet, String> {
    let text = std::fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
    KeySet::parse(&text).map_err(|fault| format!("{}: {fault}", file.display()))
}

fn reader(file: &Path) -> Result<Box<dyn BufRead>, String> {
    if file == Path::new("-") {
        return Ok(Box::new(BufReader::new(std::io::stdin())));
    }
    let open = File::open(file).map_err(|error| error.to_string())?;
    Ok(Box::new(BufReader::new(open)))
}

struct Checked {
    code: String,
    keys: KeySet,
    verdict: Result<Found, Fault>,
}

/// The next line; `None` at the end.
fn next(reader: &mut dyn BufRead) -> Result<Option<Result<Line, ()>>, String> {
    let mut text = Vec::new();
    let read = std::io::Read::take(&mut *reader, LONGEST_LINE).read_until(b'\n', &mut text);
    match read.map_err(|error| error.to_string())? {
        0 => Ok(None),
        _ => Ok(Some(serde_json::from_slice(&text).map_err(|_| ()))),
    }
}

fn export(mut reader: Box<dyn BufRead>, pinned: Option<&KeySet>, known: &mut Known) -> Result<Checked, String> {
    const NO_EXPORT: &str = "this is no export of an audit trail: it lacks the first line";
    let Some(Ok(Line::Head { form, tenant, code, after, checkpoint, keys })) = next(&mut *reader)? else {
        return Err(NO_EXPORT.to_owned());
    };
    if form != FORM {
        return Err(format!("this is an export of another kind (\"{form}\"); a newer program may know it"));
    }
    let tenant: TenantId = tenant.parse().map_err(|_| NO_EXPORT.to_owned())?;
    let own = KeySet::parse_published(&keys.to_string()).map_err(|fault| format!("its keys: {fault}"))?;
    let keys = pinned.cloned().unwrap_or(own);
    let open = |typ: &str, text: &str| opened(&keys, typ, text);
    let begins = match &checkpoint {
        None => after == Head::beginning(tenant),
        Some(jwt) => open(CHECKPOINT_TYPE, jwt).and_then(|claims| serde_json::from_value(claims).ok()).is_some_and(
            |it: Checkpoint| it.tenant == tenant.to_string() && it.number == after.number && it.hash == after.hash,
        ),
    };
    if !begins {
        let fault = Fault { number: after.number, event: None, wrong: Wrong::BadSignature };
        return Ok(Checked { code, keys, verdict: Err(fault) });
    }
    let mut verifier = Verifier::new(tenant, after, &open);
    let verdict = match rows(&mut *reader, &mut verifier, tenant, known)? {
        Some(fault) => Err(verifier.earliest(fault)),
        None => verifier.end(),
    };
    Ok(Checked { code, keys, verdict })
}

/// Reads up to the last line; gives what is wrong first.
fn rows(
    reader: &mut dyn BufRead,
    verifier: &mut Verifier<'_>,
    tenant: TenantId,
    known: &mut Known,
) -> Result<Option<Fault>, String> {
    let mut events: u64 = 0;
    let mut signed = true;
    loop {
        let expected = verifier.head().number + 1;
        let fault = |wrong| Ok(Some(Fault { number: expected, event: None, wrong }));
        let step = match next(reader)? {
            None => return fault(Wrong::CutOff),
            Some(Err(()) | Ok(Line::Head { .. })) => return fault(Wrong::NoLine),
            Some(Ok(Line::Event { link, event })) => {
                events += 1;
                signed = false;
                verifier.event(link, Some(&event))
            }
            Some(Ok(Line::Link(link))) => {
                signed = false;
                verifier.link(link)
            }
            Some(Ok(Line::Checkpoint { number, .. })) if number != expected - 1 => {
                return Ok(Some(Fault { number, event: None, wrong: Wrong::Gap { found: expected - 1 } }));
            }
            Some(Ok(Line::Checkpoint { number, jwt })) => {
                signed = true;
                let done = verifier.checkpoint(&jwt);
                if done.is_ok() {
                    // Another export of the same chain must say the same of this place.
                    known.insert((tenant, number), verifier.head().hash);
                }
                done
            }
            Some(Ok(Line::End { number, events: told })) => {
                let whole = number == expected - 1 && told == events && signed;
                return if whole { Ok(None) } else { fault(Wrong::CutOff) };
            }
        };
        if let Err(fault) = step {
            return Ok(Some(fault));
        }
        let head = verifier.head();
        if known.get(&(tenant, head.number)).is_some_and(|hash| *hash != head.hash) {
            return Ok(Some(Fault { number: head.number, event: None, wrong: Wrong::Rewritten { since: 0 } }));
        }
    }
}
