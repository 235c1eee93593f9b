//! What settings of the rollout would do, in numbers: counted by the database, nobody is loaded.

use serde::{Deserialize, Serialize};

use super::parts::Part;
use super::row::Row;
use super::statement::{Statement, Value};
use super::{Connection, Result};
use crate::domain::ids::{GroupId, TenantId};
use crate::domain::policy::provisioning::{SelfProvisioning, TargetUsers};
use crate::domain::policy::staging::{Mode, Wave};

/// People of a wave, or of all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct People {
    /// Among the target users, with an account that may be used.
    pub targeted: u64,
    /// Of these: have an authenticator that counts.
    pub with_authenticator: u64,
    /// Of these: have none, and would be asked.
    pub asked: u64,
    /// Of those who would be asked: have no mail address, so that nothing can be offered.
    pub without_mail: u64,
    /// Of those who would be asked: had an authenticator once. They are asked today already, whatever the waves say.
    pub recovering: u64,
    /// Among the target users, with an account that is disabled; none of the other numbers counts them.
    pub disabled: u64,
}

impl People {
    /// Both together.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self {
            targeted: self.targeted + other.targeted,
            with_authenticator: self.with_authenticator + other.with_authenticator,
            asked: self.asked + other.asked,
            without_mail: self.without_mail + other.without_mail,
            recovering: self.recovering + other.recovering,
            disabled: self.disabled + other.disabled,
        }
    }
}

const IS_MEMBER: &str = "EXISTS (SELECT 1 FROM group_member WHERE group_member.tenant_id = user_account.tenant_id \
     AND group_member.user_id = user_account.id AND group_member.group_id IN (";

/// A text under construction, with its values.
#[derive(Default)]
struct Text {
    parts: Vec<&'static str>,
    values: Vec<Value>,
}

impl Text {
    fn add(&mut self, part: &'static str) {
        self.parts.push(part);
    }

    fn value(&mut self, value: impl Into<Value>) {
        self.values.push(value.into());
    }

    /// Is in one of these groups. Lists are filled up to powers of two, so that there are few different texts.
    fn is_member(&mut self, groups: &[GroupId]) {
        self.add(IS_MEMBER);
        for place in 0..groups.len().max(1).next_power_of_two() {
            self.add(if place == 0 { "?" } else { ", ?" });
            let group = groups.get(place).or_else(|| groups.last());
            self.value(group.map(ToString::to_string).unwrap_or_default());
        }
        self.add("))");
    }
}

/// The people of each wave, in their order, and then those of none, under these settings: those in a part of all people.
///
/// # Errors
/// If the database fails.
pub async fn effect(
    connection: &mut Connection,
    tenant: TenantId,
    settings: &SelfProvisioning,
    part: &Part,
) -> Result<Vec<People>> {
    let waves = waves(settings);
    let mut found = vec![People::default(); waves.len() + 1];
    for row in statement(tenant, settings, part).rows(connection).await? {
        let row = Row::of("user_account", row);
        let wave = usize::try_from(row.integer("wave")?).unwrap_or(0);
        let place = if wave == 0 { waves.len() } else { wave - 1 };
        let people = u64::try_from(row.integer("people")?).unwrap_or(0);
        let when = |yes: bool| if yes { people } else { 0 };
        let (token, mail, had) = (row.flag("has_token")?, row.flag("has_mail")?, row.flag("had_token")?);
        let more = if row.flag("enabled")? {
            People {
                targeted: people,
                with_authenticator: when(token),
                asked: when(!token),
                without_mail: when(!token && !mail),
                recovering: when(!token && had),
                disabled: 0,
            }
        } else {
            People { disabled: people, ..People::default() }
        };
        if let Some(before) = found.get_mut(place) {
            *before = before.and(more);
        }
    }
    Ok(found)
}

/// The waves that count.
const fn waves(settings: &SelfProvisioning) -> &[Wave] {
    match settings.staging.rollout {
        Mode::Waves => settings.staging.wave.as_slice(),
        Mode::Everybody | Mode::Observe => &[],
    }
}

/// The question of [`effect`]; for tests that look at an engine's plans, too.
pub fn statement(tenant: TenantId, settings: &SelfProvisioning, part: &Part) -> Statement {
    let mut text = Text::default();
    text.add("SELECT wave, has_token, has_mail, enabled, had_token, COUNT(*) AS people FROM (SELECT CASE ");
    for (number, wave) in waves(settings).iter().enumerate() {
        text.add("WHEN 1 = 1");
        if !wave.groups.is_empty() {
            text.add(" AND ");
            text.is_member(&wave.groups);
        }
        if let Some(threshold) = wave.threshold() {
            // As [`crate::domain::policy::staging::Wave::threshold`] says.
            text.add(" AND SUBSTR(user_account.id, 23, 3) < ?");
            text.value(threshold);
        }
        text.add(" THEN ? ");
        text.value(i64::try_from(number + 1).unwrap_or(0));
    }
    text.add(
        // The best state of somebody's authenticators stands in the account.
        "WHEN 1 = 0 THEN 0 ELSE 0 END AS wave, \
         CASE WHEN first_enrolled_at IS NOT NULL AND token_state IN ('active', 'suspended', 'locked') \
         THEN 1 ELSE 0 END AS has_token, CASE WHEN email IS NULL THEN 0 ELSE 1 END AS has_mail, \
         CASE WHEN status = 'enabled' THEN 1 ELSE 0 END AS enabled, \
         CASE WHEN first_enrolled_at IS NULL THEN 0 ELSE 1 END AS had_token \
         FROM user_account WHERE user_account.tenant_id = ? AND user_account.id > ? AND user_account.id <= ?",
    );
    text.value(tenant);
    for bound in part.bounds() {
        text.values.push(bound);
    }
    match settings.target_users {
        TargetUsers::All => {}
        TargetUsers::MembersOf => {
            text.add(" AND ");
            text.is_member(&settings.groups);
        }
        TargetUsers::AllExcept => {
            text.add(" AND NOT ");
            text.is_member(&settings.groups);
        }
        TargetUsers::NoUsers => text.add(" AND 1 = 0"),
    }
    text.add(") people GROUP BY wave, has_token, has_mail, enabled, had_token");
    let Text { parts, values } = text;
    Statement::composed(&parts).with(values)
}
