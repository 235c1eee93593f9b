use super::*;

type Rows = Vec<(Link, Option<Entry>)>;

fn tenant() -> TenantId {
    TenantId::from_bits(7)
}

fn entry(n: i64) -> Entry {
    Entry {
        id: format!("e{n}"),
        at: 1_000_000 * n,
        actor_kind: "operator".to_owned(),
        actor: "someone".to_owned(),
        actor_name: None,
        address: "192.0.2.7".to_owned(),
        action: "tenant_changed".to_owned(),
        object: "tenant".to_owned(),
        object_id: "x".to_owned(),
        correlation_id: None,
        detail: "{}".to_owned(),
    }
}

fn chain(entries: &[Entry]) -> Rows {
    let mut head = Head::beginning(tenant());
    let link = |entry: &Entry| {
        let link = head.next(entry.at + 5, entry.content(tenant()));
        head = link.into();
        (link, Some(entry.clone()))
    };
    entries.iter().map(link).collect()
}

/// A signature for tests: the type, a stroke, the claims.
fn opened(typ: &str, text: &str) -> Option<serde_json::Value> {
    let (signed, claims) = text.split_once('|')?;
    if signed == typ { serde_json::from_str(claims).ok() } else { None }
}

fn verdict(rows: &[(Link, Option<Entry>)]) -> Result<Found, Fault> {
    let mut verifier = Verifier::new(tenant(), Head::beginning(tenant()), &opened);
    for (link, event) in rows {
        verifier.event(*link, event.as_ref()).map_err(|fault| verifier.earliest(fault))?;
    }
    verifier.end()
}

fn rows(n: i64) -> Rows {
    chain(&(1..=n).map(entry).collect::<Vec<_>>())
}

/// T-61, AC-52: each way of tampering is named with the first bad row.
#[test]
fn the_first_bad_row_is_named() {
    let good = rows(9);
    assert_eq!(verdict(&good).map(|found| (found.first, found.last, found.events)), Ok((1, 9, 9)));
    let tampered = |change: &dyn Fn(&mut Rows)| {
        let mut rows = good.clone();
        change(&mut rows);
        verdict(&rows).map_err(|fault| (fault.number, fault.wrong))
    };
    let edit = |rows: &mut Rows, at: usize| {
        rows[at].1.as_mut().expect("an event").detail = "{\"old\":1}".to_owned();
    };
    assert_eq!(tampered(&|rows| edit(rows, 3)), Err((4, Wrong::Edited)));
    assert_eq!(
        tampered(&|rows| {
            edit(rows, 6);
            edit(rows, 2)
        }),
        Err((3, Wrong::Edited)),
        "the first of several"
    );
    assert_eq!(
        tampered(&|rows| {
            edit(rows, 2);
            rows[5].1 = None
        }),
        Err((3, Wrong::Edited)),
        "and before what is worse"
    );
    assert_eq!(tampered(&|rows| rows[3].1 = None), Err((4, Wrong::Missing)));
    assert_eq!(tampered(&|rows| drop(rows.remove(3))), Err((4, Wrong::Gap { found: 5 })));
    assert_eq!(tampered(&|rows| rows.swap(3, 4)), Err((4, Wrong::Gap { found: 5 })));
    assert_eq!(tampered(&|rows| rows.insert(4, rows[3].clone())), Err((4, Wrong::Again)));
    let forged = |rows: &mut Rows| {
        let mut link = rows[3].0;
        link.number = 5;
        rows.insert(4, (link, rows[3].1.clone()));
    };
    assert_eq!(tampered(&forged), Err((5, Wrong::Unlinked)));
    assert_eq!(tampered(&|rows| rows[3].0.sealed_at += 1), Err((4, Wrong::Unlinked)));
    assert_eq!(tampered(&|rows| rows[3].0.content = rows[2].0.content), Err((4, Wrong::Unlinked)));
}

/// T-61: whoever can write everything but has no key is found at the next checkpoint.
#[test]
fn a_chain_that_was_made_anew_does_not_fit_its_checkpoints() {
    let good = rows(6);
    let signed = |head: Head, tenant: TenantId| {
        let claims = Checkpoint { tenant: tenant.to_string(), number: head.number, hash: head.hash, at: 0 };
        format!("{CHECKPOINT_TYPE}|{}", serde_json::to_string(&claims).expect("serializes"))
    };
    let checked = |rows: &[(Link, Option<Entry>)], of: TenantId| {
        let mut verifier = Verifier::new(tenant(), Head::beginning(tenant()), &opened);
        for ((link, event), (true_link, _)) in rows.iter().zip(&good) {
            verifier.event(*link, event.as_ref())?;
            if link.number % 2 == 0 {
                verifier.checkpoint(&signed((*true_link).into(), of))?;
            }
        }
        verifier.end()
    };
    assert_eq!(checked(&good, tenant()).map(|found| (found.checkpoints, found.signed)), Ok((3, 6)));
    let mut entries: Vec<Entry> = (1..=6).map(entry).collect();
    entries[2].actor = "nobody".to_owned();
    let fault = checked(&chain(&entries), tenant()).expect_err("rewritten");
    assert_eq!((fault.number, fault.wrong), (4, Wrong::Rewritten { since: 2 }));
    // Another virtual server's checkpoint is none.
    let fault = checked(&good, TenantId::from_bits(8)).expect_err("another's");
    assert_eq!(fault.wrong, Wrong::BadSignature);
}

/// rows may lose personal data if a signed note later in the chain says so, and nothing else about them may change.
#[test]
fn a_signed_note_explains_rows_without_personal_data() {
    let mut entries: Vec<Entry> = (1..=3).map(entry).collect();
    let without = Entry { address: String::new(), ..entries[1].clone() };
    let note = |typ: &str, left: Hash| {
        let removal = Removal { tenant: tenant().to_string(), rows: BTreeMap::from([(2, left)]) };
        let note = format!("{typ}|{}", serde_json::to_string(&removal).expect("serializes"));
        let detail = serde_json::to_string(&RemovalNote { rows: 1, note }).expect("serializes");
        Entry { action: REMOVAL_ACTION.to_owned(), detail, ..entry(4) }
    };
    let mut verdict_with = |note: Entry, left: &Entry| {
        entries.truncate(3);
        entries.push(note);
        let mut rows = chain(&entries);
        rows[1].1 = Some(left.clone());
        verdict(&rows).map(|found| found.removed).map_err(|fault| (fault.number, fault.wrong))
    };
    let content = without.content(tenant());
    assert_eq!(verdict_with(note(REMOVAL_TYPE, content), &without), Ok(1));
    assert_eq!(verdict_with(note("forged", content), &without), Err((2, Wrong::Edited)));
    let more = Entry { action: "nothing".to_owned(), ..without.clone() };
    assert_eq!(verdict_with(note(REMOVAL_TYPE, content), &more), Err((2, Wrong::Edited)));
}

/// No two different rows are hashed alike: where one field ends and the next begins is part of it, and so is nothing.
#[test]
fn fields_do_not_run_into_each_other() {
    let base = entry(1);
    let moved = Entry { actor: "some".to_owned(), actor_kind: "operatorone".to_owned(), ..base.clone() };
    let named = Entry { actor_name: Some(String::new()), ..base.clone() };
    let joined = Entry { correlation_id: Some("-".to_owned()), ..base.clone() };
    let hashes: std::collections::BTreeSet<Hash> =
        [&base, &moved, &named, &joined].into_iter().map(|entry| entry.content(tenant())).collect();
    assert_eq!(hashes.len(), 4);
    assert_ne!(base.content(tenant()), base.content(TenantId::from_bits(8)), "nor those of two virtual servers");
}
