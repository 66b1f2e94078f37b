//! Merging contacts: two become one under a new id, and both old ids lead there (HubSpot's help on merging records: since 2025
//! the merged record has an id of its own, and a lookup by an old one finds it).
//!
//! Must not know: sockets, clocks, faults.

use super::{Crm, Done, Stored, Version, properties::email_key, refusal::Refusal};
use crate::{
    mock::{effect::Effect, lagged::Lagged},
    wire::Request,
};
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Body {
    primary_object_id: String,
    object_id_to_merge: String,
}

impl Crm {
    /// The id that an id leads to: another one when the contact was merged.
    pub(super) fn living(&self, id: u64) -> u64 {
        let mut id = id;
        // Ids grow with each merge, so this ends.
        while let Some(into) = self.merged.get(&id) {
            id = *into;
        }
        id
    }

    /// The CRM's own people merge two contacts: what `primary` says wins. Returns the id of the one that is left; `None` when
    /// there are no two such contacts.
    pub fn merge(&mut self, now_ms: u64, primary: &str, other: &str) -> Option<String> {
        let id = |text: &str| {
            text.parse()
                .ok()
                .map(|id| self.living(id))
                .filter(|id| self.contacts.get(id).is_some_and(|stored| !stored.is_archived()))
        };
        let (primary, other) = (id(primary)?, id(other)?);
        if primary == other {
            return None;
        }
        let (kept, gone) = (self.contacts.remove(&primary)?, self.contacts.remove(&other)?);
        let id = self.next_id().max(primary.max(other) + 1);
        let (kept_now, gone_now) = (&kept.versions.current().properties, &gone.versions.current().properties);
        let mut properties = gone_now.clone();
        properties.extend(kept_now.clone());
        let emails: Vec<&str> = [kept_now, gone_now]
            .iter()
            .flat_map(|held| held.get("email").into_iter().chain(held.get("hs_additional_emails")))
            .flat_map(|text| text.split(';'))
            .collect();
        let first = properties.get("email").cloned().unwrap_or_default();
        let further: Vec<&str> = emails.iter().copied().filter(|email| email_key(email) != email_key(&first)).collect();
        if !further.is_empty() {
            properties.insert("hs_additional_emails".to_owned(), further.join(";"));
        }
        properties.insert("hs_merged_object_ids".to_owned(), format!("{primary};{other}"));
        // All of their addresses are this contact's now: nobody can make another one with them.
        self.emails.extend(emails.iter().map(|email| (email_key(email), id)));
        self.merged.extend([(primary, id), (other, id)]);
        let seen_from = now_ms.saturating_add(self.search_lag_ms);
        let versions = Lagged::new(seen_from, Version { properties, updated_ms: now_ms, archived: false });
        let (created_ms, given) = (kept.created_ms.min(gone.created_ms), kept.given || gone.given);
        self.contacts.insert(id, Stored { versions, created_ms, given });
        Some(id.to_string())
    }

    pub(super) fn merge_asked(&mut self, now_ms: u64, request: &Request) -> Done {
        let body: Body = serde_json::from_slice(&request.body)
            .map_err(|error| Refusal::invalid(format!("invalid input JSON: {error}")))?;
        let merged = self.merge(now_ms, &body.primary_object_id, &body.object_id_to_merge);
        let id = merged.ok_or_else(|| Refusal::not_found("there are no two such contacts to merge"))?;
        let ids = format!("{};{}", body.primary_object_id, body.object_id_to_merge);
        let changed = BTreeMap::from([("hs_merged_object_ids".to_owned(), (None, Some(ids)))]);
        let shown = self.shown(200, id.parse().unwrap_or_default(), &[]);
        Ok((shown, vec![Effect::ContactUpdated { contact: id, changed }]))
    }
}
