//! Contacts: users and leads, made, read, listed, searched, changed, merged, archived, tagged.
//!
//! Must not know: sockets, clocks, faults; conversations.

use super::{Done, Intercom, Kept, members, page::Page, query::Query, refusal::Refusal, route::Contacts, text_of};
use crate::{
    mock::{effect::Effect, lagged::Lagged},
    wire::{Request, Response},
};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// The workspace that is doubled.
pub(super) const WORKSPACE: &str = "hookdrl1";

/// First contact; later ones count up.
const FIRST: u64 = 1_001;

/// What stands before a contact's number in its id, which is 24 characters long.
const ID_START: &str = "65a1b2c3";

/// Fields of a contact besides its own attributes, which all hold text.
const FIELDS: [&str; 8] =
    ["avatar", "email", "external_id", "language_override", "last_seen_at", "name", "phone", "signed_up_at"];

/// One version of a contact.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Person {
    fields: BTreeMap<String, String>,
    lead: bool,
    own: Map<String, Value>,
    tags: Vec<u64>,
    pub(super) archived: bool,
    updated_ms: u64,
}

impl Person {
    /// As the workspace's people write it: what is no field is an attribute.
    pub(super) fn given(properties: BTreeMap<String, String>) -> Self {
        let mut person = Self::default();
        for (name, value) in properties.into_iter().filter(|(_, value)| !value.is_empty()) {
            if FIELDS.contains(&name.as_str()) {
                person.fields.insert(name, value);
            } else {
                person.own.insert(name, json!(value));
            }
        }
        person
    }

    /// With what `other` has besides.
    pub(super) fn joined(&self, other: &Self) -> Self {
        let mut joined = other.clone();
        joined.fields.extend(self.fields.clone());
        joined.own.extend(self.own.clone());
        joined.tags.extend(self.tags.iter().filter(|tag| !other.tags.contains(tag)));
        (joined.lead, joined.archived, joined.updated_ms) = (self.lead, self.archived, self.updated_ms);
        joined
    }

    pub(super) fn email(&self) -> Option<&str> {
        self.fields.get("email").map(String::as_str)
    }

    /// Everything as texts by name, as the ledger keeps it.
    pub(super) fn flat(&self) -> BTreeMap<String, String> {
        let own = self.own.iter().map(|(name, value)| (name.clone(), shown(value)));
        let role = if self.lead { "lead" } else { "user" };
        let mut flat: BTreeMap<String, String> = own.chain(self.fields.clone()).collect();
        flat.insert("role".to_owned(), role.to_owned());
        flat
    }

    fn written(mut self, body: &Map<String, Value>) -> Result<Self, Refusal> {
        for name in FIELDS {
            match body.get(name) {
                None => {}
                Some(Value::Null) => drop(self.fields.remove(name)),
                Some(value) => {
                    let text =
                        text_of(Some(value)).ok_or_else(|| Refusal::invalid(format!("{name} must be a text")))?;
                    self.fields.insert(name.to_owned(), if name == "email" { text.to_lowercase() } else { text });
                }
            }
        }
        if self.email().is_some_and(|email| !email.contains('@') || email.contains(char::is_whitespace)) {
            return Err(Refusal::invalid("email is not a valid e-mail address"));
        }
        match body.get("role").and_then(Value::as_str) {
            None => {}
            Some("user") => self.lead = false,
            Some("lead") => self.lead = true,
            Some(other) => return Err(Refusal::invalid(format!("role must be user or lead, not {other}"))),
        }
        match body.get("custom_attributes") {
            None | Some(Value::Null) => {}
            Some(Value::Object(own)) => {
                for (name, value) in own {
                    if value.is_array() || value.is_object() {
                        return Err(Refusal::invalid(format!(
                            "custom attribute '{name}' must be a text, number or boolean"
                        )));
                    }
                    self.own.insert(name.clone(), value.clone());
                }
                self.own.retain(|_, value| !value.is_null());
            }
            Some(_) => return Err(Refusal::invalid("custom_attributes must be an object")),
        }
        Ok(self)
    }
}

fn shown(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// The id that a client sees.
pub(super) fn id_text(number: u64) -> String {
    format!("{ID_START}{number:016x}")
}

/// The number in an id.
pub(super) fn number(id: &str) -> Option<u64> {
    u64::from_str_radix(id.strip_prefix(ID_START).filter(|rest| rest.len() == 16)?, 16).ok()
}

impl Intercom {
    pub(super) fn contacts_asked(&mut self, now_ms: u64, route: Contacts, request: &Request) -> Done {
        let answer = |body: &Value| Ok((Response::json(200, body), Vec::new()));
        match route {
            Contacts::Create => self.create_contact(now_ms, request),
            Contacts::List => {
                let there = self.people.iter().filter(|(_, kept)| !kept.versions.current().archived);
                let all = there.map(|(id, kept)| self.person_json(*id, kept, kept.versions.current())).collect();
                answer(&Page::of_list(request)?.of("list", "data", all))
            }
            Contacts::Search => self.search_contacts(now_ms, request),
            Contacts::Merge => self.merge_contacts(now_ms, request),
            Contacts::ByExternalId(external) => {
                let found = self.person_with(|person| person.fields.get("external_id") == Some(&external));
                answer(&self.shown_person(found.ok_or_else(not_found)?))
            }
            Contacts::Read(id) => answer(&self.shown_person(self.person(&id)?)),
            Contacts::Update(id) => {
                let id = self.person(&id)?;
                let after = self.now(id).written(&members(request)?)?;
                let effect = self.change_person(now_ms, id, after)?;
                Ok((Response::json(200, &self.shown_person(id)), effect.into_iter().collect()))
            }
            Contacts::Delete(id) => self.put_away(now_ms, &id, "deleted"),
            Contacts::Archive(id) => self.put_away(now_ms, &id, "archived"),
            Contacts::Unarchive(id) => {
                let found = number(&id).filter(|id| self.people.contains_key(id)).ok_or_else(not_found)?;
                let after = Person { archived: false, ..self.now(found) };
                let effect = self.change_person(now_ms, found, after)?;
                let told = json!({ "type": "contact", "id": id, "archived": false });
                Ok((Response::json(200, &told), effect.into_iter().collect()))
            }
            Contacts::Tags(id) => {
                let tags: Vec<Value> = self.now(self.person(&id)?).tags.iter().map(|tag| self.tag_json(*tag)).collect();
                answer(&json!({ "type": "list", "data": tags }))
            }
            Contacts::Tag(id) => {
                let tag = self.tag_asked(request)?;
                self.set_tag(now_ms, &id, tag, true)
            }
            Contacts::Untag { contact, tag } => {
                let tag = self.tag(&tag)?;
                self.set_tag(now_ms, &contact, tag, false)
            }
        }
    }

    fn create_contact(&mut self, now_ms: u64, request: &Request) -> Done {
        let body = members(request)?;
        let person = Person { updated_ms: now_ms, ..Person::default() }.written(&body)?;
        if !person.fields.contains_key("external_id") && person.email().is_none() && !body.contains_key("role") {
            return Err(Refusal::missing("one of email, external_id and role is needed"));
        }
        let (id, effect) = self.add_person(now_ms, person)?;
        Ok((Response::json(200, &self.shown_person(id)), vec![effect]))
    }

    /// Makes a contact, when nobody has what must be its alone.
    pub(super) fn add_person(&mut self, now_ms: u64, person: Person) -> Result<(u64, Effect), Refusal> {
        self.is_alone(&person, None)?;
        let effect_email = person.email().map(str::to_owned);
        let id = self.next_person();
        let versions = Lagged::new(self.seen_from(now_ms), person);
        self.people.insert(id, Kept { versions, created_ms: now_ms, given: false });
        Ok((id, Effect::ContactCreated { contact: id_text(id), email: effect_email }))
    }

    /// A lead of whom only the e-mail is known.
    pub(super) fn lead_with_email(email: &str) -> Person {
        let fields = BTreeMap::from([("email".to_owned(), email.to_lowercase())]);
        Person { fields, lead: true, ..Person::default() }
    }

    fn change_person(&mut self, now_ms: u64, id: u64, mut after: Person) -> Result<Option<Effect>, Refusal> {
        let before = self.now(id);
        if after == before {
            return Ok(None);
        }
        self.is_alone(&after, Some(id))?;
        let (old, new) = (before.flat(), after.flat());
        let names = old.keys().chain(new.keys()).filter(|name| old.get(*name) != new.get(*name));
        let mut changed: BTreeMap<_, _> =
            names.map(|name| (name.clone(), (old.get(name).cloned(), new.get(name).cloned()))).collect();
        if before.archived != after.archived {
            changed
                .insert("archived".to_owned(), (Some(before.archived.to_string()), Some(after.archived.to_string())));
        }
        after.updated_ms = now_ms;
        let lag_ms = self.options.search_lag_ms;
        if let Some(kept) = self.people.get_mut(&id) {
            kept.versions.write(now_ms, lag_ms, after);
        }
        // Tags are no property: a change of them alone is not told as one.
        Ok((!changed.is_empty()).then(|| Effect::ContactUpdated { contact: id_text(id), changed }))
    }

    fn put_away(&mut self, now_ms: u64, id: &str, how: &str) -> Done {
        let number = self.person(id)?;
        let before = self.now(number);
        let effect = self.change_person(now_ms, number, Person { archived: true, ..before.clone() })?;
        if how == "deleted" {
            self.people.remove(&number);
        }
        let told = json!({ "type": "contact", "id": id, "external_id": before.fields.get("external_id"), how: true });
        Ok((Response::json(200, &told), effect.into_iter().collect()))
    }

    /// Intercom merges a lead into a user, never the other way round.
    fn merge_contacts(&mut self, now_ms: u64, request: &Request) -> Done {
        let body = members(request)?;
        let named = |name: &str| text_of(body.get(name)).ok_or_else(|| Refusal::missing(format!("{name} is needed")));
        let (from, into) = (self.person(&named("from")?)?, self.person(&named("into")?)?);
        let (lead, user) = (self.now(from), self.now(into));
        if from == into || !lead.lead || user.lead {
            return Err(Refusal::invalid("a lead is merged into a user: `from` must be a lead, `into` a user"));
        }
        self.people.remove(&from);
        self.merged.insert(from, into);
        let mut effects: Vec<Effect> = self.change_person(now_ms, into, user.joined(&lead))?.into_iter().collect();
        if effects.is_empty() {
            let changed = BTreeMap::from([("merged".to_owned(), (None, Some(id_text(from))))]);
            effects.push(Effect::ContactUpdated { contact: id_text(into), changed });
        }
        Ok((Response::json(200, &self.shown_person(into)), effects))
    }

    fn set_tag(&mut self, now_ms: u64, contact: &str, tag: u64, on: bool) -> Done {
        let id = self.person(contact)?;
        let mut after = self.now(id);
        after.tags.retain(|own| *own != tag);
        after.tags.extend(on.then_some(tag));
        let effect = self.change_person(now_ms, id, after)?;
        Ok((Response::json(200, &self.tag_json(tag)), effect.into_iter().collect()))
    }

    fn search_contacts(&self, now_ms: u64, request: &Request) -> Done {
        let body = members(request)?;
        let (query, page) = (Query::parse(&body)?, Page::of_search(&body)?);
        let mut found = Vec::new();
        for (id, kept) in &self.people {
            let Some(person) = kept.versions.indexed(now_ms).filter(|person| !person.archived) else { continue };
            let field = |name: &str| self.searched(*id, kept, person, name);
            if query.matches(&field)? {
                found.push(self.person_json(*id, kept, person));
            }
        }
        Ok((Response::json(200, &page.of("list", "data", found)), Vec::new()))
    }

    fn searched(&self, id: u64, kept: &Kept<Person>, person: &Person, name: &str) -> Option<Vec<String>> {
        let one = |text: Option<String>| Some(text.into_iter().collect());
        if let Some(own) = name.strip_prefix("custom_attributes.") {
            return one(person.own.get(own).map(shown));
        }
        match name {
            "id" => one(Some(id_text(id))),
            "role" => one(person.flat().remove("role")),
            "created_at" => one(Some(self.secs(kept.created_ms).to_string())),
            "updated_at" => one(Some(self.secs(person.updated_ms).to_string())),
            "tag_id" => Some(person.tags.iter().map(u64::to_string).collect()),
            "email_domain" => one(person.email().and_then(|email| Some(email.split_once('@')?.1.to_owned()))),
            name if FIELDS.contains(&name) => one(person.fields.get(name).cloned()),
            _ => None,
        }
    }

    /// Users are alone with their e-mail and their external id; archived ones keep theirs. Leads may share an e-mail.
    fn is_alone(&self, person: &Person, own: Option<u64>) -> Result<(), Refusal> {
        for name in person.own.keys() {
            if self.options.attributes.as_ref().is_some_and(|listed| !listed.contains(name)) {
                return Err(Refusal::invalid(format!("Custom attribute '{name}' does not exist")));
            }
        }
        let external = person.fields.get("external_id");
        let same = |other: &Person| {
            let by_external = external.is_some() && other.fields.get("external_id") == external;
            let by_email = !person.lead && !other.lead && person.email().is_some() && other.email() == person.email();
            by_external || by_email
        };
        let taken = self.people.iter().find(|(id, kept)| Some(**id) != own && same(kept.versions.current()));
        match taken {
            Some((id, kept)) => Err(Refusal::exists(&id_text(*id), kept.versions.current().archived)),
            None => Ok(()),
        }
    }

    /// The contact that a contact of this number is now: another one when it was merged.
    pub(super) fn living(&self, id: u64) -> u64 {
        self.merged.get(&id).copied().unwrap_or(id)
    }

    /// The number of a contact by its id.
    pub(super) fn person(&self, id: &str) -> Result<u64, Refusal> {
        let there = |id: &u64| self.people.get(id).is_some_and(|kept| !kept.versions.current().archived);
        number(id).map(|id| self.living(id)).filter(there).ok_or_else(not_found)
    }

    pub(super) fn person_with(&self, fits: impl Fn(&Person) -> bool) -> Option<u64> {
        let fits = |kept: &Kept<Person>| !kept.versions.current().archived && fits(kept.versions.current());
        self.people.iter().find(|(_, kept)| fits(kept)).map(|(id, _)| *id)
    }

    pub(super) fn user_with_email(&self, email: &str) -> Option<u64> {
        let email = email.to_lowercase();
        let user = self.person_with(|person| !person.lead && person.email() == Some(email.as_str()));
        user.or_else(|| self.person_with(|person| person.email() == Some(email.as_str())))
    }

    pub(super) fn user_with_external_id(&self, external: &str) -> Option<u64> {
        self.person_with(|person| person.fields.get("external_id").map(String::as_str) == Some(external))
    }

    pub(super) fn email_of(&self, id: u64) -> Option<String> {
        let kept = self.people.get(&self.living(id))?;
        kept.versions.current().email().map(str::to_owned)
    }

    pub(super) fn next_person(&self) -> u64 {
        let last = self.people.last_key_value().map(|(id, _)| *id).max(self.merged.last_key_value().map(|(id, _)| *id));
        last.map_or(FIRST, |last| last + 1)
    }

    fn now(&self, id: u64) -> Person {
        self.people.get(&id).map(|kept| kept.versions.current().clone()).unwrap_or_default()
    }

    fn shown_person(&self, id: u64) -> Value {
        self.people.get(&id).map_or(Value::Null, |kept| self.person_json(id, kept, kept.versions.current()))
    }

    pub(super) fn person_json(&self, id: u64, kept: &Kept<Person>, person: &Person) -> Value {
        let text = id_text(id);
        let field = |name: &str| person.fields.get(name);
        let number = |name: &str| field(name).and_then(|text| text.parse::<i64>().ok());
        let empty = |of: &str| {
            let url = format!("/contacts/{text}/{of}");
            json!({ "type": "list", "data": [], "url": url, "total_count": 0, "has_more": false })
        };
        let mut tags = empty("tags");
        tags["total_count"] = person.tags.len().into();
        tags["data"] = person
            .tags
            .iter()
            .map(|tag| json!({ "type": "tag", "id": tag.to_string(), "url": format!("/tags/{tag}") }))
            .collect();
        json!({
            "type": "contact",
            "id": text,
            "workspace_id": WORKSPACE,
            "external_id": field("external_id"),
            "role": if person.lead { "lead" } else { "user" },
            "email": field("email"),
            "phone": field("phone"),
            "name": field("name"),
            "avatar": field("avatar"),
            "owner_id": null,
            "social_profiles": { "type": "list", "data": [] },
            "has_hard_bounced": false,
            "marked_email_as_spam": false,
            "unsubscribed_from_emails": false,
            "created_at": self.secs(kept.created_ms),
            "updated_at": self.secs(person.updated_ms),
            "signed_up_at": number("signed_up_at"),
            "last_seen_at": number("last_seen_at"),
            "last_replied_at": null,
            "last_contacted_at": null,
            "language_override": field("language_override"),
            "location": { "type": "location", "country": null, "region": null, "city": null },
            "custom_attributes": person.own,
            "tags": tags,
            "notes": empty("notes"),
            "companies": empty("companies"),
        })
    }
}

fn not_found() -> Refusal {
    Refusal::not_found("User Not Found")
}
